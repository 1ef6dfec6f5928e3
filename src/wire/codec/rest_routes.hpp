// The REST form of a request: the method and path say what is asked, and the parameters are in path, query, headers and body.
// They become parameters like any other's, by the names that the model has for them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/codec/codec.hpp"

namespace brume::wire {

struct RestRoute {
  const schema::Service* service = nullptr;
  const schema::Operation* operation = nullptr;
  std::vector<std::pair<std::string, std::string>> path_values;  // "snapshotId" → "snap-…"
};

// The operation that the method and path name. nullopt: none of a REST JSON service.
std::optional<RestRoute> find_rest_route(schema::Services services, const HttpRequest& request);

// All parameters of a call whose route was found. A payload is given in base64, as blobs are. Throws ApiError.
std::vector<std::pair<std::string, std::string>> read_rest_request(const Call& call, std::string_view body);

}  // namespace brume::wire
