// Authorize and revoke. Rules that change here reach the packet path by the change of the group's record.
#include <fmt/format.h>

#include <algorithm>

#include "domain/classic.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/prefix_lists.hpp"
#include "ec2/security_groups/rule_parsing.hpp"
#include "ec2/security_groups/security_groups.hpp"
#include "wire/ec2/security_groups.hpp"

namespace brume::ec2 {

namespace {

using service::Context;
using state::SecurityGroup;
using state::SecurityRule;
using Rules = std::vector<SecurityRule> SecurityGroup::*;

// The flat form of the request, as the first API versions had it: one protocol and range, and a CIDR or a group. A group without a
// protocol means everything that a group could name then (NET-059).
template <class Request>
std::vector<wire::ec2::IpPermission> flat_permissions(const Request& request) {
  wire::ec2::IpPermission one;
  one.ip_protocol = request.ip_protocol;
  one.from_port = request.from_port;
  one.to_port = request.to_port;
  if (given(request.cidr_ip)) one.ip_ranges.emplace_back().cidr_ip = request.cidr_ip;
  if (given(request.source_security_group_name)) {
    auto& pair = one.user_id_group_pairs.emplace_back();
    pair.group_name = request.source_security_group_name;
    pair.user_id = request.source_security_group_owner_id;
  }
  if (given(one.ip_protocol) || one.user_id_group_pairs.empty() || !one.ip_ranges.empty()) return {one};
  std::vector<wire::ec2::IpPermission> all(3, one);
  struct Range {
    const char* protocol;
    std::int64_t from;
    std::int64_t to;
  };
  constexpr Range ranges[] = {{"tcp", 0, 65535}, {"udp", 0, 65535}, {"icmp", -1, -1}};
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].ip_protocol = ranges[i].protocol;
    all[i].from_port = ranges[i].from;
    all[i].to_port = ranges[i].to;
  }
  return all;
}

template <class Request>
bool is_flat(const Request& request) {
  if (given(request.source_security_group_owner_id) && !given(request.source_security_group_name))
    throw wire::missing_parameter("SourceSecurityGroupName");
  return given(request.ip_protocol) || given(request.cidr_ip) || given(request.source_security_group_name) || request.from_port ||
         request.to_port;
}

template <class Request>
std::vector<wire::ec2::IpPermission> permissions_asked(const Request& request) {
  const bool flat = is_flat(request);
  if (!request.ip_permissions.empty()) {
    if (flat) throw wire::invalid_parameter_combination("The parameter 'ipPermissions' may not be used in combination with 'ipProtocol'");
    return request.ip_permissions;
  }
  if (!flat) throw wire::missing_parameter("ipPermissions");
  return flat_permissions(request);
}

// For each direction, IPv4 and IPv6 apart; a group as peer counts for both.
void check_limit(const state::World& world, const Context& context, const SecurityGroup& group, Rules kind) {
  const auto& rules = group.*kind;
  const auto count = [&](auto&& counts) {
    std::int64_t sum = 0;
    for (const auto& rule : rules)
      if (counts(rule)) sum += weight_of(world, context, rule.prefix_list_id);
    return sum;
  };
  const auto ipv4 = count([](const SecurityRule& rule) { return rule.cidr6.empty(); });
  // The lists are of IPv4.
  const auto ipv6 = count([](const SecurityRule& rule) { return rule.cidr.empty() && rule.prefix_list_id.empty(); });
  const auto limit =
      quota_of(world, context.services.settings, context.account(), Quota::rules_per_group, context.is_2011() || domain::is_classic(group));
  if (std::max(ipv4, ipv6) > limit) throw quota_exceeded(Quota::rules_per_group, limit);
}

// Adds the rules, all or none, and returns them with their ids.
std::vector<wire::ec2::SecurityGroupRule> authorize(state::Transaction& transaction, const Context& context, SecurityGroup group,
                                                    Rules rules, const std::vector<wire::ec2::IpPermission>& permissions,
                                                    const std::vector<wire::ec2::TagSpecification>& tags) {
  check_tag_types(tags, {"security-group-rule"});
  auto& present = group.*rules;
  const auto before = present.size();
  for (auto& rule : read_rules(transaction.world(), context, group, permissions)) {
    for (size_t i = 0; i < before; ++i)
      if (present[i].same_permission(rule))
        throw wire::ApiError(400, "InvalidPermission.Duplicate",
                             fmt::format("the specified rule \"{}\" already exists", describe_rule(rule)));
    check_new_rule(transaction.world(), rule);
    rule.id = make_id(transaction.random(), "sgr");
    tag_on_create(transaction, group.account, rule.id, "security-group-rule", tags);
    present.push_back(std::move(rule));
  }
  check_limit(transaction.world(), context, group, rules);
  std::vector<wire::ec2::SecurityGroupRule> made;
  for (size_t i = before; i < present.size(); ++i)
    made.push_back(show_rule(transaction.world(), context, group, present[i], rules == &SecurityGroup::egress, false));
  transaction.put(std::move(group));
  return made;
}

wire::ec2::RevokedSecurityGroupRule show_revoked(const SecurityGroup& group, const SecurityRule& rule, bool is_egress) {
  wire::ec2::RevokedSecurityGroupRule out;
  show_rule_fields(out, group, rule, is_egress);
  if (!rule.group_id.empty()) out.referenced_group_id = rule.group_id;
  return out;
}

// The places of the rules that are to go. Throws when one is not there: nothing is revoked then.
template <class Request>
std::vector<size_t> rules_to_revoke(const state::World& world, const Context& context, const SecurityGroup& group,
                                    const std::vector<SecurityRule>& present, const Request& request) {
  std::vector<size_t> places;
  const auto find = [&](auto&& matches) {
    const auto at = std::find_if(present.begin(), present.end(), matches);
    if (at == present.end()) return false;
    places.push_back(static_cast<size_t>(at - present.begin()));
    return true;
  };
  if (!request.security_group_rule_ids.empty()) {
    if (!request.ip_permissions.empty() || is_flat(request))
      throw wire::invalid_parameter_combination("The parameter 'securityGroupRuleIds' may not be used in combination with 'ipPermissions'");
    for (const auto& id : request.security_group_rule_ids) {
      check_id("sgr", "SecurityGroupRuleId", id);
      if (!find([&](const SecurityRule& rule) { return rule.id == id; }))
        throw wire::id_not_found("SecurityGroupRuleId", "security group rule", id);
    }
    return places;
  }
  for (const auto& asked : read_rules(world, context, group, permissions_asked(request)))
    if (!find([&](const SecurityRule& rule) { return rule.same_permission(asked); }))
      throw wire::ApiError(400, "InvalidPermission.NotFound", "The specified rule does not exist in this security group.");
  return places;
}

template <class Request>
std::vector<wire::ec2::RevokedSecurityGroupRule> revoke(state::Transaction& transaction, const Context& context, SecurityGroup group,
                                                        Rules rules, const Request& request) {
  auto& present = group.*rules;
  auto places = rules_to_revoke(transaction.world(), context, group, present, request);
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  std::vector<wire::ec2::RevokedSecurityGroupRule> gone;
  for (const auto place : places) {
    gone.push_back(show_revoked(group, present[place], rules == &SecurityGroup::egress));
    erase_tags(transaction, group.account, present[place].id);
  }
  for (auto place = places.rbegin(); place != places.rend(); ++place) present.erase(present.begin() + static_cast<std::ptrdiff_t>(*place));
  transaction.put(std::move(group));
  return gone;
}

wire::ec2::AuthorizeSecurityGroupIngressResponse authorize_ingress(state::Transaction& transaction, const Context& context,
                                                                   const wire::ec2::AuthorizeSecurityGroupIngressRequest& request) {
  const auto& group = find_group(transaction.world(), context.account(), request.group_id, request.group_name);
  wire::ec2::AuthorizeSecurityGroupIngressResponse response;
  response.security_group_rules =
      authorize(transaction, context, group, &SecurityGroup::ingress, permissions_asked(request), request.tag_specifications);
  return response;
}

wire::ec2::RevokeSecurityGroupIngressResponse revoke_ingress(state::Transaction& transaction, const Context& context,
                                                             const wire::ec2::RevokeSecurityGroupIngressRequest& request) {
  const auto& group = find_group(transaction.world(), context.account(), request.group_id, request.group_name);
  wire::ec2::RevokeSecurityGroupIngressResponse response;
  response.revoked_security_group_rules = revoke(transaction, context, group, &SecurityGroup::ingress, request);
  return response;
}

// Groups of EC2-Classic have rules for what comes in only (NET-048).
const SecurityGroup& find_vpc_group(const state::World& world, const Context& context, const std::optional<std::string>& id) {
  const auto& group = find_group(world, context.account(), id, std::nullopt);
  if (domain::is_classic(group)) throw wire::invalid_parameter_value("Only Amazon VPC security groups may be used with this operation.");
  return group;
}

wire::ec2::AuthorizeSecurityGroupEgressResponse authorize_egress(state::Transaction& transaction, const Context& context,
                                                                 const wire::ec2::AuthorizeSecurityGroupEgressRequest& request) {
  const auto& group = find_vpc_group(transaction.world(), context, request.group_id);
  wire::ec2::AuthorizeSecurityGroupEgressResponse response;
  response.security_group_rules =
      authorize(transaction, context, group, &SecurityGroup::egress, permissions_asked(request), request.tag_specifications);
  return response;
}

wire::ec2::RevokeSecurityGroupEgressResponse revoke_egress(state::Transaction& transaction, const Context& context,
                                                           const wire::ec2::RevokeSecurityGroupEgressRequest& request) {
  const auto& group = find_vpc_group(transaction.world(), context, request.group_id);
  wire::ec2::RevokeSecurityGroupEgressResponse response;
  response.revoked_security_group_rules = revoke(transaction, context, group, &SecurityGroup::egress, request);
  return response;
}

}  // namespace

std::vector<service::Action> security_group_permission_actions() {
  return {
      service::write_action("AuthorizeSecurityGroupIngress", authorize_ingress),
      service::write_action("RevokeSecurityGroupIngress", revoke_ingress),
      service::write_action("AuthorizeSecurityGroupEgress", authorize_egress),
      service::write_action("RevokeSecurityGroupEgress", revoke_egress),
  };
}

}  // namespace brume::ec2
