#include "engines/compute/cpu_governor.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace brume::compute {
namespace {

constexpr auto saving_period = std::chrono::seconds(60);  // what a kill -9 of the daemon may lose

std::optional<CpuBudget> read_budget(const std::string& file) {
  const auto text = read_file(file, 4096);
  return text ? CpuBudget::from_text(*text) : std::nullopt;
}

// When the file was last written: at the end of the run that it describes, or up to a minute before.
Time written(const std::string& file, Time otherwise) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return otherwise;
  return Time(std::chrono::duration_cast<Time::duration>(std::chrono::seconds(status.st_mtim.tv_sec) +
                                                         std::chrono::nanoseconds(status.st_mtim.tv_nsec)));
}

}  // namespace

std::optional<double> processor_seconds(pid_t process) {
  const auto text = read_file("/proc/" + std::to_string(process) + "/stat", 4096);
  if (!text) return std::nullopt;
  const auto name_end = text->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  const auto fields = split(std::string_view(*text).substr(name_end + 2), ' ');
  // Fields 14 and 15 of the whole line: user and system time of all threads, including ended ones.
  const auto user = fields.size() > 12 ? parse_integer(fields[11]) : std::nullopt;
  const auto system = fields.size() > 12 ? parse_integer(fields[12]) : std::nullopt;
  if (!user || !system) return std::nullopt;
  return static_cast<double>(*user + *system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void CpuGovernor::begin(const std::string& id, pid_t process, const CpuPlan& plan, const std::string& file, Moment now, Time time) {
  const auto before = read_budget(file);
  const auto stopped = std::chrono::duration<double>(time - written(file, time)).count();
  Machine machine{process, before ? before->after_stop(plan, stopped) : CpuBudget(plan), file, 0, -1, now};
  machine.limit = machine.budget.limit();
  keep(machine);
  // A new group has no limit.
  if (machine.limit > 0) limiter_(id, machine.limit);
  const std::lock_guard lock(mutex_);
  machines_[id] = std::move(machine);
}

void CpuGovernor::resume(const std::string& id, pid_t process, const std::string& file, Moment now) {
  auto budget = read_budget(file);
  Machine machine{process, budget.value_or(CpuBudget(CpuPlan{})), file, meter_(process).value_or(0), -1, now};
  if (budget) limiter_(id, machine.limit = budget->limit());
  const std::lock_guard lock(mutex_);
  machines_[id] = std::move(machine);
}

void CpuGovernor::change(const std::string& id, const CpuPlan& plan) {
  std::optional<Machine> changed;
  {
    const std::lock_guard lock(mutex_);
    const auto found = machines_.find(id);
    if (found == machines_.end()) return;
    auto& machine = found->second;
    if (machine.budget.plan() == plan && machine.limit >= 0) return;
    machine.budget.change(plan);
    machine.limit = machine.budget.limit();
    changed = machine;
  }
  limiter_(id, changed->limit);
  keep(*changed);
}

void CpuGovernor::end(const std::string& id) {
  std::optional<Machine> ended;
  {
    const std::lock_guard lock(mutex_);
    const auto found = machines_.find(id);
    if (found == machines_.end()) return;
    ended = std::move(found->second);
    machines_.erase(found);
  }
  keep(*ended);
}

void CpuGovernor::tick(Moment now) {
  std::vector<std::pair<std::string, double>> changed;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, machine] : machines_) {
      if (machine.budget.plan().kind == CpuPlan::Kind::steady) continue;
      const auto used = meter_(machine.process);
      const double elapsed = std::chrono::duration<double>(now - machine.looked).count();
      if (!used || elapsed <= 0) continue;
      const double limit = machine.budget.spend(elapsed, std::max(0.0, *used - machine.used));
      machine.used = *used;
      machine.looked = now;
      if (machine.limit == limit) continue;
      machine.limit = limit;
      changed.emplace_back(id, limit);
    }
  }
  for (const auto& [id, limit] : changed) limiter_(id, limit);
}

void CpuGovernor::save_now_and_then(Moment now) {
  {
    const std::lock_guard lock(mutex_);
    if (now - saved_ < saving_period) return;
    const bool first = saved_ == Moment{};
    saved_ = now;
    if (first) return;
  }
  save();
}

void CpuGovernor::save() {
  std::map<std::string, Machine> machines;
  {
    const std::lock_guard lock(mutex_);
    machines = machines_;
  }
  for (const auto& [id, machine] : machines) keep(machine);
}

// Without the file a restart would begin with a full budget, and no more than that.
void CpuGovernor::keep(const Machine& machine) {
  if (machine.budget.plan().kind == CpuPlan::Kind::steady) return;
  if (!path_exists(machine.file.substr(0, machine.file.rfind('.')))) return;  // forgotten meanwhile
  [[maybe_unused]] const auto kept = write_file(machine.file, machine.budget.to_text());
}

}  // namespace brume::compute
