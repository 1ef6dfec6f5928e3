#include "control/direct_snapshots.hpp"

#include "base/crypto.hpp"
#include "base/log.hpp"

namespace brume::control {
namespace {

constexpr size_t most_listed = 8;
constexpr milliseconds block_retry_pause = seconds(2);

DirectSnapshots::Runs runs_of(const std::vector<block::Extent>& extents) {
  DirectSnapshots::Runs runs;
  for (const auto& extent : extents) {
    const auto first = static_cast<std::int64_t>(extent.offset / direct_block_bytes);
    const auto end = static_cast<std::int64_t>((extent.offset + extent.bytes + direct_block_bytes - 1) / direct_block_bytes);
    if (!runs.empty() && first <= runs.back().first + runs.back().second)
      runs.back().second = std::max(runs.back().second, end - runs.back().first);
    else
      runs.emplace_back(first, end - first);
  }
  return runs;
}

}  // namespace

bool is_written_directly(const state::Snapshot& snapshot) {
  return snapshot.state == state::SnapshotState::pending && snapshot.write_minutes > 0;
}

Result<DirectSnapshots::Runs> DirectSnapshots::blocks(const std::string& snapshot_id) {
  return changed(snapshot_id, "").map([](Changes&& changes) { return std::move(changes.runs); });
}

Result<DirectSnapshots::Changes> DirectSnapshots::changed(const std::string& snapshot_id, const std::string& since) {
  const auto asked = std::pair(snapshot_id, since);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = listed_.find(asked); found != listed_.end()) return found->second;
  }
  const auto world = store_.world();
  const auto* snapshot = find_snapshot(*world, snapshot_id);
  if (snapshot == nullptr) return fail(ErrorKind::not_found, snapshot_id + " is not there");
  auto secret = files_.key(*snapshot);
  // An encrypted snapshot may stand on one that is not: the existing key opens both.
  if (const auto* before = find_snapshot(*world, since); secret && secret->empty() && before != nullptr) secret = files_.key(*before);
  if (!secret) return fail(secret.error());
  Changes changes;
  if (since.empty()) {
    const auto extents = engines_.block.snapshot_extents(snapshot_id, *secret);
    if (!extents) return fail(extents.error());
    changes.runs = runs_of(*extents);
  } else {
    const auto difference = engines_.block.changed_extents(snapshot_id, since, *secret);
    if (!difference) return fail(difference.error());
    changes.related = difference->related;
    changes.runs = runs_of(difference->extents);
  }
  const std::lock_guard lock(mutex_);
  if (listed_.size() >= most_listed) listed_.clear();
  listed_[asked] = changes;
  return changes;
}

Result<std::string> DirectSnapshots::read(const std::string& snapshot_id, std::int64_t block) {
  const auto world = store_.world();
  const auto* snapshot = find_snapshot(*world, snapshot_id);
  if (snapshot == nullptr) return fail(ErrorKind::not_found, snapshot_id + " is not there");
  const auto secret = files_.key(*snapshot);
  if (!secret) return fail(secret.error());
  return engines_.block.read(snapshot_id, static_cast<std::uint64_t>(block) * direct_block_bytes, direct_block_bytes, *secret);
}

Result<bool> DirectSnapshots::is_taken(const std::string& snapshot_id) {
  // Copying it to itself changes nothing: it exists, or there is nothing to copy.
  const auto probe = engines_.block.copy_snapshot(snapshot_id, snapshot_id);
  if (!probe && probe.error().kind == ErrorKind::exists) return true;
  if (!probe && probe.error().kind == ErrorKind::not_found) return false;
  return fail(probe ? Error{ErrorKind::broken, "the block engine copied " + snapshot_id + " to itself"} : probe.error());
}

// Call while holding the snapshot's pass.
Result<void> DirectSnapshots::prepare(const state::Snapshot& snapshot) {
  if (engines_.block.usage(snapshot.id)) return {};
  const auto secret = files_.provide_key(snapshot);
  if (!secret) return fail(secret.error());
  const auto bytes = static_cast<std::uint64_t>(snapshot.size_gib) << 30;
  auto made = snapshot.parent_id.empty() ? engines_.block.create(snapshot.id, bytes, *secret)
                                         : engines_.block.clone(snapshot.id, snapshot.parent_id, bytes, *secret);
  if (!made) return fail(made.error().within("cannot begin the snapshot " + snapshot.id));
  return {};
}

DirectSnapshots::SteadyTime DirectSnapshots::last_write(const std::string& snapshot_id) {
  const std::lock_guard lock(mutex_);
  auto& progress = progress_[snapshot_id];
  // Unknown for one that was begun before this daemon: its time starts now.
  if (progress.last_write == SteadyTime{}) progress.last_write = std::chrono::steady_clock::now();
  return progress.last_write;
}

milliseconds DirectSnapshots::look(const state::Snapshot& snapshot) {
  const auto limit = std::chrono::minutes(snapshot.write_minutes);
  const auto waited = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - last_write(snapshot.id));
  const auto pass = files_.enter({snapshot.id});
  if (const auto taken = is_taken(snapshot.id); taken && *taken) {
    const auto finished = finish(snapshot);
    if (!finished) log::error("block", "{}", finished.error().message);
    return finished ? milliseconds(0) : block_retry_pause;
  }
  if (waited >= limit) {
    settle(snapshot, "It was not completed in time.");
    return milliseconds(0);
  }
  if (auto prepared = prepare(snapshot); !prepared) {
    log::error("block", "{}", prepared.error().message);
    settle(snapshot, prepared.error().message);
    return milliseconds(0);
  }
  return limit - waited + milliseconds(10);
}

Result<void> DirectSnapshots::write(const std::string& snapshot_id, std::int64_t block, std::string_view data) {
  const auto pass = files_.enter({snapshot_id});
  const auto world = store_.world();
  const auto* snapshot = find_snapshot(*world, snapshot_id);
  if (snapshot == nullptr || !is_written_directly(*snapshot)) return fail(ErrorKind::not_found, snapshot_id + " is not being written");
  if (const auto taken = is_taken(snapshot_id); !taken || *taken) return fail(ErrorKind::refused, snapshot_id + " is being completed");
  if (auto prepared = prepare(*snapshot); !prepared) return prepared;
  const auto newest = store_.world();  // its key may have been made just now
  const auto* keyed = find_snapshot(*newest, snapshot_id);
  const auto secret = files_.key(keyed == nullptr ? *snapshot : *keyed);
  if (!secret) return fail(secret.error());
  if (auto done = engines_.block.write_volume(snapshot_id, static_cast<std::uint64_t>(block) * direct_block_bytes, data, *secret); !done)
    return done;
  const std::lock_guard lock(mutex_);
  auto& progress = progress_[snapshot_id];
  progress.last_write = std::chrono::steady_clock::now();
  progress.digests[block] = std::string(std::string_view(sha256(data)));
  return {};
}

Result<DirectSnapshots::Written> DirectSnapshots::written(const std::string& snapshot_id, bool with_digest) {
  const auto pass = files_.enter({snapshot_id});
  const auto world = store_.world();
  const auto* snapshot = find_snapshot(*world, snapshot_id);
  if (snapshot == nullptr) return fail(ErrorKind::not_found, snapshot_id + " is not there");
  if (auto prepared = prepare(*snapshot); !prepared) return fail(prepared.error());
  const auto newest = store_.world();
  const auto* keyed = find_snapshot(*newest, snapshot_id);
  const auto secret = files_.key(keyed == nullptr ? *snapshot : *keyed);
  if (!secret) return fail(secret.error());
  const auto extents = engines_.block.written_extents(snapshot_id, *secret);
  if (!extents) return fail(extents.error());
  std::map<std::int64_t, std::string> known;
  {
    const std::lock_guard lock(mutex_);
    known = progress_[snapshot_id].digests;
  }
  Written written;
  std::string digests;
  for (const auto& [first, count] : runs_of(*extents)) {
    written.blocks += count;
    for (auto block = first; with_digest && block < first + count; ++block) {
      auto& digest = known[block];
      if (digest.empty()) {  // written before this daemon started
        const auto data =
            engines_.block.read(snapshot_id, static_cast<std::uint64_t>(block) * direct_block_bytes, direct_block_bytes, *secret);
        if (!data) return fail(data.error());
        digest = std::string(std::string_view(sha256(*data)));
      }
      digests += digest;
    }
  }
  if (with_digest) written.digest = std::string(std::string_view(sha256(digests)));
  return written;
}

Result<void> DirectSnapshots::complete(const std::string& snapshot_id) {
  const auto pass = files_.enter({snapshot_id});
  const auto world = store_.world();
  const auto* snapshot = find_snapshot(*world, snapshot_id);
  if (snapshot == nullptr || !is_written_directly(*snapshot)) return fail(ErrorKind::not_found, snapshot_id + " is not being written");
  const auto taken = is_taken(snapshot_id);
  if (!taken) return fail(taken.error());
  if (!*taken) {
    if (auto prepared = prepare(*snapshot); !prepared) return prepared;
    const auto newest = store_.world();
    const auto* keyed = find_snapshot(*newest, snapshot_id);
    const auto secret = files_.key(keyed == nullptr ? *snapshot : *keyed);
    if (!secret) return fail(secret.error());
    if (auto moved = engines_.block.prepare_snapshot(snapshot_id, engines_.hypervisor.user_of(snapshot_id), *secret); !moved)
      return fail(moved.error());
    if (auto kept = engines_.block.keep_snapshot(snapshot_id, snapshot_id); !kept) return kept;
  }
  return finish(*snapshot);
}

Result<void> DirectSnapshots::finish(const state::Snapshot& snapshot) {
  if (auto removed = engines_.block.remove_volume(snapshot.id); !removed) return removed;
  settle(snapshot, "");
  return {};
}

void DirectSnapshots::settle(const state::Snapshot& snapshot, const std::string& failure) {
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Snapshot>(snapshot.key());
    if (found == nullptr || !is_written_directly(*found)) return;
    auto settled = *found;
    settled.state = failure.empty() ? state::SnapshotState::completed : state::SnapshotState::error;
    settled.state_message = failure;
    if (failure.empty()) settled.progress = 100;
    settled.completed = transaction.now();
    transaction.put(std::move(settled));
  });
  if (!failure.empty())
    if (auto removed = engines_.block.remove_volume(snapshot.id); !removed) log::error("block", "{}", removed.error().message);
  const std::lock_guard lock(mutex_);
  progress_.erase(snapshot.id);
}

Result<void> DirectSnapshots::drop(const std::string& snapshot_id) {
  {
    const std::lock_guard lock(mutex_);
    progress_.erase(snapshot_id);
    std::erase_if(listed_, [&](const auto& each) { return each.first.first == snapshot_id || each.first.second == snapshot_id; });
  }
  const auto pass = files_.enter({snapshot_id});
  return engines_.block.remove_volume(snapshot_id);
}

}  // namespace brume::control
