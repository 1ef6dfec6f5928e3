// What VPN connections mean to route tables.
#pragma once

#include <string>
#include <vector>

#include "state/store.hpp"

namespace brume::domain {

struct PropagatedRoute {
  std::string cidr;
  std::string gateway_id;  // "vgw-…"
};
// The routes that a table gets from the virtual private gateways that propagate theirs to it, each range once.
std::vector<PropagatedRoute> propagated_routes(const state::World& world, const state::RouteTable& table);

}  // namespace brume::domain
