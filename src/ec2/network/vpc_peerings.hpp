// Peering connections as routes, rules of groups and VPCs look at them.
#pragma once

#include <string>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// nullptr: none with this id that one of the account's VPCs has part in, or it is over so long that nobody is told of it any more.
const state::VpcPeering* find_peering(const state::World& world, const std::string& account, const std::string& id, Time now);
// The one that packets pass between the two VPCs; nullptr: none.
const state::VpcPeering* active_peering(const state::World& world, const std::string& vpc_id, const std::string& other_vpc_id);
// "active", "expired"…; "deleted" when nothing is known of it any more.
std::string peering_status(const state::World& world, const std::string& id, Time now);

// Before a VPC goes. Throws DependencyViolation when packets may pass or another account waits for an answer; what the VPC's owner asked
// for and nobody accepted yet is deleted.
void end_peerings(state::Transaction& transaction, const state::Vpc& vpc);

// Throws InvalidVpc.Range when a VPC that is peered with this one has addresses of the range.
void check_against_peers(const state::World& world, const state::Vpc& vpc, const std::string& cidr);

}  // namespace brume::ec2
