// Virtual private gateways: a VPC's end of its VPN connections, and the route tables that learn the routes behind them.
#include <fmt/format.h>

#include <algorithm>

#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/route_tables.hpp"
#include "ec2/network/vpcs.hpp"
#include "ec2/vpn/vpn.hpp"
#include "wire/ec2/vpn_gateways.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::VpnGateway;
using state::World;

const FilterField<VpnGateway> vpn_gateway_filters[] = {
    field<&VpnGateway::id>("vpn-gateway-id"),
    field<&VpnGateway::state>("state"),
    field<&VpnGateway::asn>("amazon-side-asn"),
    field_if_set<&VpnGateway::zone>("availability-zone"),
    field_if_set<&VpnGateway::vpc_id>("attachment.vpc-id"),
    {"attachment.state",
     [](const auto& at, auto& out) {
       if (!at.record.vpc_id.empty()) out.add("attached");
     }},
    {"type", [](const auto&, auto& out) { out.add("ipsec.1"); }},
};

const VpnGateway& find_vpn_gateway(const World& world, const Context& context, const std::optional<std::string>& id,
                                   std::string_view parameter = "VpnGatewayId") {
  const auto& gateway = find_owned<VpnGateway>(world, context.account(), "vgw", parameter, id);
  if (gateway.state == state::VpnState::deleted) throw id_unknown("vgw", gateway.id);
  return gateway;
}

wire::ec2::VpcAttachment attachment(const std::string& vpc_id) {
  wire::ec2::VpcAttachment item;
  item.vpc_id = vpc_id;
  item.state = "attached";
  return item;
}

// `with_no_tags`: an untagged one has an empty list of tags, as Describe shows it; Create omits the list in today's answers.
wire::ec2::VpnGateway show_vpn_gateway(const World& world, const VpnGateway& gateway, bool with_no_tags) {
  wire::ec2::VpnGateway item;
  item.vpn_gateway_id = gateway.id;
  item.state = state::name_of(gateway.state);
  item.type = "ipsec.1";
  item.amazon_side_asn = gateway.asn;
  if (!gateway.zone.empty()) item.availability_zone = gateway.zone;
  if (!gateway.vpc_id.empty()) item.vpc_attachments.push_back(attachment(gateway.vpc_id));
  if (auto tags = tags_of(world, gateway.account, gateway.id); with_no_tags || !tags.empty()) item.tags = std::move(tags);
  return item;
}

wire::ec2::CreateVpnGatewayResponse create_vpn_gateway(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::CreateVpnGatewayRequest& request) {
  if (!given(request.type)) throw wire::missing_parameter("Type");
  if (*request.type != "ipsec.1")
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter type is invalid.", *request.type));
  check_tag_types(request.tag_specifications, {"vpn-gateway"});
  std::int64_t count = 0;
  transaction.world().each_of<VpnGateway>(context.account(),
                                          [&](const VpnGateway& other) { count += other.state != state::VpnState::deleted; });
  check_quota(transaction.world(), context, Quota::vpn_gateways, count);
  VpnGateway gateway;
  gateway.account = context.account();
  gateway.zone = request.availability_zone.value_or("");
  gateway.asn = request.amazon_side_asn.value_or(gateway.asn);
  const bool is_private = (gateway.asn >= 64512 && gateway.asn <= 65534) || (gateway.asn >= 4200000000 && gateway.asn <= 4294967294);
  if (!is_private) throw wire::invalid_parameter_value(fmt::format("Invalid AmazonSideAsn: {} is not a private number", gateway.asn));
  gateway.id = make_id(transaction.random(), "vgw");
  tag_on_create(transaction, gateway.account, gateway.id, "vpn-gateway", request.tag_specifications);
  wire::ec2::CreateVpnGatewayResponse response;
  response.vpn_gateway = show_vpn_gateway(transaction.world(), gateway, context.is_2011());
  transaction.put(std::move(gateway));
  return response;
}

wire::ec2::AttachVpnGatewayResponse attach_vpn_gateway(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::AttachVpnGatewayRequest& request) {
  auto gateway = find_vpn_gateway(transaction.world(), context, request.vpn_gateway_id);
  const auto& vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  wire::ec2::AttachVpnGatewayResponse response;
  response.vpc_attachment = attachment(vpc.id);
  if (gateway.vpc_id == vpc.id) return response;
  if (!gateway.vpc_id.empty())
    throw wire::ApiError(400, "VpnGatewayAttachmentLimitExceeded",
                         fmt::format("The virtual private gateway {} is attached to {} already.", gateway.id, gateway.vpc_id));
  transaction.world().each_of<VpnGateway>(vpc.account, [&](const VpnGateway& other) {
    if (other.vpc_id == vpc.id)
      throw wire::ApiError(400, "VpcAlreadyAttached", fmt::format("{} has the virtual private gateway {} already.", vpc.id, other.id));
  });
  gateway.vpc_id = vpc.id;
  transaction.put(std::move(gateway));
  return response;
}

// Its routes are deleted with it.
void stop_propagating(state::Transaction& transaction, const VpnGateway& gateway) {
  std::vector<state::RouteTable> tables;
  transaction.world().each_of<state::RouteTable>(gateway.account, [&](const state::RouteTable& table) {
    const auto& all = table.propagating_gateways;
    if (std::find(all.begin(), all.end(), gateway.id) != all.end()) tables.push_back(table);
  });
  for (auto& table : tables) {
    std::erase(table.propagating_gateways, gateway.id);
    transaction.put(std::move(table));
  }
}

wire::ec2::DetachVpnGatewayResponse detach_vpn_gateway(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::DetachVpnGatewayRequest& request) {
  auto gateway = find_vpn_gateway(transaction.world(), context, request.vpn_gateway_id);
  const auto& vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  if (gateway.vpc_id != vpc.id)
    throw wire::ApiError(400, "InvalidVpnGatewayAttachment.NotFound",
                         fmt::format("The virtual private gateway {} is not attached to {}.", gateway.id, vpc.id));
  stop_propagating(transaction, gateway);
  gateway.vpc_id.clear();
  transaction.put(std::move(gateway));
  return {};
}

wire::ec2::DeleteVpnGatewayResponse delete_vpn_gateway(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::DeleteVpnGatewayRequest& request) {
  const VpnGateway gateway = find_vpn_gateway(transaction.world(), context, request.vpn_gateway_id);
  bool used = !gateway.vpc_id.empty();
  transaction.world().each_of<state::VpnConnection>(gateway.account, [&](const state::VpnConnection& connection) {
    used |= connection.vpn_gateway_id == gateway.id && connection.state != state::VpnState::deleted;
  });
  if (used) throw wire::ApiError(400, "IncorrectState", fmt::format("The virtual private gateway {} is in use.", gateway.id));
  mark_deleted(transaction, gateway);
  return {};
}

wire::ec2::DescribeVpnGatewaysResponse describe_vpn_gateways(const World& world, const Context& context,
                                                             const wire::ec2::DescribeVpnGatewaysRequest& request) {
  wire::ec2::DescribeVpnGatewaysResponse response;
  const Listing<VpnGateway> gateways(world, context, request, {.action = "DescribeVpnGateways", .filters = vpn_gateway_filters});
  check_shown<VpnGateway>(world, context.account(), "vgw", request.vpn_gateway_ids, context.now);
  gateways.each_where(
      request.vpn_gateway_ids, [&](const VpnGateway& gateway) { return !is_forgotten(gateway, context.now); },
      [&](const VpnGateway& gateway) { response.vpn_gateways.push_back(show_vpn_gateway(world, gateway, true)); });
  return response;
}

// ----- propagation

template <class Request>
std::pair<state::RouteTable, std::string> read_propagation(const World& world, const Context& context, const Request& request) {
  const auto& table = find_route_table(world, context.account(), request.route_table_id);
  const auto& gateway = find_vpn_gateway(world, context, request.gateway_id, "GatewayId");
  if (gateway.vpc_id != table.vpc_id)
    throw wire::ApiError(400, "Gateway.NotAttached", fmt::format("resource {} is not attached to network {}", gateway.id, table.vpc_id));
  return {table, gateway.id};
}

wire::ec2::EnableVgwRoutePropagationResponse enable_propagation(state::Transaction& transaction, const Context& context,
                                                                const wire::ec2::EnableVgwRoutePropagationRequest& request) {
  auto [table, gateway] = read_propagation(transaction.world(), context, request);
  auto& all = table.propagating_gateways;
  if (std::find(all.begin(), all.end(), gateway) == all.end()) all.push_back(gateway);
  transaction.put(std::move(table));
  return {};
}

wire::ec2::DisableVgwRoutePropagationResponse disable_propagation(state::Transaction& transaction, const Context& context,
                                                                  const wire::ec2::DisableVgwRoutePropagationRequest& request) {
  auto [table, gateway] = read_propagation(transaction.world(), context, request);
  std::erase(table.propagating_gateways, gateway);
  transaction.put(std::move(table));
  return {};
}

}  // namespace

std::vector<service::Action> vpn_gateway_actions() {
  return {
      service::write_action("CreateVpnGateway", create_vpn_gateway),
      service::write_action("DeleteVpnGateway", delete_vpn_gateway),
      service::write_action("AttachVpnGateway", attach_vpn_gateway),
      service::write_action("DetachVpnGateway", detach_vpn_gateway),
      service::read_action("DescribeVpnGateways", describe_vpn_gateways),
      service::write_action("EnableVgwRoutePropagation", enable_propagation),
      service::write_action("DisableVgwRoutePropagation", disable_propagation),
  };
}

}  // namespace brume::ec2
