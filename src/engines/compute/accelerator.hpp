// How QEMU runs guests, and whether a machine's user may open /dev/kvm.
#pragma once

#include <optional>

#include "engines/compute/hypervisor.hpp"

namespace brume::compute {

// How QEMU may open /dev/kvm as a machine's user: because others may (0 groups), because a group may, or not at all.
struct KvmAccess {
  bool possible = false;
  std::optional<unsigned> group;
};
KvmAccess kvm_access();

// As configured, or as the probe found. May take as long as probe_kvm.
Hypervisor::Description choose_accelerator(const QemuConfiguration& configuration, const KvmAccess& access);

}  // namespace brume::compute
