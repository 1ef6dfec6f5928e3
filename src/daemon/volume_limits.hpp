// What a volume's type promises of IOPS and throughput: from EC2's figures to the ceiling that the disk engine keeps.
#pragma once

#include <optional>
#include <string_view>

#include "engines/compute/disk_limits.hpp"
#include "state/records.hpp"

namespace brume::daemon {

// Which volumes are held to the figures of their type.
enum class VolumeLimits {
  off,
  provisioned,  // those whose figures are chosen and paid for at EC2: io1, io2, gp3
  all,          // also those whose figures follow from their size: gp2, st1, sc1, standard
};
std::optional<VolumeLimits> volume_limits_named(std::string_view name);

compute::DiskLimits limit_volume(const state::Volume& volume, VolumeLimits which);

}  // namespace brume::daemon
