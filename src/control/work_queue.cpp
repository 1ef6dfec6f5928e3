#include "control/work_queue.hpp"

#include <exception>

#include "base/log.hpp"

namespace brume::control {

WorkQueue::WorkQueue(unsigned threads, std::function<void(const std::string& key)> work) : work_(std::move(work)) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkQueue::~WorkQueue() { stop(); }

void WorkQueue::wake_locked(const std::string& key) {
  const auto [at, added] = phases_.try_emplace(key, Phase::waiting);
  if (added) {
    waiting_.push_back(key);
    changed_.notify_one();
  } else if (at->second == Phase::running) {
    at->second = Phase::running_and_woken;
  }
}

void WorkQueue::wake(const std::string& key) {
  const std::lock_guard lock(mutex_);
  if (!stopping_) wake_locked(key);
}

void WorkQueue::wake_after(const std::string& key, milliseconds delay) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  timers_.set(key, std::chrono::steady_clock::now() + delay);
  changed_.notify_one();
}

Timers::Moment WorkQueue::fire_timers() {
  const auto now = std::chrono::steady_clock::now();
  while (const auto key = timers_.take_due(now)) wake_locked(*key);
  return timers_.next().value_or(now + std::chrono::hours(1));
}

void WorkQueue::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto next = fire_timers();
    if (waiting_.empty()) {
      changed_.wait_until(lock, next);
      continue;
    }
    const std::string key = std::move(waiting_.front());
    waiting_.pop_front();
    phases_[key] = Phase::running;
    lock.unlock();
    bool failed = false;
    try {
      work_(key);
    } catch (const std::exception& error) {
      failed = true;
      log::error("control", "work on {} failed and is tried again: {}", key, error.what());
    }
    lock.lock();
    const bool again = phases_[key] == Phase::running_and_woken;
    phases_.erase(key);
    if (failed)
      timers_.set(key, std::chrono::steady_clock::now() + seconds(1));
    else if (again)
      wake_locked(key);
  }
}

void WorkQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

}  // namespace brume::control
