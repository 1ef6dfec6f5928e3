#include "engines/network/flows/flow_meter.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "engines/network/netlink/netlink.hpp"

namespace brume::network {
namespace {

constexpr int buffer_size = 16 << 20;        // of the kernel's memory, if needed, for what waits to be read
constexpr size_t drain_limit = 64 << 20;     // read at one time, so that a flood does not keep us forever
constexpr size_t flow_limit = 20'000;        // different flows at one time
constexpr size_t known_limit = 250'000;      // connections
constexpr std::uint32_t shown_bytes = 64;    // of a dropped packet: enough for addresses and ports
constexpr std::uint32_t longest_delay = 10;  // hundredths of a second for which the kernel may collect dropped packets

using MessageHandler = std::function<void(std::uint16_t type, std::span<const std::uint8_t> payload)>;

// Reads everything that waits. False: something was lost.
bool drain(const Descriptor& socket, const MessageHandler& handler) {
  bool complete = true;
  std::vector<std::uint8_t> buffer(256 << 10);
  for (size_t taken = 0; taken < drain_limit;) {
    const auto received = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0 && errno == ENOBUFS) {
      complete = false;
      continue;
    }
    if (received <= 0) break;
    taken += static_cast<size_t>(received);
    std::span<const std::uint8_t> rest(buffer.data(), static_cast<size_t>(received));
    while (rest.size() >= sizeof(nlmsghdr)) {
      nlmsghdr header{};
      std::memcpy(&header, rest.data(), sizeof header);
      if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > rest.size()) break;
      handler(header.nlmsg_type, rest.subspan(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN));
      rest = rest.subspan(std::min<size_t>(rest.size(), NLMSG_ALIGN(header.nlmsg_len)));
    }
  }
  return complete;
}

// After the header that all messages of the packet filter have.
std::span<const std::uint8_t> attributes_of(std::span<const std::uint8_t> message) {
  return message.subspan(std::min(message.size(), sizeof(nfgenmsg)));
}

Result<Descriptor> open_refusals() {
  auto socket = listen_to_netfilter(buffer_size);
  if (!socket) return socket;
  nfgenmsg body{};
  body.nfgen_family = AF_UNSPEC;
  body.res_id = htons(refusal_group);
  nfulnl_msg_config_cmd bind{};
  bind.command = NFULNL_CFG_CMD_BIND;
  nfulnl_msg_config_mode mode{};
  mode.copy_range = htonl(shown_bytes);
  mode.copy_mode = NFULNL_COPY_PACKET;
  NetlinkMessage message(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, NLM_F_ACK);
  message.body(body).number(NFULA_CFG_CMD, bind).number(NFULA_CFG_MODE, mode).number(NFULA_CFG_TIMEOUT, htonl(longest_delay));
  const auto bytes = message.finish(1);
  if (::send(socket->get(), bytes.data(), bytes.size(), 0) < 0) return fail_system("cannot ask for dropped packets", errno);
  int error = ENOMSG;  // the kernel has answered by the time send returns
  drain(*socket, [&](std::uint16_t type, std::span<const std::uint8_t> payload) {
    nlmsgerr answer{};
    if (type != NLMSG_ERROR || payload.size() < sizeof answer) return;
    std::memcpy(&answer, payload.data(), sizeof answer);
    error = -answer.error;
  });
  if (error != 0) return fail_system("cannot ask for dropped packets", error);
  return socket;
}

Result<Descriptor> open_ended() {
  auto socket = listen_to_netfilter(buffer_size);
  if (!socket) return socket;
  const int group = NFNLGRP_CONNTRACK_DESTROY;
  if (::setsockopt(socket->get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    return fail_system("cannot listen to connections that end", errno);
  return socket;
}

void add_owners(FlowMeter::Owners& owners, const InterfaceSpec& interface) {
  for (const auto& one : addresses_of(interface)) {
    const auto inner = parse_ipv4(one.private_ip);
    if (!inner) continue;
    const auto outer = parse_ipv4(one.public_ip);
    owners[*inner] = {interface.id, *inner, outer.value_or(0)};
    if (outer) owners[*outer] = {interface.id, *inner, *outer};
  }
}

FlowAddresses reversed(const FlowAddresses& one) {
  return {one.destination, one.source, one.destination_port, one.source_port, one.protocol};
}

// A packet that was dropped.
struct Refusal {
  bool leaving = false;
  bool is_new = false;
  bool is_known = false;
  FlowAddresses addresses{};
  std::int64_t bytes = 0;
};

std::optional<Refusal> read_refusal(std::span<const std::uint8_t> message) {
  std::string prefix;
  std::span<const std::uint8_t> packet;  // its beginning
  for (const auto& attribute : parse_attributes(attributes_of(message))) {
    if (attribute.type == NFULA_PREFIX) prefix = attribute.text();
    if (attribute.type == NFULA_PAYLOAD) packet = attribute.bytes;
  }
  if (packet.size() < 20 || packet[0] >> 4 != 4) return std::nullopt;
  const auto at16 = [&](size_t at) { return static_cast<std::uint16_t>(packet.size() >= at + 2 ? packet[at] << 8 | packet[at + 1] : 0); };
  const auto at32 = [&](size_t at) { return std::uint32_t{at16(at)} << 16 | at16(at + 2); };
  Refusal refusal{prefix.starts_with(refused_leaving), prefix.ends_with(refused_new), prefix.ends_with(refused_known), {}, at16(2)};
  refusal.addresses = {at32(12), at32(16), 0, 0, packet[9]};
  const auto ports = static_cast<size_t>(packet[0] & 15) * 4;
  if (packet[9] == IPPROTO_TCP || packet[9] == IPPROTO_UDP)
    refusal.addresses.source_port = at16(ports), refusal.addresses.destination_port = at16(ports + 2);
  return refusal;
}

// Adds up the traffic of those addresses that belong to an interface.
class Sums {
 public:
  Sums(const Model& model, FlowMeter::Owners owners) : owners_(std::move(owners)) {
    for (const auto& [id, interface] : model.interfaces) add_owners(owners_, interface);
    // Services that every guest gets are not in flow logs.
    services_ = {0, 0xFFFFFFFF, 0xA9FEA9FE, parse_ipv4(dns_address(model.vpc)).value_or(0)};
    for (const auto& subnet : model.vpc.subnets) services_.insert(parse_ipv4(router_address(subnet.cidr)).value_or(0));
  }

  // Its two ends may know each other by translated addresses.
  void add(const Flow& flow, const FlowCounts& counts) {
    const FlowAddresses sent{flow.source, flow.destination, flow.source_port, flow.destination_port, flow.protocol};
    const FlowAddresses answered{flow.reply_source, flow.reply_destination, flow.reply_source_port, flow.reply_destination_port,
                                 flow.protocol};
    add(flow.source, {sent, true, true}, counts.packets, counts.bytes);
    add(flow.source, {reversed(sent), false, true}, counts.reply_packets, counts.reply_bytes);
    add(flow.reply_source, {reversed(answered), false, true}, counts.packets, counts.bytes);
    add(flow.reply_source, {answered, true, true}, counts.reply_packets, counts.reply_bytes);
  }

  void add(const Refusal& refusal) {
    auto seen = refusal.addresses;
    if (refusal.leaving) {
      add(seen.source, {seen, true, false}, 1, refusal.bytes);
    } else {
      // If it was refused before translation, it was addressed to the public address.
      if (const auto receiver = owners_.find(seen.destination); receiver != owners_.end()) seen.destination = receiver->second.private_ip;
      add(seen.destination, {seen, false, false}, 1, refusal.bytes);
    }
    // Conntrack has counted a packet of a known connection, for both ends. It counts no packet of a new one, but if that was refused on
    // arrival, it had been let out at its source.
    if (refusal.is_known) {
      add(seen.destination, {seen, false, true}, -1, -refusal.bytes);
      if (refusal.leaving) add(seen.source, {seen, true, true}, -1, -refusal.bytes);
    } else if (refusal.is_new && !refusal.leaving) {
      add_let_out(seen, refusal.bytes);
    }
  }

  void lost() { complete_ = false; }

  TakenFlows take() const {
    TakenFlows taken;
    taken.complete = complete_;
    for (const auto& [key, sum] : sums_)
      taken.flows.push_back({key.first, key.second.addresses, key.second.egress, key.second.accepted, sum.packets, sum.bytes});
    return taken;
  }

 private:
  struct Way {
    FlowAddresses addresses;
    bool egress = false;
    bool accepted = false;
    auto operator<=>(const Way&) const = default;
  };
  struct Sum {
    std::int64_t packets = 0;
    std::int64_t bytes = 0;
  };

  // A guest that speaks to a public address of its own VPC appears there with its own public address.
  void add_let_out(FlowAddresses seen, std::int64_t bytes) {
    const auto sender = owners_.find(seen.source);
    const auto receiver = owners_.find(seen.destination);
    if (sender == owners_.end()) return;
    if (seen.source != sender->second.private_ip && receiver != owners_.end()) seen.destination = receiver->second.public_ip;
    seen.source = sender->second.private_ip;
    add(seen.source, {seen, true, true}, 1, bytes);
  }

  void add(std::uint32_t address, const Way& way, std::int64_t packets, std::int64_t bytes) {
    const auto owner = owners_.find(address);
    if (packets == 0 || owner == owners_.end() || owner->second.private_ip != address) return;
    if (services_.contains(way.addresses.source) || services_.contains(way.addresses.destination)) return;
    const auto key = std::pair(owner->second.interface_id, way);
    const auto found = sums_.find(key);
    if (found == sums_.end() && sums_.size() >= flow_limit) return lost();
    auto& sum = found == sums_.end() ? sums_[key] : found->second;
    sum.packets += packets;
    sum.bytes += bytes;
  }

  FlowMeter::Owners owners_;
  std::set<std::uint32_t> services_;
  std::map<std::pair<std::string, Way>, Sum> sums_;
  bool complete_ = true;
};

FlowCounts difference(const FlowCounts& now, const FlowCounts& before) {
  const auto grown = [](std::int64_t a, std::int64_t b) { return std::max<std::int64_t>(a - b, 0); };
  return {grown(now.packets, before.packets), grown(now.bytes, before.bytes), grown(now.reply_packets, before.reply_packets),
          grown(now.reply_bytes, before.reply_bytes)};
}

}  // namespace

Result<void> FlowMeter::begin() {
  if (runs()) return {};
  auto ended = open_ended();
  if (!ended) return fail(ended.error());
  auto refusals = open_refusals();
  if (!refusals) return fail(refusals.error());
  // What came before is not counted.
  auto counted = count_connections([&](const CountedFlow& one) {
    if (known_.size() < known_limit) known_[one.name] = one.counts;
  });
  if (!counted) return counted;
  drain(*ended, [](std::uint16_t, std::span<const std::uint8_t>) {});
  ended_ = std::move(*ended);
  refusals_ = std::move(*refusals);
  return {};
}

void FlowMeter::end() {
  refusals_ = Descriptor();
  ended_ = Descriptor();
  known_ = {};
  gone_ = {};
}

void FlowMeter::remember(const InterfaceSpec& interface) {
  if (runs()) add_owners(gone_, interface);
}

TakenFlows FlowMeter::take(const Model& model) {
  Sums sums(model, std::exchange(gone_, {}));
  // First the connections that exist, then those that have ended, so that none is missed in between.
  auto before = std::exchange(known_, {});
  const auto add = [&](const CountedFlow& one, Known& known) {
    const auto last = known.find(one.name);
    sums.add(one.flow, difference(one.counts, last == known.end() ? FlowCounts{} : last->second));
  };
  auto counted = count_connections([&](const CountedFlow& one) {
    // A connection that cannot be remembered would be counted from its beginning every time.
    if (known_.size() >= known_limit) return sums.lost();
    add(one, before);
    known_[one.name] = one.counts;
  });
  if (!counted) known_.insert(before.begin(), before.end());
  const bool all_ended = drain(ended_, [&](std::uint16_t type, std::span<const std::uint8_t> message) {
    if (type >> 8 != NFNL_SUBSYS_CTNETLINK) return;
    const auto one = read_counted(message);
    add(one, known_.contains(one.name) ? known_ : before);
    known_.erase(one.name);
  });
  const bool all_refused = drain(refusals_, [&](std::uint16_t type, std::span<const std::uint8_t> message) {
    if (type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)) return;
    if (const auto refusal = read_refusal(message)) sums.add(*refusal);
  });
  if (!counted || !all_ended || !all_refused) sums.lost();
  return sums.take();
}

}  // namespace brume::network
