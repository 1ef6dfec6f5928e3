// A peer of the HTTP server by hand, for its tests.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <string_view>

#include "base/descriptor.hpp"
#include "wire/http/server.hpp"

namespace brume::wire {

constexpr int patience = 10'000;  // milliseconds; only a broken server ever lets a test wait that long

// A peer by hand: what it sends and when is the test.
class Client {
 public:
  // `from`: the address that the connection comes from; any of 127.0.0.0/8.
  explicit Client(std::uint16_t port, int receive_buffer = 0, const char* from = nullptr)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (from != nullptr) {
      ::inet_pton(AF_INET, from, &address.sin_addr);
      ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  explicit Client(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  bool connected() const { return connected_; }
  int descriptor() const { return socket_.get(); }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // One answer: head, and as much body as its Content-Length says. Empty when the server closed before it was complete.
  std::string answer(bool with_body = true) {
    while (true) {
      const auto end = held_.find("\r\n\r\n");
      if (end != std::string::npos) {
        size_t length = 0;
        if (const auto at = held_.find("Content-Length: "); with_body && at < end) length = std::stoul(held_.substr(at + 16));
        if (held_.size() >= end + 4 + length) {
          auto one = held_.substr(0, end + 4 + length);
          held_.erase(0, one.size());
          return one;
        }
      }
      if (!receive()) return {};
    }
  }
  // Reads until the server closes; true when it did (and not only our patience ended).
  bool closed() {
    while (receive()) {
    }
    return closed_;
  }
  void close() { socket_.close(); }
  std::string held_;

 private:
  bool receive() {
    pollfd event{socket_.get(), POLLIN, 0};
    if (::poll(&event, 1, patience) != 1) return false;
    char buffer[65536];
    const auto got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (got <= 0) closed_ = true;
    if (got > 0) held_.append(buffer, static_cast<size_t>(got));
    return got > 0;
  }

  Descriptor socket_;
  bool connected_ = false;
  bool closed_ = false;
};

inline const std::string ping = "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n";

inline HttpResponse text(std::string body) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

}  // namespace brume::wire
