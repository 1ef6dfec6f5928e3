// Brings each instance to the state that was asked for: machine, disks and taps appear on the way up and go on the way down.
//
// What an instance holds outside is written in its Dependents record before it is made and struck off after it is gone, so that a
// crash between any two steps leaves something that the next look at the instance finishes or undoes.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "control/controller.hpp"
#include "control/images.hpp"
#include "control/root_volumes.hpp"
#include "control/volume_files.hpp"
#include "control/vpcs.hpp"
#include "control/watchdog.hpp"

namespace brume::control {

// Threads: on_report, follow may be called from any thread; reconcile for one instance by one thread at a time (the queue's promise).
class InstanceReconciler {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  InstanceReconciler(state::Store& store, Engines engines, const Clock& clock, const ControllerSettings& settings,
                     const Ownership& ownership, VpcReconciler& vpcs, VolumeFiles& files, DiskMeter& meter, ImageReconciler& images,
                     RootVolumes& roots, Wake wake);

  // Compares the machines that run since before with the state; instances whose machine is gone are dealt with by reconcile.
  Result<void> recover();
  // Has every instance looked at: once the networks are taken up too, so that none gives up an interface that they still read.
  void begin() {
    store_.world()->each<state::Instance>("", [&](const state::Instance& instance) { wake_(queue_key(instance), milliseconds(0)); });
    watchdog_.begin();
  }
  // Watches no more that nothing hangs.
  void stop() { watchdog_.stop(); }
  void follow(const state::Commit& commit);
  void on_report(const compute::MachineReport& report);
  void reconcile(const std::string& key);

  std::vector<StuckInstance> stuck() const { return watchdog_.stuck(); }
  std::vector<std::string> running_machines() const;
  // Until every machine has ended, at most for `limit`.
  void wait_until_down(milliseconds limit);

 private:
  // What is known of an instance only here; lost with the daemon, and found out again.
  struct Progress {
    bool machine_runs = false;
    bool ended = false;      // the guest turned itself off or its machine died
    std::string end_reason;  // empty: the guest did it
    bool rebooting = false;  // the power button was pressed for RebootInstances
    bool kill_now = false;
    bool stands_still = false;  // said in the log; a full disk paused it
    std::string obstacle;       // what its end waits for
    std::optional<std::chrono::steady_clock::time_point> button_pressed;
  };

  void bring_up(const state::Instance& instance);
  bool make_disks(const state::World& world, const state::Instance& instance, compute::MachineSpec& spec);
  // The disks of the host that it was given: empty ones after a stop, those of before after a reboot.
  bool make_instance_stores(const state::Instance& instance, compute::MachineSpec& spec);
  bool remove_instance_stores(const state::Instance& instance);
  bool boot_files(const state::World& world, const state::Instance& instance, compute::MachineSpec& spec);
  bool open_taps(const state::World& world, const state::Instance& instance, compute::MachineSpec& spec);
  void settle_running(const state::Instance& instance);
  void fail_start(const state::Instance& instance, std::string_view code, const std::string& why);

  // Fills in all that the instance's machine is made of. False: gave up, or has to wait for its network.
  bool prepare(const state::World& world, const state::Instance& instance, compute::MachineSpec& spec);
  bool network_is_ready(const state::Instance& instance);
  void watch_running(const state::Instance& instance);
  // The machine again for an instance that is running: after a reboot, or after the host was down.
  bool start_again(const state::Instance& instance);
  void remove_leftovers(const std::string& instance_id);
  void handle_end(const state::Instance& instance, const Progress& progress);
  void reboot(const state::Instance& instance, const Progress& progress);
  void bring_down(const state::Instance& instance, milliseconds patience);
  bool machine_is_down(const state::Instance& instance, milliseconds patience);
  void settle_stopped(const state::Instance& instance);
  void release(const state::Instance& instance);
  void reap(const state::Instance& instance);
  // Its records, but for the instance's own; the volumes in `deleted` have no files any more.
  void part_with(const state::Instance& instance, const std::vector<std::string>& deleted);

  // Notes it, and returns what was noted before.
  bool stands_still(const std::string& id, bool now) {
    const std::lock_guard lock(mutex_);
    return std::exchange(progress_[id].stands_still, now);
  }
  // What the instance waits for, for the operator; empty: not known.
  std::string obstacle(const state::Instance& instance) const;
  void note_obstacle(const state::Instance& instance, const std::string& what);

  void note_password(const state::Instance& seen, const std::string& password);
  // Empty: it runs again.
  void note_impairment(const state::Instance& seen, const std::string& why);
  void change_later(const std::string& key, std::function<void(state::Transaction&, state::Instance&)> change);

  Progress progress(const std::string& id) const;
  template <class Change>
  void note(const std::string& id, Change&& change) {
    const std::lock_guard lock(mutex_);
    change(progress_[id]);
  }
  static std::string queue_key(const state::Instance& instance) { return "instance/" + instance.key(); }

  state::Store& store_;
  Engines engines_;
  const Clock& clock_;
  const ControllerSettings& settings_;
  const Ownership& ownership_;
  VpcReconciler& vpcs_;
  VolumeFiles& files_;
  DiskMeter& meter_;
  ImageReconciler& images_;
  RootVolumes& roots_;
  Wake wake_;
  std::condition_variable heard_;
  mutable std::mutex mutex_;                  // never held across a call of anything else
  std::map<std::string, Progress> progress_;  // by instance id
  Watchdog watchdog_;                         // the last: its thread uses all of the above
};

}  // namespace brume::control
