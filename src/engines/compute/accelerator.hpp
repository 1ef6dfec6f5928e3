// What QEMU runs guests with, and whether a machine's user may open /dev/kvm.
#pragma once

#include <optional>

#include "engines/compute/hypervisor.hpp"

namespace brume::compute {

// How QEMU may open /dev/kvm as a machine's user: others may (0 groups), a group may, or nobody but root.
struct KvmAccess {
  bool possible = false;
  std::optional<unsigned> group;
};
KvmAccess kvm_access();

// As configured, or what the probe says. May take as long as probe_kvm.
Hypervisor::Description choose_accelerator(const QemuConfiguration& configuration, const KvmAccess& access);

}  // namespace brume::compute
