// What VPN connections mean to route tables.
#pragma once

#include <string>
#include <vector>

#include "state/store.hpp"

namespace brume::state {

struct PropagatedRoute {
  std::string cidr;
  std::string gateway_id;  // "vgw-…"
};
// The routes that a table has from the virtual private gateways that propagate theirs to it, each range once.
std::vector<PropagatedRoute> propagated_routes(const World& world, const RouteTable& table);

}  // namespace brume::state
