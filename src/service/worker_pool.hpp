// Threads for work that may wait or takes long: making keys, reading files, writing out large answers. Fair between the owners of the work.
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

// Owners with waiting work take turns, and one owner's work never runs on all threads if there are two or more. So what one account asks
// for, however much, does not prevent another account's work from starting. Threads: all functions may be called from any thread.
class WorkerPool {
 public:
  WorkerPool(unsigned threads, size_t queue_limit);
  ~WorkerPool();  // stop()

  // `owner`: an account, or "" for the installation itself. False: too much is waiting (of this owner or of all), and the work was not
  // accepted.
  bool submit(const std::string& owner, std::function<void()> work);
  // Finishes what is running, drops what is waiting. Idempotent.
  void stop();

 private:
  struct Queue {
    std::deque<std::function<void()>> waiting;
    unsigned running = 0;
  };
  using Owners = std::map<std::string, Queue>;  // owners with waiting or running work

  void run();
  // Call with mutex_ held. The owner whose turn it is; null: nothing may run now.
  Owners::value_type* take_turn();

  const size_t queue_limit_;
  const unsigned threads_of_one_;  // the maximum for one owner
  std::mutex mutex_;
  std::condition_variable changed_;
  Owners owners_;
  std::deque<Owners::value_type*> turns_;  // owners with waiting work, in the order of their turns
  size_t waiting_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace brume::service
