// NAT gateways: a subnet without public addresses reaches the internet through one. Its address is an Elastic IP, its place an interface
// that no instance has.
#include <fmt/format.h>

#include "ec2/actions.hpp"
#include "ec2/client_tokens.hpp"
#include "ec2/describe.hpp"
#include "ec2/find_owned.hpp"
#include "ec2/network.hpp"
#include "ec2/network_interfaces.hpp"
#include "ec2/quotas.hpp"
#include "ec2/tags.hpp"
#include "ec2/vpcs.hpp"
#include "state/elastic_ips.hpp"
#include "wire/ec2/nat_gateways.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::NatGateway;
using state::World;

constexpr auto shown_after_deletion = std::chrono::hours(1);  // Describe still has it

const FilterField<NatGateway> gateway_filters[] = {
    field<&NatGateway::id>("nat-gateway-id"),
    field<&NatGateway::state>("state"),
    field<&NatGateway::subnet_id>("subnet-id"),
    field<&NatGateway::vpc_id>("vpc-id"),
};

wire::ec2::NatGateway show(const World& world, const NatGateway& gateway) {
  wire::ec2::NatGateway item;
  item.nat_gateway_id = gateway.id;
  item.subnet_id = gateway.subnet_id;
  item.vpc_id = gateway.vpc_id;
  item.state = gateway.state;
  item.connectivity_type = "public";
  item.create_time = gateway.created;
  if (gateway.state == "deleted") item.delete_time = gateway.deleted;
  auto& address = item.nat_gateway_addresses.emplace_back();
  address.allocation_id = gateway.allocation_id;
  address.public_ip = gateway.public_ip;
  address.private_ip = gateway.private_ip;
  address.network_interface_id = gateway.interface_id;
  address.is_primary = true;
  address.status = "succeeded";
  if (const auto* elastic = world.find<state::ElasticIp>(gateway.account, gateway.allocation_id);
      elastic != nullptr && gateway.state != "deleted")
    address.association_id = elastic->association_id;
  item.tags = tags_of(world, gateway.account, gateway.id);
  return item;
}

void refuse(bool asked, std::string_view what) {
  if (asked) throw wire::unsupported_operation(fmt::format("{} is not supported yet.", what));
}

void check_limit(const World& world, const Context& context, const std::string& zone) {
  std::int64_t count = 0;
  world.each_of<NatGateway>(context.account(), [&](const NatGateway& gateway) {
    const auto* subnet = world.find<state::Subnet>(context.account(), gateway.subnet_id);
    count += gateway.state == "available" && subnet != nullptr && subnet->zone == zone;
  });
  check_quota(world, context, Quota::nat_gateways, count);
}

state::ElasticIp free_address(const World& world, const Context& context, const std::optional<std::string>& id) {
  const auto& address = find_owned<state::ElasticIp>(world, context.account(), "eipalloc", "AllocationId", id);
  if (!address.association_id.empty())
    throw wire::ApiError(400, "Resource.AlreadyAssociated",
                         fmt::format("Elastic IP address [{}] is already associated", address.allocation_id));
  return address;
}

std::string make_gateway(state::Transaction& transaction, const Context& context, const wire::ec2::CreateNatGatewayRequest& request) {
  refuse(request.connectivity_type.value_or("public") != "public", "A private NAT gateway");
  refuse(request.availability_mode.value_or("zonal") != "zonal" || request.vpc_id || !request.availability_zone_addresses.empty(),
         "A regional NAT gateway");
  refuse(!request.secondary_allocation_ids.empty() || !request.secondary_private_ip_addresses.empty() ||
             request.secondary_private_ip_address_count.value_or(0) > 0,
         "A second address of a NAT gateway");
  check_tag_types(request.tag_specifications, {"natgateway"});
  InterfacePlan plan;
  plan.subnet = find_subnet(transaction.world(), context.account(), request.subnet_id);
  auto address = free_address(transaction.world(), context, request.allocation_id);
  require_internet_gateway(transaction.world(), plan.subnet.vpc_id);
  check_limit(transaction.world(), context, plan.subnet.zone);
  plan.private_ip = request.private_ip_address.value_or("");
  if (!plan.private_ip.empty()) check_private_address(transaction.world(), plan.subnet, plan.private_ip);
  NatGateway gateway;
  gateway.account = context.account();
  gateway.id = make_id(transaction.random(), "nat");
  plan.description = "Interface for NAT Gateway " + gateway.id;
  auto interface = make_network_interface(transaction, context.account(), plan);
  interface.requester_id = "nat-gateway";
  interface.type = "natGateway";
  interface.source_dest_check = false;
  interface.public_ip = address.public_ip;
  gateway.vpc_id = plan.subnet.vpc_id;
  gateway.subnet_id = plan.subnet.id;
  gateway.interface_id = interface.id;
  gateway.private_ip = interface.private_ip;
  gateway.allocation_id = address.allocation_id;
  gateway.public_ip = address.public_ip;
  gateway.created = transaction.now();
  address.association_id = make_id(transaction.random(), "eipassoc");
  address.interface_id = interface.id;
  address.private_ip = interface.private_ip;
  transaction.put(std::move(interface));
  transaction.put(std::move(address));
  tag_on_create(transaction, gateway.account, gateway.id, "natgateway", request.tag_specifications);
  transaction.put(gateway);
  return gateway.id;
}

wire::ec2::CreateNatGatewayResponse create_gateway(state::Transaction& transaction, const Context& context,
                                                   const wire::ec2::CreateNatGatewayRequest& request) {
  bool is_new = false;
  const auto make = [&] {
    is_new = true;
    return make_gateway(transaction, context, request);
  };
  return create_once<wire::ec2::CreateNatGatewayResponse>(
      transaction, context, "CreateNatGateway", request, make, [&](auto& response, const std::string& id) {
        const auto& gateway = find_owned<NatGateway>(transaction.world(), context.account(), "nat", "", id);
        response.nat_gateway = show(transaction.world(), gateway);
        if (is_new) response.nat_gateway->state = "pending";  // as EC2 says it of one just made
      });
}

// Deleted ones are shown for an hour, then swept away with the next deletion.
void sweep(state::Transaction& transaction, const std::string& account) {
  std::vector<std::string> over;
  transaction.world().each_of<NatGateway>(account, [&](const NatGateway& gateway) {
    if (gateway.state == "deleted" && transaction.now() - gateway.deleted >= shown_after_deletion) over.push_back(gateway.id);
  });
  for (const auto& id : over) {
    erase_tags(transaction, account, id);
    transaction.erase<NatGateway>(state::owned_key(account, id));
  }
}

wire::ec2::DeleteNatGatewayResponse delete_gateway(state::Transaction& transaction, const Context& context,
                                                   const wire::ec2::DeleteNatGatewayRequest& request) {
  auto gateway = find_owned<NatGateway>(transaction.world(), context.account(), "nat", "NatGatewayId", request.nat_gateway_id);
  wire::ec2::DeleteNatGatewayResponse response;
  response.nat_gateway_id = gateway.id;
  if (gateway.state == "deleted") return response;
  if (const auto* interface = transaction.find<state::NetworkInterface>(gateway.account, gateway.interface_id))
    erase_interface(transaction, state::NetworkInterface(*interface));
  gateway.state = "deleted";
  gateway.deleted = transaction.now();
  sweep(transaction, gateway.account);
  transaction.put(std::move(gateway));
  return response;
}

wire::ec2::DescribeNatGatewaysResponse describe_gateways(const World& world, const Context& context,
                                                         const wire::ec2::DescribeNatGatewaysRequest& request) {
  // This one calls its filters "Filter".
  const struct {
    const std::vector<wire::ec2::Filter>& filters;
    const std::optional<std::int64_t>& max_results;
    const std::optional<std::string>& next_token;
  } asked{request.filter, request.max_results, request.next_token};
  wire::ec2::DescribeNatGatewaysResponse response;
  const Listing<NatGateway> gateways(world, context, asked, {.action = "DescribeNatGateways", .filters = gateway_filters});
  response.next_token = gateways.each(request.nat_gateway_ids, "nat",
                                      [&](const NatGateway& gateway) { response.nat_gateways.push_back(show(world, gateway)); });
  return response;
}

}  // namespace

std::vector<service::Action> nat_gateway_actions() {
  return {
      service::write_action("CreateNatGateway", create_gateway),
      service::write_action("DeleteNatGateway", delete_gateway),
      service::read_action("DescribeNatGateways", describe_gateways),
  };
}

}  // namespace brume::ec2
