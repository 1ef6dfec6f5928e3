#include "control/disk_meter.hpp"

#include <algorithm>
#include <set>

#include "base/files.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace brume::control {
namespace {

using std::chrono::steady_clock;

constexpr auto period = std::chrono::minutes(5);
constexpr size_t most_periods = 36;  // three hours
constexpr auto save_pause = std::chrono::minutes(1);
constexpr std::string_view file_header = "brume disk counters 1";

std::uint64_t nanoseconds(steady_clock::duration duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count()));
}

// QEMU's counters, as sums.
DiskTotals totals_of(const compute::DiskCounters& counters) {
  DiskTotals totals;
  static_cast<compute::DiskWork&>(totals) = counters;
  return totals;
}

// nullopt: a figure became smaller, so the counters were reset meanwhile.
std::optional<DiskTotals> difference(const DiskTotals& now, const DiskTotals& before) {
  DiskTotals difference;
  for (const auto& [name, member] : DiskTotals::members()) {
    if (now.*member < before.*member) return std::nullopt;
    difference.*member = now.*member - before.*member;
  }
  return difference;
}

// How long the disk was idle in the time that passed. All of it if nothing happened. Otherwise the larger of two bounds: the time since the
// last request, and what the requests' durations leave of the time even if no two overlapped.
std::uint64_t idle_of(const DiskTotals& done, const compute::DiskCounters& now, std::uint64_t passed) {
  if (done.reads + done.writes + done.flushes + done.discards == 0) return passed;
  const auto busy = done.read_ns + done.write_ns + done.flush_ns;
  const auto since_last = std::min(now.idle_ns.value_or(0), passed);
  return std::max(since_last, passed > busy ? passed - busy : 0);
}

std::string disk_id(const std::string& instance_id, const std::string& volume_id) {
  return volume_id.starts_with("vol-") ? volume_id : instance_id + "-" + volume_id;
}

}  // namespace

const std::vector<std::pair<const char*, std::uint64_t DiskTotals::*>>& DiskTotals::members() {
  static const std::vector<std::pair<const char*, std::uint64_t DiskTotals::*>> all = {{"reads", &DiskTotals::reads},
                                                                                       {"readBytes", &DiskTotals::read_bytes},
                                                                                       {"readNs", &DiskTotals::read_ns},
                                                                                       {"writes", &DiskTotals::writes},
                                                                                       {"writeBytes", &DiskTotals::write_bytes},
                                                                                       {"writeNs", &DiskTotals::write_ns},
                                                                                       {"flushes", &DiskTotals::flushes},
                                                                                       {"flushNs", &DiskTotals::flush_ns},
                                                                                       {"discards", &DiskTotals::discards},
                                                                                       {"discardBytes", &DiskTotals::discard_bytes},
                                                                                       {"failures", &DiskTotals::failures},
                                                                                       {"idleNs", &DiskTotals::idle_ns},
                                                                                       {"watchedNs", &DiskTotals::watched_ns}};
  return all;
}

DiskTotals& DiskTotals::operator+=(const DiskTotals& other) {
  for (const auto& [name, member] : members()) this->*member += other.*member;
  return *this;
}

DiskMeter::~DiskMeter() { end_thread(); }

void DiskMeter::begin(milliseconds pause) {
  load();
  thread_ = std::thread([this, pause] { run(pause); });
}

void DiskMeter::end_thread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_asked_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void DiskMeter::stop() {
  end_thread();
  collect_all();
  save();
}

void DiskMeter::run(milliseconds pause) {
  auto saved = steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!stop_asked_.wait_for(lock, pause, [this] { return stopping_; })) {
    lock.unlock();
    collect_all();
    if (steady_clock::now() - saved >= save_pause) {
      save();
      saved = steady_clock::now();
    }
    lock.lock();
  }
}

void DiskMeter::collect_all() {
  for (const auto& id : parts_.running()) collect(id);
}

void DiskMeter::collect(const std::string& instance_id) {
  const std::lock_guard turn(collecting_);
  if (const auto reading = parts_.read(instance_id)) note(instance_id, *reading);
}

void DiskMeter::note(const std::string& instance_id, const compute::DiskReading& reading) {
  const std::lock_guard lock(mutex_);
  auto& newest = taken_[instance_id];
  // A machine's final report may have overtaken an earlier answer.
  if (reading.taken < newest) return;
  newest = reading.taken;
  std::set<std::string> plugged;
  for (const auto& counters : reading.disks) {
    const auto id = disk_id(instance_id, counters.volume_id);
    add(meters_[id], instance_id, reading.run, counters, reading.taken);
    plugged.insert(id);
  }
  // Unplugged: if it returns, even to the same machine, its counters start at zero.
  auto& before = plugged_[instance_id];
  for (const auto& id : before)
    if (const auto meter = meters_.find(id); meter != meters_.end() && plugged.count(id) == 0) meter->second.plugs.erase(instance_id);
  before = std::move(plugged);
}

void DiskMeter::add(Meter& meter, const std::string& instance_id, const std::string& run, const compute::DiskCounters& now,
                    steady_clock::time_point taken) {
  const auto current = totals_of(now);
  const auto before = meter.plugs.find(instance_id);
  const bool goes_on = before != meter.plugs.end() && before->second.run == run;
  auto done = goes_on ? difference(current, before->second.last).value_or(current) : current;
  if (goes_on && before->second.seen) {
    done.watched_ns = nanoseconds(taken - *before->second.seen);
    done.idle_ns = idle_of(done, now, done.watched_ns);
  }
  meter.instance = instance_id;
  meter.plugs[instance_id] = {run, current, taken};
  meter.totals += done;
  const auto begin = std::chrono::floor<std::chrono::minutes>(parts_.clock.now());
  const auto aligned = Time(begin.time_since_epoch() - begin.time_since_epoch() % period);
  if (meter.periods.empty() || meter.periods.back().begin != aligned) meter.periods.push_back({aligned, {}});
  while (meter.periods.size() > most_periods) meter.periods.pop_front();
  meter.periods.back().sums += done;
  changed_ = true;
}

std::vector<DiskMeasure> DiskMeter::measures() const {
  const auto known = parts_.known();
  std::vector<DiskMeasure> all;
  const std::lock_guard lock(mutex_);
  all.reserve(meters_.size());
  for (const auto& [id, meter] : meters_)
    if (known.count(id) != 0) all.push_back({id, meter.instance, meter.totals, {meter.periods.begin(), meter.periods.end()}});
  return all;
}

// A line for each machine that has the disk, or one without a run ("-") if none has it: id, instance, run, QEMU's last figures, the totals.
void DiskMeter::save() {
  if (parts_.file.empty() || keeps_file_) return;
  const auto known = parts_.known();
  const auto machines = parts_.running();
  const std::unordered_set<std::string> running(machines.begin(), machines.end());
  std::string text(file_header);
  text += '\n';
  const auto add_line = [&](const std::string& id, const std::string& instance, const std::string& run, const DiskTotals& last,
                            const DiskTotals& totals) {
    text += id + '\t' + instance + '\t' + run;
    for (const auto* numbers : {&last, &totals})
      for (const auto& [name, member] : DiskTotals::members()) text += '\t' + std::to_string(numbers->*member);
    text += '\n';
  };
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(changed_, false)) return;
    std::erase_if(meters_, [&](const auto& each) { return known.count(each.first) == 0; });
    std::set<std::string> instances;
    for (auto& [id, meter] : meters_) {
      // Nothing continues for a machine that has ended.
      std::erase_if(meter.plugs, [&](const auto& plug) { return running.count(plug.first) == 0; });
      instances.insert(meter.instance);
      if (meter.plugs.empty()) add_line(id, meter.instance, "-", {}, meter.totals);
      for (const auto& [instance, plug] : meter.plugs) {
        instances.insert(instance);
        add_line(id, instance, plug.run.empty() ? "-" : plug.run, plug.last, meter.totals);
      }
    }
    std::erase_if(taken_, [&](const auto& each) { return instances.count(each.first) == 0; });
    std::erase_if(plugged_, [&](const auto& each) { return running.count(each.first) == 0; });
  }
  auto written = write_file(parts_.file, text);
  if (written) return;
  log::warning("control", "{}", written.error().message);
  const std::lock_guard lock(mutex_);
  changed_ = true;
}

void DiskMeter::load() {
  if (parts_.file.empty() || !path_exists(parts_.file)) return;
  const auto text = read_file(parts_.file, 256 << 20);
  if (!text && text.error().kind != ErrorKind::broken) {
    keeps_file_ = true;
    return log::error("control", "{}; until the next start the counters of disks are not kept", text.error().message);
  }
  const auto lines = text ? split(*text, '\n') : std::vector<std::string_view>{};
  if (lines.empty() || lines.front() != file_header)
    return log::warning("control", "cannot read {}: the counters of disks start at zero", parts_.file);
  const std::lock_guard lock(mutex_);
  for (size_t i = 1; i < lines.size(); ++i) {
    const auto words = split(lines[i], '\t');
    if (words.size() != 3 + 2 * DiskTotals::count) continue;
    Plug plug;
    DiskTotals totals;
    size_t at = 3;
    for (auto* numbers : {&plug.last, &totals})
      for (const auto& [name, member] : DiskTotals::members())
        numbers->*member = static_cast<std::uint64_t>(parse_integer(words[at++]).value_or(0));
    plug.run = words[2];
    auto& meter = meters_[std::string(words[0])];
    meter.instance = words[1];
    meter.totals = totals;
    if (plug.run == "-") continue;
    meter.plugs[meter.instance] = std::move(plug);
    plugged_[meter.instance].insert(std::string(words[0]));
  }
}

}  // namespace brume::control
