// Makes the world what the state says it should be, and tells the state what happened. The only caller of the engines.
//
// Every commit wakes the reconcilers of what changed; each looks at the newest World, compares it with what it knows to be there, and
// does the next step. A reconciler may run at any time, any number of times: after a restart all of them do.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/random.hpp"
#include "control/disk_meter.hpp"
#include "control/ownership.hpp"
#include "control/vpc_specs.hpp"
#include "control/work_queue.hpp"
#include "engines/block/block_engine.hpp"
#include "engines/compute/hypervisor.hpp"
#include "engines/network/network_engine.hpp"
#include "state/store.hpp"

namespace brume::control {

struct Engines {
  compute::Hypervisor& hypervisor;
  block::BlockEngine& block;
  network::NetworkEngine& network;
};

// How long a guest may take to do what it was asked.
struct Patience {
  milliseconds stop = seconds(90);                          // StopInstances, then the power is cut
  milliseconds terminate = seconds(10);                     // TerminateInstances
  milliseconds reboot = seconds(90);                        // RebootInstances, then the reset button
  milliseconds keep_terminated = std::chrono::minutes(60);  // DescribeInstances still shows it
  // What is beyond these is stuck (watchdog.hpp).
  milliseconds pending = std::chrono::minutes(30);
  milliseconds ending = std::chrono::minutes(5);  // more than its guest is given to stop or terminate
  milliseconds watch = seconds(15);               // between two looks at what may be stuck
};

// An instance that has been in its state for too long, for the operator.
struct StuckInstance {
  std::string id;
  std::string account;
  std::string state;
  Time since{};
  std::string why;
};

struct ControllerSettings {
  Domains domains;
  std::string host;                           // id of the host that this is
  Freshness is_current;                       // see ownership.hpp
  milliseconds freshness_pause = seconds(1);  // until a World that was not current is looked at again
  unsigned threads = 8;
  Patience patience;
  milliseconds resume_pause = seconds(3);  // until a machine that a full disk paused tries again
  // What an instance's type promises it of the processors; empty: as many as it has, without a limit.
  std::function<compute::CpuPlan(const state::Instance&)> cpu_plan;
  // What a volume's type promises of IOPS and throughput; empty: no volume is held to anything.
  std::function<compute::DiskLimits(const state::Volume&)> disk_limits;
  std::string volume_key;                         // 32 bytes; seals the keys of encrypted volumes
  std::string disk_counters_file;                 // empty: counters do not outlive the daemon
  std::string flow_log_folder;                    // empty: flow logs are not written
  std::string region;                             // as flow logs name it
  milliseconds disk_counters_pause = seconds(5);  // between two readings
  // Whether these records are known to be this home's newest. If not, what they do not know is left as it is: it may be that they are
  // the wrong ones.
  bool records_are_proven = true;
  milliseconds keep_aside = std::chrono::days(30);  // volumes and snapshots that no record knew
};

// The ids of all that block engines keep for these records: volumes, instance stores, snapshots. `owner`: only what is its host's.
std::unordered_set<std::string> known_disks(const state::World& world, const Ownership* owner = nullptr);

// The metadata service inside a VPC's namespace, run by the layers above. When `close` returns nobody new comes in; a request that is
// under way may still be answered, from the state alone: what answers it must live until the HTTP server has stopped, not the controller.
struct MetadataDoor {
  std::function<void(const std::string& vpc_id, Descriptor listening)> open;
  std::function<void(const std::string& vpc_id)> close;
};

class InstanceChanges;
class InstanceReconciler;
class InterfaceReconciler;
class VpcReconciler;
class ImageReconciler;
class VolumeFiles;
class VolumeReconciler;
class VolumeFolder;
class DirectSnapshots;
class FlowLogWriter;
class RootVolumes;
class SnapshotReconciler;

// Threads: all functions may be called from any thread.
class Controller {
 public:
  Controller(state::Store& store, Engines engines, const Clock& clock, ControllerSettings settings, MetadataDoor door);
  // stop(). When it returns, no thread of the engines, the state or the metadata service's VPCs calls into this any more.
  ~Controller();

  // Compares what runs with what should run, repairs, and begins to follow the state. An error here is one of the engines as a whole.
  // If the World is not current, all of that is done as soon as it is; until then nothing is made or removed.
  Result<void> start();
  // Leaves the machines, taps and files as they are. Idempotent. The machines' reports are still taken, for power_off.
  void stop();

  // Asks every guest to shut down, ends those that have not after `patience`, and takes the networks off the host. What the state
  // says stays: the instances that ran run again after the next start. Call after stop().
  void power_off(milliseconds patience);

  // What the instance wrote to its serial port; nullopt: nothing is known of it. Reads a file.
  std::optional<compute::Hypervisor::Console> console(const std::string& instance_id, size_t limit);
  // A JPEG of the instance's screen. `refused`: it has none. Waits for the machine.
  Result<std::string> screenshot(const std::string& instance_id, bool wake);
  // Percent of a running image import; nullopt when none runs.
  std::optional<int> import_progress(const std::string& image_id) const;
  // What volumes and snapshots cost.
  Result<std::vector<block::Holding>> storage() { return engines_.block.holdings(); }
  // Of volumes and snapshots that no record knew and that wait to be missed.
  std::vector<block::Holding> aside() { return engines_.block.aside(); }
  // The volume whose chain of files is shortened just now, and how far that is in percent.
  std::optional<std::pair<std::string, int>> fold_progress() const;
  // The bytes of snapshots, for clients.
  DirectSnapshots& direct_snapshots() { return *direct_; }
  // Where on this host the names of instances can be asked for; empty: nowhere.
  std::string resolver() const { return engines_.network.resolver(); }
  // Whether the tunnels of the VPC's VPN connections are up, and since when. Asks the network.
  struct Tunnel {
    std::string outside_ip;
    bool up = false;
    Time since{};  // of one that is down: since this process saw that it is; zero before
  };
  std::vector<Tunnel> tunnels(const std::string& vpc_id);
  // Instances that do not get on.
  std::vector<StuckInstance> stuck() const;
  // Whether the reconcilers do their work: false when none of their threads comes to look within `limit`. Waits for one.
  bool is_at_work(milliseconds limit);
  // What disks did.
  std::vector<DiskMeasure> disk_measures() const { return meter_->measures(); }

 private:
  // Takes stock of what is on the host, which is where all work begins. False: the World is not current, nothing was done.
  Result<bool> take_stock();
  void take_stock_later();
  Result<void> sweep_volumes();
  void follow(const state::Commit& commit);
  void work(const std::string& key);
  void on_report(const compute::MachineReport& report);

  state::Store& store_;
  Engines engines_;
  const Clock& clock_;
  const ControllerSettings settings_;
  const Ownership ownership_;
  std::atomic<bool> has_stock_{false};
  std::mutex tunnels_mutex_;
  std::map<std::string, Tunnel> tunnels_;  // as last seen, by outside address
  std::unique_ptr<VpcReconciler> vpcs_;
  std::unique_ptr<DiskMeter> meter_;
  std::unique_ptr<VolumeFiles> files_;
  std::unique_ptr<VolumeReconciler> volumes_;
  std::unique_ptr<VolumeFolder> folder_;
  std::unique_ptr<DirectSnapshots> direct_;
  std::unique_ptr<SnapshotReconciler> snapshots_;
  std::unique_ptr<ImageReconciler> images_;
  std::unique_ptr<RootVolumes> roots_;
  std::unique_ptr<InstanceChanges> changes_;
  std::unique_ptr<InstanceReconciler> instances_;
  std::unique_ptr<InterfaceReconciler> interfaces_;
  std::unique_ptr<FlowLogWriter> flow_logs_;
  std::unique_ptr<WorkQueue> queue_;
  std::atomic<std::uint64_t> watcher_{0};
  std::mutex roll_mutex_;  // roll_calls_: how often a thread came when is_at_work called
  std::condition_variable rolled_;
  std::uint64_t roll_calls_ = 0;
};

}  // namespace brume::control
