// The files of volumes, for the reconcilers that touch them: who uses a volume at the moment, how it is opened, what its key is.
//
// A starting machine, a snapshot, a plug and a growth must not touch one volume at the same time. So a reconciler that works on volumes'
// files holds a pass for all of them at once. A pass is held for a moment, at most for the few seconds that a forced detach gives the
// guest. Longer work yields to others; only a copy that nobody can use before it is complete makes them wait.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "control/controller.hpp"

namespace brume::control {

// Threads: all functions may be called from any thread.
class VolumeFiles {
 public:
  class Pass {
   public:
    Pass(VolumeFiles& files, std::set<std::string> ids) : files_(&files), ids_(std::move(ids)) {}
    Pass(Pass&& other) noexcept : files_(std::exchange(other.files_, nullptr)), ids_(std::move(other.ids_)) {}
    Pass& operator=(Pass&&) = delete;
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass();

    // From now on a stop is requested when anybody waits for one of these; at once if somebody already does.
    void give_way(const std::stop_source& stop);

   private:
    VolumeFiles* files_;
    std::set<std::string> ids_;
  };

  using Limits = std::function<compute::DiskLimits(const state::Volume&)>;
  // `host_key` seals the keys of volumes; 32 bytes.
  VolumeFiles(state::Store& store, Engines engines, std::string host_key, Limits limits)
      : store_(store), engines_(engines), host_key_(std::move(host_key)), limits_(std::move(limits)) {}

  // Waits until nobody else holds any of them.
  Pass enter(const std::vector<std::string>& volume_ids);

  // Makes the file of a volume in "creating", blank or from its snapshot; succeeds also if it exists already.
  Result<void> make(const state::Volume& volume);
  // Whether it is encrypted and its snapshot is not: then all of it has to be copied, which takes time.
  static bool is_encrypted_anew(const state::World& world, const state::Volume& volume);
  // Such copies occupy control's threads, so only a few run at a time. nullptr: too many are running; else the slot is freed when the
  // result is destroyed.
  std::shared_ptr<void> begin_copy();
  // The volume as a disk of this instance's machine.
  Result<compute::Disk> open(const state::Volume& volume, const std::string& instance_id);
  // The same for a volume that the block engine just opened.
  Result<compute::Disk> disk(const state::Volume& volume, const block::OpenVolume& opened);
  // The secret that opens an encrypted volume; empty if it is not encrypted.
  Result<std::string> key(const state::Volume& volume) const;
  Result<std::string> key(const state::Snapshot& snapshot) const;
  // The same for a snapshot that a client will write: made, and durable, if there is none yet.
  Result<std::string> provide_key(const state::Snapshot& snapshot);
  // True: the instance's machine has the volume open. `broken`, `timed_out` …: it cannot say.
  Result<bool> is_open(const state::Volume& volume) const;
  // For a served volume: its server lets in each machine that has it, and is restarted if it is gone.
  Result<void> serve(const state::Volume& volume);
  // An aborted snapshot may have left the machine on the previous file: makes it switch now.
  Result<void> catch_up(const state::Volume& volume);
  Result<void> grow(const state::Volume& volume, std::uint64_t bytes);
  // Limits the instance's machine, if it has the volume, to what the volume's type promises.
  Result<void> limit(const state::Volume& volume) const;

 private:
  Result<std::string> provide_key(const state::Volume& volume);
  Result<std::string> open_key(const std::string& id, bool encrypted, const std::string& wrapped) const;

  state::Store& store_;
  const Engines engines_;
  const std::string host_key_;
  const Limits limits_;
  std::mutex mutex_;  // never held during a call of another part
  std::condition_variable left_;
  std::set<std::string> inside_;
  std::multiset<std::string> wanted_;                 // number of waiting threads
  std::map<std::string, std::stop_source> give_way_;  // inside, and stopped if somebody waits
  int copies_ = 0;
};

// Who has the volume's files open: the machine that it is attached to, by its instance's id, or its own server, by the volume's id. Empty:
// nobody.
std::string holder_of(const state::Volume& volume);

// By its id, whoever owns it. nullptr: there is none.
const state::Snapshot* find_snapshot(const state::World& world, const std::string& id);

// The block engine's name of the disk behind an instance's "ephemeral0".
std::string instance_store_id(const std::string& instance_id, const std::string& virtual_name);

}  // namespace brume::control
