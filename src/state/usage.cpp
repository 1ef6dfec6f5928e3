#include "state/usage.hpp"

#include "state/records/instances.hpp"

namespace brume::state {

void InstanceUsage::add(const Instance& instance, std::int64_t sign) {
  const auto state = instance.current_state();
  if (state == InstanceState::terminated) return;
  existing += sign;
  if (state == InstanceState::pending || state == InstanceState::running) running += sign;
  if (state == InstanceState::stopped) return;
  machines += sign;
  if (instance.tenancy == "dedicated") dedicated += sign;
  memory_mib += sign * instance.memory_mib;
  processors += sign * instance.processors;
}

void InstanceUsage::add(const InstanceUsage& other) {
  running += other.running;
  existing += other.existing;
  machines += other.machines;
  dedicated += other.dedicated;
  memory_mib += other.memory_mib;
  processors += other.processors;
}

}  // namespace brume::state
