// What the disks of a machine have done since it started, as QEMU counts it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace brume::compute {

class Machine;

// What a disk has done, as sums.
struct DiskWork {
  std::uint64_t reads = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t read_ns = 0;  // the sum of their durations
  std::uint64_t writes = 0;
  std::uint64_t write_bytes = 0;
  std::uint64_t write_ns = 0;
  std::uint64_t flushes = 0;
  std::uint64_t flush_ns = 0;
  std::uint64_t discards = 0;
  std::uint64_t discard_bytes = 0;
  std::uint64_t failures = 0;  // requests that failed
};

// All figures only grow while the disk stays plugged in.
struct DiskCounters : DiskWork {
  std::string volume_id;                 // as in Disk: "vol-…", "ephemeral0"
  std::optional<std::uint64_t> idle_ns;  // since the last request; none: there was none yet
};

struct DiskReading {
  std::string run;  // run of the machine: changes at each start, when counters begin at zero
  // Not later than the moment at which the counters were read.
  std::chrono::steady_clock::time_point taken{};
  std::vector<DiskCounters> disks;
};

// Reads QEMU's answer to query-blockstats. It leaves out a disk that was taken away by force and that the guest still holds.
Result<std::vector<DiskCounters>> parse_block_stats(std::string_view answer);

// See Hypervisor::disk_counters.
Result<DiskReading> disk_counters(Machine& machine);

}  // namespace brume::compute
