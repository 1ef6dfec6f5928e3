#include "engines/network/netlink/connections.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include <cerrno>
#include <vector>

#include "engines/network/netlink/netlink.hpp"

namespace brume::network {
namespace {

template <class Family>
struct Connection {
  FlowOf<Family> flow;
  std::vector<std::uint8_t> original;  // the tuple as the kernel wrote it, which identifies it for deletion
  std::uint32_t id = 0;                // as the kernel wrote it
};

template <class Family>
NetlinkMessage message_to_conntrack(int action) {
  nfgenmsg body{};
  body.nfgen_family = Family::number;
  NetlinkMessage message(static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | action), 0);
  message.body(body);
  return message;
}

void read_address(const NetlinkAttribute& attribute, FlowOf<Ipv4>& flow) {
  if (attribute.type == CTA_IP_V4_SRC) flow.source = ntohl(attribute.as<std::uint32_t>());
  if (attribute.type == CTA_IP_V4_DST) flow.destination = ntohl(attribute.as<std::uint32_t>());
}

void read_address(const NetlinkAttribute& attribute, FlowOf<Ipv6>& flow) {
  if (attribute.type == CTA_IP_V6_SRC) flow.source = attribute.as<Ipv6Address>();
  if (attribute.type == CTA_IP_V6_DST) flow.destination = attribute.as<Ipv6Address>();
}

// One direction of a connection.
template <class Family>
FlowOf<Family> read_tuple(std::span<const std::uint8_t> bytes) {
  constexpr int icmp_type = is_ipv4<Family> ? CTA_PROTO_ICMP_TYPE : CTA_PROTO_ICMPV6_TYPE;
  constexpr int icmp_code = is_ipv4<Family> ? CTA_PROTO_ICMP_CODE : CTA_PROTO_ICMPV6_CODE;
  FlowOf<Family> flow;
  for (const auto& part : parse_attributes(bytes)) {
    for (const auto& attribute : parse_attributes(part.bytes)) {
      if (part.type == CTA_TUPLE_IP) read_address(attribute, flow);
      if (part.type != CTA_TUPLE_PROTO) continue;
      if (attribute.type == CTA_PROTO_NUM) flow.protocol = attribute.as<std::uint8_t>();
      if (attribute.type == CTA_PROTO_SRC_PORT) flow.source_port = ntohs(attribute.as<std::uint16_t>());
      if (attribute.type == CTA_PROTO_DST_PORT) flow.destination_port = ntohs(attribute.as<std::uint16_t>());
      if (attribute.type == icmp_type) flow.icmp_type = attribute.as<std::uint8_t>();
      if (attribute.type == icmp_code) flow.icmp_code = attribute.as<std::uint8_t>();
    }
  }
  return flow;
}

std::vector<NetlinkAttribute> attributes_of(std::span<const std::uint8_t> payload) {
  return parse_attributes(payload.subspan(std::min(payload.size(), sizeof(nfgenmsg))));
}

template <class Family>
Connection<Family> read_connection(const std::vector<NetlinkAttribute>& attributes) {
  Connection<Family> connection;
  FlowOf<Family> reply;
  for (const auto& attribute : attributes) {
    if (attribute.type == CTA_TUPLE_ORIG) {
      connection.flow = read_tuple<Family>(attribute.bytes);
      connection.original.assign(attribute.bytes.begin(), attribute.bytes.end());
    } else if (attribute.type == CTA_TUPLE_REPLY) {
      reply = read_tuple<Family>(attribute.bytes);
    } else if (attribute.type == CTA_ID) {
      connection.id = attribute.as<std::uint32_t>();
    }
  }
  auto& flow = connection.flow;
  flow.reply_source = reply.source;
  flow.reply_destination = reply.destination;
  flow.reply_source_port = reply.source_port;
  flow.reply_destination_port = reply.destination_port;
  return connection;
}

void read_counter(std::span<const std::uint8_t> bytes, std::int64_t& packets, std::int64_t& size) {
  for (const auto& attribute : parse_attributes(bytes)) {
    if (attribute.type == CTA_COUNTERS_PACKETS) packets = static_cast<std::int64_t>(be64toh(attribute.as<std::uint64_t>()));
    if (attribute.type == CTA_COUNTERS_BYTES) size = static_cast<std::int64_t>(be64toh(attribute.as<std::uint64_t>()));
  }
}

}  // namespace

CountedFlow read_counted(std::span<const std::uint8_t> payload) {
  CountedFlow counted;
  const auto attributes = attributes_of(payload);
  const auto connection = read_connection<Ipv4>(attributes);
  const auto& flow = counted.flow = connection.flow;
  // The kernel's own number of a connection is a hash of 32 bits, too few for 100,000 connections.
  counted.name = std::uint64_t{connection.id} << 32 | (flow.source ^ flow.destination * 31U ^ (flow.source_port * 65'537U));
  for (const auto& attribute : attributes) {
    if (attribute.type == CTA_COUNTERS_ORIG) read_counter(attribute.bytes, counted.counts.packets, counted.counts.bytes);
    if (attribute.type == CTA_COUNTERS_REPLY) read_counter(attribute.bytes, counted.counts.reply_packets, counted.counts.reply_bytes);
  }
  return counted;
}

// The counters are not reset: a dump that resets them loses those of an entry that it has to list twice.
Result<void> count_connections(const std::function<void(const CountedFlow&)>& take) {
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return fail(socket.error());
  auto listed = socket->dump(message_to_conntrack<Ipv4>(IPCTNL_MSG_CT_GET),
                             [&](std::uint16_t, std::span<const std::uint8_t> payload) { take(read_counted(payload)); });
  if (!listed) return fail(listed.error().within("cannot count connections"));
  return {};
}

template <class Rules>
Result<size_t> end_forbidden_connections(const Rules& rules) {
  using Family = typename Rules::Family;
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return fail(socket.error());
  std::vector<Connection<Family>> forbidden;
  auto listed = socket->dump(message_to_conntrack<Family>(IPCTNL_MSG_CT_GET), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    auto connection = read_connection<Family>(attributes_of(payload));
    if (!rules.allow(connection.flow)) forbidden.push_back(std::move(connection));
  });
  if (!listed) return fail(listed.error().within("cannot list connections"));
  for (const auto& connection : forbidden) {
    auto message = message_to_conntrack<Family>(IPCTNL_MSG_CT_DELETE);
    message.attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, connection.original);
    message.number(CTA_ID, connection.id);
    socket->queue(std::move(message), "cannot end a connection", ENOENT);
  }
  if (auto done = socket->commit(); !done) return fail(done.error());
  return forbidden.size();
}
template Result<size_t> end_forbidden_connections(const FlowRules&);
template Result<size_t> end_forbidden_connections(const FlowRules6&);

}  // namespace brume::network
