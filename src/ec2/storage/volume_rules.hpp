// What EC2 allows for volumes: types with their sizes, IOPS and throughput, how many an account may have, and how devices are named.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {

// The sentence that names the exceeded limit; empty: they fit.
std::string volume_quota_exceeded(const state::World& world, const service::Context& context, std::int64_t volumes, std::int64_t gib);
// Throws VolumeLimitExceeded if `volumes` more with `gib` in total are too many for the caller's account (STO-006).
void check_volume_quota(const state::World& world, const service::Context& context, std::int64_t volumes, std::int64_t gib);
// Throws SnapshotLimitExceeded.
void check_snapshot_quota(const state::World& world, const service::Context& context, std::int64_t snapshots);

// InvalidBlockDeviceMapping.
wire::ApiError invalid_mapping(std::string message);

// The numbers that a client requests; 0: not given.
struct VolumeShape {
  std::string type;
  std::int64_t size_gib = 0;
  std::int64_t iops = 0;
  std::int64_t throughput = 0;  // MiB a second
};
// Throws UnknownVolumeType, InvalidParameterValue, InvalidParameterCombination, MissingParameter.
void check_volume_shape(const VolumeShape& shape);
// Throws InvalidParameterCombination unless several instances can have a volume of this type at once.
void check_can_multi_attach(const std::string& type);
// EC2's default numbers if none was given; 0: the type has no such number.
std::int64_t iops_of(const VolumeShape& shape);
std::int64_t throughput_of(const VolumeShape& shape);
// If it can be chosen for the volume's type.
VolumeShape shape_of(const state::Volume& volume);

// Whether EC2 accepts the name for a volume (STO-031): "/dev/sdf", "/dev/sdf1", "/dev/hdc", "xvdf", "/dev/xvdba".
bool is_device_name(std::string_view device);
// Whether they are the same place in the guest (STO-032, STO-111): "/dev/sdf", "sdf", "xvdf" and "/dev/xvdf" are.
bool is_same_device(std::string_view a, std::string_view b);
// Throws InvalidParameterValue unless EC2 accepts the name.
void check_device_name(std::string_view device);

// The zone requested by name or by id; empty if neither is given. Throws InvalidZone.NotFound, InvalidParameterCombination.
std::string find_zone(const state::World& world, const service::Context& context, const std::optional<std::string>& name,
                      const std::optional<std::string>& id);

}  // namespace brume::ec2
