// Snapshots: taken of volumes that are being written to or not, copied, and removed.
//
// Snapshots of one set are of one instant: their machine switches to new files for all of its disks in one step. A snapshot that was
// requested and not recorded as taken when the daemon died is taken again: later, and whole.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "control/controller.hpp"
#include "control/direct_snapshots.hpp"
#include "control/volume_files.hpp"

namespace brume::control {

// Threads: follow may be called from any thread; reconcile for one snapshot from one thread at a time.
class SnapshotReconciler {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  SnapshotReconciler(state::Store& store, Engines engines, VolumeFiles& files, DirectSnapshots& direct, Wake wake)
      : store_(store), engines_(engines), files_(files), direct_(direct), wake_(std::move(wake)) {}

  void recover();
  void follow(const state::Commit& commit);
  // Reconciles a snapshot "account/snap-…".
  void reconcile(const std::string& key);
  // Takes the pending ones among them at one instant, and records the result.
  void take(const std::string& account, const std::vector<std::string>& snapshot_ids);

 private:
  void take_with_its_set(const state::World& world, const state::Snapshot& snapshot);
  Result<void> take_all(const state::World& world, const std::vector<const state::Snapshot*>& snapshots);
  // By the machine or server that has the disks open.
  Result<void> switch_all(const std::map<std::string, std::vector<compute::Disk>>& switches);
  void settle(const std::vector<const state::Snapshot*>& snapshots, const Result<void>& taken);
  void copy(const state::World& world, const state::Snapshot& snapshot);
  Result<void> copy_encrypted(const state::Snapshot& snapshot, const state::Snapshot& source);
  void remove(const std::string& key, const state::Snapshot* snapshot);
  void wake(const std::string& key, milliseconds delay = milliseconds(0)) { wake_("snapshot/" + key, delay); }

  state::Store& store_;
  Engines engines_;
  VolumeFiles& files_;
  DirectSnapshots& direct_;
  Wake wake_;
};

}  // namespace brume::control
