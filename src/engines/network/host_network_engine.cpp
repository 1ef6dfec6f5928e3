// The network engine of one machine: looks after one VpcNetwork per VPC and hands each call to it.
#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>

#include "base/files.hpp"
#include "engines/network/host.hpp"
#include "engines/network/names.hpp"
#include "engines/network/namespaces.hpp"
#include "engines/network/network_engine.hpp"
#include "engines/network/vpc_network.hpp"

namespace brume::network {
namespace {

// Whom dnsmasq becomes: its package's user, else nobody.
std::pair<std::string, std::string> dnsmasq_user() {
  for (const auto* name : {"dnsmasq", "nobody"}) {
    const auto* user = ::getpwnam(name);
    if (user == nullptr) continue;
    const auto* group = ::getgrgid(user->pw_gid);
    if (group != nullptr) return {name, group->gr_name};
  }
  return {"root", "root"};
}

// systemd-resolved's stub is on the loopback interface, which a namespace cannot reach; behind it are the real ones.
std::vector<std::string> host_resolvers() {
  for (const auto* path : {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}) {
    const auto text = read_file(path, 64 << 10);
    if (!text) continue;
    if (auto resolvers = reachable_resolvers(*text); !resolvers.empty()) return resolvers;
  }
  return {};
}

class HostNetworkEngine final : public NetworkEngine {
 public:
  explicit HostNetworkEngine(std::unique_ptr<Host> host) : host_(std::move(host)) {}

  std::string public_pool() const override { return host_->pool(); }

  Result<void> ensure_vpc(const VpcSpec& vpc) override {
    if (auto good = check(vpc); !good) return good;
    return at(vpc.id).ensure(vpc);
  }

  Result<void> remove_vpc(const std::string& vpc_id) override {
    if (!is_safe_id(vpc_id)) return {};
    auto removed = at(vpc_id).remove();
    if (!removed) return removed;
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

  Result<std::vector<Found>> found() override {
    std::vector<Found> all;
    for (const auto& vpc_id : vpc_ids()) {
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

  Result<void> ensure_all(const VpcSpec& vpc, const std::vector<GroupSpec>& groups, const std::vector<InterfaceSpec>& interfaces) override {
    if (auto good = check(vpc); !good) return good;
    for (const auto& group : groups)
      if (auto good = check(group); !good) return good;
    for (const auto& interface : interfaces)
      if (auto good = check(interface); !good) return good;
    return at(vpc.id).ensure_all(vpc, groups, interfaces);
  }

  Result<void> remove_everything() override {
    // Also VPCs whose namespace somebody else removed: their files and processes are still there.
    auto ids = vpc_ids();
    for (const auto& place : {host_->folder_of(""), host_->runtime_folder_of("")}) {
      std::error_code ignored;
      for (const auto& entry : std::filesystem::directory_iterator(place, ignored)) ids.push_back(entry.path().filename().string());
    }
    for (const auto& vpc_id : ids)
      if (auto removed = remove_vpc(vpc_id); !removed) return removed;
    return host_->remove_rest();
  }

 private:
  std::vector<std::string> vpc_ids() const {
    std::vector<std::string> ids;
    for (const auto& name : list_namespaces(host_->namespace_of("")))
      if (auto id = vpc_of_namespace(host_->mark(), name); id && is_safe_id(*id)) ids.push_back(*id);
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  VpcNetwork& at(const std::string& vpc_id) {
    const std::lock_guard lock(mutex_);
    auto& vpc = vpcs_[vpc_id];
    if (!vpc) {
      const auto [user, group] = dnsmasq_user();
      vpc = std::make_unique<VpcNetwork>(*host_, vpc_id, DnsmasqPlace{host_->runtime_folder_of(vpc_id), user, group, host_resolvers()});
    }
    return *vpc;
  }

  std::unique_ptr<Host> host_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<VpcNetwork>> vpcs_;
};

}  // namespace

Result<std::unique_ptr<NetworkEngine>> make_host_network_engine(const HostNetworkConfiguration& configuration) {
  auto host = Host::open(configuration);
  if (!host) return fail(host.error());
  return std::unique_ptr<NetworkEngine>(std::make_unique<HostNetworkEngine>(std::move(*host)));
}

}  // namespace brume::network
