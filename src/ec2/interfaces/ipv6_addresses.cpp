#include "ec2/interfaces/ipv6_addresses.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/ipv6.hpp"
#include "domain/instance_types.hpp"
#include "ec2/interfaces/network_interfaces.hpp"
#include "wire/ec2/network_interfaces.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::NetworkInterface;
using state::Subnet;
using state::World;

constexpr std::uint64_t kept_low = 4;  // as of IPv4: network, router, DNS, future use

bool is_used(const World& world, const std::string& vpc_id, const std::string& address) {
  return world.find_indexed<NetworkInterface>(state::Index::interface_by_ipv6, state::owned_key(vpc_id, address)) != nullptr;
}

bool is_kept(const Ipv6Block& range, const Ipv6Address& address) {
  for (std::uint64_t i = 0; i < kept_low; ++i)
    if (address == ipv6_host(range, i)) return true;
  return address == ipv6_host(range, ~std::uint64_t{0});
}

Ipv6Block range_of(const Subnet& subnet) {
  const auto range = parse_ipv6_block(subnet.ipv6_cidr);
  if (!range) throw wire::invalid_parameter_value(fmt::format("The subnet '{}' does not have any associated IPv6 CIDR blocks.", subnet.id));
  return *range;
}

// In the form in which it is written from then on.
std::string check_address(const World& world, const Subnet& subnet, const std::string& text) {
  const auto address = parse_ipv6(text);
  if (!address) throw wire::invalid_parameter_value(fmt::format("Invalid IPv6 address: '{}'", text));
  const auto range = range_of(subnet);
  if (!range.contains(*address)) throw wire::invalid_parameter_value("Address does not fall within the subnet's address range");
  if (is_kept(range, *address)) throw wire::invalid_parameter_value("Address is in subnet's reserved address range");
  auto written = format_ipv6(*address);
  if (is_used(world, subnet.vpc_id, written))
    throw wire::ApiError(400, "InvalidIPAddress.InUse", fmt::format("Address {} is in use.", written));
  return written;
}

// Random, so that nobody finds guests by counting.
std::string free_address(state::Transaction& transaction, const Subnet& subnet, const NetworkInterface& interface) {
  const auto range = range_of(subnet);
  for (;;) {
    const auto address = ipv6_host(range, std::stoull(transaction.random().hex(16), nullptr, 16));
    auto text = format_ipv6(address);
    const auto& own = interface.ipv6;
    if (!is_kept(range, address) && !is_used(transaction.world(), subnet.vpc_id, text) &&
        std::find(own.begin(), own.end(), text) == own.end())
      return text;
  }
}

// Well-formed or not, there are none.
[[noreturn]] void refuse_ipv6_prefixes(const std::vector<std::string>& prefixes, const std::optional<std::int64_t>& count) {
  if (!prefixes.empty() && count) throw wire::invalid_parameter_combination("Specify prefixes or their number, but not both.");
  if (count && *count < 1) throw wire::invalid_parameter_value("Ipv6PrefixCount must be positive");
  for (const auto& prefix : prefixes)
    if (const auto block = parse_ipv6_block(prefix); !block || block->prefix != 80)
      throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter Ipv6Prefix is invalid. A prefix is a /80.", prefix));
  throw wire::unsupported_operation("Prefixes of addresses are not supported.");
}

wire::ec2::AssignIpv6AddressesResponse assign_ipv6(state::Transaction& transaction, const Context& context,
                                                   const wire::ec2::AssignIpv6AddressesRequest& request) {
  auto interface = find_own_interface(transaction.world(), context.account(), request.network_interface_id);
  if (!request.ipv6_prefixes.empty() || request.ipv6_prefix_count) refuse_ipv6_prefixes(request.ipv6_prefixes, request.ipv6_prefix_count);
  if (request.ipv6_addresses.empty() && request.ipv6_address_count.value_or(0) == 0)
    throw wire::missing_parameter("Ipv6AddressCount or Ipv6Addresses");
  const auto* instance = transaction.find<state::Instance>(interface.account, interface.instance_id);
  const auto type = instance == nullptr ? std::string() : instance->type;
  const auto subnet = *transaction.find<Subnet>(interface.account, interface.subnet_id);
  const auto plan = plan_ipv6(transaction.world(), subnet, type, request.ipv6_address_count, request.ipv6_addresses);
  check_ipv6_count(type, interface.ipv6.size() + plan.addresses.size() + static_cast<size_t>(plan.count));
  wire::ec2::AssignIpv6AddressesResponse response;
  response.network_interface_id = interface.id;
  response.assigned_ipv6_addresses = give_ipv6_addresses(transaction, subnet, plan, interface);
  transaction.put(std::move(interface));
  return response;
}

wire::ec2::UnassignIpv6AddressesResponse unassign_ipv6(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::UnassignIpv6AddressesRequest& request) {
  auto interface = find_own_interface(transaction.world(), context.account(), request.network_interface_id);
  if (!request.ipv6_prefixes.empty()) refuse_ipv6_prefixes(request.ipv6_prefixes, std::nullopt);
  if (request.ipv6_addresses.empty()) throw wire::missing_parameter("Ipv6Addresses");
  wire::ec2::UnassignIpv6AddressesResponse response;
  response.network_interface_id = interface.id;
  for (const auto& text : request.ipv6_addresses) {
    const auto address = parse_ipv6(text);
    auto written = address ? format_ipv6(*address) : text;
    if (std::erase(interface.ipv6, written) == 0)
      throw wire::invalid_parameter_value(
          fmt::format("Some of [{}] are not assigned to interface {}", fmt::join(request.ipv6_addresses, ", "), interface.id));
    response.unassigned_ipv6_addresses.push_back(std::move(written));
  }
  transaction.put(std::move(interface));
  return response;
}

}  // namespace

std::int64_t ipv6_addresses_per_interface(const std::string& instance_type) {
  const auto* type = domain::find_instance_type(instance_type);
  if (type == nullptr) return static_cast<std::int64_t>(addresses_per_interface);
  return type->current_generation ? type->addresses_per_interface : 0;
}

void check_ipv6_count(const std::string& instance_type, size_t count) {
  const auto most = static_cast<size_t>(ipv6_addresses_per_interface(instance_type));
  if (count <= most) return;
  if (most == 0)
    throw wire::invalid_parameter_combination(fmt::format("The instance type '{}' does not support IPv6 addresses.", instance_type));
  throw wire::ApiError(400, "PrivateIpAddressLimitExceeded",
                       fmt::format("{} IPv6 addresses are more than the {} that a network interface {} may have.", count, most,
                                   instance_type.empty() ? "" : "of an instance of the type " + instance_type));
}

Ipv6Plan plan_ipv6(const World& world, const Subnet& subnet, const std::string& instance_type, const std::optional<std::int64_t>& count,
                   const std::vector<std::string>& addresses) {
  Ipv6Plan plan;
  if (count && !addresses.empty()) throw wire::invalid_parameter_combination("Specify IPv6 addresses or their number, but not both.");
  if (count.value_or(0) < 0) throw wire::invalid_parameter_value("Ipv6AddressCount must not be negative");
  plan.count = count.value_or(addresses.empty() && subnet.gives_ipv6_address ? 1 : 0);
  check_ipv6_count(instance_type, addresses.size() + static_cast<size_t>(plan.count));
  if (plan.count > 0) range_of(subnet);
  for (const auto& text : addresses) {
    auto address = check_address(world, subnet, text);
    if (std::find(plan.addresses.begin(), plan.addresses.end(), address) != plan.addresses.end())
      throw wire::invalid_parameter_value(fmt::format("The address {} is given twice", address));
    plan.addresses.push_back(std::move(address));
  }
  return plan;
}

std::vector<std::string> give_ipv6_addresses(state::Transaction& transaction, const Subnet& subnet, const Ipv6Plan& plan,
                                             NetworkInterface& interface) {
  auto given = plan.addresses;
  interface.ipv6.insert(interface.ipv6.end(), given.begin(), given.end());
  for (std::int64_t i = 0; i < plan.count; ++i) {
    given.push_back(free_address(transaction, subnet, interface));
    interface.ipv6.push_back(given.back());
  }
  return given;
}

std::vector<service::Action> ipv6_address_actions() {
  return {
      service::write_action("AssignIpv6Addresses", assign_ipv6),
      service::write_action("UnassignIpv6Addresses", unassign_ipv6),
  };
}

}  // namespace brume::ec2
