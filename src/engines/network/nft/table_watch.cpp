#include "engines/network/nft/table_watch.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/log.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/netlink/netlink.hpp"

namespace brume::network {
namespace {

constexpr std::uint64_t stop_number = 0;
constexpr std::uint64_t names_number = 1;
constexpr int buffer_size = 4 << 20;  // enough for a large VPC at once: thousands of messages
constexpr std::uint16_t table_attribute = NFTA_TABLE_NAME;
// The name of the table is the first attribute of every message of nftables, except one about a generation.
static_assert(NFTA_CHAIN_TABLE == table_attribute && NFTA_RULE_TABLE == table_attribute && NFTA_SET_TABLE == table_attribute &&
              NFTA_SET_ELEM_LIST_TABLE == table_attribute);

Result<void> add_to(const Descriptor& events, const Descriptor& what, std::uint64_t number) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = number;
  if (::epoll_ctl(events.get(), EPOLL_CTL_ADD, what.get(), &event) != 0) return fail_system("cannot wait for events", errno);
  return {};
}

// Of the calling thread's namespace.
Result<Descriptor> open_socket() {
  auto socket = listen_to_netfilter(buffer_size);
  const int group = NFNLGRP_NFTABLES;
  if (socket && ::setsockopt(socket->get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    return fail_system("cannot listen to nftables", errno);
  return socket;
}

}  // namespace

Result<std::unique_ptr<TableWatch>> TableWatch::start(Heard heard) {
  std::unique_ptr<TableWatch> watch(new TableWatch(std::move(heard)));
  watch->events_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  watch->names_ = Descriptor(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  watch->stop_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!watch->events_ || !watch->names_ || !watch->stop_) return fail_system("cannot watch the packet filter", errno);
  if (auto added = add_to(watch->events_, watch->stop_, stop_number); !added) return fail(added.error());
  if (auto added = add_to(watch->events_, watch->names_, names_number); !added) return fail(added.error());
  watch->thread_ = std::thread([raw = watch.get()] { raw->run(); });
  return watch;
}

TableWatch::~TableWatch() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

Result<void> TableWatch::watch(const std::string& id, const std::string& network_namespace, const std::string& table) {
  const std::lock_guard lock(mutex_);
  for (const auto& [number, place] : places_)
    if (place->id == id) return {};
  auto place = std::make_shared<Place>(Place{id, network_namespace, table, Descriptor(), false});
  const auto open = [&]() -> Result<void> {
    auto socket = open_socket();
    if (!socket) return fail(socket.error());
    place->socket = std::move(*socket);
    return {};
  };
  if (auto opened = network_namespace.empty() ? open() : host::in_namespace(network_namespace, open); !opened) return opened;
  // Once would be enough; the folder exists as soon as a namespace does.
  if (!network_namespace.empty() && ::inotify_add_watch(names_.get(), host::namespace_path("").c_str(), IN_DELETE | IN_MOVED_FROM) < 0)
    return fail_system("cannot watch " + host::namespace_path(""), errno);
  const auto number = next_++;
  if (auto added = add_to(events_, place->socket, number); !added) return added;
  places_[number] = std::move(place);
  return {};
}

void TableWatch::forget(const std::string& id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(places_, [&](const auto& one) {
    if (one.second->id != id) return false;
    ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, one.second->socket.get(), nullptr);
    return true;
  });
}

void TableWatch::run() {
  while (true) {
    std::array<epoll_event, 32> ready{};
    const int count = ::epoll_wait(events_.get(), ready.data(), static_cast<int>(ready.size()), -1);
    for (int i = 0; i < count; ++i) {
      const auto number = ready[static_cast<size_t>(i)].data.u64;
      if (number == stop_number) return;
      if (number == names_number) {
        hear_names();
        continue;
      }
      PlacePointer place;
      {
        const std::lock_guard lock(mutex_);
        if (const auto found = places_.find(number); found != places_.end()) place = found->second;
      }
      if (place) listen(*place);
    }
  }
}

void TableWatch::listen(Place& place) const {
  std::set<std::uint32_t> generations;
  bool missed = false;
  std::vector<std::uint8_t> buffer(256 << 10);
  while (true) {
    const auto received = ::recv(place.socket.get(), buffer.data(), buffer.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0 && errno == ENOBUFS) {
      missed = true;
      continue;
    }
    if (received <= 0) break;
    std::span<const std::uint8_t> rest(buffer.data(), static_cast<size_t>(received));
    while (rest.size() >= sizeof(nlmsghdr)) {
      nlmsghdr header{};
      std::memcpy(&header, rest.data(), sizeof header);
      if (header.nlmsg_len < NLMSG_HDRLEN + sizeof(nfgenmsg) || header.nlmsg_len > rest.size()) break;
      const auto attributes =
          parse_attributes(rest.subspan(NLMSG_HDRLEN + sizeof(nfgenmsg), header.nlmsg_len - NLMSG_HDRLEN - sizeof(nfgenmsg)));
      const bool ends = (header.nlmsg_type & 0xFF) == NFT_MSG_NEWGEN;
      for (const auto& attribute : attributes) {
        if (ends && attribute.type == NFTA_GEN_ID && place.touched) generations.insert(ntohl(attribute.as<std::uint32_t>()));
        if (!ends && attribute.type == table_attribute && attribute.text() == place.table) place.touched = true;
      }
      if (ends) place.touched = false;
      rest = rest.subspan(std::min<size_t>(rest.size(), NLMSG_ALIGN(header.nlmsg_len)));
    }
  }
  if (missed)
    heard_(place.id, {});
  else if (!generations.empty())
    heard_(place.id, generations);
}

void TableWatch::hear_names() {
  std::set<std::string> gone;
  alignas(inotify_event) std::array<char, 16 << 10> buffer{};
  while (true) {
    const auto received = ::read(names_.get(), buffer.data(), buffer.size());
    if (received <= 0) break;
    for (ssize_t at = 0; at < received;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      if (event.len > 0) gone.insert(buffer.data() + at + sizeof event);
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
  std::set<std::string> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, place] : places_)
      if (!place->network_namespace.empty() && gone.contains(place->network_namespace)) ids.insert(place->id);
  }
  for (const auto& id : ids) heard_(id, {});
}

}  // namespace brume::network
