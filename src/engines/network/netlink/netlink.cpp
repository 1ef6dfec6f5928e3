#include "engines/network/netlink/netlink.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>

namespace brume::network {
namespace {

constexpr size_t receive_size = 256 << 10;
constexpr size_t send_limit = 64 << 10;
constexpr int buffer_size = 2 << 20;

size_t aligned(size_t size) { return (size + 3) & ~size_t{3}; }

}  // namespace

NetlinkMessage::NetlinkMessage(std::uint16_t type, std::uint16_t flags) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  append(&header, sizeof header);
}

void NetlinkMessage::append(const void* bytes, size_t count) {
  const auto* first = static_cast<const std::uint8_t*>(bytes);
  bytes_.insert(bytes_.end(), first, first + count);
  bytes_.resize(aligned(bytes_.size()));
}

NetlinkMessage& NetlinkMessage::attribute(std::uint16_t type, std::span<const std::uint8_t> bytes) {
  nlattr header{};
  header.nla_type = type;
  header.nla_len = static_cast<std::uint16_t>(sizeof header + bytes.size());
  append(&header, sizeof header);
  append(bytes.data(), bytes.size());
  return *this;
}

NetlinkMessage& NetlinkMessage::text(std::uint16_t type, std::string_view value) {
  const std::string ended(value);
  return attribute(type, {reinterpret_cast<const std::uint8_t*>(ended.c_str()), ended.size() + 1});
}

NetlinkMessage& NetlinkMessage::nested(std::uint16_t type, const std::function<void(NetlinkMessage&)>& fill) {
  const auto start = bytes_.size();
  attribute(static_cast<std::uint16_t>(type | NLA_F_NESTED), {});
  fill(*this);
  const auto length = static_cast<std::uint16_t>(bytes_.size() - start);
  std::memcpy(bytes_.data() + start, &length, sizeof length);  // nla_len is the first field
  return *this;
}

std::vector<std::uint8_t> NetlinkMessage::finish(std::uint32_t sequence) {
  nlmsghdr header{};
  std::memcpy(&header, bytes_.data(), sizeof header);
  header.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
  header.nlmsg_seq = sequence;
  std::memcpy(bytes_.data(), &header, sizeof header);
  return std::move(bytes_);
}

std::string NetlinkAttribute::text() const {
  std::string value(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (const auto end = value.find('\0'); end != std::string::npos) value.resize(end);
  return value;
}

std::array<std::uint8_t, 6> mac_bytes(const std::string& mac) {
  std::array<std::uint8_t, 6> bytes{};
  for (size_t i = 0; i < bytes.size() && mac.size() >= i * 3 + 2; ++i)
    bytes[i] = static_cast<std::uint8_t>(std::strtoul(mac.substr(i * 3, 2).c_str(), nullptr, 16));
  return bytes;
}

std::vector<NetlinkAttribute> parse_attributes(std::span<const std::uint8_t> bytes) {
  std::vector<NetlinkAttribute> attributes;
  while (bytes.size() >= sizeof(nlattr)) {
    nlattr header{};
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > bytes.size()) break;
    attributes.push_back(
        {static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK), bytes.subspan(sizeof header, header.nla_len - sizeof header)});
    bytes = bytes.subspan(std::min(bytes.size(), aligned(header.nla_len)));
  }
  return attributes;
}

Result<Descriptor> listen_to_netfilter(int buffer_bytes) {
  Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!socket) return fail_system("cannot open a netlink socket", errno);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
  // With an explicit address: the kernel skips a socket without one, as if that socket had sent the message itself.
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_system("cannot listen to netfilter", errno);
  return socket;
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!socket) return fail_system("cannot open a netlink socket", errno);
  const int on = 1;
  const timeval limit{10, 0};
  ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_size, sizeof buffer_size);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &buffer_size, sizeof buffer_size);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return NetlinkSocket(std::move(socket));
}

void NetlinkSocket::queue(NetlinkMessage message, std::string action, int tolerated) {
  pending_.push_back({message.finish(0), std::move(action), tolerated});
}

Result<void> NetlinkSocket::commit() {
  Result<void> result;
  size_t first = 0;
  while (first < pending_.size()) {
    size_t last = first;
    for (size_t size = 0; last < pending_.size() && (last == first || size + pending_[last].bytes.size() <= send_limit); ++last)
      size += pending_[last].bytes.size();
    auto part = exchange(first, last);
    if (!part && result) result = std::move(part);
    first = last;
  }
  pending_.clear();
  return result;
}

Result<void> NetlinkSocket::exchange(size_t first, size_t last) {
  const auto base = sequence_;
  std::vector<std::uint8_t> all;
  for (size_t i = first; i < last; ++i) {
    auto& bytes = pending_[i].bytes;
    nlmsghdr header{};
    std::memcpy(&header, bytes.data(), sizeof header);
    header.nlmsg_seq = sequence_++;
    header.nlmsg_flags |= NLM_F_ACK;
    std::memcpy(bytes.data(), &header, sizeof header);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  if (::send(socket_.get(), all.data(), all.size(), 0) < 0) return fail_system("cannot send to the kernel", errno);
  Result<void> result;
  for (size_t answered = 0; answered < last - first;) {
    auto received = receive();
    if (!received) return fail(received.error());
    auto rest = *received;
    while (rest.size() >= sizeof(nlmsghdr)) {
      nlmsghdr header{};
      std::memcpy(&header, rest.data(), sizeof header);
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) break;
      const auto index = header.nlmsg_seq - base;
      if (header.nlmsg_type == NLMSG_ERROR && index < last - first) {
        ++answered;
        int code = 0;
        std::memcpy(&code, rest.data() + sizeof header, sizeof code);
        const auto& pending = pending_[first + index];
        if (code != 0 && -code != pending.tolerated && result) result = fail_system(pending.action, -code);
      }
      rest = rest.subspan(std::min(rest.size(), aligned(header.nlmsg_len)));
    }
  }
  return result;
}

Result<std::span<const std::uint8_t>> NetlinkSocket::receive() {
  buffer_.resize(receive_size);
  ssize_t got = 0;
  do got = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
  while (got < 0 && errno == EINTR);
  if (got < 0) return fail_system("no answer from the kernel", errno);
  return std::span<const std::uint8_t>(buffer_.data(), static_cast<size_t>(got));
}

Result<void> NetlinkSocket::dump(NetlinkMessage message, const Take& take) { return converse(std::move(message), NLM_F_DUMP, take); }

Result<void> NetlinkSocket::ask(NetlinkMessage message, const Take& take) { return converse(std::move(message), NLM_F_ACK, take); }

Result<void> NetlinkSocket::converse(NetlinkMessage message, std::uint16_t flags, const Take& take) {
  const auto sequence = sequence_++;
  auto bytes = message.finish(sequence);
  nlmsghdr request{};
  std::memcpy(&request, bytes.data(), sizeof request);
  request.nlmsg_flags = static_cast<std::uint16_t>(request.nlmsg_flags | flags);
  std::memcpy(bytes.data(), &request, sizeof request);
  if (::send(socket_.get(), bytes.data(), bytes.size(), 0) < 0) return fail_system("cannot ask the kernel", errno);
  for (;;) {
    auto received = receive();
    if (!received) return fail(received.error());
    auto rest = *received;
    while (rest.size() >= sizeof(nlmsghdr)) {
      nlmsghdr header{};
      std::memcpy(&header, rest.data(), sizeof header);
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) break;
      const auto payload = rest.subspan(sizeof header, header.nlmsg_len - sizeof header);
      if (header.nlmsg_seq == sequence) {
        if (header.nlmsg_type == NLMSG_DONE) return {};
        if (header.nlmsg_type == NLMSG_ERROR) {
          int code = 0;
          std::memcpy(&code, payload.data(), sizeof code);
          if (code == 0) return {};
          return fail_system("the kernel does not tell", -code);
        }
        take(header.nlmsg_type, payload);
      }
      rest = rest.subspan(std::min(rest.size(), aligned(header.nlmsg_len)));
    }
  }
}

}  // namespace brume::network
