// The only file of this layer that includes Boost.JSON.
#include "wire/json_body.hpp"

#include <boost/json.hpp>

#include "wire/api_error.hpp"
#include "wire/query_tree.hpp"

namespace brume::wire {
namespace {

namespace json = boost::json;
using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr size_t deepest = 10;

[[noreturn]] void refuse(std::string why) { throw ApiError(400, "SerializationException", std::move(why)); }

void flatten(const json::value& value, const std::string& name, Pairs& out) {
  // Each value carries its whole name: without a limit one long key over many values would be gigabytes.
  const auto below = [&](std::string_view part) {
    if (name.size() + 1 + part.size() > QueryLimits{}.name_bytes) refuse("The name of a member is too long.");
    return name.empty() ? std::string(part) : name + "." + std::string(part);
  };
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      if (key.find('.') != std::string_view::npos) refuse("A member's name has a dot.");
      flatten(member, below(key), out);
    }
    return;
  }
  if (const auto* list = value.if_array()) {
    for (size_t i = 0; i < list->size(); ++i) flatten((*list)[i], below(std::to_string(i + 1)), out);
    return;
  }
  if (value.is_null()) return;  // as if it was not there
  if (out.size() >= QueryLimits{}.parameters) refuse("The body has too many values.");
  out.emplace_back(name, value.is_string() ? std::string(value.get_string()) : json::serialize(value));
}

}  // namespace

Pairs read_json_body(std::string_view body) {
  Pairs pairs;
  if (body.empty()) return pairs;
  json::parse_options options;
  options.max_depth = deepest;
  boost::system::error_code failure;
  const auto value = json::parse({body.data(), body.size()}, failure, {}, options);
  if (failure || !value.is_object()) refuse("The body is not a JSON object.");
  flatten(value, {}, pairs);
  return pairs;
}

}  // namespace brume::wire
