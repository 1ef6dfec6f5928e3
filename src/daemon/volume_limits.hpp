// What a volume's type promises of IOPS and throughput: turns EC2's figures into the ceiling that the disk engine enforces.
#pragma once

#include <optional>
#include <string_view>

#include "engines/compute/disk_limits.hpp"
#include "state/records.hpp"

namespace brume::daemon {

// Which volumes are held to the figures of their type.
enum class VolumeLimits {
  off,
  provisioned,  // those whose figures clients choose and pay for at EC2: io1, io2, gp3
  all,          // also those whose figures follow from their size: gp2, st1, sc1, standard
};
std::optional<VolumeLimits> volume_limits_named(std::string_view name);

compute::DiskLimits limit_volume(const state::Volume& volume, VolumeLimits which);

}  // namespace brume::daemon
