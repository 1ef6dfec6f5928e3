// Which private addresses of a subnet and which of the installation's public addresses are free, and the next one to hand out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ipv4.hpp"
#include "state/store.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {

// A free private address of the subnet: the lowest after the last one handed out, so that a released one rests before it is reused. EC2
// reserves the first four and the last of each subnet. Throws InsufficientFreeAddressesInSubnet.
std::string take_private_address(state::Transaction& transaction, const state::Subnet& subnet);
// Throws InvalidIPAddress.InUse, InvalidParameterValue (not in the subnet, or reserved by EC2).
void check_private_address(const state::World& world, const state::Subnet& subnet, const std::string& address);
// How many addresses of the subnet are free, up to `most`, where the search ends.
std::int64_t free_addresses(const state::World& world, const state::Subnet& subnet, std::int64_t most);
// Quick while many are free; count_free_addresses examines every interface of the account.
bool has_free_addresses(const state::World& world, const state::Subnet& subnet, std::int64_t count);
std::int64_t count_free_addresses(const state::World& world, const state::Subnet& subnet);
// How far take_private_address has come in the subnet since it last began at its start.
std::uint64_t addresses_handed_out(const state::World& world, const state::Subnet& subnet);
wire::ApiError too_few_addresses(const state::Subnet& subnet);

// The installation's ranges of public addresses.
std::vector<Ipv4Block> public_ranges(const state::World& world);
// A free address of them. Throws InsufficientAddressCapacity if there is none.
std::string take_public_address(state::Transaction& transaction);
// How many are free, up to `most`, where the search ends.
std::int64_t free_public_addresses(const state::World& world, std::int64_t most);
wire::ApiError too_few_public_addresses(const state::World& world);

}  // namespace brume::ec2
