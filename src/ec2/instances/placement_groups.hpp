// Placement groups: what a launch must know of them (NET-081 ff.).
#pragma once

#include <string>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// The group of this name or this id; nullptr when both are empty. Throws InvalidPlacementGroup.Unknown,
// InvalidPlacementGroupId.Malformed.
const state::PlacementGroup* find_placement_group(const state::World& world, const std::string& account, const std::string& name,
                                                  const std::string& id);

// Throws what a group refuses about such an instance whatever room there is: its type, its zone, its partition, its image.
void check_group_takes(const state::World& world, const state::PlacementGroup& group, const state::Instance& like);

// How many more machines like this the group's strategy leaves room for on the host. On one host nothing can be kept apart: a spread group
// has one instance there, a partition group one partition.
std::int64_t room_in_group(const state::World& world, const state::Host& host, const state::PlacementGroup& group,
                           const state::Instance& like);

// The zone that a cluster group's instances are in; empty: it has none yet, or is no such group.
std::string zone_of_group(const state::World& world, const state::PlacementGroup& group);

// Which partition each instance of a launch goes to.
struct PartitionChoice {
  std::int64_t first = 0;  // 0: the group has no partitions
  std::int64_t count = 0;  // taken in turn from `first` on; 0: all go to the first
  std::int64_t of(std::int64_t index) const { return count == 0 ? first : (first - 1 + index) % count + 1; }
};
// `asked`: 0 lets the group spread them, the emptiest partition first; where hardware has room for one partition only, all go there.
PartitionChoice choose_partitions(const state::World& world, const state::PlacementGroup& group, std::int64_t asked);

}  // namespace brume::ec2
