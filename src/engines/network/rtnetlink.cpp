#include "engines/network/rtnetlink.hpp"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <cerrno>

namespace brume::network {
namespace {

ifinfomsg link_body(int index) {
  ifinfomsg body{};
  body.ifi_family = AF_UNSPEC;
  body.ifi_index = index;
  return body;
}

Link read_link(std::span<const std::uint8_t> payload) {
  Link link;
  link.index = take_body<ifinfomsg>(payload).ifi_index;
  for (const auto& attribute : parse_attributes(payload)) {
    if (attribute.type == IFLA_IFNAME) link.name = attribute.text();
    if (attribute.type == IFLA_IFALIAS) link.alias = attribute.text();
    if (attribute.type != IFLA_LINKINFO) continue;
    for (const auto& info : parse_attributes(attribute.bytes))
      if (info.type == IFLA_INFO_KIND) link.kind = info.text();
  }
  return link;
}

std::optional<Route> read_route(std::span<const std::uint8_t> payload) {
  const auto body = take_body<rtmsg>(payload);
  if (body.rtm_family != AF_INET || body.rtm_table == RT_TABLE_LOCAL) return std::nullopt;
  Route route;
  route.destination.prefix = body.rtm_dst_len;
  route.protocol = body.rtm_protocol;
  route.type = body.rtm_type;
  route.table = body.rtm_table == RT_TABLE_MAIN ? 0 : body.rtm_table;
  for (const auto& attribute : parse_attributes(payload)) {
    if (attribute.type == RTA_DST) route.destination.base = ntohl(attribute.as<std::uint32_t>());
    if (attribute.type == RTA_OIF) route.link = attribute.as<int>();
    if (attribute.type == RTA_GATEWAY) route.gateway = ntohl(attribute.as<std::uint32_t>());
    if (attribute.type == RTA_PREFSRC) route.source = ntohl(attribute.as<std::uint32_t>());
    if (attribute.type == RTA_PRIORITY) route.metric = attribute.as<std::uint32_t>();
    if (attribute.type == RTA_TABLE && attribute.as<std::uint32_t>() != RT_TABLE_MAIN) route.table = attribute.as<std::uint32_t>();
  }
  return route;
}

NetlinkMessage route_message(std::uint16_t type, std::uint16_t flags, const Route& route) {
  rtmsg body{};
  body.rtm_family = AF_INET;
  body.rtm_dst_len = static_cast<unsigned char>(route.destination.prefix);
  body.rtm_table = route.table == 0 ? RT_TABLE_MAIN : RT_TABLE_UNSPEC;
  body.rtm_protocol = route.protocol;
  body.rtm_type = route.type;
  body.rtm_scope = route.type == RTN_UNICAST && route.gateway == 0 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  // Whatever its scope is: who removes a route by its link need not know that it has a gateway.
  if (type == RTM_DELROUTE) body.rtm_scope = RT_SCOPE_NOWHERE;
  if (route.on_link) body.rtm_flags = RTNH_F_ONLINK;
  NetlinkMessage message(type, flags);
  message.body(body);
  if (route.destination.prefix > 0) message.number(RTA_DST, htonl(route.destination.base));
  if (route.link != 0) message.number(RTA_OIF, route.link);
  if (route.gateway != 0) message.number(RTA_GATEWAY, htonl(route.gateway));
  if (route.source != 0) message.number(RTA_PREFSRC, htonl(route.source));
  if (route.metric != 0) message.number(RTA_PRIORITY, route.metric);
  if (route.table != 0) message.number(RTA_TABLE, route.table);
  return message;
}

NetlinkMessage rule_message(std::uint16_t type, std::uint16_t flags, std::uint32_t preference, const MarkRule& rule, int family) {
  fib_rule_hdr body{};
  body.family = static_cast<std::uint8_t>(family);
  body.action = FR_ACT_TO_TBL;
  NetlinkMessage message(type, flags);
  message.body(body);
  message.number(FRA_PRIORITY, preference).number(FRA_FWMARK, rule.mark).number(FRA_TABLE, rule.table);
  return message;
}

}  // namespace

Result<RouteSocket> RouteSocket::open() {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return fail(socket.error());
  return RouteSocket(std::move(*socket));
}

Result<std::vector<Link>> RouteSocket::links() {
  std::vector<Link> links;
  NetlinkMessage message(RTM_GETLINK, 0);
  message.body(link_body(0));
  auto done = socket_.dump(std::move(message), [&](std::uint16_t type, std::span<const std::uint8_t> payload) {
    if (type == RTM_NEWLINK) links.push_back(read_link(payload));
  });
  if (!done) return fail(done.error().within("cannot list links"));
  return links;
}

Result<std::optional<Link>> RouteSocket::link(const std::string& name) {
  auto all = links();
  if (!all) return fail(all.error());
  for (auto& one : *all)
    if (one.name == name) return std::optional(std::move(one));
  return std::optional<Link>();
}

Result<std::vector<LinkAddress>> RouteSocket::addresses() {
  std::vector<LinkAddress> addresses;
  ifaddrmsg body{};
  body.ifa_family = AF_INET;
  NetlinkMessage message(RTM_GETADDR, 0);
  message.body(body);
  auto done = socket_.dump(std::move(message), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    const auto header = take_body<ifaddrmsg>(payload);
    LinkAddress one{static_cast<int>(header.ifa_index), 0, header.ifa_prefixlen};
    for (const auto& attribute : parse_attributes(payload))
      if (attribute.type == IFA_LOCAL) one.address = ntohl(attribute.as<std::uint32_t>());
    addresses.push_back(one);
  });
  if (!done) return fail(done.error().within("cannot list addresses"));
  return addresses;
}

Result<std::vector<Route>> RouteSocket::routes() {
  std::vector<Route> routes;
  rtmsg body{};
  body.rtm_family = AF_INET;
  NetlinkMessage message(RTM_GETROUTE, 0);
  message.body(body);
  auto done = socket_.dump(std::move(message), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    if (auto route = read_route(payload)) routes.push_back(*route);
  });
  if (!done) return fail(done.error().within("cannot list routes"));
  return routes;
}

void RouteSocket::add_veth(const std::string& name, const std::string& peer, int peer_namespace) {
  NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.body(link_body(0)).text(IFLA_IFNAME, name);
  message.nested(IFLA_LINKINFO, [&](NetlinkMessage& info) {
    info.text(IFLA_INFO_KIND, "veth");
    info.nested(IFLA_INFO_DATA, [&](NetlinkMessage& data) {
      data.nested(VETH_INFO_PEER,
                  [&](NetlinkMessage& other) { other.body(link_body(0)).text(IFLA_IFNAME, peer).number(IFLA_NET_NS_FD, peer_namespace); });
    });
  });
  socket_.queue(std::move(message), "cannot make link " + name);
}

void RouteSocket::remove_link(int index, const std::string& name) {
  NetlinkMessage message(RTM_DELLINK, 0);
  message.body(link_body(index));
  socket_.queue(std::move(message), "cannot remove link " + name, ENODEV);
}

void RouteSocket::remove_links(const std::vector<int>& indexes) {
  if (indexes.empty()) return;
  constexpr std::uint32_t doomed = 0x62727500;  // a link group for this moment only
  for (const int index : indexes) {
    NetlinkMessage message(RTM_NEWLINK, 0);
    message.body(link_body(index)).number(IFLA_GROUP, doomed);
    socket_.queue(std::move(message), "cannot prepare link " + std::to_string(index) + " for removal", ENODEV);
  }
  NetlinkMessage message(RTM_DELLINK, 0);
  message.body(link_body(0)).number(IFLA_GROUP, doomed);
  socket_.queue(std::move(message), "cannot remove links", ENODEV);
}

void RouteSocket::set_up(int index, const std::string& alias, const std::string& mac) {
  auto body = link_body(index);
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  NetlinkMessage message(RTM_NEWLINK, 0);
  message.body(body);
  if (!mac.empty()) message.attribute(IFLA_ADDRESS, mac_bytes(mac));
  if (!alias.empty()) message.text(IFLA_IFALIAS, alias);
  socket_.queue(std::move(message), "cannot set link " + std::to_string(index) + " up");
}

void RouteSocket::add_address(int link, std::uint32_t address, unsigned prefix) {
  ifaddrmsg body{};
  body.ifa_family = AF_INET;
  body.ifa_prefixlen = static_cast<std::uint8_t>(prefix);
  body.ifa_index = static_cast<unsigned>(link);
  NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  message.body(body).number(IFA_LOCAL, htonl(address)).number(IFA_ADDRESS, htonl(address));
  socket_.queue(std::move(message), "cannot give address " + format_ipv4(address), EEXIST);
}

void RouteSocket::remove_address(int link, std::uint32_t address, unsigned prefix) {
  ifaddrmsg body{};
  body.ifa_family = AF_INET;
  body.ifa_prefixlen = static_cast<std::uint8_t>(prefix);
  body.ifa_index = static_cast<unsigned>(link);
  NetlinkMessage message(RTM_DELADDR, 0);
  message.body(body).number(IFA_LOCAL, htonl(address));
  socket_.queue(std::move(message), "cannot take back address " + format_ipv4(address), EADDRNOTAVAIL);
}

void RouteSocket::put_route(const Route& route) {
  socket_.queue(route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route),
                "cannot set the route to " + format_ipv4_block(route.destination));
}

void RouteSocket::remove_route(const Route& route) {
  socket_.queue(route_message(RTM_DELROUTE, 0, route), "cannot remove the route to " + format_ipv4_block(route.destination), ESRCH);
}

Result<std::vector<MarkRule>> RouteSocket::mark_rules(std::uint32_t preference, int family) {
  std::vector<MarkRule> rules;
  fib_rule_hdr body{};
  body.family = static_cast<std::uint8_t>(family);
  NetlinkMessage message(RTM_GETRULE, 0);
  message.body(body);
  auto done = socket_.dump(std::move(message), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    take_body<fib_rule_hdr>(payload);
    MarkRule rule;
    std::uint32_t at = 0;
    for (const auto& attribute : parse_attributes(payload)) {
      if (attribute.type == FRA_PRIORITY) at = attribute.as<std::uint32_t>();
      if (attribute.type == FRA_FWMARK) rule.mark = attribute.as<std::uint32_t>();
      if (attribute.type == FRA_TABLE) rule.table = attribute.as<std::uint32_t>();
    }
    if (at == preference) rules.push_back(rule);
  });
  if (!done) return fail(done.error().within("cannot list routing rules"));
  return rules;
}

void RouteSocket::add_mark_rule(std::uint32_t preference, const MarkRule& rule, int family) {
  socket_.queue(rule_message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, preference, rule, family), "cannot add a routing rule", EEXIST);
}

void RouteSocket::remove_mark_rule(std::uint32_t preference, const MarkRule& rule, int family) {
  socket_.queue(rule_message(RTM_DELRULE, 0, preference, rule, family), "cannot remove a routing rule", ENOENT);
}

void RouteSocket::answer_at_once(int link) {
  ndtmsg body{};
  body.ndtm_family = AF_INET;
  NetlinkMessage message(RTM_SETNEIGHTBL, NLM_F_REPLACE);
  message.body(body).text(NDTA_NAME, "arp_cache");
  message.nested(NDTA_PARMS, [&](NetlinkMessage& parameters) {
    parameters.number(NDTPA_IFINDEX, static_cast<std::uint32_t>(link)).number(NDTPA_PROXY_DELAY, std::uint64_t{0});
  });
  socket_.queue(std::move(message), "cannot set the proxy delay of link " + std::to_string(link));
}

void RouteSocket::put_neighbour(int link, std::uint32_t address, const std::string& mac) {
  ndmsg body{};
  body.ndm_family = AF_INET;
  body.ndm_ifindex = link;
  body.ndm_state = NUD_PERMANENT;
  NetlinkMessage message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  message.body(body).number(NDA_DST, htonl(address)).attribute(NDA_LLADDR, mac_bytes(mac));
  socket_.queue(std::move(message), "cannot set the neighbour " + format_ipv4(address));
}

Result<std::vector<std::uint32_t>> RouteSocket::proxies(int link) {
  std::vector<std::uint32_t> addresses;
  ndmsg body{};
  body.ndm_family = AF_INET;
  body.ndm_flags = NTF_PROXY;
  NetlinkMessage message(RTM_GETNEIGH, 0);
  message.body(body);
  auto done = socket_.dump(std::move(message), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    const auto entry = take_body<ndmsg>(payload);
    if (entry.ndm_ifindex != link || (entry.ndm_flags & NTF_PROXY) == 0) return;
    for (const auto& attribute : parse_attributes(payload))
      if (attribute.type == NDA_DST) addresses.push_back(ntohl(attribute.as<std::uint32_t>()));
  });
  if (!done) return fail(done.error().within("cannot list the addresses that a link answers for"));
  return addresses;
}

namespace {

NetlinkMessage proxy_message(std::uint16_t type, std::uint16_t flags, int link, std::uint32_t address) {
  ndmsg body{};
  body.ndm_family = AF_INET;
  body.ndm_ifindex = link;
  body.ndm_flags = NTF_PROXY;
  NetlinkMessage message(type, flags);
  message.body(body).number(NDA_DST, htonl(address));
  return message;
}

}  // namespace

void RouteSocket::put_proxy(int link, std::uint32_t address) {
  socket_.queue(proxy_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, link, address), "cannot answer for " + format_ipv4(address));
}

void RouteSocket::remove_proxy(int link, std::uint32_t address) {
  socket_.queue(proxy_message(RTM_DELNEIGH, 0, link, address), "cannot stop answering for " + format_ipv4(address), ENOENT);
}

}  // namespace brume::network
