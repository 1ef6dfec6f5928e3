#include "engines/network/vpc/model.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "engines/network/names/names.hpp"

namespace brume::network {
namespace {

Result<void> bad(std::string_view what, std::string_view value, std::string_view owner) {
  return fail(ErrorKind::invalid, fmt::format("{} \"{}\" of {} cannot be used", what, value, owner));
}

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (size_t i = 0; i < text.size(); ++i)
    if (i % 3 == 2 ? text[i] != ':' : std::string_view("0123456789abcdef").find(text[i]) == std::string_view::npos) return false;
  return true;
}

bool is_host_name(std::string_view text) {
  return text.size() <= 253 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string_view::npos;
}

// One or several, separated by blanks.
bool are_host_names(std::string_view text) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. ";
  return text.size() <= 255 && text.find_first_not_of(letters) == std::string_view::npos;
}

Result<void> check_permission(const Permission& permission, const GroupSpec& group) {
  if (!permission.group_id.empty() && !is_safe_id(permission.group_id)) return bad("peer group", permission.group_id, group.id);
  if (!permission.cidr.empty() && permission.cidr.find(':') == std::string::npos && !parse_ipv4_block(permission.cidr))
    return bad("peer", permission.cidr, group.id);
  return {};
}

Result<void> check_routes(const VpcSpec& vpc) {
  for (const auto& table : vpc.route_tables) {
    if (!is_safe_id(table.id)) return bad("route table", table.id, vpc.id);
    for (const auto& route : table.routes)
      if (!parse_ipv4_block(route.cidr)) return bad("route", route.cidr, table.id);
    for (const auto& route : table.routes6)
      if (!parse_ipv6_block(route.cidr)) return bad("route", route.cidr, table.id);
  }
  for (const auto& nat : vpc.nats)
    if (!is_safe_id(nat.id) || !parse_ipv4(nat.public_ip)) return bad("NAT gateway", nat.id + " " + nat.public_ip, vpc.id);
  return {};
}

Result<void> check_peerings(const VpcSpec& vpc) {
  for (const auto& peering : vpc.peerings) {
    if (!is_safe_id(peering.id) || !is_safe_id(peering.peer_vpc_id)) return bad("peering", peering.id + " " + peering.peer_vpc_id, vpc.id);
    for (const auto& cidr : peering.peer_cidrs)
      if (!parse_ipv4_block(cidr)) return bad("peer's range", cidr, vpc.id);
    for (const auto& one : peering.names)
      if (!parse_ipv4(one.private_ip) || !parse_ipv4(one.public_ip))
        return bad("peer's address", one.private_ip + " " + one.public_ip, vpc.id);
  }
  for (const auto& group : vpc.peer_groups) {
    if (!is_safe_id(group.id)) return bad("peer group", group.id, vpc.id);
    if (!is_safe_id(group.peering_id)) return bad("peering", group.peering_id, vpc.id);
    for (const auto& address : group.addresses)
      if (!parse_ipv4(address)) return bad("peer's address", address, vpc.id);
  }
  return {};
}

Result<void> check_acls(const VpcSpec& vpc) {
  for (const auto& acl : vpc.acls) {
    if (!is_safe_id(acl.id)) return bad("network ACL", acl.id, vpc.id);
    for (const auto& entry : acl.entries)
      if (!parse_ipv4_block(entry.cidr) && !parse_ipv6_block(entry.cidr)) return bad("range", entry.cidr, acl.id);
  }
  return {};
}

// One line of strongSwan's configuration must not become two.
Result<void> check_vpns(const VpcSpec& vpc) {
  for (const auto& vpn : vpc.vpns) {
    if (!is_safe_id(vpn.id)) return bad("VPN connection", vpn.id, vpc.id);
    if (!parse_ipv4(vpn.customer_ip)) return bad("customer's address", vpn.customer_ip, vpn.id);
    if (!parse_ipv4_block(vpn.local_cidr) || !parse_ipv4_block(vpn.remote_cidr))
      return bad("range", vpn.local_cidr + " " + vpn.remote_cidr, vpn.id);
    for (const auto& tunnel : vpn.tunnels) {
      if (!parse_ipv4(tunnel.outside_ip)) return bad("address", tunnel.outside_ip, vpn.id);
      constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._";
      if (tunnel.psk.size() < 8 || tunnel.psk.find_first_not_of(letters) != std::string::npos)
        return bad("pre-shared key", "(secret)", vpn.id);
    }
  }
  return {};
}

// One line of dnsmasq's configuration must not become two.
Result<void> check_dhcp(const VpcSpec& vpc) {
  const auto& dhcp = vpc.dhcp;
  if (!are_host_names(dhcp.domain)) return bad("DHCP domain", dhcp.domain, vpc.id);
  for (const auto* addresses : {&dhcp.time_servers, &dhcp.netbios_name_servers})
    for (const auto& address : *addresses)
      if (!parse_ipv4(address)) return bad("DHCP address", address, vpc.id);
  for (const auto& address : dhcp.name_servers)
    if (!parse_ipv4(address) && !parse_ipv6(address)) return bad("DHCP address", address, vpc.id);
  if (dhcp.netbios_node_type.find_first_not_of("1248") != std::string::npos)
    return bad("NetBIOS node type", dhcp.netbios_node_type, vpc.id);
  return {};
}

Result<void> check_ipv6(const VpcSpec& vpc) {
  const auto ranges = ranges_of<Ipv6>(vpc);
  for (const auto& cidr : vpc.cidrs6)
    if (!parse_ipv6_block(cidr)) return bad("range", cidr, vpc.id);
  for (const auto& subnet : vpc.subnets) {
    if (subnet.cidr6.empty()) continue;
    const auto range = parse_ipv6_block(subnet.cidr6);
    const auto is_inside = [&](const Ipv6Block& whole) { return lies_in(*range, whole); };
    if (!range || range->prefix != 64 || std::none_of(ranges.begin(), ranges.end(), is_inside)) return bad("subnet", subnet.cidr6, vpc.id);
  }
  return {};
}

}  // namespace

std::vector<AddressSpec> addresses_of(const InterfaceSpec& interface) {
  std::vector<AddressSpec> all = {{interface.private_ip, interface.public_ip}};
  all.insert(all.end(), interface.more.begin(), interface.more.end());
  return all;
}

std::vector<Ipv4Block> lost_ranges(const VpcSpec& before, const VpcSpec& now) {
  std::vector<Ipv4Block> lost;
  for (const auto& old : before.peerings)
    for (const auto& cidr : old.peer_cidrs) {
      const auto still_leads_there = [&](const PeeringSpec& one) {
        return one.id == old.id && std::find(one.peer_cidrs.begin(), one.peer_cidrs.end(), cidr) != one.peer_cidrs.end();
      };
      if (std::none_of(now.peerings.begin(), now.peerings.end(), still_leads_there))
        if (const auto range = parse_ipv4_block(cidr)) lost.push_back(*range);
    }
  return lost;
}

template <>
std::vector<Ipv4Block> ranges_of<Ipv4>(const VpcSpec& vpc) {
  std::vector<Ipv4Block> ranges = {parse_ipv4_block(vpc.cidr).value_or(Ipv4Block{})};
  for (const auto& cidr : vpc.more_cidrs)
    if (const auto range = parse_ipv4_block(cidr)) ranges.push_back(*range);
  return ranges;
}

template <>
std::vector<Ipv6Block> ranges_of<Ipv6>(const VpcSpec& vpc) {
  std::vector<Ipv6Block> ranges;
  for (const auto& cidr : vpc.cidrs6)
    if (const auto range = parse_ipv6_block(cidr)) ranges.push_back(*range);
  return ranges;
}

template <>
std::vector<std::uint32_t> addresses_in<Ipv4>(const InterfaceSpec& interface) {
  std::vector<std::uint32_t> addresses;
  for (const auto& one : addresses_of(interface))
    if (const auto address = parse_ipv4(one.private_ip)) addresses.push_back(*address);
  return addresses;
}

template <>
std::vector<Ipv6Address> addresses_in<Ipv6>(const InterfaceSpec& interface) {
  std::vector<Ipv6Address> addresses;
  for (const auto& text : interface.ipv6)
    if (const auto address = parse_ipv6(text)) addresses.push_back(*address);
  return addresses;
}

const SubnetSpec* subnet_of(const VpcSpec& vpc, const InterfaceSpec& interface) {
  for (const auto& subnet : vpc.subnets)
    if (subnet.cidr == interface.subnet_cidr) return &subnet;
  return nullptr;
}

const RouteTableSpec* route_table_of(const VpcSpec& vpc, const InterfaceSpec& interface) {
  const auto* subnet = subnet_of(vpc, interface);
  if (subnet == nullptr) return nullptr;
  for (const auto& table : vpc.route_tables)
    if (table.id == subnet->route_table_id) return &table;
  return nullptr;
}

template <class Family>
const RouteSpec* route_to(const RouteTableSpec& table, const typename Family::Address& address) {
  const RouteSpec* found = nullptr;
  int longest = -1;
  for (const auto& route : routes_of<Family>(table)) {
    const auto range = Family::parse_block(route.cidr);
    if (!range || !range->contains(address) || range->prefix <= longest) continue;
    found = &route;
    longest = range->prefix;
  }
  return found;
}
template const RouteSpec* route_to<Ipv4>(const RouteTableSpec&, const std::uint32_t&);
template const RouteSpec* route_to<Ipv6>(const RouteTableSpec&, const Ipv6Address&);

template <class Family>
std::vector<RouteSpec> sorted_routes(const RouteTableSpec& table) {
  auto routes = routes_of<Family>(table);
  const auto prefix = [](const RouteSpec& route) { return Family::parse_block(route.cidr).value_or(typename Family::Block{}).prefix; };
  std::stable_sort(routes.begin(), routes.end(), [&](const auto& a, const auto& b) { return prefix(a) > prefix(b); });
  return routes;
}
template std::vector<RouteSpec> sorted_routes<Ipv4>(const RouteTableSpec&);
template std::vector<RouteSpec> sorted_routes<Ipv6>(const RouteTableSpec&);

bool has_ipv6(const VpcSpec& vpc) { return !vpc.cidrs6.empty(); }

Ipv6Address router_address6(const Ipv6Block& subnet) { return ipv6_host(subnet, 1); }

bool same_ways6(const VpcSpec& a, const VpcSpec& b) {
  const auto same_route = [](const RouteSpec& x, const RouteSpec& y) { return x.cidr == y.cidr && x.target == y.target && x.id == y.id; };
  const auto same_table = [&](const RouteTableSpec& x, const RouteTableSpec& y) {
    return x.id == y.id && std::equal(x.routes6.begin(), x.routes6.end(), y.routes6.begin(), y.routes6.end(), same_route);
  };
  return a.cidrs6 == b.cidrs6 && (!has_ipv6(a) || std::equal(a.route_tables.begin(), a.route_tables.end(), b.route_tables.begin(),
                                                             b.route_tables.end(), same_table));
}

std::uint32_t table_number(const std::string& route_table_id) {
  // FNV-1a: the ids are random, so 28 bits hardly collide among the few hundred tables that a VPC may have.
  std::uint32_t hash = 2166136261U;
  for (const char c : route_table_id) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return 0x10000000U | (hash & 0x0FFFFFFFU);
}

std::string dns_address(const VpcSpec& vpc) {
  const auto range = parse_ipv4_block(vpc.cidr);
  return range ? format_ipv4(range->base + 2) : std::string();
}

std::string router_address(const std::string& subnet_cidr) {
  const auto range = parse_ipv4_block(subnet_cidr);
  return range ? format_ipv4(range->base + 1) : std::string();
}

Result<void> check(const NamesSpec& names) {
  if (!is_host_name(names.public_domain)) return bad("domain", names.public_domain, "public names");
  for (const auto& [address, name] : names.reverse)
    if (!parse_ipv4(address) || name.empty() || !is_host_name(name)) return bad("reverse record", address + " " + name, "public names");
  return {};
}

Result<void> check(const VpcSpec& vpc) {
  if (!is_safe_id(vpc.id)) return bad("id", vpc.id, "a VPC");
  if (!parse_ipv4_block(vpc.cidr)) return bad("range", vpc.cidr, vpc.id);
  if (!is_host_name(vpc.domain)) return bad("domain", vpc.domain, vpc.id);
  for (const auto& subnet : vpc.subnets)
    if (!parse_ipv4_block(subnet.cidr)) return bad("subnet", subnet.cidr, vpc.id);
  for (const auto& cidr : vpc.more_cidrs)
    if (!parse_ipv4_block(cidr)) return bad("range", cidr, vpc.id);
  if (auto good = check_routes(vpc); !good) return good;
  if (auto good = check_acls(vpc); !good) return good;
  if (auto good = check_peerings(vpc); !good) return good;
  if (auto good = check(vpc.names); !good) return good;
  if (auto good = check_vpns(vpc); !good) return good;
  if (auto good = check_ipv6(vpc); !good) return good;
  return check_dhcp(vpc);
}

Result<void> check(const InterfaceSpec& interface) {
  if (!is_safe_id(interface.id)) return bad("id", interface.id, "an interface");
  if (!is_safe_id(interface.vpc_id)) return bad("VPC", interface.vpc_id, interface.id);
  if (!parse_ipv4_block(interface.subnet_cidr)) return bad("subnet", interface.subnet_cidr, interface.id);
  if (!is_mac(interface.mac)) return bad("hardware address", interface.mac, interface.id);
  if (!parse_ipv4(interface.private_ip)) return bad("address", interface.private_ip, interface.id);
  if (!interface.public_ip.empty() && !parse_ipv4(interface.public_ip)) return bad("public address", interface.public_ip, interface.id);
  for (const auto& one : interface.more)
    if (!parse_ipv4(one.private_ip) || (!one.public_ip.empty() && !parse_ipv4(one.public_ip)))
      return bad("address", one.private_ip + " " + one.public_ip, interface.id);
  if (!is_host_name(interface.host_name)) return bad("host name", interface.host_name, interface.id);
  for (const auto& group : interface.group_ids)
    if (!is_safe_id(group)) return bad("group", group, interface.id);
  for (const auto& address : interface.ipv6)
    if (!parse_ipv6(address)) return bad("address", address, interface.id);
  return {};
}

Result<void> check(const GroupSpec& group) {
  if (!is_safe_id(group.id)) return bad("id", group.id, "a group");
  if (!is_safe_id(group.vpc_id)) return bad("VPC", group.vpc_id, group.id);
  for (const auto* permissions : {&group.ingress, &group.egress})
    for (const auto& permission : *permissions)
      if (auto good = check_permission(permission, group); !good) return good;
  return {};
}

}  // namespace brume::network
