// Keeps chains of files short and regains room. When a snapshot is deleted, what only one volume still needs of it moves into that volume's
// own file, in the background, one volume at a time and at a bounded rate. The machine that has the volume open does it; otherwise the
// block engine does, and yields as soon as anybody wants the volume.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "control/controller.hpp"
#include "control/volume_files.hpp"

namespace brume::control {

// Threads: follow and on_report may be called from any thread; reconcile by one thread at a time (it has one key).
class VolumeFolder {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  static constexpr const char* key = "folding/all";
  VolumeFolder(state::Store& store, Engines engines, VolumeFiles& files, Wake wake)
      : store_(store), engines_(engines), files_(files), wake_(std::move(wake)) {}

  void recover() { wake_(key, milliseconds(0)); }
  void follow(const state::Commit& commit);
  void on_report(const compute::MachineReport& report);
  void reconcile();
  // Aborts the running fold, at the end of the daemon. A fold by a machine continues.
  void stop() { stopping_.request_stop(); }

  // The running fold.
  struct Progress {
    std::string volume_id;
    int percent = 0;
  };
  std::optional<Progress> progress() const;

 private:
  // True: nothing more for now; `reconcile` is woken when there is more to do.
  bool begin(const std::string& volume_key, const block::Fold& fold);
  bool fold_closed(const state::Volume& volume, const block::Fold& fold, VolumeFiles::Pass& pass);

  state::Store& store_;
  Engines engines_;
  VolumeFiles& files_;
  Wake wake_;
  std::stop_source stopping_;
  mutable std::mutex mutex_;
  std::string running_;             // volume that a machine is folding
  std::string machine_;             // the machine or server that has its files open
  std::optional<Progress> closed_;  // volume that no machine has open
};

}  // namespace brume::control
