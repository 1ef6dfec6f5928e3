// Turns callbacks that come from several threads, or from within each other, into a sequence of steps.
#pragma once

#include <mutex>

namespace brume::wire {

// Threads: any. A call of run() during a step only adds one more step for the thread that is running it: nothing recurses, and no two steps
// run at once. The owner must live until run() returns.
class StepLoop {
 public:
  template <class Step>
  void run(const Step& step) {
    {
      const std::lock_guard lock(mutex_);
      again_ = true;
      if (is_running_) return;
      is_running_ = true;
    }
    while (goes_on()) step();
  }

 private:
  bool goes_on() {
    const std::lock_guard lock(mutex_);
    is_running_ = again_;
    again_ = false;
    return is_running_;
  }

  std::mutex mutex_;
  bool is_running_ = false;
  bool again_ = false;
};

}  // namespace brume::wire
