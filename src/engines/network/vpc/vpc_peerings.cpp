// The links between VPCs: a veth pair per peering connection, with an end in each namespace. Either VPC makes it as soon as both exist, and
// each looks after its own end.
#include <fcntl.h>
#include <net/if.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/vpc/vpc_network.hpp"

namespace brume::network {
namespace {

bool is_peering(const Link& link) { return link.kind == "veth" && link.name.starts_with(peering_prefix); }

int index_of(const std::string& link) { return static_cast<int>(::if_nametoindex(link.c_str())); }

}  // namespace

Result<void> VpcNetwork::make_peering(const PeeringSpec& peering) {
  const auto name = peering_name(peering.id);
  const auto there = host_.namespace_of(peering.peer_vpc_id);
  const Descriptor target(::open(host::namespace_path(there).c_str(), O_RDONLY | O_CLOEXEC));
  if (!target) return {};  // gone meanwhile: it makes the link when it returns
  const auto make = [&]() -> Result<void> {
    auto netlink = RouteSocket::open();
    if (!netlink) return fail(netlink.error());
    netlink->add_veth(name, name, target.get());
    return netlink->commit();
  };
  if (auto made = make(); made || index_of(name) != 0) return {};  // or the other side was quicker
  // A link with that name there has its other end in a namespace of ours that no longer exists.
  auto cleared = host::in_namespace(there, [&]() -> Result<void> {
    auto netlink = RouteSocket::open();
    if (!netlink) return fail(netlink.error());
    if (const int index = index_of(name); index != 0) netlink->remove_link(index, name);
    return netlink->commit();
  });
  if (!cleared) return cleared;
  auto made = make();
  return made || index_of(name) != 0 ? Result<void>() : made;
}

Result<void> VpcNetwork::ensure_peerings() {
  if (model_->vpc.peerings.empty()) return {};
  may_have_links_ = true;
  for (const auto& peering : model_->vpc.peerings) {
    const auto name = peering_name(peering.id);
    if (index_of(name) == 0) {
      if (!host::namespace_exists(host_.namespace_of(peering.peer_vpc_id))) continue;
      if (auto made = make_peering(peering); !made) return made;
      if (index_of(name) == 0) continue;
      touched_peers_.insert(peering.peer_vpc_id);
    }
    auto netlink = RouteSocket::open();
    if (!netlink) return fail(netlink.error());
    const int index = index_of(name);
    netlink->set_up(index, peering.id, router_mac(id_));
    netlink->put_neighbour(index, peer_gateway, router_mac(peering.peer_vpc_id));
    if (auto done = netlink->commit(); !done) return done;
  }
  return {};
}

Result<void> VpcNetwork::remove_old_peerings() {
  if (!may_have_links_) return {};
  auto netlink = RouteSocket::open();
  if (!netlink) return fail(netlink.error());
  auto links = netlink->links();
  if (!links) return fail(links.error());
  std::set<std::string> wanted;
  if (model_)
    for (const auto& peering : model_->vpc.peerings) wanted.insert(peering_name(peering.id));
  for (const auto& link : *links)
    if (is_peering(link) && !wanted.contains(link.name)) netlink->remove_link(link.index, link.name);
  if (auto done = netlink->commit(); !done) return done;
  may_have_links_ = !wanted.empty();
  return {};
}

std::set<std::string> VpcNetwork::touched_peers() {
  const std::lock_guard lock(mutex_);
  return touched_peers_;
}

void VpcNetwork::peer_is_told(const std::string& peer_vpc_id) {
  const std::lock_guard lock(mutex_);
  touched_peers_.erase(peer_vpc_id);
}

Result<void> VpcNetwork::peer_changed(const std::string& peer_vpc_id) {
  const std::lock_guard lock(mutex_);
  if (!model_ || !ends_ || !host::namespace_exists(namespace_)) return {};
  const auto& peerings = model_->vpc.peerings;
  if (std::none_of(peerings.begin(), peerings.end(), [&](const auto& one) { return one.peer_vpc_id == peer_vpc_id; })) return {};
  auto taken = host::in_namespace(namespace_, [&]() -> Result<void> {
    if (auto linked = ensure_peerings(); !linked) return linked;
    return apply_routes(*ends_);
  });
  if (taken) touched_peers_.erase(peer_vpc_id);
  return taken;
}

}  // namespace brume::network
