#include <algorithm>

#include "ec2/actions.hpp"
#include "ec2/filters.hpp"
#include "ec2/network.hpp"
#include "ec2/paging.hpp"
#include "ec2/resource_ids.hpp"
#include "ec2/tags.hpp"
#include "wire/ec2/network.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

const FilterField<state::Vpc> vpc_filters[] = {
    {"vpc-id", [](const auto& at, auto& out) { out.add(at.record.id); }},
    {"cidr", [](const auto& at, auto& out) { out.add(at.record.cidr); }},
    {"cidr-block-association.cidr-block", [](const auto& at, auto& out) { out.add(at.record.cidr); }},
    {"cidr-block-association.state", [](const auto&, auto& out) { out.add("associated"); }},
    {"dhcp-options-id", [](const auto&, auto& out) { out.add("default"); }},
    {"is-default", [](const auto& at, auto& out) { out.add(at.record.is_default); }},
    {"isDefault", [](const auto& at, auto& out) { out.add(at.record.is_default); }},
    {"owner-id", [](const auto& at, auto& out) { out.add(at.record.account); }},
    {"state", [](const auto&, auto& out) { out.add("available"); }},
};

const FilterField<state::Subnet> subnet_filters[] = {
    {"subnet-id", [](const auto& at, auto& out) { out.add(at.record.id); }},
    {"vpc-id", [](const auto& at, auto& out) { out.add(at.record.vpc_id); }},
    {"cidr", [](const auto& at, auto& out) { out.add(at.record.cidr); }},
    {"cidr-block", [](const auto& at, auto& out) { out.add(at.record.cidr); }},
    {"cidrBlock", [](const auto& at, auto& out) { out.add(at.record.cidr); }},
    {"availability-zone", [](const auto& at, auto& out) { out.add(at.record.zone); }},
    {"availabilityZone", [](const auto& at, auto& out) { out.add(at.record.zone); }},
    {"default-for-az", [](const auto& at, auto& out) { out.add(at.record.is_default); }},
    {"defaultForAz", [](const auto& at, auto& out) { out.add(at.record.is_default); }},
    {"map-public-ip-on-launch", [](const auto& at, auto& out) { out.add(at.record.gives_public_address); }},
    {"available-ip-address-count", [](const auto& at, auto& out) { out.add(count_free_addresses(at.world, at.record)); }},
    {"owner-id", [](const auto& at, auto& out) { out.add(at.record.account); }},
    {"state", [](const auto&, auto& out) { out.add("available"); }},
};

// Throws for the first id that is not well formed, then for those that the account does not have.
template <class R>
void check_ids(const state::World& world, const std::string& account, const std::vector<std::string>& ids, std::string_view prefix,
               std::string_view code_noun, std::string_view noun) {
  std::vector<std::string> unknown;
  for (const auto& id : ids) {
    check_id(prefix, code_noun, id);
    if (world.find<R>(account, id) == nullptr) unknown.push_back(id);
  }
  if (!unknown.empty()) throw ids_not_found(code_noun, noun, unknown);
}

bool asked(const std::vector<std::string>& ids, const std::string& id) {
  return ids.empty() || std::find(ids.begin(), ids.end(), id) != ids.end();
}

wire::ec2::DescribeVpcsResponse describe_vpcs(const state::World& world, const Context& context,
                                              const wire::ec2::DescribeVpcsRequest& request) {
  check_ids<state::Vpc>(world, context.account(), request.vpc_ids, "vpc", "VpcID", "vpc");
  const FilterSet<state::Vpc> filters(vpc_filters, request.filters);
  Page page(context, "DescribeVpcs", request.max_results, request.next_token);
  wire::ec2::DescribeVpcsResponse response;
  world.each_of<state::Vpc>(
      context.account(),
      [&](const state::Vpc& vpc) {
        if (!asked(request.vpc_ids, vpc.id) || !filters.match(world, vpc)) return true;
        if (!page.take(vpc.id)) return false;
        auto& item = response.vpcs.emplace_back();
        item.vpc_id = vpc.id;
        item.owner_id = vpc.account;
        item.state = "available";
        item.cidr_block = vpc.cidr;
        item.dhcp_options_id = "default";
        item.instance_tenancy = "default";
        item.is_default = vpc.is_default;
        auto& association = item.cidr_block_association_set.emplace_back();
        // One to one with the VPC's own block: its id is the VPC's.
        association.association_id = "vpc-cidr-assoc-" + vpc.id.substr(vpc.id.find('-') + 1);
        association.cidr_block = vpc.cidr;
        association.cidr_block_state.emplace().state = "associated";
        item.tags = tags_of(world, vpc.account, vpc.id);
        return true;
      },
      page.after());
  response.next_token = page.next_token();
  return response;
}

wire::ec2::DescribeSubnetsResponse describe_subnets(const state::World& world, const Context& context,
                                                    const wire::ec2::DescribeSubnetsRequest& request) {
  check_ids<state::Subnet>(world, context.account(), request.subnet_ids, "subnet", "SubnetID", "subnet");
  const auto& settings = context.services.settings;
  const FilterSet<state::Subnet> filters(subnet_filters, request.filters);
  Page page(context, "DescribeSubnets", request.max_results, request.next_token);
  wire::ec2::DescribeSubnetsResponse response;
  world.each_of<state::Subnet>(
      context.account(),
      [&](const state::Subnet& subnet) {
        if (!asked(request.subnet_ids, subnet.id) || !filters.match(world, subnet)) return true;
        if (!page.take(subnet.id)) return false;
        auto& item = response.subnets.emplace_back();
        item.subnet_id = subnet.id;
        item.subnet_arn = fmt::format("arn:{}:ec2:{}:{}:subnet/{}", settings.partition, settings.region, subnet.account, subnet.id);
        item.owner_id = subnet.account;
        item.state = "available";
        item.vpc_id = subnet.vpc_id;
        item.cidr_block = subnet.cidr;
        item.available_ip_address_count = count_free_addresses(world, subnet);
        item.availability_zone = subnet.zone;
        item.availability_zone_id = state::zone_id_of(world, subnet.account, settings.zones, subnet.zone);
        item.default_for_az = subnet.is_default;
        item.map_public_ip_on_launch = subnet.gives_public_address;
        item.assign_ipv6_address_on_creation = false;
        item.map_customer_owned_ip_on_launch = false;
        item.enable_dns64 = false;
        item.ipv6_native = false;
        item.tags = tags_of(world, subnet.account, subnet.id);
        return true;
      },
      page.after());
  response.next_token = page.next_token();
  return response;
}

}  // namespace

std::vector<service::Action> network_actions() {
  using namespace wire::ec2;
  return {
      service::read_action<DescribeVpcsRequest>("DescribeVpcs", describe_vpcs),
      service::read_action<DescribeSubnetsRequest>("DescribeSubnets", describe_subnets),
  };
}

}  // namespace brume::ec2
