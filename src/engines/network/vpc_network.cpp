#include "engines/network/vpc_network.hpp"

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
#include "engines/network/connections.hpp"
#include "engines/network/names.hpp"
#include "engines/network/namespaces.hpp"
#include "engines/network/nft_rules.hpp"
#include "engines/network/router_options.hpp"
#include "engines/network/taps.hpp"

namespace brume::network {
namespace {

constexpr std::uint32_t metadata_address = 0xA9FEA9FE;
constexpr std::uint16_t metadata_port = 80;

bool operator==(const Permission& a, const Permission& b) {
  return a.protocol == b.protocol && a.from_port == b.from_port && a.to_port == b.to_port && a.cidr == b.cidr && a.group_id == b.group_id;
}

// True: everything that the old rules let through, the new ones do too.
bool covers(const std::vector<Permission>& now, const std::vector<Permission>& before) {
  return std::all_of(before.begin(), before.end(), [&](const Permission& old) {
    return std::any_of(now.begin(), now.end(), [&](const Permission& one) { return one == old; });
  });
}

// True: no connection that was translated by the old is to be translated otherwise by the new.
bool same_translation(const VpcSpec& a, const VpcSpec& b) {
  const auto same = [](const NatSpec& one, const NatSpec& other) { return one.id == other.id && one.public_ip == other.public_ip; };
  const auto same_vpn = [](const VpnSpec& one, const VpnSpec& other) {
    const auto same_tunnel = [](const auto& x, const auto& y) { return x.outside_ip == y.outside_ip; };
    return std::equal(one.tunnels.begin(), one.tunnels.end(), other.tunnels.begin(), other.tunnels.end(), same_tunnel);
  };
  if (!std::equal(a.vpns.begin(), a.vpns.end(), b.vpns.begin(), b.vpns.end(), same_vpn)) return false;
  return a.internet_gateway == b.internet_gateway && std::equal(a.nats.begin(), a.nats.end(), b.nats.begin(), b.nats.end(), same);
}

// True: all members of peers' groups that the old knew, the new knows too.
bool covers(const std::vector<PeerGroupSpec>& now, const std::vector<PeerGroupSpec>& before) {
  return std::all_of(before.begin(), before.end(), [&](const PeerGroupSpec& old) {
    const auto same = std::find_if(now.begin(), now.end(), [&](const PeerGroupSpec& one) { return one.id == old.id; });
    if (same == now.end()) return old.addresses.empty();
    const std::set<std::string> members(same->addresses.begin(), same->addresses.end());
    return std::all_of(old.addresses.begin(), old.addresses.end(), [&](const std::string& one) { return members.contains(one); });
  });
}

std::set<std::uint32_t> numbers_of(const InterfaceSpec& interface, std::string AddressSpec::*which) {
  std::set<std::uint32_t> numbers;
  for (const auto& one : addresses_of(interface))
    if (const auto address = parse_ipv4(one.*which)) numbers.insert(*address);
  return numbers;
}

bool has_members(const Model& model, const std::string& group) {
  return std::any_of(model.interfaces.begin(), model.interfaces.end(), [&](const auto& one) {
    const auto& groups = one.second.group_ids;
    return std::find(groups.begin(), groups.end(), group) != groups.end();
  });
}

// Where the VPC's own ends of its tunnels answer.
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

// A VPC that an earlier daemon made is taken over as that one left it.
Result<void> VpcNetwork::require() {
  if (!model_) model_ = files_.load();
  if (!model_ || !namespace_exists(namespace_)) return fail(ErrorKind::not_found, id_ + " has no network on this host");
  if (ends_) return {};
  return ensure_base();
}

Result<void> VpcNetwork::ensure_namespace() {
  if (held_ && !namespace_exists(namespace_)) {
    log::warning("network", "somebody removed the name of a namespace, it is given back vpc={}", id_);
    if (auto named = name_namespace(held_, namespace_); !named) return named;
  }
  if (auto made = make_namespace(namespace_); !made) return made;
  if (!held_) {
    auto held = hold_namespace(namespace_);
    if (!held) return fail(held.error());
    held_ = std::move(*held);
  }
  return watch_.watch(id_, namespace_, std::string(vpc_table));
}

Result<void> VpcNetwork::ensure_base() {
  const bool fresh = !held_ && !namespace_exists(namespace_);
  if (auto there = ensure_namespace(); !there) return there;
  if (auto ready = host_.ensure(); !ready) return ready;
  auto ends = host_.ensure_link(id_);
  if (!ends) return fail(ends.error());
  // The filter stands before the first packet can pass.
  if (fresh) nft_ = Nft(namespace_);
  if (fresh) meter_.end();
  count_flows();
  if (auto applied = apply_rules(); !applied) return applied;
  auto prepared = in_namespace(namespace_, [&]() -> Result<void> {
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
  // What is inside the VPC's range and has no owner goes nowhere, least of all to the host.
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
  const auto begun = in_namespace(namespace_, [&] { return meter_.begin(); });
  if (begun) return;
  log::warning("network", "the flows of {} cannot be counted: {}", id_, begun.error().message);
  uncounted_ = true;
  model_->vpc.flow_logs = false;  // the rules do without; the next ensure tries again
}

// --- rules ---

Result<void> VpcNetwork::apply_rules() {
  const auto applied = nft_.apply(vpc_tables(*model_));
  if (!applied) return fail(applied.error());
  if (*applied == Nft::Applied::repaired) repaired_ = true;
  return {};
}

Result<void> VpcNetwork::end_connections(std::vector<Ipv4Block> lost) const {
  return in_namespace(namespace_, [&]() -> Result<void> {
    // Listing them costs 10 ms and more even when there are few: the kernel walks the table of all namespaces.
    if (const auto count = read_file("/proc/sys/net/netfilter/nf_conntrack_count", 32); count && trim(*count) == "0") return {};
    const auto ended = end_forbidden_connections(FlowRules(*model_, std::move(lost)));
    if (!ended) return fail(ended.error());
    if (*ended > 0) log::info("network", "connections ended because no rule allows them any more vpc={} count={}", id_, *ended);
    return end_connections6();
  });
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

// Somebody removed the namespace: what was in it is made anew. Machines that run hold the old taps and have to be plugged in again.
Result<void> VpcNetwork::restore_interfaces() {
  log::warning("network", "the namespace was gone and is made anew vpc={} interfaces={}", id_, model_->interfaces.size());
  std::vector<const InterfaceSpec*> all;
  for (const auto& [id, interface] : model_->interfaces) all.push_back(&interface);
  if (auto made = in_namespace(namespace_, [&] { return ensure_taps(all, false); }); !made) return made;
  return host_.set_public_addresses(id_, *ends_, public_addresses());
}

Result<void> VpcNetwork::ensure(const VpcSpec& vpc) {
  const std::lock_guard lock(mutex_);
  if (!model_) model_ = files_.load();
  if (!model_) model_.emplace();
  const auto before = std::exchange(model_->vpc, vpc);
  if (auto kept = files_.keep(vpc); !kept) return kept;
  const bool rebuilt = !held_ && !namespace_exists(namespace_) && !model_->interfaces.empty();
  if (auto based = ensure_base(); !based) return based;
  if (rebuilt)
    if (auto restored = restore_interfaces(); !restored) return restored;
  const bool moved = !same_translation(before, vpc);
  if (moved)
    if (auto routed = host_.set_public_addresses(id_, *ends_, public_addresses()); !routed) return routed;
  auto lost = lost_ranges(before, vpc);
  if (moved || repaired_ || !lost.empty() || !covers(vpc.peer_groups, before.peer_groups) || !same_ways6(before, vpc))
    if (auto ended = end_connections(std::move(lost)); !ended) return ended;
  repaired_ = false;
  if (auto made = ensure_tunnels(); !made) return made;
  return dnsmasq_.ensure(*model_);
}

Result<void> VpcNetwork::ensure_tunnels() {
  if (auto running = charon_.ensure(model_->vpc.vpns); !running) {
    log::error("network", "the VPN connections of {} have no tunnels: {}", id_, running.error().message);
    return {};
  }
  // Its link came or went with it, and the routes over it.
  if (model_->vpc.vpns.empty()) return {};
  return in_namespace(namespace_, [&] { return apply_routes(*ends_); });
}

Result<std::vector<TunnelState>> VpcNetwork::tunnels() {
  const std::lock_guard lock(mutex_);
  if (!model_) model_ = files_.load();
  if (!model_) return std::vector<TunnelState>();
  return charon_.tunnels(model_->vpc.vpns);
}

VpcSpec VpcNetwork::keep_exactly(const Model& wanted) {
  const auto before = model_ ? std::move(model_) : files_.load();
  model_ = wanted;
  if (!before) return {};
  for (const auto& [id, group] : before->groups)
    if (!wanted.groups.contains(id)) files_.forget_group(id);
  for (const auto& [id, interface] : before->interfaces) {
    if (wanted.interfaces.contains(id)) continue;
    meter_.remember(interface);
    files_.forget_interface(id);
  }
  return before->vpc;
}

Result<void> VpcNetwork::ensure_all(const VpcSpec& vpc, const std::vector<GroupSpec>& groups,
                                    const std::vector<InterfaceSpec>& interfaces) {
  const std::lock_guard lock(mutex_);
  Model wanted{vpc, {}, {}};
  for (const auto& group : groups) wanted.groups[group.id] = group;
  for (const auto& interface : interfaces) wanted.interfaces[interface.id] = interface;
  const auto before = keep_exactly(wanted);
  if (auto kept = files_.keep(vpc); !kept) return kept;
  for (const auto& group : groups)
    if (auto kept = files_.keep(group); !kept) return kept;
  std::vector<const InterfaceSpec*> all;
  for (const auto& interface : interfaces) {
    if (auto kept = files_.keep(interface); !kept) return kept;
    all.push_back(&interface);
  }
  if (auto based = ensure_base(); !based) return based;
  if (auto made = in_namespace(namespace_, [&] { return ensure_taps(all, true); }); !made) return made;
  if (auto made = ensure_tunnels(); !made) return made;
  if (auto running = dnsmasq_.ensure(*model_); !running) return running;
  if (auto routed = host_.set_public_addresses(id_, *ends_, public_addresses()); !routed) return routed;
  return end_connections(lost_ranges(before, vpc));
}

// --- interfaces ---

Result<void> VpcNetwork::ensure_taps(const std::vector<const InterfaceSpec*>& interfaces, bool remove_others) const {
  auto netlink = RouteSocket::open();
  if (!netlink) return fail(netlink.error());
  std::map<std::string, int> known;
  if (remove_others) {
    auto links = netlink->links();
    if (!links) return fail(links.error());
    std::set<std::string> wanted;
    for (const auto* interface : interfaces) wanted.insert(tap_name(interface->id));
    std::vector<int> others;
    for (const auto& link : *links) {
      if (!link.name.starts_with(tap_prefix) || link.kind != "tun") continue;
      if (wanted.contains(link.name))
        known[link.name] = link.index;
      else
        others.push_back(link.index);
    }
    netlink->remove_links(others);
  }
  for (const auto* interface : interfaces) {
    const auto name = tap_name(interface->id);
    auto index = known.contains(name) ? known[name] : static_cast<int>(::if_nametoindex(name.c_str()));
    if (index == 0) {
      if (auto made = make_tap(name, interface->user); !made) return made;
      index = static_cast<int>(::if_nametoindex(name.c_str()));
    }
    netlink->set_up(index, interface->id, router_mac(id_));
    netlink->answer_at_once(index);
    netlink->add_address(index, *parse_ipv4(router_address(interface->subnet_cidr)), 32);
    for (const auto address : numbers_of(*interface, &AddressSpec::private_ip)) {
      Route route;
      route.destination = {address, 32};
      route.link = index;
      netlink->put_route(route);
      netlink->put_neighbour(index, address, interface->mac);
    }
  }
  if (auto done = netlink->commit(); !done) return done;
  if (model_ && has_ipv6(model_->vpc))
    if (auto applied = apply_ipv6(); !applied) return applied;
  const bool leads = std::any_of(interfaces.begin(), interfaces.end(), [&](const auto* one) { return is_route_target(one->id); });
  return leads && ends_ ? apply_routes(*ends_) : Result<void>();
}

// The routes to addresses that the interface had and has no more.
Result<void> VpcNetwork::remove_old_routes(const InterfaceSpec& before, const InterfaceSpec& now) const {
  const auto kept = numbers_of(now, &AddressSpec::private_ip);
  return in_namespace(namespace_, [&]() -> Result<void> {
    auto netlink = RouteSocket::open();
    if (!netlink) return fail(netlink.error());
    for (const auto address : numbers_of(before, &AddressSpec::private_ip)) {
      if (kept.contains(address)) continue;
      Route route;
      route.destination = {address, 32};
      // With its link: another interface may have the address by now.
      route.link = static_cast<int>(::if_nametoindex(tap_name(before.id).c_str()));
      netlink->remove_route(route);
    }
    return netlink->commit();
  });
}

Result<void> VpcNetwork::move_public_addresses(const InterfaceSpec* before, const InterfaceSpec& now) {
  const auto wanted = numbers_of(now, &AddressSpec::public_ip);
  if (before != nullptr)
    for (const auto old : numbers_of(*before, &AddressSpec::public_ip))
      if (!wanted.contains(old) && !is_public_of_other(old, now.id))
        if (auto removed = host_.remove_public_address(id_, old); !removed) return removed;
  for (const auto address : wanted)
    if (auto routed = host_.add_public_address(id_, *ends_, address); !routed) return routed;
  return {};
}

// An address that came here from another interface of which nothing was said yet: two cannot have it.
void VpcNetwork::take_from_others(const InterfaceSpec& interface) {
  const auto privates = numbers_of(interface, &AddressSpec::private_ip);
  const auto publics = numbers_of(interface, &AddressSpec::public_ip);
  const auto is_ours = [](const std::set<std::uint32_t>& numbers, const std::string& address) {
    const auto number = parse_ipv4(address);
    return number && numbers.contains(*number);
  };
  for (auto& [id, other] : model_->interfaces) {
    if (id == interface.id) continue;
    if (is_ours(publics, other.public_ip)) other.public_ip.clear();
    std::erase_if(other.more, [&](const AddressSpec& one) { return is_ours(privates, one.private_ip); });
    for (auto& one : other.more)
      if (is_ours(publics, one.public_ip)) one.public_ip.clear();
    std::erase_if(other.ipv6, [&](const std::string& one) {
      return std::find(interface.ipv6.begin(), interface.ipv6.end(), one) != interface.ipv6.end();
    });
  }
}

// Moved on already to another interface of this VPC.
bool VpcNetwork::is_public_of_other(std::uint32_t address, const std::string& interface_id) const {
  for (const auto& [id, interface] : model_->interfaces)
    if (id != interface_id && numbers_of(interface, &AddressSpec::public_ip).contains(address)) return true;
  return std::any_of(model_->vpc.nats.begin(), model_->vpc.nats.end(),
                     [&](const NatSpec& nat) { return parse_ipv4(nat.public_ip) == address; });
}

Result<void> VpcNetwork::remove_tap(const std::string& interface_id) const {
  return in_namespace(namespace_, [&]() -> Result<void> {
    const auto name = tap_name(interface_id);
    const auto index = static_cast<int>(::if_nametoindex(name.c_str()));
    if (index == 0) return {};
    auto netlink = RouteSocket::open();
    if (!netlink) return fail(netlink.error());
    netlink->remove_link(index, name);
    return netlink->commit();
  });
}

Result<void> VpcNetwork::ensure_interface(const InterfaceSpec& interface) {
  const std::lock_guard lock(mutex_);
  if (auto there = require(); !there) return there;
  std::optional<InterfaceSpec> before;
  if (const auto found = model_->interfaces.find(interface.id); found != model_->interfaces.end()) before = found->second;
  // Address and range of an interface never change in EC2; should they, the old ones must not linger.
  if (before && (before->private_ip != interface.private_ip || before->subnet_cidr != interface.subnet_cidr))
    if (auto removed = remove_tap(interface.id); !removed) return removed;
  take_from_others(interface);
  if (before) meter_.remember(*before);
  model_->interfaces[interface.id] = interface;
  if (auto kept = files_.keep(interface); !kept) return kept;
  if (auto applied = apply_rules(); !applied) return applied;
  if (auto made = in_namespace(namespace_, [&] { return ensure_taps({&interface}, false); }); !made) return made;
  if (auto told = dnsmasq_.put(interface, model_->vpc); !told) return told;
  if (before)
    if (auto removed = remove_old_routes(*before, interface); !removed) return removed;
  if (auto moved = move_public_addresses(before ? &*before : nullptr, interface); !moved) return moved;
  const auto changed = [&](std::string AddressSpec::*which) { return numbers_of(*before, which) != numbers_of(interface, which); };
  const bool narrower = before && (before->group_ids != interface.group_ids || changed(&AddressSpec::public_ip) ||
                                   changed(&AddressSpec::private_ip) || before->ipv6 != interface.ipv6);
  return narrower ? end_connections() : Result<void>();
}

Result<void> VpcNetwork::remove_interface(const std::string& interface_id) {
  const std::lock_guard lock(mutex_);
  if (!model_) model_ = files_.load();
  if (!model_ || !namespace_exists(namespace_)) return {};
  const auto found = model_->interfaces.find(interface_id);
  if (found == model_->interfaces.end()) return remove_tap(interface_id);
  if (auto there = require(); !there) return there;
  const auto interface = found->second;
  for (const auto address : numbers_of(interface, &AddressSpec::public_ip))
    if (!is_public_of_other(address, interface_id))
      if (auto removed = host_.remove_public_address(id_, address); !removed) return removed;
  if (auto removed = remove_tap(interface_id); !removed) return removed;
  meter_.remember(interface);
  model_->interfaces.erase(interface_id);
  if (is_route_target(interface_id))
    if (auto routed = in_namespace(namespace_, [&] { return apply_routes(*ends_); }); !routed) return routed;
  if (auto applied = apply_rules(); !applied) return applied;
  dnsmasq_.remove(interface);
  files_.forget_interface(interface_id);
  return end_connections();
}

Result<Descriptor> VpcNetwork::open_tap(const std::string& interface_id) {
  const std::lock_guard lock(mutex_);
  Descriptor queue;
  auto opened = in_namespace(namespace_, [&]() -> Result<void> {
    const auto name = tap_name(interface_id);
    if (::if_nametoindex(name.c_str()) == 0) return fail(ErrorKind::not_found, interface_id + " has no tap in " + namespace_);
    auto tap = open_tap_queue(name);
    if (!tap) return fail(tap.error());
    queue = std::move(*tap);
    return {};
  });
  if (!opened) return fail(opened.error());
  return queue;
}

Result<std::vector<std::string>> VpcNetwork::interface_ids() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  if (!namespace_exists(namespace_)) return ids;
  auto looked = in_namespace(namespace_, [&]() -> Result<void> {
    auto netlink = RouteSocket::open();
    if (!netlink) return fail(netlink.error());
    auto links = netlink->links();
    if (!links) return fail(links.error());
    for (const auto& link : *links)
      if (link.name.starts_with(tap_prefix) && link.kind == "tun" && !link.alias.empty()) ids.push_back(link.alias);
    return {};
  });
  if (!looked) return fail(looked.error());
  return ids;
}

Result<TakenFlows> VpcNetwork::take_flows() {
  const std::lock_guard lock(mutex_);
  TakenFlows taken;
  if (!model_ || !namespace_exists(namespace_)) return taken;
  taken.complete = !uncounted_;
  if (!meter_.runs()) return taken;
  auto counted = in_namespace(namespace_, [&]() -> Result<void> {
    taken = meter_.take(*model_);
    return {};
  });
  if (!counted) return fail(counted.error());
  return taken;
}

bool VpcNetwork::is_as_left(const std::set<std::uint32_t>& generations) {
  const std::lock_guard lock(mutex_);
  if (!model_) return true;  // removed, or nothing of ours yet
  return namespace_exists(namespace_) && nft_.is_ours(generations);
}

// --- groups ---

Result<void> VpcNetwork::ensure_group(const GroupSpec& group) {
  const std::lock_guard lock(mutex_);
  if (auto there = require(); !there) return there;
  const auto found = model_->groups.find(group.id);
  const bool wider =
      found != model_->groups.end() && covers(group.ingress, found->second.ingress) && covers(group.egress, found->second.egress);
  const bool felt = has_members(*model_, group.id);
  model_->groups[group.id] = group;
  if (auto kept = files_.keep(group); !kept) return kept;
  if (auto applied = apply_rules(); !applied) return applied;
  return wider || !felt ? Result<void>() : end_connections();
}

Result<void> VpcNetwork::remove_group(const std::string& group_id) {
  const std::lock_guard lock(mutex_);
  if (!model_) model_ = files_.load();
  if (!model_ || !namespace_exists(namespace_) || !model_->groups.contains(group_id)) return {};
  if (auto there = require(); !there) return there;
  model_->groups.erase(group_id);
  files_.forget_group(group_id);
  if (auto applied = apply_rules(); !applied) return applied;
  return has_members(*model_, group_id) ? end_connections() : Result<void>();
}

// --- metadata, removal ---

Result<Descriptor> VpcNetwork::listen_metadata() {
  const std::lock_guard lock(mutex_);
  if (auto there = require(); !there) return fail(there.error());
  Descriptor listener;
  auto opened = in_namespace(namespace_, [&]() -> Result<void> {
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
  if (held_ && !namespace_exists(namespace_))
    if (auto named = name_namespace(held_, namespace_); !named) return named;
  if (namespace_exists(namespace_)) {
    // Taps first: a machine that still holds one keeps the namespace alive, but shall not speak any more.
    auto cleared = in_namespace(namespace_, [&]() -> Result<void> {
      if (auto gone = ensure_taps({}, true); !gone) return gone;
      if (model_) model_->vpc.peerings.clear();
      may_have_links_ = true;
      return remove_old_peerings();
    });
    if (!cleared) return cleared;
  }
  if (auto removed = host_.remove_link(id_); !removed) return removed;
  if (auto removed = remove_namespace(namespace_); !removed) return removed;
  files_.forget_all();
  meter_.end();
  held_ = Descriptor();
  model_.reset();
  ends_.reset();
  nft_ = Nft(namespace_);
  return {};
}

}  // namespace brume::network
