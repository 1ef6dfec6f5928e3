// Listening sockets, made directly so that they can also be made inside another network namespace.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "wire/http/server.hpp"

namespace brume::wire {
namespace {

constexpr int backlog = 4096;

// Whether somebody listens on that unix socket. A file without a process refuses.
bool answers(const sockaddr_un& address) {
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return true;
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  return errno != ECONNREFUSED && errno != ENOENT;
}

}  // namespace

Result<Descriptor> listen_tcp(const std::string& address, std::uint16_t port) {
  if (address.empty()) return fail(ErrorKind::invalid, "cannot listen: the address is empty; 0.0.0.0 or :: stands for all addresses");
  const std::string where = (address.find(':') == std::string::npos ? address : "[" + address + "]") + ":" + std::to_string(port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  // No names: the operator configured an address, and DNS may be down when the daemon starts.
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    return fail(ErrorKind::invalid, "cannot listen on " + where + ": not an IP address");
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  Descriptor socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_system("cannot listen on " + where, errno);
  const int on = 1;
  // Lets a restarted daemon have its port back at once; two simultaneous listeners are still refused.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(socket.get(), backlog) != 0) {
    if (errno == EADDRINUSE) return fail(ErrorKind::exists, "cannot listen on " + where + ": another program listens there");
    return fail_system("cannot listen on " + where, errno);
  }
  return socket;
}

Result<Descriptor> listen_unix(const std::string& path, unsigned mode) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(ErrorKind::invalid, "cannot listen on " + path + ": the path of a socket has 1 to 107 characters");
  std::memcpy(address.sun_path, path.data(), path.size());
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    // Only a socket is ever replaced: any other file with that name is not ours.
    if (!S_ISSOCK(status.st_mode)) return fail(ErrorKind::exists, "cannot listen on " + path + ": a file of that name is there");
    if (answers(address)) return fail(ErrorKind::exists, "cannot listen on " + path + ": another program listens there");
    ::unlink(path.c_str());
  }
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_system("cannot listen on " + path, errno);
  // The mode is set before listening, so that nobody connects between bind and chmod.
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EADDRINUSE) return fail(ErrorKind::exists, "cannot listen on " + path + ": another program listens there");
    return fail_system("cannot listen on " + path, errno);
  }
  if (::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0 || ::listen(socket.get(), backlog) != 0)
    return fail_system("cannot listen on " + path, errno);
  return socket;
}

}  // namespace brume::wire
