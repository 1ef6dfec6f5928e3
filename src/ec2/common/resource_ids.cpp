#include "ec2/common/resource_ids.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace brume::ec2 {
namespace {

// clang-format off
constexpr ResourceKind kinds[] = {
  {"i", "instance", "InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound", "The instance ID '{}' does not exist", "The instance IDs '{}' do not exist"},
  {"vol", "volume", "InvalidVolumeID.Malformed", "InvalidVolume.NotFound", "The volume '{}' does not exist.", "The volumes '{}' do not exist."},
  {"snap", "snapshot", "InvalidSnapshotID.Malformed", "InvalidSnapshot.NotFound", "The snapshot '{}' does not exist.", "The snapshots '{}' do not exist."},
  {"ami", "image", "InvalidAMIID.Malformed", "InvalidAMIID.NotFound", "The image id '[{}]' does not exist", "The image ids '[{}]' do not exist"},
  {"aki", "image", "InvalidAMIID.Malformed", "InvalidAMIID.NotFound", "The image id '[{}]' does not exist", "The image ids '[{}]' do not exist"},
  {"ari", "image", "InvalidAMIID.Malformed", "InvalidAMIID.NotFound", "The image id '[{}]' does not exist", "The image ids '[{}]' do not exist"},
  {"key", "key-pair", "InvalidKeyPairId.Malformed", "InvalidKeyPair.NotFound", "The key pair ID '{}' does not exist", "The key pair IDs '{}' do not exist"},
  {"sg", "security-group", "InvalidGroupId.Malformed", "InvalidGroup.NotFound", "The security group '{}' does not exist", "The security groups '{}' do not exist"},
  {"sgr", "security-group-rule", "InvalidSecurityGroupRuleId.Malformed", "InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '{}' does not exist", "The security group rule IDs '{}' do not exist"},
  {"vpc", "vpc", "InvalidVpcID.Malformed", "InvalidVpcID.NotFound", "The vpc ID '{}' does not exist", "The vpc IDs '{}' do not exist"},
  {"subnet", "subnet", "InvalidSubnetID.Malformed", "InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist", "The subnet IDs '{}' do not exist"},
  {"eni", "network-interface", "InvalidNetworkInterfaceId.Malformed", "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '{}' does not exist", "The networkInterface IDs '{}' do not exist"},
  {"eipalloc", "elastic-ip", "InvalidAllocationID.Malformed", "InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist", "The allocation IDs '{}' do not exist"},
  {"igw", "internet-gateway", "InvalidInternetGatewayId.Malformed", "InvalidInternetGatewayID.NotFound", "The internetGateway ID '{}' does not exist", "The internetGateway IDs '{}' do not exist"},
  {"eigw", "egress-only-internet-gateway", "InvalidEgressOnlyInternetGatewayId.Malformed", "InvalidEgressOnlyInternetGatewayId.NotFound", "The egress-only internet gateway ID '{}' does not exist", "The egress-only internet gateway IDs '{}' do not exist"},
  {"rtb", "route-table", "InvalidRouteTableId.Malformed", "InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist", "The routeTable IDs '{}' do not exist"},
  {"acl", "network-acl", "InvalidNetworkAclId.Malformed", "InvalidNetworkAclID.NotFound", "The networkAcl ID '{}' does not exist", "The networkAcl IDs '{}' do not exist"},
  {"dopt", "dhcp-options", "InvalidDhcpOptionsId.Malformed", "InvalidDhcpOptionID.NotFound", "The dhcpOption ID '{}' does not exist", "The dhcpOption IDs '{}' do not exist"},
  {"nat", "natgateway", "NatGatewayMalformed", "NatGatewayNotFound", "The Nat Gateway {} was not found", "The Nat Gateways {} were not found"},
  {"pl", "prefix-list", "InvalidPrefixListId.Malformed", "InvalidPrefixListID.NotFound", "The prefix list ID '{}' does not exist", "The prefix list IDs '{}' do not exist"},
  {"cgw", "customer-gateway", "InvalidCustomerGatewayId.Malformed", "InvalidCustomerGatewayID.NotFound", "The customerGateway ID '{}' does not exist", "The customerGateway IDs '{}' do not exist"},
  {"vgw", "vpn-gateway", "InvalidVpnGatewayID.Malformed", "InvalidVpnGatewayID.NotFound", "The vpnGateway ID '{}' does not exist", "The vpnGateway IDs '{}' do not exist"},
  {"vpn", "vpn-connection", "InvalidVpnConnectionID.Malformed", "InvalidVpnConnectionID.NotFound", "The vpnConnection ID '{}' does not exist", "The vpnConnection IDs '{}' do not exist"},
  {"pcx", "vpc-peering-connection", "InvalidVpcPeeringConnectionId.Malformed", "InvalidVpcPeeringConnectionID.NotFound", "The vpcPeeringConnection ID '{}' does not exist", "The vpcPeeringConnection IDs '{}' do not exist"},
  {"vpce", "vpc-endpoint", "InvalidVpcEndpointId.Malformed", "InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '{}' does not exist", "The Vpc Endpoint Ids '{}' do not exist"},
  {"fl", "vpc-flow-log", "InvalidFlowLogId.Malformed", "InvalidFlowLogId.NotFound", "These flow log ids in the input list are not found: [TotalCount: 1] {}", "These flow log ids in the input list are not found: {}"},
  {"lt", "launch-template", "InvalidLaunchTemplateId.Malformed", "InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID {}, does not exist.", "The specified launch templates, with template IDs {}, do not exist."},
  {"replacevol", "replace-root-volume-task", "InvalidReplaceRootVolumeTaskId.Malformed", "InvalidReplaceRootVolumeTaskId.NotFound", "The replace root volume task ID '{}' does not exist", "The replace root volume task IDs '{}' do not exist"},
  {"pg", "placement-group", "InvalidPlacementGroupId.Malformed", "InvalidPlacementGroup.Unknown", "The Placement Group '{}' is unknown.", "The Placement Groups '{}' are unknown."},
};
// clang-format on

const ResourceKind& need_kind(std::string_view prefix) {
  const auto* kind = kind_of_prefix(prefix);
  if (kind == nullptr) throw std::logic_error("no kind of resource has ids that begin with " + std::string(prefix));
  return *kind;
}

}  // namespace

const ResourceKind* kind_of_prefix(std::string_view prefix) {
  const auto* found = std::find_if(std::begin(kinds), std::end(kinds), [&](const auto& kind) { return kind.prefix == prefix; });
  return found == std::end(kinds) ? nullptr : found;
}

const ResourceKind* kind_of_id(std::string_view id) {
  const auto dash = id.find('-');
  return dash == std::string_view::npos ? nullptr : kind_of_prefix(id.substr(0, dash));
}

bool is_well_formed_id(std::string_view prefix, std::string_view id) {
  if (!id.starts_with(prefix) || id.size() <= prefix.size() || id[prefix.size()] != '-') return false;
  const auto digits = id.substr(prefix.size() + 1);
  return (digits.size() == 8 || digits.size() == 17) &&
         std::all_of(digits.begin(), digits.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void check_id(std::string_view prefix, std::string_view id) {
  if (!is_well_formed_id(prefix, id))
    throw wire::ApiError(400, std::string(need_kind(prefix).malformed),
                         fmt::format("Invalid id: \"{}\" (expecting \"{}-...\")", id, prefix));
}

void check_id(std::string_view prefix, std::string_view code_noun, std::string_view id) {
  if (!is_well_formed_id(prefix, id)) throw wire::id_malformed(code_noun, id);
}

void check_account_id(std::string_view id) {
  if (id.size() != 12 || id.find_first_not_of("0123456789") != std::string_view::npos)
    throw wire::ApiError(400, "InvalidUserID.Malformed", fmt::format("Invalid user id: \"{}\"", id));
}

wire::ApiError id_unknown(std::string_view prefix, std::string_view id) {
  const auto& kind = need_kind(prefix);
  return {400, std::string(kind.not_found), fmt::format(fmt::runtime(kind.one), id)};
}

wire::ApiError ids_unknown(std::string_view prefix, const std::vector<std::string>& ids) {
  if (ids.size() == 1) return id_unknown(prefix, ids.front());
  const auto& kind = need_kind(prefix);
  return {400, std::string(kind.not_found), fmt::format(fmt::runtime(kind.many), fmt::join(ids, ", "))};
}

std::string_view resource_type_of(std::string_view id) {
  const auto* kind = kind_of_id(id);
  return kind == nullptr ? std::string_view() : kind->type;
}

wire::ApiError ids_not_found(std::string_view code_noun, std::string_view noun, const std::vector<std::string>& ids) {
  if (ids.size() == 1) return wire::id_not_found(code_noun, noun, ids.front());
  return {400, fmt::format("Invalid{}.NotFound", code_noun), fmt::format("The {} IDs '{}' do not exist", noun, fmt::join(ids, ", "))};
}

}  // namespace brume::ec2
