// What the actions know of this installation, from the operator's configuration.
#pragma once

#include "daemon/configuration.hpp"
#include "service/services.hpp"

namespace brume::daemon {

// What the guests of one region of this host may take together, as it is configured or measured now. No memory: a simulation, which has
// room for everything unless it is told what it has.
struct Capacity {
  std::int64_t memory_mib = 0;
  std::int64_t processors = 0;
};
Capacity measure_capacity(const Configuration& configuration);

service::Settings make_settings(const Configuration& configuration);

}  // namespace brume::daemon
