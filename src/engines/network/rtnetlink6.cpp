// The IPv6 half of RouteSocket.
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "engines/network/rtnetlink.hpp"

namespace brume::network {
namespace {

bool leads_somewhere(const Route6& route) { return route.type == RTN_UNICAST; }

NetlinkMessage route_message(std::uint16_t type, std::uint16_t flags, const Route6& route) {
  rtmsg body{};
  body.rtm_family = AF_INET6;
  body.rtm_dst_len = static_cast<unsigned char>(route.destination.prefix);
  body.rtm_table = route.table == 0 ? RT_TABLE_MAIN : RT_TABLE_UNSPEC;
  body.rtm_protocol = route.protocol;
  body.rtm_type = route.type;
  body.rtm_scope = RT_SCOPE_UNIVERSE;
  NetlinkMessage message(type, flags);
  message.body(body);
  if (route.destination.prefix > 0) message.attribute(RTA_DST, route.destination.base.bytes);
  // The kernel gives a route that leads nowhere a link of its own choice.
  if (leads_somewhere(route)) {
    message.number(RTA_OIF, route.link);
    if (route.gateway != Ipv6Address{}) message.attribute(RTA_GATEWAY, route.gateway.bytes);
  }
  message.number(RTA_PRIORITY, route.metric);
  if (route.table != 0) message.number(RTA_TABLE, route.table);
  return message;
}

std::optional<Route6> read_route(std::span<const std::uint8_t> payload) {
  const auto body = take_body<rtmsg>(payload);
  if (body.rtm_family != AF_INET6 || body.rtm_table == RT_TABLE_LOCAL || (body.rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  Route6 route;
  route.destination.prefix = body.rtm_dst_len;
  route.protocol = body.rtm_protocol;
  route.type = body.rtm_type;
  route.table = body.rtm_table == RT_TABLE_MAIN ? 0 : body.rtm_table;
  for (const auto& attribute : parse_attributes(payload)) {
    if (attribute.type == RTA_DST) route.destination.base = attribute.as<Ipv6Address>();
    if (attribute.type == RTA_OIF) route.link = attribute.as<int>();
    if (attribute.type == RTA_GATEWAY) route.gateway = attribute.as<Ipv6Address>();
    if (attribute.type == RTA_PRIORITY) route.metric = attribute.as<std::uint32_t>();
    if (attribute.type == RTA_TABLE && attribute.as<std::uint32_t>() != RT_TABLE_MAIN) route.table = attribute.as<std::uint32_t>();
  }
  if (!leads_somewhere(route)) route.link = 0;
  return route;
}

ifaddrmsg address_body(int link, unsigned prefix) {
  ifaddrmsg body{};
  body.ifa_family = AF_INET6;
  body.ifa_prefixlen = static_cast<std::uint8_t>(prefix);
  body.ifa_index = static_cast<unsigned>(link);
  return body;
}

}  // namespace

Result<std::vector<Link6Address>> RouteSocket::addresses6() {
  std::vector<Link6Address> addresses;
  NetlinkMessage message(RTM_GETADDR, 0);
  message.body(address_body(0, 0));
  auto done = socket_.dump(std::move(message), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    const auto header = take_body<ifaddrmsg>(payload);
    Link6Address one{static_cast<int>(header.ifa_index), {}};
    for (const auto& attribute : parse_attributes(payload))
      if (attribute.type == IFA_ADDRESS) one.address = attribute.as<Ipv6Address>();
    addresses.push_back(one);
  });
  if (!done) return fail(done.error().within("cannot list IPv6 addresses"));
  return addresses;
}

Result<std::vector<Route6>> RouteSocket::routes6() {
  std::vector<Route6> routes;
  rtmsg body{};
  body.rtm_family = AF_INET6;
  NetlinkMessage message(RTM_GETROUTE, 0);
  message.body(body);
  auto done = socket_.dump(std::move(message), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    if (auto route = read_route(payload)) routes.push_back(*route);
  });
  if (!done) return fail(done.error().within("cannot list IPv6 routes"));
  return routes;
}

void RouteSocket::add_address6(int link, const Ipv6Address& address, unsigned prefix) {
  NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  message.body(address_body(link, prefix));
  message.attribute(IFA_ADDRESS, address.bytes);
  message.number(IFA_FLAGS, std::uint32_t{IFA_F_NODAD | IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT});
  socket_.queue(std::move(message), "cannot give address " + format_ipv6(address), EEXIST);
}

void RouteSocket::remove_address6(int link, const Ipv6Address& address, unsigned prefix) {
  NetlinkMessage message(RTM_DELADDR, 0);
  message.body(address_body(link, prefix));
  message.attribute(IFA_ADDRESS, address.bytes);
  socket_.queue(std::move(message), "cannot take back address " + format_ipv6(address), EADDRNOTAVAIL);
}

void RouteSocket::add_route6(const Route6& route) {
  socket_.queue(route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route),
                "cannot set the route to " + format_ipv6_block(route.destination), EEXIST);
}

void RouteSocket::remove_route6(const Route6& route) {
  socket_.queue(route_message(RTM_DELROUTE, 0, route), "cannot remove the route to " + format_ipv6_block(route.destination), ESRCH);
}

void RouteSocket::put_neighbour6(int link, const Ipv6Address& address, const std::string& mac) {
  ndmsg body{};
  body.ndm_family = AF_INET6;
  body.ndm_ifindex = link;
  body.ndm_state = NUD_PERMANENT;
  NetlinkMessage message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  message.body(body).attribute(NDA_DST, address.bytes).attribute(NDA_LLADDR, mac_bytes(mac));
  socket_.queue(std::move(message), "cannot set the neighbour " + format_ipv6(address));
}

}  // namespace brume::network
