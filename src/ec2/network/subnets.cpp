// Subnets: a range of a VPC in one zone. Which route table and network ACL they use is in those records.
#include <fmt/format.h>

#include <algorithm>

#include "domain/arns.hpp"
#include "domain/zones.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/absent_tags.hpp"
#include "ec2/common/attributes.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/free_addresses.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/default_network.hpp"
#include "ec2/network/ipv6_ranges.hpp"
#include "ec2/network/vpcs.hpp"
#include "ec2/security_groups/security_groups.hpp"
#include "wire/ec2/subnets.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::Subnet;
using state::World;

constexpr std::string_view host_names = "ip-name";  // hosts of every subnet are named after their IPv4 addresses

std::string arn_of(const service::Settings& settings, const Subnet& subnet) {
  return domain::arn_of(settings.partition, "ec2", settings.region, subnet.account, "subnet/" + subnet.id);
}

void add_zone_id(const FilterSubject<Subnet>& at, FilterValues& out) {
  out.add(domain::zone_id_of(at.world, at.record.account, at.context->services.settings.zones, at.record.zone));
}

const FilterField<Subnet> subnet_filters[] = {
    field<&Subnet::id>("subnet-id"),
    {"subnet-arn", [](const auto& at, auto& out) { out.add(arn_of(at.context->services.settings, at.record)); }},
    field<&Subnet::vpc_id>("vpc-id"),
    field<&Subnet::cidr>("cidr"),
    field<&Subnet::cidr>("cidr-block"),
    field<&Subnet::cidr>("cidrBlock"),
    field<&Subnet::zone>("availability-zone"),
    field<&Subnet::zone>("availabilityZone"),
    {"availability-zone-id", add_zone_id},
    {"availabilityZoneId", add_zone_id},
    field<&Subnet::is_default>("default-for-az"),
    field<&Subnet::is_default>("defaultForAz"),
    field<&Subnet::gives_public_address>("map-public-ip-on-launch"),
    {"map-customer-owned-ip-on-launch", [](const auto&, auto& out) { out.add(false); }},
    {"enable-dns64", [](const auto&, auto& out) { out.add(false); }},
    {"ipv6-cidr-block-association.association-id",
     [](const auto& at, auto& out) {
       if (!at.record.ipv6_cidr.empty()) out.add(at.record.ipv6_association_id);
     }},
    field_if_set<&Subnet::ipv6_cidr>("ipv6-cidr-block-association.ipv6-cidr-block"),
    {"ipv6-cidr-block-association.state",
     [](const auto& at, auto& out) {
       if (!at.record.ipv6_cidr.empty()) out.add("associated");
     }},
    {"ipv6-native", [](const auto&, auto& out) { out.add(false); }},
    {"private-dns-name-options-on-launch.hostname-type", [](const auto&, auto& out) { out.add(host_names); }},
    {"private-dns-name-options-on-launch.enable-resource-name-dns-a-record", [](const auto&, auto& out) { out.add(false); }},
    {"private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record", [](const auto&, auto& out) { out.add(false); }},
    {"available-ip-address-count", [](const auto& at, auto& out) { out.add(count_free_addresses(at.world, at.record)); }},
    field<&Subnet::account>("owner-id"),
    {"state", [](const auto&, auto& out) { out.add("available"); }},
};

wire::ec2::Subnet show_subnet(const World& world, const Context& context, const Subnet& subnet) {
  const auto& settings = context.services.settings;
  wire::ec2::Subnet item;
  item.subnet_id = subnet.id;
  item.subnet_arn = arn_of(settings, subnet);
  item.owner_id = subnet.account;
  item.state = "available";
  item.vpc_id = subnet.vpc_id;
  item.cidr_block = subnet.cidr;
  item.available_ip_address_count = count_free_addresses(world, subnet);
  item.availability_zone = subnet.zone;
  item.availability_zone_id = domain::zone_id_of(world, subnet.account, settings.zones, subnet.zone);
  item.default_for_az = subnet.is_default;
  item.map_public_ip_on_launch = subnet.gives_public_address;
  item.assign_ipv6_address_on_creation = subnet.gives_ipv6_address;
  item.ipv6_cidr_block_association_set = show_subnet_ipv6(subnet, "associated");
  item.map_customer_owned_ip_on_launch = false;
  item.enable_dns64 = false;
  item.ipv6_native = false;
  auto& names = item.private_dns_name_options_on_launch.emplace();
  names.hostname_type = std::string(host_names);
  names.enable_resource_name_dns_a_record = false;
  names.enable_resource_name_dns_aaaa_record = false;
  item.tags = tags_if_any(world, context, subnet.account, subnet.id);
  return item;
}

wire::ec2::DescribeSubnetsResponse describe_subnets(const World& world, const Context& context,
                                                    const wire::ec2::DescribeSubnetsRequest& request) {
  wire::ec2::DescribeSubnetsResponse response;
  const Listing<Subnet> subnets(world, context, request, {.action = "DescribeSubnets", .filters = subnet_filters});
  response.next_token = subnets.each(request.subnet_ids, "subnet",
                                     [&](const Subnet& subnet) { response.subnets.push_back(show_subnet(world, context, subnet)); });
  return response;
}

// ----- create

void refuse_subnet_option(bool asked, std::string_view what) {
  if (asked) throw wire::unsupported_operation(fmt::format("{} is not supported yet.", what));
}

// By name or by id; the first one if neither is given.
std::string read_zone(const World& world, const Context& context, const std::optional<std::string>& name,
                      const std::optional<std::string>& id) {
  if (name && id) throw wire::invalid_parameter_combination("Specify an Availability Zone or an Availability Zone ID, but not both.");
  const auto zones = domain::zones_of(world, context.account(), context.services.settings.zones);
  if (!name && !id) return zones.front().name;
  for (const auto& zone : zones)
    if ((name && zone.name == *name) || (id && zone.id == *id)) return zone.name;
  std::vector<std::string> names;
  for (const auto& zone : zones) names.push_back(name ? zone.name : zone.id);
  throw wire::invalid_parameter_value(
      fmt::format("Value ({}) for parameter {} is invalid. Subnets can currently only be created in the following availability zones: {}.",
                  name ? *name : *id, name ? "availabilityZone" : "availabilityZoneId", fmt::join(names, ", ")));
}

// The VPC's subnets; throws if there is no room for one more.
std::vector<Ipv4Block> taken_ranges(const World& world, const Context& context, const state::Vpc& vpc) {
  std::vector<Ipv4Block> taken;
  world.each_of<Subnet>(vpc.account, [&](const Subnet& subnet) {
    if (subnet.vpc_id == vpc.id) taken.push_back(*parse_ipv4_block(subnet.cidr));
  });
  check_quota(world, context, Quota::subnets_per_vpc, static_cast<std::int64_t>(taken.size()));
  return taken;
}

bool is_free(const std::vector<Ipv4Block>& taken, const Ipv4Block& range) {
  return std::none_of(taken.begin(), taken.end(), [&](const auto& other) { return overlap(other, range); });
}

// A free part of the VPC, as text.
std::string read_subnet_range(const World& world, const Context& context, const state::Vpc& vpc, const std::optional<std::string>& cidr) {
  const auto range = read_range("cidrBlock", cidr);
  auto text = format_ipv4_block(range);
  const auto ranges = ranges_of(vpc);
  if (range.prefix < 16 || range.prefix > 28 ||
      std::none_of(ranges.begin(), ranges.end(), [&](const auto& whole) { return lies_in(range, whole); }))
    throw wire::ApiError(400, "InvalidSubnet.Range", fmt::format("The CIDR '{}' is invalid.", text));
  if (!is_free(taken_ranges(world, context, vpc), range))
    throw wire::ApiError(400, "InvalidSubnet.Conflict", fmt::format("The CIDR '{}' conflicts with another subnet", text));
  return text;
}

// After everything that can be wrong with the rest of the request. What is requested here may replace a range.
void refuse_unbuilt_subnet_options(const wire::ec2::CreateSubnetRequest& request) {
  refuse_subnet_option(request.ipv6_native.value_or(false), "A subnet of IPv6 alone");
  refuse_subnet_option(
      given(request.ipv4_ipam_pool_id) || request.ipv4_netmask_length || given(request.ipv6_ipam_pool_id) || request.ipv6_netmask_length,
      "IPAM");
  refuse_subnet_option(given(request.outpost_arn), "A subnet on an Outpost");
}

wire::ec2::CreateSubnetResponse create_subnet(state::Transaction& transaction, const Context& context,
                                              const wire::ec2::CreateSubnetRequest& request) {
  check_tag_types(request.tag_specifications, {"subnet"});
  const auto& vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  Subnet subnet;
  subnet.account = context.account();
  subnet.vpc_id = vpc.id;
  subnet.zone = read_zone(transaction.world(), context, request.availability_zone, request.availability_zone_id);
  if (given(request.cidr_block)) subnet.cidr = read_subnet_range(transaction.world(), context, vpc, request.cidr_block);
  refuse_unbuilt_subnet_options(request);
  if (subnet.cidr.empty()) throw wire::missing_parameter("cidrBlock");
  subnet.id = make_id(transaction.random(), "subnet");
  if (given(request.ipv6_cidr_block)) give_subnet_ipv6(transaction, vpc, subnet, *request.ipv6_cidr_block);
  transaction.put(subnet);
  join_default_acl(transaction, subnet);
  tag_on_create(transaction, subnet.account, subnet.id, "subnet", request.tag_specifications);
  wire::ec2::CreateSubnetResponse response;
  response.subnet = show_subnet(transaction.world(), context, subnet);
  return response;
}

// The first /20 of the default VPC that no subnet uses.
wire::ec2::CreateDefaultSubnetResponse create_default_subnet(state::Transaction& transaction, const Context& context,
                                                             const wire::ec2::CreateDefaultSubnetRequest& request) {
  if (!request.availability_zone && !request.availability_zone_id) throw wire::missing_parameter("AvailabilityZone");
  const auto zone = read_zone(transaction.world(), context, request.availability_zone, request.availability_zone_id);
  const auto* found = default_vpc(transaction.world(), context.account());
  if (found == nullptr) throw wire::ApiError(400, "DefaultVpcDoesNotExist", "There is no default VPC in this region.");
  const auto vpc = *found;
  transaction.world().each_of<Subnet>(vpc.account, [&](const Subnet& subnet) {
    if (subnet.is_default && subnet.vpc_id == vpc.id && subnet.zone == zone)
      throw wire::ApiError(400, "DefaultSubnetAlreadyExistsInAvailabilityZone",
                           fmt::format("'{}' is already the default subnet in {}.", subnet.id, zone));
  });
  refuse_subnet_option(request.ipv6_native.value_or(false), "A subnet of IPv6 alone");
  const auto taken = taken_ranges(transaction.world(), context, vpc);
  const auto whole = *parse_ipv4_block(vpc.cidr);
  for (std::uint64_t at = 0; at < whole.size(); at += Ipv4Block{whole.base, default_subnet_prefix}.size()) {
    const auto base = whole.base + static_cast<std::uint32_t>(at);
    if (!is_free(taken, {base, default_subnet_prefix})) continue;
    const auto subnet = make_default_subnet(transaction, vpc, zone, base);
    join_default_acl(transaction, subnet);
    wire::ec2::CreateDefaultSubnetResponse response;
    response.subnet = show_subnet(transaction.world(), context, subnet);
    return response;
  }
  throw wire::ApiError(400, "InvalidSubnet.Conflict",
                       fmt::format("The VPC '{}' has no range of the size /{} left", vpc.id, default_subnet_prefix));
}

// ----- change, delete

// The pool and the flag of customer-owned addresses are one attribute.
void check_one_subnet_attribute(const wire::ec2::ModifySubnetAttributeRequest& request) {
  check_one_attribute(
      {{"assignIpv6AddressOnCreation", request.assign_ipv6_address_on_creation.has_value()},
       {"mapPublicIpOnLaunch", request.map_public_ip_on_launch.has_value()},
       {"mapCustomerOwnedIpOnLaunch", request.map_customer_owned_ip_on_launch.has_value() || given(request.customer_owned_ipv4_pool)},
       {"enableDns64", request.enable_dns64.has_value()},
       {"privateDnsHostnameTypeOnLaunch", given(request.private_dns_hostname_type_on_launch)},
       {"enableResourceNameDnsARecordOnLaunch", request.enable_resource_name_dns_a_record_on_launch.has_value()},
       {"enableResourceNameDnsAAAARecordOnLaunch", request.enable_resource_name_dns_aaaa_record_on_launch.has_value()},
       {"enableLniAtDeviceIndex", request.enable_lni_at_device_index.has_value()},
       {"disableLniAtDeviceIndex", request.disable_lni_at_device_index.has_value()}},
      "subnet");
}

bool value_of(std::string_view name, const std::optional<wire::ec2::AttributeBooleanValue>& attribute) {
  if (!attribute) return false;
  if (!attribute->value) throw wire::missing_parameter(fmt::format("{}.Value", name));
  return *attribute->value;
}

// A request for names after addresses is fulfilled already; other names are not built, neither here nor at launch
// (ModifyPrivateDnsNameOptions).
void check_host_names(const wire::ec2::ModifySubnetAttributeRequest& request) {
  const auto type =
      given(request.private_dns_hostname_type_on_launch) ? *request.private_dns_hostname_type_on_launch : std::string(host_names);
  if (type != host_names && type != "resource-name")
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter PrivateDnsHostnameTypeOnLaunch is invalid. Valid values: ip-name, resource-name.", type));
  const bool a_record = value_of("EnableResourceNameDnsARecordOnLaunch", request.enable_resource_name_dns_a_record_on_launch);
  const bool aaaa_record = value_of("EnableResourceNameDnsAAAARecordOnLaunch", request.enable_resource_name_dns_aaaa_record_on_launch);
  refuse_subnet_option(type != host_names || a_record || aaaa_record, "A host name by instance id");
}

wire::ec2::ModifySubnetAttributeResponse modify_subnet_attribute(state::Transaction& transaction, const Context& context,
                                                                 const wire::ec2::ModifySubnetAttributeRequest& request) {
  auto subnet = find_subnet(transaction.world(), context.account(), request.subnet_id);
  check_one_subnet_attribute(request);
  const bool public_address = value_of("MapPublicIpOnLaunch", request.map_public_ip_on_launch);
  const bool ipv6_address = value_of("AssignIpv6AddressOnCreation", request.assign_ipv6_address_on_creation);
  check_host_names(request);
  refuse_subnet_option(value_of("EnableDns64", request.enable_dns64), "DNS64");
  refuse_subnet_option(
      value_of("MapCustomerOwnedIpOnLaunch", request.map_customer_owned_ip_on_launch) || given(request.customer_owned_ipv4_pool),
      "A customer-owned pool");
  refuse_subnet_option(request.enable_lni_at_device_index || value_of("DisableLniAtDeviceIndex", request.disable_lni_at_device_index),
                       "A local network interface");
  if (ipv6_address && subnet.ipv6_cidr.empty())
    throw wire::invalid_parameter_value(
        fmt::format("Invalid value 'true' for assignIpv6AddressOnCreation. The subnet '{}' has no IPv6 CIDR block.", subnet.id));
  if (request.map_public_ip_on_launch) subnet.gives_public_address = public_address;
  if (request.assign_ipv6_address_on_creation) subnet.gives_ipv6_address = ipv6_address;
  transaction.put(std::move(subnet));
  return {};
}

// Removes the subnet from route tables and ACLs.
template <class R>
void leave_all(state::Transaction& transaction, state::Index index, const Subnet& subnet) {
  std::vector<R> changed;
  transaction.world().each_indexed<R>(index, subnet.vpc_id, [&](const R& record) {
    auto left = record;
    if (std::erase_if(left.associations, [&](const auto& one) { return one.subnet_id == subnet.id; }) > 0)
      changed.push_back(std::move(left));
  });
  for (auto& record : changed) transaction.put(std::move(record));
}

wire::ec2::DeleteSubnetResponse delete_subnet(state::Transaction& transaction, const Context& context,
                                              const wire::ec2::DeleteSubnetRequest& request) {
  const Subnet subnet = find_subnet(transaction.world(), context.account(), request.subnet_id);
  transaction.world().each_of<state::NetworkInterface>(subnet.account, [&](const state::NetworkInterface& interface) {
    if (interface.subnet_id == subnet.id) throw has_dependencies("subnet", subnet.id);
  });
  leave_all<state::RouteTable>(transaction, state::Index::route_table_by_vpc, subnet);
  leave_all<state::NetworkAcl>(transaction, state::Index::network_acl_by_vpc, subnet);
  erase_tags(transaction, subnet.account, subnet.id);
  transaction.erase<Subnet>(subnet.key());
  transaction.erase<state::Setting>("private-address-cursor/" + subnet.id);
  return {};
}

}  // namespace

const Subnet& find_subnet(const World& world, const std::string& account, const std::optional<std::string>& id) {
  return find_owned<Subnet>(world, account, "subnet", "SubnetId", id);
}

std::vector<service::Action> subnet_actions() {
  std::vector<service::Action> actions = {
      service::write_action("CreateSubnet", create_subnet),
      service::write_action("CreateDefaultSubnet", create_default_subnet),
      service::write_action("DeleteSubnet", delete_subnet),
      service::read_action("DescribeSubnets", describe_subnets),
      service::write_action("ModifySubnetAttribute", modify_subnet_attribute),
  };
  for (const auto& action : subnet_ipv6_actions()) actions.push_back(action);
  return actions;
}

}  // namespace brume::ec2
