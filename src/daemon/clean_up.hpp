// Takes off the host what a daemon that died left running: used by 'brume down' if no daemon answers. Stored data and the state are not
// changed: the instances that ran run again after the next start.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "daemon/configuration.hpp"

namespace brume::daemon {

struct CleanedUp {
  std::vector<std::string> machines;  // that were running
  bool networks = false;              // whether anything of them was on the host

  // "ended 2 machines (i-1, i-2) and took the networks off the host"; empty: there was nothing
  std::string describe() const;
};

// For all regions. Needs no state, so it works for a home whose state is lost. `exists`: a daemon has this home, whether it answers or not.
Result<CleanedUp> clean_up(const Configuration& configuration);

}  // namespace brume::daemon
