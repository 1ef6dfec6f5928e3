#include "domain/vpn.hpp"

#include <algorithm>

namespace brume::domain {

std::vector<PropagatedRoute> propagated_routes(const state::World& world, const state::RouteTable& table) {
  std::vector<PropagatedRoute> routes;
  for (const auto& id : table.propagating_gateways) {
    const auto* gateway = world.find<state::VpnGateway>(table.account, id);
    if (gateway == nullptr || gateway->vpc_id != table.vpc_id) continue;
    world.each_indexed<state::VpnConnection>(state::Index::vpn_connection_by_gateway, id, [&](const state::VpnConnection& connection) {
      if (connection.state != state::VpnState::available) return;
      for (const auto& cidr : connection.routes)
        if (std::none_of(routes.begin(), routes.end(), [&](const auto& one) { return one.cidr == cidr; })) routes.push_back({cidr, id});
    });
  }
  return routes;
}

}  // namespace brume::domain
