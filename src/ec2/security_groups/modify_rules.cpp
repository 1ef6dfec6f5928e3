// Changing rules in place: ModifySecurityGroupRules, and the descriptions of rules. A rule keeps its id and tags.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/ipv4.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/security_groups/rule_parsing.hpp"
#include "ec2/security_groups/security_groups.hpp"
#include "wire/ec2/security_groups.hpp"

namespace brume::ec2 {

namespace {

using service::Context;
using state::SecurityGroup;
using state::SecurityRule;
using ChangedRules = std::vector<SecurityRule> SecurityGroup::*;

// Throws EC2's error for a rule id that is malformed, or is not one of the group's rules.
SecurityRule& find_rule(std::vector<SecurityRule>& rules, const std::string& id) {
  const auto at = std::find_if(rules.begin(), rules.end(), [&](const SecurityRule& rule) { return rule.id == id; });
  if (at == rules.end()) throw wire::id_not_found("SecurityGroupRuleId", "security group rule", id);
  return *at;
}

std::string rule_id_of(const std::optional<std::string>& id, std::set<std::string>& named) {
  if (!given(id)) throw wire::missing_parameter("SecurityGroupRuleId");
  check_id("sgr", "SecurityGroupRuleId", *id);
  if (!named.insert(*id).second) throw wire::invalid_parameter_value(fmt::format("The rule '{}' must not appear multiple times", *id));
  return *id;
}

// ----- ModifySecurityGroupRules

// A rule keeps its kind: an IPv4 range becomes another IPv4 range, a group another group.
void check_kind(const SecurityRule& before, const wire::ec2::SecurityGroupRuleRequest& asked) {
  struct Kind {
    const std::string& now;
    const std::optional<std::string>& asked;
  };
  const Kind kinds[] = {{before.cidr, asked.cidr_ipv4},
                        {before.cidr6, asked.cidr_ipv6},
                        {before.prefix_list_id, asked.prefix_list_id},
                        {before.group_id, asked.referenced_group_id}};
  if (std::count_if(std::begin(kinds), std::end(kinds), [](const Kind& kind) { return given(kind.asked); }) != 1)
    throw wire::invalid_parameter_value("Exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId must be given for a rule");
  for (const auto& kind : kinds)
    if (given(kind.asked) && kind.now.empty())
      throw wire::invalid_parameter_value(fmt::format("The type of the security group rule '{}' cannot be changed", before.id));
}

// What Authorize corrects silently (host bits of a range, ports of all protocols) is refused here.
void check_spelling(const wire::ec2::SecurityGroupRuleRequest& asked, const SecurityRule& read) {
  if (read.protocol == "-1" && (asked.from_port.value_or(-1) != -1 || asked.to_port.value_or(-1) != -1))
    throw wire::invalid_parameter_value("Specific ports may not be given together with all protocols");
  const auto block = given(asked.cidr_ipv4) ? parse_ipv4_block(*asked.cidr_ipv4) : std::nullopt;
  if (block && format_ipv4_block(*block) != *asked.cidr_ipv4)
    throw wire::invalid_parameter_value(
        fmt::format("CIDR block {} is malformed: its canonical form is {}", *asked.cidr_ipv4, format_ipv4_block(*block)));
}

wire::ec2::IpPermission as_permission(const wire::ec2::SecurityGroupRuleRequest& asked) {
  wire::ec2::IpPermission permission;
  permission.ip_protocol = asked.ip_protocol;
  permission.from_port = asked.from_port;
  permission.to_port = asked.to_port;
  if (given(asked.cidr_ipv4)) permission.ip_ranges.push_back({asked.description, asked.cidr_ipv4});
  if (given(asked.cidr_ipv6)) permission.ipv6_ranges.push_back({asked.description, asked.cidr_ipv6});
  if (given(asked.prefix_list_id)) permission.prefix_list_ids.push_back({asked.description, asked.prefix_list_id});
  if (given(asked.referenced_group_id)) {
    auto& pair = permission.user_id_group_pairs.emplace_back();
    pair.description = asked.description;
    pair.group_id = asked.referenced_group_id;
  }
  return permission;
}

void refuse_doubles(const std::vector<SecurityRule>& rules, const std::set<std::string>& changed) {
  for (const auto& rule : rules)
    for (const auto& other : rules)
      if (&rule != &other && changed.contains(rule.id) && rule.same_permission(other))
        throw wire::ApiError(400, "InvalidPermission.Duplicate",
                             fmt::format("the specified rule \"{}\" already exists", describe_rule(rule)));
}

wire::ec2::ModifySecurityGroupRulesResponse modify_rules(state::Transaction& transaction, const Context& context,
                                                         const wire::ec2::ModifySecurityGroupRulesRequest& request) {
  if (!given(request.group_id)) throw wire::missing_parameter("GroupId");
  SecurityGroup group = find_group(transaction.world(), context.account(), request.group_id, std::nullopt);
  if (request.security_group_rules.empty()) throw wire::missing_parameter("SecurityGroupRule");
  std::set<std::string> changed;
  for (const auto& update : request.security_group_rules) {
    const auto id = rule_id_of(update.security_group_rule_id, changed);
    if (!update.security_group_rule) throw wire::missing_parameter("SecurityGroupRule");
    const bool leaves = std::any_of(group.egress.begin(), group.egress.end(), [&](const SecurityRule& rule) { return rule.id == id; });
    auto& rule = find_rule(leaves ? group.egress : group.ingress, id);
    check_kind(rule, *update.security_group_rule);
    auto read = read_rules(transaction.world(), context, group, {as_permission(*update.security_group_rule)}).front();
    check_spelling(*update.security_group_rule, read);
    read.id = id;
    rule = std::move(read);
  }
  refuse_doubles(group.ingress, changed);
  refuse_doubles(group.egress, changed);
  transaction.put(std::move(group));
  return {};
}

// ----- descriptions

template <class Request>
void update_descriptions(state::Transaction& transaction, const Context& context, ChangedRules rules, const Request& request) {
  SecurityGroup group = find_group(transaction.world(), context.account(), request.group_id, request.group_name);
  auto& present = group.*rules;
  if (request.ip_permissions.empty() == request.security_group_rule_descriptions.empty())
    throw wire::invalid_parameter_combination("Either ipPermissions or securityGroupRuleDescriptions must be given, not both");
  std::set<std::string> named;
  for (const auto& one : request.security_group_rule_descriptions)
    find_rule(present, rule_id_of(one.security_group_rule_id, named)).description = read_rule_description(one.description);
  for (const auto& asked : read_rules(transaction.world(), context, group, request.ip_permissions)) {
    const auto at = std::find_if(present.begin(), present.end(), [&](const SecurityRule& rule) { return rule.same_permission(asked); });
    if (at == present.end())
      throw wire::ApiError(400, "InvalidPermission.NotFound", "The specified rule does not exist in this security group.");
    at->description = asked.description;
  }
  transaction.put(std::move(group));
}

wire::ec2::UpdateSecurityGroupRuleDescriptionsIngressResponse update_ingress_descriptions(
    state::Transaction& transaction, const Context& context, const wire::ec2::UpdateSecurityGroupRuleDescriptionsIngressRequest& request) {
  update_descriptions(transaction, context, &SecurityGroup::ingress, request);
  return {};
}

wire::ec2::UpdateSecurityGroupRuleDescriptionsEgressResponse update_egress_descriptions(
    state::Transaction& transaction, const Context& context, const wire::ec2::UpdateSecurityGroupRuleDescriptionsEgressRequest& request) {
  update_descriptions(transaction, context, &SecurityGroup::egress, request);
  return {};
}

}  // namespace

std::vector<service::Action> security_group_rule_change_actions() {
  return {
      service::write_action("ModifySecurityGroupRules", modify_rules),
      service::write_action("UpdateSecurityGroupRuleDescriptionsIngress", update_ingress_descriptions),
      service::write_action("UpdateSecurityGroupRuleDescriptionsEgress", update_egress_descriptions),
  };
}

}  // namespace brume::ec2
