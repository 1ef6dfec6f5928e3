// Brings imported images in: copies the file into the block engine, then says that the image is available, or why it failed. Makes
// images of instances: has the instance shut down where that was asked for, and waits for the snapshots of its disks.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "control/controller.hpp"
#include "control/snapshots.hpp"

namespace brume::control {

// Threads: progress and follow may be called from any thread; reconcile for one image by one thread at a time.
class ImageReconciler {
 public:
  ImageReconciler(state::Store& store, Engines engines, SnapshotReconciler& snapshots, std::function<void(const std::string& key)> wake);

  void recover();
  void follow(const state::Commit& commit);
  // Of an image "account/ami-…": imports what is pending, removes the files of a kernel or RAM disk that is deregistered.
  void reconcile(const std::string& key);
  // The instance's machine is down for its reboot: takes the snapshots of the images that waited for that. True: there were some.
  bool take_snapshots_of(const state::Instance& instance);
  // Whether an image waits for the instance's machine to be down.
  bool waits_for(const state::Instance& instance) const;
  std::optional<int> progress(const std::string& image_id) const;

 private:
  void import_machine(const state::Image& image);
  void import_boot_file(const state::Image& image);
  void make_of_instance(const state::World& world, const state::Image& image);
  // Sees to it that the instance's machine goes down.
  void ask_for_shutdown(const state::World& world, const state::Image& image);
  void stop_waiting(const state::Image& image);
  void end(const state::Image& image, const std::string& failure);
  void settle(const state::Image& image, std::uint64_t bytes, const std::string& failure);

  state::Store& store_;
  Engines engines_;
  SnapshotReconciler& snapshots_;
  std::function<void(const std::string& key)> wake_;
  mutable std::mutex mutex_;
  std::map<std::string, int> progress_;
};

}  // namespace brume::control
