// What a volume's type promises of IOPS and throughput, as the ceiling that its disk is held to. It is only a ceiling: no number here makes
// the host's disk faster.
#pragma once

#include <cstdint>

namespace brume::compute {

struct DiskLimits {
  // Requests a second, reads and writes together; 0: no limit.
  std::int64_t requests = 0;
  // Bursts may reach this many, until `burst_seconds` of them are spent, which are regained at `requests` a second. 0: no bursts.
  std::int64_t burst_requests = 0;
  std::int64_t burst_seconds = 0;
  // A request with more bytes than this counts as several.
  std::int64_t request_bytes = 0;
  // The same for bytes.
  std::int64_t bytes = 0;
  std::int64_t burst_bytes = 0;
  std::int64_t burst_bytes_seconds = 0;

  bool any() const { return requests > 0 || bytes > 0; }
  bool operator==(const DiskLimits&) const = default;
};

}  // namespace brume::compute
