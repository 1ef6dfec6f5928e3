// How much accounts use of quotas and of hosts, as sums that the World keeps in step with its records: a launch needs them without walking
// all instances and volumes.
#pragma once

#include <cstdint>

namespace brume::state {

struct Instance;
struct Volume;

struct Usage {
  std::int64_t running = 0;   // instances, pending or running, which the limit of instances counts (OPS-090)
  std::int64_t existing = 0;  // instances, all but terminated (OPS-091)
  // Those with a machine on a host, or starting or ending:
  std::int64_t machines = 0;
  std::int64_t dedicated = 0;  // of tenancy "dedicated"
  std::int64_t memory_mib = 0;
  std::int64_t processors = 0;
  // In any state, until they are gone (STO-006):
  std::int64_t volumes = 0;
  std::int64_t volume_gib = 0;

  void add(const Instance& instance, std::int64_t sign);
  void add(const Volume& volume, std::int64_t sign);
  void add(const Usage& other);
  bool operator==(const Usage&) const = default;
};

}  // namespace brume::state
