// Replaces root volumes (CreateReplaceRootVolumeTask): the new one is made while the guest runs, then the guest is restarted, and while its
// machine is down the instance's records change to the new one.
#pragma once

#include <functional>
#include <string>

#include "control/controller.hpp"

namespace brume::control {

// Threads: follow may be called from any thread; swap and settle for one instance from one thread at a time.
class RootVolumes {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  RootVolumes(state::Store& store, Wake wake) : store_(store), wake_(std::move(wake)) {}

  void recover();
  // Wakes "root/account/replacevol-…".
  void follow(const state::Commit& commit);
  // Reconciles a task: asks for the restart once the new volume is made, or fails.
  void reconcile(const std::string& key);

  // Whether the instance's guest is being restarted for this.
  bool waits_for(const state::Instance& instance) const;
  // The machine is down: switches the instance to the new volume.
  void swap(const state::Instance& instance);
  // The machine runs with the new volume: completes the task.
  void settle(const state::Instance& instance);

 private:
  void end(state::Transaction& transaction, state::RootReplacement task, const std::string& failure);

  state::Store& store_;
  Wake wake_;
};

}  // namespace brume::control
