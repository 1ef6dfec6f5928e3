#include "control/watchdog.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "control/volume_files.hpp"

namespace brume::control {
namespace {

using state::InstanceState;

// qemu-img copies a GiB in a few seconds; several may share the disk.
constexpr milliseconds copy_of_a_gib = seconds(30);

bool instance_needs_work(const state::Instance& instance) {
  const auto now = instance.state;
  return now == InstanceState::pending || now == InstanceState::stopping || now == InstanceState::shutting_down;
}

std::string minutes_of(milliseconds time) {
  const auto whole = std::chrono::duration_cast<seconds>(time).count();
  return whole < 120 ? std::to_string(whole) + " seconds" : std::to_string(whole / 60) + " minutes";
}

}  // namespace

milliseconds longest(const state::World& world, const state::Instance& instance, const Patience& patience) {
  if (instance.state == InstanceState::stopping) return patience.stop + patience.ending;
  if (instance.state == InstanceState::shutting_down) return patience.terminate + patience.ending;
  if (instance.state != InstanceState::pending) return milliseconds(0);
  auto limit = patience.pending;
  for (const auto& id : instance.volume_ids)
    if (const auto* volume = world.find<state::Volume>(instance.account, id);
        volume != nullptr && volume->state == state::VolumeState::creating && VolumeFiles::is_encrypted_anew(world, *volume))
      limit += copy_of_a_gib * volume->size_gib;
  return limit;
}

void Watchdog::recover() {
  const auto world = store_.world();
  const auto now = clock_.now();
  std::map<std::string, state::InstanceState> between;
  world->each<state::Instance>("", [&](const state::Instance& instance) {
    if (owner_.mine(instance) && instance_needs_work(instance)) between[instance.key()] = instance.state;
  });
  const std::lock_guard lock(mutex_);
  begun_ = now;
  between_.merge(between);
}

void Watchdog::follow(const state::Commit& commit) {
  for (const auto& change : commit.changes) {
    if (change.kind != state::Kind::instance) continue;
    const auto* instance = change.now<state::Instance>();
    const auto* before = change.old<state::Instance>();
    if (instance != nullptr && before != nullptr && instance->state == before->state) continue;
    const std::lock_guard lock(mutex_);
    stuck_.erase(change.key);
    if (instance != nullptr && owner_.mine(*instance) && instance_needs_work(*instance))
      between_[change.key] = instance->state;
    else
      between_.erase(change.key);
  }
}

void Watchdog::begin() {
  thread_ = std::thread([this] { run(); });
}

void Watchdog::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_asked_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!stop_asked_.wait_for(lock, patience_.watch, [this] { return stopping_; })) {
    lock.unlock();
    try {
      look();
    } catch (const std::exception& error) {
      log::error("control", "what is stuck cannot be told from what is not: {}", error.what());
    }
    lock.lock();
  }
}

bool Watchdog::is_overdue(const state::Instance& instance) const {
  const auto limit = longest(*store_.world(), instance, patience_);
  const auto now = clock_.now();
  const std::lock_guard lock(mutex_);
  return limit.count() > 0 && begun_ != Time{} && now - std::max(instance.state_since, begun_) >= limit;
}

std::vector<StuckInstance> Watchdog::stuck() const {
  std::vector<StuckInstance> all;
  const auto world = store_.world();
  const std::lock_guard lock(mutex_);
  for (const auto& [key, one] : stuck_)
    // It may have gone on just now.
    if (const auto* instance = world->find<state::Instance>(key);
        instance != nullptr && state::name_of(instance->state) == one.state && instance->state_since == one.since)
      all.push_back(one);
  return all;
}

void Watchdog::look() {
  std::vector<std::string> keys;
  {
    const std::lock_guard lock(mutex_);
    keys.reserve(between_.size());
    for (const auto& [key, state] : between_) keys.push_back(key);
  }
  const auto world = store_.world();
  for (const auto& key : keys) {
    const auto* instance = world->find<state::Instance>(key);
    if (instance == nullptr || !instance_needs_work(*instance) || !is_overdue(*instance)) continue;
    const auto name = std::string(state::name_of(instance->state));
    const auto obstacle = actions_.obstacle(*instance);
    const auto why =
        "It has been " + name + " for " + minutes_of(clock_.now() - instance->state_since) + (obstacle.empty() ? "" : ": " + obstacle);
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      // It may have gone on since the world was looked at.
      if (const auto at = between_.find(key); at == between_.end() || at->second != instance->state) continue;
      first = stuck_.insert_or_assign(key, StuckInstance{instance->id, instance->account, name, instance->state_since, why}).second;
    }
    if (first) log::error("control", "{} is stuck. {}", instance->id, why);
    if (instance->state == InstanceState::pending) {
      actions_.fail_start(*instance, why);
      continue;
    }
    if (first) say_reason(*instance, why);
    actions_.wake(*instance);
  }
}

void Watchdog::say_reason(const state::Instance& seen, const std::string& why) {
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Instance>(seen.key());
    if (found == nullptr || found->state != seen.state) return;
    auto instance = *found;
    instance.state_reason_code = "Server.InternalError";
    instance.state_reason_message = "Server.InternalError: " + why;
    transaction.put(std::move(instance));
  });
}

}  // namespace brume::control
