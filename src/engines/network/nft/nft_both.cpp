#include "engines/network/nft/nft_both.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "engines/network/nft/nft_expressions.hpp"

namespace brume::network {
namespace {

using namespace expressions;

// "members_sg_0a", "members6_sg_0a"
template <class Family>
std::string named(std::string_view what, std::string_view id) {
  return fmt::format("{}{}_{}", what, Family::digit, table_name_part(id));
}
template <class Family>
std::string named(std::string_view what) {
  return std::string(what).append(Family::digit);
}

template <class Family>
Set& add_verdicts(Table& table, std::string_view what) {
  return table.sets[named<Family>(what)] = Set{R"("ifname")", R"("verdict")", {}};
}

// --- what a permission or an entry matches ---

// False: the peer is of the other family.
template <class Family>
bool add_peer(json::array& expressions, const Permission& permission, std::string_view address_field) {
  if (!permission.group_id.empty()) {
    expressions.push_back(is(field(Family::header, address_field), "@" + named<Family>("members", permission.group_id)));
    return true;
  }
  const auto range = Family::parse_block(permission.cidr);
  if (!range) return false;
  if (range->prefix > 0) expressions.push_back(is(field(Family::header, address_field), address_range<Family>(*range)));
  return true;
}

void add_ports(json::array& expressions, const Permission& permission, std::string_view protocol) {
  const auto from = permission.from_port;
  const auto to = permission.to_port;
  const bool all = from < 0 || (from == 0 && to >= 65535);
  if (all)
    expressions.push_back(is(meta("l4proto"), protocol));
  else if (from == to)
    expressions.push_back(is(field(protocol, "dport"), from));
  else
    expressions.push_back(is(field(protocol, "dport"), {{"range", {from, to}}}));
}

template <class Family>
void add_icmp(json::array& expressions, const Permission& permission) {
  if (permission.from_port < 0) {
    // A host's /etc/protocols may lack the name of IPv6's.
    expressions.push_back(is(meta("l4proto"), is_ipv4<Family> ? value(Family::icmp) : value(Family::icmp_number)));
    return;
  }
  expressions.push_back(is(field(Family::icmp, "type"), permission.from_port));
  if (permission.to_port >= 0) expressions.push_back(is(field(Family::icmp, "code"), permission.to_port));
}

template <class Family>
bool add_protocol(json::array& expressions, const Permission& permission) {
  const auto& protocol = permission.protocol;
  if (protocol == "-1" || protocol == "all") return true;
  if (protocol == "tcp" || protocol == "6")
    add_ports(expressions, permission, "tcp");
  else if (protocol == "udp" || protocol == "17")
    add_ports(expressions, permission, "udp");
  else if (protocol == Family::icmp || protocol == std::to_string(Family::icmp_number))
    add_icmp<Family>(expressions, permission);
  else if (const auto number = parse_integer(protocol); number && *number >= 0 && *number <= 255)
    expressions.push_back(is(meta("l4proto"), *number));
  else
    return false;
  return true;
}

// --- security groups ---

// Packets from members of a peer VPC's group come over its peering; packets with the same addresses that come over another one are not
// theirs.
void add_peering(json::array& expressions, const Model& model, const Permission& permission) {
  if (permission.group_id.empty()) return;
  for (const auto& group : model.vpc.peer_groups)
    if (group.id == permission.group_id) expressions.push_back(is(meta("iifname"), peering_name(group.peering_id)));
}

template <class Family>
std::vector<std::string> group_rules(const Model& model, const std::vector<Permission>& permissions, bool ingress) {
  std::vector<std::string> rules;
  for (const auto& permission : permissions) {
    json::array expressions;
    if (ingress) add_peering(expressions, model, permission);
    if (!add_peer<Family>(expressions, permission, ingress ? "saddr" : "daddr") || !add_protocol<Family>(expressions, permission)) continue;
    expressions.push_back(accept());
    rules.push_back(json::serialize(expressions));
  }
  return rules;
}

// --- network ACLs ---

value go_on() { return {{"return", nullptr}}; }

template <class Family>
std::string acl_chain(std::string_view direction, const std::string& acl_id) {
  return fmt::format("acl{}_{}_{}", Family::digit, direction, table_name_part(acl_id));
}

template <class Family>
std::string subnet_chain(std::string_view direction, const SubnetSpec& subnet) {
  return fmt::format("subnet{}_{}_{:08x}", Family::digit, direction, parse_ipv4_block(subnet.cidr).value_or(Ipv4Block{}).base);
}

// `expressions`: which packets.
template <class Family>
std::string refusal_of(const Model& model, bool leaving, json::array expressions) {
  if (is_ipv4<Family> && model.vpc.flow_logs)
    expressions.push_back(value{{"goto", {{"target", leaving ? refused_leaving_chain : refused_coming_chain}}}});
  else
    expressions.push_back(drop());
  return json::serialize(expressions);
}

template <class Family>
void add_acl(Table& table, const Model& model, const AclSpec& acl, bool egress) {
  auto& chain = table.chains[acl_chain<Family>(egress ? "out" : "in", acl.id)];
  for (const auto& entry : acl.entries) {
    if (entry.egress != egress) continue;
    const Permission matched{entry.protocol, entry.from_port, entry.to_port, entry.cidr, ""};
    json::array expressions;
    if (!add_peer<Family>(expressions, matched, egress ? "daddr" : "saddr") || !add_protocol<Family>(expressions, matched)) continue;
    if (entry.allow) expressions.push_back(go_on());
    chain.rules.push_back(entry.allow ? json::serialize(expressions) : refusal_of<Family>(model, egress, std::move(expressions)));
  }
  chain.rules.push_back(refusal<Family>(model, egress));
}

}  // namespace

template <class Family>
std::string refusal(const Model& model, bool leaving) {
  return refusal_of<Family>(model, leaving, {});
}

template <class Family>
void add_groups(Table& table, const Model& model) {
  const auto members_of = [&](const std::string& id) -> std::set<std::string>& {
    auto& members = table.sets[named<Family>("members", id)];
    members.type = fmt::format("\"{}\"", Family::address_type);
    return members.elements;
  };
  for (const auto& [id, group] : model.groups) {
    members_of(id);
    table.chains[named<Family>("in", id)].rules = group_rules<Family>(model, group.ingress, true);
    table.chains[named<Family>("out", id)].rules = group_rules<Family>(model, group.egress, false);
    for (const auto* permissions : {&group.ingress, &group.egress})
      for (const auto& permission : *permissions)
        if (!permission.group_id.empty()) members_of(permission.group_id);
  }
  for (const auto& group : model.vpc.peer_groups) {
    auto& members = members_of(group.id);
    for (const auto& text : group.addresses)
      if (const auto address = Family::parse(text)) members.insert(json::serialize(value(Family::format(*address))));
  }
  for (const auto& [id, interface] : model.interfaces)
    for (const auto& group : interface.group_ids) {
      // A group that is only named, by a member or a rule, exists with nothing in it: it lets nothing through.
      table.chains[named<Family>("in", group)];
      table.chains[named<Family>("out", group)];
      auto& members = members_of(group);
      for (const auto& address : addresses_in<Family>(interface)) members.insert(json::serialize(value(Family::format(address))));
    }
}

template <class Family>
void add_interfaces(Table& table, const Model& model) {
  auto& sources = table.sets[named<Family>("sources")];
  sources.type = fmt::format(R"(["ifname","{}"])", Family::address_type);
  auto& ingress = add_verdicts<Family>(table, "ingress").elements;
  auto& egress = add_verdicts<Family>(table, "egress").elements;
  for (const auto& [id, interface] : model.interfaces) {
    const auto tap = tap_name(id);
    for (const auto& address : addresses_in<Family>(interface))
      sources.elements.insert(json::serialize(concatenation({tap, Family::format(address)})));
    const auto in = named<Family>("in", id);
    const auto out = named<Family>("out", id);
    auto& coming = table.chains[in].rules;
    auto& going = table.chains[out].rules;
    for (const auto& group : interface.group_ids) {
      coming.push_back(rule({jump(named<Family>("in", group))}));
      going.push_back(rule({jump(named<Family>("out", group))}));
    }
    ingress.insert(json::serialize(json::array{tap, jump(in)}));
    egress.insert(json::serialize(json::array{tap, jump(out)}));
  }
}

// What stays inside a subnet passes no ACL.
template <class Family>
void add_acls(Table& table, const Model& model) {
  auto& leaving = add_verdicts<Family>(table, "leaving_subnet").elements;
  auto& entering = add_verdicts<Family>(table, "entering_subnet").elements;
  for (const auto& acl : model.vpc.acls)
    for (const bool egress : {false, true}) add_acl<Family>(table, model, acl, egress);
  const auto range_of = [](const SubnetSpec& subnet) { return Family::parse_block(is_ipv4<Family> ? subnet.cidr : subnet.cidr6); };
  for (const auto& subnet : model.vpc.subnets) {
    const auto range = range_of(subnet);
    if (!range || subnet.acl_id.empty()) continue;
    for (const auto& [direction, far_end] : {std::pair("out", "daddr"), std::pair("in", "saddr")})
      table.chains[subnet_chain<Family>(direction, subnet)].rules = {
          rule({is(field(Family::header, far_end), address_range<Family>(*range)), go_on()}),
          rule({jump(acl_chain<Family>(direction, subnet.acl_id))})};
  }
  for (const auto& [id, interface] : model.interfaces) {
    const auto* subnet = subnet_of(model.vpc, interface);
    if (subnet == nullptr || subnet->acl_id.empty() || !range_of(*subnet)) continue;
    const auto tap = tap_name(id);
    leaving.insert(json::serialize(json::array{tap, jump(subnet_chain<Family>("out", *subnet))}));
    entering.insert(json::serialize(json::array{tap, jump(subnet_chain<Family>("in", *subnet))}));
  }
}

template <class Family>
std::vector<std::string> leaving_rules(const Model& model, const std::vector<std::string>& services) {
  std::vector<std::string> rules = {rule({invalid(), drop()}), rule({not_from_tap(), accept()}),
                                    // The present routes decide each packet's way, also within a known connection.
                                    rule({value{{"mangle", {{"key", meta("mark")}, {"value", look_up(meta("iifname"), "tables")}}}}}),
                                    rule({known_connection(), accept()})};
  rules.insert(rules.end(), services.begin(), services.end());
  rules.push_back(rule({verdict_of("iifname", named<Family>("egress"))}));
  rules.push_back(refusal<Family>(model, true));
  return rules;
}

template <class Family>
std::vector<std::string> edge_rules() {
  return {rule({to_tap(), is_not(concatenation({meta("oifname"), field(Family::header, "daddr")}), "@" + named<Family>("sources")),
                is_not(meta("oifname"), "@unchecked"), drop()}),
          rule({verdict_of("iifname", named<Family>("leaving_subnet"))}), rule({verdict_of("oifname", named<Family>("entering_subnet"))}),
          rule({known_connection(), accept()})};
}

template void add_groups<Ipv4>(Table&, const Model&);
template void add_groups<Ipv6>(Table&, const Model&);
template void add_interfaces<Ipv4>(Table&, const Model&);
template void add_interfaces<Ipv6>(Table&, const Model&);
template void add_acls<Ipv4>(Table&, const Model&);
template void add_acls<Ipv6>(Table&, const Model&);
template std::vector<std::string> leaving_rules<Ipv4>(const Model&, const std::vector<std::string>&);
template std::vector<std::string> leaving_rules<Ipv6>(const Model&, const std::vector<std::string>&);
template std::vector<std::string> edge_rules<Ipv4>();
template std::vector<std::string> edge_rules<Ipv6>();
template std::string refusal<Ipv4>(const Model&, bool);

}  // namespace brume::network
