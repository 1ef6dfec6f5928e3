// Rules that name groups of peer VPCs: which peers refer to a group, and which rules refer to groups that no longer exist.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/network/vpc_peerings.hpp"
#include "ec2/network/vpcs.hpp"
#include "ec2/security_groups/rule_parsing.hpp"
#include "ec2/security_groups/security_groups.hpp"
#include "wire/ec2/security_groups.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::SecurityGroup;
using state::SecurityRule;
using state::VpcPeering;
using state::World;

bool names(const SecurityGroup& group, const std::string& peer_id) {
  const auto named = [&](const SecurityRule& rule) { return rule.group_id == peer_id; };
  return std::any_of(group.ingress.begin(), group.ingress.end(), named) || std::any_of(group.egress.begin(), group.egress.end(), named);
}

// Only over active peerings: over others nobody can refer to anything.
void add_references(const World& world, const SecurityGroup& group, std::vector<wire::ec2::SecurityGroupReference>& out) {
  world.each_indexed<VpcPeering>(state::Index::peering_by_vpc, group.vpc_id, [&](const VpcPeering& peering) {
    if (!peering.is_active()) return;
    const auto& vpc_id = peering.other_vpc(group.vpc_id);
    bool found = false;
    world.each_of<SecurityGroup>(peering.other_account(group.vpc_id), [&](const SecurityGroup& other) {
      found = other.vpc_id == vpc_id && names(other, group.id);
      return !found;
    });
    if (!found) return;
    auto& item = out.emplace_back();
    item.group_id = group.id;
    item.referencing_vpc_id = vpc_id;
    item.vpc_peering_connection_id = peering.id;
  });
}

wire::ec2::DescribeSecurityGroupReferencesResponse describe_references(const World& world, const Context& context,
                                                                       const wire::ec2::DescribeSecurityGroupReferencesRequest& request) {
  if (request.group_id.empty()) throw wire::missing_parameter("GroupId");
  wire::ec2::DescribeSecurityGroupReferencesResponse response;
  for (const auto& id : request.group_id)
    add_references(world, find_group(world, context.account(), id, std::nullopt), response.security_group_reference_set);
  return response;
}

// ----- stale

std::vector<wire::ec2::StaleIpPermission> stale_of(const World& world, const Context& context, const std::vector<SecurityRule>& rules) {
  std::vector<SecurityRule> stale;
  std::copy_if(rules.begin(), rules.end(), std::back_inserter(stale), [&](const SecurityRule& rule) { return is_stale(world, rule); });
  std::vector<wire::ec2::StaleIpPermission> out;
  for (auto& permission : show_permissions(world, context, stale)) {
    auto& item = out.emplace_back();
    item.ip_protocol = permission.ip_protocol;
    item.from_port = permission.from_port;
    item.to_port = permission.to_port;
    item.user_id_group_pairs = std::move(permission.user_id_group_pairs);
  }
  return out;
}

wire::ec2::DescribeStaleSecurityGroupsResponse describe_stale(const World& world, const Context& context,
                                                              const wire::ec2::DescribeStaleSecurityGroupsRequest& request) {
  const auto& vpc = find_vpc(world, context.account(), request.vpc_id);
  Page page(context, "DescribeStaleSecurityGroups/" + vpc.id, request.max_results, request.next_token, {.least = 5, .most = 255});
  wire::ec2::DescribeStaleSecurityGroupsResponse response;
  world.each_of<SecurityGroup>(
      context.account(),
      [&](const SecurityGroup& group) {
        if (group.vpc_id != vpc.id) return true;
        auto ingress = stale_of(world, context, group.ingress);
        auto egress = stale_of(world, context, group.egress);
        if (ingress.empty() && egress.empty()) return true;
        if (!page.take(group.id)) return false;
        auto& item = response.stale_security_group_set.emplace_back();
        item.group_id = group.id;
        item.group_name = group.name;
        item.description = group.description;
        item.vpc_id = group.vpc_id;
        item.stale_ip_permissions = std::move(ingress);
        item.stale_ip_permissions_egress = std::move(egress);
        return true;
      },
      page.after());
  response.next_token = page.next_token();
  return response;
}

}  // namespace

std::vector<service::Action> security_group_reference_actions() {
  return {
      service::read_action("DescribeSecurityGroupReferences", describe_references),
      service::read_action("DescribeStaleSecurityGroups", describe_stale),
  };
}

}  // namespace brume::ec2
