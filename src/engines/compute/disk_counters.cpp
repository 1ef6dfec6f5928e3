#include "engines/compute/disk_counters.hpp"

#include <boost/json.hpp>

#include "engines/compute/machine.hpp"

namespace brume::compute {
namespace {

namespace json = boost::json;

constexpr auto limit = seconds(5);
constexpr size_t most_nesting = 128;  // one level for each file below a disk's own

const json::object* object_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

std::string_view counter_name(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

std::uint64_t number_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return 0;
  json::error_code code;
  const auto number = value->to_number<std::uint64_t>(code);
  return code ? 0 : number;
}

// The volume in "/machine/peripheral/vol0123/virtio-backend"; empty: not one of our disks.
std::string volume_of(std::string_view device) {
  constexpr std::string_view before = "/machine/peripheral/";
  if (!device.starts_with(before)) return {};
  auto name = std::string(device.substr(before.size()));
  name.resize(std::min(name.find('/'), name.size()));
  if (name.starts_with("vol")) name.insert(3, "-");
  return name;
}

DiskCounters read_counters(const json::object& stats) {
  DiskCounters counters;
  counters.reads = number_at(stats, "rd_operations");
  counters.read_bytes = number_at(stats, "rd_bytes");
  counters.read_ns = number_at(stats, "rd_total_time_ns");
  counters.writes = number_at(stats, "wr_operations");
  counters.write_bytes = number_at(stats, "wr_bytes");
  counters.write_ns = number_at(stats, "wr_total_time_ns");
  counters.flushes = number_at(stats, "flush_operations");
  counters.flush_ns = number_at(stats, "flush_total_time_ns");
  counters.discards = number_at(stats, "unmap_operations");
  counters.discard_bytes = number_at(stats, "unmap_bytes");
  for (const auto* kind : {"failed_rd_operations", "failed_wr_operations", "failed_flush_operations", "failed_unmap_operations"})
    counters.failures += number_at(stats, kind);
  if (stats.contains("idle_time_ns")) counters.idle_ns = number_at(stats, "idle_time_ns");
  return counters;
}

}  // namespace

Result<std::vector<DiskCounters>> parse_block_stats(std::string_view answer) {
  json::parse_options options;
  options.max_depth = most_nesting;
  json::error_code code;
  const auto value = json::parse(answer, code, {}, options);
  if (code || !value.is_array()) return fail(ErrorKind::broken, "QEMU's counters cannot be understood");
  std::vector<DiskCounters> disks;
  for (const auto& each : value.get_array()) {
    const auto* device = each.if_object();
    const auto* stats = device == nullptr ? nullptr : object_at(*device, "stats");
    if (stats == nullptr) continue;
    auto volume = volume_of(counter_name(*device, "qdev"));
    // What stands in for a disk that was taken away counts for nobody.
    if (volume.empty() || counter_name(*device, "node-name").ends_with("gone")) continue;
    auto counters = read_counters(*stats);
    counters.volume_id = std::move(volume);
    disks.push_back(std::move(counters));
  }
  return disks;
}

Result<DiskReading> disk_counters(Machine& machine) {
  DiskReading reading;
  reading.run = machine.run();
  reading.taken = std::chrono::steady_clock::now();
  const auto answer = machine.execute("query-blockstats", {}, limit);
  if (!answer) return fail(answer.error());
  auto disks = parse_block_stats(answer->value);
  if (!disks) return fail(disks.error());
  reading.disks = std::move(*disks);
  return reading;
}

}  // namespace brume::compute
