#include "engines/network/nft_rules.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "engines/network/charon.hpp"
#include "engines/network/flow_meter.hpp"
#include "engines/network/model6.hpp"
#include "engines/network/names.hpp"
#include "engines/network/nft_expressions.hpp"

namespace brume::network {
namespace {

using namespace expressions;

// Shows it to the flow meter, if that listens.
value show_refused(std::string_view way, std::string_view what = "") {
  return {{"log", {{"prefix", std::string(way).append(what)}, {"group", refusal_group}, {"snaplen", 64}}}};
}
value from_peer() { return is(meta("iifname"), std::string(peering_prefix) + "*"); }
value to_peer() { return is(meta("oifname"), std::string(peering_prefix) + "*"); }
value was_sent_to_public() { return match("in", connection("status"), "dnat"); }

value translate(std::string_view kind, std::string_view address_field, std::string_view map) {
  return {{kind, {{"family", "ip"}, {"addr", look_up(field("ip", address_field), map)}}}};
}

value address_range(const Ipv4Block& range) {
  if (range.prefix == 32) return value(format_ipv4(range.base));
  return {{"prefix", {{"addr", format_ipv4(range.base)}, {"len", range.prefix}}}};
}

// Any address of the VPC.
value vpc_ranges(const Model& model) {
  json::array ranges;
  for (const auto& range : ranges_of(model.vpc)) ranges.push_back(address_range(range));
  if (ranges.size() == 1) return ranges.front();
  return {{"set", std::move(ranges)}};
}

// The services that every guest may reach, whatever its groups say.
value to_metadata() { return is(field("ip", "daddr"), "169.254.169.254"); }
std::vector<std::string> service_rules(const Model& model) {
  const auto dns = dns_address(model.vpc);
  std::vector<std::string> rules = {rule({is(field("udp", "sport"), 68), is(field("udp", "dport"), 67), accept()})};
  for (const auto* protocol : {"udp", "tcp"})
    if (model.vpc.dns) rules.push_back(rule({is(field("ip", "daddr"), dns), is(field(protocol, "dport"), 53), accept()}));
  rules.push_back(rule({to_metadata(), is(field("tcp", "dport"), 80), accept()}));
  return rules;
}

// --- security groups ---

std::string members_set(std::string_view group) { return "members_" + table_name_part(group); }
std::string ingress_chain(std::string_view id) { return "in_" + table_name_part(id); }
std::string egress_chain(std::string_view id) { return "out_" + table_name_part(id); }

// False: the permission is for a peer that does not exist in this network (IPv6).
bool add_peer(json::array& expressions, const Permission& permission, std::string_view address_field) {
  if (!permission.group_id.empty()) {
    expressions.push_back(is(field("ip", address_field), "@" + members_set(permission.group_id)));
    return true;
  }
  const auto range = parse_ipv4_block(permission.cidr);
  if (!range) return false;
  if (range->prefix > 0) expressions.push_back(is(field("ip", address_field), address_range(*range)));
  return true;
}

bool add_protocol(json::array& expressions, const Permission& permission) {
  const auto& protocol = permission.protocol;
  if (protocol == "-1" || protocol == "all") return true;
  if (protocol == "tcp" || protocol == "6")
    add_ports(expressions, permission, "tcp");
  else if (protocol == "udp" || protocol == "17")
    add_ports(expressions, permission, "udp");
  else if (protocol == "icmp" || protocol == "1")
    add_icmp(expressions, permission, "icmp");
  else if (const auto number = parse_integer(protocol); number && *number >= 0 && *number <= 255)
    expressions.push_back(is(meta("l4proto"), *number));
  else
    return false;
  return true;
}

// What members of a peer VPC's group send comes over its peering; what has their addresses and comes over another is not theirs.
void add_peering(json::array& expressions, const Model& model, const Permission& permission) {
  if (permission.group_id.empty()) return;
  for (const auto& group : model.vpc.peer_groups)
    if (group.id == permission.group_id) expressions.push_back(is(meta("iifname"), peering_name(group.peering_id)));
}

std::vector<std::string> group_rules(const Model& model, const std::vector<Permission>& permissions, bool ingress) {
  const auto* address_field = ingress ? "saddr" : "daddr";
  std::vector<std::string> rules;
  for (const auto& permission : permissions) {
    json::array expressions;
    if (ingress) add_peering(expressions, model, permission);
    if (!add_peer(expressions, permission, address_field) || !add_protocol(expressions, permission)) continue;
    expressions.push_back(accept());
    rules.push_back(json::serialize(expressions));
  }
  return rules;
}

void add_groups(Table& table, const Model& model) {
  // A group that is only named, by a member or a rule, is there with nothing in it: it lets nothing through.
  const auto name_group = [&](const std::string& id) {
    table.sets[members_set(id)].type = R"("ipv4_addr")";
    table.chains[ingress_chain(id)];
    table.chains[egress_chain(id)];
  };
  for (const auto& [id, group] : model.groups) {
    name_group(id);
    table.chains[ingress_chain(id)].rules = group_rules(model, group.ingress, true);
    table.chains[egress_chain(id)].rules = group_rules(model, group.egress, false);
    for (const auto* permissions : {&group.ingress, &group.egress})
      for (const auto& permission : *permissions)
        if (!permission.group_id.empty()) table.sets[members_set(permission.group_id)].type = R"("ipv4_addr")";
  }
  for (const auto& group : model.vpc.peer_groups) {
    auto& members = table.sets[members_set(group.id)];
    members.type = R"("ipv4_addr")";
    for (const auto& address : group.addresses) members.elements.insert(json::serialize(value(address)));
  }
  for (const auto& [id, interface] : model.interfaces)
    for (const auto& group : interface.group_ids) {
      name_group(group);
      for (const auto& address : addresses_of(interface))
        table.sets[members_set(group)].elements.insert(json::serialize(value(address.private_ip)));
    }
}

// --- interfaces ---

// The routes of its subnet hold for what the interface sends: the mark picks the kernel's table.
void add_routing(Table& table, const Model& model, const InterfaceSpec& interface, std::uint32_t some_public_address) {
  const auto tap = tap_name(interface.id);
  const auto* subnet = subnet_of(model.vpc, interface);
  const auto mark = table_number(subnet == nullptr ? std::string() : subnet->route_table_id);
  table.sets["tables"].elements.insert(json::serialize(json::array{tap, mark}));
  const auto* routes = route_table_of(model.vpc, interface);
  const auto* outward = routes == nullptr ? nullptr : route_to(*routes, some_public_address);
  if (outward != nullptr && outward->target == RouteSpec::Target::internet)
    table.sets["outward"].elements.insert(json::serialize(value(tap)));
}

void add_interface(Table& table, const Model& model, const InterfaceSpec& interface) {
  const auto tap = tap_name(interface.id);
  table.sets["hardware"].elements.insert(json::serialize(concatenation({tap, interface.mac})));
  for (const auto& address : addresses_of(interface))
    table.sets["sources"].elements.insert(json::serialize(concatenation({tap, address.private_ip})));
  if (!interface.source_dest_check) table.sets["unchecked"].elements.insert(json::serialize(value(tap)));
  const auto in = ingress_chain(interface.id);
  const auto out = egress_chain(interface.id);
  for (const auto& group : interface.group_ids) {
    table.chains[in].rules.push_back(rule({jump(ingress_chain(group))}));
    table.chains[out].rules.push_back(rule({jump(egress_chain(group))}));
  }
  table.chains[in];
  table.chains[out];
  table.sets["ingress"].elements.insert(json::serialize(json::array{tap, jump(in)}));
  table.sets["egress"].elements.insert(json::serialize(json::array{tap, jump(out)}));
  for (const auto& address : addresses_of(interface)) {
    if (address.public_ip.empty() || !model.vpc.internet_gateway) continue;
    table.sets["public_of"].elements.insert(json::serialize(json::array{address.private_ip, address.public_ip}));
    table.sets["private_of"].elements.insert(json::serialize(json::array{address.public_ip, address.private_ip}));
  }
}

std::uint32_t some_public_address(const Model& model) {
  for (const auto& [id, interface] : model.interfaces)
    for (const auto& one : addresses_of(interface))
      if (const auto address = parse_ipv4(one.public_ip)) return *address;
  return 0;
}

// --- network ACLs ---

std::string acl_chain(std::string_view direction, const std::string& acl_id) {
  return fmt::format("acl_{}_{}", direction, table_name_part(acl_id));
}

std::string subnet_chain(std::string_view direction, const SubnetSpec& subnet) {
  return fmt::format("subnet_{}_{:08x}", direction, parse_ipv4_block(subnet.cidr).value_or(Ipv4Block{}).base);
}

value go_on() { return {{"return", nullptr}}; }

std::string refusal_chain(bool leaving) { return leaving ? "refused_leaving" : "refused_coming"; }

// `expressions`: which packets; none: all.
std::string refusal(const Model& model, bool leaving, json::array expressions = {}) {
  if (model.vpc.flow_logs)
    expressions.push_back(value{{"goto", {{"target", refusal_chain(leaving)}}}});
  else
    expressions.push_back(drop());
  return json::serialize(expressions);
}

void add_refusals(Table& table, const Model& model) {
  if (!model.vpc.flow_logs) return;
  for (const bool leaving : {true, false}) {
    const auto way = leaving ? refused_leaving : refused_coming;
    table.chains[refusal_chain(leaving)].rules = {rule({state({"new"}), show_refused(way, refused_new), drop()}),
                                                  rule({state({"established"}), show_refused(way, refused_known), drop()}),
                                                  rule({show_refused(way), drop()})};
  }
}

void add_acl(Table& table, const Model& model, const AclSpec& acl, bool egress) {
  auto& chain = table.chains[acl_chain(egress ? "out" : "in", acl.id)];
  for (const auto& entry : acl.entries) {
    if (entry.egress != egress) continue;
    const Permission matched{entry.protocol, entry.from_port, entry.to_port, entry.cidr, ""};
    json::array expressions;
    if (!add_peer(expressions, matched, egress ? "daddr" : "saddr") || !add_protocol(expressions, matched)) continue;
    if (entry.allow) expressions.push_back(go_on());
    chain.rules.push_back(entry.allow ? json::serialize(expressions) : refusal(model, egress, std::move(expressions)));
  }
  chain.rules.push_back(refusal(model, egress));
}

// What stays inside a subnet passes no ACL.
void add_acls(Table& table, const Model& model) {
  table.sets["leaving_subnet"] = Set{R"("ifname")", R"("verdict")", {}};
  table.sets["entering_subnet"] = Set{R"("ifname")", R"("verdict")", {}};
  for (const auto& acl : model.vpc.acls)
    for (const bool egress : {false, true}) add_acl(table, model, acl, egress);
  for (const auto& subnet : model.vpc.subnets) {
    if (subnet.acl_id.empty()) continue;
    const auto range = address_range(parse_ipv4_block(subnet.cidr).value_or(Ipv4Block{}));
    table.chains[subnet_chain("out", subnet)].rules = {rule({is(field("ip", "daddr"), range), go_on()}),
                                                       rule({jump(acl_chain("out", subnet.acl_id))})};
    table.chains[subnet_chain("in", subnet)].rules = {rule({is(field("ip", "saddr"), range), go_on()}),
                                                      rule({jump(acl_chain("in", subnet.acl_id))})};
  }
  for (const auto& [id, interface] : model.interfaces) {
    const auto* subnet = subnet_of(model.vpc, interface);
    if (subnet == nullptr || subnet->acl_id.empty()) continue;
    const auto tap = tap_name(id);
    table.sets["leaving_subnet"].elements.insert(json::serialize(json::array{tap, jump(subnet_chain("out", *subnet))}));
    table.sets["entering_subnet"].elements.insert(json::serialize(json::array{tap, jump(subnet_chain("in", *subnet))}));
  }
}

// --- the base, the same in every VPC ---

void add_sets(Table& table) {
  table.sets["hardware"].type = R"(["ifname","ether_addr"])";
  table.sets["sources"].type = R"(["ifname","ipv4_addr"])";
  table.sets["unchecked"].type = R"("ifname")";
  table.sets["ingress"] = Set{R"("ifname")", R"("verdict")", {}};
  table.sets["egress"] = Set{R"("ifname")", R"("verdict")", {}};
  table.sets["public_of"] = Set{R"("ipv4_addr")", R"("ipv4_addr")", {}};
  table.sets["private_of"] = Set{R"("ipv4_addr")", R"("ipv4_addr")", {}};
  table.sets["tables"] = Set{R"("ifname")", R"("mark")", {}};
  table.sets["outward"] = Set{R"("ifname")", "", {json::serialize(value(uplink_name))}};
}

// From its ranges to ours: nobody passes through a VPC to a third one, to the internet or back.
void add_peers(Chain& chain, const Model& model) {
  for (const auto& peering : model.vpc.peerings)
    for (const auto& cidr : peering.peer_cidrs)
      chain.rules.push_back(rule({is(meta("iifname"), peering_name(peering.id)),
                                  is(field("ip", "saddr"), address_range(parse_ipv4_block(cidr).value_or(Ipv4Block{}))),
                                  is(field("ip", "daddr"), vpc_ranges(model)), accept()}));
  if (!model.vpc.peerings.empty()) chain.rules.push_back(rule({from_peer(), drop()}));
}

value from_tunnel() { return is(meta("iifname"), tunnel_link); }
value to_tunnel() { return is(meta("oifname"), tunnel_link); }

Chain guard(const Model& model) {
  Chain chain{hook("filter", "prerouting", -300, "accept"),
              {
                  rule({is(meta("nfproto"), "ipv6"), drop()}),
                  rule({from_uplink(), is(field("ip", "saddr"), vpc_ranges(model)), drop()}),
              }};
  add_peers(chain, model);
  for (auto& checked : {
           rule({not_from_tap(), accept()}),
           rule({is_not(concatenation({meta("iifname"), field("ether", "saddr")}), "@hardware"), drop()}),
           rule({is(field("udp", "sport"), 67), is(field("udp", "dport"), 68), drop()}),
           rule({is(concatenation({meta("iifname"), field("ip", "saddr")}), "@sources"), accept()}),
           rule({is(field("ip", "saddr"), "0.0.0.0"), is(field("udp", "sport"), 68), is(field("udp", "dport"), 67), accept()}),
           rule({is(meta("iifname"), "@unchecked"), accept()}),
           rule({drop()}),
       })
    chain.rules.push_back(checked);
  // Nor does a customer's network speak as one of ours.
  if (!model.vpc.vpns.empty())
    chain.rules.insert(chain.rules.begin() + 1, rule({from_tunnel(), is(field("ip", "saddr"), vpc_ranges(model)), drop()}));
  return chain;
}

Chain leaving(const Model& model) {
  Chain chain{hook("filter", "prerouting", -150, "accept"),
              {rule({invalid(), drop()}), rule({not_from_tap(), accept()}),
               // Each packet's way is decided by the routes as they are now, also within a known connection.
               rule({value{{"mangle", {{"key", meta("mark")}, {"value", look_up(meta("iifname"), "tables")}}}}}),
               rule({known_connection(), accept()})}};
  if (model.vpc.flow_logs)
    chain.rules.insert(chain.rules.begin(), {rule({from_tap(), invalid(), show_refused(refused_leaving)}),
                                             rule({not_from_tap(), invalid(), show_refused(refused_coming)})});
  for (auto& service : service_rules(model)) chain.rules.push_back(std::move(service));
  chain.rules.push_back(rule({verdict_of("iifname", "egress")}));
  chain.rules.push_back(refusal(model, true));
  return chain;
}

Chain router(const Model& model) {
  Chain chain{hook("filter", "input", 0, "drop"), {rule({is(meta("iifname"), "lo"), accept()}), rule({known_connection(), accept()})}};
  // IKE, and ESP wrapped in UDP, with the customers' gateways.
  for (const auto& vpn : model.vpc.vpns)
    for (const auto& tunnel : vpn.tunnels)
      for (const int port : {500, 4500})
        chain.rules.push_back(rule({from_uplink(), is(field("ip", "saddr"), vpn.customer_ip), is(field("ip", "daddr"), tunnel.outside_ip),
                                    is(field("udp", "dport"), port), accept()}));
  chain.rules.push_back(rule({not_from_tap(), drop()}));
  for (auto& service : service_rules(model)) chain.rules.push_back(std::move(service));
  return chain;
}

Chain between(const Model& model) {
  Chain chain{hook("filter", "forward", 0, "drop"),
              {
                  rule({to_tap(), is_not(concatenation({meta("oifname"), field("ip", "daddr")}), "@sources"),
                        is_not(meta("oifname"), "@unchecked"), drop()}),
                  rule({verdict_of("iifname", "leaving_subnet")}),
                  rule({verdict_of("oifname", "entering_subnet")}),
                  rule({known_connection(), accept()}),
                  rule({is(field("ip", "daddr"), address_range(Ipv4Block{0xA9FE0000, 16})), drop()}),
                  rule({from_tap(), to_tap(), accept()}),
                  rule({from_tap(), to_uplink(), accept()}),
                  rule({from_uplink(), to_tap(), was_sent_to_public(), accept()}),
              }};
  if (!model.vpc.peerings.empty()) {
    chain.rules.push_back(rule({from_tap(), to_peer(), accept()}));
    chain.rules.push_back(rule({from_peer(), to_tap(), accept()}));
  }
  if (model.vpc.vpns.empty()) return chain;
  chain.rules.push_back(rule({from_tap(), to_tunnel(), accept()}));
  chain.rules.push_back(rule({from_tunnel(), to_tap(), accept()}));
  return chain;
}

// What leaves by a NAT gateway, table by table: as in routing, the most specific range decides.
void add_nats(Chain& chain, const Model& model) {
  const auto public_ip_of = [&](const std::string& nat_id) {
    for (const auto& nat : model.vpc.nats)
      if (nat.id == nat_id) return nat.public_ip;
    return std::string();
  };
  for (const auto& table : model.vpc.route_tables) {
    auto routes = table.routes;
    if (std::none_of(routes.begin(), routes.end(), [](const auto& route) { return route.target == RouteSpec::Target::nat; })) continue;
    const auto prefix = [](const RouteSpec& route) { return parse_ipv4_block(route.cidr).value_or(Ipv4Block{}).prefix; };
    std::stable_sort(routes.begin(), routes.end(), [&](const auto& a, const auto& b) { return prefix(a) > prefix(b); });
    for (const auto& route : routes) {
      json::array there = {to_uplink(), is(meta("mark"), table_number(table.id))};
      if (prefix(route) > 0) there.push_back(is(field("ip", "daddr"), address_range(*parse_ipv4_block(route.cidr))));
      const auto add = [&](value verdict) {
        auto expressions = there;
        expressions.push_back(std::move(verdict));
        chain.rules.push_back(json::serialize(expressions));
      };
      const auto outer = route.target == RouteSpec::Target::nat ? public_ip_of(route.id) : std::string();
      if (route.target == RouteSpec::Target::internet) add(translate("snat", "saddr", "public_of"));
      add(outer.empty() ? drop() : value{{"snat", {{"family", "ip"}, {"addr", outer}}}});
    }
  }
}

Chain to_public(const Model& model) {
  Chain chain{hook("nat", "postrouting", 100, "accept"), {rule({from_router(), accept()})}};
  add_nats(chain, model);
  chain.rules.push_back(rule({to_uplink(), translate("snat", "saddr", "public_of")}));
  chain.rules.push_back(rule({to_uplink(), drop()}));
  chain.rules.push_back(rule({was_sent_to_public(), translate("snat", "saddr", "public_of")}));
  chain.rules.push_back(rule({was_sent_to_public(), is(field("ip", "saddr"), vpc_ranges(model)), drop()}));
  return chain;
}

Chain entering(const Model& model) {
  return {hook("filter", "postrouting", 150, "accept"),
          {
              rule({not_to_tap(), accept()}),
              rule({known_connection(), accept()}),
              rule({from_router(), accept()}),
              rule({verdict_of("oifname", "ingress")}),
              refusal(model, false),
          }};
}

Table arp_table(const Model& model) {
  Table table{"arp", std::string(vpc_table), {}, {}};
  table.sets["claims"].type = R"(["ifname","ether_addr","ipv4_addr"])";
  for (const auto& [id, interface] : model.interfaces)
    for (const auto& address : addresses_of(interface))
      table.sets["claims"].elements.insert(json::serialize(concatenation({tap_name(id), interface.mac, address.private_ip})));
  const auto claim = concatenation({meta("iifname"), field("arp", "saddr ether"), field("arp", "saddr ip")});
  // 0.0.0.0 is a guest asking whether its address is taken.
  table.chains["guard"] = {hook("filter", "input", 0, "accept"),
                           {
                               rule({not_from_tap(), accept()}),
                               rule({is(claim, "@claims"), accept()}),
                               rule({is(field("arp", "saddr ip"), "0.0.0.0"), is(field("arp", "operation"), "request"), accept()}),
                               rule({drop()}),
                           }};
  return table;
}

}  // namespace

std::vector<Table> vpc_tables(const Model& model) {
  Table table{"inet", std::string(vpc_table), {}, {}};
  add_sets(table);
  add_groups(table, model);
  const auto outside = some_public_address(model);
  for (const auto& [id, interface] : model.interfaces) {
    add_interface(table, model, interface);
    add_routing(table, model, interface, outside);
  }
  add_refusals(table, model);
  add_acls(table, model);
  table.chains["guard"] = guard(model);
  table.chains["leaving"] = leaving(model);
  table.chains["to_private"] = {hook("nat", "prerouting", -100, "accept"),
                                {rule({is(meta("iifname"), "@outward"), translate("dnat", "daddr", "private_of")})}};
  table.chains["router"] = router(model);
  table.chains["between"] = between(model);
  table.chains["to_public"] = to_public(model);
  table.chains["entering"] = entering(model);
  if (has_ipv6(model.vpc)) add_ipv6_rules(table, model);
  return {std::move(table), arp_table(model)};
}

std::vector<Table> host_tables(const HostTableSpec& spec) {
  const auto ranges = [](std::vector<std::string> texts, const std::string& more) {
    json::array list;
    texts.push_back(more);
    for (const auto& text : texts) list.push_back(address_range(parse_ipv4_block(text).value_or(Ipv4Block{})));
    return value{{"set", std::move(list)}};
  };
  const auto links = address_range(parse_ipv4_block(spec.links).value_or(Ipv4Block{}));
  const auto ours = std::string(link_prefix) + spec.mark + "*";
  Table table{"inet", host_table(spec.mark), {}, {}};
  table.chains["input"] = {hook("filter", "input", -10, "accept"),
                           {
                               rule({is_not(meta("iifname"), ours), accept()}),
                               rule({known_connection(), accept()}),
                               // A namespace's DNS forwarder asks a resolver that runs on this host.
                               rule({is(field("ip", "saddr"), links), is(field("udp", "dport"), 53), accept()}),
                               rule({is(field("ip", "saddr"), links), is(field("tcp", "dport"), 53), accept()}),
                               rule({drop()}),
                           }};
  table.chains["forward"] = {hook("filter", "forward", -10, "accept"),
                             {rule({is(meta("iifname"), ours), is_not(field("ip", "saddr"), ranges(spec.pools, spec.links)), drop()})}};
  // Other installations on this host have routes back to our pool, and shall see who is speaking.
  table.chains["outside"] = {hook("nat", "postrouting", 100, "accept"), {}};
  const auto others = std::string(link_prefix) + "*";
  const auto masquerade = [&](value sources, const std::string& except) {
    json::array expressions = {is(meta("iifname"), ours), is_not(meta("oifname"), others)};
    if (!except.empty()) expressions.push_back(is_not(meta("oifname"), except));
    expressions.push_back(is(field("ip", "saddr"), std::move(sources)));
    expressions.push_back(value{{"masquerade", nullptr}});
    table.chains["outside"].rules.push_back(json::serialize(expressions));
  };
  if (spec.uplink.empty() && !spec.masqueraded.empty()) {
    masquerade(ranges(spec.masqueraded, spec.links), "");
  } else {
    masquerade(links, "");
    if (!spec.masqueraded.empty()) masquerade(ranges(spec.masqueraded, spec.links), spec.uplink);
  }
  if (!spec.pools6.empty()) add_ipv6_rules(table, spec);
  return {std::move(table)};
}

}  // namespace brume::network
