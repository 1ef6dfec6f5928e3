// Subnets: a range of a VPC in one zone. Which route table and network ACL rule there stands in those records.
#include <fmt/format.h>

#include <algorithm>

#include "ec2/actions.hpp"
#include "ec2/describe.hpp"
#include "ec2/find_owned.hpp"
#include "ec2/ipv6_ranges.hpp"
#include "ec2/network.hpp"
#include "ec2/quotas.hpp"
#include "ec2/security_groups.hpp"
#include "ec2/tags.hpp"
#include "ec2/vpcs.hpp"
#include "state/zones.hpp"
#include "wire/ec2/subnets.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::Subnet;
using state::World;

std::string arn_of(const service::Settings& settings, const Subnet& subnet) {
  return fmt::format("arn:{}:ec2:{}:{}:subnet/{}", settings.partition, settings.region, subnet.account, subnet.id);
}

void add_zone_id(const FilterSubject<Subnet>& at, FilterValues& out) {
  out.add(state::zone_id_of(at.world, at.record.account, at.context->services.settings.zones, at.record.zone));
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
    {"available-ip-address-count", [](const auto& at, auto& out) { out.add(count_free_addresses(at.world, at.record)); }},
    field<&Subnet::account>("owner-id"),
    {"state", [](const auto&, auto& out) { out.add("available"); }},
};

wire::ec2::Subnet show(const World& world, const Context& context, const Subnet& subnet) {
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
  item.availability_zone_id = state::zone_id_of(world, subnet.account, settings.zones, subnet.zone);
  item.default_for_az = subnet.is_default;
  item.map_public_ip_on_launch = subnet.gives_public_address;
  item.assign_ipv6_address_on_creation = subnet.gives_ipv6_address;
  item.ipv6_cidr_block_association_set = show_subnet_ipv6(subnet, "associated");
  item.map_customer_owned_ip_on_launch = false;
  item.enable_dns64 = false;
  item.ipv6_native = false;
  item.tags = tags_of(world, subnet.account, subnet.id);
  return item;
}

wire::ec2::DescribeSubnetsResponse describe_subnets(const World& world, const Context& context,
                                                    const wire::ec2::DescribeSubnetsRequest& request) {
  wire::ec2::DescribeSubnetsResponse response;
  const Listing<Subnet> subnets(world, context, request, {.action = "DescribeSubnets", .filters = subnet_filters});
  response.next_token =
      subnets.each(request.subnet_ids, "subnet", [&](const Subnet& subnet) { response.subnets.push_back(show(world, context, subnet)); });
  return response;
}

// ----- create

void refuse(bool asked, std::string_view what) {
  if (asked) throw wire::unsupported_operation(fmt::format("{} is not supported yet.", what));
}

// By name or by id; the first one when neither is given.
std::string read_zone(const World& world, const Context& context, const std::optional<std::string>& name,
                      const std::optional<std::string>& id) {
  if (name && id) throw wire::invalid_parameter_combination("Specify an Availability Zone or an Availability Zone ID, but not both.");
  const auto zones = state::zones_of(world, context.account(), context.services.settings.zones);
  if (!name && !id) return zones.front().name;
  for (const auto& zone : zones)
    if ((name && zone.name == *name) || (id && zone.id == *id)) return zone.name;
  throw wire::invalid_parameter_value(
      fmt::format("Value ({}) for parameter availabilityZone is invalid. Subnets can currently only be "
                  "created in the zones of this region.",
                  name ? *name : *id));
}

// The VPC's subnets; throws when there is no room for one more.
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

wire::ec2::CreateSubnetResponse create_subnet(state::Transaction& transaction, const Context& context,
                                              const wire::ec2::CreateSubnetRequest& request) {
  refuse(request.ipv6_native.value_or(false), "A subnet of IPv6 alone");
  refuse(request.ipv4_ipam_pool_id || request.ipv4_netmask_length || request.ipv6_ipam_pool_id || request.ipv6_netmask_length, "IPAM");
  refuse(request.outpost_arn.has_value(), "A subnet on an Outpost");
  check_tag_types(request.tag_specifications, {"subnet"});
  const auto& vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  const auto range = read_range("cidrBlock", request.cidr_block);
  const auto text = format_ipv4_block(range);
  const auto ranges = ranges_of(vpc);
  if (range.prefix < 16 || range.prefix > 28 ||
      std::none_of(ranges.begin(), ranges.end(), [&](const auto& whole) { return lies_in(range, whole); }))
    throw wire::ApiError(400, "InvalidSubnet.Range", fmt::format("The CIDR '{}' is invalid.", text));
  if (!is_free(taken_ranges(transaction.world(), context, vpc), range))
    throw wire::ApiError(400, "InvalidSubnet.Conflict", fmt::format("The CIDR '{}' conflicts with another subnet", text));
  Subnet subnet;
  subnet.account = context.account();
  subnet.zone = read_zone(transaction.world(), context, request.availability_zone, request.availability_zone_id);
  subnet.id = make_id(transaction.random(), "subnet");
  subnet.vpc_id = vpc.id;
  subnet.cidr = text;
  if (given(request.ipv6_cidr_block)) give_subnet_ipv6(transaction, vpc, subnet, *request.ipv6_cidr_block);
  transaction.put(subnet);
  join_default_acl(transaction, subnet);
  tag_on_create(transaction, subnet.account, subnet.id, "subnet", request.tag_specifications);
  wire::ec2::CreateSubnetResponse response;
  response.subnet = show(transaction.world(), context, subnet);
  return response;
}

// The first /20 of the default VPC that no subnet has a part of.
wire::ec2::CreateDefaultSubnetResponse create_default_subnet(state::Transaction& transaction, const Context& context,
                                                             const wire::ec2::CreateDefaultSubnetRequest& request) {
  refuse(request.ipv6_native.value_or(false), "A subnet of IPv6 alone");
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
  const auto taken = taken_ranges(transaction.world(), context, vpc);
  const auto whole = *parse_ipv4_block(vpc.cidr);
  for (std::uint64_t at = 0; at < whole.size(); at += Ipv4Block{whole.base, default_subnet_prefix}.size()) {
    const auto base = whole.base + static_cast<std::uint32_t>(at);
    if (!is_free(taken, {base, default_subnet_prefix})) continue;
    const auto subnet = make_default_subnet(transaction, vpc, zone, base);
    join_default_acl(transaction, subnet);
    wire::ec2::CreateDefaultSubnetResponse response;
    response.subnet = show(transaction.world(), context, subnet);
    return response;
  }
  throw wire::ApiError(400, "InvalidSubnet.Conflict",
                       fmt::format("The VPC '{}' has no range of the size /{} left", vpc.id, default_subnet_prefix));
}

// ----- change, delete

wire::ec2::ModifySubnetAttributeResponse modify_subnet_attribute(state::Transaction& transaction, const Context& context,
                                                                 const wire::ec2::ModifySubnetAttributeRequest& request) {
  auto subnet = find_subnet(transaction.world(), context.account(), request.subnet_id);
  const auto asks = [](const auto& attribute) { return attribute && attribute->value.value_or(false); };
  refuse(asks(request.enable_dns64), "DNS64");
  refuse(asks(request.map_customer_owned_ip_on_launch) || request.customer_owned_ipv4_pool, "A customer-owned pool");
  refuse(request.private_dns_hostname_type_on_launch.value_or("ip-name") != "ip-name" ||
             asks(request.enable_resource_name_dns_a_record_on_launch) || asks(request.enable_resource_name_dns_aaaa_record_on_launch),
         "A host name by instance id");
  refuse(request.enable_lni_at_device_index.has_value() || asks(request.disable_lni_at_device_index), "A local network interface");
  const bool others = request.assign_ipv6_address_on_creation || request.enable_dns64 || request.map_customer_owned_ip_on_launch ||
                      request.private_dns_hostname_type_on_launch || request.enable_resource_name_dns_a_record_on_launch ||
                      request.enable_resource_name_dns_aaaa_record_on_launch || request.disable_lni_at_device_index;
  if (!request.map_public_ip_on_launch && !others) throw wire::missing_parameter("MapPublicIpOnLaunch");
  if (request.map_public_ip_on_launch) {
    if (!request.map_public_ip_on_launch->value) throw wire::missing_parameter("MapPublicIpOnLaunch.Value");
    subnet.gives_public_address = *request.map_public_ip_on_launch->value;
  }
  if (asks(request.assign_ipv6_address_on_creation) && subnet.ipv6_cidr.empty())
    throw wire::invalid_parameter_value(
        fmt::format("Invalid value 'true' for assignIpv6AddressOnCreation. The subnet '{}' has no IPv6 CIDR block.", subnet.id));
  if (request.assign_ipv6_address_on_creation) subnet.gives_ipv6_address = asks(request.assign_ipv6_address_on_creation);
  transaction.put(std::move(subnet));
  return {};
}

// Route tables and ACLs forget the subnet.
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
