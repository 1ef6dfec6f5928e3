// A network that only pretends: it remembers what it was told and answers like the real one, but no packet flows.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <set>

#include "engines/network/network_engine.hpp"
#include "engines/network/vpc/model.hpp"

namespace brume::network {
namespace {

class SimulatedNetworkEngine final : public NetworkEngine {
 public:
  SimulatedNetworkEngine(std::string pool, std::string pool6) : pool_(std::move(pool)), pool6_(std::move(pool6)) {}

  std::string public_pool() const override { return pool_; }
  std::vector<std::string> kept_addresses() const override { return {}; }
  std::string ipv6_pool() const override { return pool6_; }

  // Nobody is at their other end.
  Result<std::vector<TunnelState>> tunnels(const std::string&) override { return std::vector<TunnelState>(); }
  std::string why_no_tunnels() const override { return {}; }

  Result<void> ensure_names(const NamesSpec& names) override { return check(names); }
  std::string resolver() const override { return {}; }

  // Nobody can disturb a simulated network.
  void on_disturbance(std::function<void(const std::string&)>) override {}

  Result<void> ensure_vpc(const VpcSpec& vpc) override {
    if (auto good = check(vpc); !good) return good;
    const std::lock_guard lock(mutex_);
    vpcs_[vpc.id];
    return {};
  }

  Result<void> remove_vpc(const std::string& vpc_id) override {
    const std::lock_guard lock(mutex_);
    vpcs_.erase(vpc_id);
    return {};
  }

  Result<void> ensure_interface(const InterfaceSpec& interface) override {
    if (auto good = check(interface); !good) return good;
    const std::lock_guard lock(mutex_);
    const auto vpc = vpcs_.find(interface.vpc_id);
    if (vpc == vpcs_.end()) return fail(ErrorKind::not_found, interface.vpc_id + " has no network on this host");
    vpc->second.insert(interface.id);
    return {};
  }

  Result<void> remove_interface(const std::string& vpc_id, const std::string& interface_id) override {
    const std::lock_guard lock(mutex_);
    if (const auto vpc = vpcs_.find(vpc_id); vpc != vpcs_.end()) vpc->second.erase(interface_id);
    return {};
  }

  Result<Descriptor> open_tap(const std::string& vpc_id, const std::string& interface_id) override {
    const std::lock_guard lock(mutex_);
    const auto vpc = vpcs_.find(vpc_id);
    if (vpc == vpcs_.end() || !vpc->second.contains(interface_id)) return fail(ErrorKind::not_found, interface_id + " has no tap");
    Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!nothing) return fail_system("cannot open /dev/null", errno);
    return nothing;
  }

  Result<void> ensure_group(const GroupSpec& group) override { return check(group); }
  Result<void> remove_group(const std::string&, const std::string&) override { return {}; }

  Result<std::vector<Found>> found() override {
    const std::lock_guard lock(mutex_);
    std::vector<Found> all;
    for (const auto& [id, interfaces] : vpcs_) all.push_back({id, {interfaces.begin(), interfaces.end()}});
    return all;
  }

  Result<TakenFlows> take_flows(const std::string&) override { return TakenFlows{}; }

  // A listener that no guest can reach, because there are none: some port of the loopback interface.
  Result<Descriptor> listen_metadata(const std::string& vpc_id) override {
    {
      const std::lock_guard lock(mutex_);
      if (!vpcs_.contains(vpc_id)) return fail(ErrorKind::not_found, vpc_id + " has no network on this host");
    }
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket.get(), 16) != 0)
      return fail_system("cannot open the metadata socket", errno);
    return socket;
  }

  Result<void> ensure_all(const VpcSpec& vpc, const std::vector<GroupSpec>&, const std::vector<InterfaceSpec>& interfaces) override {
    if (auto good = check(vpc); !good) return good;
    const std::lock_guard lock(mutex_);
    auto& known = vpcs_[vpc.id];
    known.clear();
    for (const auto& interface : interfaces) known.insert(interface.id);
    return {};
  }

  Result<void> remove_everything() override {
    const std::lock_guard lock(mutex_);
    vpcs_.clear();
    return {};
  }

 private:
  const std::string pool_;
  const std::string pool6_;
  std::mutex mutex_;
  std::map<std::string, std::set<std::string>> vpcs_;  // interface ids by VPC
};

}  // namespace

std::unique_ptr<NetworkEngine> make_simulated_network_engine(const std::string& public_pool, const std::string& ipv6_pool) {
  return std::make_unique<SimulatedNetworkEngine>(public_pool, ipv6_pool);
}

}  // namespace brume::network
