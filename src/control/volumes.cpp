#include "control/volumes.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace brume::control {

using state::InstanceState;

namespace {

// If a guest has not released a volume after this time, it is shown as busy.
constexpr milliseconds busy_after = seconds(5);
// How long a guest may take before a forced detach takes the volume away.
constexpr milliseconds force_after = seconds(5);
constexpr milliseconds volume_retry_pause = seconds(2);
// Until a volume that must be encrypted checks again whether it is its turn.
constexpr milliseconds volume_turn_pause = milliseconds(500);

bool is_leaving(const state::VolumeAttachment& attachment) {
  return attachment.attachment_state == state::AttachmentState::detaching || attachment.attachment_state == state::AttachmentState::busy;
}

template <class Is>
bool any_attachment(const state::Volume& volume, Is&& is) {
  const auto all = volume.attachments();
  return std::any_of(all.begin(), all.end(), [&](const auto* attachment) { return is(*attachment); });
}

bool is_attached(const state::Volume& volume) {
  return any_attachment(volume, [](const auto& attachment) { return attachment.attachment_state == state::AttachmentState::attached; });
}

bool is_coming_or_leaving(const state::Volume& volume) {
  return any_attachment(volume, [&](const auto& attachment) {
    return (attachment.attachment_state == state::AttachmentState::attaching && volume.state != state::VolumeState::creating) ||
           is_leaving(attachment);
  });
}

// Whether something is still to be done for it, other than by its instance's start.
bool volume_needs_work(const state::Volume& volume) {
  return (volume.state == state::VolumeState::creating && volume.instance_id.empty()) || volume.state == state::VolumeState::deleting ||
         is_coming_or_leaving(volume);
}

// A snapshot that was requested earlier is taken first.
bool is_to_be_copied_first(const state::World& world, const state::Volume& volume) {
  return world.find_indexed<state::Snapshot>(state::Index::snapshot_by_volume, volume.id) != nullptr;
}

}  // namespace

void VolumeReconciler::recover() {
  const auto world = store_.world();
  world->each<state::Volume>("", [&](const state::Volume& volume) {
    // Attached ones too: their limits may have changed since the last daemon.
    if (volume_needs_work(volume) || is_attached(volume)) wake(volume.key());
  });
  world->each<state::VolumeModification>("", [&](const state::VolumeModification& modification) {
    if (modification.state == state::ModificationState::modifying || modification.state == state::ModificationState::optimizing)
      wake(modification.key());
  });
}

void VolumeReconciler::follow(const state::Commit& commit) {
  for (const auto& change : commit.changes) {
    if (change.kind == state::Kind::volume) {
      const auto* volume = change.now<state::Volume>();
      if (volume == nullptr || volume_needs_work(*volume) || commit.world->find<state::VolumeModification>(change.key) != nullptr)
        wake(change.key);
    }
    if (const auto* modification = change.now<state::VolumeModification>();
        modification != nullptr &&
        (modification->state == state::ModificationState::modifying || modification->state == state::ModificationState::optimizing))
      wake(change.key);
    // It waited for its last snapshot to be taken.
    if (const auto* snapshot = change.old<state::Snapshot>(); snapshot != nullptr && snapshot->state == state::SnapshotState::pending)
      if (const auto* volume = commit.world->find<state::Volume>(snapshot->account, snapshot->volume_id);
          volume != nullptr && volume->state == state::VolumeState::deleting)
        wake(volume->key());
    // It waited for its machine to start or end.
    const auto* instance = change.now<state::Instance>();
    const auto* before = change.old<state::Instance>();
    if (instance == nullptr || before == nullptr || before->state == instance->state) continue;
    for (const auto& id : instance->volume_ids)
      if (const auto* volume = commit.world->find<state::Volume>(instance->account, id); volume != nullptr && volume_needs_work(*volume))
        wake(volume->key());
  }
}

void VolumeReconciler::on_report(const compute::MachineReport& report) {
  const auto world = store_.world();
  // The volume's server is gone, and its machines wait for another one.
  if (report.event == compute::MachineEvent::died && report.id.starts_with("vol-")) {
    log::warning("block", "the server of {} died: {}", report.id, report.detail);
    if (const auto* volume = world->find_indexed<state::Volume>(state::Index::volume_by_id, report.id)) wake(volume->key());
  }
  if (report.event != compute::MachineEvent::device_gone) return;
  const auto* instance = world->find_indexed<state::Instance>(state::Index::instance_by_id, report.id);
  if (instance == nullptr) return;
  for (const auto& id : instance->volume_ids)
    if (const auto* volume = world->find<state::Volume>(instance->account, id))
      if (const auto* attachment = volume->attachment_to(instance->id); attachment != nullptr && is_leaving(*attachment))
        wake(volume->key());
}

void VolumeReconciler::reconcile(const std::string& key) {
  const auto world = store_.world();
  const auto* volume = world->find<state::Volume>(key);
  if (volume == nullptr) {
    // Removed by a reset of the simulation, or deleted: nothing of it stays.
    const auto id = key.substr(key.find('/') + 1);
    const auto pass = files_.enter({id});
    if (auto removed = engines_.block.remove_volume(id); !removed) log::error("block", "{}", removed.error().message);
    return;
  }
  if (volume->state == state::VolumeState::deleting && is_to_be_copied_first(*world, *volume))
    return;  // until follow() sees something else
  if (volume->state == state::VolumeState::deleting) return remove(*volume);
  if (volume->state == state::VolumeState::creating && volume->instance_id.empty()) return make(*volume);
  for (const auto* attachment : volume->attachments()) {
    if (attachment->attachment_state == state::AttachmentState::attaching && volume->state != state::VolumeState::creating)
      attach(*volume, attachment->instance_id);
    if (is_leaving(*attachment)) detach(*volume, attachment->instance_id);
  }
  // A volume that is being made or deleted is left alone; a Multi-Attach volume may be used by others meanwhile.
  if (is_coming_or_leaving(*volume) && !volume->is_served()) return;
  if (const auto* modification = world->find<state::VolumeModification>(key)) modify(*volume, *modification);
  if (is_attached(*volume)) hold(*volume);
}

void VolumeReconciler::hold(const state::Volume& seen) {
  // As it is now, because a modification may have completed just before.
  auto world = store_.world();
  const auto* volume = world->find<state::Volume>(seen.key());
  if (volume == nullptr) return;
  Result<void> done;
  if (volume->is_served()) {
    const auto pass = files_.enter({seen.id});
    world = store_.world();
    volume = world->find<state::Volume>(seen.key());
    if (volume == nullptr) return;
    done = files_.serve(*volume);
    // Its machines are blocked until it works.
    if (!done) wake(seen.key(), volume_retry_pause);
  }
  if (done) done = files_.limit(*volume);
  if (done) return;
  log::warning("block", "{}", done.error().message);
  if (done.error().kind == ErrorKind::timed_out) wake(seen.key(), volume_retry_pause);
}

template <class Change>
void VolumeReconciler::change(const state::Volume& volume, Change&& apply) {
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Volume>(volume.key());
    if (found == nullptr) return;
    auto changed = *found;
    if (apply(changed)) transaction.put(std::move(changed));
  });
}

void VolumeReconciler::make(const state::Volume& volume) {
  const bool slow = VolumeFiles::is_encrypted_anew(*store_.world(), volume);
  const auto copy = slow ? files_.begin_copy() : nullptr;
  if (slow && copy == nullptr) return wake(volume.key(), volume_turn_pause);
  const auto pass = files_.enter({volume.id});
  const auto made = files_.make(volume);
  if (!made) log::error("block", "{}", made.error().message);
  change(volume, [&](state::Volume& changed) {
    if (changed.state != state::VolumeState::creating) return false;
    changed.state = made ? state::VolumeState::available : state::VolumeState::error;
    changed.failure = made ? std::string() : made.error().message;
    return true;
  });
}

void VolumeReconciler::remove(const state::Volume& volume) {
  const auto pass = files_.enter({volume.id});
  if (auto removed = engines_.block.remove_volume(volume.id); !removed) {
    log::error("block", "cannot remove {}, tried again: {}", volume.id, removed.error().message);
    return wake(volume.key(), volume_retry_pause);
  }
  store_.transact([&](state::Transaction& transaction) {
    transaction.erase<state::Volume>(volume.key());
    transaction.erase<state::TagSet>(volume.key());
    transaction.erase<state::VolumeModification>(volume.key());
  });
}

void VolumeReconciler::attach(const state::Volume& seen, const std::string& instance_id) {
  const auto pass = files_.enter({seen.id});
  const auto world = store_.world();
  const auto* volume = world->find<state::Volume>(seen.key());
  const auto* attachment = volume == nullptr ? nullptr : volume->attachment_to(instance_id);
  if (attachment == nullptr || attachment->attachment_state != state::AttachmentState::attaching) return;
  const auto* instance = world->find<state::Instance>(volume->account, instance_id);
  if (instance == nullptr || instance->state == InstanceState::terminated) return settle_detached(*volume, instance_id);
  // It becomes one of its disks at the next start.
  if (instance->state == InstanceState::stopped) return settle_attached(*volume, instance_id);
  // The instance is changing its state; the next one wakes us.
  if (instance->state != InstanceState::running) return;
  const auto machine = engines_.hypervisor.state(instance->id);
  if (!machine || *machine == compute::MachineState::ended) return wake(volume->key(), volume_retry_pause);
  auto disk = files_.open(*volume, instance->id);
  auto attached = disk ? engines_.hypervisor.attach_disk(instance->id, *disk) : Result<void>(fail(disk.error()));
  if (attached || attached.error().kind == ErrorKind::exists) return settle_attached(*volume, instance_id);
  if (attached.error().kind == ErrorKind::not_found && disk) return wake(volume->key(), volume_retry_pause);  // the machine ended just now
  log::error("block", "{} is free again: {}", volume->id, attached.error().message);
  settle_detached(*volume, instance_id);
}

void VolumeReconciler::settle_attached(const state::Volume& volume, const std::string& instance_id) {
  change(volume, [&](state::Volume& changed) {
    auto* attachment = changed.attachment_to(instance_id);
    if (attachment == nullptr || attachment->attachment_state != state::AttachmentState::attaching) return false;
    attachment->attachment_state = state::AttachmentState::attached;
    changed.state = state::VolumeState::in_use;
    return true;
  });
}

void VolumeReconciler::detach(const state::Volume& seen, const std::string& instance_id) {
  const auto pass = files_.enter({seen.id});
  const auto world = store_.world();
  const auto* volume = world->find<state::Volume>(seen.key());
  const auto* attachment = volume == nullptr ? nullptr : volume->attachment_to(instance_id);
  if (attachment == nullptr || !is_leaving(*attachment)) return;
  // Also for an instance that is going down: as long as there is a machine it is asked, because it knows best whether it has the disk.
  const auto limit = attachment->detach_forced ? force_after : milliseconds(0);
  meter_.collect(instance_id);
  const auto gone = engines_.hypervisor.detach_disk(instance_id, volume->id, attachment->detach_forced, limit);
  if (gone) meter_.collect(instance_id);
  if (gone || gone.error().kind == ErrorKind::not_found) return settle_detached(*volume, instance_id);
  if (gone.error().kind != ErrorKind::timed_out)
    log::error("block", "cannot take {} from {}, tried again: {}", volume->id, instance_id, gone.error().message);
  bool asked_before = false;
  {
    const std::lock_guard lock(mutex_);
    asked_before = !asked_.insert({volume->id, instance_id}).second;
  }
  // The guest still uses it and reports the release (on_report). The timer exists for the state "busy" and for lost reports.
  if (asked_before) say_busy(*volume, instance_id);
  wake(volume->key(), busy_after);
}

void VolumeReconciler::say_busy(const state::Volume& volume, const std::string& instance_id) {
  change(volume, [&](state::Volume& changed) {
    auto* attachment = changed.attachment_to(instance_id);
    if (attachment == nullptr || attachment->attachment_state != state::AttachmentState::detaching) return false;
    attachment->attachment_state = state::AttachmentState::busy;
    return true;
  });
}

void VolumeReconciler::settle_detached(const state::Volume& seen, const std::string& instance_id) {
  {
    const std::lock_guard lock(mutex_);
    asked_.erase({seen.id, instance_id});
  }
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Volume>(seen.key());
    if (found == nullptr || found->attachment_to(instance_id) == nullptr) return;
    auto volume = *found;
    if (const auto* holder = transaction.find<state::Instance>(volume.account, instance_id)) {
      auto instance = *holder;
      std::erase(instance.volume_ids, volume.id);
      if (const auto* dependents = transaction.find<state::Dependents>(instance.key())) {
        auto left = *dependents;
        std::erase(left.volumes, volume.id);
        transaction.put(std::move(left));
      }
      transaction.put(std::move(instance));
    }
    volume.detach_from(instance_id);
    if (volume.state == state::VolumeState::in_use && volume.attachments().empty()) volume.state = state::VolumeState::available;
    transaction.put(std::move(volume));
  });
}

void VolumeReconciler::modify(const state::Volume& seen, const state::VolumeModification& asked) {
  if (asked.state != state::ModificationState::modifying && asked.state != state::ModificationState::optimizing) return;
  Result<void> grown;
  if (asked.state == state::ModificationState::modifying && asked.target_size_gib > seen.size_gib) {
    const auto pass = files_.enter({seen.id});
    const auto world = store_.world();
    const auto* volume = world->find<state::Volume>(seen.key());
    if (volume == nullptr) return;
    grown = files_.grow(*volume, static_cast<std::uint64_t>(asked.target_size_gib) << 30);
    if (!grown) log::error("block", "{}", grown.error().message);
    // The machine could not say, so it is asked again.
    if (!grown && grown.error().kind == ErrorKind::timed_out) return wake(seen.key(), volume_retry_pause);
  }
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::VolumeModification>(seen.key());
    const auto* volume = transaction.find<state::Volume>(seen.key());
    if (found == nullptr || volume == nullptr || found->state != asked.state) return;
    auto modification = *found;
    if (!grown) {
      modification.state = state::ModificationState::failed;
      modification.state_message = grown.error().message;
      modification.ended = transaction.now();
    } else if (modification.state == state::ModificationState::modifying) {
      auto changed = *volume;
      changed.size_gib = std::max(changed.size_gib, modification.target_size_gib);
      if (!modification.target_type.empty()) changed.type = modification.target_type;
      changed.iops = modification.target_iops;
      changed.throughput = modification.target_throughput;
      changed.multi_attach = modification.target_multi_attach;
      transaction.put(std::move(changed));
      // Nothing has to be moved for the new size: the next reconcile completes it.
      modification.state = state::ModificationState::optimizing;
      modification.progress = 99;
    } else {
      modification.state = state::ModificationState::completed;
      modification.progress = 100;
      modification.ended = transaction.now();
    }
    transaction.put(std::move(modification));
  });
}

}  // namespace brume::control
