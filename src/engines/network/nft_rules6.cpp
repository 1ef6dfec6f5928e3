// The rules of IPv6; their way through the hooks stands in nft_rules.hpp. A guest's link has the guest and the router on it, nobody
// else: neighbours are told of each other by nobody, so there is nothing in which one could speak for another.
#include <tuple>

#include <fmt/format.h>

#include "base/text.hpp"
#include "engines/network/model6.hpp"
#include "engines/network/nft_expressions.hpp"
#include "engines/network/nft_rules.hpp"

namespace brume::network {
namespace {

using namespace expressions;

// RFC 4861, 3810.
constexpr int router_solicitation = 133;
constexpr int router_advertisement = 134;
constexpr int neighbour_solicitation = 135;
constexpr int neighbour_advertisement = 136;
constexpr int redirect = 137;
constexpr int listener_report = 143;

value address_range(const Ipv6Block& range) {
  if (range.prefix == 128) return value(format_ipv6(range.base));
  return {{"prefix", {{"addr", format_ipv6(range.base)}, {"len", range.prefix}}}};
}

value any_of(json::array values) {
  if (values.size() == 1) return values.front();
  return {{"set", std::move(values)}};
}

value link_local() { return {{"prefix", {{"addr", "fe80::"}, {"len", 10}}}}; }
value all_on_link() { return {{"prefix", {{"addr", "ff02::"}, {"len", 16}}}}; }

// Any address of the VPC.
value vpc_ranges(const Model& model) {
  json::array ranges;
  for (const auto& range : ranges6_of(model.vpc)) ranges.push_back(address_range(range));
  return any_of(std::move(ranges));
}

// Whom a guest speaks to about its link: the router by all its addresses.
value router_and_link(const Model& model) {
  json::array list = {link_local(), all_on_link()};
  for (const auto& subnet : model.vpc.subnets)
    if (const auto range = parse_ipv6_block(subnet.cidr6)) list.push_back(value(format_ipv6(router_address6(*range))));
  return any_of(std::move(list));
}

value icmp_types(std::initializer_list<json::value_ref> types) { return is(field("icmpv6", "type"), any_of(json::array(types))); }

// What every guest may say to the router, whatever its groups say.
std::vector<std::string> service_rules(const Model& model) {
  return {rule({is(field("ip6", "daddr"), router_and_link(model)),
                icmp_types({router_solicitation, neighbour_solicitation, neighbour_advertisement, listener_report}), accept()}),
          rule({is(field("ip6", "daddr"), any_of({link_local(), all_on_link()})), is(field("udp", "sport"), 546),
                is(field("udp", "dport"), 547), accept()})};
}

// --- security groups ---

std::string members_set(std::string_view group) { return "members6_" + table_name_part(group); }
std::string ingress_chain(std::string_view id) { return "in6_" + table_name_part(id); }
std::string egress_chain(std::string_view id) { return "out6_" + table_name_part(id); }

// False: the peer has no IPv6.
bool add_peer(json::array& expressions, const Permission& permission, std::string_view address_field) {
  if (!permission.group_id.empty()) {
    expressions.push_back(is(field("ip6", address_field), "@" + members_set(permission.group_id)));
    return true;
  }
  const auto range = parse_ipv6_block(permission.cidr);
  if (!range) return false;
  if (range->prefix > 0) expressions.push_back(is(field("ip6", address_field), address_range(*range)));
  return true;
}

bool add_protocol(json::array& expressions, const Permission& permission) {
  const auto& protocol = permission.protocol;
  if (protocol == "-1" || protocol == "all") return true;
  if (protocol == "tcp" || protocol == "6")
    add_ports(expressions, permission, "tcp");
  else if (protocol == "udp" || protocol == "17")
    add_ports(expressions, permission, "udp");
  else if (protocol == "icmpv6" || protocol == "58")
    add_icmp(expressions, permission, "icmpv6");
  else if (const auto number = parse_integer(protocol); number && *number >= 0 && *number <= 255)
    expressions.push_back(is(meta("l4proto"), *number));
  else
    return false;
  return true;
}

std::vector<std::string> group_rules(const std::vector<Permission>& permissions, std::string_view address_field) {
  std::vector<std::string> rules;
  for (const auto& permission : permissions) {
    json::array expressions;
    if (!add_peer(expressions, permission, address_field) || !add_protocol(expressions, permission)) continue;
    expressions.push_back(accept());
    rules.push_back(json::serialize(expressions));
  }
  return rules;
}

void add_groups(Table& table, const Model& model) {
  const auto name_members = [&](const std::string& id) { table.sets[members_set(id)].type = R"("ipv6_addr")"; };
  for (const auto& [id, group] : model.groups) {
    name_members(id);
    table.chains[ingress_chain(id)].rules = group_rules(group.ingress, "saddr");
    table.chains[egress_chain(id)].rules = group_rules(group.egress, "daddr");
    for (const auto* permissions : {&group.ingress, &group.egress})
      for (const auto& permission : *permissions)
        if (!permission.group_id.empty()) name_members(permission.group_id);
  }
  for (const auto& [id, interface] : model.interfaces)
    for (const auto& group : interface.group_ids) {
      name_members(group);
      table.chains[ingress_chain(group)];
      table.chains[egress_chain(group)];
      for (const auto& address : addresses6_of(interface))
        table.sets[members_set(group)].elements.insert(json::serialize(value(format_ipv6(address))));
    }
}

// --- interfaces ---

std::string from_outside_chain(const std::string& route_table_id) { return "from_outside6_" + table_name_part(route_table_id); }

void add_interface(Table& table, const Model& model, const InterfaceSpec& interface) {
  const auto tap = tap_name(interface.id);
  for (const auto& address : addresses6_of(interface))
    table.sets["sources6"].elements.insert(json::serialize(concatenation({tap, format_ipv6(address)})));
  const auto in = ingress_chain(interface.id);
  const auto out = egress_chain(interface.id);
  table.chains[in];
  table.chains[out];
  for (const auto& group : interface.group_ids) {
    table.chains[in].rules.push_back(rule({jump(ingress_chain(group))}));
    table.chains[out].rules.push_back(rule({jump(egress_chain(group))}));
  }
  table.sets["ingress6"].elements.insert(json::serialize(json::array{tap, jump(in)}));
  table.sets["egress6"].elements.insert(json::serialize(json::array{tap, jump(out)}));
  if (const auto* routes = route_table_of(model.vpc, interface))
    table.sets["from_outside6"].elements.insert(json::serialize(json::array{tap, jump(from_outside_chain(routes->id))}));
}

// Who may begin a connection from outside with an interface that this table rules: those to whom its way leads by the internet gateway.
void add_from_outside(Table& table, const RouteTableSpec& routes) {
  auto& chain = table.chains[from_outside_chain(routes.id)];
  for (const auto& route : sorted_routes6(routes)) {
    json::array expressions;
    const auto range = parse_ipv6_block(route.cidr).value_or(Ipv6Block{});
    if (range.prefix > 0) expressions.push_back(is(field("ip6", "saddr"), address_range(range)));
    expressions.push_back(route.target == RouteSpec::Target::internet ? accept() : drop());
    chain.rules.push_back(json::serialize(expressions));
  }
}

// --- network ACLs ---

std::string acl_chain(std::string_view direction, const std::string& acl_id) {
  return fmt::format("acl6_{}_{}", direction, table_name_part(acl_id));
}

std::string subnet_chain(std::string_view direction, const SubnetSpec& subnet) {
  return fmt::format("subnet6_{}_{:08x}", direction, parse_ipv4_block(subnet.cidr).value_or(Ipv4Block{}).base);
}

value go_on() { return {{"return", nullptr}}; }

void add_acl(Table& table, const AclSpec& acl, bool egress) {
  auto& chain = table.chains[acl_chain(egress ? "out" : "in", acl.id)];
  for (const auto& entry : acl.entries) {
    if (entry.egress != egress) continue;
    const Permission matched{entry.protocol, entry.from_port, entry.to_port, entry.cidr, ""};
    json::array expressions;
    if (!add_peer(expressions, matched, egress ? "daddr" : "saddr") || !add_protocol(expressions, matched)) continue;
    expressions.push_back(entry.allow ? go_on() : drop());
    chain.rules.push_back(json::serialize(expressions));
  }
  chain.rules.push_back(rule({drop()}));
}

// What stays inside a subnet passes no ACL.
void add_acls(Table& table, const Model& model) {
  for (const auto& acl : model.vpc.acls)
    for (const bool egress : {false, true}) add_acl(table, acl, egress);
  for (const auto& [id, interface] : model.interfaces) {
    const auto* subnet = subnet_of(model.vpc, interface);
    const auto range = subnet == nullptr ? std::nullopt : parse_ipv6_block(subnet->cidr6);
    if (!range || subnet->acl_id.empty()) continue;
    for (const auto& [direction, field_name, map] :
         {std::tuple("out", "daddr", "leaving_subnet6"), std::tuple("in", "saddr", "entering_subnet6")}) {
      const auto chain_name = subnet_chain(direction, *subnet);
      table.chains[chain_name].rules = {rule({is(field("ip6", field_name), address_range(*range)), go_on()}),
                                        rule({jump(acl_chain(direction, subnet->acl_id))})};
      table.sets[map].elements.insert(json::serialize(json::array{tap_name(id), jump(chain_name)}));
    }
  }
}

// --- the base ---

void add_sets(Table& table) {
  table.sets["sources6"].type = R"(["ifname","ipv6_addr"])";
  for (const auto* name : {"ingress6", "egress6", "leaving_subnet6", "entering_subnet6", "from_outside6"})
    table.sets[name] = Set{R"("ifname")", R"("verdict")", {}};
}

Chain guard(const Model& model) {
  return {{},
          {
              rule({from_uplink(), is(field("ip6", "saddr"), vpc_ranges(model)), drop()}),
              rule({from_uplink(), accept()}),
              rule({is(meta("iifname"), "lo"), accept()}),
              // Peer VPCs and tunnels carry none.
              rule({not_from_tap(), drop()}),
              rule({is_not(concatenation({meta("iifname"), field("ether", "saddr")}), "@hardware"), drop()}),
              rule({is(field("udp", "sport"), 547), is(field("udp", "dport"), 546), drop()}),
              rule({icmp_types({router_advertisement, redirect}), drop()}),
              rule({is(concatenation({meta("iifname"), field("ip6", "saddr")}), "@sources6"), accept()}),
              rule({is(field("ip6", "saddr"), link_local()), is(field("ip6", "daddr"), router_and_link(model)), accept()}),
              // :: is a guest that asks whether its address is taken, or who the router is.
              rule({is(field("ip6", "saddr"), "::"), is(field("ip6", "daddr"), all_on_link()),
                    icmp_types({router_solicitation, neighbour_solicitation, listener_report}), accept()}),
              rule({is(field("ip6", "saddr"), link_local()), drop()}),
              rule({is(meta("iifname"), "@unchecked"), accept()}),
              rule({drop()}),
          }};
}

Chain leaving(const Model& model) {
  Chain chain{{},
              {rule({invalid(), drop()}), rule({not_from_tap(), accept()}),
               rule({value{{"mangle", {{"key", meta("mark")}, {"value", look_up(meta("iifname"), "tables")}}}}}),
               rule({known_connection(), accept()})}};
  for (auto& service : service_rules(model)) chain.rules.push_back(std::move(service));
  chain.rules.push_back(rule({verdict_of("iifname", "egress6")}));
  chain.rules.push_back(rule({drop()}));
  return chain;
}

Chain router(const Model& model) {
  Chain chain{
      {},
      {rule({is(meta("iifname"), "lo"), accept()}), rule({known_connection(), accept()}),
       rule({from_uplink(), icmp_types({neighbour_solicitation, neighbour_advertisement}), accept()}), rule({not_from_tap(), drop()})}};
  for (auto& service : service_rules(model)) chain.rules.push_back(std::move(service));
  chain.rules.push_back(rule({drop()}));
  return chain;
}

Chain between(const Model& model) {
  return {{},
          {
              rule({to_tap(), is_not(concatenation({meta("oifname"), field("ip6", "daddr")}), "@sources6"),
                    is_not(meta("oifname"), "@unchecked"), drop()}),
              rule({verdict_of("iifname", "leaving_subnet6")}),
              rule({verdict_of("oifname", "entering_subnet6")}),
              rule({known_connection(), accept()}),
              rule({from_tap(), to_tap(), accept()}),
              rule({from_tap(), to_uplink(), is(field("ip6", "saddr"), vpc_ranges(model)), accept()}),
              rule({from_uplink(), to_tap(), verdict_of("oifname", "from_outside6")}),
              rule({drop()}),
          }};
}

Chain entering() {
  return {{},
          {
              rule({not_to_tap(), accept()}),
              rule({known_connection(), accept()}),
              // Nobody forwards for a link-local address: it is the router's own.
              rule({is(field("ip6", "saddr"), link_local()), accept()}),
              rule({from_router(), accept()}),
              rule({verdict_of("oifname", "ingress6")}),
              rule({drop()}),
          }};
}

}  // namespace

void add_ipv6_rules(Table& table, const Model& model) {
  add_sets(table);
  add_groups(table, model);
  for (const auto& [id, interface] : model.interfaces) add_interface(table, model, interface);
  for (const auto& routes : model.vpc.route_tables) add_from_outside(table, routes);
  add_acls(table, model);
  table.chains["guard6"] = guard(model);
  table.chains["leaving6"] = leaving(model);
  table.chains["router6"] = router(model);
  table.chains["between6"] = between(model);
  table.chains["entering6"] = entering();
  const auto is_ipv6 = is(meta("nfproto"), "ipv6");
  for (const auto* name : {"guard", "leaving", "router", "between", "entering"}) {
    auto& rules = table.chains[name].rules;
    std::erase(rules, rule({is_ipv6, drop()}));
    rules.insert(rules.begin(), rule({is_ipv6, jump(std::string(name) + "6")}));
  }
  // No address of IPv6 stands for another.
  for (const auto* name : {"to_private", "to_public"}) {
    auto& rules = table.chains[name].rules;
    rules.insert(rules.begin(), rule({is_ipv6, accept()}));
  }
}

void add_ipv6_rules(Table& table, const HostTableSpec& spec) {
  constexpr Ipv6Block unrouted{{{0xFC}}, 7};  // RFC 4193
  const auto ours = is(meta("iifname"), std::string(link_prefix) + spec.mark + "*");
  json::array pools;
  json::array masqueraded;
  for (const auto& text : spec.pools6) {
    const auto pool = parse_ipv6_block(text).value_or(Ipv6Block{});
    pools.push_back(address_range(pool));
    if (lies_in(pool, unrouted)) masqueraded.push_back(address_range(pool));
  }
  auto& input = table.chains["input"].rules;
  input.insert(input.end() - 1, rule({icmp_types({neighbour_solicitation, neighbour_advertisement}), accept()}));
  table.chains["forward"].rules.push_back(rule({ours, is_not(field("ip6", "saddr"), any_of(std::move(pools))), drop()}));
  if (masqueraded.empty()) return;
  table.chains["outside"].rules.push_back(
      rule({ours, is_not(meta("oifname"), std::string(link_prefix) + "*"), is(field("ip6", "saddr"), any_of(std::move(masqueraded))),
            value{{"masquerade", nullptr}}}));
}

}  // namespace brume::network
