// How many more instances there may be, and on which hosts: the account's limit (OPS-090, OPS-091, INS-012), each host's memory and
// processors (OPS-093) and the rules of placement groups. All from sums that the World keeps, in the transaction that launches.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

inline constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

// Most instances of the account that may be pending or running at a time; no_limit: as many as fit.
std::int64_t instance_limit(const state::World& world, const service::Settings& settings, const std::string& account);

// The hosts of as many instances like this one, new ones, as can be launched now, up to `most`: an id for each. If it names a host, only
// that one. Throws the error that keeps it below `least`: InstanceLimitExceeded, InsufficientInstanceCapacity.
std::vector<std::string> hosts_to_launch(const state::World& world, const service::Context& context, const state::Instance& like,
                                         std::int64_t least, std::int64_t most);

// The host on which what is made of these snapshots, kernels and RAM disks has to be, because it has their files; empty: any. Throws
// UnsupportedOperation if they lie on different ones.
std::string host_of_disks(const state::World& world, const std::vector<std::string>& ids);

// May this stopped instance be started on its host? Throws the same. `asked`: how many the request wants to start.
void check_room_to_start(const state::World& world, const service::Context& context, const state::Instance& stopped, size_t asked);

}  // namespace brume::ec2
