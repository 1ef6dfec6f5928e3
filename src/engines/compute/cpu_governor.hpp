// Holds each machine to its plan: every second it checks how much the machine used and sets the new limit of its control group.
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

// Seconds of processor time that a process and its threads have used, in the guest and on its behalf; nullopt: it has ended.
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

  // A machine has started. `file` keeps its budget while it runs and after its end; what its last run left there is carried over as far as
  // the plan allows. `time` of day: now.
  void begin(const std::string& id, pid_t process, const CpuPlan& plan, const std::string& file, Moment now, Time time);
  // It was running before this daemon: continues with what `file` says. Without a file its group is left as it is, until change().
  void resume(const std::string& id, pid_t process, const std::string& file, Moment now);
  // Does nothing if the plan is the one that it has, or if there is no such machine.
  void change(const std::string& id, const CpuPlan& plan);
  // Writes what it has left into its file.
  void end(const std::string& id);

  // Call about every second. Writes no files.
  void tick(Moment now);
  // Writes all budgets, if that was not done for a while. Waits for the disk.
  void save_now_and_then(Moment now);
  void save();

 private:
  struct Machine {
    pid_t process = -1;
    CpuBudget budget{CpuPlan{}};
    std::string file;
    double used = 0;   // time of the last check
    double limit = 0;  // the last limit set; -1: unknown
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
