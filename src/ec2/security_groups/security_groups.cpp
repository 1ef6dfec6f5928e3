// Security groups (NET-048 ff.): create, delete, describe. Every group belongs to one VPC, or to
// EC2-Classic; what names none is EC2-Classic's where the account has it, else the default VPC's.
#include "ec2/security_groups/security_groups.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "domain/arns.hpp"
#include "domain/classic.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/absent_tags.hpp"
#include "ec2/common/filters.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/security_groups/rule_parsing.hpp"
#include "wire/ec2/security_groups.hpp"

namespace brume::ec2 {

namespace {

using service::Context;
using state::SecurityGroup;
using state::SecurityRule;
using state::World;
using GroupRules = std::vector<SecurityRule> SecurityGroup::*;

constexpr std::string_view default_name = "default";

// ----- filters: each about any one of a group's rules

template <GroupRules rules, class Add>
void each_rule(const FilterSubject<SecurityGroup>& at, Add add) {
  for (const auto& rule : at.record.*rules) add(rule);
}
template <GroupRules rules>
void add_cidrs(const FilterSubject<SecurityGroup>& at, FilterValues& out) {
  each_rule<rules>(at, [&](const SecurityRule& rule) {
    if (!rule.cidr.empty()) out.add(rule.cidr);
  });
}
template <GroupRules rules>
void add_cidrs6(const FilterSubject<SecurityGroup>& at, FilterValues& out) {
  each_rule<rules>(at, [&](const SecurityRule& rule) {
    if (!rule.cidr6.empty()) out.add(rule.cidr6);
  });
}
template <GroupRules rules>
void add_from_ports(const FilterSubject<SecurityGroup>& at, FilterValues& out) {
  each_rule<rules>(at, [&](const SecurityRule& rule) {
    if (has_ports(rule)) out.add(rule.from_port);
  });
}
template <GroupRules rules>
void add_to_ports(const FilterSubject<SecurityGroup>& at, FilterValues& out) {
  each_rule<rules>(at, [&](const SecurityRule& rule) {
    if (has_ports(rule)) out.add(rule.to_port);
  });
}
template <GroupRules rules>
void add_protocols(const FilterSubject<SecurityGroup>& at, FilterValues& out) {
  each_rule<rules>(at, [&](const SecurityRule& rule) { out.add(rule.protocol); });
}
template <GroupRules rules>
void add_group_ids(const FilterSubject<SecurityGroup>& at, FilterValues& out) {
  each_rule<rules>(at, [&](const SecurityRule& rule) {
    if (!rule.group_id.empty()) out.add(rule.group_id);
  });
}
template <GroupRules rules>
void add_group_names(const FilterSubject<SecurityGroup>& at, FilterValues& out) {
  each_rule<rules>(at, [&](const SecurityRule& rule) {
    if (rule.group_id.empty()) return;
    if (const auto* peer = at.world.find<SecurityGroup>(rule.group_account, rule.group_id); peer != nullptr) out.add(peer->name);
  });
}
template <GroupRules rules>
void add_user_ids(const FilterSubject<SecurityGroup>& at, FilterValues& out) {
  each_rule<rules>(at, [&](const SecurityRule& rule) {
    if (!rule.group_account.empty()) out.add(rule.group_account);
  });
}
template <GroupRules rules>
void add_prefix_lists(const FilterSubject<SecurityGroup>& at, FilterValues& out) {
  each_rule<rules>(at, [&](const SecurityRule& rule) {
    if (!rule.prefix_list_id.empty()) out.add(rule.prefix_list_id);
  });
}

const FilterField<SecurityGroup> group_filters[] = {
    {"group-id", [](const auto& at, auto& out) { out.add(at.record.id); }},
    {"group-name", [](const auto& at, auto& out) { out.add(at.record.name); }},
    {"description", [](const auto& at, auto& out) { out.add(at.record.description); }},
    {"owner-id", [](const auto& at, auto& out) { out.add(at.record.account); }},
    {"vpc-id",
     [](const auto& at, auto& out) {
       if (!domain::is_classic(at.record)) out.add(at.record.vpc_id);
     }},
    {"ip-permission.cidr", add_cidrs<&SecurityGroup::ingress>},
    {"ip-permission.ipv6-cidr", add_cidrs6<&SecurityGroup::ingress>},
    {"ip-permission.from-port", add_from_ports<&SecurityGroup::ingress>},
    {"ip-permission.to-port", add_to_ports<&SecurityGroup::ingress>},
    {"ip-permission.protocol", add_protocols<&SecurityGroup::ingress>},
    {"ip-permission.group-id", add_group_ids<&SecurityGroup::ingress>},
    {"ip-permission.group-name", add_group_names<&SecurityGroup::ingress>},
    {"ip-permission.user-id", add_user_ids<&SecurityGroup::ingress>},
    {"ip-permission.prefix-list-id", add_prefix_lists<&SecurityGroup::ingress>},
    {"egress.ip-permission.cidr", add_cidrs<&SecurityGroup::egress>},
    {"egress.ip-permission.ipv6-cidr", add_cidrs6<&SecurityGroup::egress>},
    {"egress.ip-permission.from-port", add_from_ports<&SecurityGroup::egress>},
    {"egress.ip-permission.to-port", add_to_ports<&SecurityGroup::egress>},
    {"egress.ip-permission.protocol", add_protocols<&SecurityGroup::egress>},
    {"egress.ip-permission.group-id", add_group_ids<&SecurityGroup::egress>},
    {"egress.ip-permission.group-name", add_group_names<&SecurityGroup::egress>},
    {"egress.ip-permission.user-id", add_user_ids<&SecurityGroup::egress>},
    {"egress.ip-permission.prefix-list-id", add_prefix_lists<&SecurityGroup::egress>},
};

std::string arn_of(const Context& context, const SecurityGroup& group) {
  const auto& settings = context.services.settings;
  return domain::arn_of(settings.partition, "ec2", settings.region, group.account, "security-group/" + group.id);
}

// ----- create

void check_text(const Context& context, std::string_view what, const char* parameter, const std::string& text) {
  if (text.size() >= 256)
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter {} is invalid. It must have less than 256 characters.", text, parameter));
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; }))
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter {} is invalid. Character sets beyond ASCII are not supported.", text, parameter));
  // The guide's API allows all of ASCII.
  if (!context.is_2011() && !is_group_text(text))
    throw wire::invalid_parameter_value(
        fmt::format("Invalid security group {}. Valid {}s are strings less than 256 characters from the following set: {}", what, what,
                    group_text_characters));
}

void check_name(const Context& context, const std::string& name) {
  check_text(context, "name", "GroupName", name);
  if (name.starts_with("sg-"))
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter GroupName is invalid. Group names may not be in the format sg-*.", name));
  if (name != default_name) return;
  if (context.is_2011()) throw wire::ApiError(400, "InvalidGroup.Reserved", fmt::format("The security group '{}' is reserved", name));
  throw wire::invalid_parameter_value(fmt::format("Cannot use reserved security group name: {}", name));
}

std::string network_asked(const World& world, const std::string& account, const std::optional<std::string>& id) {
  if (!given(id)) return network_of_names(world, account);
  check_id("vpc", "VpcID", *id);
  const auto* vpc = world.find<state::Vpc>(account, *id);
  if (vpc == nullptr) throw wire::id_not_found("VpcID", "vpc", *id);
  return *id;
}

// Its name is its own, and there is room for it.
void check_room(const World& world, const Context& context, const std::string& network, const std::string& name) {
  const bool classic = network == domain::classic_network;
  const auto where = classic ? std::string() : fmt::format(" for VPC '{}'", network);
  std::int64_t count = 0;
  world.each_of<SecurityGroup>(context.account(), [&](const SecurityGroup& group) {
    if (group.vpc_id != network) return;
    ++count;
    if (group.name == name)
      throw wire::ApiError(400, "InvalidGroup.Duplicate", fmt::format("The security group '{}' already exists{}", name, where));
  });
  const auto limit = quota_of(world, context.services.settings, context.account(), Quota::groups_per_vpc, classic || context.is_2011());
  if (count >= limit) throw quota_exceeded(Quota::groups_per_vpc, limit);
}

wire::ec2::CreateSecurityGroupResponse create_security_group(state::Transaction& transaction, const Context& context,
                                                             const wire::ec2::CreateSecurityGroupRequest& request) {
  const std::string name(trim(request.group_name.value_or("")));
  if (name.empty()) throw wire::missing_parameter("GroupName");
  if (!given(request.description)) throw wire::missing_parameter("GroupDescription");
  check_name(context, name);
  check_text(context, "description", "GroupDescription", *request.description);
  check_tag_types(request.tag_specifications, {"security-group"});
  const auto network = network_asked(transaction.world(), context.account(), request.vpc_id);
  check_room(transaction.world(), context, network, name);
  SecurityGroup group;
  group.account = context.account();
  group.id = make_id(transaction.random(), "sg");
  group.name = name;
  group.description = *request.description;
  group.vpc_id = network;
  if (!domain::is_classic(group)) {
    auto& to_all = group.egress.emplace_back();
    to_all.id = make_id(transaction.random(), "sgr");
    to_all.protocol = "-1";
    to_all.cidr = "0.0.0.0/0";
    if (const auto* vpc = transaction.find<state::Vpc>(group.account, network); vpc != nullptr && !vpc->ipv6.empty()) {
      auto& to_all6 = group.egress.emplace_back();
      to_all6.id = make_id(transaction.random(), "sgr");
      to_all6.protocol = "-1";
      to_all6.cidr6 = "::/0";
    }
  }
  tag_on_create(transaction, group.account, group.id, "security-group", request.tag_specifications);

  wire::ec2::CreateSecurityGroupResponse response;
  response.group_id = group.id;
  response.security_group_arn = arn_of(context, group);
  response.tags = tags_of(transaction.world(), group.account, group.id);
  transaction.put(std::move(group));
  return response;
}

// ----- delete

// By a group of its own VPC: rules of a peer VPC become stale.
bool is_referred_to(const World& world, const SecurityGroup& group) {
  const auto names_it = [&](const SecurityRule& rule) { return rule.group_id == group.id; };
  bool found = false;
  world.each_of<SecurityGroup>(group.account, [&](const SecurityGroup& other) {
    if (other.id != group.id && other.vpc_id == group.vpc_id)
      found = std::any_of(other.ingress.begin(), other.ingress.end(), names_it) ||
              std::any_of(other.egress.begin(), other.egress.end(), names_it);
    return !found;
  });
  return found;
}

wire::ec2::DeleteSecurityGroupResponse delete_security_group(state::Transaction& transaction, const Context& context,
                                                             const wire::ec2::DeleteSecurityGroupRequest& request) {
  const SecurityGroup group = find_group(transaction.world(), context.account(), request.group_id, request.group_name);
  if (group.name == default_name) {
    const auto message = fmt::format("the specified group: \"{}\" name: \"{}\" cannot be deleted by a user", group.id, group.name);
    throw wire::ApiError(400, context.is_2011() ? "InvalidGroup.Reserved" : "CannotDelete", message);
  }
  if (transaction.world().find_indexed<state::NetworkInterface>(state::Index::interface_by_group, group.id) != nullptr ||
      is_referred_to(transaction.world(), group)) {
    if (context.is_2011() || domain::is_classic(group))
      throw wire::ApiError(400, "InvalidGroup.InUse",
                           fmt::format("There are active instances or rules using security group '{}'", group.name));
    throw wire::ApiError(400, "DependencyViolation", fmt::format("resource {} has a dependent object", group.id));
  }
  for (const auto* rules : {&group.ingress, &group.egress})
    for (const auto& rule : *rules) erase_tags(transaction, group.account, rule.id);
  erase_tags(transaction, group.account, group.id);
  transaction.erase<SecurityGroup>(group.key());
  wire::ec2::DeleteSecurityGroupResponse response;
  response.group_id = group.id;
  return response;
}

// ----- describe

// The ids of the groups that are named, sorted. All must be there.
std::vector<std::string> groups_asked(const World& world, const std::string& account,
                                      const wire::ec2::DescribeSecurityGroupsRequest& request) {
  std::vector<std::string> ids;
  std::vector<std::string> unknown;
  for (const auto& id : request.group_ids) {
    check_id("sg", "GroupId", id);
    (world.find<SecurityGroup>(account, id) == nullptr ? unknown : ids).push_back(id);
  }
  if (!request.group_names.empty()) {
    const auto network = network_of_names(world, account);
    for (const auto& name : request.group_names) {
      const auto* group = find_group_by_name(world, account, network, name);
      if (group == nullptr)
        unknown.push_back(name);
      else
        ids.push_back(group->id);
    }
  }
  if (unknown.size() == 1) throw group_not_found(unknown.front());
  if (!unknown.empty())
    throw wire::ApiError(400, "InvalidGroup.NotFound", fmt::format("The security groups '{}' do not exist", fmt::join(unknown, ", ")));
  std::sort(ids.begin(), ids.end());
  return ids;
}

wire::ec2::SecurityGroup show_group(const World& world, const Context& context, const SecurityGroup& group) {
  wire::ec2::SecurityGroup item;
  item.group_id = group.id;
  item.group_name = group.name;
  item.description = group.description;
  item.owner_id = group.account;
  if (!domain::is_classic(group))
    item.vpc_id = group.vpc_id;
  else if (context.is_2011())
    item.vpc_id = "";  // the guide's element is there, and empty
  item.security_group_arn = arn_of(context, group);
  item.ip_permissions = show_permissions(world, context, group.ingress);
  item.ip_permissions_egress = show_permissions(world, context, group.egress);
  item.tags = tags_if_any(world, context, group.account, group.id);
  return item;
}

wire::ec2::DescribeSecurityGroupsResponse describe_security_groups(const World& world, const Context& context,
                                                                   const wire::ec2::DescribeSecurityGroupsRequest& request) {
  const bool all = request.group_ids.empty() && request.group_names.empty();
  const auto ids = groups_asked(world, context.account(), request);
  const FilterSet<SecurityGroup> filters(group_filters, request.filters);
  Page page(context, "DescribeSecurityGroups", request.max_results, request.next_token);
  wire::ec2::DescribeSecurityGroupsResponse response;
  world.each_of<SecurityGroup>(
      context.account(),
      [&](const SecurityGroup& group) {
        if (!all && !std::binary_search(ids.begin(), ids.end(), group.id)) return true;
        if (!filters.match(world, group)) return true;
        if (!page.take(group.id)) return false;
        response.security_groups.push_back(show_group(world, context, group));
        return true;
      },
      page.after());
  response.next_token = page.next_token();
  return response;
}

}  // namespace

const state::Vpc* default_vpc(const World& world, const std::string& account) {
  const state::Vpc* found = nullptr;
  world.each_of<state::Vpc>(account, [&](const state::Vpc& vpc) {
    if (vpc.is_default) found = &vpc;
    return found == nullptr;
  });
  return found;
}

std::string network_of_names(const World& world, const std::string& account) {
  if (domain::has_classic(world, account)) return std::string(domain::classic_network);
  if (const auto* vpc = default_vpc(world, account); vpc != nullptr) return vpc->id;
  throw wire::ApiError(400, "VPCIdNotSpecified",
                       "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.");
}

const SecurityGroup* find_group_by_name(const World& world, const std::string& account, const std::string& vpc_id,
                                        const std::string& name) {
  const SecurityGroup* found = nullptr;
  world.each_of<SecurityGroup>(account, [&](const SecurityGroup& group) {
    if (group.vpc_id == vpc_id && group.name == name) found = &group;
    return found == nullptr;
  });
  return found;
}

wire::ApiError group_not_found(const std::string& id_or_name) {
  return {400, "InvalidGroup.NotFound", fmt::format("The security group '{}' does not exist", id_or_name)};
}

const SecurityGroup& find_group(const World& world, const std::string& account, const std::optional<std::string>& id,
                                const std::optional<std::string>& name) {
  if (given(id) && given(name))
    throw wire::invalid_parameter_combination("The parameter groupName cannot be used with the parameter groupId");
  if (!given(id) && !given(name)) throw wire::missing_parameter("groupName or groupId");
  if (given(id)) check_id("sg", "GroupId", *id);
  const auto* group =
      given(id) ? world.find<SecurityGroup>(account, *id) : find_group_by_name(world, account, network_of_names(world, account), *name);
  if (group == nullptr) throw group_not_found(given(id) ? *id : *name);
  return *group;
}

std::vector<service::Action> security_group_actions() {
  std::vector<service::Action> actions = {
      service::write_action("CreateSecurityGroup", create_security_group),
      service::write_action("DeleteSecurityGroup", delete_security_group),
      service::read_action("DescribeSecurityGroups", describe_security_groups),
  };
  for (const auto& more : {security_group_permission_actions(), security_group_rule_change_actions(), security_group_listing_actions(),
                           security_group_reference_actions()})
    actions.insert(actions.end(), more.begin(), more.end());
  return actions;
}

}  // namespace brume::ec2
