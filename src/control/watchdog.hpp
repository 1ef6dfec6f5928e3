// Nothing hangs (OPS-108): an instance that stays pending, stopping or shutting-down for longer than all that it may wait for takes is
// failed, or its end is forced, with a state reason; the log and `brume status` tell the operator.
//
// It has a thread of its own: what hangs may be all of control's threads, in calls of an engine whose disk does not answer.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/controller.hpp"

namespace brume::control {

// How long the instance may stay in the state that it is in; zero: for ever. A volume that is encrypted while it is made has more time, by
// its size.
milliseconds longest(const state::World& world, const state::Instance& instance, const Patience& patience);

// Threads: all functions may be called from any thread.
class Watchdog {
 public:
  struct Actions {
    // The instance cannot start: it is terminated, or stopped again, with this reason.
    std::function<void(const state::Instance& instance, const std::string& why)> fail_start;
    // What keeps the instance, as far as it is known; empty: it is not.
    std::function<std::string(const state::Instance& instance)> obstacle;
    // Looks at the instance again; what is overdue is forced then.
    std::function<void(const state::Instance& instance)> wake;
  };
  // Of the owner's host only.
  Watchdog(state::Store& store, const Clock& clock, const Patience& patience, const Ownership& owner, Actions actions)
      : store_(store), clock_(clock), patience_(patience), owner_(owner), actions_(std::move(actions)) {}
  ~Watchdog() { stop(); }

  // Takes up what is between two states since before. Time counts from here: nobody did anything for it while the daemon was away.
  void recover();
  void follow(const state::Commit& commit);
  // Looks every patience.watch.
  void begin();
  void stop();

  // It has been in its state for too long.
  bool is_overdue(const state::Instance& instance) const;
  std::vector<StuckInstance> stuck() const;

 private:
  void run();
  void look();
  void say_reason(const state::Instance& seen, const std::string& why);

  state::Store& store_;
  const Clock& clock_;
  const Patience& patience_;
  const Ownership& owner_;
  const Actions actions_;
  mutable std::mutex mutex_;  // never held across a call of anything else
  std::condition_variable stop_asked_;
  Time begun_{};
  std::map<std::string, state::InstanceState> between_;  // instance key → its state
  std::map<std::string, StuckInstance> stuck_;           // by instance key
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace brume::control
