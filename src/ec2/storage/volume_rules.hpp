// What EC2 allows of volumes: types with their sizes, IOPS and throughput, how many an account may have, and how devices are named.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {

// The sentence that says which limit; empty: they fit.
std::string volume_quota_exceeded(const state::World& world, const service::Context& context, std::int64_t volumes, std::int64_t gib);
// Throws VolumeLimitExceeded when `volumes` more of `gib` in all are too many for the caller's account (STO-006).
void check_volume_quota(const state::World& world, const service::Context& context, std::int64_t volumes, std::int64_t gib);
// Throws SnapshotLimitExceeded.
void check_snapshot_quota(const state::World& world, const service::Context& context, std::int64_t snapshots);

// InvalidBlockDeviceMapping.
wire::ApiError invalid_mapping(std::string message);

// The numbers that a client asks for; 0 is one that it does not name.
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
// The numbers that EC2 gives where none was named; 0: the type has no such number.
std::int64_t iops_of(const VolumeShape& shape);
std::int64_t throughput_of(const VolumeShape& shape);
// As far as it can be chosen for the volume's type.
VolumeShape shape_of(const state::Volume& volume);

// Is it a name that EC2 takes for a volume (STO-031)? "/dev/sdf", "/dev/sdf1", "/dev/hdc", "xvdf", "/dev/xvdba".
bool is_device_name(std::string_view device);
// Are they the same place in the guest (STO-032, STO-111)? "/dev/sdf", "sdf", "xvdf" and "/dev/xvdf" are.
bool is_same_device(std::string_view a, std::string_view b);
// Throws InvalidParameterValue unless it is a name that EC2 takes.
void check_device_name(std::string_view device);

// The zone that is asked for by name or by id; empty when neither is. Throws InvalidZone.NotFound, InvalidParameterCombination.
std::string find_zone(const state::World& world, const service::Context& context, const std::optional<std::string>& name,
                      const std::optional<std::string>& id);

}  // namespace brume::ec2
