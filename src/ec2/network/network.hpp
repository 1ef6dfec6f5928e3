// The default VPC that every account has, and the private and public addresses of instances.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ipv4.hpp"
#include "service/services.hpp"
#include "state/store.hpp"
#include "wire/api_error.hpp"

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

// A free private address of the subnet: the lowest after the last one handed out, so that a released one rests before it is reused. EC2
// reserves the first four and the last of each subnet. Throws InsufficientFreeAddressesInSubnet.
std::string take_private_address(state::Transaction& transaction, const state::Subnet& subnet);
// Throws InvalidIPAddress.InUse, InvalidParameterValue (not in the subnet, or reserved by EC2).
void check_private_address(const state::World& world, const state::Subnet& subnet, const std::string& address);
// How many addresses of the subnet are free, up to `most`, where the search ends.
std::int64_t free_addresses(const state::World& world, const state::Subnet& subnet, std::int64_t most);
wire::ApiError too_few_addresses(const state::Subnet& subnet);
// The same for the installation's pool.
std::int64_t free_public_addresses(const state::World& world, std::int64_t most);
wire::ApiError too_few_public_addresses(const state::World& world);
// The installation's ranges of public addresses.
std::vector<Ipv4Block> public_ranges(const state::World& world);
// A free address of the installation's pool. Throws InsufficientAddressCapacity if there is none.
std::string take_public_address(state::Transaction& transaction);

// nullptr: no VPC has these ids, or it is not complete yet.
const state::RouteTable* main_route_table(const state::World& world, const std::string& vpc_id);
const state::NetworkAcl* default_acl(const state::World& world, const std::string& vpc_id);
// Every subnet is in one network ACL; a new one in the VPC's default.
void join_default_acl(state::Transaction& transaction, const state::Subnet& subnet);

// Throws Gateway.NotAttached.
void require_internet_gateway(const state::World& world, const std::string& vpc_id);

// How far take_private_address has come in the subnet since it last began at its start.
std::uint64_t addresses_handed_out(const state::World& world, const state::Subnet& subnet);
// Quick while many are free; count_free_addresses examines every interface of the account.
bool has_free_addresses(const state::World& world, const state::Subnet& subnet, std::int64_t count);
std::int64_t count_free_addresses(const state::World& world, const state::Subnet& subnet);

// "ip-172-31-0-5.ec2.internal"; empty for an empty address.
std::string private_dns_name(const service::Settings& settings, const std::string& address);
// "ec2-198-18-0-5.compute-1.amazonaws.com"; empty for an empty address, and if the VPC gives its instances no public names
// (enableDnsHostnames).
std::string public_dns_name(const state::World& world, const service::Settings& settings, const std::string& vpc_id,
                            const std::string& address);

}  // namespace brume::ec2
