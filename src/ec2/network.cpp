#include "ec2/network.hpp"

#include <fmt/format.h>

#include "base/ipv4.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {
namespace {

constexpr std::uint64_t kept_low = 4;   // network, router, DNS, future use
constexpr std::uint64_t kept_high = 1;  // broadcast

std::string dashed(const std::string& address) {
  std::string text = address;
  for (auto& c : text)
    if (c == '.') c = '-';
  return text;
}

// Where the search for a free address goes on, so that it does not begin at the start of a full range every time.
std::uint64_t cursor(const state::World& world, const std::string& name) {
  const auto* setting = world.find<state::Setting>(name);
  return setting == nullptr ? 0 : std::stoull(setting->value);
}

bool is_private_address_used(const state::World& world, const std::string& vpc_id, const std::string& address) {
  return world.find_indexed<state::NetworkInterface>(state::Index::interface_by_private_ip, vpc_id + "/" + address) != nullptr;
}

}  // namespace

void make_default_network(state::Transaction& transaction, const std::string& account, const service::Settings& settings) {
  state::Vpc vpc;
  vpc.account = account;
  vpc.id = make_id(transaction.random(), "vpc");
  vpc.cidr = "172.31.0.0/16";
  vpc.is_default = true;
  std::uint32_t base = *parse_ipv4("172.31.0.0");
  for (const auto& zone : state::zones_of(transaction.world(), account, settings.zones)) {
    state::Subnet subnet;
    subnet.account = account;
    subnet.id = make_id(transaction.random(), "subnet");
    subnet.vpc_id = vpc.id;
    subnet.cidr = format_ipv4_block({base, 20});
    subnet.zone = zone.name;
    subnet.is_default = true;
    subnet.gives_public_address = true;
    base += 1U << 12;
    transaction.put(std::move(subnet));
  }
  state::SecurityGroup group;
  group.account = account;
  group.id = make_id(transaction.random(), "sg");
  group.name = "default";
  group.description = "default VPC security group";
  group.vpc_id = vpc.id;
  state::SecurityRule from_members;
  from_members.id = make_id(transaction.random(), "sgr");
  from_members.protocol = "-1";
  from_members.group_account = account;
  from_members.group_id = group.id;
  group.ingress.push_back(from_members);
  state::SecurityRule to_all;
  to_all.id = make_id(transaction.random(), "sgr");
  to_all.protocol = "-1";
  to_all.cidr = "0.0.0.0/0";
  group.egress.push_back(to_all);
  transaction.put(std::move(group));
  transaction.put(std::move(vpc));
}

std::uint64_t addresses_handed_out(const state::World& world, const state::Subnet& subnet) {
  return cursor(world, "private-address-cursor/" + subnet.id);
}

bool has_free_addresses(const state::World& world, const state::Subnet& subnet, std::int64_t count) {
  const auto block = *parse_ipv4_block(subnet.cidr);
  const auto usable = block.size() - kept_low - kept_high;
  const auto start = addresses_handed_out(world, subnet);
  for (std::uint64_t i = 0; i < usable && count > 0; ++i) {
    const auto address = format_ipv4(block.base + static_cast<std::uint32_t>(kept_low + (start + i) % usable));
    if (!is_private_address_used(world, subnet.vpc_id, address)) --count;
  }
  return count <= 0;
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
  throw wire::ApiError(
      400, "InsufficientFreeAddressesInSubnet",
      fmt::format("There are not enough free addresses in subnet '{}' to satisfy the requested number of instances.", subnet.id));
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

std::string take_public_address(state::Transaction& transaction) {
  const auto* pool = transaction.find<state::Setting>("public-pool");
  const auto block = pool == nullptr ? std::nullopt : parse_ipv4_block(pool->value);
  if (block && block->size() > 2) {
    const auto usable = block->size() - 2;  // without the first and the last, which some systems treat as broadcast
    const auto start = cursor(transaction.world(), "public-address-cursor");
    for (std::uint64_t i = 0; i < usable; ++i) {
      const auto offset = (start + i) % usable;
      auto address = format_ipv4(block->base + 1 + static_cast<std::uint32_t>(offset));
      if (transaction.world().find_indexed<state::NetworkInterface>(state::Index::interface_by_public_ip, address) != nullptr) continue;
      transaction.put(state::Setting{"public-address-cursor", std::to_string(offset + 1)});
      return address;
    }
  }
  throw wire::ApiError(400, "InsufficientAddressCapacity",
                       fmt::format("Not enough available addresses in the public pool {} to satisfy the request. "
                                   "Terminate or stop instances, or give brumed a larger --public-pool.",
                                   pool == nullptr ? "(none)" : pool->value));
}

std::int64_t count_free_addresses(const state::World& world, const state::Subnet& subnet) {
  std::int64_t used = 0;
  world.each_of<state::NetworkInterface>(subnet.account,
                                         [&](const state::NetworkInterface& interface) { used += interface.subnet_id == subnet.id; });
  return static_cast<std::int64_t>(parse_ipv4_block(subnet.cidr)->size() - kept_low - kept_high) - used;
}

std::string private_dns_name(const service::Settings& settings, const std::string& address) {
  return address.empty() ? std::string() : "ip-" + dashed(address) + "." + settings.private_domain;
}

std::string public_dns_name(const service::Settings& settings, const std::string& address) {
  return address.empty() ? std::string() : "ec2-" + dashed(address) + "." + settings.public_domain;
}

}  // namespace brume::ec2
