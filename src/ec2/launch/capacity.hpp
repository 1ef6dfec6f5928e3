// How many more instances there may be: the account's limit (OPS-090, OPS-091, INS-012), the host's memory and processors (OPS-093) and
// the rules of placement groups. All from sums that the World keeps, in the transaction that launches.
#pragma once

#include <cstdint>
#include <limits>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

inline constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

// Most instances of the account that may be pending or running at a time; no_limit: as many as fit.
std::int64_t instance_limit(const state::World& world, const service::Settings& settings, const std::string& account);

// How many instances like this one, new ones, could be launched now, up to `most`. Throws the error that keeps it below `least`:
// InstanceLimitExceeded, InsufficientInstanceCapacity.
std::int64_t count_to_launch(const state::World& world, const service::Context& context, const state::Instance& like, std::int64_t least,
                             std::int64_t most);

// May this stopped instance be started? Throws the same. `asked`: how many the request wants to start.
void check_room_to_start(const state::World& world, const service::Context& context, const state::Instance& stopped, size_t asked);

}  // namespace brume::ec2
