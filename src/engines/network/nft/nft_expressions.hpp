// Parts of nftables' rules as JSON values, for the files that write rules and say `using namespace expressions`.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include <boost/json.hpp>

#include "engines/network/names/names.hpp"
#include "engines/network/nft/family.hpp"
#include "engines/network/vpc/model.hpp"

namespace brume::network::expressions {

namespace json = boost::json;
using json::value;

inline value meta(std::string_view key) { return {{"meta", {{"key", key}}}}; }
inline value field(std::string_view protocol, std::string_view name) { return {{"payload", {{"protocol", protocol}, {"field", name}}}}; }
inline value connection(std::string_view key) { return {{"ct", {{"key", key}}}}; }
inline value concatenation(std::initializer_list<json::value_ref> parts) { return {{"concat", json::array(parts)}}; }

// value_ref: literals, texts and values alike; each must live as long as the expression that contains it.
inline value match(std::string_view op, json::value_ref left, json::value_ref right) {
  return {{"match", {{"op", op}, {"left", left}, {"right", right}}}};
}
inline value is(json::value_ref left, json::value_ref right) { return match("==", left, right); }
inline value is_not(json::value_ref left, json::value_ref right) { return match("!=", left, right); }

inline value accept() { return {{"accept", nullptr}}; }
inline value drop() { return {{"drop", nullptr}}; }
inline value jump(std::string_view chain) { return {{"jump", {{"target", chain}}}}; }

inline value from_tap() { return is(meta("iifname"), std::string(tap_prefix) + "*"); }
inline value not_from_tap() { return is_not(meta("iifname"), std::string(tap_prefix) + "*"); }
inline value to_tap() { return is(meta("oifname"), std::string(tap_prefix) + "*"); }
inline value not_to_tap() { return is_not(meta("oifname"), std::string(tap_prefix) + "*"); }
inline value from_uplink() { return is(meta("iifname"), uplink_name); }
inline value to_uplink() { return is(meta("oifname"), uplink_name); }
inline value state(std::initializer_list<json::value_ref> states) { return match("in", connection("state"), json::array(states)); }
inline value known_connection() { return state({"established", "related"}); }
inline value invalid() { return match("in", connection("state"), "invalid"); }
inline value from_router() { return is({{"fib", {{"result", "type"}, {"flags", json::array{"saddr"}}}}}, "local"); }

inline std::string rule(std::initializer_list<json::value_ref> expressions) { return json::serialize(json::array(expressions)); }

inline value look_up(value key, std::string_view map) { return {{"map", {{"key", std::move(key)}, {"data", "@" + std::string(map)}}}}; }
inline value verdict_of(std::string_view key, std::string_view map) {
  return {{"vmap", {{"key", meta(key)}, {"data", "@" + std::string(map)}}}};
}

inline std::string hook(std::string_view type, std::string_view hook_name, int priority, std::string_view policy) {
  return json::serialize(value{{"type", type}, {"hook", hook_name}, {"prio", priority}, {"policy", policy}});
}

// --- addresses

inline value any_of(json::array values) {
  if (values.size() == 1) return values.front();
  return {{"set", std::move(values)}};
}

template <class Family>
value address_range(const typename Family::Block& range) {
  if (range.prefix == Family::bits) return value(Family::format(range.base));
  return {{"prefix", {{"addr", Family::format(range.base)}, {"len", range.prefix}}}};
}

// Any address of the VPC.
template <class Family>
value vpc_ranges(const Model& model) {
  json::array ranges;
  for (const auto& range : ranges_of<Family>(model.vpc)) ranges.push_back(address_range<Family>(range));
  return any_of(std::move(ranges));
}

}  // namespace brume::network::expressions
