// The kernel's route tables of one VPC: one for each of its own, selected by marks.
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "engines/network/names/names.hpp"
#include "engines/network/netlink/taps.hpp"
#include "engines/network/nft/nft_rules.hpp"
#include "engines/network/vpc/vpc_network.hpp"

namespace brume::network {
namespace {

constexpr std::uint32_t last_resort_metric = 1000;

Route leading_nowhere(const Ipv4Block& range, std::uint8_t type = RTN_BLACKHOLE, std::uint32_t metric = 0) {
  Route route;
  route.destination = range;
  route.metric = metric;
  route.type = type;
  return route;
}

}  // namespace

bool VpcNetwork::is_route_target(const std::string& interface_id) const {
  for (const auto& table : model_->vpc.route_tables)
    for (const auto& route : table.routes)
      if (route.target == RouteSpec::Target::interface && route.id == interface_id) return true;
  return false;
}

Route VpcNetwork::kernel_route(const RouteSpec& spec, const LinkEnds& ends, int uplink) const {
  using Target = RouteSpec::Target;
  Route route;
  route.destination = *parse_ipv4_block(spec.cidr);
  const auto& nats = model_->vpc.nats;
  const bool by_nat =
      spec.target == Target::nat && std::any_of(nats.begin(), nats.end(), [&](const auto& nat) { return nat.id == spec.id; });
  if (model_->vpc.internet_gateway && (spec.target == Target::internet || by_nat)) {
    route.link = uplink;
    route.gateway = ends.host;
    return route;
  }
  if (spec.target == Target::peering) {
    route.link = static_cast<int>(::if_nametoindex(peering_name(spec.id).c_str()));
    if (route.link == 0) {
      route.type = RTN_BLACKHOLE;
    } else {
      route.gateway = peer_gateway;
      route.on_link = true;
    }
    return route;
  }
  if (spec.target == Target::vpn) {
    route.link = static_cast<int>(::if_nametoindex(std::string(tunnel_link).c_str()));
    if (route.link == 0) route.type = RTN_BLACKHOLE;
    return route;
  }
  const auto target = spec.target == Target::interface ? model_->interfaces.find(spec.id) : model_->interfaces.end();
  if (target != model_->interfaces.end()) route.link = index_of_tap(tap_name(spec.id));
  if (route.link == 0) {
    route.type = RTN_BLACKHOLE;
  } else {
    route.gateway = *parse_ipv4(target->second.private_ip);
    route.on_link = true;
  }
  return route;
}

Result<void> VpcNetwork::apply_routes(const LinkEnds& ends) const {
  auto netlink = RouteSocket::open();
  if (!netlink) return fail(netlink.error());
  const auto uplink = static_cast<int>(::if_nametoindex(std::string(uplink_name).c_str()));
  using Place = std::tuple<std::uint32_t, std::string, std::uint32_t>;
  std::map<Place, Route> wanted;
  std::set<std::uint32_t> tables;
  const auto put = [&](std::uint32_t table, Route route) {
    route.table = table;
    wanted[{table, format_ipv4_block(route.destination), route.metric}] = route;
  };
  const auto begin_table = [&](const std::string& id) {
    const auto table = table_number(id);
    tables.insert(table);
    put(table, leading_nowhere({0, 0}));  // what no route is for
    // The VPC itself: the main table knows where its addresses are.
    for (const auto& range : ranges_of<Ipv4>(model_->vpc)) put(table, leading_nowhere(range, RTN_THROW));
    return table;
  };
  begin_table("");
  for (const auto& spec : model_->vpc.route_tables) {
    const auto table = begin_table(spec.id);
    for (const auto& route : spec.routes) {
      put(table, kernel_route(route, ends, uplink));
      // If the link goes with the other VPC, its packets take no other way.
      if (route.target == RouteSpec::Target::peering)
        put(table, leading_nowhere(*parse_ipv4_block(route.cidr), RTN_BLACKHOLE, last_resort_metric));
    }
  }
  auto present = netlink->routes();
  if (!present) return fail(present.error());
  std::vector<Route> gone;
  for (const auto& route : *present) {
    if (route.table == 0 || route.protocol != route_protocol) continue;
    const auto at = wanted.find({route.table, format_ipv4_block(route.destination), route.metric});
    if (at == wanted.end())
      gone.push_back(route);
    else if (at->second.type == route.type && at->second.link == route.link && at->second.gateway == route.gateway)
      wanted.erase(at);
  }
  for (const auto& [place, route] : wanted) netlink->put_route(route);
  if (auto ruled = netlink->set_mark_rules<Ipv4>(mark_preference, std::move(tables)); !ruled) return ruled;
  for (const auto& route : gone) netlink->remove_route(route);
  return netlink->commit();
}

}  // namespace brume::network
