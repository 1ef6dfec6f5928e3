// Snapshots whose bytes clients read, or write themselves (the ebs service), in blocks of 512 KiB.
//
// A snapshot that is being written is a volume with the snapshot's own id, made blank or from its parent as soon as control sees it. When
// the client completes it, a snapshot is taken of that volume, and the volume is removed. If the daemon dies in between, both exist, or
// only the snapshot, and the next reconcile finishes what was begun.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/controller.hpp"
#include "control/volume_files.hpp"

namespace brume::control {

constexpr std::uint64_t direct_block_bytes = 512 << 10;

// A pending snapshot that a client writes.
bool is_written_directly(const state::Snapshot& snapshot);

// Threads: all functions may be called from any thread.
class DirectSnapshots {
 public:
  // Numbers of blocks in order: the first one, and how many.
  using Runs = std::vector<std::pair<std::int64_t, std::int64_t>>;
  struct Changes {
    bool related = true;
    Runs runs;
  };
  struct Written {
    std::int64_t blocks = 0;
    std::string digest;
  };

  DirectSnapshots(state::Store& store, Engines engines, VolumeFiles& files) : store_(store), engines_(engines), files_(files) {}

  // See service::SnapshotBlocks.
  Result<Runs> blocks(const std::string& snapshot_id);
  Result<Changes> changed(const std::string& snapshot_id, const std::string& since);
  Result<std::string> read(const std::string& snapshot_id, std::int64_t block);
  Result<void> write(const std::string& snapshot_id, std::int64_t block, std::string_view data);
  Result<Written> written(const std::string& snapshot_id, bool with_digest);
  Result<void> complete(const std::string& snapshot_id);

  // Handles a pending one: makes its volume, finishes what a crash left, gives up if nothing was written for too long. Returns the time
  // until the next call.
  milliseconds look(const state::Snapshot& snapshot);
  // Frees everything that was kept for it.
  Result<void> drop(const std::string& snapshot_id);

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Progress {
    SteadyTime last_write{};
    std::map<std::int64_t, std::string> digests;  // the blocks that this daemon wrote
  };

  Result<void> prepare(const state::Snapshot& snapshot);
  Result<void> finish(const state::Snapshot& snapshot);
  Result<bool> is_taken(const std::string& snapshot_id);
  void settle(const state::Snapshot& snapshot, const std::string& failure);
  SteadyTime last_write(const std::string& snapshot_id);

  state::Store& store_;
  const Engines engines_;
  VolumeFiles& files_;
  std::mutex mutex_;  // guards what follows; never held during a call of another part
  std::map<std::string, Progress> progress_;
  // The last listing: a snapshot never changes, and a client asks page by page.
  std::map<std::pair<std::string, std::string>, Changes> listed_;
};

}  // namespace brume::control
