#include "control/root_volumes.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace brume::control {
namespace {

using state::InstanceState;
using state::RootReplacement;

bool is_over(const RootReplacement& task) {
  return task.state == state::RootReplacementState::succeeded || task.state == state::RootReplacementState::failed;
}

// The instance's running task.
const RootReplacement* task_of(const state::World& world, const state::Instance& instance) {
  const RootReplacement* found = nullptr;
  world.each_indexed<RootReplacement>(state::Index::root_task_by_instance, instance.id, [&](const RootReplacement& task) {
    if (task.state == state::RootReplacementState::in_progress) found = &task;
    return found == nullptr;
  });
  return found;
}

bool has(const state::Instance& instance, const std::string& volume_id) {
  return std::find(instance.volume_ids.begin(), instance.volume_ids.end(), volume_id) != instance.volume_ids.end();
}

}  // namespace

void RootVolumes::recover() {
  store_.world()->each<RootReplacement>("", [&](const RootReplacement& task) {
    if (!is_over(task)) wake_("root/" + task.key(), milliseconds(0));
  });
}

void RootVolumes::follow(const state::Commit& commit) {
  for (const auto& change : commit.changes) {
    if (const auto* task = change.now<RootReplacement>(); task != nullptr && !is_over(*task)) wake_("root/" + task->key(), milliseconds(0));
    // What a task waits for: its volume, or its instance that is changing its state for another reason.
    const auto* volume = change.now<state::Volume>();
    const auto* made = change.old<state::Volume>();
    const auto* instance = change.now<state::Instance>();
    const auto* before = change.old<state::Instance>();
    const bool volume_made = made != nullptr && made->state == state::VolumeState::creating &&
                             (volume == nullptr || volume->state != state::VolumeState::creating);
    const bool instance_moved = before != nullptr && (instance == nullptr || instance->state != before->state);
    const auto look_at = [&](const RootReplacement& task) { wake_("root/" + task.key(), milliseconds(0)); };
    if (volume_made) commit.world->each_indexed<RootReplacement>(state::Index::root_task_by_volume, made->id, look_at);
    if (instance_moved) commit.world->each_indexed<RootReplacement>(state::Index::root_task_by_instance, before->id, look_at);
  }
}

void RootVolumes::end(state::Transaction& transaction, RootReplacement task, const std::string& failure) {
  task.state = failure.empty() ? state::RootReplacementState::succeeded : state::RootReplacementState::failed;
  task.failure = failure;
  task.ended = transaction.now();
  // Removes what was made in vain.
  if (!failure.empty()) {
    log::warning("control", "the root volume of {} is not replaced: {}", task.instance_id, failure);
    if (const auto* made = transaction.find<state::Volume>(task.account, task.volume_id); made != nullptr && made->instance_id.empty()) {
      auto gone = *made;
      gone.state = state::VolumeState::deleting;
      transaction.put(std::move(gone));
    }
  }
  transaction.put(std::move(task));
}

void RootVolumes::reconcile(const std::string& key) {
  const auto world = store_.world();
  const auto* seen = world->find<RootReplacement>(key);
  if (seen == nullptr || is_over(*seen)) return;
  store_.transact([&](state::Transaction& transaction) {
    const auto* task = transaction.find<RootReplacement>(key);
    if (task == nullptr || is_over(*task)) return;
    const auto* instance = transaction.find<state::Instance>(task->account, task->instance_id);
    const auto* volume = transaction.find<state::Volume>(task->account, task->volume_id);
    if (instance == nullptr || instance->state != InstanceState::running) {
      // With the new root in place, the machine only has to start, whenever that is.
      if (instance != nullptr && has(*instance, task->volume_id)) return end(transaction, *task, "");
      return end(transaction, *task, "the instance does not run any more");
    }
    if (task->state != state::RootReplacementState::pending) return;
    if (volume == nullptr || volume->state == state::VolumeState::error || volume->state == state::VolumeState::deleting ||
        !volume->instance_id.empty())
      return end(transaction, *task, volume == nullptr || volume->failure.empty() ? "the new volume is gone" : volume->failure);
    if (volume->state != state::VolumeState::available) return;  // its end wakes us
    auto begun = *task;
    begun.state = state::RootReplacementState::in_progress;
    transaction.put(std::move(begun));
    auto restarted = *instance;
    ++restarted.reboots_asked;
    transaction.put(std::move(restarted));
  });
}

bool RootVolumes::waits_for(const state::Instance& instance) const {
  const auto world = store_.world();
  const auto* task = task_of(*world, instance);
  return task != nullptr && !has(instance, task->volume_id);
}

void RootVolumes::swap(const state::Instance& seen) {
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Instance>(seen.key());
    const auto* task = found == nullptr ? nullptr : task_of(transaction.world(), *found);
    if (task == nullptr || has(*found, task->volume_id)) return;
    const auto* made = transaction.find<state::Volume>(found->account, task->volume_id);
    const auto* root = transaction.find<state::Volume>(found->account, task->replaced_volume_id);
    if (made == nullptr || made->state != state::VolumeState::available || root == nullptr || root->instance_id != found->id)
      return end(transaction, *task, "one of its volumes went another way");
    auto fresh = *made;
    auto old = *root;
    auto instance = *found;
    fresh.attach({.instance_id = instance.id,
                  .device = old.device,
                  .attachment_state = state::AttachmentState::attached,
                  .attached = transaction.now(),
                  .delete_on_termination = old.delete_on_termination});
    fresh.state = state::VolumeState::in_use;
    std::replace(instance.volume_ids.begin(), instance.volume_ids.end(), old.id, fresh.id);
    old.detach_from(instance.id);
    old.state = task->delete_replaced ? state::VolumeState::deleting : state::VolumeState::available;
    transaction.put(std::move(fresh));
    transaction.put(std::move(old));
    transaction.put(std::move(instance));
  });
}

void RootVolumes::settle(const state::Instance& seen) {
  const auto world = store_.world();
  if (task_of(*world, seen) == nullptr) return;
  store_.transact([&](state::Transaction& transaction) {
    const auto* instance = transaction.find<state::Instance>(seen.key());
    const auto* task = instance == nullptr ? nullptr : task_of(transaction.world(), *instance);
    if (task != nullptr && has(*instance, task->volume_id)) end(transaction, *task, "");
  });
}

}  // namespace brume::control
