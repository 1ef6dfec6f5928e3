#include "engines/network/flows/flows.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace brume::network {
namespace {

constexpr int tcp = 6;
constexpr int udp = 17;
constexpr std::uint32_t metadata = 0xA9FEA9FE;
constexpr std::uint32_t broadcast = 0xFFFFFFFF;

// -1: all; -2: none that the family has.
template <class Family>
int protocol_number(const std::string& protocol) {
  if (protocol == "-1" || protocol == "all") return -1;
  if (protocol == "tcp") return tcp;
  if (protocol == "udp") return udp;
  if (protocol == Family::icmp) return Family::icmp_number;
  return static_cast<int>(parse_integer(protocol).value_or(-2));
}

// Link-local traffic is between the guest and the router.
bool is_of_link(const Ipv6Address& address) {
  return address == Ipv6Address{} || address.bytes[0] == 0xFF || (address.bytes[0] == 0xFE && (address.bytes[1] & 0xC0) == 0x80);
}

}  // namespace

// --- groups ---

template <class Family>
GroupRules<Family>::GroupRules(const Model& model) : ranges_(ranges_of<Family>(model.vpc)) {
  for (const auto& [id, group] : model.groups) groups_[id] = {prepare(group.ingress), prepare(group.egress)};
  for (const auto& group : model.vpc.peer_groups)
    for (const auto& text : group.addresses)
      if (const auto address = Family::parse(text)) peer_groups_[*address].insert(group.id);
  for (const auto& [id, interface] : model.interfaces) {
    for (const auto& address : addresses_in<Family>(interface)) interfaces_[address] = &interface;
    if (!interface.source_dest_check) forwards_foreign_ = true;
  }
}

template <class Family>
auto GroupRules<Family>::prepare(const std::vector<Permission>& permissions) -> std::vector<Rule> {
  std::vector<Rule> rules;
  for (const auto& permission : permissions)
    rules.push_back({protocol_number<Family>(permission.protocol), permission.from_port, permission.to_port,
                     Family::parse_block(permission.cidr), permission.group_id});
  return rules;
}

template <class Family>
const InterfaceSpec* GroupRules<Family>::at(const Address& address) const {
  const auto found = interfaces_.find(address);
  return found == interfaces_.end() ? nullptr : found->second;
}

template <class Family>
bool GroupRules<Family>::in_vpc(const Address& address) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& range) { return range.contains(address); });
}

template <class Family>
bool GroupRules<Family>::permit(const InterfaceSpec& interface, bool ingress, const Address& peer, const FlowOf<Family>& flow) const {
  return std::any_of(interface.group_ids.begin(), interface.group_ids.end(), [&](const std::string& id) {
    const auto group = groups_.find(id);
    if (group == groups_.end()) return false;
    const auto& rules = ingress ? group->second.ingress : group->second.egress;
    return std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) { return matches(rule, peer, flow); });
  });
}

template <class Family>
bool GroupRules<Family>::matches(const Rule& rule, const Address& peer, const FlowOf<Family>& flow) const {
  if (rule.protocol != -1 && rule.protocol != flow.protocol) return false;
  if (rule.from >= 0 && (rule.protocol == tcp || rule.protocol == udp) &&
      (flow.destination_port < rule.from || flow.destination_port > rule.to))
    return false;
  if (rule.from >= 0 && rule.protocol == Family::icmp_number &&
      (flow.icmp_type != rule.from || (rule.to >= 0 && flow.icmp_code != rule.to)))
    return false;
  if (rule.group.empty()) return rule.peers && rule.peers->contains(peer);
  if (const auto far = peer_groups_.find(peer); far != peer_groups_.end() && far->second.contains(rule.group)) return true;
  const auto* member = at(peer);
  return member != nullptr && std::find(member->group_ids.begin(), member->group_ids.end(), rule.group) != member->group_ids.end();
}

template class GroupRules<Ipv4>;
template class GroupRules<Ipv6>;

// --- IPv4 ---

FlowRules::FlowRules(const Model& model, std::vector<Ipv4Block> lost) : vpc_(model.vpc), groups_(model), lost_(std::move(lost)) {
  routers_ = {metadata, broadcast, 0, ranges_of<Ipv4>(model.vpc).front().base + 2};
  for (const auto& subnet : model.vpc.subnets)
    if (const auto range = parse_ipv4_block(subnet.cidr)) routers_.insert(range->base + 1);
  if (!model.vpc.internet_gateway) return;
  for (const auto& [id, interface] : model.interfaces)
    for (const auto& one : addresses_of(interface)) {
      const auto address = parse_ipv4(one.private_ip);
      const auto given = parse_ipv4(one.public_ip);
      if (address && given) public_of_[*address] = *given;
    }
}

bool FlowRules::leaves_by_nat(const InterfaceSpec& sender, const Flow& flow) const {
  const auto* table = route_table_of(vpc_, sender);
  const auto* route = table == nullptr ? nullptr : route_to<Ipv4>(*table, flow.destination);
  return route != nullptr && route->target == RouteSpec::Target::nat &&
         std::any_of(vpc_.nats.begin(), vpc_.nats.end(),
                     [&](const NatSpec& nat) { return nat.id == route->id && parse_ipv4(nat.public_ip) == flow.reply_destination; });
}

// The public addresses that the connection was translated with still belong to its interfaces.
bool FlowRules::translated_as_now(const Flow& flow, const InterfaceSpec* sender) const {
  const auto has = [&](std::uint32_t inner, std::uint32_t outer) {
    const auto given = public_of_.find(inner);
    return given != public_of_.end() && given->second == outer;
  };
  if (flow.reply_destination != flow.source && sender != nullptr && !has(flow.source, flow.reply_destination) &&
      !leaves_by_nat(*sender, flow))
    return false;
  return flow.destination == flow.reply_source || has(flow.reply_source, flow.destination);
}

// A translated connection used the internet gateway. If two peers have the same range, the route at the end in this VPC tells them apart.
bool FlowRules::went_over_lost_peering(const Flow& flow, const InterfaceSpec* sender, const InterfaceSpec* receiver) const {
  if ((sender == nullptr) == (receiver == nullptr)) return false;
  if (flow.reply_destination != flow.source || flow.reply_source != flow.destination) return false;
  const auto far = sender != nullptr ? flow.destination : flow.source;
  if (std::none_of(lost_.begin(), lost_.end(), [&](const Ipv4Block& range) { return range.contains(far); })) return false;
  const auto* table = route_table_of(vpc_, sender != nullptr ? *sender : *receiver);
  const auto* route = table == nullptr ? nullptr : route_to<Ipv4>(*table, far);
  if (route == nullptr) return true;
  if (route->target == RouteSpec::Target::vpn || route->target == RouteSpec::Target::interface) return false;
  return route->target != RouteSpec::Target::peering ||
         std::none_of(vpc_.peerings.begin(), vpc_.peerings.end(), [&](const PeeringSpec& one) { return one.id == route->id; });
}

bool FlowRules::allow(const Flow& flow) const {
  const auto* sender = groups_.at(flow.source);
  const auto* receiver = groups_.at(flow.reply_source);
  // DHCP, DNS, metadata: allowed for every existing interface.
  if (is_router(flow.reply_source) || is_router(flow.source))
    return !groups_.in_vpc(flow.source) || sender != nullptr || is_router(flow.source);
  if (!translated_as_now(flow, sender) || went_over_lost_peering(flow, sender, receiver)) return false;
  if (sender != nullptr && !groups_.permit(*sender, false, flow.destination, flow)) return false;
  if (receiver != nullptr && !groups_.permit(*receiver, true, flow.reply_destination, flow)) return false;
  // An address of this VPC that no interface has any more.
  if (sender == nullptr && groups_.in_vpc(flow.source) && !groups_.forwards_foreign()) return false;
  return receiver != nullptr || !groups_.in_vpc(flow.reply_source);
}

// --- IPv6 ---

bool FlowRules6::has_way(const InterfaceSpec& interface, const Ipv6Address& address, bool began_here) const {
  const auto* table = route_table_of(vpc_, interface);
  const auto* route = table == nullptr ? nullptr : route_to<Ipv6>(*table, address);
  if (route == nullptr) return false;
  using Target = RouteSpec::Target;
  return route->target == Target::internet || route->target == Target::interface || (began_here && route->target == Target::egress_only);
}

bool FlowRules6::allow(const Flow6& flow) const {
  if (is_of_link(flow.source) || is_of_link(flow.destination)) return true;
  const auto* sender = groups_.at(flow.source);
  const auto* receiver = groups_.at(flow.destination);
  if (sender != nullptr && !groups_.permit(*sender, false, flow.destination, flow)) return false;
  if (receiver != nullptr && !groups_.permit(*receiver, true, flow.source, flow)) return false;
  if (sender != nullptr && !groups_.in_vpc(flow.destination) && !has_way(*sender, flow.destination, true)) return false;
  if (receiver != nullptr && !groups_.in_vpc(flow.source) && !has_way(*receiver, flow.source, false) && !groups_.forwards_foreign())
    return false;
  // An address of this VPC that no interface has any more.
  if (sender == nullptr && groups_.in_vpc(flow.source) && !groups_.forwards_foreign()) return false;
  return receiver != nullptr || !groups_.in_vpc(flow.destination) || groups_.forwards_foreign();
}

}  // namespace brume::network
