// Reads what guests write to their consoles and keeps those files in bounds, on a thread of its own: a disk of the host that is slow, or
// hangs, delays this and nothing else. QEMU's monitors are served by the event loop's thread, which never waits for a console.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/time.hpp"
#include "engines/compute/machine.hpp"

namespace brume::compute {

// Threads: any. One machine is looked at by one thread at a time.
class ConsoleReader {
 public:
  struct Parts {
    std::function<std::vector<std::shared_ptr<Machine>>()> machines;  // that run
    std::function<void(Machine& machine)> look;                       // reads what is new, which is bounded
    std::function<void(Machine& machine)> look_last;                  // the machine has ended
    std::function<void()> round;                                      // after each round: what else takes its time
  };
  ConsoleReader(milliseconds period, Parts parts);
  ~ConsoleReader() { stop(); }

  // It has ended: a last look soon.
  void ended(std::shared_ptr<Machine> machine);
  // Before its folder goes: the last look has been, here if it has not yet. False: the disk hangs, and it has not within `limit`.
  bool finish(const std::string& id, milliseconds limit);
  // What has ended gets its last look. Waits for the thread.
  void stop();

 private:
  void run();
  void look_at(std::unique_lock<std::mutex>& lock, Machine& machine, const std::function<void(Machine&)>& look);
  void look_at_ended(std::unique_lock<std::mutex>& lock);

  const milliseconds period_;
  const Parts parts_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::shared_ptr<Machine>> ended_;  // no last look yet
  std::string reading_;                        // whom the thread looks at
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace brume::compute
