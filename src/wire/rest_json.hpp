// The REST form of JSON services (ebs): the method and path say what is asked, and the parameters are in path, query, headers and body.
// They become parameters like any other's, by the names that the model has for them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wire/api_error.hpp"
#include "wire/http/server.hpp"
#include "wire/schema.hpp"

namespace brume::wire {

struct RestRoute {
  const schema::Service* service = nullptr;
  const schema::Operation* operation = nullptr;
  std::vector<std::pair<std::string, std::string>> path_values;  // "snapshotId" → "snap-…"
};

// The operation that the method and path name. nullopt: none of a REST JSON service.
std::optional<RestRoute> find_rest_route(const HttpRequest& request);

// All parameters; those of the query are given, decoded. A payload is given in base64, as blobs are. Throws ApiError.
std::vector<std::pair<std::string, std::string>> read_rest_request(const RestRoute& route, const HttpRequest& request,
                                                                   const std::vector<std::pair<std::string, std::string>>& query);

// In these services' own codes: what is wrong with a parameter is their ValidationException.
ApiError in_words_of_rest(const ApiError& error);
std::string rest_error_document(const ApiError& error);

}  // namespace brume::wire
