#include "engines/network/flows6.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "engines/network/model6.hpp"

namespace brume::network {
namespace {

constexpr int tcp = 6;
constexpr int udp = 17;
constexpr int icmpv6 = 58;

// -1: all; -2: none that IPv6 has.
int protocol_number(const std::string& protocol) {
  if (protocol == "-1" || protocol == "all") return -1;
  if (protocol == "tcp") return tcp;
  if (protocol == "udp") return udp;
  if (protocol == "icmpv6") return icmpv6;
  return static_cast<int>(parse_integer(protocol).value_or(-2));
}

// What stays on a link is between the guest and the router.
bool is_of_link(const Ipv6Address& address) {
  return address == Ipv6Address{} || address.bytes[0] == 0xFF || (address.bytes[0] == 0xFE && (address.bytes[1] & 0xC0) == 0x80);
}

}  // namespace

FlowRules6::FlowRules6(const Model& model) : vpc_(model.vpc), ranges_(ranges6_of(model.vpc)) {
  for (const auto& [id, group] : model.groups) groups_[id] = {prepare(group.ingress), prepare(group.egress)};
  for (const auto& [id, interface] : model.interfaces) {
    for (const auto& address : addresses6_of(interface)) interfaces_[address] = &interface;
    if (!interface.source_dest_check) forwards_foreign_ = true;
  }
}

std::vector<FlowRules6::Rule> FlowRules6::prepare(const std::vector<Permission>& permissions) {
  std::vector<Rule> rules;
  for (const auto& permission : permissions)
    rules.push_back({protocol_number(permission.protocol), permission.from_port, permission.to_port, parse_ipv6_block(permission.cidr),
                     permission.group_id});
  return rules;
}

const InterfaceSpec* FlowRules6::at(const Ipv6Address& address) const {
  const auto found = interfaces_.find(address);
  return found == interfaces_.end() ? nullptr : found->second;
}

bool FlowRules6::in_vpc(const Ipv6Address& address) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Ipv6Block& range) { return range.contains(address); });
}

bool FlowRules6::has_way(const InterfaceSpec& interface, const Ipv6Address& address, bool began_here) const {
  const auto* table = route_table_of(vpc_, interface);
  const auto* route = table == nullptr ? nullptr : route6_to(*table, address);
  if (route == nullptr) return false;
  using Target = RouteSpec::Target;
  return route->target == Target::internet || route->target == Target::interface || (began_here && route->target == Target::egress_only);
}

bool FlowRules6::allow(const Flow6& flow) const {
  if (is_of_link(flow.source) || is_of_link(flow.destination)) return true;
  const auto* sender = at(flow.source);
  const auto* receiver = at(flow.destination);
  if (sender != nullptr && !permitted(*sender, false, flow.destination, flow)) return false;
  if (receiver != nullptr && !permitted(*receiver, true, flow.source, flow)) return false;
  if (sender != nullptr && !in_vpc(flow.destination) && !has_way(*sender, flow.destination, true)) return false;
  if (receiver != nullptr && !in_vpc(flow.source) && !has_way(*receiver, flow.source, false) && !forwards_foreign_) return false;
  // An address of this VPC that nobody has any more.
  if (sender == nullptr && in_vpc(flow.source) && !forwards_foreign_) return false;
  return receiver != nullptr || !in_vpc(flow.destination) || forwards_foreign_;
}

bool FlowRules6::permitted(const InterfaceSpec& interface, bool ingress, const Ipv6Address& peer, const Flow6& flow) const {
  return std::any_of(interface.group_ids.begin(), interface.group_ids.end(), [&](const std::string& id) {
    const auto group = groups_.find(id);
    if (group == groups_.end()) return false;
    const auto& rules = ingress ? group->second.ingress : group->second.egress;
    return std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) { return matches(rule, peer, flow); });
  });
}

bool FlowRules6::matches(const Rule& rule, const Ipv6Address& peer, const Flow6& flow) const {
  if (rule.protocol != -1 && rule.protocol != flow.protocol) return false;
  if (rule.from >= 0 && (rule.protocol == tcp || rule.protocol == udp) &&
      (flow.destination_port < rule.from || flow.destination_port > rule.to))
    return false;
  if (rule.from >= 0 && rule.protocol == icmpv6 && (flow.icmp_type != rule.from || (rule.to >= 0 && flow.icmp_code != rule.to)))
    return false;
  if (rule.group.empty()) return rule.peers && rule.peers->contains(peer);
  const auto* member = at(peer);
  return member != nullptr && std::find(member->group_ids.begin(), member->group_ids.end(), rule.group) != member->group_ids.end();
}

}  // namespace brume::network
