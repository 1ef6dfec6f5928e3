#include "engines/network/model6.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <boost/json.hpp>

namespace brume::network {
namespace {

namespace json = boost::json;

Result<void> bad(std::string_view what, std::string_view value, std::string_view owner) {
  return fail(ErrorKind::invalid, fmt::format("{} \"{}\" of {} cannot be used", what, value, owner));
}

json::array texts(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

std::vector<std::string> read_texts(const json::object& from, std::string_view name) {
  std::vector<std::string> texts;
  if (const auto* list = from.if_contains(name))
    for (const auto& one : list->as_array()) texts.emplace_back(one.as_string());
  return texts;
}

}  // namespace

bool has_ipv6(const VpcSpec& vpc) { return !vpc.cidrs6.empty(); }

std::vector<Ipv6Block> ranges6_of(const VpcSpec& vpc) {
  std::vector<Ipv6Block> ranges;
  for (const auto& cidr : vpc.cidrs6)
    if (const auto range = parse_ipv6_block(cidr)) ranges.push_back(*range);
  return ranges;
}

std::vector<Ipv6Address> addresses6_of(const InterfaceSpec& interface) {
  std::vector<Ipv6Address> addresses;
  for (const auto& text : interface.ipv6)
    if (const auto address = parse_ipv6(text)) addresses.push_back(*address);
  return addresses;
}

Ipv6Address router_address6(const Ipv6Block& subnet) { return ipv6_host(subnet, 1); }

std::vector<RouteSpec> sorted_routes6(const RouteTableSpec& table) {
  auto routes = table.routes6;
  const auto prefix = [](const RouteSpec& route) { return parse_ipv6_block(route.cidr).value_or(Ipv6Block{}).prefix; };
  std::stable_sort(routes.begin(), routes.end(), [&](const auto& a, const auto& b) { return prefix(a) > prefix(b); });
  return routes;
}

const RouteSpec* route6_to(const RouteTableSpec& table, const Ipv6Address& address) {
  const RouteSpec* found = nullptr;
  int longest = -1;
  for (const auto& route : table.routes6) {
    const auto range = parse_ipv6_block(route.cidr);
    if (!range || !range->contains(address) || range->prefix <= longest) continue;
    found = &route;
    longest = range->prefix;
  }
  return found;
}

bool same_ways6(const VpcSpec& a, const VpcSpec& b) {
  const auto same_route = [](const RouteSpec& x, const RouteSpec& y) { return x.cidr == y.cidr && x.target == y.target && x.id == y.id; };
  const auto same_table = [&](const RouteTableSpec& x, const RouteTableSpec& y) {
    return x.id == y.id && std::equal(x.routes6.begin(), x.routes6.end(), y.routes6.begin(), y.routes6.end(), same_route);
  };
  return a.cidrs6 == b.cidrs6 && (!has_ipv6(a) || std::equal(a.route_tables.begin(), a.route_tables.end(), b.route_tables.begin(),
                                                             b.route_tables.end(), same_table));
}

Result<void> check_ipv6(const VpcSpec& vpc) {
  const auto ranges = ranges6_of(vpc);
  for (const auto& cidr : vpc.cidrs6)
    if (!parse_ipv6_block(cidr)) return bad("range", cidr, vpc.id);
  for (const auto& subnet : vpc.subnets) {
    if (subnet.cidr6.empty()) continue;
    const auto range = parse_ipv6_block(subnet.cidr6);
    const auto is_inside = [&](const Ipv6Block& whole) { return lies_in(*range, whole); };
    if (!range || range->prefix != 64 || std::none_of(ranges.begin(), ranges.end(), is_inside)) return bad("subnet", subnet.cidr6, vpc.id);
  }
  for (const auto& table : vpc.route_tables)
    for (const auto& route : table.routes6)
      if (!parse_ipv6_block(route.cidr)) return bad("route", route.cidr, table.id);
  return {};
}

Result<void> check_ipv6(const InterfaceSpec& interface) {
  for (const auto& address : interface.ipv6)
    if (!parse_ipv6(address)) return bad("address", address, interface.id);
  return {};
}

void write_ipv6(const VpcSpec& vpc, json::object& to) {
  if (has_ipv6(vpc)) to["cidrs6"] = texts(vpc.cidrs6);
  json::object subnets;
  for (const auto& subnet : vpc.subnets)
    if (!subnet.cidr6.empty()) subnets[subnet.cidr] = subnet.cidr6;
  if (!subnets.empty()) to["subnets6"] = std::move(subnets);
  json::object tables;
  for (const auto& table : vpc.route_tables) {
    json::array routes;
    for (const auto& route : table.routes6)
      routes.push_back({{"cidr", route.cidr}, {"target", static_cast<std::int64_t>(route.target)}, {"id", route.id}});
    if (!routes.empty()) tables[table.id] = std::move(routes);
  }
  if (!tables.empty()) to["routes6"] = std::move(tables);
}

void read_ipv6(const json::object& from, VpcSpec& vpc) {
  vpc.cidrs6 = read_texts(from, "cidrs6");
  if (const auto* subnets = from.if_contains("subnets6"))
    for (auto& subnet : vpc.subnets)
      if (const auto* range = subnets->as_object().if_contains(subnet.cidr)) subnet.cidr6 = range->as_string();
  if (const auto* tables = from.if_contains("routes6"))
    for (auto& table : vpc.route_tables)
      if (const auto* routes = tables->as_object().if_contains(table.id))
        for (const auto& one : routes->as_array()) {
          const auto& route = one.as_object();
          table.routes6.push_back({std::string(route.at("cidr").as_string()), static_cast<RouteSpec::Target>(route.at("target").as_int64()),
                                   std::string(route.at("id").as_string())});
        }
}

void write_ipv6(const InterfaceSpec& interface, json::object& to) {
  if (!interface.ipv6.empty()) to["ipv6"] = texts(interface.ipv6);
}

void read_ipv6(const json::object& from, InterfaceSpec& interface) { interface.ipv6 = read_texts(from, "ipv6"); }

}  // namespace brume::network
