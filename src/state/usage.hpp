// What instances take of quotas and of hosts, as sums that the World keeps in step with its records: a launch asks for them without
// walking all instances.
#pragma once

#include <cstdint>

namespace brume::state {

struct Instance;

struct InstanceUsage {
  std::int64_t running = 0;   // pending or running: what the limit of instances counts (OPS-090)
  std::int64_t existing = 0;  // all but terminated (OPS-091)
  // Those with a machine on a host, or on their way to one or from it:
  std::int64_t machines = 0;
  std::int64_t dedicated = 0;  // of tenancy "dedicated"
  std::int64_t memory_mib = 0;
  std::int64_t processors = 0;

  void add(const Instance& instance, std::int64_t sign);
  void add(const InstanceUsage& other);
  bool operator==(const InstanceUsage&) const = default;
};

}  // namespace brume::state
