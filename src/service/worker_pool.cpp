#include "service/worker_pool.hpp"

#include <algorithm>
#include <exception>

#include "base/log.hpp"

namespace brume::service {

WorkerPool::WorkerPool(unsigned threads, size_t queue_limit) : queue_limit_(queue_limit), threads_of_one_(std::max(threads, 2U) - 1) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool() { stop(); }

bool WorkerPool::submit(const std::string& owner, std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || waiting_ >= queue_limit_) return false;
  const auto at = owners_.try_emplace(owner).first;
  auto& queue = at->second;
  // One owner leaves a quarter of the places to others.
  if (queue.waiting.size() >= std::max<size_t>(queue_limit_ - queue_limit_ / 4, 1)) return false;
  queue.waiting.push_back(std::move(work));
  ++waiting_;
  if (queue.waiting.size() == 1) turns_.push_back(&*at);
  changed_.notify_one();
  return true;
}

WorkerPool::Owners::value_type* WorkerPool::take_turn() {
  const auto may_run = [this](const auto* owner) { return owner->second.running < threads_of_one_; };
  const auto next = std::find_if(turns_.begin(), turns_.end(), may_run);
  if (next == turns_.end()) return nullptr;
  auto* owner = *next;
  turns_.erase(next);
  return owner;
}

void WorkerPool::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    Owners::value_type* owner = nullptr;
    changed_.wait(lock, [&] { return stopping_ || (owner = take_turn()) != nullptr; });
    if (stopping_) return;
    auto& queue = owner->second;
    auto work = std::move(queue.waiting.front());
    queue.waiting.pop_front();
    --waiting_;
    ++queue.running;
    if (!queue.waiting.empty()) turns_.push_back(owner);
    lock.unlock();
    try {
      work();
    } catch (const std::exception& error) {
      log::error("service", "work failed: {}", error.what());
    }
    // What it holds may be large, or run code when destroyed: so not under the lock.
    work = nullptr;
    lock.lock();
    --queue.running;
    if (queue.running == 0 && queue.waiting.empty()) owners_.erase(owner->first);
    // The owner may have had work that had to wait for this thread's.
    changed_.notify_one();
  }
}

void WorkerPool::stop() {
  std::map<std::string, Queue> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
  const std::lock_guard lock(mutex_);
  turns_.clear();
  dropped.swap(owners_);
}

}  // namespace brume::service
