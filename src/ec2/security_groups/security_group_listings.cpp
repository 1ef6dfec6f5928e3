// Lists beside DescribeSecurityGroups: the rules one by one, and the groups that a VPC's interfaces may have.
#include <fmt/format.h>

#include <algorithm>

#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/security_groups/rule_parsing.hpp"
#include "ec2/security_groups/security_groups.hpp"
#include "wire/ec2/security_groups.hpp"

namespace brume::ec2 {

namespace {

using service::Context;
using state::SecurityGroup;
using state::SecurityRule;
using state::World;

// ----- DescribeSecurityGroupRules

struct OneRule {
  const SecurityGroup* group;
  const SecurityRule* rule;
  bool is_egress;
};

const FilterField<OneRule> rule_filters[] = {
    {"group-id", [](const auto& at, auto& out) { out.add(at.record.group->id); }},
    {"security-group-rule-id", [](const auto& at, auto& out) { out.add(at.record.rule->id); }},
};

// EC2 parses the values of these filters, while those of other calls may be any text.
void check_filter_ids(const std::vector<wire::ec2::Filter>& filters) {
  struct Kind {
    std::string_view filter;
    std::string_view prefix;
    std::string_view code;
    std::string_view noun;
  };
  constexpr Kind kinds[] = {{"group-id", "sg", "InvalidGroupId.Malformed", "security group"},
                            {"security-group-rule-id", "sgr", "InvalidSecurityGroupRuleId.Malformed", "security group rule"}};
  for (const auto& filter : filters)
    for (const auto& kind : kinds)
      for (const auto& value : filter.values)
        if (filter.name == kind.filter && !is_well_formed_id(kind.prefix, value))
          throw wire::ApiError(400, std::string(kind.code), fmt::format("The {} ID '{}' is malformed", kind.noun, value));
}

// By id, so that a page that ended with a rule continues after its place even if the rule is gone.
std::vector<OneRule> rules_in_order(const SecurityGroup& group) {
  std::vector<OneRule> rules;
  for (const auto& rule : group.ingress) rules.push_back({&group, &rule, false});
  for (const auto& rule : group.egress) rules.push_back({&group, &rule, true});
  std::sort(rules.begin(), rules.end(), [](const OneRule& a, const OneRule& b) { return a.rule->id < b.rule->id; });
  return rules;
}

// The named ids, sorted; all are well formed and belong to the account's rules.
std::vector<std::string> rules_asked(const World& world, const std::string& account, std::vector<std::string> ids) {
  for (const auto& id : ids) check_id("sgr", "SecurityGroupRuleId", id);
  std::sort(ids.begin(), ids.end());
  std::vector<std::string> unknown = ids;
  world.each_of<SecurityGroup>(account, [&](const SecurityGroup& group) {
    for (const auto* rules : {&group.ingress, &group.egress})
      for (const auto& rule : *rules) std::erase(unknown, rule.id);
    return !unknown.empty();
  });
  if (!unknown.empty()) throw ids_not_found("SecurityGroupRuleId", "security group rule", unknown);
  return ids;
}

wire::ec2::DescribeSecurityGroupRulesResponse describe_rules(const World& world, const Context& context,
                                                             const wire::ec2::DescribeSecurityGroupRulesRequest& request) {
  const auto ids = rules_asked(world, context.account(), request.security_group_rule_ids);
  const FilterSet<OneRule> filters(rule_filters, request.filters);
  check_filter_ids(request.filters);
  Page page(context, "DescribeSecurityGroupRules", request.max_results, request.next_token);
  wire::ec2::DescribeSecurityGroupRulesResponse response;
  // A page may end within a group: its key is "sg-…/sgr-…".
  const auto slash = page.after().find('/');
  const auto after_group = page.after().substr(0, slash);
  const auto after_rule = slash == std::string::npos ? std::string() : page.after().substr(slash + 1);

  const auto list = [&](const SecurityGroup& group, std::string_view after) {
    for (const auto& one : rules_in_order(group)) {
      const auto& id = one.rule->id;
      if (id <= after || (!ids.empty() && !std::binary_search(ids.begin(), ids.end(), id))) continue;
      if (!filters.match(world, one, group.account, id)) continue;
      if (!page.take(fmt::format("{}/{}", group.id, id))) return false;
      response.security_group_rules.push_back(show_rule(world, context, group, *one.rule, one.is_egress, true));
    }
    return true;
  };
  const auto* begun = after_group.empty() ? nullptr : world.find<SecurityGroup>(context.account(), after_group);
  if (begun == nullptr || list(*begun, after_rule))
    world.each_of<SecurityGroup>(
        context.account(), [&](const SecurityGroup& group) { return list(group, {}); }, after_group);
  response.next_token = page.next_token();
  return response;
}

// ----- GetSecurityGroupsForVpc

const FilterField<SecurityGroup> groups_for_vpc_filters[] = {
    field<&SecurityGroup::id>("group-id"),
    field<&SecurityGroup::name>("group-name"),
    field<&SecurityGroup::description>("description"),
    field<&SecurityGroup::account>("owner-id"),
    field<&SecurityGroup::vpc_id>("primary-vpc-id"),
};

wire::ec2::GetSecurityGroupsForVpcResponse get_groups_for_vpc(const World& world, const Context& context,
                                                              const wire::ec2::GetSecurityGroupsForVpcRequest& request) {
  const auto& vpc = find_owned<state::Vpc>(world, context.account(), "vpc", "VpcId", request.vpc_id);
  const Listing<SecurityGroup> groups(world, context, request, {.action = "GetSecurityGroupsForVpc", .filters = groups_for_vpc_filters});
  wire::ec2::GetSecurityGroupsForVpcResponse response;
  response.next_token = groups.each_where([&](const SecurityGroup& group) { return group.vpc_id == vpc.id; },
                                          [&](const SecurityGroup& group) {
                                            auto& item = response.security_group_for_vpcs.emplace_back();
                                            item.group_id = group.id;
                                            item.group_name = group.name;
                                            item.description = group.description;
                                            item.owner_id = group.account;
                                            item.primary_vpc_id = group.vpc_id;
                                            item.tags = tags_of(world, group.account, group.id);
                                          });
  return response;
}

}  // namespace

std::vector<service::Action> security_group_listing_actions() {
  return {
      service::read_action("DescribeSecurityGroupRules", describe_rules),
      service::read_action("GetSecurityGroupsForVpc", get_groups_for_vpc),
  };
}

}  // namespace brume::ec2
