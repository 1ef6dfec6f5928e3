#include "engines/host/processes.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/descriptor.hpp"

namespace brume::host {
namespace {

Descriptor open_process(pid_t process) { return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, process, 0))); }

// A pidfd is readable when its process has ended.
bool ends_within(const Descriptor& process, milliseconds limit) {
  pollfd event{process.get(), POLLIN, 0};
  return ::poll(&event, 1, static_cast<int>(limit.count())) > 0;
}

bool says_ready(int socket) {
  std::array<char, 4096> text{};
  const auto size = ::recv(socket, text.data(), text.size(), MSG_DONTWAIT);
  return size > 0 && std::string_view(text.data(), static_cast<size_t>(size)).find("READY=1") != std::string_view::npos;
}

}  // namespace

void end_process(pid_t process, milliseconds patience) {
  const auto handle = open_process(process);
  if (!handle) return;
  ::kill(process, SIGTERM);
  if (ends_within(handle, patience)) return;
  ::kill(process, SIGKILL);
  ends_within(handle, seconds(2));
}

Result<pid_t> start_and_wait_until_ready(const std::string& place, const std::function<Result<pid_t>(const std::string&)>& start,
                                         milliseconds limit) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (place.size() >= sizeof address.sun_path) return fail(ErrorKind::invalid, place + " is too long for a socket");
  std::memcpy(address.sun_path, place.data(), place.size());
  ::unlink(place.c_str());
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_system("cannot open the socket " + place, errno);
  auto started = start(place);
  if (!started) return started;
  const auto process = open_process(*started);
  const auto end = std::chrono::steady_clock::now() + limit;
  for (auto left = limit; process && left.count() > 0;
       left = std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now())) {
    std::array<pollfd, 2> events = {pollfd{socket.get(), POLLIN, 0}, pollfd{process.get(), POLLIN, 0}};
    if (::poll(events.data(), events.size(), static_cast<int>(left.count())) <= 0) continue;
    if (says_ready(socket.get())) {
      ::unlink(place.c_str());
      return started;
    }
    if (events[1].revents != 0) break;
  }
  ::unlink(place.c_str());
  end_process(*started, seconds(1));
  return fail(ErrorKind::broken, "it did not become ready");
}

}  // namespace brume::host
