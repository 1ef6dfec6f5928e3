#include "engines/network/connections6.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include <cerrno>
#include <vector>

#include "engines/network/netlink.hpp"

namespace brume::network {
namespace {

struct Connection {
  Flow6 flow;
  std::vector<std::uint8_t> original;  // the tuple as the kernel wrote it: its name for deletion
  std::uint32_t id = 0;                // as the kernel wrote it
};

NetlinkMessage message_to_conntrack(int action) {
  nfgenmsg body{};
  body.nfgen_family = AF_INET6;
  NetlinkMessage message(static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | action), 0);
  message.body(body);
  return message;
}

Flow6 read_flow(std::span<const std::uint8_t> bytes) {
  Flow6 flow;
  for (const auto& part : parse_attributes(bytes)) {
    for (const auto& attribute : parse_attributes(part.bytes)) {
      if (part.type == CTA_TUPLE_IP) {
        if (attribute.type == CTA_IP_V6_SRC) flow.source = attribute.as<Ipv6Address>();
        if (attribute.type == CTA_IP_V6_DST) flow.destination = attribute.as<Ipv6Address>();
      } else if (part.type == CTA_TUPLE_PROTO) {
        if (attribute.type == CTA_PROTO_NUM) flow.protocol = attribute.as<std::uint8_t>();
        if (attribute.type == CTA_PROTO_DST_PORT) flow.destination_port = ntohs(attribute.as<std::uint16_t>());
        if (attribute.type == CTA_PROTO_ICMPV6_TYPE) flow.icmp_type = attribute.as<std::uint8_t>();
        if (attribute.type == CTA_PROTO_ICMPV6_CODE) flow.icmp_code = attribute.as<std::uint8_t>();
      }
    }
  }
  return flow;
}

Connection read_connection(std::span<const std::uint8_t> payload) {
  Connection connection;
  for (const auto& attribute : parse_attributes(payload.subspan(std::min(payload.size(), sizeof(nfgenmsg))))) {
    if (attribute.type == CTA_TUPLE_ORIG) {
      connection.flow = read_flow(attribute.bytes);
      connection.original.assign(attribute.bytes.begin(), attribute.bytes.end());
    } else if (attribute.type == CTA_ID) {
      connection.id = attribute.as<std::uint32_t>();
    }
  }
  return connection;
}

}  // namespace

Result<size_t> end_forbidden_connections(const FlowRules6& rules) {
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return fail(socket.error());
  std::vector<Connection> forbidden;
  auto listed = socket->dump(message_to_conntrack(IPCTNL_MSG_CT_GET), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    auto connection = read_connection(payload);
    if (!rules.allow(connection.flow)) forbidden.push_back(std::move(connection));
  });
  if (!listed) return fail(listed.error().within("cannot list connections"));
  for (const auto& connection : forbidden) {
    auto message = message_to_conntrack(IPCTNL_MSG_CT_DELETE);
    message.attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, connection.original);
    message.number(CTA_ID, connection.id);
    socket->queue(std::move(message), "cannot end a connection", ENOENT);
  }
  if (auto done = socket->commit(); !done) return fail(done.error());
  return forbidden.size();
}

}  // namespace brume::network
