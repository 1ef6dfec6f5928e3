#include "ec2/accounts/quotas.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "domain/classic.hpp"

namespace brume::ec2 {
namespace {

constexpr std::string_view no_key_pairs_left = "You have reached the maximum number of key pairs ({}).";

// In the order of the enumeration. Accounts have as many instances, processors and GiB of memory as the host can hold; of EC2-Classic the
// guide's 20, 8 of them with GPUs.
// clang-format off
constexpr QuotaRow rows[] = {
  {Quota::instances, "instances", 0, 20, false, "InstanceLimitExceeded", "You have requested more instances than your current instance limit of {} allows for.", "", "", ""},
  {Quota::vcpus, "vcpus", 0, 0, false, "VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of {} allows for the instance bucket that the specified instance type belongs to.", "ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"},
  {Quota::memory_gib, "memory-gib", 0, 0, false, "InstanceLimitExceeded", "You have requested more memory than your current limit of {} GiB allows for.", "", "", ""},
  {Quota::cluster_instances, "cluster-instances", 0, 0, false, "InstanceLimitExceeded", "You have requested more cluster instances than your current limit of {} allows for.", "", "", ""},
  {Quota::gpu_instances, "gpu-instances", 0, 8, false, "InstanceLimitExceeded", "You have requested more GPU instances than your current limit of {} allows for.", "", "", ""},
  {Quota::addresses, "addresses", 5, 5, false, "AddressLimitExceeded", "The maximum number of addresses has been reached.", "ec2", "L-0263D0A3", "EC2-VPC Elastic IPs"},
  {Quota::vpcs, "vpcs", 5, 5, false, "VpcLimitExceeded", "The maximum number of VPCs has been reached.", "vpc", "L-F678F1CE", "VPCs per Region"},
  {Quota::subnets_per_vpc, "subnets-per-vpc", 200, 200, true, "SubnetLimitExceeded", "The maximum number of subnets has been reached.", "vpc", "L-407747CB", "Subnets per VPC"},
  {Quota::internet_gateways, "internet-gateways", 5, 5, false, "InternetGatewayLimitExceeded", "The maximum number of internet gateways has been reached.", "vpc", "L-A4707A72", "Internet gateways per Region"},
  {Quota::nat_gateways, "nat-gateways", 5, 5, false, "NatGatewayLimitExceeded", "Performing this operation would exceed the limit of {} NAT gateways", "vpc", "L-FE5A380F", "NAT gateways per Availability Zone"},
  {Quota::route_tables_per_vpc, "route-tables-per-vpc", 200, 200, true, "RouteTableLimitExceeded", "The maximum number of route tables has been reached.", "vpc", "L-589F43AA", "Route tables per VPC"},
  {Quota::routes_per_table, "routes-per-table", 50, 50, true, "RouteLimitExceeded", "The maximum number of routes has been reached.", "vpc", "L-93826ACB", "Routes per route table"},
  {Quota::network_acls_per_vpc, "network-acls-per-vpc", 200, 200, true, "NetworkAclLimitExceeded", "The maximum number of network ACLs has been reached.", "vpc", "L-B4A6D682", "Network ACLs per VPC"},
  {Quota::entries_per_acl, "entries-per-acl", 20, 20, true, "NetworkAclEntryLimitExceeded", "The maximum number of network ACL entries has been reached.", "vpc", "L-2AEEBF1A", "Rules per network ACL"},
  {Quota::groups_per_vpc, "groups-per-vpc", 2500, 500, true, "SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.", "vpc", "L-E79EC296", "VPC security groups per Region"},
  {Quota::rules_per_group, "rules-per-group", 60, 100, true, "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.", "vpc", "L-0EA8095F", "Inbound or outbound rules per security group"},
  {Quota::network_interfaces, "network-interfaces", 5000, 5000, false, "NetworkInterfaceLimitExceeded", "The maximum number of network interfaces has been reached.", "vpc", "L-DF5E4CA3", "Network interfaces per Region"},
  {Quota::vpc_endpoints, "vpc-endpoints", 20, 20, false, "VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.", "vpc", "L-1B52E74A", "Gateway VPC endpoints per Region"},
  {Quota::vpn_gateways, "vpn-gateways", 5, 5, false, "VpnGatewayLimitExceeded", "The maximum number of virtual private gateways has been reached.", "ec2", "L-7029FAB6", "Virtual private gateways per region"},
  {Quota::customer_gateways, "customer-gateways", 50, 50, false, "CustomerGatewayLimitExceeded", "The maximum number of customer gateways has been reached.", "ec2", "L-4FB7FF5D", "Customer gateways per region"},
  {Quota::vpn_connections, "vpn-connections", 10, 10, true, "VpnConnectionLimitExceeded", "The maximum number of VPN connections has been reached.", "ec2", "L-B91E5754", "VPN connections per VGW"},
  {Quota::prefix_lists, "prefix-lists", 100, 100, false, "ResourceLimitExceeded", "The maximum number of prefix lists has been reached.", "", "", ""},
  {Quota::key_pairs, "key-pairs", 5000, 5000, false, "ResourceLimitExceeded", no_key_pairs_left, "", "", ""},
  {Quota::placement_groups, "placement-groups", 500, 500, false, "PlacementGroupLimitExceeded", "An account has at most {} placement groups.", "", "", ""},
  {Quota::launch_templates, "launch-templates", 5000, 5000, false, "ResourceLimitExceeded", "An account has at most {} launch templates.", "ec2", "L-FB451C26", "Launch templates per Region"},
  {Quota::volumes, "volumes", 5000, 5000, false, "VolumeLimitExceeded", "You have exceeded your maximum of {} volumes.", "", "", ""},
  {Quota::volume_gib, "volume-gib", 20'480, 20'480, false, "VolumeLimitExceeded", "You have exceeded your maximum of {} GiB of volume storage.", "", "", ""},
  {Quota::snapshots, "snapshots", 100'000, 100'000, false, "SnapshotLimitExceeded", "You have exceeded your maximum of {} snapshots.", "ebs", "L-309BACF6", "Snapshots per Region"},
  {Quota::images, "images", 50'000, 50'000, false, "ResourceLimitExceeded", "You have exceeded your maximum of {} AMIs.", "ec2", "L-B665C33B", "AMIs"},
};
// clang-format on

constexpr bool are_in_order() {
  for (size_t i = 0; i < std::size(rows); ++i)
    if (static_cast<size_t>(rows[i].quota) != i) return false;
  return true;
}
static_assert(are_in_order());

constexpr std::string_view prefix = "quota/";
constexpr std::string_view all_accounts = "*";

std::string setting_of(std::string_view account, std::string_view name) { return fmt::format("{}{}/{}", prefix, account, name); }

std::optional<std::int64_t> said(const state::World& world, std::string_view account, std::string_view name) {
  const auto* setting = world.find<state::Setting>(setting_of(account, name));
  return setting == nullptr ? std::nullopt : parse_integer(setting->value);
}

std::int64_t or_unlimited(std::int64_t limit) { return limit > 0 ? limit : unlimited; }

// What options of the daemon's own say for all accounts.
std::optional<std::int64_t> option_of(const service::Settings& settings, Quota quota) {
  if (quota == Quota::volumes) return settings.storage.volumes;
  if (quota == Quota::volume_gib) return settings.storage.volume_gib;
  if (quota == Quota::snapshots && !settings.simulated) return settings.storage.snapshots;
  if (quota == Quota::instances && settings.instance_limit > 0) return settings.instance_limit;
  return std::nullopt;
}

}  // namespace

std::span<const QuotaRow> quota_rows() { return rows; }
const QuotaRow& row_of(Quota quota) { return rows[static_cast<size_t>(quota)]; }

const QuotaRow* find_quota(std::string_view name) {
  const auto* found = std::find_if(std::begin(rows), std::end(rows), [&](const auto& row) { return row.name == name; });
  return found == std::end(rows) ? nullptr : found;
}

std::int64_t default_quota(const state::World& world, const service::Settings& settings, const std::string& account, Quota quota,
                           bool of_guide) {
  const auto& row = row_of(quota);
  if (settings.simulated && !row.of_one_parent) return unlimited;
  // What a VPC or a group may hold follows from the API that asks, what an account may have from the account.
  const bool counts_as_then = row.of_one_parent ? of_guide : domain::has_classic(world, account);
  return or_unlimited(counts_as_then ? row.classic : row.today);
}

std::int64_t quota_of(const state::World& world, const service::Settings& settings, const std::string& account, Quota quota,
                      bool of_guide) {
  const auto name = row_of(quota).name;
  if (quota == Quota::instances)
    if (const auto* found = world.find<state::Account>(account); found != nullptr && found->instance_limit >= 0)
      return or_unlimited(found->instance_limit);
  if (const auto limit = said(world, account, name)) return or_unlimited(*limit);
  if (const auto limit = said(world, all_accounts, name)) return or_unlimited(*limit);
  if (const auto limit = option_of(settings, quota)) return or_unlimited(*limit);
  return default_quota(world, settings, account, quota, of_guide);
}

std::int64_t quota_of(const state::World& world, const service::Context& context, Quota quota) {
  return quota_of(world, context.services.settings, context.account(), quota, context.is_2011());
}

wire::ApiError quota_exceeded(Quota quota, std::int64_t limit) {
  const auto& row = row_of(quota);
  return {400, std::string(row.error), fmt::format(fmt::runtime(row.sentence), limit)};
}

void check_quota(const state::World& world, const service::Context& context, Quota quota, std::int64_t have, std::int64_t more) {
  const auto limit = quota_of(world, context, quota);
  if (more > limit - have) throw quota_exceeded(quota, limit);
}

void check_image_quota(const state::World& world, const service::Context& context) {
  if (static_cast<std::int64_t>(world.size<state::Image>()) < quota_of(world, context, Quota::images)) return;
  std::int64_t count = 0;
  world.each_of<state::Image>(context.account(), [&](const state::Image&) { ++count; });
  check_quota(world, context, Quota::images, count);
}

void set_quota(state::Transaction& transaction, const std::string& account, Quota quota, std::int64_t limit) {
  const auto name = setting_of(account, row_of(quota).name);
  if (limit >= 0)
    transaction.put(state::Setting{name, std::to_string(limit)});
  else if (transaction.find<state::Setting>(name) != nullptr)
    transaction.erase<state::Setting>(name);
}

void forget_quotas(state::Transaction& transaction, const std::string& account) {
  for (const auto& row : rows) set_quota(transaction, account, row.quota, -1);
}

void follow_quotas(state::Transaction& transaction, const state::World& first) {
  std::vector<state::Setting> wanted;
  first.each<state::Setting>(prefix, [&](const state::Setting& setting) { wanted.push_back(setting); });
  std::vector<std::string> gone;
  transaction.world().each<state::Setting>(prefix, [&](const state::Setting& setting) {
    if (first.find<state::Setting>(setting.name) == nullptr) gone.push_back(setting.name);
  });
  for (const auto& name : gone) transaction.erase<state::Setting>(name);
  for (auto& setting : wanted) transaction.put(std::move(setting));
}

}  // namespace brume::ec2
