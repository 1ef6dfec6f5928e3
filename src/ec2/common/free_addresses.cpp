#include "ec2/common/free_addresses.hpp"

#include <fmt/format.h>

#include <set>

#include "base/text.hpp"
#include "domain/elastic_ips.hpp"

namespace brume::ec2 {
namespace {

constexpr std::uint64_t kept_low = 4;   // network, router, DNS, future use
constexpr std::uint64_t kept_high = 1;  // broadcast

// Where the next search for a free address starts, so that it does not begin at the start of a full range every time.
std::uint64_t cursor(const state::World& world, const std::string& name) {
  const auto* setting = world.find<state::Setting>(name);
  return setting == nullptr ? 0 : std::stoull(setting->value);
}

bool is_private_address_used(const state::World& world, const std::string& vpc_id, const std::string& address) {
  return world.find_indexed<state::NetworkInterface>(state::Index::interface_by_private_ip, vpc_id + "/" + address) != nullptr;
}

}  // namespace

std::uint64_t addresses_handed_out(const state::World& world, const state::Subnet& subnet) {
  return cursor(world, "private-address-cursor/" + subnet.id);
}

std::int64_t free_addresses(const state::World& world, const state::Subnet& subnet, std::int64_t most) {
  const auto block = *parse_ipv4_block(subnet.cidr);
  const auto usable = block.size() - kept_low - kept_high;
  const auto start = addresses_handed_out(world, subnet);
  std::int64_t found = 0;
  for (std::uint64_t i = 0; i < usable && found < most; ++i) {
    const auto address = format_ipv4(block.base + static_cast<std::uint32_t>(kept_low + (start + i) % usable));
    if (!is_private_address_used(world, subnet.vpc_id, address)) ++found;
  }
  return found;
}

bool has_free_addresses(const state::World& world, const state::Subnet& subnet, std::int64_t count) {
  return free_addresses(world, subnet, count) >= count;
}

wire::ApiError too_few_addresses(const state::Subnet& subnet) {
  return {400, "InsufficientFreeAddressesInSubnet",
          fmt::format("There are not enough free addresses in subnet '{}' to satisfy the requested number of instances.", subnet.id)};
}

std::string take_private_address(state::Transaction& transaction, const state::Subnet& subnet) {
  const auto block = *parse_ipv4_block(subnet.cidr);
  const auto usable = block.size() - kept_low - kept_high;
  const std::string name = "private-address-cursor/" + subnet.id;
  const auto start = cursor(transaction.world(), name);
  for (std::uint64_t i = 0; i < usable; ++i) {
    const auto offset = (start + i) % usable;
    auto address = format_ipv4(block.base + static_cast<std::uint32_t>(kept_low + offset));
    if (is_private_address_used(transaction.world(), subnet.vpc_id, address)) continue;
    transaction.put(state::Setting{name, std::to_string(offset + 1)});
    return address;
  }
  throw too_few_addresses(subnet);
}

void check_private_address(const state::World& world, const state::Subnet& subnet, const std::string& address) {
  const auto number = parse_ipv4(address);
  const auto block = *parse_ipv4_block(subnet.cidr);
  if (!number || !block.contains(*number)) throw wire::invalid_parameter_value("Address does not fall within the subnet's address range");
  const auto offset = *number - block.base;
  if (offset < kept_low || offset >= block.size() - kept_high)
    throw wire::invalid_parameter_value("Address is in subnet's reserved address range");
  if (is_private_address_used(world, subnet.vpc_id, address))
    throw wire::ApiError(400, "InvalidIPAddress.InUse", fmt::format("Address {} is in use.", address));
}

std::vector<Ipv4Block> public_ranges(const state::World& world) {
  const auto* pool = world.find<state::Setting>("public-pool");
  return pool == nullptr ? std::vector<Ipv4Block>() : parse_ipv4_blocks(pool->value).value_or(std::vector<Ipv4Block>());
}

namespace {

// From a range: without the first and the last address, which some systems treat as broadcast.
std::uint64_t usable_of(const Ipv4Block& range) { return range.size() > 2 ? range.size() - 2 : range.size(); }

std::uint32_t address_of(const Ipv4Block& range, std::uint64_t number) {
  return range.base + static_cast<std::uint32_t>(number + (range.size() > 2 ? 1 : 0));
}

std::set<std::string> kept_public_addresses(const state::World& world) {
  std::set<std::string> kept;
  if (const auto* setting = world.find<state::Setting>("public-pool-kept"))
    for (const auto one : split(setting->value, ',')) kept.emplace(one);
  return kept;
}

bool is_public_address_used(const state::World& world, const std::string& address) {
  if (world.find_indexed<state::NetworkInterface>(state::Index::interface_by_public_ip, address) != nullptr ||
      domain::find_elastic_ip(world, address) != nullptr)
    return true;
  bool used = false;
  world.each<state::VpnConnection>("", [&](const state::VpnConnection& connection) {
    for (const auto& tunnel : connection.tunnels) used |= connection.state != state::VpnState::deleted && tunnel.outside_ip == address;
  });
  return used;
}

// Free addresses of the pool after the last one handed out, until visit(number, address) returns false.
template <class Visit>
void each_free_public_address(const state::World& world, Visit&& visit) {
  const auto ranges = public_ranges(world);
  const auto kept = kept_public_addresses(world);
  std::uint64_t usable = 0;
  for (const auto& range : ranges) usable += usable_of(range);
  const auto start = cursor(world, "public-address-cursor");
  for (std::uint64_t i = 0; i < usable; ++i) {
    const auto number = (start + i) % usable;
    auto rest = number;
    auto range = ranges.begin();
    for (; rest >= usable_of(*range); ++range) rest -= usable_of(*range);
    const auto address = format_ipv4(address_of(*range, rest));
    if (kept.contains(address) || is_public_address_used(world, address)) continue;
    if (!visit(number, address)) return;
  }
}

}  // namespace

std::int64_t free_public_addresses(const state::World& world, std::int64_t most) {
  std::int64_t found = 0;
  each_free_public_address(world, [&](std::uint64_t, const std::string&) { return ++found < most; });
  return found;
}

std::string take_public_address(state::Transaction& transaction) {
  std::string taken;
  each_free_public_address(transaction.world(), [&](std::uint64_t number, const std::string& address) {
    transaction.put(state::Setting{"public-address-cursor", std::to_string(number + 1)});
    taken = address;
    return false;
  });
  if (taken.empty()) throw too_few_public_addresses(transaction.world());
  return taken;
}

wire::ApiError too_few_public_addresses(const state::World& world) {
  const auto* pool = world.find<state::Setting>("public-pool");
  return wire::insufficient_capacity("Address", fmt::format("Not enough available addresses in the public pool {} to satisfy the request. "
                                                            "Terminate or stop instances, or give brumed a larger --public-pool.",
                                                            pool == nullptr ? "(none)" : pool->value));
}

std::int64_t count_free_addresses(const state::World& world, const state::Subnet& subnet) {
  std::int64_t used = 0;
  world.each_of<state::NetworkInterface>(subnet.account, [&](const state::NetworkInterface& interface) {
    if (interface.subnet_id == subnet.id) used += 1 + static_cast<std::int64_t>(interface.secondary.size());
  });
  return static_cast<std::int64_t>(parse_ipv4_block(subnet.cidr)->size() - kept_low - kept_high) - used;
}

}  // namespace brume::ec2
