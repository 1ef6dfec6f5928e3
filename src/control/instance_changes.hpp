// Takes up calls for many instances whose parts (domain/instance_changes.hpp) a crash or a full disk interrupted.
#pragma once

#include <functional>
#include <string>

#include "base/time.hpp"
#include "state/store.hpp"

namespace brume::control {

// Threads: follow on the writer's; reconcile on a thread of the queue.
class InstanceChanges {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  InstanceChanges(state::Store& store, Wake wake) : store_(store), wake_(std::move(wake)) {}

  void recover() {
    store_.world()->each<state::InstanceChange>("", [&](const state::InstanceChange& left) { wake(left.key(), milliseconds(0)); });
  }
  // The writer goes on with it by itself. Only if that fails it is still there some time later.
  void follow(const state::Commit& commit) {
    for (const auto& change : commit.changes)
      if (const auto* left = change.now<state::InstanceChange>(); left != nullptr && change.old<state::InstanceChange>() == nullptr)
        wake(left->key(), look_again);
  }
  void reconcile(const std::string& key);

 private:
  static constexpr milliseconds look_again = seconds(5);
  void wake(const std::string& key, milliseconds delay) { wake_("change/" + key, delay); }

  state::Store& store_;
  Wake wake_;
};

}  // namespace brume::control
