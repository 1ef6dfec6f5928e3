// NAT gateways: through one, a subnet without public addresses reaches the internet. It has an Elastic IP and an interface that belongs to
// no instance.
#include <fmt/format.h>

#include "domain/elastic_ips.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/deleted.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/free_addresses.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/interfaces/network_interfaces.hpp"
#include "ec2/network/vpcs.hpp"
#include "wire/ec2/nat_gateways.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::NatGateway;
using state::World;

const FilterField<NatGateway> nat_filters[] = {
    field<&NatGateway::id>("nat-gateway-id"),
    field<&NatGateway::state>("state"),
    field<&NatGateway::subnet_id>("subnet-id"),
    field<&NatGateway::vpc_id>("vpc-id"),
};

wire::ec2::NatGateway show_nat_gateway(const World& world, const NatGateway& gateway) {
  wire::ec2::NatGateway item;
  item.nat_gateway_id = gateway.id;
  item.subnet_id = gateway.subnet_id;
  item.vpc_id = gateway.vpc_id;
  item.state = state::name_of(gateway.state);
  item.connectivity_type = "public";
  item.create_time = gateway.created;
  if (gateway.state != state::NatState::available) item.delete_time = gateway.deleted;
  auto& address = item.nat_gateway_addresses.emplace_back();
  address.allocation_id = gateway.allocation_id;
  address.is_primary = true;
  if (gateway.state == state::NatState::failed) {
    item.failure_code = gateway.failure_code;
    item.failure_message = gateway.failure_message;
    address.status = "failed";
    address.failure_message = gateway.failure_message;
  } else {
    address.public_ip = gateway.public_ip;
    address.private_ip = gateway.private_ip;
    address.network_interface_id = gateway.interface_id;
    address.status = "succeeded";
  }
  if (const auto* elastic = world.find<state::ElasticIp>(gateway.account, gateway.allocation_id);
      elastic != nullptr && gateway.state == state::NatState::available)
    address.association_id = elastic->association_id;
  item.tags = tags_of(world, gateway.account, gateway.id);
  return item;
}

void refuse_nat_option(bool asked, std::string_view what) {
  if (asked) throw wire::unsupported_operation(fmt::format("{} is not supported yet.", what));
}

void check_nat_limit(const World& world, const Context& context, const std::string& zone) {
  std::int64_t count = 0;
  world.each_of<NatGateway>(context.account(), [&](const NatGateway& gateway) {
    const auto* subnet = world.find<state::Subnet>(context.account(), gateway.subnet_id);
    count += gateway.state == state::NatState::available && subnet != nullptr && subnet->zone == zone;
  });
  check_quota(world, context, Quota::nat_gateways, count);
}

std::string one_of(const std::optional<std::string>& asked, std::string_view usual, std::string_view other, std::string_view parameter) {
  auto value = given(asked) ? *asked : std::string(usual);
  if (value != usual && value != other)
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter {} is invalid. Valid values: {}, {}.", value, parameter, usual, other));
  return value;
}

// Other kinds of NAT gateways need less than this one: the given parameters are valid by now.
void refuse_unbuilt_nat_options(const wire::ec2::CreateNatGatewayRequest& request) {
  refuse_nat_option(one_of(request.connectivity_type, "public", "private", "ConnectivityType") == "private", "A private NAT gateway");
  refuse_nat_option(one_of(request.availability_mode, "zonal", "regional", "AvailabilityMode") == "regional" || given(request.vpc_id) ||
                        !request.availability_zone_addresses.empty(),
                    "A regional NAT gateway");
  refuse_nat_option(!request.secondary_allocation_ids.empty() || !request.secondary_private_ip_addresses.empty() ||
                        request.secondary_private_ip_address_count.value_or(0) > 0,
                    "A second address of a NAT gateway");
}

void check_nat_request(const World& world, const Context& context, const wire::ec2::CreateNatGatewayRequest& request) {
  check_tag_types(request.tag_specifications, {"natgateway"});
  if (given(request.subnet_id)) find_subnet(world, context.account(), request.subnet_id);
  if (given(request.vpc_id)) find_vpc(world, context.account(), request.vpc_id);
  check_owned<state::ElasticIp>(world, context.account(), "eipalloc", request.secondary_allocation_ids);
  if (given(request.allocation_id)) {
    if (request.connectivity_type.value_or("public") == "private")
      throw wire::invalid_parameter_combination("An AllocationId cannot be given for a private NAT gateway.");
    find_owned<state::ElasticIp>(world, context.account(), "eipalloc", "AllocationId", request.allocation_id);
  }
  refuse_unbuilt_nat_options(request);
}

// Errors that EC2 finds only while it sets the gateway up: the call succeeds, and the gateway shows them. Empty: none.
struct Failure {
  std::string code;
  std::string message;
};
Failure why_it_fails(const World& world, const InterfacePlan& plan, const state::ElasticIp& address) {
  if (world.find_indexed<state::InternetGateway>(state::Index::internet_gateway_by_vpc, plan.subnet.vpc_id) == nullptr)
    return {"Gateway.NotAttached", fmt::format("Network {} has no Internet gateway attached", plan.subnet.vpc_id)};
  if (!address.association_id.empty())
    return {"Resource.AlreadyAssociated", fmt::format("Elastic IP address [{}] is already associated", address.allocation_id)};
  if (plan.private_ip.empty() && !has_free_addresses(world, plan.subnet, 1))
    return {"InsufficientFreeAddressesInSubnet", "Subnet has insufficient free addresses to create this NAT gateway"};
  return {};
}

// Its interface, which the Elastic IP is mapped to from now on.
void set_up(state::Transaction& transaction, const InterfacePlan& plan, state::ElasticIp address, NatGateway& gateway) {
  auto interface = make_network_interface(transaction, gateway.account, plan);
  interface.requester_id = "nat-gateway";
  interface.type = "natGateway";
  interface.source_dest_check = false;
  interface.public_ip = address.public_ip;
  gateway.interface_id = interface.id;
  gateway.private_ip = interface.private_ip;
  gateway.public_ip = address.public_ip;
  address.association_id = make_id(transaction.random(), "eipassoc");
  address.interface_id = interface.id;
  address.private_ip = interface.private_ip;
  transaction.put(std::move(interface));
  transaction.put(std::move(address));
}

std::string make_nat_gateway(state::Transaction& transaction, const Context& context, const wire::ec2::CreateNatGatewayRequest& request) {
  const auto& world = transaction.world();
  check_nat_request(world, context, request);
  InterfacePlan plan;
  plan.subnet = find_subnet(world, context.account(), request.subnet_id);
  const state::ElasticIp address =
      find_owned<state::ElasticIp>(world, context.account(), "eipalloc", "AllocationId", request.allocation_id);
  check_nat_limit(world, context, plan.subnet.zone);
  plan.private_ip = request.private_ip_address.value_or("");
  if (!plan.private_ip.empty()) check_private_address(world, plan.subnet, plan.private_ip);
  NatGateway gateway;
  gateway.account = context.account();
  gateway.id = make_id(transaction.random(), "nat");
  gateway.vpc_id = plan.subnet.vpc_id;
  gateway.subnet_id = plan.subnet.id;
  gateway.allocation_id = address.allocation_id;
  gateway.created = transaction.now();
  plan.description = "Interface for NAT Gateway " + gateway.id;
  if (auto failure = why_it_fails(world, plan, address); !failure.code.empty()) {
    gateway.state = state::NatState::failed;
    gateway.deleted = transaction.now();
    gateway.failure_code = std::move(failure.code);
    gateway.failure_message = std::move(failure.message);
    sweep_deleted<NatGateway>(transaction, gateway.account);
  } else {
    set_up(transaction, plan, address, gateway);
  }
  tag_on_create(transaction, gateway.account, gateway.id, "natgateway", request.tag_specifications);
  transaction.put(gateway);
  return gateway.id;
}

// As EC2 shows a new one, whatever becomes of it.
wire::ec2::NatGateway show_new(const World& world, NatGateway gateway) {
  gateway.state = state::NatState::available;
  auto item = show_nat_gateway(world, gateway);
  item.state = "pending";
  return item;
}

wire::ec2::CreateNatGatewayResponse create_nat_gateway(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::CreateNatGatewayRequest& request) {
  bool is_new = false;
  const auto make = [&] {
    is_new = true;
    return make_nat_gateway(transaction, context, request);
  };
  return create_once<wire::ec2::CreateNatGatewayResponse>(
      transaction, context, "CreateNatGateway", request, make, [&](auto& response, const std::string& id) {
        const auto& gateway = find_owned<NatGateway>(transaction.world(), context.account(), "nat", "", id);
        response.nat_gateway = is_new ? show_new(transaction.world(), gateway) : show_nat_gateway(transaction.world(), gateway);
      });
}

wire::ec2::DeleteNatGatewayResponse delete_nat_gateway(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::DeleteNatGatewayRequest& request) {
  auto gateway = find_owned<NatGateway>(transaction.world(), context.account(), "nat", "NatGatewayId", request.nat_gateway_id);
  if (is_forgotten(gateway, context.now)) throw id_unknown("nat", gateway.id);
  wire::ec2::DeleteNatGatewayResponse response;
  response.nat_gateway_id = gateway.id;
  if (gateway.state == state::NatState::deleted) return response;
  if (const auto* interface = transaction.find<state::NetworkInterface>(gateway.account, gateway.interface_id))
    erase_interface(transaction, state::NetworkInterface(*interface));
  mark_deleted(transaction, std::move(gateway));
  return response;
}

wire::ec2::DescribeNatGatewaysResponse describe_nat_gateways(const World& world, const Context& context,
                                                             const wire::ec2::DescribeNatGatewaysRequest& request) {
  // This action calls its filters "Filter".
  const struct {
    const std::vector<wire::ec2::Filter>& filters;
    const std::optional<std::int64_t>& max_results;
    const std::optional<std::string>& next_token;
  } asked{request.filter, request.max_results, request.next_token};
  wire::ec2::DescribeNatGatewaysResponse response;
  const Listing<NatGateway> gateways(world, context, asked, {.action = "DescribeNatGateways", .filters = nat_filters});
  check_shown<NatGateway>(world, context.account(), "nat", request.nat_gateway_ids, context.now);
  response.next_token = gateways.each_where(
      request.nat_gateway_ids, [&](const NatGateway& gateway) { return !is_forgotten(gateway, context.now); },
      [&](const NatGateway& gateway) { response.nat_gateways.push_back(show_nat_gateway(world, gateway)); });
  return response;
}

}  // namespace

std::vector<service::Action> nat_gateway_actions() {
  return {
      service::write_action("CreateNatGateway", create_nat_gateway),
      service::write_action("DeleteNatGateway", delete_nat_gateway),
      service::read_action("DescribeNatGateways", describe_nat_gateways),
  };
}

}  // namespace brume::ec2
