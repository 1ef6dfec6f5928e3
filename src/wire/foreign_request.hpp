// Requests to services that are not served here: what is sent to the one endpoint of a cloud by clients of all of Amazon's services. Each
// is refused in the protocol that its sender speaks, or the client could not say what was wrong.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wire/api_error.hpp"
#include "wire/http/server.hpp"

namespace brume::wire {

enum class Speech { query, json, rest_json, rest_xml, cbor };

struct Foreign {
  Speech speech = Speech::query;
  std::string service;  // as its sender calls it: "s3", "ServiceQuotasV20190624"; may be empty
  std::string json_version;
};

// What the outside of a request says: protocol headers, content type, the scope of a signature (unverified). nullopt: nothing speaks
// against a request to a service of the schema in that service's protocol.
std::optional<Foreign> find_foreign(const HttpRequest& request);

// That the service is not served, as its clients expect to hear it.
ApiError not_served(const Foreign& foreign);
// An error for such a client.
HttpResponse answer_foreign(const Foreign& foreign, const ApiError& error, std::string_view request_id);

}  // namespace brume::wire
