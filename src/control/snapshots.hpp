// Snapshots: taken of volumes that machines write to or that lie still, copied, and removed.
//
// Snapshots that share a set are of one instant: their machine goes over to new files for all of its disks in one step. What was asked for
// and not recorded as taken when the daemon dies is taken again: later, and whole.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "control/controller.hpp"
#include "control/direct_snapshots.hpp"
#include "control/volume_files.hpp"

namespace brume::control {

// Threads: follow may be called from any thread; reconcile for one snapshot by one thread at a time.
class SnapshotReconciler {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  SnapshotReconciler(state::Store& store, Engines engines, VolumeFiles& files, DirectSnapshots& direct, Wake wake)
      : store_(store), engines_(engines), files_(files), direct_(direct), wake_(std::move(wake)) {}

  void recover();
  void follow(const state::Commit& commit);
  // Of a snapshot "account/snap-…".
  void reconcile(const std::string& key);
  // Takes the pending ones among them, at one instant, and records how that went.
  void take(const std::string& account, const std::vector<std::string>& snapshot_ids);

 private:
  void take_with_its_set(const state::World& world, const state::Snapshot& snapshot);
  Result<void> take_all(const state::World& world, const std::vector<const state::Snapshot*>& snapshots);
  // By who has the disks open: machines, and servers of volumes that several have.
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
