#include "engines/network/nft/nft_rules.hpp"

#include <algorithm>

#include "engines/network/flows/flow_meter.hpp"
#include "engines/network/nft/nft_both.hpp"
#include "engines/network/nft/nft_expressions.hpp"
#include "engines/network/vpn/charon.hpp"

namespace brume::network {
namespace {

using namespace expressions;

// Reports it to the flow meter, if that listens.
value show_refused(std::string_view way, std::string_view what = "") {
  return {{"log", {{"prefix", std::string(way).append(what)}, {"group", refusal_group}, {"snaplen", 64}}}};
}
value from_peer() { return is(meta("iifname"), std::string(peering_prefix) + "*"); }
value to_peer() { return is(meta("oifname"), std::string(peering_prefix) + "*"); }
value was_sent_to_public() { return match("in", connection("status"), "dnat"); }

value translate(std::string_view kind, std::string_view address_field, std::string_view map) {
  return {{kind, {{"family", "ip"}, {"addr", look_up(field("ip", address_field), map)}}}};
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

// --- interfaces ---

// The routes of its subnet apply to what the interface sends: the mark selects the kernel's table.
void add_routing(Table& table, const Model& model, const InterfaceSpec& interface, std::uint32_t some_public_address) {
  const auto tap = tap_name(interface.id);
  const auto* subnet = subnet_of(model.vpc, interface);
  const auto mark = table_number(subnet == nullptr ? std::string() : subnet->route_table_id);
  table.sets["tables"].elements.insert(json::serialize(json::array{tap, mark}));
  const auto* routes = route_table_of(model.vpc, interface);
  const auto* outward = routes == nullptr ? nullptr : route_to<Ipv4>(*routes, some_public_address);
  if (outward != nullptr && outward->target == RouteSpec::Target::internet)
    table.sets["outward"].elements.insert(json::serialize(value(tap)));
}

void add_interface(Table& table, const Model& model, const InterfaceSpec& interface) {
  const auto tap = tap_name(interface.id);
  table.sets["hardware"].elements.insert(json::serialize(concatenation({tap, interface.mac})));
  if (!interface.source_dest_check) table.sets["unchecked"].elements.insert(json::serialize(value(tap)));
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

void add_refusals(Table& table, const Model& model) {
  if (!model.vpc.flow_logs) return;
  for (const bool leaving : {true, false}) {
    const auto way = leaving ? refused_leaving : refused_coming;
    table.chains[std::string(leaving ? refused_leaving_chain : refused_coming_chain)].rules = {
        rule({state({"new"}), show_refused(way, refused_new), drop()}),
        rule({state({"established"}), show_refused(way, refused_known), drop()}), rule({show_refused(way), drop()})};
  }
}

// --- the base, the same in every VPC ---

void add_sets(Table& table) {
  table.sets["hardware"].type = R"(["ifname","ether_addr"])";
  table.sets["unchecked"].type = R"("ifname")";
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
                                  is(field("ip", "saddr"), address_range<Ipv4>(parse_ipv4_block(cidr).value_or(Ipv4Block{}))),
                                  is(field("ip", "daddr"), vpc_ranges<Ipv4>(model)), accept()}));
  if (!model.vpc.peerings.empty()) chain.rules.push_back(rule({from_peer(), drop()}));
}

value from_tunnel() { return is(meta("iifname"), tunnel_link); }
value to_tunnel() { return is(meta("oifname"), tunnel_link); }

Chain guard(const Model& model) {
  Chain chain{hook("filter", "prerouting", -300, "accept"),
              {
                  rule({is(meta("nfproto"), "ipv6"), drop()}),
                  rule({from_uplink(), is(field("ip", "saddr"), vpc_ranges<Ipv4>(model)), drop()}),
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
  // A customer's network cannot use our addresses as source either.
  if (!model.vpc.vpns.empty())
    chain.rules.insert(chain.rules.begin() + 1, rule({from_tunnel(), is(field("ip", "saddr"), vpc_ranges<Ipv4>(model)), drop()}));
  return chain;
}

Chain leaving(const Model& model) {
  Chain chain{hook("filter", "prerouting", -150, "accept"), leaving_rules<Ipv4>(model, service_rules(model))};
  if (model.vpc.flow_logs)
    chain.rules.insert(chain.rules.begin(), {rule({from_tap(), invalid(), show_refused(refused_leaving)}),
                                             rule({not_from_tap(), invalid(), show_refused(refused_coming)})});
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
  Chain chain{hook("filter", "forward", 0, "drop"), edge_rules<Ipv4>()};
  for (auto& passing : {
           rule({is(field("ip", "daddr"), address_range<Ipv4>(Ipv4Block{0xA9FE0000, 16})), drop()}),
           rule({from_tap(), to_tap(), accept()}),
           rule({from_tap(), to_uplink(), accept()}),
           rule({from_uplink(), to_tap(), was_sent_to_public(), accept()}),
       })
    chain.rules.push_back(passing);
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
    const auto& all = table.routes;
    if (std::none_of(all.begin(), all.end(), [](const auto& route) { return route.target == RouteSpec::Target::nat; })) continue;
    for (const auto& route : sorted_routes<Ipv4>(table)) {
      json::array there = {to_uplink(), is(meta("mark"), table_number(table.id))};
      const auto range = parse_ipv4_block(route.cidr).value_or(Ipv4Block{});
      if (range.prefix > 0) there.push_back(is(field("ip", "daddr"), address_range<Ipv4>(range)));
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
  chain.rules.push_back(rule({was_sent_to_public(), is(field("ip", "saddr"), vpc_ranges<Ipv4>(model)), drop()}));
  return chain;
}

Chain entering(const Model& model) {
  return {hook("filter", "postrouting", 150, "accept"),
          {
              rule({not_to_tap(), accept()}),
              rule({known_connection(), accept()}),
              rule({from_router(), accept()}),
              rule({verdict_of("oifname", "ingress")}),
              refusal<Ipv4>(model, false),
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
  add_groups<Ipv4>(table, model);
  add_interfaces<Ipv4>(table, model);
  add_acls<Ipv4>(table, model);
  const auto outside = some_public_address(model);
  for (const auto& [id, interface] : model.interfaces) {
    add_interface(table, model, interface);
    add_routing(table, model, interface, outside);
  }
  add_refusals(table, model);
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
    for (const auto& text : texts) list.push_back(address_range<Ipv4>(parse_ipv4_block(text).value_or(Ipv4Block{})));
    return value{{"set", std::move(list)}};
  };
  const auto links = address_range<Ipv4>(parse_ipv4_block(spec.links).value_or(Ipv4Block{}));
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
  // Other installations on this host have routes back to our pool, and should see the real source.
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
