#include "engines/network/netlink/taps.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace brume::network {
namespace {

Result<Descriptor> attach(const std::string& name) {
  Descriptor queue(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!queue) return fail_system("cannot open /dev/net/tun", errno);
  ifreq request{};
  std::copy_n(name.begin(), std::min<size_t>(name.size(), IFNAMSIZ - 1), request.ifr_name);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (::ioctl(queue.get(), TUNSETIFF, &request) != 0) {
    if (errno == EBUSY) return fail(ErrorKind::refused, "tap " + name + " is in use by a machine already");
    return fail_system("cannot attach to tap " + name, errno);
  }
  return queue;
}

}  // namespace

Result<void> make_tap(const std::string& name, unsigned user) {
  auto queue = attach(name);
  if (!queue) return fail(queue.error());
  if (::ioctl(queue->get(), TUNSETOWNER, static_cast<unsigned long>(user)) != 0)
    return fail_system("cannot give tap " + name + " to its user", errno);
  if (::ioctl(queue->get(), TUNSETPERSIST, 1UL) != 0) return fail_system("cannot keep tap " + name, errno);
  return {};
}

Result<Descriptor> open_tap_queue(const std::string& name) { return attach(name); }

int index_of_tap(const std::string& name) {
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::copy_n(name.begin(), std::min<size_t>(name.size(), IFNAMSIZ - 1), request.ifr_name);
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_UP) == 0) return 0;
  return ::ioctl(socket.get(), SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
}

}  // namespace brume::network
