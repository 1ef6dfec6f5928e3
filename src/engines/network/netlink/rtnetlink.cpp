#include "engines/network/netlink/rtnetlink.hpp"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <array>
#include <cerrno>
#include <type_traits>

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

// Addresses as attributes of messages.
std::array<std::uint8_t, 4> bytes_of(std::uint32_t address) {
  return {static_cast<std::uint8_t>(address >> 24), static_cast<std::uint8_t>(address >> 16), static_cast<std::uint8_t>(address >> 8),
          static_cast<std::uint8_t>(address)};
}
const std::array<std::uint8_t, 16>& bytes_of(const Ipv6Address& address) { return address.bytes; }

template <class Family>
typename Family::Address address_in(const NetlinkAttribute& attribute) {
  if constexpr (is_ipv4<Family>)
    return ntohl(attribute.as<std::uint32_t>());
  else
    return attribute.as<Ipv6Address>();
}

template <class Family>
ifaddrmsg address_body(int link, unsigned prefix) {
  ifaddrmsg body{};
  body.ifa_family = Family::number;
  body.ifa_prefixlen = static_cast<std::uint8_t>(prefix);
  body.ifa_index = static_cast<unsigned>(link);
  return body;
}

template <class Family>
std::optional<RouteOf<Family>> read_route(std::span<const std::uint8_t> payload) {
  const auto body = take_body<rtmsg>(payload);
  if (body.rtm_family != Family::number || body.rtm_table == RT_TABLE_LOCAL || (body.rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  RouteOf<Family> route;
  route.destination.prefix = body.rtm_dst_len;
  route.metric = 0;
  route.protocol = body.rtm_protocol;
  route.type = body.rtm_type;
  route.table = body.rtm_table == RT_TABLE_MAIN ? 0 : body.rtm_table;
  for (const auto& attribute : parse_attributes(payload)) {
    if (attribute.type == RTA_DST) route.destination.base = address_in<Family>(attribute);
    if (attribute.type == RTA_OIF) route.link = attribute.as<int>();
    if (attribute.type == RTA_GATEWAY) route.gateway = address_in<Family>(attribute);
    if (attribute.type == RTA_PREFSRC) route.source = address_in<Family>(attribute);
    if (attribute.type == RTA_PRIORITY) route.metric = attribute.as<std::uint32_t>();
    if (attribute.type == RTA_TABLE && attribute.as<std::uint32_t>() != RT_TABLE_MAIN) route.table = attribute.as<std::uint32_t>();
  }
  // The kernel gives an IPv6 route without a link one of its own choice.
  if (route.type != RTN_UNICAST) route.link = 0;
  return route;
}

template <class Family>
NetlinkMessage route_message(std::uint16_t type, std::uint16_t flags, const RouteOf<Family>& route) {
  constexpr typename Family::Address none{};
  rtmsg body{};
  body.rtm_family = Family::number;
  body.rtm_dst_len = static_cast<unsigned char>(route.destination.prefix);
  body.rtm_table = route.table == 0 ? RT_TABLE_MAIN : RT_TABLE_UNSPEC;
  body.rtm_protocol = route.protocol;
  body.rtm_type = route.type;
  if (is_ipv4<Family>) {
    body.rtm_scope = route.type == RTN_UNICAST && route.gateway == none ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    // Whatever its scope is, because a caller that removes a route by its link need not know that it has a gateway.
    if (type == RTM_DELROUTE) body.rtm_scope = RT_SCOPE_NOWHERE;
  }
  if (route.on_link) body.rtm_flags = RTNH_F_ONLINK;
  NetlinkMessage message(type, flags);
  message.body(body);
  if (route.destination.prefix > 0) message.attribute(RTA_DST, bytes_of(route.destination.base));
  if (route.link != 0) message.number(RTA_OIF, route.link);
  if (route.gateway != none) message.attribute(RTA_GATEWAY, bytes_of(route.gateway));
  if (route.source != none) message.attribute(RTA_PREFSRC, bytes_of(route.source));
  if (route.metric != 0) message.number(RTA_PRIORITY, route.metric);
  if (route.table != 0) message.number(RTA_TABLE, route.table);
  return message;
}

template <class Family>
NetlinkMessage rule_message(std::uint16_t type, std::uint16_t flags, std::uint32_t preference, std::uint32_t table) {
  fib_rule_hdr body{};
  body.family = Family::number;
  body.action = FR_ACT_TO_TBL;
  NetlinkMessage message(type, flags);
  message.body(body);
  message.number(FRA_PRIORITY, preference).number(FRA_FWMARK, table).number(FRA_TABLE, table);
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

template <class Family>
Result<std::vector<AddressOf<Family>>> RouteSocket::addresses() {
  std::vector<AddressOf<Family>> addresses;
  NetlinkMessage message(RTM_GETADDR, 0);
  message.body(address_body<Family>(0, 0));
  auto done = socket_.dump(std::move(message), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    const auto header = take_body<ifaddrmsg>(payload);
    AddressOf<Family> one{static_cast<int>(header.ifa_index), {}, header.ifa_prefixlen};
    for (const auto& attribute : parse_attributes(payload))
      if (attribute.type == (is_ipv4<Family> ? IFA_LOCAL : IFA_ADDRESS)) one.address = address_in<Family>(attribute);
    addresses.push_back(one);
  });
  if (!done) return fail(done.error().within("cannot list addresses"));
  return addresses;
}
template Result<std::vector<AddressOf<Ipv4>>> RouteSocket::addresses<Ipv4>();
template Result<std::vector<AddressOf<Ipv6>>> RouteSocket::addresses<Ipv6>();

template <class Family>
Result<std::vector<RouteOf<Family>>> RouteSocket::routes() {
  std::vector<RouteOf<Family>> routes;
  rtmsg body{};
  body.rtm_family = Family::number;
  NetlinkMessage message(RTM_GETROUTE, 0);
  message.body(body);
  auto done = socket_.dump(std::move(message), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    if (auto route = read_route<Family>(payload)) routes.push_back(*route);
  });
  if (!done) return fail(done.error().within("cannot list routes"));
  return routes;
}
template Result<std::vector<Route>> RouteSocket::routes<Ipv4>();
template Result<std::vector<Route6>> RouteSocket::routes<Ipv6>();

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
  constexpr std::uint32_t doomed = 0x62727500;  // a link group that exists only at this moment
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
  NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  message.body(address_body<Ipv4>(link, prefix)).attribute(IFA_LOCAL, bytes_of(address)).attribute(IFA_ADDRESS, bytes_of(address));
  socket_.queue(std::move(message), "cannot give address " + format_ipv4(address), EEXIST);
}

void RouteSocket::add_address(int link, const Ipv6Address& address, unsigned prefix) {
  NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  message.body(address_body<Ipv6>(link, prefix)).attribute(IFA_ADDRESS, bytes_of(address));
  message.number(IFA_FLAGS, std::uint32_t{IFA_F_NODAD | IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT});
  socket_.queue(std::move(message), "cannot give address " + format_ipv6(address), EEXIST);
}

void RouteSocket::remove_address(int link, std::uint32_t address, unsigned prefix) {
  NetlinkMessage message(RTM_DELADDR, 0);
  message.body(address_body<Ipv4>(link, prefix)).attribute(IFA_LOCAL, bytes_of(address));
  socket_.queue(std::move(message), "cannot take back address " + format_ipv4(address), EADDRNOTAVAIL);
}

void RouteSocket::put_route(const Route& route) {
  socket_.queue(route_message<Ipv4>(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route),
                "cannot set the route to " + format_ipv4_block(route.destination));
}

void RouteSocket::put_route(const Route6& route) {
  socket_.queue(route_message<Ipv6>(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route),
                "cannot set the route to " + format_ipv6_block(route.destination), EEXIST);
}

void RouteSocket::remove_route(const Route& route) {
  socket_.queue(route_message<Ipv4>(RTM_DELROUTE, 0, route), "cannot remove the route to " + format_ipv4_block(route.destination), ESRCH);
}

void RouteSocket::remove_route(const Route6& route) {
  socket_.queue(route_message<Ipv6>(RTM_DELROUTE, 0, route), "cannot remove the route to " + format_ipv6_block(route.destination), ESRCH);
}

template <class Family>
Result<void> RouteSocket::set_mark_rules(std::uint32_t preference, std::set<std::uint32_t> tables) {
  std::vector<std::uint32_t> gone;
  fib_rule_hdr body{};
  body.family = Family::number;
  NetlinkMessage message(RTM_GETRULE, 0);
  message.body(body);
  auto done = socket_.dump(std::move(message), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    take_body<fib_rule_hdr>(payload);
    std::uint32_t at = 0;
    std::uint32_t table = 0;
    for (const auto& attribute : parse_attributes(payload)) {
      if (attribute.type == FRA_PRIORITY) at = attribute.as<std::uint32_t>();
      if (attribute.type == FRA_TABLE) table = attribute.as<std::uint32_t>();
    }
    if (at == preference && tables.erase(table) == 0) gone.push_back(table);
  });
  if (!done) return fail(done.error().within("cannot list routing rules"));
  for (const auto table : gone)
    socket_.queue(rule_message<Family>(RTM_DELRULE, 0, preference, table), "cannot remove a routing rule", ENOENT);
  for (const auto table : tables)
    socket_.queue(rule_message<Family>(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, preference, table), "cannot add a routing rule", EEXIST);
  return {};
}
template Result<void> RouteSocket::set_mark_rules<Ipv4>(std::uint32_t, std::set<std::uint32_t>);
template Result<void> RouteSocket::set_mark_rules<Ipv6>(std::uint32_t, std::set<std::uint32_t>);

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

template <class Address>
void RouteSocket::queue_neighbour(int link, const Address& address, const std::string& mac) {
  using Family = std::conditional_t<std::is_same_v<Address, Ipv6Address>, Ipv6, Ipv4>;
  ndmsg body{};
  body.ndm_family = Family::number;
  body.ndm_ifindex = link;
  body.ndm_state = NUD_PERMANENT;
  NetlinkMessage message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  message.body(body).attribute(NDA_DST, bytes_of(address)).attribute(NDA_LLADDR, mac_bytes(mac));
  socket_.queue(std::move(message), "cannot set the neighbour " + Family::format(address));
}

void RouteSocket::put_neighbour(int link, std::uint32_t address, const std::string& mac) { queue_neighbour(link, address, mac); }

void RouteSocket::put_neighbour(int link, const Ipv6Address& address, const std::string& mac) { queue_neighbour(link, address, mac); }

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
      if (attribute.type == NDA_DST) addresses.push_back(address_in<Ipv4>(attribute));
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
  message.body(body).attribute(NDA_DST, bytes_of(address));
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
