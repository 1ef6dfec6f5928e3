#include "engines/compute/accelerator.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace brume::compute {

KvmAccess kvm_access() {
  struct stat status {};
  if (::geteuid() != 0) return {::access("/dev/kvm", R_OK | W_OK) == 0, std::nullopt};
  if (::stat("/dev/kvm", &status) != 0) return {};
  if ((status.st_mode & 0006) == 0006) return {true, std::nullopt};
  if ((status.st_mode & 0060) == 0060 && status.st_gid != 0) return {true, status.st_gid};
  return {};
}

Hypervisor::Description choose_accelerator(const QemuConfiguration& configuration, const KvmAccess& access) {
  if (configuration.accelerator == "kvm" || configuration.accelerator == "tcg") return {configuration.accelerator, "as configured"};
  const auto probe = probe_kvm(configuration.folder);
  if (probe.works && !access.possible)
    return {"tcg", "KVM works, but only root may open /dev/kvm: give it to a group (chgrp kvm /dev/kvm; chmod 660 /dev/kvm)"};
  return {probe.works ? "kvm" : "tcg", probe.reason};
}

}  // namespace brume::compute
