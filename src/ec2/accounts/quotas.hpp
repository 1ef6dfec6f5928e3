// How many of each kind of thing an account may have (NET-046, NET-048, NET-080, NET-095, OPS-092): EC2's defaults, what the installation
// says (brumed --quota) and what the operator says of one account (brume account limit), the last first.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

inline constexpr std::int64_t unlimited = std::numeric_limits<std::int64_t>::max();

enum class Quota : std::uint8_t {
  instances,
  vcpus,
  memory_gib,
  cluster_instances,
  gpu_instances,
  addresses,
  vpcs,
  subnets_per_vpc,
  internet_gateways,
  nat_gateways,
  route_tables_per_vpc,
  routes_per_table,
  network_acls_per_vpc,
  entries_per_acl,
  groups_per_vpc,
  rules_per_group,
  network_interfaces,
  vpc_endpoints,
  vpn_gateways,
  customer_gateways,
  vpn_connections,
  prefix_lists,
  key_pairs,
  placement_groups,
  launch_templates,
  volumes,
  volume_gib,
  snapshots,
  images,
};

struct QuotaRow {
  Quota quota;
  std::string_view name;      // to the operator: "addresses"
  std::int64_t today;         // EC2's default; 0: as many as fit
  std::int64_t classic;       // the guide's: for accounts of EC2-Classic, and of one parent for what the guide's API asks
  bool of_one_parent;         // of one VPC, group or table, not of the account: holds in simulation as well
  std::string_view error;     // EC2's code for one too many
  std::string_view sentence;  // and its words; {} stands for the number
  std::string_view service;   // of Service Quotas: "ec2", "vpc", "ebs"; empty: it does not know it
  std::string_view code;      // there: "L-0263D0A3"
  std::string_view title;     // there
};
std::span<const QuotaRow> quota_rows();
const QuotaRow& row_of(Quota quota);
// By the operator's name; nullptr: there is none.
const QuotaRow* find_quota(std::string_view name);

// The account's, as a request of the guide's API (`of_guide`) or of today's sees it; `unlimited`: none.
std::int64_t quota_of(const state::World& world, const service::Settings& settings, const std::string& account, Quota quota,
                      bool of_guide = false);
std::int64_t quota_of(const state::World& world, const service::Context& context, Quota quota);
// EC2's default for such an account, whatever was said since.
std::int64_t default_quota(const state::World& world, const service::Settings& settings, const std::string& account, Quota quota,
                           bool of_guide = false);

// Throws the quota's error when the caller's account has as many as it may: with `more`, when they do not fit.
void check_quota(const state::World& world, const service::Context& context, Quota quota, std::int64_t have, std::int64_t more = 1);
// The same for one more image: nearly always there are not so many in all of the installation, and nothing is counted.
void check_image_quota(const state::World& world, const service::Context& context);
wire::ApiError quota_exceeded(Quota quota, std::int64_t limit);

// What the operator says of the account: a number, 0 for no limit, -1 for the default again. `account` "*": of all that are not named.
void set_quota(state::Transaction& transaction, const std::string& account, Quota quota, std::int64_t limit);
// Nothing is said of the account any more.
void forget_quotas(state::Transaction& transaction, const std::string& account);
// What is said of accounts becomes what `first` says: of another region.
void follow_quotas(state::Transaction& transaction, const state::World& first);

}  // namespace brume::ec2
