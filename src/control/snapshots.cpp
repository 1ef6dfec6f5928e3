#include "control/snapshots.hpp"

#include <algorithm>
#include <map>

#include "base/log.hpp"

namespace brume::control {
namespace {

constexpr milliseconds snapshot_retry_pause = seconds(2);
// Until a copy that must be encrypted checks again whether it is its turn.
constexpr milliseconds snapshot_turn_pause = milliseconds(500);
// How much progress, in percent, is worth recording.
constexpr int progress_step = 10;

// Not an import, whose bytes control/images.cpp copies.
bool is_to_be_taken(const state::Snapshot& snapshot) {
  return snapshot.state == state::SnapshotState::pending && !snapshot.volume_id.empty() && snapshot.copy_of.empty();
}

bool is_to_be_copied(const state::Snapshot& snapshot) {
  return snapshot.state == state::SnapshotState::pending && !snapshot.copy_of.empty();
}

// A volume or copy that is being made from it needs its bytes, and the key in its record.
bool is_needed(const state::World& world, const std::string& id) {
  return world.find_indexed<state::Volume>(state::Index::volume_by_source, id) != nullptr ||
         world.find_indexed<state::Snapshot>(state::Index::snapshot_by_source, id) != nullptr;
}

// The snapshot that is no longer needed after this change: a volume or copy of it is complete, or will never be. Empty: none.
std::string released_by(const state::Change& change) {
  if (const auto* before = change.old<state::Volume>(); before != nullptr && before->state == state::VolumeState::creating)
    if (const auto* now = change.now<state::Volume>(); now == nullptr || now->state != state::VolumeState::creating)
      return before->snapshot_id;
  if (const auto* before = change.old<state::Snapshot>(); before != nullptr && is_to_be_copied(*before))
    if (const auto* now = change.now<state::Snapshot>(); now == nullptr || !is_to_be_copied(*now)) return before->copy_of;
  if (const auto* before = change.old<state::Snapshot>(); before != nullptr && is_written_directly(*before))
    if (const auto* now = change.now<state::Snapshot>(); now == nullptr || !is_written_directly(*now)) return before->parent_id;
  return {};
}

bool snapshot_needs_work(const state::Snapshot& snapshot) {
  return snapshot.state == state::SnapshotState::deleting || is_to_be_taken(snapshot) || is_to_be_copied(snapshot) ||
         is_written_directly(snapshot);
}

// Belongs to an image of an instance that is shut down for it: control/images.cpp says when.
bool waits_for_a_shutdown(const state::World& world, const state::Snapshot& snapshot) {
  bool waits = false;
  world.each_indexed<state::Image>(state::Index::image_by_snapshot, snapshot.id, [&](const state::Image& image) {
    waits = image.account == snapshot.account && !image.reboot_instance.empty();
    return !waits;
  });
  return waits;
}

}  // namespace

void SnapshotReconciler::recover() {
  store_.world()->each<state::Snapshot>("", [&](const state::Snapshot& snapshot) {
    if (snapshot_needs_work(snapshot)) wake(snapshot.key());
  });
}

void SnapshotReconciler::follow(const state::Commit& commit) {
  for (const auto& change : commit.changes) {
    if (change.kind == state::Kind::snapshot) {
      const auto* snapshot = change.now<state::Snapshot>();
      if (snapshot == nullptr || snapshot_needs_work(*snapshot)) wake(change.key);
      // Copies of it waited for it.
      if (snapshot != nullptr && change.old<state::Snapshot>() != nullptr && snapshot->state != state::SnapshotState::pending)
        commit.world->each_indexed<state::Snapshot>(state::Index::snapshot_by_source, snapshot->id, [&](const state::Snapshot& copy) {
          if (is_to_be_copied(copy)) wake(copy.key());
        });
    }
    if (const auto id = released_by(change); !id.empty())
      if (const auto* snapshot = find_snapshot(*commit.world, id); snapshot != nullptr && snapshot->state == state::SnapshotState::deleting)
        wake(snapshot->key());
    // Its snapshots need not wait any more.
    const auto* image = change.now<state::Image>();
    const auto* before = change.old<state::Image>();
    if (image == nullptr || before == nullptr || before->reboot_instance.empty() || !image->reboot_instance.empty()) continue;
    for (const auto& device : image->block_devices)
      if (!device.snapshot_id.empty()) wake(state::owned_key(image->account, device.snapshot_id));
  }
}

void SnapshotReconciler::reconcile(const std::string& key) {
  const auto world = store_.world();
  const auto* snapshot = world->find<state::Snapshot>(key);
  if (snapshot != nullptr && snapshot->state == state::SnapshotState::deleting && is_needed(*world, snapshot->id))
    return;  // until follow() sees something else
  if (snapshot == nullptr || snapshot->state == state::SnapshotState::deleting) return remove(key, snapshot);
  if (is_to_be_copied(*snapshot)) return copy(*world, *snapshot);
  if (is_written_directly(*snapshot)) {
    if (const auto next = direct_.look(*snapshot); next.count() > 0) wake(key, next);
    return;
  }
  if (is_to_be_taken(*snapshot)) take_with_its_set(*world, *snapshot);
}

void SnapshotReconciler::remove(const std::string& key, const state::Snapshot* snapshot) {
  const auto id = key.substr(key.find('/') + 1);
  auto removed = direct_.drop(id);
  if (removed) removed = engines_.block.remove_snapshot(id);
  if (!removed) {
    log::error("block", "cannot remove {}, tried again: {}", id, removed.error().message);
    return wake(key, snapshot_retry_pause);
  }
  if (snapshot == nullptr) return;
  store_.transact([&](state::Transaction& transaction) {
    transaction.erase<state::Snapshot>(key);
    transaction.erase<state::TagSet>(key);
  });
}

void SnapshotReconciler::take_with_its_set(const state::World& world, const state::Snapshot& snapshot) {
  std::vector<std::string> ids = {snapshot.id};
  if (!snapshot.set_id.empty())
    world.each_indexed<state::Snapshot>(state::Index::snapshot_by_set, state::owned_key(snapshot.account, snapshot.set_id),
                                        [&](const state::Snapshot& other) {
                                          if (other.id != snapshot.id && is_to_be_taken(other)) ids.push_back(other.id);
                                        });
  // One of them handles the whole set; each was woken.
  if (*std::min_element(ids.begin(), ids.end()) != snapshot.id || waits_for_a_shutdown(world, snapshot)) return;
  take(snapshot.account, ids);
}

void SnapshotReconciler::take(const std::string& account, const std::vector<std::string>& snapshot_ids) {
  auto world = store_.world();
  std::vector<std::string> volume_ids;
  for (const auto& id : snapshot_ids)
    if (const auto* snapshot = world->find<state::Snapshot>(account, id)) volume_ids.push_back(snapshot->volume_id);
  const auto pass = files_.enter(volume_ids);
  world = store_.world();
  std::vector<const state::Snapshot*> pending;
  for (const auto& id : snapshot_ids)
    if (const auto* snapshot = world->find<state::Snapshot>(account, id); snapshot != nullptr && is_to_be_taken(*snapshot))
      pending.push_back(snapshot);
  if (pending.empty()) return;
  const auto taken = take_all(*world, pending);
  if (!taken && taken.error().kind == ErrorKind::timed_out) {
    log::warning("block", "{} is tried again: {}", pending.front()->id, taken.error().message);
    return wake(pending.front()->key(), snapshot_retry_pause);
  }
  settle(pending, taken);
}

Result<void> SnapshotReconciler::switch_all(const std::map<std::string, std::vector<compute::Disk>>& switches) {
  // Disks that a machine has open itself and disks that are served to it are captured at one instant by pausing the machine meanwhile. If
  // the daemon is killed then, the machine stays paused, and the next daemon resumes it.
  std::vector<std::string> still;
  Result<void> done;
  // If the machine dies during this, its volumes become free, and the next try needs no machine.
  const auto fail_with = [&](const Error& error) {
    done = fail(error.kind == ErrorKind::not_found ? ErrorKind::timed_out : error.kind, error.message);
  };
  for (const auto& [holder, overlays] : switches)
    if (done && switches.size() > 1 && engines_.hypervisor.state(holder)) {
      still.push_back(holder);
      if (auto paused = engines_.hypervisor.pause(holder); !paused) fail_with(paused.error());
    }
  for (const auto& [holder, overlays] : switches) {
    if (!done) break;
    const auto pause = engines_.hypervisor.switch_disks(holder, overlays);
    if (!pause)
      fail_with(pause.error());
    else
      log::info("block", "{} disks of {} went on in new files; they stood still for at most {} ms", overlays.size(), holder,
                pause->count());
  }
  for (const auto& holder : still)
    if (auto resumed = engines_.hypervisor.resume(holder); !resumed) log::warning("compute", "{}", resumed.error().message);
  return done;
}

Result<void> SnapshotReconciler::take_all(const state::World& world, const std::vector<const state::Snapshot*>& snapshots) {
  std::map<std::string, std::vector<compute::Disk>> switches;  // by the machine or server that has them open
  for (const auto* snapshot : snapshots) {
    const auto* volume = world.find<state::Volume>(snapshot->account, snapshot->volume_id);
    if (volume == nullptr) return fail(ErrorKind::not_found, "the volume " + snapshot->volume_id + " is not there");
    const auto open = files_.is_open(*volume);
    if (!open) return fail(open.error());
    if (*open)
      // Left by a snapshot that was aborted: what it prepared is used first, so that the following steps match.
      if (auto followed = files_.catch_up(*volume); !followed) return followed;
    const auto secret = files_.key(*volume);
    if (!secret) return fail(secret.error());
    const auto overlay = engines_.block.prepare_snapshot(volume->id, engines_.hypervisor.user_of(holder_of(*volume)), *secret);
    if (!overlay) return fail(overlay.error());
    if (!*open || !*overlay) continue;
    auto disk = files_.disk(*volume, **overlay);
    if (!disk) return fail(disk.error());
    switches[holder_of(*volume)].push_back(std::move(*disk));
  }
  if (auto switched = switch_all(switches); !switched) return switched;
  for (const auto* snapshot : snapshots)
    if (auto kept = engines_.block.keep_snapshot(snapshot->id, snapshot->volume_id); !kept) return kept;
  return {};
}

void SnapshotReconciler::settle(const std::vector<const state::Snapshot*>& snapshots, const Result<void>& taken) {
  if (!taken) log::error("block", "cannot take {}: {}", snapshots.front()->id, taken.error().message);
  store_.transact([&](state::Transaction& transaction) {
    for (const auto* snapshot : snapshots) {
      const auto* found = transaction.find<state::Snapshot>(snapshot->key());
      if (found == nullptr || found->state != state::SnapshotState::pending) continue;
      auto settled = *found;
      settled.state = taken ? state::SnapshotState::completed : state::SnapshotState::error;
      settled.state_message = taken ? std::string() : taken.error().message;
      settled.progress = taken ? 100 : settled.progress;
      settled.completed = transaction.now();
      if (const auto* volume = transaction.find<state::Volume>(settled.account, settled.volume_id)) {
        settled.encrypted = volume->encrypted;
        settled.wrapped_key = volume->wrapped_key;
      }
      transaction.put(std::move(settled));
    }
  });
}

Result<void> SnapshotReconciler::copy_encrypted(const state::Snapshot& snapshot, const state::Snapshot& source) {
  const auto key = files_.provide_key(snapshot);
  if (!key) return fail(key.error());
  int noted = 0;
  return engines_.block.copy_snapshot(snapshot.id, source.id, *key, [&](int percent) {
    if (percent < noted + progress_step || percent >= 100) return;
    noted = percent;
    store_.transact([&](state::Transaction& transaction) {
      const auto* found = transaction.find<state::Snapshot>(snapshot.key());
      if (found == nullptr || found->state != state::SnapshotState::pending) return;
      auto further = *found;
      further.progress = percent;
      transaction.put(std::move(further));
    });
  });
}

void SnapshotReconciler::copy(const state::World& world, const state::Snapshot& snapshot) {
  const auto* source = find_snapshot(world, snapshot.copy_of);
  if (source != nullptr && source->state == state::SnapshotState::pending) return;  // its end wakes us
  Result<void> copied;
  if (source == nullptr || (source->state != state::SnapshotState::completed && source->state != state::SnapshotState::deleting))
    copied = fail(ErrorKind::not_found, "the snapshot " + snapshot.copy_of + " is not there any more");
  else if (snapshot.encrypted && !source->encrypted) {
    const auto turn = files_.begin_copy();
    if (turn == nullptr) return wake(snapshot.key(), snapshot_turn_pause);
    copied = copy_encrypted(snapshot, *source);
  } else
    copied = engines_.block.copy_snapshot(snapshot.id, source->id);
  if (!copied && copied.error().kind == ErrorKind::exists) copied = Result<void>();
  if (!copied) log::error("block", "cannot copy {}: {}", snapshot.copy_of, copied.error().message);
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Snapshot>(snapshot.key());
    if (found == nullptr || found->state != state::SnapshotState::pending) return;
    auto settled = *found;
    settled.state = copied ? state::SnapshotState::completed : state::SnapshotState::error;
    settled.state_message = copied ? std::string() : copied.error().message;
    settled.progress = copied ? 100 : 0;
    settled.completed = transaction.now();
    if (copied) settled.size_gib = source->size_gib;
    // If it is encrypted during the copy, it has a key of its own already.
    if (copied && source->encrypted) {
      settled.encrypted = source->encrypted;
      settled.wrapped_key = source->wrapped_key;
    }
    transaction.put(std::move(settled));
  });
}

}  // namespace brume::control
