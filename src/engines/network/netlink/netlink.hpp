// The kernel's netlink protocol: many requests at once, dumps. Knows nothing about the messages' meaning.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace brume::network {

// One request under construction.
class NetlinkMessage {
 public:
  NetlinkMessage(std::uint16_t type, std::uint16_t flags);

  template <class T>
  NetlinkMessage& body(const T& header) {
    append(&header, sizeof header);
    return *this;
  }
  template <class T>
  NetlinkMessage& number(std::uint16_t type, T value) {
    return attribute(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
  }
  NetlinkMessage& text(std::uint16_t type, std::string_view value);  // with its final zero
  NetlinkMessage& attribute(std::uint16_t type, std::span<const std::uint8_t> bytes);
  // The attributes that `fill` adds are nested in one of this type.
  NetlinkMessage& nested(std::uint16_t type, const std::function<void(NetlinkMessage&)>& fill);

  std::vector<std::uint8_t> finish(std::uint32_t sequence);

 private:
  void append(const void* bytes, size_t count);

  std::vector<std::uint8_t> bytes_;
};

// One attribute of an answer; its data lives as long as the answer.
struct NetlinkAttribute {
  std::uint16_t type = 0;
  std::span<const std::uint8_t> bytes;

  template <class T>
  T as() const {
    T value{};
    if (bytes.size() >= sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string text() const;
};
std::vector<NetlinkAttribute> parse_attributes(std::span<const std::uint8_t> bytes);

// The fixed part at the beginning of a message; the rest are its attributes. Missing bytes are zero.
template <class T>
T take_body(std::span<const std::uint8_t>& payload) {
  T body{};
  const auto size = std::min(payload.size(), sizeof body);
  std::memcpy(&body, payload.data(), size);
  payload = payload.subspan(std::min(payload.size(), (sizeof body + 3) & ~size_t{3}));
  return body;
}

// From "02:00:00:00:00:01".
std::array<std::uint8_t, 6> mac_bytes(const std::string& mac);

// A non-blocking socket for netfilter's notifications, in the calling thread's namespace. The kernel keeps at most `buffer_bytes` until
// they are read, and drops more.
Result<Descriptor> listen_to_netfilter(int buffer_bytes);

// Threads: one at a time. A socket belongs to the namespace that its thread was in when it was opened.
class NetlinkSocket {
 public:
  static Result<NetlinkSocket> open(int protocol);

  // Queues a request. commit reports its failure as "action: reason", unless the errno is `tolerated`.
  void queue(NetlinkMessage message, std::string action, int tolerated = 0);
  // Sends the queue and waits for every answer; returns the first failure, but tries all requests.
  Result<void> commit();

  // Passes each answer's type and payload (after the netlink header) to `take`.
  using Take = std::function<void(std::uint16_t type, std::span<const std::uint8_t> payload)>;
  Result<void> dump(NetlinkMessage message, const Take& take);
  // The same for a request with a single answer.
  Result<void> ask(NetlinkMessage message, const Take& take);

 private:
  explicit NetlinkSocket(Descriptor socket) : socket_(std::move(socket)) {}
  struct Pending {
    std::vector<std::uint8_t> bytes;
    std::string action;
    int tolerated;
  };
  Result<void> exchange(size_t first, size_t last);
  Result<void> converse(NetlinkMessage message, std::uint16_t flags, const Take& take);
  Result<std::span<const std::uint8_t>> receive();

  Descriptor socket_;
  std::uint32_t sequence_ = 1;
  std::vector<Pending> pending_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace brume::network
