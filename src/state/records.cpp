#include "state/records.hpp"

namespace brume::state {

std::string_view name_of(InstanceState state) {
  switch (state) {
    case InstanceState::pending: return "pending";
    case InstanceState::running: return "running";
    case InstanceState::shutting_down: return "shutting-down";
    case InstanceState::terminated: return "terminated";
    case InstanceState::stopping: return "stopping";
    case InstanceState::stopped: return "stopped";
  }
  return "unknown";
}

bool may_become(InstanceState from, InstanceState to) {
  using enum InstanceState;
  switch (from) {
    // A launch that fails is terminated; a start that fails goes back to stopped.
    case pending: return to == running || to == shutting_down || to == terminated || to == stopped;
    // Also when the guest powers itself off: what it held is given back on the way, never by a jump.
    case running: return to == stopping || to == shutting_down;
    case stopping: return to == stopped || to == shutting_down;
    case stopped: return to == pending || to == shutting_down;
    case shutting_down: return to == terminated;
    case terminated: return false;
  }
  return false;
}

}  // namespace brume::state
