#include "state/usage.hpp"

#include "state/records/instances.hpp"
#include "state/records/storage.hpp"

namespace brume::state {

void Usage::add(const Instance& instance, std::int64_t sign) {
  const auto state = instance.state;
  if (state == InstanceState::terminated) return;
  existing += sign;
  if (state == InstanceState::pending || state == InstanceState::running) running += sign;
  if (state == InstanceState::stopped) return;
  machines += sign;
  if (instance.tenancy == "dedicated") dedicated += sign;
  memory_mib += sign * instance.memory_mib;
  processors += sign * instance.processors;
}

void Usage::add(const Volume& volume, std::int64_t sign) {
  volumes += sign;
  volume_gib += sign * volume.size_gib;
}

void Usage::add(const Usage& other) {
  running += other.running;
  existing += other.existing;
  machines += other.machines;
  dedicated += other.dedicated;
  memory_mib += other.memory_mib;
  processors += other.processors;
  volumes += other.volumes;
  volume_gib += other.volume_gib;
}

}  // namespace brume::state
