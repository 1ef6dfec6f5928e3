// Gateway endpoints as route tables show them.
#pragma once

#include <functional>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// The endpoints that the table leads to.
void each_endpoint(const state::World& world, const state::RouteTable& table, const std::function<void(const state::VpcEndpoint&)>& visit);

// Before a route table is deleted: removes it from endpoints.
void leave_endpoints(state::Transaction& transaction, const state::RouteTable& table);

}  // namespace brume::ec2
