// AssignPrivateIpAddresses, UnassignPrivateIpAddresses: the further private addresses of an interface.
#include <fmt/format.h>

#include <algorithm>

#include "domain/elastic_ips.hpp"
#include "ec2/common/free_addresses.hpp"
#include "ec2/interfaces/network_interfaces.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::NetworkInterface;

auto find_secondary(NetworkInterface& interface, const std::string& address) {
  return std::find_if(interface.secondary.begin(), interface.secondary.end(), [&](const auto& one) { return one.private_ip == address; });
}

// Takes the address away from the interface of the same subnet that has it as a secondary one, with the Elastic IP mapped to it.
state::SecondaryAddress take_from_other(state::Transaction& transaction, const NetworkInterface& to, const std::string& address) {
  state::SecondaryAddress moved{address, ""};
  const auto* found =
      transaction.world().find_indexed<NetworkInterface>(state::Index::interface_by_private_ip, state::owned_key(to.vpc_id, address));
  if (found == nullptr || found->account != to.account) return moved;
  auto from = *found;
  const auto at = find_secondary(from, address);
  if (at == from.secondary.end())
    throw wire::invalid_parameter_value(fmt::format("{} is the primary private IP address of {}", address, from.id));
  if (from.id == to.id) throw wire::invalid_parameter_value(fmt::format("{} is assigned to {} already", address, to.id));
  moved = *at;
  from.secondary.erase(at);
  transaction.put(std::move(from));
  if (const auto* elastic = domain::find_elastic_ip(transaction.world(), moved.public_ip)) {
    auto following = *elastic;
    following.interface_id = to.id;
    transaction.put(std::move(following));
  }
  return moved;
}

// Well-formed or not, there are none.
[[noreturn]] void refuse_ipv4_prefixes(const std::vector<std::string>& prefixes, const std::optional<std::int64_t>& count) {
  if (!prefixes.empty() && count) throw wire::invalid_parameter_combination("Specify prefixes or their number, but not both.");
  if (count && *count < 1) throw wire::invalid_parameter_value("Ipv4PrefixCount must be positive");
  for (const auto& prefix : prefixes)
    if (const auto block = parse_ipv4_block(prefix); !block || block->prefix != 28)
      throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter Ipv4Prefix is invalid. A prefix is a /28.", prefix));
  throw wire::unsupported_operation("Prefixes of addresses are not supported.");
}

wire::ec2::AssignPrivateIpAddressesResponse assign_private(state::Transaction& transaction, const Context& context,
                                                           const wire::ec2::AssignPrivateIpAddressesRequest& request) {
  auto interface = find_own_interface(transaction.world(), context.account(), request.network_interface_id);
  const auto count = request.secondary_private_ip_address_count.value_or(0);
  if (!request.ipv4_prefixes.empty() || request.ipv4_prefix_count) refuse_ipv4_prefixes(request.ipv4_prefixes, request.ipv4_prefix_count);
  if (request.private_ip_addresses.empty() == (count == 0)) {
    if (count == 0) throw wire::missing_parameter("SecondaryPrivateIpAddressCount or PrivateIpAddress");
    throw wire::invalid_parameter_combination("Specify private IP addresses or their number, but not both.");
  }
  if (count < 0) throw wire::invalid_parameter_value("SecondaryPrivateIpAddressCount must not be negative");
  const auto* instance = transaction.find<state::Instance>(interface.account, interface.instance_id);
  check_address_count(instance == nullptr ? "" : instance->type,
                      1 + interface.secondary.size() + request.private_ip_addresses.size() + static_cast<size_t>(count));
  const auto subnet = *transaction.find<state::Subnet>(interface.account, interface.subnet_id);
  wire::ec2::AssignPrivateIpAddressesResponse response;
  response.network_interface_id = interface.id;
  const auto add = [&](state::SecondaryAddress address) {
    response.assigned_private_ip_addresses.emplace_back().private_ip_address = address.private_ip;
    interface.secondary.push_back(std::move(address));
    transaction.put(interface);
  };
  for (const auto& address : request.private_ip_addresses) {
    state::SecondaryAddress one{address, ""};
    if (request.allow_reassignment.value_or(false)) one = take_from_other(transaction, interface, address);
    check_private_address(transaction.world(), subnet, address);
    add(std::move(one));
  }
  for (std::int64_t i = 0; i < count; ++i) add({take_private_address(transaction, subnet), ""});
  return response;
}

wire::ec2::UnassignPrivateIpAddressesResponse unassign_private(state::Transaction& transaction, const Context& context,
                                                               const wire::ec2::UnassignPrivateIpAddressesRequest& request) {
  auto interface = find_own_interface(transaction.world(), context.account(), request.network_interface_id);
  if (!request.ipv4_prefixes.empty()) refuse_ipv4_prefixes(request.ipv4_prefixes, std::nullopt);
  if (request.private_ip_addresses.empty()) throw wire::missing_parameter("PrivateIpAddress");
  for (const auto& address : request.private_ip_addresses)
    if (find_secondary(interface, address) == interface.secondary.end())
      throw wire::invalid_parameter_value(fmt::format("Some of [{}] are not secondary addresses of interface {}",
                                                      fmt::join(request.private_ip_addresses, ", "), interface.id));
  for (const auto& address : request.private_ip_addresses) {
    const auto at = find_secondary(interface, address);
    if (at == interface.secondary.end()) continue;  // named twice
    if (const auto* elastic = domain::find_elastic_ip(transaction.world(), at->public_ip)) domain::disassociate(transaction, *elastic);
    interface.secondary.erase(at);
  }
  transaction.put(std::move(interface));
  return {};
}

}  // namespace

std::vector<service::Action> private_address_actions() {
  return {
      service::write_action("AssignPrivateIpAddresses", assign_private),
      service::write_action("UnassignPrivateIpAddresses", unassign_private),
  };
}

}  // namespace brume::ec2
