// Reads what guests write to their consoles and limits the size of those files, on a thread of its own: a slow or hanging disk of the host
// delays this and nothing else. QEMU's monitors are served by the event loop's thread, which never waits for a console.
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

// Threads: any. Only one thread reads one machine at a time.
class ConsoleReader {
 public:
  struct Parts {
    std::function<std::vector<std::shared_ptr<Machine>>()> machines;  // the running machines
    std::function<void(Machine& machine)> look;                       // reads what is new, up to a bound
    std::function<void(Machine& machine)> look_last;                  // whether the machine has ended
    std::function<void()> round;                                      // after each round: other work that takes time
  };
  ConsoleReader(milliseconds period, Parts parts);
  ~ConsoleReader() { stop(); }

  // The machine has ended: read it once more, soon.
  void ended(std::shared_ptr<Machine> machine);
  // Call before the folder is removed: the last reading has happened then, or happens here. False: the disk hangs, and it did not happen
  // within `limit`.
  bool finish(const std::string& id, milliseconds limit);
  // Machines that have ended get their last reading. Waits for the thread.
  void stop();

 private:
  void run();
  void look_at(std::unique_lock<std::mutex>& lock, Machine& machine, const std::function<void(Machine&)>& look);
  void look_at_ended(std::unique_lock<std::mutex>& lock);

  const milliseconds period_;
  const Parts parts_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::shared_ptr<Machine>> ended_;  // no last reading yet
  std::string reading_;                        // the machine that the thread is reading
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace brume::compute
