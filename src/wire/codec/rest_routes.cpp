#include "wire/codec/rest_routes.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "wire/codec/json_body.hpp"

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

std::optional<RestRoute> find_rest_route(schema::Services services, const HttpRequest& request) {
  const auto path = request.path();
  if (path.size() < 2) return std::nullopt;
  // "/snapshots/completion/{id}" before "/snapshots/{id}/blocks": what names more of its segments itself.
  std::optional<RestRoute> best;
  for (const auto* service : services) {
    if (!service->speaks(schema::Protocol::rest_json)) continue;
    for (const auto& operation : service->operations) {
      if (operation.method != request.method) continue;
      auto values = match(operation.path, path);
      if (values && (!best || values->size() < best->path_values.size())) best = RestRoute{service, &operation, std::move(*values)};
    }
  }
  return best;
}

Pairs read_rest_request(const Call& call, std::string_view body) {
  Pairs pairs = call.path_values;
  const auto* input = call.service->shape(call.operation->input);
  bool has_payload = false;
  for (const auto& member : input == nullptr ? std::span<const schema::Member>() : call.service->members_of(*input)) {
    if (member.place == schema::Place::header)
      if (const auto value = call.request.header(to_lower(member.parameter)); !value.empty()) pairs.emplace_back(member.parameter, value);
    if (member.place != schema::Place::payload) continue;
    has_payload = true;
    pairs.emplace_back(member.parameter, to_base64(body));
  }
  // A signature may stand in the URL; it is no parameter.
  for (const auto& pair : call.url_parameters->pairs())
    if (!to_lower(pair.first).starts_with("x-amz-")) pairs.push_back(pair);
  if (!has_payload)
    for (auto& pair : read_json_body(body, {call.service, input})) pairs.push_back(std::move(pair));
  return pairs;
}

}  // namespace brume::wire
