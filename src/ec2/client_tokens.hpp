// A client's token names a request, so that the request may be repeated and is carried out once (INS-045).
#pragma once

#include <string>
#include <string_view>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// The reservation that an earlier request of this token made; empty when the token is new. Throws IdempotentParameterMismatch, and
// IdempotentInstanceTerminated when nothing is left of the reservation.
std::string find_launched(state::Transaction& transaction, const service::Context& context, const std::string& token);
void remember_launched(state::Transaction& transaction, const service::Context& context, const std::string& token,
                       const std::string& reservation_id);

// The same for an action that makes one thing: the id of what it made, empty when the token is new or empty.
std::string find_made(state::Transaction& transaction, const service::Context& context, std::string_view action, const std::string& token);
void remember_made(state::Transaction& transaction, const service::Context& context, std::string_view action, const std::string& token,
                   const std::string& resource_id);

}  // namespace brume::ec2
