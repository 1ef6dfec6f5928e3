// IPv6 in one VPC's namespace: addresses of the router, routes to guests, the kernel's route tables. What exists already stays.
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/log.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/netlink/connections.hpp"
#include "engines/network/netlink/taps.hpp"
#include "engines/network/vpc/vpc_network.hpp"

namespace brume::network {
namespace {

Result<void> switch_options(bool on) {
  for (const auto* place : {"all", "default"}) {
    const auto option = [&](std::string_view name) { return fmt::format("ipv6/conf/{}/{}", place, name); };
    std::vector<std::pair<std::string, const char*>> options = {{option("accept_ra"), "0"}};
    // Nobody else is on a guest's link, so duplicate address detection is not needed.
    if (on) options.insert(options.end(), {{option("accept_dad"), "0"}, {option("forwarding"), "1"}});
    options.emplace_back(option("disable_ipv6"), on ? "0" : "1");
    for (const auto& [name, value] : options) {
      if (auto set = host::set_network_option(name, value); !set) {
        // A host without IPv6 has nothing to switch off.
        if (!on && set.error().kind == ErrorKind::not_found) continue;
        return set;
      }
    }
  }
  return {};
}

// What the namespace should have, collected and then compared with what it has.
class Wanted {
  struct Neighbour {
    int link;
    Ipv6Address address;
    std::string mac;
  };

 public:
  void address(int link, const Ipv6Address& address) { addresses_.insert({link, address}); }

  void route(Route6 route) { routes_[{route.table, format_ipv6_block(route.destination)}] = route; }
  void lead_to(int link, const Ipv6Address& address, const std::string& mac) {
    Route6 to;
    to.destination = {address, 128};
    to.link = link;
    route(to);
    neighbours_.push_back({link, address, mac});
  }
  void table(std::uint32_t number) { tables_.insert(number); }

  Result<void> apply(RouteSocket& netlink) {
    auto present = netlink.addresses<Ipv6>();
    if (!present) return fail(present.error());
    for (const auto& one : *present) addresses_.erase({one.link, one.address});
    for (const auto& [link, address] : addresses_) netlink.add_address(link, address, 64);
    if (auto routed = apply_routes(netlink); !routed) return routed;
    // Also if the route was there: setting a link's own hardware address, even to the same value, makes the kernel forget them.
    for (const auto& one : neighbours_) netlink.put_neighbour(one.link, one.address, one.mac);
    if (auto ruled = netlink.set_mark_rules<Ipv6>(mark_preference, std::move(tables_)); !ruled) return ruled;
    return netlink.commit();
  }

 private:
  Result<void> apply_routes(RouteSocket& netlink) {
    auto known = netlink.routes<Ipv6>();
    if (!known) return fail(known.error());
    for (const auto& route : *known) {
      if (route.protocol != route_protocol) continue;
      const auto at = routes_.find({route.table, format_ipv6_block(route.destination)});
      if (at != routes_.end() && at->second.type == route.type && at->second.link == route.link && at->second.gateway == route.gateway)
        routes_.erase(at);
      else
        netlink.remove_route(route);
    }
    for (const auto& [place, route] : routes_) netlink.put_route(route);
    return {};
  }

  std::set<std::pair<int, Ipv6Address>> addresses_;
  std::map<std::pair<std::uint32_t, std::string>, Route6> routes_;
  std::vector<Neighbour> neighbours_;
  std::set<std::uint32_t> tables_;
};

// The metric is the kernel's own choice, so that a route is found again as it was made.
Route6 leading_nowhere6(const Ipv6Block& range, std::uint8_t type, std::uint32_t table = 0) {
  Route6 route;
  route.destination = range;
  route.type = type;
  route.table = table;
  return route;
}

Route6 kernel_route(const Model& model, const RouteSpec& spec, int uplink, std::uint32_t table) {
  using Target = RouteSpec::Target;
  auto route = leading_nowhere6(*parse_ipv6_block(spec.cidr), RTN_BLACKHOLE, table);
  if (spec.target == Target::internet || spec.target == Target::egress_only) {
    route.type = RTN_UNICAST;
    route.link = uplink;
    route.gateway = *parse_ipv6(host_end6);
  }
  const auto target = spec.target == Target::interface ? model.interfaces.find(spec.id) : model.interfaces.end();
  if (target == model.interfaces.end() || target->second.ipv6.empty()) return route;
  const auto link = index_of_tap(tap_name(spec.id));
  if (link == 0) return route;
  route.type = RTN_UNICAST;
  route.link = link;
  route.gateway = *parse_ipv6(target->second.ipv6.front());
  return route;
}

void want_tables(const Model& model, int uplink, Wanted& wanted) {
  const auto begin = [&](const std::string& id) {
    const auto number = table_number(id);
    wanted.table(number);
    wanted.route(leading_nowhere6({{}, 0}, RTN_BLACKHOLE, number));
    // The VPC itself: the main table knows where its addresses are.
    for (const auto& range : ranges_of<Ipv6>(model.vpc)) wanted.route(leading_nowhere6(range, RTN_THROW, number));
    return number;
  };
  begin("");
  for (const auto& table : model.vpc.route_tables) {
    const auto number = begin(table.id);
    for (const auto& route : table.routes6) wanted.route(kernel_route(model, route, uplink, number));
  }
}

void want_interfaces(const Model& model, Wanted& wanted) {
  for (const auto& [id, interface] : model.interfaces) {
    const auto* subnet = subnet_of(model.vpc, interface);
    const auto range = subnet == nullptr ? std::nullopt : parse_ipv6_block(subnet->cidr6);
    const auto link = index_of_tap(tap_name(id));
    if (!range || link == 0) continue;
    wanted.address(link, router_address6(*range));
    for (const auto& address : addresses_in<Ipv6>(interface)) wanted.lead_to(link, address, interface.mac);
  }
}

}  // namespace

Result<void> VpcNetwork::apply_ipv6() const {
  if (auto set = switch_options(has_ipv6(model_->vpc)); !set) return set;
  if (!has_ipv6(model_->vpc)) return {};
  auto netlink = RouteSocket::open();
  if (!netlink) return fail(netlink.error());
  const auto uplink = static_cast<int>(::if_nametoindex(std::string(uplink_name).c_str()));
  Wanted wanted;
  wanted.address(uplink, *parse_ipv6(vpc_end6));
  for (const auto& range : ranges_of<Ipv6>(model_->vpc)) wanted.route(leading_nowhere6(range, RTN_BLACKHOLE));
  want_tables(*model_, uplink, wanted);
  want_interfaces(*model_, wanted);
  return wanted.apply(*netlink);
}

Result<void> VpcNetwork::end_connections6() const {
  if (!has_ipv6(model_->vpc)) return {};
  const auto ended = end_forbidden_connections(FlowRules6(*model_));
  if (!ended) return fail(ended.error());
  if (*ended > 0) log::info("network", "IPv6 connections ended because no rule allows them any more vpc={} count={}", id_, *ended);
  return {};
}

}  // namespace brume::network
