// Peering connections as routes, rules of groups and VPCs look at them.
#pragma once

#include <string>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// nullptr: none of the account's VPCs takes part in one with this id, or it has ended so long ago that it is no longer shown.
const state::VpcPeering* find_peering(const state::World& world, const std::string& account, const std::string& id, Time now);
// The one that carries packets between the two VPCs; nullptr: none.
const state::VpcPeering* active_peering(const state::World& world, const std::string& vpc_id, const std::string& other_vpc_id);
// "active", "expired"…; "deleted" if nothing is known about it any more.
std::string peering_status(const state::World& world, const std::string& id, Time now);

// Before a VPC is deleted. Throws DependencyViolation if packets may pass or another account waits for an answer; deletes pending requests
// of the VPC's owner.
void end_peerings(state::Transaction& transaction, const state::Vpc& vpc);

// Throws InvalidVpc.Range if a VPC that is peered with this one has addresses of the range.
void check_against_peers(const state::World& world, const state::Vpc& vpc, const std::string& cidr);

}  // namespace brume::ec2
