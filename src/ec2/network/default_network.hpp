// What every account and every VPC begins with: the default VPC, its subnets, tables and gateway.
#pragma once

#include <cstdint>
#include <string>

#include "service/services.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// Makes what EC2 gives a new account: a VPC 172.31.0.0/16 with a /20 subnet in each zone, an internet gateway with a route in its main
// route table, the group and the network ACL "default".
state::Vpc make_default_network(state::Transaction& transaction, const std::string& account, const service::Settings& settings);
// Makes a default subnet, of which such a VPC has one per zone: instances launched there get a public address. The caller chooses the
// range.
state::Subnet make_default_subnet(state::Transaction& transaction, const state::Vpc& vpc, const std::string& zone, std::uint32_t base);
inline constexpr int default_subnet_prefix = 20;

// Makes what it gives an account of the platform "classic" instead: a place in EC2-Classic, and a group "default" there.
void make_classic_place(state::Transaction& transaction, const std::string& account);
// The right one of the two for the account.
void make_first_network(state::Transaction& transaction, const std::string& account, const service::Settings& settings);

// Makes what every VPC begins with: a main route table (for the VPC itself only), a network ACL that allows everything, the group
// "default".
void make_vpc_parts(state::Transaction& transaction, const state::Vpc& vpc);
// The DHCP option set that the account's VPCs begin with: EC2's own domain and name server. Made if there is none like it.
std::string default_dhcp_options(state::Transaction& transaction, const std::string& account, const service::Settings& settings);
// For states from an older version: gives VPCs without these parts them, and the route to the internet that they had.
void complete_networks(state::Transaction& transaction, const service::Settings& settings);

// nullptr: no VPC has these ids, or it is not complete yet.
const state::RouteTable* main_route_table(const state::World& world, const std::string& vpc_id);
const state::NetworkAcl* default_acl(const state::World& world, const std::string& vpc_id);
// Every subnet is in one network ACL; a new one in the VPC's default.
void join_default_acl(state::Transaction& transaction, const state::Subnet& subnet);

// Throws Gateway.NotAttached.
void require_internet_gateway(const state::World& world, const std::string& vpc_id);

}  // namespace brume::ec2
