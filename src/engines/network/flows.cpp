#include "engines/network/flows.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace brume::network {
namespace {

constexpr std::uint8_t icmp = 1;
constexpr std::uint8_t tcp = 6;
constexpr std::uint8_t udp = 17;
constexpr std::uint32_t metadata = 0xA9FEA9FE;

// -1: all; -2: none that IPv4 has.
int protocol_number(const std::string& protocol) {
  if (protocol == "-1" || protocol == "all") return -1;
  if (protocol == "tcp") return tcp;
  if (protocol == "udp") return udp;
  if (protocol == "icmp") return icmp;
  return static_cast<int>(parse_integer(protocol).value_or(-2));
}

}  // namespace

FlowRules::FlowRules(const Model& model) : model_(model), range_(parse_ipv4_block(model.vpc.cidr).value_or(Ipv4Block{})) {
  for (const auto& [id, interface] : model.interfaces) {
    const auto address = parse_ipv4(interface.private_ip);
    if (!address) continue;
    interfaces_[*address] = &interface;
    if (const auto given = parse_ipv4(interface.public_ip)) public_of_[*address] = *given;
    if (!interface.source_dest_check) forwards_foreign_ = true;
  }
}

const InterfaceSpec* FlowRules::at(std::uint32_t address) const {
  const auto found = interfaces_.find(address);
  return found == interfaces_.end() ? nullptr : found->second;
}

bool FlowRules::is_router(std::uint32_t address) const {
  if (address == metadata || address == range_.base + 2 || address == 0xFFFFFFFF || address == 0) return true;
  return std::any_of(model_.vpc.subnets.begin(), model_.vpc.subnets.end(), [&](const std::string& subnet) {
    const auto range = parse_ipv4_block(subnet);
    return range && range->base + 1 == address;
  });
}

bool FlowRules::allow(const Flow& flow) const {
  const auto sender_address = flow.source;
  const auto receiver_address = flow.reply_source;
  const auto* sender = at(sender_address);
  const auto* receiver = at(receiver_address);
  if (is_router(receiver_address) || is_router(sender_address)) return (range_.contains(sender_address) ? sender != nullptr || is_router(sender_address) : true);
  // Translated: only as the interfaces have their public addresses now.
  if (flow.reply_destination != sender_address && sender != nullptr) {
    const auto given = public_of_.find(sender_address);
    if (given == public_of_.end() || given->second != flow.reply_destination) return false;
  }
  if (flow.destination != receiver_address) {
    const auto given = public_of_.find(receiver_address);
    if (given == public_of_.end() || given->second != flow.destination) return false;
  }
  if (sender != nullptr && !permitted(*sender, false, flow.destination, flow)) return false;
  if (receiver != nullptr && !permitted(*receiver, true, flow.reply_destination, flow)) return false;
  // An address of this VPC that nobody has any more.
  if (sender == nullptr && range_.contains(sender_address) && !forwards_foreign_) return false;
  if (receiver == nullptr && range_.contains(receiver_address)) return false;
  return true;
}

bool FlowRules::permitted(const InterfaceSpec& interface, bool ingress, std::uint32_t peer, const Flow& flow) const {
  return std::any_of(interface.group_ids.begin(), interface.group_ids.end(), [&](const std::string& id) {
    const auto group = model_.groups.find(id);
    if (group == model_.groups.end()) return false;
    const auto& permissions = ingress ? group->second.ingress : group->second.egress;
    return std::any_of(permissions.begin(), permissions.end(), [&](const Permission& permission) { return matches(permission, peer, flow); });
  });
}

bool FlowRules::matches(const Permission& permission, std::uint32_t peer, const Flow& flow) const {
  const int protocol = protocol_number(permission.protocol);
  if (protocol != -1 && protocol != flow.protocol) return false;
  if (permission.from_port >= 0 && (protocol == tcp || protocol == udp)) {
    if (flow.destination_port < permission.from_port || flow.destination_port > permission.to_port) return false;
  }
  if (permission.from_port >= 0 && protocol == icmp) {
    if (flow.icmp_type != permission.from_port) return false;
    if (permission.to_port >= 0 && flow.icmp_code != permission.to_port) return false;
  }
  if (!permission.group_id.empty()) {
    const auto* member = at(peer);
    return member != nullptr && std::find(member->group_ids.begin(), member->group_ids.end(), permission.group_id) != member->group_ids.end();
  }
  const auto range = parse_ipv4_block(permission.cidr);
  return range && range->contains(peer);
}

}  // namespace brume::network
