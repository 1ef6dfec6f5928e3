// Volumes: their files are made and removed, they are plugged into running machines and unplugged, and they grow.
//
// A volume that was made together with its instance is made and plugged in by the instance's start (control/instances.cpp).
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "control/controller.hpp"
#include "control/volume_files.hpp"

namespace brume::control {

// Threads: follow and on_report may be called from any thread; reconcile for one volume by one thread at a time (the queue's promise).
class VolumeReconciler {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  VolumeReconciler(state::Store& store, Engines engines, VolumeFiles& files, DiskMeter& meter, Wake wake)
      : store_(store), engines_(engines), files_(files), meter_(meter), wake_(std::move(wake)) {}

  void recover();
  void follow(const state::Commit& commit);
  void on_report(const compute::MachineReport& report);
  // Reconciles a volume "account/vol-…".
  void reconcile(const std::string& key);

 private:
  void make(const state::Volume& volume);
  void remove(const state::Volume& volume);
  void attach(const state::Volume& volume, const std::string& instance_id);
  void detach(const state::Volume& volume, const std::string& instance_id);
  void modify(const state::Volume& volume, const state::VolumeModification& modification);
  // From now on its machine or server limits it to what its type promises.
  void hold(const state::Volume& volume);
  void settle_attached(const state::Volume& volume, const std::string& instance_id);
  // Frees it from the instance, in the instance's record too.
  void settle_detached(const state::Volume& volume, const std::string& instance_id);
  void say_busy(const state::Volume& volume, const std::string& instance_id);
  template <class Change>
  void change(const state::Volume& volume, Change&& change);
  void wake(const std::string& key, milliseconds delay = milliseconds(0)) { wake_("volume/" + key, delay); }

  state::Store& store_;
  Engines engines_;
  VolumeFiles& files_;
  DiskMeter& meter_;
  Wake wake_;
  std::mutex mutex_;
  std::set<std::pair<std::string, std::string>> asked_;  // volume and instance whose guest was asked to release it and has not yet
};

}  // namespace brume::control
