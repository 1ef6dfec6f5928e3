// Imports images: copies the file into the block engine, then marks the image as available, or as failed with the reason. Makes images of
// instances: shuts the instance down if requested, and waits for the snapshots of its disks.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "control/controller.hpp"
#include "control/snapshots.hpp"

namespace brume::control {

// Threads: progress and follow may be called from any thread; reconcile for one image from one thread at a time.
class ImageReconciler {
 public:
  ImageReconciler(state::Store& store, Engines engines, SnapshotReconciler& snapshots, std::function<void(const std::string& key)> wake);

  void recover();
  void follow(const state::Commit& commit);
  // For an image "account/ami-…": imports it if it is pending; removes the files of a deregistered kernel or RAM disk.
  void reconcile(const std::string& key);
  // The instance's machine is down for its reboot: takes the snapshots for images that waited for that. True: there were some.
  bool take_snapshots_of(const state::Instance& instance);
  // Whether an image waits for the instance's machine to be down.
  bool waits_for(const state::Instance& instance) const;
  std::optional<int> progress(const std::string& image_id) const;

 private:
  void import_machine(const state::Image& image);
  void import_boot_file(const state::Image& image);
  void make_of_instance(const state::World& world, const state::Image& image);
  // Has the instance's machine shut down.
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
