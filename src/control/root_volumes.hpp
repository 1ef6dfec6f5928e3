// Root volumes that take the place of others (CreateReplaceRootVolumeTask): the new one is made while the guest runs, then the guest is
// restarted, and while its machine is down the instance's records name the new one.
#pragma once

#include <functional>
#include <string>

#include "control/controller.hpp"

namespace brume::control {

// Threads: follow may be called from any thread; swap and settle for one instance by one thread at a time.
class RootVolumes {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  RootVolumes(state::Store& store, Wake wake) : store_(store), wake_(std::move(wake)) {}

  void recover();
  // Wakes "root/account/replacevol-…".
  void follow(const state::Commit& commit);
  // Of a task: asks for the restart when the new volume is made, or gives up.
  void reconcile(const std::string& key);

  // Is the instance's guest restarted for this?
  bool waits_for(const state::Instance& instance) const;
  // The machine is down: from now on the instance has the new volume.
  void swap(const state::Instance& instance);
  // The machine runs, with the new volume: the task is done.
  void settle(const state::Instance& instance);

 private:
  void end(state::Transaction& transaction, state::RootReplacement task, const std::string& failure);

  state::Store& store_;
  Wake wake_;
};

}  // namespace brume::control
