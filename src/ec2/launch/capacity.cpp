#include "ec2/launch/capacity.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "domain/instance_types.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/instances/placement_groups.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

bool is_of_family(const domain::InstanceType& type, std::initializer_list<std::string_view> families) {
  const std::string_view name = type.name;
  return std::find(families.begin(), families.end(), name.substr(0, name.find('.'))) != families.end();
}
// EC2's families with graphics processors, and those for clusters; cg1 is the guide's, and both.
bool has_gpu(const domain::InstanceType& type) {
  return is_of_family(type, {"cg1", "g2", "g3", "g3s", "g4ad", "g4dn", "g5", "g6", "p2", "p3", "p4d", "p5"});
}
bool is_for_clusters(const domain::InstanceType& type) { return is_of_family(type, {"cc1", "cc2", "cg1", "cr1", "hpc6a", "hpc7a"}); }

// How many more instances like this one the account's quotas allow, and which of them says so (NET-080).
struct Allowed {
  std::int64_t count = unlimited;
  Quota quota = Quota::instances;
  std::int64_t limit = unlimited;

  void bound(Quota by, std::int64_t its_limit, std::int64_t to) {
    if (its_limit == unlimited || to >= count) return;
    count = std::max<std::int64_t>(to, 0);
    quota = by;
    limit = its_limit;
  }
};

// Instances of types that `belongs` chooses, with a machine or on the way to one.
template <class Belongs>
std::int64_t machines_of(const state::World& world, const std::string& account, Belongs&& belongs) {
  std::int64_t count = 0;
  world.each_of<state::Instance>(account, [&](const state::Instance& instance) {
    const auto* type = domain::find_instance_type(instance.type);
    const auto state = instance.state;
    count += type != nullptr && belongs(*type) && (state == state::InstanceState::pending || state == state::InstanceState::running);
  });
  return count;
}

Allowed allowed_by_quotas(const state::World& world, const Context& context, const state::Instance& like) {
  Allowed allowed;
  const auto limit_of = [&](Quota quota) { return quota_of(world, context.services.settings, like.account, quota); };
  const auto& usage = world.usage(like.account);
  const auto vcpus = limit_of(Quota::vcpus);
  allowed.bound(Quota::vcpus, vcpus, (vcpus - usage.processors) / std::max<std::int64_t>(like.processors, 1));
  const auto gib = limit_of(Quota::memory_gib);
  if (gib != unlimited) allowed.bound(Quota::memory_gib, gib, (gib * 1024 - usage.memory_mib) / std::max<std::int64_t>(like.memory_mib, 1));
  const auto* type = domain::find_instance_type(like.type);
  const auto of_kind = [&](Quota quota, auto&& belongs) {
    const auto limit = type != nullptr && belongs(*type) ? limit_of(quota) : unlimited;
    if (limit != unlimited) allowed.bound(quota, limit, limit - machines_of(world, like.account, belongs));
  };
  of_kind(Quota::cluster_instances, is_for_clusters);
  of_kind(Quota::gpu_instances, has_gpu);
  return allowed;
}

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

// A host, and how many more instances it has room for.
struct HostWithRoom {
  const state::Host* host = nullptr;
  Room room;
  std::int64_t machines = 0;
};

// From sums that the World keeps by host and account.
Room room_on_host(const state::World& world, const state::Host& host, const state::Instance& like) {
  Room room;
  if (host.is_bounded()) {
    const auto& all = world.usage_on(host.id);
    const auto& own = world.usage_on(host.id, like.account);
    room.limit((host.memory_mib - all.memory_mib) / std::max<std::int64_t>(like.memory_mib, 1), "the host has too little free memory");
    room.limit((host.processors - all.processors) / std::max<std::int64_t>(like.processors, 1), "the host has too few free processors");
    // Hardware of one's own is nobody else's on the host.
    if (like.tenancy == "dedicated" && all.machines > own.machines) room.limit(0, "no host is free of other accounts' instances");
    if (all.dedicated > own.dedicated) room.limit(0, "the host is dedicated to another account");
  }
  if (const auto* group = world.find<state::PlacementGroup>(like.account, like.placement_group))
    room.limit(room_in_group(world, host, *group, like), "the rules of its placement group leave no room on the hardware there is");
  return room;
}

// Those that may run it: all, or the one that has its disks. Every zone is on all of them.
std::vector<HostWithRoom> hosts_for(const state::World& world, const state::Instance& like) {
  std::vector<HostWithRoom> hosts;
  world.each<state::Host>("", [&](const state::Host& host) {
    if (!host.takes_launches || (!like.host.empty() && like.host != host.id)) return;
    hosts.push_back({&host, room_on_host(world, host, like), world.usage_on(host.id).machines});
  });
  return hosts;
}

// On all of them together; the reason is that of the host with the most room.
Room room_on(const std::vector<HostWithRoom>& hosts, const state::Instance& like) {
  Room all;
  all.count = 0;
  all.why = like.host.empty() ? "no host takes launches" : "the host that has its disks takes no launches";
  std::int64_t most = -1;
  for (const auto& each : hosts) {
    all.count = each.room.count > no_limit - all.count ? no_limit : all.count + each.room.count;
    if (each.room.count <= most) continue;
    most = each.room.count;
    all.why = each.room.why;
  }
  return all;
}

}  // namespace

std::int64_t instance_limit(const state::World& world, const service::Settings& settings, const std::string& account) {
  return quota_of(world, settings, account, Quota::instances);
}

std::vector<std::string> hosts_to_launch(const state::World& world, const Context& context, const state::Instance& like, std::int64_t least,
                                         std::int64_t most) {
  const auto limit = instance_limit(world, context.services.settings, like.account);
  if (limit != no_limit) {
    const auto& usage = world.usage(like.account);
    const auto allowed = std::min(limit - usage.running, 2 * limit - usage.existing);
    if (allowed < least) throw instance_limit_exceeded(least, limit);
    most = std::min(most, allowed);
  }
  const auto allowed = allowed_by_quotas(world, context, like);
  if (allowed.count < least) throw quota_exceeded(allowed.quota, allowed.limit);
  most = std::min(most, allowed.count);
  auto hosts = hosts_for(world, like);
  const auto room = room_on(hosts, like);
  if (room.count < least) throw insufficient_capacity(like, room.why);
  std::vector<std::string> chosen;
  for (auto left = std::min(most, room.count); left > 0; --left) {
    // Where most of them fit; of equals where the fewest machines are.
    const auto emptiest = std::max_element(hosts.begin(), hosts.end(), [](const auto& a, const auto& b) {
      return a.room.count != b.room.count ? a.room.count < b.room.count : a.machines > b.machines;
    });
    chosen.push_back(emptiest->host->id);
    if (emptiest->room.count != no_limit) --emptiest->room.count;
    ++emptiest->machines;
  }
  return chosen;
}

std::string host_of_disks(const state::World& world, const std::vector<std::string>& ids) {
  std::string host;
  for (const auto& id : ids) {
    std::string its;
    if (const auto* snapshot = world.find_indexed<state::Snapshot>(state::Index::snapshot_by_id, id)) its = snapshot->host;
    if (const auto* image = world.find_indexed<state::Image>(state::Index::image_by_id, id)) its = image->host;
    if (!host.empty() && !its.empty() && its != host)
      throw wire::unsupported_operation(
          fmt::format("What it is made of lies on different hosts: '{}' is on {}, others on {}.", id, its, host));
    if (!its.empty()) host = its;
  }
  return host;
}

void check_room_to_start(const state::World& world, const Context& context, const state::Instance& stopped, size_t asked) {
  const auto limit = instance_limit(world, context.services.settings, stopped.account);
  if (limit != no_limit && world.usage(stopped.account).running >= limit)
    throw instance_limit_exceeded(static_cast<std::int64_t>(asked), limit);
  if (const auto allowed = allowed_by_quotas(world, context, stopped); allowed.count < 1)
    throw quota_exceeded(allowed.quota, allowed.limit);
  if (const auto room = room_on(hosts_for(world, stopped), stopped); room.count < 1) throw insufficient_capacity(stopped, room.why);
}

}  // namespace brume::ec2
