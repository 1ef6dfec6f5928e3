// One thread that waits for many descriptors (QMP sockets, process ends) and for a slow tick. No thread per machine.
//
// Lock rule: the loop holds none of its locks while it calls out, so a watcher may add and remove watches, itself included.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/descriptor.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace brume::compute {

// Called when its descriptor can be read. Always on the loop's thread.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void ready() = 0;
};

// Threads: add, remove and post may be called from any thread. stop() waits for the thread and must not be called on it.
class EventLoop {
 public:
  static Result<std::unique_ptr<EventLoop>> make();
  ~EventLoop() { stop(); }
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Calls watcher->ready() while `descriptor` can be read or is at its end. The loop keeps the watcher alive until remove.
  Result<std::uint64_t> add(int descriptor, std::shared_ptr<Watcher> watcher);
  // Call before the descriptor is closed. A call to ready() may still be running on the loop's thread when this returns.
  void remove(int descriptor, std::uint64_t watch);
  // Runs `task` on the loop's thread, soon.
  void post(std::function<void()> task);
  // Runs `task` on the loop's thread every `period`. Set once, before anything is watched.
  void every(milliseconds period, std::function<void()> task);
  bool is_loop_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  void stop();

 private:
  EventLoop() = default;
  void run();
  void wake() const;
  void run_posted();
  void run_tick();
  int time_to_tick() const;

  Descriptor epoll_;
  Descriptor bell_;  // eventfd: posted work, stop
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Watcher>> watchers_;
  std::uint64_t last_watch_ = 0;  // 0 is the bell
  std::vector<std::function<void()>> posted_;
  std::function<void()> tick_;
  milliseconds period_{0};
  std::chrono::steady_clock::time_point next_tick_{};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace brume::compute
