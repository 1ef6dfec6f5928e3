// CreateRoute, ReplaceRoute, DeleteRoute. A route leads a range to an internet gateway, an interface (of a NAT instance), a NAT gateway or
// a peer VPC; an IPv6 route to an internet gateway, an egress-only one or an interface.
#include <fmt/format.h>

#include <algorithm>

#include "ec2/accounts/quotas.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/network/prefix_lists.hpp"
#include "ec2/network/route_tables.hpp"
#include "ec2/network/vpc_endpoints.hpp"
#include "ec2/network/vpc_peerings.hpp"
#include "ec2/network/vpcs.hpp"
#include "wire/ec2/route_tables.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::RouteEntry;
using state::RouteTable;
using state::World;

// ----- destination

template <class Request>
RouteEntry read_destination(const World& world, const Context& context, const Request& request) {
  const int count = static_cast<int>(given(request.destination_cidr_block)) + static_cast<int>(given(request.destination_prefix_list_id)) +
                    static_cast<int>(given(request.destination_ipv6_cidr_block));
  if (count > 1)
    throw wire::invalid_parameter_combination(
        "Only one destination can be given: DestinationCidrBlock, DestinationIpv6CidrBlock or DestinationPrefixListId");
  RouteEntry route;
  if (given(request.destination_ipv6_cidr_block))
    route.cidr6 = format_ipv6_block(read_range6("destinationIpv6CidrBlock", request.destination_ipv6_cidr_block));
  else if (given(request.destination_prefix_list_id))
    route.prefix_list_id = find_prefix_list_id(world, context, "DestinationPrefixListId", request.destination_prefix_list_id);
  else
    route.cidr = format_ipv4_block(read_range("destinationCidrBlock", request.destination_cidr_block));
  return route;
}

// Exactly one of them.
std::string destination_of(const RouteEntry& route) { return route.cidr + route.cidr6 + route.prefix_list_id; }

auto find_route(RouteTable& table, const RouteEntry& asked) {
  return std::find_if(table.routes.begin(), table.routes.end(),
                      [&](const RouteEntry& route) { return destination_of(route) == destination_of(asked); });
}

// ----- target

wire::ApiError different_networks(const RouteTable& table, std::string_view noun, const std::string& id) {
  return wire::invalid_parameter_value(fmt::format("route table {} and {} {} belong to different networks", table.id, noun, id));
}

// Some kinds of targets do not exist here, so no id of one is known.
void refuse_target(std::string_view prefix, std::string_view code_noun, std::string_view noun, const std::optional<std::string>& id) {
  if (!given(id)) return;
  throw is_well_formed_id(prefix, *id) ? wire::id_not_found(code_noun, noun, *id) : wire::id_malformed(code_noun, *id);
}

template <class Request>
void refuse_other_targets(const World& world, const RouteTable& table, const Request& request) {
  refuse_target("tgw", "TransitGatewayID", "transitGateway", request.transit_gateway_id);
  refuse_target("lgw", "LocalGatewayID", "localGateway", request.local_gateway_id);
  refuse_target("cagw", "CarrierGatewayID", "carrierGateway", request.carrier_gateway_id);
  // Only an endpoint of a Gateway Load Balancer can be a route's target; a gateway endpoint makes its routes itself.
  if (given(request.vpc_endpoint_id)) {
    const auto& endpoint = find_owned<state::VpcEndpoint>(world, table.account, "vpce", "VpcEndpointId", request.vpc_endpoint_id);
    throw wire::invalid_parameter_value(
        fmt::format("{} is a gateway endpoint: it is added to a route table by ModifyVpcEndpoint.", endpoint.id));
  }
  if (given(request.core_network_arn) || given(request.odb_network_arn))
    throw wire::unsupported_operation("Core networks and ODB networks are not supported.");
}

void set_vpn_gateway(const World& world, const RouteTable& table, const std::string& id, RouteEntry& route) {
  check_id("vgw", "GatewayID", id);
  const auto* gateway = world.find<state::VpnGateway>(table.account, id);
  if (gateway == nullptr || gateway->state == state::VpnState::deleted)
    throw wire::ApiError(400, "InvalidGatewayID.NotFound", fmt::format("The gateway ID '{}' does not exist", id));
  if (gateway->vpc_id != table.vpc_id) throw different_networks(table, "network gateway", id);
  route.gateway_id = id;
}

void set_gateway(const World& world, const RouteTable& table, const std::string& id, RouteEntry& route) {
  if (id.starts_with("vgw-")) return set_vpn_gateway(world, table, id, route);
  check_id("igw", "GatewayID", id);
  const auto* gateway = world.find<state::InternetGateway>(table.account, id);
  if (gateway == nullptr) throw wire::ApiError(400, "InvalidGatewayID.NotFound", fmt::format("The gateway ID '{}' does not exist", id));
  if (gateway->vpc_id != table.vpc_id) throw different_networks(table, "network gateway", id);
  route.gateway_id = id;
}

void set_interface(const World& world, const RouteTable& table, const std::optional<std::string>& id, RouteEntry& route) {
  const auto& interface = find_owned<state::NetworkInterface>(world, table.account, "eni", "NetworkInterfaceId", id);
  if (interface.vpc_id != table.vpc_id) throw different_networks(table, "interface", interface.id);
  route.interface_id = interface.id;
}

void set_instance(const World& world, const RouteTable& table, const std::string& id, RouteEntry& route) {
  const auto& instance = *find_instances(world, table.account, {id}).front();
  if (instance.interface_ids.size() != 1)
    throw wire::ApiError(400, "InvalidInstanceID",
                         fmt::format("There are multiple interfaces attached to instance '{}'. Please specify an interface ID for the "
                                     "operation instead.",
                                     id));
  set_interface(world, table, instance.interface_ids.front(), route);
}

void set_egress_only(const World& world, const RouteTable& table, const std::optional<std::string>& id, RouteEntry& route) {
  const auto& gateway = find_owned<state::EgressOnlyGateway>(world, table.account, "eigw", "EgressOnlyInternetGatewayId", id);
  if (route.cidr6.empty())
    throw wire::invalid_parameter_combination("An egress-only internet gateway carries IPv6: the route needs a DestinationIpv6CidrBlock");
  if (gateway.vpc_id != table.vpc_id) throw different_networks(table, "egress-only internet gateway", gateway.id);
  route.egress_only_id = gateway.id;
}

// Not built for IPv6: NAT64, routes to other VPCs and through VPN connections.
template <class Request>
void refuse_without_ipv6(const Request& request, const RouteEntry& route) {
  if (!route.cidr6.empty() && (given(request.nat_gateway_id) || given(request.vpc_peering_connection_id) ||
                               (given(request.gateway_id) && request.gateway_id->starts_with("vgw-"))))
    throw wire::unsupported_operation(
        "A route of IPv6 leads to an internet gateway, an egress-only one, an instance or a network interface.");
}

// A peering that waits to be accepted may be named already: the route leads nowhere until then.
void set_peering(const World& world, const Context& context, const RouteTable& table, const std::string& id, RouteEntry& route) {
  check_id("pcx", id);
  const auto* peering = find_peering(world, context.account(), id, context.now);
  const auto status = peering_status(world, id, context.now);
  if (peering == nullptr || (status != "active" && status != "pending-acceptance")) throw id_unknown("pcx", id);
  if (table.vpc_id != peering->vpc_id && table.vpc_id != peering->peer_vpc_id)
    throw different_networks(table, "VPC peering connection", id);
  route.peering_id = id;
}

// A deleted or failed one is still described, but no new route may lead there.
void set_nat(const World& world, const RouteTable& table, const std::string& id, RouteEntry& route) {
  check_id("nat", id);
  const auto* nat = world.find<state::NatGateway>(table.account, id);
  if (nat == nullptr || nat->state != state::NatState::available) throw wire::id_not_found("NatGatewayID", "natGateway", id);
  if (nat->vpc_id != table.vpc_id) throw different_networks(table, "NAT gateway", id);
  route.nat_gateway_id = id;
}

template <class Request>
void read_target(const World& world, const Context& context, const RouteTable& table, const Request& request, RouteEntry& route) {
  const int count = static_cast<int>(given(request.vpc_endpoint_id)) + static_cast<int>(given(request.transit_gateway_id)) +
                    static_cast<int>(given(request.local_gateway_id)) + static_cast<int>(given(request.carrier_gateway_id)) +
                    static_cast<int>(given(request.core_network_arn)) + static_cast<int>(given(request.odb_network_arn)) +
                    static_cast<int>(given(request.gateway_id)) + static_cast<int>(given(request.instance_id)) +
                    static_cast<int>(given(request.network_interface_id)) + static_cast<int>(given(request.nat_gateway_id)) +
                    static_cast<int>(given(request.vpc_peering_connection_id)) +
                    static_cast<int>(given(request.egress_only_internet_gateway_id));
  if (count == 0)
    throw wire::missing_parameter(
        "GatewayId, EgressOnlyInternetGatewayId, InstanceId, NetworkInterfaceId, NatGatewayId or VpcPeeringConnectionId");
  if (count > 1) throw wire::invalid_parameter_combination("A route has one target only");
  refuse_other_targets(world, table, request);
  if (given(request.gateway_id)) set_gateway(world, table, *request.gateway_id, route);
  if (given(request.network_interface_id)) set_interface(world, table, request.network_interface_id, route);
  if (given(request.instance_id)) set_instance(world, table, *request.instance_id, route);
  if (given(request.egress_only_internet_gateway_id)) set_egress_only(world, table, request.egress_only_internet_gateway_id, route);
  if (given(request.vpc_peering_connection_id)) set_peering(world, context, table, *request.vpc_peering_connection_id, route);
  if (given(request.nat_gateway_id)) set_nat(world, table, *request.nat_gateway_id, route);
  refuse_without_ipv6(request, route);
}

void check_against_local6(const World& world, const RouteTable& table, const RouteEntry& route) {
  const auto range = *parse_ipv6_block(route.cidr6);
  const auto* vpc = world.find<state::Vpc>(table.account, table.vpc_id);
  if (vpc == nullptr) return;
  for (const auto& local : vpc->ipv6) {
    if (local.cidr == route.cidr6)
      throw wire::ApiError(400, "RouteAlreadyExists", fmt::format("The route identified by {} already exists.", route.cidr6));
    if (lies_in(range, parse_ipv6_block(local.cidr).value_or(Ipv6Block{})) && route.interface_id.empty())
      throw wire::invalid_parameter_value(fmt::format(
          "The destination CIDR block {} is equal to or more specific than one of this VPC's CIDR blocks. This route can target "
          "only an interface or an instance.",
          route.cidr6));
  }
}

// Inside the VPC only an interface can be a target.
void check_against_local(const World& world, const RouteTable& table, const RouteEntry& route) {
  if (!route.cidr6.empty()) return check_against_local6(world, table, route);
  if (route.cidr.empty()) return;
  const auto range = *parse_ipv4_block(route.cidr);
  const auto* vpc = world.find<state::Vpc>(table.account, table.vpc_id);
  if (vpc == nullptr) return;
  for (const auto& local : ranges_of(*vpc)) {
    if (format_ipv4_block(local) == route.cidr)
      throw wire::ApiError(400, "RouteAlreadyExists", fmt::format("The route identified by {} already exists.", route.cidr));
    if (lies_in(range, local) && route.interface_id.empty())
      throw wire::invalid_parameter_value(fmt::format(
          "The destination CIDR block {} is equal to or more specific than one of this VPC's CIDR blocks. This route can target "
          "only an interface or an instance.",
          route.cidr));
  }
}

// The table's number of routes including this one: a prefix list counts as the number of entries that it may have.
std::int64_t weight_with(const World& world, const Context& context, const RouteTable& table, const RouteEntry& added) {
  auto weight = weight_of(world, context, added.prefix_list_id);
  for (const auto& route : table.routes) weight += weight_of(world, context, route.prefix_list_id);
  return weight;
}

// A gateway endpoint of the table leads to the same list: its route is not among the table's own.
bool has_endpoint_route(const World& world, const RouteTable& table, const RouteEntry& route) {
  bool found = false;
  each_endpoint(world, table,
                [&](const state::VpcEndpoint& endpoint) { found |= prefix_list_of_service(endpoint.service) == route.prefix_list_id; });
  return found;
}

// ----- actions

wire::ec2::CreateRouteResponse create_route(state::Transaction& transaction, const Context& context,
                                            const wire::ec2::CreateRouteRequest& request) {
  auto table = find_route_table(transaction.world(), context.account(), request.route_table_id);
  auto route = read_destination(transaction.world(), context, request);
  read_target(transaction.world(), context, table, request, route);
  check_against_local(transaction.world(), table, route);
  if (find_route(table, route) != table.routes.end() || has_endpoint_route(transaction.world(), table, route))
    throw wire::ApiError(400, "RouteAlreadyExists", fmt::format("The route identified by {} already exists.", destination_of(route)));
  check_quota(transaction.world(), context, Quota::routes_per_table, weight_with(transaction.world(), context, table, route), 0);
  table.routes.push_back(std::move(route));
  transaction.put(std::move(table));
  wire::ec2::CreateRouteResponse response;
  response.return_ = true;
  return response;
}

wire::ec2::ReplaceRouteResponse replace_route(state::Transaction& transaction, const Context& context,
                                              const wire::ec2::ReplaceRouteRequest& request) {
  auto table = find_route_table(transaction.world(), context.account(), request.route_table_id);
  auto route = read_destination(transaction.world(), context, request);
  if (request.local_target.value_or(false)) throw wire::unsupported_operation("LocalTarget is not supported.");
  const auto at = find_route(table, route);
  if (at == table.routes.end())
    throw wire::invalid_parameter_value(
        fmt::format("There is no route defined for '{}' in the route table. Use CreateRoute instead.", destination_of(route)));
  read_target(transaction.world(), context, table, request, route);
  check_against_local(transaction.world(), table, route);
  *at = std::move(route);
  transaction.put(std::move(table));
  return {};
}

wire::ApiError is_local(const RouteTable& table, const RouteEntry& asked) {
  return wire::invalid_parameter_value(fmt::format("cannot remove local route {} in route table {}", destination_of(asked), table.id));
}

wire::ec2::DeleteRouteResponse delete_route(state::Transaction& transaction, const Context& context,
                                            const wire::ec2::DeleteRouteRequest& request) {
  auto table = find_route_table(transaction.world(), context.account(), request.route_table_id);
  const auto asked = read_destination(transaction.world(), context, request);
  const auto at = find_route(table, asked);
  if (at == table.routes.end()) {
    if (const auto* vpc = transaction.find<state::Vpc>(table.account, table.vpc_id)) {
      for (const auto& local : vpc->ipv6)
        if (local.cidr == asked.cidr6) throw is_local(table, asked);
      for (const auto& local : ranges_of(*vpc))
        if (format_ipv4_block(local) == asked.cidr) throw is_local(table, asked);
    }
    throw wire::ApiError(400, "InvalidRoute.NotFound",
                         fmt::format("no route with destination-cidr-block {} in route table {}", destination_of(asked), table.id));
  }
  table.routes.erase(at);
  transaction.put(std::move(table));
  return {};
}

}  // namespace

std::vector<service::Action> route_actions() {
  return {
      service::write_action("CreateRoute", create_route),
      service::write_action("ReplaceRoute", replace_route),
      service::write_action("DeleteRoute", delete_route),
  };
}

}  // namespace brume::ec2
