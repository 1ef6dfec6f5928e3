#include "ec2/instances/placement_groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.hpp"
#include "domain/arns.hpp"
#include "domain/instance_types.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/filters.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/launch/capacity.hpp"
#include "wire/ec2/placement_groups.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::InstanceState;

constexpr size_t group_name_limit = 255;
constexpr std::int64_t most_partitions = 7;  // in a zone
constexpr std::int64_t most_spread_in_zone = 7;

// The group's instances that have not ended.
template <class Visitor>
void each_member(const state::World& world, const state::PlacementGroup& group, Visitor&& visit) {
  world.each_indexed<state::Instance>(
      state::Index::instance_by_placement_group, state::owned_key(group.account, group.name),
      [&](const state::Instance& instance) { return instance.state == InstanceState::terminated || visit(instance); });
}

bool has_machine(const state::Instance& instance) { return instance.state != InstanceState::stopped; }

wire::ApiError unknown_group(std::string_view name) {
  return {400, "InvalidPlacementGroup.Unknown", fmt::format("The Placement Group '{}' is unknown.", name)};
}

std::string arn_of(const service::Settings& settings, const state::PlacementGroup& group) {
  return domain::arn_of(settings.partition, "ec2", settings.region, group.account, "placement-group/" + group.name);
}

const FilterField<state::PlacementGroup> group_filters[] = {
    field<&state::PlacementGroup::name>("group-name"),
    {"group-arn", [](const auto& at, auto& out) { out.add(arn_of(at.context->services.settings, at.record)); }},
    {"state", [](const auto&, auto& out) { out.add("available"); }},
    field<&state::PlacementGroup::strategy>("strategy"),
    field_if_set<&state::PlacementGroup::spread_level>("spread-level"),
};

wire::ec2::PlacementGroup describe_placement_group(const state::World& world, const Context& context, const state::PlacementGroup& group) {
  wire::ec2::PlacementGroup item;
  item.group_name = group.name;
  item.group_id = group.id;
  item.group_arn = arn_of(context.services.settings, group);
  item.state = "available";
  item.strategy = group.strategy;
  if (group.partition_count > 0) item.partition_count = group.partition_count;
  if (!group.spread_level.empty()) item.spread_level = group.spread_level;
  item.tags = tags_of(world, group.account, group.id);
  return item;
}

void check_group_name(const Context& context, const state::World& world, const std::string& name) {
  const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  if (name.empty() || name.size() > group_name_limit || !printable)
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter groupName is invalid. It has 1 to {} ASCII characters.", name, group_name_limit));
  if (world.find<state::PlacementGroup>(context.account(), name) != nullptr)
    throw wire::ApiError(400, "InvalidPlacementGroup.Duplicate", fmt::format("The Placement Group '{}' already exists.", name));
  std::int64_t count = 0;
  world.each_of<state::PlacementGroup>(context.account(), [&](const state::PlacementGroup&) { ++count; });
  check_quota(world, context, Quota::placement_groups, count);
}

void read_strategy(const wire::ec2::CreatePlacementGroupRequest& request, state::PlacementGroup& group) {
  group.strategy = request.strategy.value_or("cluster");
  if (group.strategy != "cluster" && group.strategy != "spread" && group.strategy != "partition")
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter strategy is invalid. Unknown value.", group.strategy));
  if (request.partition_count && group.strategy != "partition")
    throw wire::invalid_parameter_combination("PartitionCount is only used with the strategy 'partition'.");
  if (request.spread_level && group.strategy != "spread")
    throw wire::invalid_parameter_combination("SpreadLevel is only used with the strategy 'spread'.");
  if (group.strategy == "partition") {
    group.partition_count = request.partition_count.value_or(2);
    if (group.partition_count < 1 || group.partition_count > most_partitions)
      throw wire::invalid_parameter_value(
          fmt::format("Value ({}) for parameter partitionCount is invalid. It is from 1 to {}.", group.partition_count, most_partitions));
  }
  if (group.strategy == "spread") {
    group.spread_level = request.spread_level.value_or("rack");
    if (group.spread_level != "rack" && group.spread_level != "host")
      throw wire::invalid_parameter_value(
          fmt::format("Value ({}) for parameter spreadLevel is invalid. Unknown value.", group.spread_level));
  }
}

wire::ec2::CreatePlacementGroupResponse create_group(state::Transaction& transaction, const Context& context,
                                                     const wire::ec2::CreatePlacementGroupRequest& request) {
  if (!request.group_name) throw wire::missing_parameter("GroupName");
  if (context.is_2011() && !request.strategy) throw wire::missing_parameter("Strategy");
  check_group_name(context, transaction.world(), *request.group_name);
  check_tag_types(request.tag_specifications, {"placement-group"});
  state::PlacementGroup group;
  group.account = context.account();
  group.id = make_id(transaction.random(), "pg");
  group.name = *request.group_name;
  group.created = transaction.now();
  read_strategy(request, group);
  if (group.spread_level == "host") throw wire::unsupported_operation("SpreadLevel 'host' is only for Outposts, which are not there.");
  if (request.linked_group_id) throw wire::unsupported_operation("LinkedGroupId is not supported.");
  tag_on_create(transaction, group.account, group.id, "placement-group", request.tag_specifications);
  transaction.put(group);
  wire::ec2::CreatePlacementGroupResponse response;
  response.placement_group = describe_placement_group(transaction.world(), context, group);
  return response;
}

wire::ec2::DeletePlacementGroupResponse delete_group(state::Transaction& transaction, const Context& context,
                                                     const wire::ec2::DeletePlacementGroupRequest& request) {
  if (!request.group_name) throw wire::missing_parameter("GroupName");
  const auto* group = transaction.find<state::PlacementGroup>(context.account(), *request.group_name);
  if (group == nullptr) throw unknown_group(*request.group_name);
  each_member(transaction.world(), *group, [&](const state::Instance& instance) -> bool {
    throw wire::ApiError(
        400, "InvalidPlacementGroup.InUse",
        fmt::format("The placement group '{}' is in use by the instance {} and may not be deleted.", group->name, instance.id));
  });
  erase_tags(transaction, group->account, group->id);
  transaction.erase<state::PlacementGroup>(group->key());
  return {};
}

wire::ec2::DescribePlacementGroupsResponse describe_groups(const state::World& world, const Context& context,
                                                           const wire::ec2::DescribePlacementGroupsRequest& request) {
  const FilterSet<state::PlacementGroup> filters(group_filters, request.filters, &context);
  const auto contains = [](const std::vector<std::string>& list, const std::string& text) {
    return std::find(list.begin(), list.end(), text) != list.end();
  };
  for (const auto& name : request.group_names)
    if (world.find<state::PlacementGroup>(context.account(), name) == nullptr) throw unknown_group(name);
  std::vector<std::string> missing = request.group_ids;
  for (const auto& id : request.group_ids) check_id("pg", id);
  wire::ec2::DescribePlacementGroupsResponse response;
  world.each_of<state::PlacementGroup>(context.account(), [&](const state::PlacementGroup& group) {
    std::erase(missing, group.id);
    if (!request.group_names.empty() && !contains(request.group_names, group.name)) return;
    if (!request.group_ids.empty() && !contains(request.group_ids, group.id)) return;
    if (filters.match(world, group)) response.placement_groups.push_back(describe_placement_group(world, context, group));
  });
  if (!missing.empty()) throw unknown_group(missing.front());
  return response;
}

}  // namespace

const state::PlacementGroup* find_placement_group(const state::World& world, const std::string& account, const std::string& name,
                                                  const std::string& id) {
  if (name.empty() && id.empty()) return nullptr;
  if (!name.empty() && !id.empty())
    throw wire::invalid_parameter_combination("A placement group is named by GroupName or by GroupId, not by both.");
  if (!id.empty()) check_id("pg", id);
  const state::PlacementGroup* found = name.empty() ? nullptr : world.find<state::PlacementGroup>(account, name);
  if (!id.empty())
    world.each_of<state::PlacementGroup>(account, [&](const state::PlacementGroup& group) {
      if (group.id == id) found = &group;
    });
  if (found == nullptr) throw unknown_group(name.empty() ? id : name);
  return found;
}

void check_group_takes(const state::World& world, const state::PlacementGroup& group, const state::Instance& like) {
  const auto* type = domain::find_instance_type(like.type);
  if (group.strategy == "cluster") {
    if (type == nullptr || !type->takes_strategy("cluster"))
      throw wire::ApiError(400, "InvalidParameterCombination",
                           fmt::format("Placement groups of the strategy 'cluster' take no instances of type '{}'.", like.type));
    if (like.virtualization_type != "hvm")  // NET-084
      throw wire::ApiError(400, "InvalidParameterCombination", "Placement groups of the strategy 'cluster' take HVM images only.");
    each_member(world, group, [&](const state::Instance& member) {
      if (member.zone != like.zone)
        throw wire::ApiError(400, "InvalidParameterValue",
                             fmt::format("The placement group '{}' is in {}: its instances are launched there, not in {}.", group.name,
                                         member.zone, like.zone));
      return false;
    });
  }
  if (like.partition_number != 0 && group.strategy != "partition")
    throw wire::invalid_parameter_combination("PartitionNumber is only used with a placement group of the strategy 'partition'.");
  if (like.partition_number < 0 || like.partition_number > group.partition_count)
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter partitionNumber is invalid: the placement group '{}' has {}.",
                                                    like.partition_number, group.name, group.partition_count));
  if (group.strategy == "spread" && like.tenancy == "dedicated")
    throw wire::invalid_parameter_combination("Placement groups of the strategy 'spread' take no dedicated instances.");
}

std::int64_t room_in_group(const state::World& world, const state::Host& host, const state::PlacementGroup& group,
                           const state::Instance& like) {
  // What has no limits stands for as many hosts as are asked for.
  const bool one_host = host.is_bounded();
  if (group.strategy == "spread") {
    std::int64_t here = 0;
    each_member(world, group, [&](const state::Instance& member) {
      here += has_machine(member) && (one_host ? member.host == host.id : member.zone == like.zone);
      return true;
    });
    return (one_host ? 1 : most_spread_in_zone) - here;
  }
  if (group.strategy == "partition" && one_host) {
    // Partitions share no hardware, so one host is one partition.
    bool other = false;
    each_member(world, group, [&](const state::Instance& member) {
      other = has_machine(member) && member.host == host.id && member.partition_number != like.partition_number;
      return !other;
    });
    if (other) return 0;
  }
  return no_limit;
}

std::string zone_of_group(const state::World& world, const state::PlacementGroup& group) {
  std::string zone;
  if (group.strategy == "cluster")
    each_member(world, group, [&](const state::Instance& member) {
      zone = member.zone;
      return false;
    });
  return zone;
}

PartitionChoice choose_partitions(const state::World& world, const state::PlacementGroup& group, std::int64_t asked) {
  if (group.strategy != "partition") return {};
  if (asked > 0) return {asked, 0};
  std::vector<std::int64_t> members(static_cast<size_t>(group.partition_count), 0);
  each_member(world, group, [&](const state::Instance& member) {
    if (has_machine(member) && member.partition_number >= 1 && member.partition_number <= group.partition_count)
      ++members[static_cast<size_t>(member.partition_number - 1)];
    return true;
  });
  bool bounded = false;
  world.each<state::Host>("", [&](const state::Host& host) { bounded = bounded || host.is_bounded(); });
  if (bounded) {
    const auto fullest = std::max_element(members.begin(), members.end()) - members.begin() + 1;
    return {fullest, 0};
  }
  return {std::min_element(members.begin(), members.end()) - members.begin() + 1, group.partition_count};
}

std::vector<service::Action> placement_group_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<CreatePlacementGroupRequest>("CreatePlacementGroup", create_group),
      service::write_action<DeletePlacementGroupRequest>("DeletePlacementGroup", delete_group),
      service::read_action<DescribePlacementGroupsRequest>("DescribePlacementGroups", describe_groups),
  };
}

}  // namespace brume::ec2
