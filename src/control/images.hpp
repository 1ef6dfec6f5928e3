// Brings imported images in: copies the file into the block engine, then says that the image is available, or why it failed.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "control/controller.hpp"

namespace brume::control {

// Threads: progress and follow may be called from any thread; reconcile for one image by one thread at a time.
class ImageReconciler {
 public:
  ImageReconciler(state::Store& store, Engines engines, std::function<void(const std::string& key)> wake);

  void recover();
  void follow(const state::Commit& commit);
  // Of an image "account/ami-…": imports what is pending, removes the files of a kernel or RAM disk that is deregistered.
  void reconcile(const std::string& key);
  // Of a snapshot "account/snap-…" that is being deleted: tried again as long as a volume is built on it.
  void reconcile_snapshot(const std::string& key);
  std::optional<int> progress(const std::string& image_id) const;

 private:
  void import_machine(const state::Image& image);
  void import_boot_file(const state::Image& image);
  void settle(const state::Image& image, std::uint64_t bytes, const std::string& failure);

  state::Store& store_;
  Engines engines_;
  std::function<void(const std::string& key)> wake_;
  mutable std::mutex mutex_;
  std::map<std::string, int> progress_;
};

}  // namespace brume::control
