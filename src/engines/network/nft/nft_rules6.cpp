// The rules for IPv6; their way through the hooks is in nft_rules.hpp. Only the guest and the router are on a guest's link: nobody tells
// neighbours about each other, so no guest can pretend to be another.
#include "engines/network/nft/nft_both.hpp"
#include "engines/network/nft/nft_expressions.hpp"
#include "engines/network/nft/nft_rules.hpp"

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

value link_local() { return {{"prefix", {{"addr", "fe80::"}, {"len", 10}}}}; }
value all_on_link() { return {{"prefix", {{"addr", "ff02::"}, {"len", 16}}}}; }

// The destinations for a guest's messages about its link: all addresses of the router.
value router_and_link(const Model& model) {
  json::array list = {link_local(), all_on_link()};
  for (const auto& subnet : model.vpc.subnets)
    if (const auto range = parse_ipv6_block(subnet.cidr6)) list.push_back(value(format_ipv6(router_address6(*range))));
  return any_of(std::move(list));
}

value icmp_types(std::initializer_list<json::value_ref> types) { return is(field("icmpv6", "type"), any_of(json::array(types))); }

// What every guest may send to the router, whatever its groups say.
std::vector<std::string> service_rules6(const Model& model) {
  return {rule({is(field("ip6", "daddr"), router_and_link(model)),
                icmp_types({router_solicitation, neighbour_solicitation, neighbour_advertisement, listener_report}), accept()}),
          rule({is(field("ip6", "daddr"), any_of({link_local(), all_on_link()})), is(field("udp", "sport"), 546),
                is(field("udp", "dport"), 547), accept()})};
}

std::string from_outside_chain(const std::string& route_table_id) { return "from_outside6_" + table_name_part(route_table_id); }

// Interfaces with which a connection may begin from outside, by route table: those whose route leads through the internet gateway.
void add_from_outside(Table& table, const Model& model) {
  for (const auto& routes : model.vpc.route_tables) {
    auto& chain = table.chains[from_outside_chain(routes.id)];
    for (const auto& route : sorted_routes<Ipv6>(routes)) {
      json::array expressions;
      const auto range = parse_ipv6_block(route.cidr).value_or(Ipv6Block{});
      if (range.prefix > 0) expressions.push_back(is(field("ip6", "saddr"), address_range<Ipv6>(range)));
      expressions.push_back(route.target == RouteSpec::Target::internet ? accept() : drop());
      chain.rules.push_back(json::serialize(expressions));
    }
  }
  auto& verdicts = table.sets["from_outside6"] = Set{R"("ifname")", R"("verdict")", {}};
  for (const auto& [id, interface] : model.interfaces)
    if (const auto* routes = route_table_of(model.vpc, interface))
      verdicts.elements.insert(json::serialize(json::array{tap_name(id), jump(from_outside_chain(routes->id))}));
}

// --- the base ---

Chain guard6(const Model& model) {
  return {{},
          {
              rule({from_uplink(), is(field("ip6", "saddr"), vpc_ranges<Ipv6>(model)), drop()}),
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

Chain router6(const Model& model) {
  Chain chain{
      {},
      {rule({is(meta("iifname"), "lo"), accept()}), rule({known_connection(), accept()}),
       rule({from_uplink(), icmp_types({neighbour_solicitation, neighbour_advertisement}), accept()}), rule({not_from_tap(), drop()})}};
  for (auto& service : service_rules6(model)) chain.rules.push_back(std::move(service));
  chain.rules.push_back(rule({drop()}));
  return chain;
}

Chain between6(const Model& model) {
  Chain chain{{}, edge_rules<Ipv6>()};
  for (auto& passing : {
           rule({from_tap(), to_tap(), accept()}),
           rule({from_tap(), to_uplink(), is(field("ip6", "saddr"), vpc_ranges<Ipv6>(model)), accept()}),
           rule({from_uplink(), to_tap(), verdict_of("oifname", "from_outside6")}),
           rule({drop()}),
       })
    chain.rules.push_back(passing);
  return chain;
}

Chain entering6() {
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
  add_groups<Ipv6>(table, model);
  add_interfaces<Ipv6>(table, model);
  add_acls<Ipv6>(table, model);
  add_from_outside(table, model);
  table.chains["guard6"] = guard6(model);
  table.chains["leaving6"] = {{}, leaving_rules<Ipv6>(model, service_rules6(model))};
  table.chains["router6"] = router6(model);
  table.chains["between6"] = between6(model);
  table.chains["entering6"] = entering6();
  const auto is_ipv6 = is(meta("nfproto"), "ipv6");
  for (const auto* name : {"guard", "leaving", "router", "between", "entering"}) {
    auto& rules = table.chains[name].rules;
    std::erase(rules, rule({is_ipv6, drop()}));
    rules.insert(rules.begin(), rule({is_ipv6, jump(std::string(name) + "6")}));
  }
  // IPv6 addresses are not translated.
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
    pools.push_back(address_range<Ipv6>(pool));
    if (lies_in(pool, unrouted)) masqueraded.push_back(address_range<Ipv6>(pool));
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
