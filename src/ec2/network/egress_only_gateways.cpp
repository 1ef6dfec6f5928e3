// Egress-only internet gateways: a VPC's way out for IPv6 that lets nobody in. Route tables decide which subnets use it.
#include <fmt/format.h>

#include "ec2/actions.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/vpcs.hpp"
#include "wire/ec2/egress_only_gateways.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::EgressOnlyGateway;
using state::World;

wire::ec2::EgressOnlyInternetGateway show_egress_only_gateway(const World& world, const EgressOnlyGateway& gateway) {
  wire::ec2::EgressOnlyInternetGateway item;
  item.egress_only_internet_gateway_id = gateway.id;
  auto& attachment = item.attachments.emplace_back();
  attachment.vpc_id = gateway.vpc_id;
  attachment.state = "attached";
  item.tags = tags_of(world, gateway.account, gateway.id);
  return item;
}

const EgressOnlyGateway& find_egress_only_gateway(const World& world, const Context& context, const std::optional<std::string>& id) {
  return find_owned<EgressOnlyGateway>(world, context.account(), "eigw", "EgressOnlyInternetGatewayId", id);
}

// So an account has at most as many as VPCs.
void check_without(const World& world, const std::string& account, const std::string& vpc_id) {
  world.each_of<EgressOnlyGateway>(account, [&](const EgressOnlyGateway& gateway) {
    if (gateway.vpc_id == vpc_id)
      throw wire::invalid_parameter_value(fmt::format("Network {} already has an egress-only internet gateway attached", vpc_id));
  });
}

std::string make_egress_only_gateway(state::Transaction& transaction, const Context& context,
                                     const wire::ec2::CreateEgressOnlyInternetGatewayRequest& request) {
  check_tag_types(request.tag_specifications, {"egress-only-internet-gateway"});
  const auto& vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  check_without(transaction.world(), context.account(), vpc.id);
  EgressOnlyGateway gateway;
  gateway.account = context.account();
  gateway.id = make_id(transaction.random(), "eigw");
  gateway.vpc_id = vpc.id;
  tag_on_create(transaction, gateway.account, gateway.id, "egress-only-internet-gateway", request.tag_specifications);
  transaction.put(gateway);
  return gateway.id;
}

wire::ec2::CreateEgressOnlyInternetGatewayResponse create_egress_only_gateway(
    state::Transaction& transaction, const Context& context, const wire::ec2::CreateEgressOnlyInternetGatewayRequest& request) {
  return create_once<wire::ec2::CreateEgressOnlyInternetGatewayResponse>(
      transaction, context, "CreateEgressOnlyInternetGateway", request,
      [&] { return make_egress_only_gateway(transaction, context, request); },
      [&](auto& response, const std::string& id) {
        response.egress_only_internet_gateway =
            show_egress_only_gateway(transaction.world(), find_egress_only_gateway(transaction.world(), context, id));
      });
}

// Routes to it lead nowhere from then on.
wire::ec2::DeleteEgressOnlyInternetGatewayResponse delete_egress_only_gateway(
    state::Transaction& transaction, const Context& context, const wire::ec2::DeleteEgressOnlyInternetGatewayRequest& request) {
  const EgressOnlyGateway gateway = find_egress_only_gateway(transaction.world(), context, request.egress_only_internet_gateway_id);
  erase_tags(transaction, gateway.account, gateway.id);
  transaction.erase<EgressOnlyGateway>(gateway.key());
  wire::ec2::DeleteEgressOnlyInternetGatewayResponse response;
  response.return_code = true;
  return response;
}

wire::ec2::DescribeEgressOnlyInternetGatewaysResponse describe_egress_only_gateways(
    const World& world, const Context& context, const wire::ec2::DescribeEgressOnlyInternetGatewaysRequest& request) {
  wire::ec2::DescribeEgressOnlyInternetGatewaysResponse response;
  // EC2 has only filters on tags for them.
  const Listing<EgressOnlyGateway> gateways(world, context, request, {.action = "DescribeEgressOnlyInternetGateways", .filters = {}});
  response.next_token = gateways.each(request.egress_only_internet_gateway_ids, "eigw", [&](const EgressOnlyGateway& gateway) {
    response.egress_only_internet_gateways.push_back(show_egress_only_gateway(world, gateway));
  });
  return response;
}

}  // namespace

std::vector<service::Action> egress_only_gateway_actions() {
  return {
      service::write_action("CreateEgressOnlyInternetGateway", create_egress_only_gateway),
      service::write_action("DeleteEgressOnlyInternetGateway", delete_egress_only_gateway),
      service::read_action("DescribeEgressOnlyInternetGateways", describe_egress_only_gateways),
  };
}

}  // namespace brume::ec2
