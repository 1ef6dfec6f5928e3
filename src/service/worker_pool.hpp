// Threads for work that may wait: making keys, reading files, writing out large answers.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace brume::service {

// Threads: all functions may be called from any thread.
class WorkerPool {
 public:
  WorkerPool(unsigned threads, size_t queue_limit);
  ~WorkerPool();  // stop()

  // False: the queue is full, the work was not taken.
  bool submit(std::function<void()> work);
  // Finishes what runs, drops what waits. Idempotent.
  void stop();

 private:
  void run();

  const size_t queue_limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace brume::service
