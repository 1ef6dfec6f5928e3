// Internet gateways (OPS-036). A VPC with one can have public addresses; its route tables decide who may use it.
#include <fmt/format.h>

#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/vpcs.hpp"
#include "wire/ec2/internet_gateways.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::InternetGateway;
using state::World;

const FilterField<InternetGateway> internet_gateway_filters[] = {
    field<&InternetGateway::id>("internet-gateway-id"),
    field<&InternetGateway::account>("owner-id"),
    field_if_set<&InternetGateway::vpc_id>("attachment.vpc-id"),
    {"attachment.state",
     [](const auto& at, auto& out) {
       if (!at.record.vpc_id.empty()) out.add("available");
     }},
};

const InternetGateway& find_internet_gateway(const World& world, const Context& context, const std::optional<std::string>& id) {
  return find_owned<InternetGateway>(world, context.account(), "igw", "InternetGatewayId", id);
}

wire::ec2::InternetGateway show_internet_gateway(const World& world, const InternetGateway& gateway) {
  wire::ec2::InternetGateway item;
  item.internet_gateway_id = gateway.id;
  item.owner_id = gateway.account;
  if (!gateway.vpc_id.empty()) {
    auto& attachment = item.attachments.emplace_back();
    attachment.vpc_id = gateway.vpc_id;
    attachment.state = "available";
  }
  item.tags = tags_of(world, gateway.account, gateway.id);
  return item;
}

wire::ec2::CreateInternetGatewayResponse create_internet_gateway(state::Transaction& transaction, const Context& context,
                                                                 const wire::ec2::CreateInternetGatewayRequest& request) {
  check_tag_types(request.tag_specifications, {"internet-gateway"});
  std::int64_t count = 0;
  transaction.world().each_of<InternetGateway>(context.account(), [&](const InternetGateway&) { ++count; });
  check_quota(transaction.world(), context, Quota::internet_gateways, count);
  InternetGateway gateway;
  gateway.account = context.account();
  gateway.id = make_id(transaction.random(), "igw");
  tag_on_create(transaction, gateway.account, gateway.id, "internet-gateway", request.tag_specifications);
  wire::ec2::CreateInternetGatewayResponse response;
  response.internet_gateway = show_internet_gateway(transaction.world(), gateway);
  transaction.put(std::move(gateway));
  return response;
}

wire::ec2::AttachInternetGatewayResponse attach_internet_gateway(state::Transaction& transaction, const Context& context,
                                                                 const wire::ec2::AttachInternetGatewayRequest& request) {
  auto gateway = find_internet_gateway(transaction.world(), context, request.internet_gateway_id);
  const auto& vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  if (!gateway.vpc_id.empty())
    throw wire::ApiError(400, "Resource.AlreadyAssociated",
                         fmt::format("resource {} is already attached to network {}", gateway.id, gateway.vpc_id));
  if (transaction.world().find_indexed<InternetGateway>(state::Index::internet_gateway_by_vpc, vpc.id) != nullptr)
    throw wire::invalid_parameter_value(fmt::format("Network {} already has an internet gateway attached", vpc.id));
  gateway.vpc_id = vpc.id;
  transaction.put(std::move(gateway));
  return {};
}

bool has_public_addresses(const World& world, const std::string& account, const std::string& vpc_id) {
  bool found = false;
  world.each_of<state::NetworkInterface>(account, [&](const state::NetworkInterface& interface) {
    if (interface.vpc_id != vpc_id) return true;
    found = !interface.public_ip.empty();
    for (const auto& one : interface.secondary) found |= !one.public_ip.empty();
    return !found;
  });
  return found;
}

wire::ec2::DetachInternetGatewayResponse detach_internet_gateway(state::Transaction& transaction, const Context& context,
                                                                 const wire::ec2::DetachInternetGatewayRequest& request) {
  auto gateway = find_internet_gateway(transaction.world(), context, request.internet_gateway_id);
  const auto& vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  if (gateway.vpc_id != vpc.id)
    throw wire::ApiError(400, "Gateway.NotAttached", fmt::format("resource {} is not attached to network {}", gateway.id, vpc.id));
  if (has_public_addresses(transaction.world(), vpc.account, vpc.id))
    throw wire::ApiError(400, "DependencyViolation",
                         fmt::format("Network {} has some mapped public address(es). Please unmap those public address(es) before "
                                     "detaching the gateway.",
                                     vpc.id));
  gateway.vpc_id.clear();
  transaction.put(std::move(gateway));
  return {};
}

wire::ec2::DeleteInternetGatewayResponse delete_internet_gateway(state::Transaction& transaction, const Context& context,
                                                                 const wire::ec2::DeleteInternetGatewayRequest& request) {
  const InternetGateway gateway = find_internet_gateway(transaction.world(), context, request.internet_gateway_id);
  if (!gateway.vpc_id.empty()) throw has_dependencies("internetGateway", gateway.id);
  erase_tags(transaction, gateway.account, gateway.id);
  transaction.erase<InternetGateway>(gateway.key());
  return {};
}

wire::ec2::DescribeInternetGatewaysResponse describe_internet_gateways(const World& world, const Context& context,
                                                                       const wire::ec2::DescribeInternetGatewaysRequest& request) {
  wire::ec2::DescribeInternetGatewaysResponse response;
  const Listing<InternetGateway> gateways(world, context, request,
                                          {.action = "DescribeInternetGateways", .filters = internet_gateway_filters});
  response.next_token = gateways.each(request.internet_gateway_ids, "igw", [&](const InternetGateway& gateway) {
    response.internet_gateways.push_back(show_internet_gateway(world, gateway));
  });
  return response;
}

}  // namespace

std::vector<service::Action> internet_gateway_actions() {
  return {
      service::write_action("CreateInternetGateway", create_internet_gateway),
      service::write_action("DeleteInternetGateway", delete_internet_gateway),
      service::write_action("AttachInternetGateway", attach_internet_gateway),
      service::write_action("DetachInternetGateway", detach_internet_gateway),
      service::read_action("DescribeInternetGateways", describe_internet_gateways),
  };
}

}  // namespace brume::ec2
