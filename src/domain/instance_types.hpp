// The catalogue of instance types (INS-005): the guide's twelve and a modern set, read from the built-in models/instance-types.tsv, and
// from the operator's file of the same form, which adds or replaces types.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace brume::domain {

struct InstanceType {
  std::string name;
  std::int64_t processors = 1;  // threads of all its cores together
  std::int64_t threads_per_core = 1;
  std::vector<std::int64_t> valid_cores;  // from which a launch may choose one; the last is the default
  std::int64_t memory_mib = 0;
  std::vector<std::string> architectures;
  bool current_generation = true;
  // What is promised of the processors: compute units in total (0: all of each), only in bursts if there is a baseline; or CPU credits
  // earned an hour.
  double compute_units = 0;
  double units_between_bursts = 0;
  double credits_an_hour = 0;
  bool burstable = false;  // by credits
  std::int64_t storage_disks = 0;
  std::int64_t storage_gb_each = 0;
  std::string network_performance;
  bool cluster = false;  // may go into a placement group of the strategy "cluster"
  std::int64_t interfaces = 2;
  std::int64_t addresses_per_interface = 4;

  std::int64_t cores() const { return processors / threads_per_core; }
  bool may_have_cores(std::int64_t cores) const;
  bool runs(std::string_view architecture) const;
  std::string_view hypervisor() const { return current_generation ? "nitro" : "xen"; }
  // Of placement groups: "cluster", "spread", "partition".
  bool takes_strategy(std::string_view strategy) const { return strategy != "cluster" || cluster; }
};

// Adds the rows of a table file to `types`, by name. `broken`: which line is wrong and how.
Result<void> add_instance_types(std::vector<InstanceType>& types, std::string_view table);

// The catalogue as set at the start; sorted by name. Call set_… only before the first request.
const std::vector<InstanceType>& instance_types();
Result<void> set_operator_instance_types(std::string_view table);
// nullptr: no such type.
const InstanceType* find_instance_type(std::string_view name);

}  // namespace brume::domain
