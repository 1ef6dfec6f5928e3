#include "cli/http_client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.hpp"
#include "base/text.hpp"

namespace brume::cli {
namespace {

constexpr size_t answer_limit = 64 << 20;

class Deadline {
 public:
  explicit Deadline(milliseconds limit) : end_(std::chrono::steady_clock::now() + limit) {}
  // Waits until the descriptor is ready. False: the time is over.
  bool wait(int descriptor, short events) const {
    const auto left = std::chrono::duration_cast<milliseconds>(end_ - std::chrono::steady_clock::now()).count();
    pollfd wait_for{descriptor, events, 0};
    return left > 0 && ::poll(&wait_for, 1, static_cast<int>(left)) > 0;
  }

 private:
  std::chrono::steady_clock::time_point end_;
};

Result<Descriptor> connect_to(const sockaddr* address, socklen_t size, const std::string& name, const Deadline& deadline) {
  Descriptor socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_system("cannot make a socket", errno);
  if (::connect(socket.get(), address, size) == 0) return socket;
  if (errno != EINPROGRESS && errno != EAGAIN) return fail_system("cannot connect to " + name, errno);
  if (!deadline.wait(socket.get(), POLLOUT)) return fail(ErrorKind::timed_out, name + " does not answer");
  int failure = 0;
  socklen_t length = sizeof failure;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failure, &length);
  if (failure != 0) return fail_system("cannot connect to " + name, failure);
  return socket;
}

Result<Descriptor> connect_tcp(const std::string& host, std::uint16_t port, const Deadline& deadline) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0 || found == nullptr)
    return fail(ErrorKind::not_found, "there is no host " + host);
  auto socket = connect_to(found->ai_addr, found->ai_addrlen, host + ":" + std::to_string(port), deadline);
  ::freeaddrinfo(found);
  return socket;
}

Result<void> send_all(int socket, std::string_view text, const Deadline& deadline) {
  while (!text.empty()) {
    const auto done = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (done > 0) {
      text.remove_prefix(static_cast<size_t>(done));
    } else if (errno != EAGAIN && errno != EINTR) {
      return fail_system("cannot send the request", errno);
    } else if (!deadline.wait(socket, POLLOUT)) {
      return fail(ErrorKind::timed_out, "the daemon takes no requests");
    }
  }
  return {};
}

// Until the peer closes: the request asks it to.
Result<std::string> receive_all(int socket, const Deadline& deadline) {
  std::string text;
  char buffer[65536];
  while (text.size() < answer_limit) {
    const auto got = ::recv(socket, buffer, sizeof buffer, 0);
    if (got == 0) return text;
    if (got > 0)
      text.append(buffer, static_cast<size_t>(got));
    else if (errno != EAGAIN && errno != EINTR)
      return fail_system("cannot read the answer", errno);
    else if (!deadline.wait(socket, POLLIN))
      return fail(ErrorKind::timed_out, "no answer came in time");
  }
  return fail(ErrorKind::broken, "the answer is too large");
}

Result<HttpAnswer> converse(int socket, const HttpCall& call, const std::string& host, const Deadline& deadline) {
  std::string request = call.method + " " + call.path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n";
  for (const auto& [name, value] : call.headers) request += name + ": " + value + "\r\n";
  request += "Content-Length: " + std::to_string(call.body.size()) + "\r\n\r\n" + call.body;
  if (auto sent = send_all(socket, request, deadline); !sent) return fail(sent.error());
  auto text = receive_all(socket, deadline);
  if (!text) return fail(text.error());
  const auto head_end = text->find("\r\n\r\n");
  if (head_end == std::string::npos || !text->starts_with("HTTP/1.1 ")) return fail(ErrorKind::broken, "the answer is not HTTP");
  HttpAnswer answer;
  answer.status = static_cast<int>(parse_integer(std::string_view(*text).substr(9, 3)).value_or(0));
  answer.body = text->substr(head_end + 4);
  return answer;
}

}  // namespace

Result<HttpAnswer> call_unix(const std::string& socket_path, const HttpCall& call) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path)
    return fail(ErrorKind::invalid, "the path " + socket_path + " is too long for a socket");
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  const Deadline deadline(call.limit);
  auto socket = connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address, socket_path, deadline);
  if (!socket) return fail(socket.error());
  return converse(socket->get(), call, "localhost", deadline);
}

Result<HttpAnswer> call_tcp(const std::string& host, std::uint16_t port, const HttpCall& call) {
  const Deadline deadline(call.limit);
  auto socket = connect_tcp(host, port, deadline);
  if (!socket) return fail(socket.error());
  return converse(socket->get(), call, host + ":" + std::to_string(port), deadline);
}

Result<std::string> read_banner(const std::string& address, std::uint16_t port, milliseconds limit) {
  const Deadline deadline(limit);
  auto socket = connect_tcp(address, port, deadline);
  if (!socket) return fail(socket.error());
  std::string line;
  char c = 0;
  while (line.size() < 256) {
    const auto got = ::recv(socket->get(), &c, 1, 0);
    if (got == 1 && c == '\n') return line;
    if (got == 1)
      line += c;
    else if (got == 0)
      return fail(ErrorKind::refused, "the connection was closed");
    else if (errno != EAGAIN && errno != EINTR)
      return fail_system("cannot read", errno);
    else if (!deadline.wait(socket->get(), POLLIN))
      return fail(ErrorKind::timed_out, "nothing came");
  }
  return line;
}

}  // namespace brume::cli
