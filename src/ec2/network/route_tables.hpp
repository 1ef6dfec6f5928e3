// Route tables as the actions on their routes see them.
#pragma once

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// The account's own. Throws MissingParameter, InvalidRouteTableId.Malformed, InvalidRouteTableID.NotFound.
const state::RouteTable& find_route_table(const state::World& world, const std::string& account, const std::optional<std::string>& id);
// False: its target is gone, is no longer attached to the VPC, or does not run ("blackhole").
bool is_active(const state::World& world, const state::RouteTable& table, const state::RouteEntry& route);

// CreateRoute, ReplaceRoute, DeleteRoute; part of route_table_actions().
std::vector<service::Action> route_actions();

}  // namespace brume::ec2
