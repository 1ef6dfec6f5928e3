// The bytes of volumes, for the reconcilers that touch them: who is at a volume just now, how it is opened, what its key is.
//
// A machine that starts, a snapshot, a plug and a growth must not meet at one volume: whoever works on the files of volumes holds a pass
// for all of them at once. A pass is held for a moment, at most for the few seconds that a forced detach gives the guest; who needs
// longer gives way to others or, with a copy that nobody can use before it is whole, has them wait.
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

    // From now on `stop` is asked for when anybody waits for one of these; already, if somebody does.
    void give_way(const std::stop_source& stop);

   private:
    VolumeFiles* files_;
    std::set<std::string> ids_;
  };

  using Limits = std::function<compute::DiskLimits(const state::Volume&)>;
  // `host_key` seals the keys of volumes; 32 bytes.
  VolumeFiles(state::Store& store, Engines engines, std::string host_key, Limits limits)
      : store_(store), engines_(engines), host_key_(std::move(host_key)), limits_(std::move(limits)) {}

  // Waits until nobody else is at any of them.
  Pass enter(const std::vector<std::string>& volume_ids);

  // Makes the file of a volume in "creating", blank or of its snapshot; success also when it is there already.
  Result<void> make(const state::Volume& volume);
  // Encrypted, of a snapshot that is not: all of it has to be copied, which takes its time.
  static bool is_encrypted_anew(const state::World& world, const state::Volume& volume);
  // Such copies keep threads of control's busy: but a few at a time. nullptr: too many are under way; else it is given back when it goes.
  std::shared_ptr<void> begin_copy();
  // As a disk of this instance's machine.
  Result<compute::Disk> open(const state::Volume& volume, const std::string& instance_id);
  // The same for what the block engine just opened.
  Result<compute::Disk> disk(const state::Volume& volume, const block::OpenVolume& opened);
  // The secret that opens an encrypted volume; empty when it is not encrypted.
  Result<std::string> key(const state::Volume& volume) const;
  Result<std::string> key(const state::Snapshot& snapshot) const;
  // The same of one that a client is to write: it is made, and durable, when there is none yet.
  Result<std::string> provide_key(const state::Snapshot& snapshot);
  // True: the instance's machine has the volume open. `broken`, `timed_out` …: it cannot say.
  Result<bool> is_open(const state::Volume& volume) const;
  // Of a volume that is served: its server lets in each machine that has it, and is started when it went.
  Result<void> serve(const state::Volume& volume);
  // A snapshot that was broken off may have left the machine in the file of before: it follows now.
  Result<void> catch_up(const state::Volume& volume);
  Result<void> grow(const state::Volume& volume, std::uint64_t bytes);
  // The instance's machine, if it has the volume, is held to what the volume's type promises.
  Result<void> limit(const state::Volume& volume) const;

 private:
  Result<std::string> provide_key(const state::Volume& volume);
  Result<std::string> open_key(const std::string& id, bool encrypted, const std::string& wrapped) const;

  state::Store& store_;
  const Engines engines_;
  const std::string host_key_;
  const Limits limits_;
  std::mutex mutex_;  // never held across a call of anything else
  std::condition_variable left_;
  std::set<std::string> inside_;
  std::multiset<std::string> wanted_;                 // waited for
  std::map<std::string, std::stop_source> give_way_;  // inside, and stopped when it is wanted
  int copies_ = 0;
};

// Who has the volume's files open, if anybody has: the machine that it is attached to, by its instance's id, or its own server, by the
// volume's. Empty: nobody.
std::string holder_of(const state::Volume& volume);

// By its id, whoever owns it. nullptr: there is none.
const state::Snapshot* find_snapshot(const state::World& world, const std::string& id);

// The disk of the host behind an instance's "ephemeral0", as the block engine knows it.
std::string instance_store_id(const std::string& instance_id, const std::string& virtual_name);

}  // namespace brume::control
