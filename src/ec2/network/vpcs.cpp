// VPCs (OPS-035 ff.): ranges, attributes, and what each begins with. Its subnets are in subnets.cpp.
#include "ec2/network/vpcs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <type_traits>

#include "domain/classic.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/absent_tags.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/free_addresses.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/default_network.hpp"
#include "ec2/network/ipv6_ranges.hpp"
#include "ec2/network/vpc_peerings.hpp"
#include "ec2/security_groups/security_groups.hpp"
#include "wire/ec2/vpcs.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::Vpc;
using state::World;

constexpr size_t range_limit = 5;  // of a VPC

// The VPC's first range has an association too: its id has the VPC's digits.
std::string first_association_id(const Vpc& vpc) { return "vpc-cidr-assoc-" + vpc.id.substr(vpc.id.find('-') + 1); }

std::string dhcp_options_id(const Vpc& vpc) { return vpc.dhcp_options_id.empty() ? "default" : vpc.dhcp_options_id; }

template <class Add>
void each_ipv6(const Vpc& vpc, Add add) {
  for (const auto& range : vpc.ipv6) add(range);
}

const FilterField<Vpc> vpc_filters[] = {
    field<&Vpc::id>("vpc-id"),
    field<&Vpc::cidr>("cidr"),
    field<&Vpc::cidr>("cidr-block"),
    {"cidr-block-association.cidr-block",
     [](const auto& at, auto& out) {
       out.add(at.record.cidr);
       for (const auto& range : at.record.more) out.add(range.cidr);
     }},
    {"cidr-block-association.association-id",
     [](const auto& at, auto& out) {
       out.add(first_association_id(at.record));
       for (const auto& range : at.record.more) out.add(range.association_id);
     }},
    {"cidr-block-association.state", [](const auto&, auto& out) { out.add("associated"); }},
    {"dhcp-options-id", [](const auto& at, auto& out) { out.add(dhcp_options_id(at.record)); }},
    {"ipv6-cidr-block-association.association-id",
     [](const auto& at, auto& out) { each_ipv6(at.record, [&](const auto& range) { out.add(range.association_id); }); }},
    {"ipv6-cidr-block-association.ipv6-cidr-block",
     [](const auto& at, auto& out) { each_ipv6(at.record, [&](const auto& range) { out.add(range.cidr); }); }},
    {"ipv6-cidr-block-association.ipv6-pool",
     [](const auto& at, auto& out) { each_ipv6(at.record, [&](const auto&) { out.add("Amazon"); }); }},
    {"ipv6-cidr-block-association.state",
     [](const auto& at, auto& out) { each_ipv6(at.record, [&](const auto&) { out.add("associated"); }); }},
    field<&Vpc::is_default>("is-default"),
    field<&Vpc::is_default>("isDefault"),
    field<&Vpc::account>("owner-id"),
    {"state", [](const auto&, auto& out) { out.add("available"); }},
};

wire::ec2::VpcCidrBlockAssociation show_range(const std::string& id, const std::string& cidr, std::string_view state) {
  wire::ec2::VpcCidrBlockAssociation association;
  association.association_id = id;
  association.cidr_block = cidr;
  association.cidr_block_state.emplace().state = std::string(state);
  return association;
}

wire::ec2::Vpc show_vpc(const World& world, const Context& context, const Vpc& vpc) {
  wire::ec2::Vpc item;
  item.vpc_id = vpc.id;
  item.owner_id = vpc.account;
  item.state = "available";
  item.cidr_block = vpc.cidr;
  item.dhcp_options_id = dhcp_options_id(vpc);
  item.instance_tenancy = vpc.tenancy;
  item.is_default = vpc.is_default;
  item.cidr_block_association_set.push_back(show_range(first_association_id(vpc), vpc.cidr, "associated"));
  for (const auto& range : vpc.more) item.cidr_block_association_set.push_back(show_range(range.association_id, range.cidr, "associated"));
  for (const auto& range : vpc.ipv6) item.ipv6_cidr_block_association_set.push_back(show_ipv6_range(context, range, "associated"));
  item.tags = tags_if_any(world, context, vpc.account, vpc.id);
  return item;
}

wire::ec2::DescribeVpcsResponse describe_vpcs(const World& world, const Context& context, const wire::ec2::DescribeVpcsRequest& request) {
  wire::ec2::DescribeVpcsResponse response;
  const Listing<Vpc> vpcs(world, context, request, {.action = "DescribeVpcs", .filters = vpc_filters});
  response.next_token = vpcs.each(request.vpc_ids, "vpc", [&](const Vpc& vpc) { response.vpcs.push_back(show_vpc(world, context, vpc)); });
  return response;
}

// ----- create, delete

// Ranges with another meaning here: this host's, metadata's, everything that no packet may have as an address, and the public addresses'
// range.
void check_usable(const World& world, const Ipv4Block& range) {
  std::vector<std::string> kept = {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "198.18.0.0/15"};
  // In simulation the pool may be as large as 10.0.0.0/8, and no packet flows.
  for (const auto& pool : public_ranges(world))
    if (pool.prefix > 8) kept.push_back(format_ipv4_block(pool));
  const bool taken = std::any_of(kept.begin(), kept.end(), [&](const std::string& one) { return overlap(*parse_ipv4_block(one), range); });
  if (taken || range.prefix < 16 || range.prefix > 28)
    throw wire::ApiError(400, "InvalidVpc.Range", fmt::format("The CIDR '{}' is invalid.", format_ipv4_block(range)));
}

void check_vpc_limit(const World& world, const Context& context) {
  std::int64_t count = 0;
  world.each_of<Vpc>(context.account(), [&](const Vpc&) { ++count; });
  check_quota(world, context, Quota::vpcs, count);
}

void refuse_vpc_option(bool asked, std::string_view what) {
  if (asked) throw wire::unsupported_operation(fmt::format("{} is not supported yet.", what));
}

// The range that is asked for, which is usable. Refuses one of an IPAM pool once all that was said of it is right.
template <class Request>
Ipv4Block read_range_unless_ipam(const World& world, const Request& request) {
  const bool ipam = request.ipv4_ipam_pool_id || request.ipv4_netmask_length;
  if (ipam && !given(request.cidr_block)) throw wire::unsupported_operation("IPAM is not supported yet.");
  const auto range = read_range("cidrBlock", request.cidr_block);
  check_usable(world, range);
  refuse_vpc_option(ipam, "IPAM");
  return range;
}

wire::ec2::CreateVpcResponse create_vpc(state::Transaction& transaction, const Context& context,
                                        const wire::ec2::CreateVpcRequest& request) {
  const bool with_ipv6 = asks_for_ipv6(request);
  const auto tenancy = read_vpc_tenancy(request.instance_tenancy);
  check_tag_types(request.tag_specifications, {"vpc"});
  const auto range = read_range_unless_ipam(transaction.world(), request);
  check_vpc_limit(transaction.world(), context);
  refuse_ipv6_options(request);
  refuse_vpc_option(request.vpc_encryption_control.has_value(), "VpcEncryptionControl");
  Vpc vpc;
  vpc.account = context.account();
  vpc.id = make_id(transaction.random(), "vpc");
  vpc.cidr = format_ipv4_block(range);
  vpc.tenancy = tenancy;
  vpc.dns_hostnames = false;
  vpc.dhcp_options_id = default_dhcp_options(transaction, vpc.account, context.services.settings);
  transaction.put(vpc);
  make_vpc_parts(transaction, vpc);
  if (with_ipv6) {
    give_ipv6_range(transaction, vpc);
    transaction.put(vpc);
  }
  tag_on_create(transaction, vpc.account, vpc.id, "vpc", request.tag_specifications);
  wire::ec2::CreateVpcResponse response;
  response.vpc = show_vpc(transaction.world(), context, vpc);
  response.vpc->state = "pending";  // as EC2 says it of one just made
  return response;
}

wire::ec2::CreateDefaultVpcResponse create_default_vpc(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::CreateDefaultVpcRequest&) {
  if (domain::has_classic(transaction.world(), context.account()))
    throw wire::unsupported_operation("An account that has EC2-Classic has no default VPC.");
  if (default_vpc(transaction.world(), context.account()) != nullptr)
    throw wire::ApiError(400, "DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.");
  check_vpc_limit(transaction.world(), context);
  wire::ec2::CreateDefaultVpcResponse response;
  response.vpc = show_vpc(transaction.world(), context, make_default_network(transaction, context.account(), context.services.settings));
  response.vpc->state = "pending";  // as EC2 says it of one just made
  return response;
}

bool has_more_than_its_parts(const World& world, const Vpc& vpc) {
  using state::Index;
  const auto any = [&]<class R>(std::type_identity<R>, Index index) { return world.find_indexed<R>(index, vpc.id) != nullptr; };
  bool found = any(std::type_identity<state::Subnet>{}, Index::subnet_by_vpc) ||
               any(std::type_identity<state::NetworkInterface>{}, Index::interface_by_vpc) ||
               any(std::type_identity<state::InternetGateway>{}, Index::internet_gateway_by_vpc) ||
               any(std::type_identity<state::VpcEndpoint>{}, Index::endpoint_by_vpc) ||
               any(std::type_identity<state::VpnGateway>{}, Index::vpn_gateway_by_vpc);
  world.each_of<state::EgressOnlyGateway>(vpc.account, [&](const auto& gateway) { found |= gateway.vpc_id == vpc.id; });
  world.each_indexed<state::RouteTable>(Index::route_table_by_vpc, vpc.id, [&](const auto& table) { found |= !table.is_main(); });
  world.each_indexed<state::NetworkAcl>(Index::network_acl_by_vpc, vpc.id, [&](const auto& acl) { found |= !acl.is_default; });
  world.each_indexed<state::SecurityGroup>(Index::security_group_by_vpc, vpc.id,
                                           [&](const auto& group) { found |= group.name != "default"; });
  return found;
}

template <class R>
void erase_with_tags(state::Transaction& transaction, const R& record) {
  erase_tags(transaction, record.account, record.id);
  transaction.erase<R>(record.key());
}

wire::ec2::DeleteVpcResponse delete_vpc(state::Transaction& transaction, const Context& context,
                                        const wire::ec2::DeleteVpcRequest& request) {
  const Vpc vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  if (has_more_than_its_parts(transaction.world(), vpc)) throw has_dependencies("vpc", vpc.id);
  end_peerings(transaction, vpc);
  if (const auto* table = main_route_table(transaction.world(), vpc.id)) erase_with_tags(transaction, state::RouteTable(*table));
  if (const auto* acl = default_acl(transaction.world(), vpc.id)) erase_with_tags(transaction, state::NetworkAcl(*acl));
  if (const auto* group = find_group_by_name(transaction.world(), vpc.account, vpc.id, "default"))
    erase_with_tags(transaction, state::SecurityGroup(*group));
  erase_with_tags(transaction, vpc);
  return {};
}

// ----- attributes

wire::ec2::DescribeVpcAttributeResponse describe_vpc_attribute(const World& world, const Context& context,
                                                               const wire::ec2::DescribeVpcAttributeRequest& request) {
  const auto& vpc = find_vpc(world, context.account(), request.vpc_id);
  const auto name = request.attribute.value_or("");
  if (name.empty()) throw wire::missing_parameter("Attribute");
  wire::ec2::DescribeVpcAttributeResponse response;
  response.vpc_id = vpc.id;
  if (name == "enableDnsSupport")
    response.enable_dns_support.emplace().value = vpc.dns_support;
  else if (name == "enableDnsHostnames")
    response.enable_dns_hostnames.emplace().value = vpc.dns_hostnames;
  else if (name == "enableNetworkAddressUsageMetrics")
    response.enable_network_address_usage_metrics.emplace().value = false;
  else
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter attribute is invalid. Unknown attribute.", name));
  return response;
}

wire::ec2::ModifyVpcAttributeResponse modify_vpc_attribute(state::Transaction& transaction, const Context& context,
                                                           const wire::ec2::ModifyVpcAttributeRequest& request) {
  auto vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  const auto value_of = [](const auto& attribute) { return attribute && attribute->value ? attribute->value : std::nullopt; };
  const auto support = value_of(request.enable_dns_support);
  const auto hostnames = value_of(request.enable_dns_hostnames);
  const auto metrics = value_of(request.enable_network_address_usage_metrics);
  const int count = static_cast<int>(support.has_value()) + static_cast<int>(hostnames.has_value()) + static_cast<int>(metrics.has_value());
  if (count == 0) throw wire::missing_parameter("enableDnsSupport or enableDnsHostnames");
  if (count > 1) throw wire::invalid_parameter_combination("Only one VPC attribute can be changed at a time");
  refuse_vpc_option(metrics.value_or(false), "EnableNetworkAddressUsageMetrics");
  if (support) vpc.dns_support = *support;
  if (hostnames.value_or(false) && !vpc.dns_support)
    throw wire::invalid_parameter_combination("enableDnsHostnames needs enableDnsSupport, which is off");
  if (hostnames) vpc.dns_hostnames = *hostnames;
  transaction.put(std::move(vpc));
  return {};
}

// One way only: instances that are launched from then on are on shared hardware unless they ask for their own.
// ----- further ranges

wire::ec2::AssociateVpcCidrBlockResponse associate_ipv6(state::Transaction& transaction, const Context& context, Vpc vpc) {
  wire::ec2::AssociateVpcCidrBlockResponse response;
  response.vpc_id = vpc.id;
  response.ipv6_cidr_block_association = show_ipv6_range(context, give_ipv6_range(transaction, vpc), "associating");
  transaction.put(std::move(vpc));
  return response;
}

std::optional<wire::ec2::DisassociateVpcCidrBlockResponse> disassociate_ipv6(state::Transaction& transaction, const Context& context,
                                                                             const std::string& id) {
  std::optional<Vpc> found;
  transaction.world().each_of<Vpc>(context.account(), [&](const Vpc& vpc) {
    each_ipv6(vpc, [&](const auto& range) {
      if (range.association_id == id) found = vpc;
    });
    return !found;
  });
  if (!found) return std::nullopt;
  wire::ec2::DisassociateVpcCidrBlockResponse response;
  response.vpc_id = found->id;
  each_ipv6(*found, [&](const auto& range) {
    if (range.association_id == id) response.ipv6_cidr_block_association = show_ipv6_range(context, range, "disassociating");
  });
  take_ipv6_range(transaction.world(), *found, id);
  transaction.put(std::move(*found));
  return response;
}

// The three ranges of RFC 1918 cannot be combined in one VPC, nor with a VPC that began with public addresses; neither can 172.31.0.0/16,
// which default VPCs have, with the rest of its own block, nor 10.0.0.0/16 with a VPC in 10.0.0.0/15 (VPC user guide, IPv4 CIDR block
// associations).
void check_goes_with(const Vpc& vpc, const Ipv4Block& range) {
  constexpr Ipv4Block tens{0x0A000000, 8};
  constexpr Ipv4Block twelves{0xAC100000, 12};
  constexpr Ipv4Block privates[] = {tens, twelves, {0xC0A80000, 16}};
  const auto private_of = [&](const Ipv4Block& one) {
    return std::find_if(std::begin(privates), std::end(privates), [&](const Ipv4Block& all) { return lies_in(one, all); });
  };
  const auto ranges = ranges_of(vpc);
  const auto own = private_of(ranges.front());
  const auto asked = private_of(range);
  const auto in_first_tens = [](const Ipv4Block& one) { return lies_in(one, {tens.base, 15}); };
  const bool restricted = (asked != std::end(privates) && asked != own) || (own == &privates[1] && lies_in(range, {0xAC1F0000, 16})) ||
                          (lies_in(range, {tens.base, 16}) && std::any_of(ranges.begin(), ranges.end(), in_first_tens));
  if (restricted)
    throw wire::ApiError(400, "InvalidVpc.Range",
                         fmt::format("The CIDR '{}' is restricted. Use one of the same private range as the VPC's first CIDR '{}', or of "
                                     "public addresses.",
                                     format_ipv4_block(range), vpc.cidr));
}

// Packets to a range of the VPC stay in it, so a route to a part of it would lead nowhere from then on.
void check_against_routes(const World& world, const Vpc& vpc, const Ipv4Block& range) {
  world.each_indexed<state::RouteTable>(state::Index::route_table_by_vpc, vpc.id, [&](const state::RouteTable& table) {
    for (const auto& route : table.routes)
      if (const auto to = parse_ipv4_block(route.cidr); to && lies_in(*to, range))
        throw wire::ApiError(400, "CidrConflict",
                             fmt::format("The CIDR '{}' is as large as the route to '{}' of the route table '{}', or larger",
                                         format_ipv4_block(range), route.cidr, table.id));
  });
}

wire::ec2::AssociateVpcCidrBlockResponse associate_range(state::Transaction& transaction, const Context& context,
                                                         const wire::ec2::AssociateVpcCidrBlockRequest& request) {
  const bool ipv6 = asks_for_ipv6(request);
  auto vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  if (ipv6 && given(request.cidr_block))
    throw wire::invalid_parameter_combination("One range at a time: CidrBlock or AmazonProvidedIpv6CidrBlock");
  refuse_ipv6_options(request);
  if (ipv6) return associate_ipv6(transaction, context, std::move(vpc));
  const auto range = read_range_unless_ipam(transaction.world(), request);
  for (const auto& other : ranges_of(vpc))
    if (overlap(range, other))
      throw wire::ApiError(
          400, "CidrConflict",
          fmt::format("The CIDR '{}' conflicts with '{}' of the VPC '{}'", format_ipv4_block(range), format_ipv4_block(other), vpc.id));
  check_goes_with(vpc, range);
  check_against_routes(transaction.world(), vpc, range);
  if (1 + vpc.more.size() >= range_limit)
    throw wire::ApiError(400, "CidrLimitExceeded",
                         fmt::format("This network {} has met its maximum number of allowed CIDRs: {}", vpc.id, range_limit));
  check_against_peers(transaction.world(), vpc, format_ipv4_block(range));
  vpc.more.push_back({make_id(transaction.random(), "vpc-cidr-assoc"), format_ipv4_block(range)});
  wire::ec2::AssociateVpcCidrBlockResponse response;
  response.vpc_id = vpc.id;
  response.cidr_block_association = show_range(vpc.more.back().association_id, vpc.more.back().cidr, "associating");
  transaction.put(std::move(vpc));
  return response;
}

wire::ec2::DisassociateVpcCidrBlockResponse disassociate_range(state::Transaction& transaction, const Context& context,
                                                               const wire::ec2::DisassociateVpcCidrBlockRequest& request) {
  const auto id = request.association_id.value_or("");
  if (id.empty()) throw wire::missing_parameter("AssociationId");
  check_id("vpc-cidr-assoc", "VpcCidrBlockAssociationID", id);
  if (auto done = disassociate_ipv6(transaction, context, id)) return *done;
  std::optional<Vpc> found;
  transaction.world().each_of<Vpc>(context.account(), [&](const Vpc& vpc) {
    if (first_association_id(vpc) == id)
      throw wire::ApiError(400, "OperationNotPermitted",
                           fmt::format("The vpc CIDR block with association ID {} may not be disassociated. It is the primary IPv4 CIDR "
                                       "block of the VPC",
                                       id));
    if (std::any_of(vpc.more.begin(), vpc.more.end(), [&](const auto& range) { return range.association_id == id; })) found = vpc;
  });
  if (!found)
    throw wire::ApiError(400, "InvalidVpcCidrBlockAssociationID.NotFound",
                         fmt::format("The vpc CIDR block association ID '{}' does not exist", id));
  const auto at = std::find_if(found->more.begin(), found->more.end(), [&](const auto& range) { return range.association_id == id; });
  const auto block = *parse_ipv4_block(at->cidr);
  transaction.world().each_indexed<state::Subnet>(state::Index::subnet_by_vpc, found->id, [&](const state::Subnet& subnet) {
    if (lies_in(*parse_ipv4_block(subnet.cidr), block)) throw has_dependencies("vpc CIDR block", id);
  });
  wire::ec2::DisassociateVpcCidrBlockResponse response;
  response.vpc_id = found->id;
  response.cidr_block_association = show_range(id, at->cidr, "disassociating");
  found->more.erase(at);
  transaction.put(std::move(*found));
  return response;
}

}  // namespace

const Vpc& find_vpc(const World& world, const std::string& account, const std::optional<std::string>& id) {
  return find_owned<Vpc>(world, account, "vpc", "VpcId", id);
}

Ipv4Block read_range(std::string_view parameter, const std::optional<std::string>& cidr) {
  if (!cidr || cidr->empty()) throw wire::missing_parameter(parameter);
  const auto range = parse_ipv4_block(*cidr);
  if (!range)
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter {} is invalid. This is not a valid CIDR block.", *cidr, parameter));
  return *range;
}

Ipv6Block read_range6(std::string_view parameter, const std::optional<std::string>& cidr) {
  if (!cidr || cidr->empty()) throw wire::missing_parameter(parameter);
  const auto range = parse_ipv6_block(*cidr);
  if (!range)
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter {} is invalid. This is not a valid IPv6 CIDR block.", *cidr, parameter));
  return *range;
}

bool overlap(const Ipv4Block& a, const Ipv4Block& b) { return a.contains(b.base) || b.contains(a.base); }

bool lies_in(const Ipv4Block& range, const Ipv4Block& other) { return range.prefix >= other.prefix && other.contains(range.base); }

std::vector<Ipv4Block> ranges_of(const Vpc& vpc) {
  std::vector<Ipv4Block> ranges = {*parse_ipv4_block(vpc.cidr)};
  for (const auto& range : vpc.more) ranges.push_back(*parse_ipv4_block(range.cidr));
  return ranges;
}

wire::ApiError has_dependencies(std::string_view noun, const std::string& id) {
  return {400, "DependencyViolation", fmt::format("The {} '{}' has dependencies and cannot be deleted.", noun, id)};
}

std::vector<service::Action> vpc_actions() {
  return {
      service::write_action("CreateVpc", create_vpc),
      service::write_action("CreateDefaultVpc", create_default_vpc),
      service::write_action("DeleteVpc", delete_vpc),
      service::read_action("DescribeVpcs", describe_vpcs),
      service::read_action("DescribeVpcAttribute", describe_vpc_attribute),
      service::write_action("ModifyVpcAttribute", modify_vpc_attribute),
      service::write_action("AssociateVpcCidrBlock", associate_range),
      service::write_action("DisassociateVpcCidrBlock", disassociate_range),
  };
}

}  // namespace brume::ec2
