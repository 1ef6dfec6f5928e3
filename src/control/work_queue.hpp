// Runs work by key on a few threads: one key never runs twice at once, a key that is woken while it runs runs once more afterwards, and
// waking a key that already waits has no effect. A key has at most one timer, the earliest that was asked for (timers.hpp). So each piece
// of work looks at the newest state instead of being handed a message, and nothing piles up: neither the queue nor the timers ever exceed
// the number of things there are.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"
#include "control/timers.hpp"

namespace brume::control {

// Threads: all functions may be called from any thread, from inside the work too.
class WorkQueue {
 public:
  // `work` gets the key. An exception from it is logged, and the key runs again after a second.
  WorkQueue(unsigned threads, std::function<void(const std::string& key)> work);
  ~WorkQueue();  // stop()

  void wake(const std::string& key);
  // The key runs after `delay`, or earlier if somebody asked for that. The work has to ask again for anything later.
  void wake_after(const std::string& key, milliseconds delay);
  // Waits for what is running; drops what is waiting. Idempotent.
  void stop();

 private:
  enum class Phase { waiting, running, running_and_woken };

  void run();
  void wake_locked(const std::string& key);
  // Moves the timers that are due to the queue; returns the time of the next one.
  Timers::Moment fire_timers();

  std::function<void(const std::string& key)> work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  std::unordered_map<std::string, Phase> phases_;
  Timers timers_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace brume::control
