// Gateway endpoints as route tables show them.
#pragma once

#include <functional>
#include <string>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// The prefix list that stands for the addresses of an endpoint service ("com.amazonaws.us-east-1.s3"). It is nobody's.
std::string prefix_list_of_service(const std::string& service);

// The endpoints that the table leads to.
void each_endpoint(const state::World& world, const state::RouteTable& table, const std::function<void(const state::VpcEndpoint&)>& visit);

// Before a route table goes: endpoints do not name it any more.
void leave_endpoints(state::Transaction& transaction, const state::RouteTable& table);

}  // namespace brume::ec2
