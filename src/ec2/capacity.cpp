#include "ec2/capacity.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ec2/placement_groups.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

wire::ApiError instance_limit_exceeded(std::int64_t asked, std::int64_t limit) {
  return {400, "InstanceLimitExceeded",
          fmt::format("You have requested more instances ({}) than your current instance limit of {} allows for the specified instance "
                      "type. The operator of this installation can raise it.",
                      asked, limit)};
}

// INS-046
wire::ApiError insufficient_capacity(const state::Instance& like, std::string_view why) {
  return wire::insufficient_capacity(
      "Instance", fmt::format("There is not enough free capacity for the '{}' instances asked for in {}: {}. Ask for fewer or smaller "
                              "ones, or try again later.",
                              like.type, like.zone, why));
}

struct Room {
  std::int64_t count = no_limit;
  std::string_view why;
  void limit(std::int64_t to, std::string_view reason) {
    if (to >= count) return;
    count = std::max<std::int64_t>(to, 0);
    why = reason;
  }
};

// All zones are this one host.
Room room_on_host(const state::World& world, const Context& context, const state::Instance& like) {
  Room room;
  const auto& capacity = context.services.settings.capacity;
  if (!capacity.bounded()) return room;
  const auto& all = world.usage({});
  const auto& own = world.usage(like.account);
  room.limit((capacity.memory_mib - all.memory_mib) / std::max<std::int64_t>(like.memory_mib, 1), "the host has too little free memory");
  room.limit((capacity.processors - all.processors) / std::max<std::int64_t>(like.processors, 1), "the host has too few free processors");
  // Hardware of one's own is nobody else's on the host.
  if (like.tenancy == "dedicated" && all.machines > own.machines) room.limit(0, "no host is free of other accounts' instances");
  if (all.dedicated > own.dedicated) room.limit(0, "the host is dedicated to another account");
  return room;
}

Room room_for(const state::World& world, const Context& context, const state::Instance& like) {
  auto room = room_on_host(world, context, like);
  if (const auto* group = world.find<state::PlacementGroup>(like.account, like.placement_group))
    room.limit(room_in_group(world, context.services.settings, *group, like),
               "the rules of its placement group leave no room on the hardware there is");
  return room;
}

}  // namespace

std::int64_t instance_limit(const state::World& world, const service::Settings& settings, const std::string& account) {
  const auto* found = world.find<state::Account>(account);
  const auto limit = found == nullptr || found->instance_limit < 0 ? settings.instance_limit : found->instance_limit;
  return limit > 0 ? limit : no_limit;
}

std::int64_t count_to_launch(const state::World& world, const Context& context, const state::Instance& like, std::int64_t least,
                             std::int64_t most) {
  const auto limit = instance_limit(world, context.services.settings, like.account);
  if (limit != no_limit) {
    const auto& usage = world.usage(like.account);
    const auto allowed = std::min(limit - usage.running, 2 * limit - usage.existing);
    if (allowed < least) throw instance_limit_exceeded(least, limit);
    most = std::min(most, allowed);
  }
  const auto room = room_for(world, context, like);
  if (room.count < least) throw insufficient_capacity(like, room.why);
  return std::min(most, room.count);
}

void check_room_to_start(const state::World& world, const Context& context, const state::Instance& stopped, size_t asked) {
  const auto limit = instance_limit(world, context.services.settings, stopped.account);
  if (limit != no_limit && world.usage(stopped.account).running >= limit)
    throw instance_limit_exceeded(static_cast<std::int64_t>(asked), limit);
  if (const auto room = room_for(world, context, stopped); room.count < 1) throw insufficient_capacity(stopped, room.why);
}

}  // namespace brume::ec2
