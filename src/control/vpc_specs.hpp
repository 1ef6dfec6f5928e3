// Turns records into what the network engine is told: plain values, looked up in one World.
#pragma once

#include <set>
#include <string>

#include "engines/network/network_engine.hpp"
#include "state/store.hpp"

namespace brume::control {

// How the installation names addresses.
struct Domains {
  std::string internal = "ec2.internal";
  std::string outer = "compute-1.amazonaws.com";
};
network::VpcSpec specify(const state::World& world, const state::Vpc& vpc, const Domains& domains);
network::NamesSpec specify_names(const state::World& world, const std::string& public_domain);
network::GroupSpec specify(const state::World& world, const state::SecurityGroup& group);
// `user`: the user number of the machine.
network::InterfaceSpec specify(const state::World& world, const state::NetworkInterface& interface, unsigned user);

// False: the engine must be told about the change.
bool specifies_the_same(const state::NetworkInterface& before, const state::NetworkInterface& now);
// Whether the change alters the result of specify_names.
bool touches_names(const state::Change& change);
// Ids of the VPCs whose specification the change may alter (interfaces, groups and instances are followed one by one).
std::set<std::string> vpcs_touched_by(const state::World& world, const state::Change& change);
// The VPCs that it is peered with: their rules may name groups with interfaces of this one.
std::set<std::string> peers_of(const state::World& world, const std::string& vpc_id);
// Keys of the security groups whose rules name what changed.
std::set<std::string> groups_touched_by(const state::World& world, const state::Change& change);

}  // namespace brume::control
