// Threads for work that may wait or takes long: making keys, reading files, writing out large answers. Fair between those whose work it is.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace brume::service {

// The owners that have work waiting take turns, and one owner's work never runs on all threads where there are two or more: so what one
// account asks for, however much, does not keep another account's from being started.
// Threads: all functions may be called from any thread.
class WorkerPool {
 public:
  WorkerPool(unsigned threads, size_t queue_limit);
  ~WorkerPool();  // stop()

  // `owner`: an account, or "" for the installation itself. False: too much is waiting (of this owner or of all), the work was not taken.
  bool submit(const std::string& owner, std::function<void()> work);
  // Finishes what runs, drops what waits. Idempotent.
  void stop();

 private:
  struct Queue {
    std::deque<std::function<void()>> waiting;
    unsigned running = 0;
  };
  using Owners = std::map<std::string, Queue>;  // those with work that waits or runs

  void run();
  // With mutex_ held. The owner whose turn it is; null: nothing may run now.
  Owners::value_type* take_turn();

  const size_t queue_limit_;
  const unsigned threads_of_one_;  // the most that work for one owner
  std::mutex mutex_;
  std::condition_variable changed_;
  Owners owners_;
  std::deque<Owners::value_type*> turns_;  // those with work that waits, in the order in which they come next
  size_t waiting_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace brume::service
