// EC2-Classic: the one network that all accounts of the platform "classic" share (NET-029 ff.). To the layers below it is a VPC like any
// other, 10.0.0.0/8 with one subnet and a route to the internet. To the API it is not one: its records belong to no account, and its
// instances have no VPC. Their interfaces are records too, which no client sees.
#pragma once

#include <string_view>

#include "state/store.hpp"

namespace brume::domain {

inline constexpr std::string_view classic_network = "vpc-classic";
inline constexpr std::string_view classic_subnet = "subnet-classic";

// Whether instances that the account launches without a subnet go to EC2-Classic.
bool has_classic(const state::World& world, std::string_view account);

inline bool is_classic(const state::NetworkInterface& interface) { return interface.vpc_id == classic_network; }
inline bool is_classic(const state::SecurityGroup& group) { return group.vpc_id == classic_network; }
inline bool is_classic(const state::Instance& instance) { return instance.vpc_id.empty(); }

// nullptr: no account has had the platform yet.
const state::Subnet* find_classic_subnet(const state::World& world);

// Makes the network if there is none yet.
void ensure_classic_network(state::Transaction& transaction);

}  // namespace brume::domain
