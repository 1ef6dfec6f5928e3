#include "control/flow_logs.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <set>

#include "base/files.hpp"
#include "base/ipv4.hpp"
#include "base/log.hpp"
#include "control/flow_log_lines.hpp"

namespace brume::control {
namespace {

constexpr milliseconds pause = seconds(5);       // between two times that flows are taken
constexpr size_t flow_limit = 20'000;            // of one log and interval
constexpr std::uint64_t least_free = 256 << 20;  // of the disk: as with volumes

std::int64_t seconds_of(Time time) { return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count(); }

// UTC, which fmt's own formatting of points in time has not been in every version.
std::tm calendar(Time time) { return fmt::gmtime(static_cast<std::time_t>(seconds_of(time))); }

// Intervals begin with the full minute, or ten.
Time interval_of(Time now, std::int64_t interval) { return Time(seconds(seconds_of(now) / interval * interval)); }

// "bucket/before/AWSLogs/…" for "arn:aws:s3:::bucket/before/".
std::string folder_of(const state::FlowLog& log, const std::string& region, Time time) {
  auto base = log.destination.substr(log.destination.rfind(':') + 1);
  if (!base.empty() && base.back() == '/') base.pop_back();
  const auto day = calendar(time);
  auto folder = log.hive
                    ? fmt::format("{}/AWSLogs/aws-account-id={}/aws-service=vpcflowlogs/aws-region={}/year={:%Y}/month={:%m}/day={:%d}",
                                  base, log.account, region, day, day, day)
                    : fmt::format("{}/AWSLogs/{}/vpcflowlogs/{}/{:%Y/%m/%d}", base, log.account, region, day);
  if (log.hourly) folder += log.hive ? fmt::format("/hour={:%H}", day) : fmt::format("/{:%H}", day);
  return folder;
}

bool wants(const state::FlowLog& log, bool accepted) { return log.traffic == "ALL" || (log.traffic == "ACCEPT") == accepted; }

// Those of the log's owner that the log is about.
std::vector<const state::NetworkInterface*> interfaces_of(const state::World& world, const state::FlowLog& log) {
  if (const auto* interface = world.find<state::NetworkInterface>(log.account, log.resource_id)) return {interface};
  std::vector<const state::NetworkInterface*> all;
  const auto add = [&](const state::NetworkInterface& interface) {
    if (interface.account == log.account && (log.resource_id == interface.vpc_id || log.resource_id == interface.subnet_id))
      all.push_back(&interface);
  };
  if (const auto vpc_id = vpc_of(world, log); !vpc_id.empty())
    world.each_indexed<state::NetworkInterface>(state::Index::interface_by_vpc, vpc_id, add);
  return all;
}

// What the log's owner may know of it.
std::string delivery_error(const Error& error) { return error.kind == ErrorKind::refused ? "Access error" : "Unknown error"; }

}  // namespace

std::string vpc_of(const state::World& world, const state::FlowLog& log) {
  if (const auto* vpc = world.find<state::Vpc>(log.account, log.resource_id)) return vpc->id;
  if (const auto* subnet = world.find<state::Subnet>(log.account, log.resource_id)) return subnet->vpc_id;
  if (const auto* interface = world.find<state::NetworkInterface>(log.account, log.resource_id)) return interface->vpc_id;
  return {};
}

void FlowLogWriter::recover() {
  // What flowed in this interval before we were there, nobody knows.
  const auto now = clock_.now();
  store_.world()->each<state::FlowLog>("", [&](const state::FlowLog& log) {
    const auto begin = interval_of(now, log.interval);
    windows_[log.key()] = {.log = log, .begin = begin, .end = begin + seconds(log.interval), .complete = false};
  });
  wake_("flow-logs", milliseconds(0));
}

void FlowLogWriter::follow(const state::Commit& commit) {
  for (const auto& change : commit.changes)
    if (change.kind == state::Kind::flow_log) return wake_("flow-logs", milliseconds(0));
}

// New logs get a window; those that are no more are written a last time.
void FlowLogWriter::follow_logs(const state::World& world, Time now) {
  world.each<state::FlowLog>("", [&](const state::FlowLog& log) {
    auto& window = windows_[log.key()];
    if (window.log.id.empty()) window = {.log = log, .begin = now, .end = interval_of(now, log.interval) + seconds(log.interval)};
    window.log = log;
  });
  for (auto at = windows_.begin(); at != windows_.end();) {
    auto& window = at->second;
    if (world.find<state::FlowLog>(at->first) != nullptr) {
      ++at;
      continue;
    }
    window.end = now;
    end(window);
    at = windows_.erase(at);
  }
}

void FlowLogWriter::add(Window& window, const network::FlowRecord& flow, Time now) const {
  auto found = window.flows.find({flow.interface_id, flow.addresses, flow.egress, flow.accepted});
  if (found == window.flows.end()) {
    if (window.flows.size() >= flow_limit) {
      window.complete = false;
      return;
    }
    // It came at some time since flows were last taken.
    const Way way{flow.interface_id, flow.addresses, flow.egress, flow.accepted};
    found = window.flows.emplace(way, Sum{0, 0, std::max(counted_, window.begin), now}).first;
  }
  found->second.packets += flow.packets;
  found->second.bytes += flow.bytes;
  found->second.last = now;
}

void FlowLogWriter::count(const state::World& world, Time now) {
  std::map<std::string, std::vector<Window*>> by_vpc;
  for (auto& [key, window] : windows_) {
    if (const auto vpc_id = vpc_of(world, window.log); !vpc_id.empty()) by_vpc[vpc_id].push_back(&window);
    // Each host writes what the interfaces of its own instances saw.
    for (const auto* interface : interfaces_of(world, window.log))
      if (!ownership_.is_elsewhere(world, state::owned_key(interface->account, interface->instance_id)))
        window.interfaces[interface->id] = world.get<state::NetworkInterface>(interface->key());
  }
  for (const auto& [vpc_id, windows] : by_vpc) {
    const auto taken = network_.take_flows(vpc_id);
    if (!taken) log::warning("network", "cannot read what flowed in {}: {}", vpc_id, taken.error().message);
    for (auto* window : windows) {
      if (!taken || !taken->complete) window->complete = false;
      if (!taken) continue;
      for (const auto& flow : taken->flows)
        if (window->interfaces.contains(flow.interface_id) && wants(window->log, flow.accepted)) add(*window, flow, now);
    }
  }
  counted_ = now;
}

Result<void> FlowLogWriter::write(const Window& window) const {
  FlowLogLines lines(window.log.format, place_.region);
  std::set<std::string> heard;
  for (const auto& [way, sum] : window.flows) {
    const auto& [interface_id, addresses, egress, accepted] = way;
    // A packet that was counted as accepted, and in the next interval turned out to be refused.
    if (sum.packets <= 0) continue;
    heard.insert(interface_id);
    lines.add(*window.interfaces.at(interface_id), {interface_id, addresses, egress, accepted, sum.packets, sum.bytes}, sum.first,
              sum.last);
  }
  for (const auto& [id, interface] : window.interfaces) {
    if (interface->instance_id.empty()) continue;
    if (!window.complete)
      lines.add_status(*interface, "SKIPDATA", window.begin, window.end);
    else if (!heard.contains(id))
      lines.add_status(*interface, "NODATA", window.begin, window.end);
  }
  if (lines.empty()) return {};  // no interface: no file
  const auto folder = place_.folder + "/" + folder_of(window.log, place_.region, window.end);
  if (auto made = make_folders(folder); !made) return made;
  const auto free = free_bytes(folder);
  if (!free) return fail(free.error());
  if (*free < least_free) return fail(ErrorKind::exhausted, fmt::format("only {} MiB are left on the disk of {}", *free >> 20, folder));
  const auto name = fmt::format("{}_vpcflowlogs_{}_{}_{:%Y%m%dT%H%MZ}_{:08x}.log.gz", window.log.account, place_.region, window.log.id,
                                calendar(window.end), static_cast<std::uint32_t>(std::hash<std::string>()(lines.text())));
  // Whoever reads the folders sees whole files only.
  const auto unfinished = place_.folder + "/" + window.log.id + ".part";
  ::unlink(unfinished.c_str());
  if (auto packed = lines.pack(unfinished); !packed) return packed;
  if (::rename(unfinished.c_str(), (folder + "/" + name).c_str()) != 0) return fail_system("cannot name " + unfinished, errno);
  return {};
}

// DescribeFlowLogs tells whether the last delivery went well.
void FlowLogWriter::note(const state::FlowLog& log, const std::string& error) {
  if (log.error == error) return;
  store_.transact([&](state::Transaction& transaction) {
    const auto* now = transaction.find<state::FlowLog>(log.key());
    if (now == nullptr) return;
    auto changed = *now;
    changed.error = error;
    transaction.put(std::move(changed));
  });
}

void FlowLogWriter::drop(const state::FlowLog& log) {
  store_.transact([&](state::Transaction& transaction) {
    if (transaction.find<state::FlowLog>(log.key()) == nullptr) return;
    transaction.erase<state::FlowLog>(log.key());
    transaction.erase<state::TagSet>(log.key());
  });
}

void FlowLogWriter::end(Window& window) {
  const auto done = write(window);
  note(window.log, done ? "" : delivery_error(done.error()));
  if (done) return;
  log::error("network", "cannot write the flow log {}, tried again: {}", window.log.id, done.error().message);
  if (late_.size() >= late_limit) {
    log::error("network", "an interval of the flow log {} is lost: too many wait to be written", late_.front().log.id);
    late_.pop_front();
  }
  late_.push_back(std::move(window));
}

void FlowLogWriter::write_late() {
  while (!late_.empty()) {
    if (!write(late_.front())) return;  // said when it came here
    log::info("network", "the flow log {} is written after all", late_.front().log.id);
    late_.pop_front();
  }
}

void FlowLogWriter::reconcile() {
  const auto world = store_.world();
  const auto now = clock_.now();
  write_late();
  follow_logs(*world, now);
  if (windows_.empty()) {
    if (!late_.empty()) wake_("flow-logs", pause);
    return;
  }
  count(*world, now);
  auto next = pause;
  for (auto& [key, window] : windows_) {
    if (vpc_of(*world, window.log).empty()) {
      drop(window.log);  // which wakes us, to write the last of it
      continue;
    }
    if (now >= window.end) {
      const auto log = window.log;
      end(window);
      const auto begin = interval_of(now, log.interval);
      window = {.log = log, .begin = begin, .end = begin + seconds(log.interval)};
    }
    next = std::min(next, std::max(milliseconds(100), window.end - now));
  }
  wake_("flow-logs", next);
}

void FlowLogWriter::finish() {
  write_late();
  if (windows_.empty() && late_.empty()) return;
  const auto now = clock_.now();
  count(*store_.world(), now);
  for (auto& [key, window] : windows_) {
    window.end = now;
    end(window);
  }
  windows_.clear();
  for (const auto& window : late_) log::error("network", "an interval of the flow log {} is lost: it could not be written", window.log.id);
  late_.clear();
}

}  // namespace brume::control
