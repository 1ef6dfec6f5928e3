// What a checked signature may be used for: the service and region that its scope names, and nothing else.
#pragma once

#include <string_view>

#include "wire/http/server.hpp"
#include "wire/identity/identity.hpp"
#include "wire/schema.hpp"

namespace brume::wire {

// Throws ApiError, in the words of the protocol, when a version 4 signature is scoped to another service or region, or when a session token
// comes with it: nobody issues any, and the keys of this installation are long-term keys. `known`: the services whose requests are
// understood; a scope of another of them is never taken for a guess. `region`: the one that serves the request.
void require_scope(const HttpRequest& request, const Caller& caller, const schema::Service& service, schema::Protocol protocol,
                   schema::Services known, std::string_view region);

}  // namespace brume::wire
