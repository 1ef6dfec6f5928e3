// The interfaces of one VPC: taps, the routes to them, and the public addresses mapped to them.
#include <net/if.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/netlink/taps.hpp"
#include "engines/network/vpc/vpc_network.hpp"

namespace brume::network {
namespace {

std::set<std::uint32_t> numbers_of(const InterfaceSpec& interface, std::string AddressSpec::*which) {
  std::set<std::uint32_t> numbers;
  for (const auto& one : addresses_of(interface))
    if (const auto address = parse_ipv4(one.*which)) numbers.insert(*address);
  return numbers;
}

// What the interface loses. `took`: another interface loses something to this one.
std::optional<PendingCut> cut_for(const std::optional<InterfaceSpec>& before, const InterfaceSpec& now, bool took) {
  const auto changed = [&](std::string AddressSpec::*which) { return before && numbers_of(*before, which) != numbers_of(now, which); };
  const bool addresses = took || changed(&AddressSpec::public_ip) || changed(&AddressSpec::private_ip);
  const bool narrower =
      before && (before->group_ids != now.group_ids || before->ipv6 != now.ipv6 || (now.source_dest_check && !before->source_dest_check));
  return addresses || narrower ? std::optional(PendingCut{addresses, {}}) : std::nullopt;
}

}  // namespace

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

// Routes to addresses that the tap's interface had and no longer has. The kernel lists them, because we may have forgotten.
Result<void> VpcNetwork::remove_stale_routes() const {
  auto netlink = RouteSocket::open();
  if (!netlink) return fail(netlink.error());
  auto links = netlink->links();
  if (!links) return fail(links.error());
  auto routes = netlink->routes();
  if (!routes) return fail(routes.error());
  std::map<std::string, int> taps;
  std::set<int> indexes;
  for (const auto& link : *links)
    if (link.name.starts_with(tap_prefix) && link.kind == "tun") {
      taps[link.name] = link.index;
      indexes.insert(link.index);
    }
  std::set<std::pair<int, std::uint32_t>> wanted;
  for (const auto& [id, interface] : model_->interfaces)
    if (const auto tap = taps.find(tap_name(id)); tap != taps.end())
      for (const auto address : numbers_of(interface, &AddressSpec::private_ip)) wanted.emplace(tap->second, address);
  for (const auto& route : *routes)
    if (route.protocol == route_protocol && route.table == 0 && route.destination.prefix == 32 && indexes.contains(route.link) &&
        !wanted.contains({route.link, route.destination.base}))
      netlink->remove_route(route);
  return netlink->commit();
}

// An address that moved here from another interface without a call for that one yet: two cannot have it. True: there was one.
bool VpcNetwork::take_from_others(Model& model, const InterfaceSpec& interface) {
  const auto privates = numbers_of(interface, &AddressSpec::private_ip);
  const auto publics = numbers_of(interface, &AddressSpec::public_ip);
  const auto is_ours = [](const std::set<std::uint32_t>& numbers, const std::string& address) {
    const auto number = parse_ipv4(address);
    return number && numbers.contains(*number);
  };
  size_t taken = 0;
  const auto take_public = [&](std::string& address) {
    if (!is_ours(publics, address)) return;
    address.clear();
    ++taken;
  };
  for (auto& [id, other] : model.interfaces) {
    if (id == interface.id) continue;
    take_public(other.public_ip);
    taken += std::erase_if(other.more, [&](const AddressSpec& one) { return is_ours(privates, one.private_ip); });
    for (auto& one : other.more) take_public(one.public_ip);
    taken += std::erase_if(other.ipv6, [&](const std::string& one) {
      return std::find(interface.ipv6.begin(), interface.ipv6.end(), one) != interface.ipv6.end();
    });
  }
  return taken > 0;
}

Result<void> VpcNetwork::remove_tap(const std::string& interface_id) const {
  return host::in_namespace(namespace_, [&]() -> Result<void> {
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
  // Address and range of an interface never change in EC2; if they do, the old ones must not linger.
  if (before && (before->private_ip != interface.private_ip || before->subnet_cidr != interface.subnet_cidr))
    if (auto removed = remove_tap(interface.id); !removed) return removed;
  auto changed_model = *model_;
  const bool took = take_from_others(changed_model, interface);
  changed_model.interfaces[interface.id] = interface;
  return carry_out(cut_for(before, interface, took), [&]() -> Result<void> {
    if (auto kept = files_.keep(interface); !kept) return kept;
    if (before) meter_.remember(*before);
    model_ = std::move(changed_model);
    if (auto applied = apply_rules(); !applied) return applied;
    if (auto made = host::in_namespace(namespace_, [&] { return ensure_taps({&interface}, false); }); !made) return made;
    if (auto told = dnsmasq_.put(interface, model_->vpc); !told) return told;
    for (const auto address : numbers_of(interface, &AddressSpec::public_ip))
      if (auto routed = host_.add_public_address(id_, *ends_, address); !routed) return routed;
    return {};
  });
}

// Also if an earlier call removed it and failed after that: its rules may still be in force.
Result<void> VpcNetwork::remove_interface(const std::string& interface_id) {
  const std::lock_guard lock(mutex_);
  load();
  if (!model_ || !host::namespace_exists(namespace_)) return {};
  const auto found = model_->interfaces.find(interface_id);
  const bool known = found != model_->interfaces.end();
  if (!known && !cut_) return remove_tap(interface_id);
  if (auto there = require(); !there) return there;
  std::optional<PendingCut> cut;
  if (known) cut = PendingCut{!numbers_of(found->second, &AddressSpec::public_ip).empty(), {}};
  return carry_out(cut, [&]() -> Result<void> {
    if (auto removed = remove_tap(interface_id); !removed) return removed;
    if (known) {
      meter_.remember(found->second);
      if (auto told = dnsmasq_.remove(found->second); !told) return told;
      if (auto forgotten = files_.forget_interface(interface_id); !forgotten) return forgotten;
      model_->interfaces.erase(found);
    }
    if (is_route_target(interface_id))
      if (auto routed = host::in_namespace(namespace_, [&] { return apply_routes(*ends_); }); !routed) return routed;
    return apply_rules();
  });
}

Result<Descriptor> VpcNetwork::open_tap(const std::string& interface_id) {
  const std::lock_guard lock(mutex_);
  Descriptor queue;
  auto opened = host::in_namespace(namespace_, [&]() -> Result<void> {
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
  if (!host::namespace_exists(namespace_)) return ids;
  auto looked = host::in_namespace(namespace_, [&]() -> Result<void> {
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

}  // namespace brume::network
