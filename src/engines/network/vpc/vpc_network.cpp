#include "engines/network/vpc/vpc_network.hpp"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/names/router_options.hpp"
#include "engines/network/netlink/connections.hpp"
#include "engines/network/netlink/taps.hpp"
#include "engines/network/nft/nft_rules.hpp"

namespace brume::network {
namespace {

constexpr std::uint32_t metadata_address = 0xA9FEA9FE;
constexpr std::uint16_t metadata_port = 80;

bool operator==(const Permission& a, const Permission& b) {
  return a.protocol == b.protocol && a.from_port == b.from_port && a.to_port == b.to_port && a.cidr == b.cidr && a.group_id == b.group_id;
}

// True: the new rules allow everything that the old ones did.
bool covers(const std::vector<Permission>& now, const std::vector<Permission>& before) {
  return std::all_of(before.begin(), before.end(), [&](const Permission& old) {
    return std::any_of(now.begin(), now.end(), [&](const Permission& one) { return one == old; });
  });
}

bool has_members(const Model& model, const std::string& group) {
  return std::any_of(model.interfaces.begin(), model.interfaces.end(), [&](const auto& one) {
    const auto& groups = one.second.group_ids;
    return std::find(groups.begin(), groups.end(), group) != groups.end();
  });
}

// The addresses of the VPC's own ends of its tunnels.
std::set<std::uint32_t> tunnel_addresses(const VpcSpec& vpc) {
  std::set<std::uint32_t> addresses;
  for (const auto& vpn : vpc.vpns)
    for (const auto& tunnel : vpn.tunnels)
      if (const auto address = parse_ipv4(tunnel.outside_ip)) addresses.insert(*address);
  return addresses;
}

}  // namespace

VpcNetwork::VpcNetwork(Host& host, TableWatch& watch, std::string vpc_id, const DnsmasqPlace& place)
    : host_(host),
      watch_(watch),
      id_(std::move(vpc_id)),
      namespace_(host.namespace_of(id_)),
      files_(host.folder_of(id_)),
      nft_(namespace_),
      dnsmasq_(place, namespace_),
      charon_(place.folder, namespace_) {}

// --- base ---

// A VPC that an earlier daemon made is taken over as that daemon left it, including unfinished work.
void VpcNetwork::load() {
  if (model_) return;
  model_ = files_.load();
  if (!cut_) cut_ = files_.pending_cut();
}

Result<void> VpcNetwork::require() {
  load();
  if (!model_ || !host::namespace_exists(namespace_)) return fail(ErrorKind::not_found, id_ + " has no network on this host");
  if (ends_) return {};
  return ensure_base();
}

Result<void> VpcNetwork::ensure_namespace() {
  if (held_ && !host::namespace_exists(namespace_)) {
    log::warning("network", "somebody removed the name of a namespace; it is restored vpc={}", id_);
    if (auto named = host::name_namespace(held_, namespace_); !named) return named;
  }
  if (auto made = host::make_namespace(namespace_); !made) return made;
  if (!held_) {
    auto held = host::hold_namespace(namespace_);
    if (!held) return fail(held.error());
    held_ = std::move(*held);
  }
  return watch_.watch(id_, namespace_, std::string(vpc_table));
}

Result<void> VpcNetwork::ensure_base() {
  if (!held_ && !host::namespace_exists(namespace_)) {
    lacks_interfaces_ = true;
    nft_ = Nft(namespace_);
    meter_.end();
  }
  if (auto there = ensure_namespace(); !there) return there;
  if (auto ready = host_.ensure(); !ready) return ready;
  auto ends = host_.ensure_link(id_);
  if (!ends) return fail(ends.error());
  count_flows();
  // The filter is in force before the first packet can pass.
  if (auto applied = apply_rules(); !applied) return applied;
  auto prepared = host::in_namespace(namespace_, [&]() -> Result<void> {
    if (auto set = set_router_options(); !set) return set;
    return prepare_inside(*ends);
  });
  if (!prepared) return prepared;
  ends_ = *ends;
  return host_.lead_ipv6(id_, ranges_of<Ipv6>(model_->vpc));
}

Result<void> VpcNetwork::prepare_inside(const LinkEnds& ends) {
  auto netlink = RouteSocket::open();
  if (!netlink) return fail(netlink.error());
  const auto loopback = static_cast<int>(::if_nametoindex("lo"));
  const auto uplink = static_cast<int>(::if_nametoindex(std::string(uplink_name).c_str()));
  if (uplink == 0) return fail(ErrorKind::not_found, "the link to the host is missing in " + namespace_);
  const auto ranges = ranges_of<Ipv4>(model_->vpc);
  netlink->set_up(loopback);
  netlink->add_address(loopback, metadata_address, 32);
  netlink->add_address(loopback, ranges.front().base + 2, 32);
  auto present = netlink->addresses();
  if (!present) return fail(present.error());
  auto ends_of_tunnels = tunnel_addresses(model_->vpc);
  for (const auto& one : *present)
    if (one.link == loopback && host_.is_public(one.address) && ends_of_tunnels.erase(one.address) == 0)
      netlink->remove_address(loopback, one.address, 32);
  for (const auto address : ends_of_tunnels) netlink->add_address(loopback, address, 32);
  netlink->set_up(uplink, "host");
  netlink->add_address(uplink, ends.vpc, 31);
  Route out;
  out.destination = {0, 0};
  out.link = uplink;
  out.gateway = ends.host;
  netlink->put_route(out);
  // Addresses in the VPC's range without an owner are rejected, and never sent to the host.
  for (const auto& range : ranges) {
    Route nowhere;
    nowhere.destination = range;
    nowhere.type = RTN_BLACKHOLE;
    netlink->put_route(nowhere);
  }
  if (auto done = netlink->commit(); !done) return done;
  if (auto linked = ensure_peerings(); !linked) return linked;
  if (auto routed = apply_routes(ends); !routed) return routed;
  if (auto applied = apply_ipv6(); !applied) return applied;
  return remove_old_peerings();
}

void VpcNetwork::count_flows() {
  uncounted_ = false;
  if (!model_->vpc.flow_logs) return meter_.end();
  const auto begun = host::in_namespace(namespace_, [&] { return meter_.begin(); });
  if (begun) return;
  log::warning("network", "the flows of {} cannot be counted: {}", id_, begun.error().message);
  uncounted_ = true;
  model_->vpc.flow_logs = false;  // the rules work without it; the next ensure retries
}

// --- rules ---

Result<void> VpcNetwork::apply_rules() {
  const auto applied = nft_.apply(vpc_tables(*model_));
  if (!applied) return fail(applied.error());
  if (*applied == Nft::Applied::repaired) repaired_ = true;
  return {};
}

std::vector<std::uint32_t> VpcNetwork::public_addresses() const {
  std::vector<std::uint32_t> addresses;
  for (const auto& [id, interface] : model_->interfaces)
    for (const auto& one : addresses_of(interface))
      if (const auto address = parse_ipv4(one.public_ip)) addresses.push_back(*address);
  for (const auto& nat : model_->vpc.nats)
    if (const auto address = parse_ipv4(nat.public_ip)) addresses.push_back(*address);
  for (const auto address : tunnel_addresses(model_->vpc)) addresses.push_back(address);
  return addresses;
}

// Somebody removed the namespace: its content is made anew. Running machines hold the old taps and have to be plugged in again.
Result<void> VpcNetwork::restore_interfaces() {
  log::warning("network", "the namespace was gone and is made anew vpc={} interfaces={}", id_, model_->interfaces.size());
  std::vector<const InterfaceSpec*> all;
  for (const auto& [id, interface] : model_->interfaces) all.push_back(&interface);
  if (auto made = host::in_namespace(namespace_, [&] { return ensure_taps(all, false); }); !made) return made;
  return host_.set_public_addresses(id_, *ends_, public_addresses());
}

Result<void> VpcNetwork::ensure(const VpcSpec& vpc) {
  const std::lock_guard lock(mutex_);
  load();
  return carry_out(cut_between(model_ ? model_->vpc : VpcSpec{}, vpc), [&]() -> Result<void> {
    if (auto kept = files_.keep(vpc); !kept) return kept;
    if (!model_) model_.emplace();
    model_->vpc = vpc;
    if (auto based = ensure_base(); !based) return based;
    if (lacks_interfaces_ && !model_->interfaces.empty())
      if (auto restored = restore_interfaces(); !restored) return restored;
    lacks_interfaces_ = false;
    if (auto made = ensure_tunnels(); !made) return made;
    return dnsmasq_.ensure(*model_);
  });
}

Result<void> VpcNetwork::ensure_tunnels() {
  if (auto running = charon_.ensure(model_->vpc.vpns); !running) {
    log::error("network", "the VPN connections of {} have no tunnels: {}", id_, running.error().message);
    return {};
  }
  // Its link was added or removed with it, and the routes over it.
  if (model_->vpc.vpns.empty()) return {};
  return host::in_namespace(namespace_, [&] { return apply_routes(*ends_); });
}

Result<std::vector<TunnelState>> VpcNetwork::tunnels() {
  const std::lock_guard lock(mutex_);
  load();
  if (!model_) return std::vector<TunnelState>();
  return charon_.tunnels(model_->vpc.vpns);
}

Result<void> VpcNetwork::keep_exactly(const Model& wanted) {
  if (auto kept = files_.keep(wanted.vpc); !kept) return kept;
  for (const auto& [id, group] : wanted.groups)
    if (auto kept = files_.keep(group); !kept) return kept;
  for (const auto& [id, interface] : wanted.interfaces)
    if (auto kept = files_.keep(interface); !kept) return kept;
  if (model_) {
    for (const auto& [id, group] : model_->groups)
      if (!wanted.groups.contains(id))
        if (auto forgotten = files_.forget_group(id); !forgotten) return forgotten;
    for (const auto& [id, interface] : model_->interfaces) {
      if (wanted.interfaces.contains(id)) continue;
      meter_.remember(interface);
      if (auto forgotten = files_.forget_interface(id); !forgotten) return forgotten;
    }
  }
  model_ = wanted;
  return {};
}

Result<void> VpcNetwork::ensure_all(const VpcSpec& vpc, const std::vector<GroupSpec>& groups,
                                    const std::vector<InterfaceSpec>& interfaces) {
  const std::lock_guard lock(mutex_);
  load();
  Model wanted{vpc, {}, {}};
  for (const auto& group : groups) wanted.groups[group.id] = group;
  for (const auto& interface : interfaces) wanted.interfaces[interface.id] = interface;
  // What was in force before is not known for certain, so everything is compared.
  PendingCut cut{true, {}};
  if (const auto known = cut_between(model_ ? model_->vpc : VpcSpec{}, vpc)) cut.add(*known);
  return carry_out(cut, [&]() -> Result<void> {
    if (auto kept = keep_exactly(wanted); !kept) return kept;
    std::vector<const InterfaceSpec*> all;
    for (const auto& interface : interfaces) all.push_back(&interface);
    if (auto based = ensure_base(); !based) return based;
    if (auto made = host::in_namespace(namespace_, [&] { return ensure_taps(all, true); }); !made) return made;
    lacks_interfaces_ = false;
    if (auto made = ensure_tunnels(); !made) return made;
    return dnsmasq_.ensure(*model_);
  });
}

// --- flows, others' changes ---

Result<TakenFlows> VpcNetwork::take_flows() {
  const std::lock_guard lock(mutex_);
  TakenFlows taken;
  if (!model_ || !host::namespace_exists(namespace_)) return taken;
  taken.complete = !uncounted_;
  if (!meter_.runs()) return taken;
  auto counted = host::in_namespace(namespace_, [&]() -> Result<void> {
    taken = meter_.take(*model_);
    return {};
  });
  if (!counted) return fail(counted.error());
  return taken;
}

bool VpcNetwork::is_as_left(const std::set<std::uint32_t>& generations) {
  const std::lock_guard lock(mutex_);
  if (!model_) return true;  // removed, or nothing of ours yet
  return host::namespace_exists(namespace_) && nft_.is_ours(generations);
}

// --- groups ---

Result<void> VpcNetwork::ensure_group(const GroupSpec& group) {
  const std::lock_guard lock(mutex_);
  if (auto there = require(); !there) return there;
  const auto found = model_->groups.find(group.id);
  const bool wider =
      found != model_->groups.end() && covers(group.ingress, found->second.ingress) && covers(group.egress, found->second.egress);
  const auto cut = wider || !has_members(*model_, group.id) ? std::nullopt : std::optional<PendingCut>(std::in_place);
  return carry_out(cut, [&]() -> Result<void> {
    if (auto kept = files_.keep(group); !kept) return kept;
    model_->groups[group.id] = group;
    return apply_rules();
  });
}

// Also if an earlier call removed it and failed after that: its rules may still be in force.
Result<void> VpcNetwork::remove_group(const std::string& group_id) {
  const std::lock_guard lock(mutex_);
  load();
  if (!model_ || !host::namespace_exists(namespace_) || !(model_->groups.contains(group_id) || cut_)) return {};
  if (auto there = require(); !there) return there;
  const auto cut = has_members(*model_, group_id) ? std::optional<PendingCut>(std::in_place) : std::nullopt;
  return carry_out(cut, [&]() -> Result<void> {
    if (auto forgotten = files_.forget_group(group_id); !forgotten) return forgotten;
    model_->groups.erase(group_id);
    return apply_rules();
  });
}

// --- metadata, removal ---

Result<Descriptor> VpcNetwork::listen_metadata() {
  const std::lock_guard lock(mutex_);
  if (auto there = require(); !there) return fail(there.error());
  Descriptor listener;
  auto opened = host::in_namespace(namespace_, [&]() -> Result<void> {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail_system("cannot open the metadata socket", errno);
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(metadata_port);
    address.sin_addr.s_addr = htonl(metadata_address);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return fail_system("cannot bind the metadata socket of " + id_, errno);
    if (::listen(socket.get(), SOMAXCONN) != 0) return fail_system("cannot listen on the metadata socket of " + id_, errno);
    listener = std::move(socket);
    return {};
  });
  if (!opened) return fail(opened.error());
  return listener;
}

Result<void> VpcNetwork::remove() {
  const std::lock_guard lock(mutex_);
  charon_.stop();
  dnsmasq_.stop();
  watch_.forget(id_);
  if (held_ && !host::namespace_exists(namespace_))
    if (auto named = host::name_namespace(held_, namespace_); !named) return named;
  if (host::namespace_exists(namespace_)) {
    // Taps first: a machine that still holds one keeps the namespace alive, but must not send any more.
    auto cleared = host::in_namespace(namespace_, [&]() -> Result<void> {
      if (auto gone = ensure_taps({}, true); !gone) return gone;
      if (model_) model_->vpc.peerings.clear();
      may_have_links_ = true;
      return remove_old_peerings();
    });
    if (!cleared) return cleared;
  }
  if (auto removed = host_.remove_link(id_); !removed) return removed;
  if (auto removed = host::remove_namespace(namespace_); !removed) return removed;
  files_.forget_all();
  cut_.reset();
  repaired_ = lacks_interfaces_ = false;
  meter_.end();
  held_ = Descriptor();
  model_.reset();
  ends_.reset();
  nft_ = Nft(namespace_);
  return {};
}

}  // namespace brume::network
