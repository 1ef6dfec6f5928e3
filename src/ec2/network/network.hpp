// The default VPC that every account has, and the addresses in it and in front of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ipv4.hpp"
#include "service/services.hpp"
#include "state/store.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {

// What EC2 gives a new account: a VPC 172.31.0.0/16 with a /20 subnet in each zone, an internet gateway to which its main route table
// leads, the group and the network ACL "default".
state::Vpc make_default_network(state::Transaction& transaction, const std::string& account, const service::Settings& settings);
// A default subnet as such a VPC has one a zone: instances launched there get a public address. The ranges are the caller's care.
state::Subnet make_default_subnet(state::Transaction& transaction, const state::Vpc& vpc, const std::string& zone, std::uint32_t base);
inline constexpr int default_subnet_prefix = 20;

// What it gives one of the platform "classic" instead: a place in EC2-Classic, and a group "default" there.
void make_classic_place(state::Transaction& transaction, const std::string& account);
// Of the two, the one that is right for the account.
void make_first_network(state::Transaction& transaction, const std::string& account, const service::Settings& settings);

// What every VPC has from the first: a main route table (for the VPC itself only), a network ACL that lets everything pass, the group
// "default".
void make_vpc_parts(state::Transaction& transaction, const state::Vpc& vpc);
// The DHCP option set that the account's VPCs begin with: EC2's own domain and name server. Made when there is none like it.
std::string default_dhcp_options(state::Transaction& transaction, const std::string& account, const service::Settings& settings);
// For states that an older version wrote: VPCs without these parts get them, and the way to the internet that they had.
void complete_networks(state::Transaction& transaction, const service::Settings& settings);

// A free private address of the subnet: the lowest after the last one given, so that a released one rests before it is used again.
// EC2 keeps the first four and the last of each subnet. Throws InsufficientFreeAddressesInSubnet.
std::string take_private_address(state::Transaction& transaction, const state::Subnet& subnet);
// Throws InvalidIPAddress.InUse, InvalidParameterValue (not in the subnet, or one that EC2 keeps).
void check_private_address(const state::World& world, const state::Subnet& subnet, const std::string& address);
// How many addresses of the subnet are free, as far as `most`: the search ends there.
std::int64_t free_addresses(const state::World& world, const state::Subnet& subnet, std::int64_t most);
wire::ApiError too_few_addresses(const state::Subnet& subnet);
// The same of the installation's pool.
std::int64_t free_public_addresses(const state::World& world, std::int64_t most);
wire::ApiError too_few_public_addresses(const state::World& world);
// The installation's ranges of public addresses.
std::vector<Ipv4Block> public_ranges(const state::World& world);
// A free address of the installation's pool. Throws InsufficientAddressCapacity when there is none.
std::string take_public_address(state::Transaction& transaction);

// nullptr: there is none of these ids, or it has not been completed yet.
const state::RouteTable* main_route_table(const state::World& world, const std::string& vpc_id);
const state::NetworkAcl* default_acl(const state::World& world, const std::string& vpc_id);
// Every subnet is in one network ACL; a new one in the VPC's default.
void join_default_acl(state::Transaction& transaction, const state::Subnet& subnet);

// Throws Gateway.NotAttached.
void require_internet_gateway(const state::World& world, const std::string& vpc_id);

// How far take_private_address has come in the subnet since it last began at its start.
std::uint64_t addresses_handed_out(const state::World& world, const state::Subnet& subnet);
// Quick while there are many; count_free_addresses looks at every interface of the account.
bool has_free_addresses(const state::World& world, const state::Subnet& subnet, std::int64_t count);
std::int64_t count_free_addresses(const state::World& world, const state::Subnet& subnet);

// "ip-172-31-0-5.ec2.internal"; empty for an empty address.
std::string private_dns_name(const service::Settings& settings, const std::string& address);
// "ec2-198-18-0-5.compute-1.amazonaws.com"; empty for an empty address, and where the VPC gives its instances no public names
// (enableDnsHostnames).
std::string public_dns_name(const state::World& world, const service::Settings& settings, const std::string& vpc_id,
                            const std::string& address);

}  // namespace brume::ec2
