// Holds each machine to its plan: looks every second at what it used and tells its control group what it may use from now on.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "engines/compute/cpu_plan.hpp"

namespace brume::compute {

// Seconds of processor time that a process and its threads have used, in the guest and for it; nullopt: it has ended.
std::optional<double> processor_seconds(pid_t process);

// Threads: any.
class CpuGovernor {
 public:
  using Moment = std::chrono::steady_clock::time_point;
  using Meter = std::function<std::optional<double>(pid_t)>;
  // Sets the limit of a machine in processors; 0: none.
  using Limiter = std::function<void(const std::string& id, double processors)>;
  explicit CpuGovernor(Limiter limiter, Meter meter = processor_seconds) : limiter_(std::move(limiter)), meter_(std::move(meter)) {}
  ~CpuGovernor() { save(); }

  // A machine has started. `file` is where its budget is kept while it runs and after its end; what its last run left there comes along
  // as far as the plan says. `time` of day: now.
  void begin(const std::string& id, pid_t process, const CpuPlan& plan, const std::string& file, Moment now, Time time);
  // It runs since before this daemon: goes on with what `file` says. Without one it is as its group was left, until change().
  void resume(const std::string& id, pid_t process, const std::string& file, Moment now);
  // Nothing when the plan is the one that it has, or there is no such machine.
  void change(const std::string& id, const CpuPlan& plan);
  // What it has left is kept in its file.
  void end(const std::string& id);

  // Every second or so. Writes no files.
  void tick(Moment now);
  // Keeps all budgets when that was not done for a while. Waits for the disk.
  void save_now_and_then(Moment now);
  void save();

 private:
  struct Machine {
    pid_t process = -1;
    CpuBudget budget{CpuPlan{}};
    std::string file;
    double used = 0;   // when last looked at
    double limit = 0;  // as last set; -1: not known
    Moment looked{};
  };
  void take(const std::string& id, Machine machine);
  static void keep(const Machine& machine);

  const Limiter limiter_;
  const Meter meter_;
  std::mutex mutex_;
  std::map<std::string, Machine> machines_;
  Moment saved_{};
};

}  // namespace brume::compute
