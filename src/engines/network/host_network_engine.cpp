// The network engine of one machine: has one VpcNetwork per VPC and passes each call to it.
#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/ipv4.hpp"
#include "base/log.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/host/host.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/names/resolver.hpp"
#include "engines/network/network_engine.hpp"
#include "engines/network/vpc/vpc_network.hpp"
#include "engines/network/vpn/charon.hpp"

namespace brume::network {
namespace {

// The user that dnsmasq becomes: its package's user, else nobody.
std::pair<std::string, std::string> dnsmasq_user() {
  for (const auto* name : {"dnsmasq", "nobody"}) {
    const auto* user = ::getpwnam(name);
    if (user == nullptr) continue;
    const auto* group = ::getgrgid(user->pw_gid);
    if (group != nullptr) return {name, group->gr_name};
  }
  return {"root", "root"};
}

// systemd-resolved's stub is on the loopback interface, which a namespace cannot reach; the real resolvers are behind it.
std::vector<std::string> host_resolvers() {
  for (const auto* path : {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}) {
    const auto text = read_file(path, 64 << 10);
    if (!text) continue;
    if (auto resolvers = reachable_resolvers(*text); !resolvers.empty()) return resolvers;
  }
  return {};
}

// The address for the host's questions about names if none is configured: one that no other installation has.
std::string resolver_address(const std::string& mark) {
  const auto number = static_cast<std::uint32_t>(std::strtoul(mark.c_str(), nullptr, 16));
  return format_ipv4(0x7F420000U + number % 254 * 256 + 256 + 1 + number / 254 % 254);
}

class HostNetworkEngine final : public NetworkEngine {
 public:
  HostNetworkEngine(std::unique_ptr<Host> host, const std::string& resolver) : host_(std::move(host)) {
    if (resolver != "none")
      resolver_.emplace(dnsmasq_place(resolver_folder), resolver.empty() ? resolver_address(host_->mark()) : resolver);
  }

  Result<void> begin() {
    auto watch =
        TableWatch::start([this](const std::string& id, const std::set<std::uint32_t>& generations) { on_rules_changed(id, generations); });
    if (!watch) return fail(watch.error());
    watch_ = std::move(*watch);
    return watch_->watch(host_id, "", host_->table());
  }

  // If no VPC can exist.
  Result<void> remove_host() { return host_->remove_rest(); }

  void on_disturbance(std::function<void(const std::string& vpc_id)> tell) override {
    const std::lock_guard lock(tell_mutex_);
    tell_ = std::move(tell);
  }

  std::string public_pool() const override { return fmt::format("{}", fmt::join(host_->pools(), ",")); }
  std::vector<std::string> kept_addresses() const override { return host_->kept_addresses(); }
  std::string ipv6_pool() const override { return fmt::format("{}", fmt::join(host_->pools6(), ",")); }

  Result<void> ensure_vpc(const VpcSpec& vpc) override {
    if (auto good = check(vpc); !good) return good;
    if (auto ensured = at(vpc.id).ensure(vpc); !ensured) return ensured;
    return tell_peers(vpc.id);
  }

  Result<void> remove_vpc(const std::string& vpc_id) override {
    if (!is_safe_id(vpc_id)) return {};
    auto removed = at(vpc_id).remove();
    if (!removed) return removed;
    if (auto told = tell_peers(vpc_id); !told) return told;
    const std::lock_guard lock(mutex_);
    vpcs_.erase(vpc_id);
    return {};
  }

  Result<void> ensure_interface(const InterfaceSpec& interface) override {
    if (auto good = check(interface); !good) return good;
    return at(interface.vpc_id).ensure_interface(interface);
  }

  Result<void> remove_interface(const std::string& vpc_id, const std::string& interface_id) override {
    if (!is_safe_id(vpc_id) || !is_safe_id(interface_id)) return {};
    return at(vpc_id).remove_interface(interface_id);
  }

  Result<Descriptor> open_tap(const std::string& vpc_id, const std::string& interface_id) override {
    if (!is_safe_id(vpc_id) || !is_safe_id(interface_id)) return fail(ErrorKind::not_found, interface_id + " has no tap");
    return at(vpc_id).open_tap(interface_id);
  }

  Result<void> ensure_group(const GroupSpec& group) override {
    if (auto good = check(group); !good) return good;
    return at(group.vpc_id).ensure_group(group);
  }

  Result<void> remove_group(const std::string& vpc_id, const std::string& group_id) override {
    if (!is_safe_id(vpc_id) || !is_safe_id(group_id)) return {};
    return at(vpc_id).remove_group(group_id);
  }

  Result<std::vector<TunnelState>> tunnels(const std::string& vpc_id) override {
    if (!is_safe_id(vpc_id) || !host::namespace_exists(host_->namespace_of(vpc_id))) return std::vector<TunnelState>();
    return at(vpc_id).tunnels();
  }

  std::string why_no_tunnels() const override { return network::why_no_tunnels(); }

  Result<void> ensure_names(const NamesSpec& names) override {
    if (auto good = check(names); !good) return good;
    const std::lock_guard lock(resolver_mutex_);
    return resolver_ ? resolver_->ensure(names) : Result<void>();
  }

  std::string resolver() const override { return resolver_ ? resolver_->address() : std::string(); }

  Result<std::vector<Found>> found() override {
    std::vector<Found> all;
    for (const auto& vpc_id : known_ids()) {
      auto interfaces = at(vpc_id).interface_ids();
      if (!interfaces) return fail(interfaces.error());
      std::sort(interfaces->begin(), interfaces->end());
      all.push_back({vpc_id, std::move(*interfaces)});
    }
    return all;
  }

  Result<Descriptor> listen_metadata(const std::string& vpc_id) override {
    if (!is_safe_id(vpc_id)) return fail(ErrorKind::not_found, "no VPC " + vpc_id);
    return at(vpc_id).listen_metadata();
  }

  Result<TakenFlows> take_flows(const std::string& vpc_id) override {
    std::shared_ptr<VpcNetwork> vpc;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = vpcs_.find(vpc_id); found != vpcs_.end()) vpc = found->second;
    }
    return vpc ? vpc->take_flows() : Result<TakenFlows>();
  }

  Result<void> ensure_all(const VpcSpec& vpc, const std::vector<GroupSpec>& groups, const std::vector<InterfaceSpec>& interfaces) override {
    if (auto good = check(vpc); !good) return good;
    for (const auto& group : groups)
      if (auto good = check(group); !good) return good;
    for (const auto& interface : interfaces)
      if (auto good = check(interface); !good) return good;
    if (auto ensured = at(vpc.id).ensure_all(vpc, groups, interfaces); !ensured) return ensured;
    return tell_peers(vpc.id);
  }

  bool was_on_host() const override { return host_->was_on_host(); }
  Result<void> remove_everything() override {
    for (const auto& vpc_id : known_ids())
      if (auto removed = remove_vpc(vpc_id); !removed) return removed;
    {
      const std::lock_guard lock(resolver_mutex_);
      if (resolver_) resolver_->stop();
    }
    return host_->remove_rest();
  }

 private:
  // Also VPCs whose namespace somebody removed unnoticed: their link, files and processes are still there.
  std::vector<std::string> known_ids() const {
    std::set<std::string> ids;
    for (const auto& name : host::list_namespaces(host_->namespace_of("")))
      if (auto id = vpc_of_namespace(host_->mark(), name); id && is_safe_id(*id)) ids.insert(*id);
    for (const auto& place : {host_->folder_of(""), host_->runtime_folder_of("")}) {
      std::error_code ignored;
      for (const auto& entry : std::filesystem::directory_iterator(place, ignored))
        if (auto id = entry.path().filename().string(); id != resolver_folder && is_safe_id(id)) ids.insert(std::move(id));
    }
    return {ids.begin(), ids.end()};
  }

  DnsmasqPlace dnsmasq_place(const std::string& name) const {
    const auto [user, group] = dnsmasq_user();
    return {host_->runtime_folder_of(name), user, group, host_resolvers(), host_->pools()};
  }

  VpcNetwork& at(const std::string& vpc_id) {
    const std::lock_guard lock(mutex_);
    auto& vpc = vpcs_[vpc_id];
    if (!vpc) vpc = std::make_shared<VpcNetwork>(*host_, *watch_, vpc_id, dnsmasq_place(vpc_id));
    return *vpc;
  }

  // The VPCs to which this one gained or lost a link. A VPC that was not mentioned yet looks for its links by itself.
  Result<void> tell_peers(const std::string& vpc_id) {
    auto& vpc = at(vpc_id);
    for (const auto& peer_id : vpc.touched_peers()) {
      std::shared_ptr<VpcNetwork> peer;
      {
        const std::lock_guard lock(mutex_);
        if (const auto found = vpcs_.find(peer_id); found != vpcs_.end()) peer = found->second;
      }
      if (peer)
        if (auto taken = peer->peer_changed(vpc_id); !taken) return taken;
      vpc.peer_is_told(peer_id);
    }
    return {};
  }

  // Something changed the tables of a VPC or of the host; most often it was us.
  void on_rules_changed(const std::string& id, const std::set<std::uint32_t>& generations) {
    std::map<std::string, std::shared_ptr<VpcNetwork>> disturbed;
    {
      const std::lock_guard lock(mutex_);
      if (id == host_id)
        disturbed = vpcs_;  // the host's tables are repaired together with each VPC's
      else if (const auto found = vpcs_.find(id); found != vpcs_.end())
        disturbed.insert(*found);
    }
    if (id == host_id ? host_->is_ours(generations) : disturbed.empty() || disturbed.begin()->second->is_as_left(generations)) return;
    log::warning("network", "somebody else changed our rules; they are restored where={}", id);
    const std::lock_guard lock(tell_mutex_);
    if (!tell_) return;
    for (const auto& [vpc_id, vpc] : disturbed) tell_(vpc_id);
  }

  static constexpr const char* host_id = "host";              // id for the watch; no VPC has it
  static constexpr const char* resolver_folder = "resolver";  // nor this one

  std::unique_ptr<Host> host_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<VpcNetwork>> vpcs_;
  std::mutex resolver_mutex_;  // guards the resolver's files and process
  std::optional<Resolver> resolver_;
  std::mutex tell_mutex_;  // held during a notification
  std::function<void(const std::string& vpc_id)> tell_;
  std::unique_ptr<TableWatch> watch_;  // the last member, because its thread uses all of the above
};

}  // namespace

Result<std::unique_ptr<NetworkEngine>> make_host_network_engine(const HostNetworkConfiguration& configuration) {
  if (const auto& address = configuration.resolver; !address.empty() && address != "none" && (parse_ipv4(address).value_or(0) >> 24) != 127)
    return fail(ErrorKind::invalid, "the resolver's address \"" + address + "\" is not one of the loopback network (127.0.0.0/8)");
  auto host = Host::open(configuration);
  if (!host) return fail(host.error());
  auto engine = std::make_unique<HostNetworkEngine>(std::move(*host), configuration.resolver);
  auto begun = engine->begin();
  if (begun) return std::unique_ptr<NetworkEngine>(std::move(engine));
  if (!engine->was_on_host())
    if (auto removed = engine->remove_host(); !removed) log::warning("network", "{}", removed.error().message);
  return fail(begun.error());
}

Result<bool> remove_host_network(const HostNetworkConfiguration& configuration) {
  auto host = Host::open_to_remove(configuration);
  if (!host && host.error().kind == ErrorKind::not_found) return false;
  if (!host) return fail(host.error());
  const bool was_there = (*host)->was_on_host();
  HostNetworkEngine engine(std::move(*host), configuration.resolver);
  if (auto begun = engine.begin(); !begun) return fail(begun.error());
  if (auto removed = engine.remove_everything(); !removed) return fail(removed.error());
  return was_there;
}

}  // namespace brume::network
