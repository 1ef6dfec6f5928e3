// What a daemon that died left running, taken off the host: 'brume down' when no daemon answers. What is stored stays, and so does what the
// state says: the instances that ran run again after the next start.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "daemon/configuration.hpp"

namespace brume::daemon {

struct CleanedUp {
  std::vector<std::string> machines;  // that ran
  bool networks = false;              // there was something of them on the host

  // "ended 2 machines (i-1, i-2) and took the networks off the host"; empty: there was nothing
  std::string describe() const;
};

// Of all regions. Needs no state: also of a home whose state is lost. `exists`: a daemon has this home, whether it answers or not.
Result<CleanedUp> clean_up(const Configuration& configuration);

}  // namespace brume::daemon
