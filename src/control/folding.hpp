// Keeps chains of files short and brings room back: when a snapshot goes, what only one volume still needs of it moves into that volume's
// own file, in the background, one volume at a time and at a bounded rate. A volume that no machine has open is done at once if that is
// little; else it waits until one has.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "control/controller.hpp"
#include "control/volume_files.hpp"

namespace brume::control {

// Threads: follow and hear may be called from any thread; reconcile by one thread at a time (it has one key).
class VolumeFolder {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  static constexpr const char* key = "folding/all";
  VolumeFolder(state::Store& store, Engines engines, VolumeFiles& files, Wake wake)
      : store_(store), engines_(engines), files_(files), wake_(std::move(wake)) {}

  void recover() { wake_(key, milliseconds(0)); }
  void follow(const state::Commit& commit);
  void hear(const compute::MachineReport& report);
  void reconcile();

 private:
  // True: a machine does it now, and reports when it has.
  bool fold(const state::Volume& volume, const block::Fold& fold);

  state::Store& store_;
  Engines engines_;
  VolumeFiles& files_;
  Wake wake_;
  std::mutex mutex_;
  std::string running_;  // volume that a machine folds
};

}  // namespace brume::control
