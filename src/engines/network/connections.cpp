#include "engines/network/connections.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include <cerrno>
#include <vector>

#include "engines/network/netlink.hpp"

namespace brume::network {
namespace {

struct Connection {
  Flow flow;
  std::vector<std::uint8_t> original;  // the tuple as the kernel wrote it: its name for deletion
  std::uint32_t id = 0;                // as the kernel wrote it
};

std::uint16_t message_type(int action) { return static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | action); }

nfgenmsg family_body() {
  nfgenmsg body{};
  body.nfgen_family = AF_INET;
  return body;
}

struct Tuple {
  std::uint32_t source = 0;
  std::uint32_t destination = 0;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
};

Tuple read_tuple(std::span<const std::uint8_t> bytes) {
  Tuple tuple;
  for (const auto& part : parse_attributes(bytes)) {
    for (const auto& attribute : parse_attributes(part.bytes)) {
      if (part.type == CTA_TUPLE_IP) {
        if (attribute.type == CTA_IP_V4_SRC) tuple.source = ntohl(attribute.as<std::uint32_t>());
        if (attribute.type == CTA_IP_V4_DST) tuple.destination = ntohl(attribute.as<std::uint32_t>());
      } else if (part.type == CTA_TUPLE_PROTO) {
        if (attribute.type == CTA_PROTO_NUM) tuple.protocol = attribute.as<std::uint8_t>();
        if (attribute.type == CTA_PROTO_SRC_PORT) tuple.source_port = ntohs(attribute.as<std::uint16_t>());
        if (attribute.type == CTA_PROTO_DST_PORT) tuple.destination_port = ntohs(attribute.as<std::uint16_t>());
        if (attribute.type == CTA_PROTO_ICMP_TYPE) tuple.icmp_type = attribute.as<std::uint8_t>();
        if (attribute.type == CTA_PROTO_ICMP_CODE) tuple.icmp_code = attribute.as<std::uint8_t>();
      }
    }
  }
  return tuple;
}

std::vector<NetlinkAttribute> attributes_of(std::span<const std::uint8_t> payload) {
  return parse_attributes(payload.subspan(std::min(payload.size(), sizeof(nfgenmsg))));
}

Connection read_connection(const std::vector<NetlinkAttribute>& attributes) {
  Connection connection;
  auto& flow = connection.flow;
  for (const auto& attribute : attributes) {
    if (attribute.type == CTA_TUPLE_ORIG) {
      const auto tuple = read_tuple(attribute.bytes);
      flow.source = tuple.source;
      flow.destination = tuple.destination;
      flow.protocol = tuple.protocol;
      flow.source_port = tuple.source_port;
      flow.destination_port = tuple.destination_port;
      flow.icmp_type = tuple.icmp_type;
      flow.icmp_code = tuple.icmp_code;
      connection.original.assign(attribute.bytes.begin(), attribute.bytes.end());
    } else if (attribute.type == CTA_TUPLE_REPLY) {
      const auto tuple = read_tuple(attribute.bytes);
      flow.reply_source = tuple.source;
      flow.reply_destination = tuple.destination;
      flow.reply_source_port = tuple.source_port;
      flow.reply_destination_port = tuple.destination_port;
    } else if (attribute.type == CTA_ID) {
      connection.id = attribute.as<std::uint32_t>();
    }
  }
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
  const auto connection = read_connection(attributes);
  const auto& flow = counted.flow = connection.flow;
  // The kernel's own number of it is a hash of 32 bits, few for 100,000 connections.
  counted.name = std::uint64_t{connection.id} << 32 | (flow.source ^ flow.destination * 31U ^ (flow.source_port * 65'537U));
  for (const auto& attribute : attributes) {
    if (attribute.type == CTA_COUNTERS_ORIG) read_counter(attribute.bytes, counted.counts.packets, counted.counts.bytes);
    if (attribute.type == CTA_COUNTERS_REPLY) read_counter(attribute.bytes, counted.counts.reply_packets, counted.counts.reply_bytes);
  }
  return counted;
}

// The counters are left as they are: a dump that sets them back loses those of an entry that it has to show twice.
Result<void> count_connections(const std::function<void(const CountedFlow&)>& take) {
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return fail(socket.error());
  NetlinkMessage request(message_type(IPCTNL_MSG_CT_GET), 0);
  request.body(family_body());
  auto listed =
      socket->dump(std::move(request), [&](std::uint16_t, std::span<const std::uint8_t> payload) { take(read_counted(payload)); });
  if (!listed) return fail(listed.error().within("cannot count connections"));
  return {};
}

Result<size_t> end_forbidden_connections(const FlowRules& rules) {
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return fail(socket.error());
  std::vector<Connection> forbidden;
  NetlinkMessage request(message_type(IPCTNL_MSG_CT_GET), 0);
  request.body(family_body());
  auto listed = socket->dump(std::move(request), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
    auto connection = read_connection(attributes_of(payload));
    if (!rules.allow(connection.flow)) forbidden.push_back(std::move(connection));
  });
  if (!listed) return fail(listed.error().within("cannot list connections"));
  for (const auto& connection : forbidden) {
    NetlinkMessage message(message_type(IPCTNL_MSG_CT_DELETE), 0);
    message.body(family_body());
    message.attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, connection.original);
    message.number(CTA_ID, connection.id);
    socket->queue(std::move(message), "cannot end a connection", ENOENT);
  }
  if (auto done = socket->commit(); !done) return fail(done.error());
  return forbidden.size();
}

}  // namespace brume::network
