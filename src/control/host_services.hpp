// What clients ask of the host that has a thing: an instance's console and screen, a snapshot's bytes, a VPC's tunnels. Who asks does not
// know which host that is.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "control/direct_snapshots.hpp"
#include "engines/compute/hypervisor.hpp"
#include "state/store.hpp"

namespace brume::control {

// Threads: all functions may be called from any thread, and wait for the host.
class HostServices {
 public:
  virtual ~HostServices() = default;
  // What the instance wrote to its serial port; nullopt: nothing is known of it.
  virtual std::optional<compute::Hypervisor::Console> console(const std::string& instance_id, size_t limit) = 0;
  // A JPEG of the instance's screen; `wake`: a key is pressed before. `refused`: it has none.
  virtual Result<std::string> screenshot(const std::string& instance_id, bool wake) = 0;
  // Of the VPC's VPN connections.
  virtual std::vector<Controller::Tunnel> tunnels(const std::string& vpc_id) = 0;
  // See service::SnapshotBlocks.
  virtual Result<DirectSnapshots::Runs> blocks(const std::string& snapshot_id) = 0;
  virtual Result<DirectSnapshots::Changes> changed(const std::string& snapshot_id, const std::string& since) = 0;
  virtual Result<std::string> read(const std::string& snapshot_id, std::int64_t block) = 0;
  virtual Result<void> write(const std::string& snapshot_id, std::int64_t block, std::string_view data) = 0;
  virtual Result<DirectSnapshots::Written> written(const std::string& snapshot_id, bool with_digest) = 0;
  virtual Result<void> complete(const std::string& snapshot_id) = 0;
};

// The host that this process runs on.
class LocalHost final : public HostServices {
 public:
  // `controller` outlives it.
  explicit LocalHost(Controller& controller) : controller_(controller) {}
  std::optional<compute::Hypervisor::Console> console(const std::string& instance_id, size_t limit) override {
    return controller_.console(instance_id, limit);
  }
  Result<std::string> screenshot(const std::string& instance_id, bool wake) override { return controller_.screenshot(instance_id, wake); }
  std::vector<Controller::Tunnel> tunnels(const std::string& vpc_id) override { return controller_.tunnels(vpc_id); }
  Result<DirectSnapshots::Runs> blocks(const std::string& snapshot_id) override { return direct().blocks(snapshot_id); }
  Result<DirectSnapshots::Changes> changed(const std::string& snapshot_id, const std::string& since) override {
    return direct().changed(snapshot_id, since);
  }
  Result<std::string> read(const std::string& snapshot_id, std::int64_t block) override { return direct().read(snapshot_id, block); }
  Result<void> write(const std::string& snapshot_id, std::int64_t block, std::string_view data) override {
    return direct().write(snapshot_id, block, data);
  }
  Result<DirectSnapshots::Written> written(const std::string& snapshot_id, bool with_digest) override {
    return direct().written(snapshot_id, with_digest);
  }
  Result<void> complete(const std::string& snapshot_id) override { return direct().complete(snapshot_id); }

 private:
  DirectSnapshots& direct() { return controller_.direct_snapshots(); }
  Controller& controller_;
};

// Asks the host that the record names. A host that cannot be reached is `timed_out`, and has no console and no tunnels to show; a thing
// without a record is `not_found`.
class HostRouter final : public HostServices {
 public:
  // nullptr: it cannot be reached. What it returns outlives the router.
  using Reach = std::function<HostServices*(const std::string& host)>;
  // `home`: the host whose VPN tunnels there are; today the one that answers, since each host has its own part of a VPC.
  HostRouter(const state::Store& store, std::string home, Reach reach) : store_(store), home_(std::move(home)), reach_(std::move(reach)) {}

  std::optional<compute::Hypervisor::Console> console(const std::string& instance_id, size_t limit) override;
  Result<std::string> screenshot(const std::string& instance_id, bool wake) override;
  std::vector<Controller::Tunnel> tunnels(const std::string& vpc_id) override;
  Result<DirectSnapshots::Runs> blocks(const std::string& snapshot_id) override;
  Result<DirectSnapshots::Changes> changed(const std::string& snapshot_id, const std::string& since) override;
  Result<std::string> read(const std::string& snapshot_id, std::int64_t block) override;
  Result<void> write(const std::string& snapshot_id, std::int64_t block, std::string_view data) override;
  Result<DirectSnapshots::Written> written(const std::string& snapshot_id, bool with_digest) override;
  Result<void> complete(const std::string& snapshot_id) override;

 private:
  Result<HostServices*> of_instance(const std::string& id) const;
  Result<HostServices*> of_snapshot(const std::string& id) const;
  Result<HostServices*> reach(const std::string& host) const;

  const state::Store& store_;
  const std::string home_;
  const Reach reach_;
};

}  // namespace brume::control
