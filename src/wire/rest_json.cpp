#include "wire/rest_json.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "wire/json_body.hpp"

namespace brume::wire {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// "{snapshotId}" takes any one segment.
std::optional<Pairs> match(std::string_view pattern, std::string_view path) {
  const auto wanted = split(pattern, '/');
  const auto parts = split(path, '/');
  if (wanted.size() != parts.size()) return std::nullopt;
  Pairs values;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (wanted[i].starts_with('{')) {
      if (parts[i].empty()) return std::nullopt;
      values.emplace_back(wanted[i].substr(1, wanted[i].size() - 2), parts[i]);
    } else if (wanted[i] != parts[i]) {
      return std::nullopt;
    }
  }
  return values;
}

}  // namespace

std::optional<RestRoute> find_rest_route(const HttpRequest& request) {
  const auto path = request.path();
  if (path.size() < 2) return std::nullopt;
  // "/snapshots/completion/{id}" before "/snapshots/{id}/blocks": what names more of its segments itself.
  std::optional<RestRoute> best;
  for (const auto* service : schema::services()) {
    if (service->protocol != schema::Protocol::rest_json) continue;
    for (const auto& operation : service->operations) {
      if (operation.method != request.method) continue;
      auto values = match(operation.path, path);
      if (values && (!best || values->size() < best->path_values.size())) best = RestRoute{service, &operation, std::move(*values)};
    }
  }
  return best;
}

Pairs read_rest_request(const RestRoute& route, const HttpRequest& request, const Pairs& query) {
  Pairs pairs = route.path_values;
  const auto* input = route.service->shape(route.operation->input);
  bool has_payload = false;
  for (const auto& member : input == nullptr ? std::span<const schema::Member>() : route.service->members_of(*input)) {
    if (member.place == schema::Place::header)
      if (const auto value = request.header(to_lower(member.parameter)); !value.empty()) pairs.emplace_back(member.parameter, value);
    if (member.place != schema::Place::payload) continue;
    has_payload = true;
    pairs.emplace_back(member.parameter, to_base64(request.body));
  }
  // A signature may stand in the URL; it is no parameter.
  for (const auto& pair : query)
    if (!to_lower(pair.first).starts_with("x-amz-")) pairs.push_back(pair);
  if (!has_payload)
    for (auto& pair : read_json_body(request.body)) pairs.push_back(std::move(pair));
  return pairs;
}

ApiError in_words_of_rest(const ApiError& error) {
  constexpr std::array<std::string_view, 6> about_parameters = {
      "MissingParameter",     "InvalidParameterValue",       "UnknownParameter",
      "MalformedQueryString", "InvalidParameterCombination", "SerializationException"};
  if (std::find(about_parameters.begin(), about_parameters.end(), error.code) != about_parameters.end())
    return {400, "ValidationException", error.message, "INVALID_PARAMETER_VALUE"};
  if (error.code == "InternalError") return {500, "InternalServerException", error.message};
  return error;
}

}  // namespace brume::wire
