#include "control/vpc_specs.hpp"

#include <algorithm>
#include <map>

#include "base/ipv4.hpp"
#include "control/flow_logs.hpp"
#include "domain/classic.hpp"
#include "domain/vpn.hpp"

namespace brume::control {
namespace {

using network::RouteSpec;

std::vector<std::string> ranges_of_list(const state::World& world, const std::string& account, const std::string& id) {
  std::vector<std::string> ranges;
  if (const auto* list = world.find<state::PrefixList>(account, id))
    for (const auto& entry : list->entries) ranges.push_back(entry.cidr);
  return ranges;
}

// One permission per range if the rule names a prefix list.
void add_permissions(const state::World& world, const std::string& account, const state::SecurityRule& rule,
                     std::vector<network::Permission>& out) {
  if (rule.prefix_list_id.empty()) {
    out.push_back({rule.protocol, rule.from_port, rule.to_port, rule.cidr.empty() ? rule.cidr6 : rule.cidr, rule.group_id});
    return;
  }
  for (const auto& cidr : ranges_of_list(world, account, rule.prefix_list_id))
    out.push_back({rule.protocol, rule.from_port, rule.to_port, cidr, ""});
}

RouteSpec::Target target_of(const state::World& world, const state::RouteTable& table, const state::RouteEntry& route) {
  if (!route.interface_id.empty()) return RouteSpec::Target::interface;
  if (!route.nat_gateway_id.empty()) return RouteSpec::Target::nat;
  if (!route.peering_id.empty()) {
    const auto* peering = world.find_indexed<state::VpcPeering>(state::Index::peering_by_id, route.peering_id);
    return peering != nullptr && peering->is_active() ? RouteSpec::Target::peering : RouteSpec::Target::nowhere;
  }
  if (!route.egress_only_id.empty()) {
    const auto* gateway = world.find<state::EgressOnlyGateway>(table.account, route.egress_only_id);
    return gateway != nullptr && gateway->vpc_id == table.vpc_id ? RouteSpec::Target::egress_only : RouteSpec::Target::nowhere;
  }
  if (const auto* gateway = world.find<state::VpnGateway>(table.account, route.gateway_id))
    return gateway->vpc_id == table.vpc_id ? RouteSpec::Target::vpn : RouteSpec::Target::nowhere;
  const auto* gateway = world.find<state::InternetGateway>(table.account, route.gateway_id);
  return gateway != nullptr && gateway->vpc_id == table.vpc_id ? RouteSpec::Target::internet : RouteSpec::Target::nowhere;
}

// Routes of VPN connections apply if the table propagates them, unless it has its own route to the same range.
void add_propagated(const state::World& world, const state::RouteTable& table, network::RouteTableSpec& spec) {
  for (const auto& route : domain::propagated_routes(world, table)) {
    const auto same = [&](const RouteSpec& own) { return own.cidr == route.cidr; };
    if (std::none_of(spec.routes.begin(), spec.routes.end(), same))
      spec.routes.push_back({route.cidr, RouteSpec::Target::vpn, route.gateway_id});
  }
}

network::RouteTableSpec specify(const state::World& world, const state::RouteTable& table) {
  network::RouteTableSpec spec{table.id, {}};
  for (const auto& route : table.routes) {
    const auto id = route.interface_id + route.nat_gateway_id + route.peering_id;  // one of them, or none
    const auto target = target_of(world, table, route);
    if (!route.cidr6.empty()) {
      spec.routes6.push_back({route.cidr6, target, id});
      continue;
    }
    if (route.prefix_list_id.empty()) spec.routes.push_back({route.cidr, target, id});
    for (const auto& cidr : ranges_of_list(world, table.account, route.prefix_list_id)) spec.routes.push_back({cidr, target, id});
  }
  add_propagated(world, table, spec);
  return spec;
}

void add_vpns(const state::World& world, const state::Vpc& vpc, network::VpcSpec& spec) {
  const auto add = [&](const state::VpnConnection& connection) {
    const auto* customer = world.find<state::CustomerGateway>(vpc.account, connection.customer_gateway_id);
    if (connection.state != state::VpnState::available || customer == nullptr) return;
    network::VpnSpec vpn{connection.id, customer->ip_address, connection.local_cidr, connection.remote_cidr, {}};
    for (const auto& tunnel : connection.tunnels) vpn.tunnels.push_back({tunnel.outside_ip, tunnel.psk});
    spec.vpns.push_back(std::move(vpn));
  };
  world.each_indexed<state::VpnGateway>(state::Index::vpn_gateway_by_vpc, vpc.id, [&](const state::VpnGateway& gateway) {
    world.each_indexed<state::VpnConnection>(state::Index::vpn_connection_by_gateway, gateway.id, add);
  });
}

// For IPv4, and for IPv6 if the VPC has it.
bool lets_all_pass(const state::NetworkAcl& acl, const state::Vpc& vpc) {
  const auto first_lets_all = [&](bool egress, std::string state::AclEntry::*range, std::string_view all) {
    const auto is_of_kind = [&](const auto& entry) { return entry.egress == egress && !(entry.*range).empty(); };
    const auto first = std::find_if(acl.entries.begin(), acl.entries.end(), is_of_kind);
    return first != acl.entries.end() && first->allow && first->protocol == "-1" && *first.*range == all;
  };
  for (const bool egress : {false, true}) {
    if (!first_lets_all(egress, &state::AclEntry::cidr, "0.0.0.0/0")) return false;
    if (!vpc.ipv6.empty() && !first_lets_all(egress, &state::AclEntry::cidr6, "::/0")) return false;
  }
  return true;
}

network::AclSpec specify(const state::NetworkAcl& acl) {
  network::AclSpec spec{acl.id, {}};
  for (const auto& entry : acl.entries)
    spec.entries.push_back(
        {entry.egress, entry.allow, entry.protocol, entry.from, entry.to, entry.cidr.empty() ? entry.cidr6 : entry.cidr});
  return spec;
}

bool names_subnet(const std::vector<state::SubnetAssociation>& associations, const std::string& subnet_id) {
  return std::any_of(associations.begin(), associations.end(), [&](const auto& one) { return one.subnet_id == subnet_id; });
}

void add_routing(const state::World& world, const state::Vpc& vpc, network::VpcSpec& spec) {
  std::vector<const state::RouteTable*> tables;
  std::vector<const state::NetworkAcl*> acls;
  world.each_indexed<state::RouteTable>(state::Index::route_table_by_vpc, vpc.id, [&](const auto& table) { tables.push_back(&table); });
  world.each_indexed<state::NetworkAcl>(state::Index::network_acl_by_vpc, vpc.id, [&](const auto& acl) { acls.push_back(&acl); });
  for (const auto* table : tables) spec.route_tables.push_back(specify(world, *table));
  for (const auto* acl : acls)
    if (!lets_all_pass(*acl, vpc)) spec.acls.push_back(specify(*acl));
  world.each_indexed<state::Subnet>(state::Index::subnet_by_vpc, vpc.id, [&](const state::Subnet& subnet) {
    network::SubnetSpec one{subnet.cidr};
    one.cidr6 = subnet.ipv6_cidr;
    // The main table's association has no subnet: it is for subnets without an association of their own.
    for (const auto* table : tables)
      if (names_subnet(table->associations, subnet.id) || (one.route_table_id.empty() && table->is_main())) one.route_table_id = table->id;
    for (const auto* acl : acls)
      if (names_subnet(acl->associations, subnet.id) && !lets_all_pass(*acl, vpc)) one.acl_id = acl->id;
    spec.subnets.push_back(std::move(one));
  });
}

std::vector<std::string> members_of(const state::World& world, const std::string& group_id) {
  std::vector<std::string> addresses;
  world.each_indexed<state::NetworkInterface>(state::Index::interface_by_group, group_id, [&](const auto& interface) {
    addresses.push_back(interface.private_ip);
    for (const auto& one : interface.secondary) addresses.push_back(one.private_ip);
  });
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

// The active peerings with one of these ids.
void add_peer_groups(const state::World& world, const state::Vpc& vpc, const std::set<std::string>& peerings, network::VpcSpec& spec) {
  std::map<std::string, std::string> named;  // and over which peering
  world.each_indexed<state::SecurityGroup>(state::Index::security_group_by_vpc, vpc.id, [&](const state::SecurityGroup& group) {
    for (const auto* rules : {&group.ingress, &group.egress})
      for (const auto& rule : *rules)
        if (peerings.contains(rule.peering_id)) named[rule.group_id] = rule.peering_id;
  });
  for (const auto& [id, peering_id] : named) spec.peer_groups.push_back({id, members_of(world, id), peering_id});
}

bool names_public_addresses(const state::Vpc& vpc) { return vpc.dns_support && vpc.dns_hostnames; }

// What a peer's guests are told about the VPC's public addresses, if both use EC2's names.
std::vector<network::AddressSpec> names_shown_by(const state::World& world, const state::Vpc& vpc) {
  std::vector<network::AddressSpec> names;
  if (world.find_indexed<state::InternetGateway>(state::Index::internet_gateway_by_vpc, vpc.id) == nullptr) return names;
  const auto add = [&](const std::string& private_ip, const std::string& public_ip) {
    if (!public_ip.empty()) names.push_back({private_ip, public_ip});
  };
  world.each_indexed<state::NetworkInterface>(state::Index::interface_by_vpc, vpc.id, [&](const state::NetworkInterface& interface) {
    add(interface.private_ip, interface.public_ip);
    for (const auto& one : interface.secondary) add(one.private_ip, one.public_ip);
  });
  return names;
}

void add_peerings(const state::World& world, const state::Vpc& vpc, network::VpcSpec& spec) {
  std::set<std::string> active;
  world.each_indexed<state::VpcPeering>(state::Index::peering_by_vpc, vpc.id, [&](const state::VpcPeering& peering) {
    const auto& peer_id = peering.other_vpc(vpc.id);
    const auto* peer = peering.is_active() ? world.find_indexed<state::Vpc>(state::Index::vpc_by_id, peer_id) : nullptr;
    if (peer == nullptr) return;
    auto& one = spec.peerings.emplace_back(network::PeeringSpec{peering.id, peer_id, {peer->cidr}});
    for (const auto& range : peer->more) one.peer_cidrs.push_back(range.cidr);
    if (peering.shows_names_of(peer_id) && names_public_addresses(vpc) && names_public_addresses(*peer))
      one.names = names_shown_by(world, *peer);
    active.insert(peering.id);
  });
  if (!active.empty()) add_peer_groups(world, vpc, active, spec);
}

network::DhcpSpec specify_dhcp(const state::World& world, const state::Vpc& vpc) {
  network::DhcpSpec spec;
  const auto* set = world.find<state::DhcpOptions>(vpc.account, vpc.dhcp_options_id);
  if (set == nullptr) return spec;
  spec.is_own = false;
  for (const auto& option : set->options) {
    if (option.name == "domain-name" && !option.values.empty()) spec.domain = option.values.front();
    if (option.name == "domain-name-servers") spec.name_servers = option.values;
    if (option.name == "ntp-servers") spec.time_servers = option.values;
    if (option.name == "netbios-name-servers") spec.netbios_name_servers = option.values;
    if (option.name == "netbios-node-type" && !option.values.empty()) spec.netbios_node_type = option.values.front();
  }
  const auto range = parse_ipv4_block(vpc.cidr);
  for (auto& server : spec.name_servers)
    if (server == "AmazonProvidedDNS" && range) server = format_ipv4(range->base + 2);
  return spec;
}

// On the VPC itself, or on a subnet or an interface in it.
bool has_flow_log(const state::World& world, const state::Vpc& vpc) {
  // Most accounts have none, so nothing has to be searched.
  bool any = false;
  world.each_of<state::FlowLog>(vpc.account, [&](const state::FlowLog&) {
    any = true;
    return false;
  });
  const auto is_logged = [&](const std::string& id) {
    const auto* log = world.find_indexed<state::FlowLog>(state::Index::flow_log_by_resource, id);
    return log != nullptr && log->account == vpc.account;
  };
  if (!any || is_logged(vpc.id)) return any;
  bool found = false;
  const auto look = [&](const auto& record) {
    found = is_logged(record.id);
    return !found;
  };
  world.each_indexed<state::Subnet>(state::Index::subnet_by_vpc, vpc.id, look);
  if (!found) world.each_indexed<state::NetworkInterface>(state::Index::interface_by_vpc, vpc.id, look);
  return found;
}

template <class R>
void add_vpc_of(const state::Change& change, std::set<std::string>& vpcs) {
  for (const auto* record : {change.old<R>(), change.now<R>()}) {
    if (record == nullptr) continue;
    if constexpr (requires { record->vpc_id; })
      vpcs.insert(record->vpc_id);
    else
      vpcs.insert(record->id);
  }
}

bool names_list(const std::vector<state::SecurityRule>& rules, const std::string& id) {
  return std::any_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule.prefix_list_id == id; });
}

}  // namespace

network::InterfaceSpec specify(const state::World& world, const state::NetworkInterface& interface, unsigned user) {
  network::InterfaceSpec spec;
  spec.id = interface.id;
  spec.vpc_id = interface.vpc_id;
  // The VPC's owner owns the subnet, but not always the interface.
  if (const auto* vpc = world.find_indexed<state::Vpc>(state::Index::vpc_by_id, interface.vpc_id))
    if (const auto* subnet = world.find<state::Subnet>(vpc->account, interface.subnet_id)) spec.subnet_cidr = subnet->cidr;
  spec.mac = interface.mac;
  spec.private_ip = interface.private_ip;
  spec.public_ip = interface.public_ip;
  spec.group_ids = interface.group_ids;
  spec.host_name = "ip-" + dashed(interface.private_ip);
  spec.source_dest_check = interface.source_dest_check;
  spec.user = user;
  for (const auto& one : interface.secondary) spec.more.push_back({one.private_ip, one.public_ip});
  spec.ipv6 = interface.ipv6;
  return spec;
}

network::GroupSpec specify(const state::World& world, const state::SecurityGroup& group) {
  network::GroupSpec spec;
  spec.id = group.id;
  spec.vpc_id = group.vpc_id;
  for (const auto& rule : group.ingress) add_permissions(world, group.account, rule, spec.ingress);
  for (const auto& rule : group.egress) add_permissions(world, group.account, rule, spec.egress);
  // Groups of EC2-Classic control what comes in; everything may go out (NET-048).
  if (domain::is_classic(group)) spec.egress.push_back({"-1", -1, -1, "0.0.0.0/0", ""});
  return spec;
}

network::NamesSpec specify_names(const state::World& world, const std::string& public_domain) {
  network::NamesSpec names{public_domain, {}};
  world.each_indexed<state::ElasticIp>(state::Index::elastic_ip_with_name, "named",
                                       [&](const state::ElasticIp& address) { names.reverse[address.public_ip] = address.domain_name; });
  return names;
}

bool touches_names(const state::Change& change) {
  if (change.kind != state::Kind::elastic_ip) return false;
  const auto* before = change.old<state::ElasticIp>();
  const auto* now = change.now<state::ElasticIp>();
  return (before == nullptr ? std::string() : before->domain_name) != (now == nullptr ? std::string() : now->domain_name);
}

network::VpcSpec specify(const state::World& world, const state::Vpc& vpc, const Domains& domains) {
  network::VpcSpec spec;
  spec.id = vpc.id;
  spec.cidr = vpc.cidr;
  spec.domain = domains.internal;
  spec.names = specify_names(world, domains.outer);
  spec.names_public_addresses = names_public_addresses(vpc);
  for (const auto& range : vpc.more) spec.more_cidrs.push_back(range.cidr);
  for (const auto& range : vpc.ipv6) spec.cidrs6.push_back(range.cidr);
  spec.internet_gateway = world.find_indexed<state::InternetGateway>(state::Index::internet_gateway_by_vpc, vpc.id) != nullptr;
  spec.dns = vpc.dns_support;
  add_routing(world, vpc, spec);
  world.each_indexed<state::NatGateway>(state::Index::nat_gateway_by_vpc, vpc.id, [&](const state::NatGateway& nat) {
    if (nat.state == state::NatState::available) spec.nats.push_back({nat.id, nat.public_ip});
  });
  add_vpns(world, vpc, spec);
  spec.dhcp = specify_dhcp(world, vpc);
  add_peerings(world, vpc, spec);
  spec.flow_logs = has_flow_log(world, vpc);
  return spec;
}

bool specifies_the_same(const state::NetworkInterface& before, const state::NetworkInterface& now) {
  const auto same = [](const state::SecondaryAddress& a, const state::SecondaryAddress& b) {
    return a.private_ip == b.private_ip && a.public_ip == b.public_ip;
  };
  return before.group_ids == now.group_ids && before.private_ip == now.private_ip && before.public_ip == now.public_ip &&
         before.source_dest_check == now.source_dest_check && before.ipv6 == now.ipv6 &&
         std::equal(before.secondary.begin(), before.secondary.end(), now.secondary.begin(), now.secondary.end(), same);
}

std::set<std::string> vpcs_touched_by(const state::World& world, const state::Change& change) {
  std::set<std::string> vpcs;
  add_vpc_of<state::Vpc>(change, vpcs);
  add_vpc_of<state::Subnet>(change, vpcs);
  for (const auto* gateway : {change.old<state::InternetGateway>(), change.now<state::InternetGateway>()}) {
    if (gateway == nullptr) continue;
    vpcs.insert(gateway->vpc_id);
    // It makes the VPC's public addresses reachable, and a peer may use their names.
    vpcs.merge(peers_of(world, gateway->vpc_id));
  }
  add_vpc_of<state::EgressOnlyGateway>(change, vpcs);
  add_vpc_of<state::RouteTable>(change, vpcs);
  add_vpc_of<state::NetworkAcl>(change, vpcs);
  add_vpc_of<state::NatGateway>(change, vpcs);
  for (const auto* peering : {change.old<state::VpcPeering>(), change.now<state::VpcPeering>()})
    if (peering != nullptr) vpcs.insert({peering->vpc_id, peering->peer_vpc_id});
  // A log was added or removed; its delivery status does not concern the network.
  if (const auto* before = change.old<state::FlowLog>(), *now = change.now<state::FlowLog>(); (before == nullptr) != (now == nullptr))
    if (const auto vpc_id = vpc_of(world, now != nullptr ? *now : *before); !vpc_id.empty()) vpcs.insert(vpc_id);
  // Its ranges concern its peers too.
  if (const auto* vpc = change.now<state::Vpc>()) vpcs.merge(peers_of(world, vpc->id));
  add_vpc_of<state::VpnGateway>(change, vpcs);
  for (const auto* connection : {change.old<state::VpnConnection>(), change.now<state::VpnConnection>()})
    if (connection != nullptr)
      if (const auto* gateway = world.find<state::VpnGateway>(connection->account, connection->vpn_gateway_id))
        vpcs.insert(gateway->vpc_id);
  if (const auto* list = change.now<state::PrefixList>())
    world.each_of<state::Vpc>(list->account, [&](const state::Vpc& vpc) { vpcs.insert(vpc.id); });
  return vpcs;
}

std::set<std::string> peers_of(const state::World& world, const std::string& vpc_id) {
  std::set<std::string> peers;
  world.each_indexed<state::VpcPeering>(state::Index::peering_by_vpc, vpc_id, [&](const state::VpcPeering& peering) {
    if (peering.is_active()) peers.insert(peering.other_vpc(vpc_id));
  });
  return peers;
}

std::set<std::string> groups_touched_by(const state::World& world, const state::Change& change) {
  std::set<std::string> keys;
  if (const auto* list = change.now<state::PrefixList>())
    world.each_of<state::SecurityGroup>(list->account, [&](const state::SecurityGroup& group) {
      if (names_list(group.ingress, list->id) || names_list(group.egress, list->id)) keys.insert(group.key());
    });
  return keys;
}

}  // namespace brume::control
