// Route tables (OPS-037): create, delete, describe, and which subnets use each. Their routes are in routes.cpp.
#include "ec2/network/route_tables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "domain/vpn.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/prefix_lists.hpp"
#include "ec2/network/vpc_endpoints.hpp"
#include "ec2/network/vpcs.hpp"
#include "wire/ec2/route_tables.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::RouteEntry;
using state::RouteTable;
using state::World;
using RouteTableAt = FilterSubject<RouteTable>;

// ----- filters

template <class Value>
void each_table_association(const RouteTableAt& at, FilterValues& out, Value value) {
  for (const auto& one : at.record.associations) out.add(value(one));
}
template <std::string RouteEntry::*member>
void each_route(const RouteTableAt& at, FilterValues& out) {
  for (const auto& route : at.record.routes)
    if (!(route.*member).empty()) out.add(route.*member);
}
// Including the VPC's own ranges, which every table has.
void add_destinations(const RouteTableAt& at, FilterValues& out) {
  each_route<&RouteEntry::cidr>(at, out);
  if (const auto* vpc = at.world.find<state::Vpc>(at.record.account, at.record.vpc_id))
    for (const auto& range : ranges_of(*vpc)) out.add(format_ipv4_block(range));
}

void add_destinations6(const RouteTableAt& at, FilterValues& out) {
  each_route<&RouteEntry::cidr6>(at, out);
  if (const auto* vpc = at.world.find<state::Vpc>(at.record.account, at.record.vpc_id))
    for (const auto& range : vpc->ipv6) out.add(range.cidr);
}

const FilterField<RouteTable> table_filters[] = {
    field<&RouteTable::id>("route-table-id"),
    field<&RouteTable::vpc_id>("vpc-id"),
    field<&RouteTable::account>("owner-id"),
    {"association.route-table-association-id",
     [](const auto& at, auto& out) { each_table_association(at, out, [](const auto& one) { return one.id; }); }},
    {"association.route-table-id",
     [](const auto& at, auto& out) {
       if (!at.record.associations.empty()) out.add(at.record.id);
     }},
    {"association.subnet-id",
     [](const auto& at, auto& out) {
       for (const auto& one : at.record.associations)
         if (!one.subnet_id.empty()) out.add(one.subnet_id);
     }},
    {"association.main",
     [](const auto& at, auto& out) { each_table_association(at, out, [](const auto& one) { return one.subnet_id.empty(); }); }},
    {"association.gateway-id", [](const auto&, auto&) {}},
    {"route.destination-cidr-block", add_destinations},
    {"route.destination-ipv6-cidr-block", add_destinations6},
    {"route.destination-prefix-list-id",
     [](const auto& at, auto& out) {
       each_route<&RouteEntry::prefix_list_id>(at, out);
       each_endpoint(at.world, at.record, [&](const auto& endpoint) { out.add(prefix_list_of_service(endpoint.service)); });
     }},
    {"route.egress-only-internet-gateway-id", each_route<&RouteEntry::egress_only_id>},
    {"route.gateway-id",
     [](const auto& at, auto& out) {
       out.add("local");
       each_route<&RouteEntry::gateway_id>(at, out);
       each_endpoint(at.world, at.record, [&](const auto& endpoint) { out.add(endpoint.id); });
     }},
    {"route.instance-id",
     [](const auto& at, auto& out) {
       for (const auto& route : at.record.routes)
         if (const auto* interface = at.world.template find<state::NetworkInterface>(at.record.account, route.interface_id))
           if (!interface->instance_id.empty()) out.add(interface->instance_id);
     }},
    {"route.network-interface-id", each_route<&RouteEntry::interface_id>},
    {"route.nat-gateway-id", each_route<&RouteEntry::nat_gateway_id>},
    {"route.transit-gateway-id", [](const auto&, auto&) {}},
    {"route.vpc-peering-connection-id", each_route<&RouteEntry::peering_id>},
    {"route.origin",
     [](const auto& at, auto& out) {
       out.add("CreateRouteTable");
       each_route<&RouteEntry::origin>(at, out);
     }},
    {"route.state",
     [](const auto& at, auto& out) {
       out.add("active");
       for (const auto& route : at.record.routes)
         if (!is_active(at.world, at.record, route)) out.add("blackhole");
     }},
};

// ----- show

wire::ec2::Route show_route_table(const World& world, const RouteTable& table, const RouteEntry& route) {
  wire::ec2::Route item;
  if (!route.cidr.empty()) item.destination_cidr_block = route.cidr;
  if (!route.cidr6.empty()) item.destination_ipv6_cidr_block = route.cidr6;
  if (!route.prefix_list_id.empty()) item.destination_prefix_list_id = route.prefix_list_id;
  if (!route.egress_only_id.empty()) item.egress_only_internet_gateway_id = route.egress_only_id;
  if (!route.gateway_id.empty()) item.gateway_id = route.gateway_id;
  if (!route.nat_gateway_id.empty()) item.nat_gateway_id = route.nat_gateway_id;
  if (!route.peering_id.empty()) item.vpc_peering_connection_id = route.peering_id;
  if (!route.interface_id.empty()) {
    item.network_interface_id = route.interface_id;
    const auto* interface = world.find<state::NetworkInterface>(table.account, route.interface_id);
    if (interface != nullptr && !interface->instance_id.empty()) {
      item.instance_id = interface->instance_id;
      item.instance_owner_id = interface->account;
    }
  }
  item.origin = route.origin;
  item.state = is_active(world, table, route) ? "active" : "blackhole";
  return item;
}

wire::ec2::RouteTable show_route_table(const World& world, const RouteTable& table) {
  wire::ec2::RouteTable item;
  item.route_table_id = table.id;
  item.vpc_id = table.vpc_id;
  item.owner_id = table.account;
  const auto add_local = [&]() -> wire::ec2::Route& {
    auto& local = item.routes.emplace_back();
    local.gateway_id = "local";
    local.origin = "CreateRouteTable";
    local.state = "active";
    return local;
  };
  if (const auto* vpc = world.find<state::Vpc>(table.account, table.vpc_id)) {
    for (const auto& range : ranges_of(*vpc)) add_local().destination_cidr_block = format_ipv4_block(range);
    for (const auto& range : vpc->ipv6) add_local().destination_ipv6_cidr_block = range.cidr;
  }
  for (const auto& route : table.routes) item.routes.push_back(show_route_table(world, table, route));
  each_endpoint(world, table, [&](const state::VpcEndpoint& endpoint) {
    auto& route = item.routes.emplace_back();
    route.destination_prefix_list_id = prefix_list_of_service(endpoint.service);
    route.gateway_id = endpoint.id;
    route.origin = "CreateRoute";
    route.state = "active";
  });
  for (const auto& route : domain::propagated_routes(world, table)) {
    const auto same = [&](const RouteEntry& own) { return own.cidr == route.cidr; };
    if (std::any_of(table.routes.begin(), table.routes.end(), same)) continue;
    RouteEntry entry;
    entry.cidr = route.cidr;
    entry.gateway_id = route.gateway_id;
    entry.origin = "EnableVgwRoutePropagation";
    item.routes.push_back(show_route_table(world, table, entry));
  }
  for (const auto& id : table.propagating_gateways) item.propagating_vgws.emplace_back().gateway_id = id;
  for (const auto& one : table.associations) {
    auto& association = item.associations.emplace_back();
    association.route_table_association_id = one.id;
    association.route_table_id = table.id;
    association.main = one.subnet_id.empty();
    if (!one.subnet_id.empty()) association.subnet_id = one.subnet_id;
    association.association_state.emplace().state = "associated";
  }
  item.tags = tags_of(world, table.account, table.id);
  return item;
}

wire::ec2::DescribeRouteTablesResponse describe_route_tables(const World& world, const Context& context,
                                                             const wire::ec2::DescribeRouteTablesRequest& request) {
  wire::ec2::DescribeRouteTablesResponse response;
  const Listing<RouteTable> tables(world, context, request, {.action = "DescribeRouteTables", .filters = table_filters});
  response.next_token = tables.each(request.route_table_ids, "rtb",
                                    [&](const RouteTable& table) { response.route_tables.push_back(show_route_table(world, table)); });
  return response;
}

// ----- create, delete

std::string make_route_table(state::Transaction& transaction, const Context& context, const wire::ec2::CreateRouteTableRequest& request) {
  check_tag_types(request.tag_specifications, {"route-table"});
  const auto& vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  std::int64_t count = 0;
  transaction.world().each_indexed<RouteTable>(state::Index::route_table_by_vpc, vpc.id, [&](const RouteTable&) { ++count; });
  check_quota(transaction.world(), context, Quota::route_tables_per_vpc, count);
  RouteTable table;
  table.account = context.account();
  table.id = make_id(transaction.random(), "rtb");
  table.vpc_id = vpc.id;
  tag_on_create(transaction, table.account, table.id, "route-table", request.tag_specifications);
  transaction.put(table);
  return table.id;
}

wire::ec2::CreateRouteTableResponse create_route_table(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::CreateRouteTableRequest& request) {
  return create_once<wire::ec2::CreateRouteTableResponse>(
      transaction, context, "CreateRouteTable", request, [&] { return make_route_table(transaction, context, request); },
      [&](auto& response, const std::string& id) {
        response.route_table = show_route_table(transaction.world(), find_route_table(transaction.world(), context.account(), id));
      });
}

wire::ec2::DeleteRouteTableResponse delete_route_table(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::DeleteRouteTableRequest& request) {
  const RouteTable table = find_route_table(transaction.world(), context.account(), request.route_table_id);
  if (!table.associations.empty()) throw has_dependencies("routeTable", table.id);
  leave_endpoints(transaction, table);
  erase_tags(transaction, table.account, table.id);
  transaction.erase<RouteTable>(table.key());
  return {};
}

// ----- associations

// The table that the subnet is associated with, or the VPC's main one for an empty id.
std::optional<RouteTable> associated_table(const World& world, const std::string& vpc_id, const std::string& subnet_id) {
  std::optional<RouteTable> found;
  world.each_indexed<RouteTable>(state::Index::route_table_by_vpc, vpc_id, [&](const RouteTable& table) {
    if (std::any_of(table.associations.begin(), table.associations.end(), [&](const auto& one) { return one.subnet_id == subnet_id; }))
      found = table;
    return !found;
  });
  return found;
}

RouteTable table_with_association(const World& world, const std::string& account, const std::optional<std::string>& id) {
  if (!id || id->empty()) throw wire::missing_parameter("AssociationId");
  check_id("rtbassoc", "AssociationID", *id);
  std::optional<RouteTable> found;
  world.each_of<RouteTable>(account, [&](const RouteTable& table) {
    if (std::any_of(table.associations.begin(), table.associations.end(), [&](const auto& one) { return one.id == *id; })) found = table;
    return !found;
  });
  if (!found) throw wire::ApiError(400, "InvalidAssociationID.NotFound", fmt::format("The association ID '{}' does not exist", *id));
  return *found;
}

auto find_association(RouteTable& table, const std::string& id) {
  return std::find_if(table.associations.begin(), table.associations.end(), [&](const auto& one) { return one.id == id; });
}

// An internet or virtual private gateway of the table's VPC.
void check_gateway(const World& world, const RouteTable& table, const std::string& id) {
  const bool is_vpn = id.starts_with("vgw-");
  check_id(is_vpn ? "vgw" : "igw", "GatewayID", id);
  const auto* internet = world.find<state::InternetGateway>(table.account, id);
  const auto* vpn = world.find<state::VpnGateway>(table.account, id);
  if (internet == nullptr && (vpn == nullptr || vpn->state == state::VpnState::deleted))
    throw wire::id_not_found("GatewayID", "gateway", id);
  if ((internet != nullptr ? internet->vpc_id : vpn->vpc_id) != table.vpc_id)
    throw wire::invalid_parameter_value(fmt::format("route table {} and network gateway {} belong to different networks", table.id, id));
}

wire::ec2::AssociateRouteTableResponse associate_table(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::AssociateRouteTableRequest& request) {
  auto table = find_route_table(transaction.world(), context.account(), request.route_table_id);
  const int targets = static_cast<int>(given(request.gateway_id)) + static_cast<int>(given(request.subnet_id)) +
                      static_cast<int>(given(request.public_ipv4_pool));
  if (targets > 1) throw wire::invalid_parameter_combination("Only one of SubnetId, GatewayId and PublicIpv4Pool can be given");
  if (given(request.gateway_id)) check_gateway(transaction.world(), table, *request.gateway_id);
  if (given(request.gateway_id) || given(request.public_ipv4_pool)) throw wire::unsupported_operation("A route table rules subnets only.");
  const auto& subnet = find_subnet(transaction.world(), context.account(), request.subnet_id);
  if (subnet.vpc_id != table.vpc_id)
    throw wire::invalid_parameter_value(fmt::format("Route table {} and subnet {} belong to different networks", table.id, subnet.id));
  wire::ec2::AssociateRouteTableResponse response;
  response.association_state.emplace().state = "associated";
  if (const auto other = associated_table(transaction.world(), subnet.vpc_id, subnet.id)) {
    if (other->id != table.id)
      throw wire::ApiError(400, "Resource.AlreadyAssociated",
                           fmt::format("the specified association for route table {} conflicts with an existing association", table.id));
    for (const auto& one : other->associations)
      if (one.subnet_id == subnet.id) response.association_id = one.id;
    return response;
  }
  table.associations.push_back({make_id(transaction.random(), "rtbassoc"), subnet.id});
  response.association_id = table.associations.back().id;
  transaction.put(std::move(table));
  return response;
}

wire::ec2::DisassociateRouteTableResponse disassociate_table(state::Transaction& transaction, const Context& context,
                                                             const wire::ec2::DisassociateRouteTableRequest& request) {
  auto table = table_with_association(transaction.world(), context.account(), request.association_id);
  const auto at = find_association(table, *request.association_id);
  if (at->subnet_id.empty())
    throw wire::invalid_parameter_value(fmt::format("cannot disassociate the main route table association {}", at->id));
  table.associations.erase(at);
  transaction.put(std::move(table));
  return {};
}

wire::ec2::ReplaceRouteTableAssociationResponse replace_table_association(state::Transaction& transaction, const Context& context,
                                                                          const wire::ec2::ReplaceRouteTableAssociationRequest& request) {
  auto from = table_with_association(transaction.world(), context.account(), request.association_id);
  const RouteTable target = find_route_table(transaction.world(), context.account(), request.route_table_id);
  if (target.vpc_id != from.vpc_id)
    throw wire::invalid_parameter_value(
        fmt::format("Route table {} and association {} belong to different networks", target.id, *request.association_id));
  const auto at = find_association(from, *request.association_id);
  const auto subnet_id = at->subnet_id;
  from.associations.erase(at);
  transaction.put(std::move(from));
  auto to = *transaction.find<RouteTable>(target.key());
  to.associations.push_back({make_id(transaction.random(), "rtbassoc"), subnet_id});
  wire::ec2::ReplaceRouteTableAssociationResponse response;
  response.new_association_id = to.associations.back().id;
  response.association_state.emplace().state = "associated";
  transaction.put(std::move(to));
  return response;
}

}  // namespace

const RouteTable& find_route_table(const World& world, const std::string& account, const std::optional<std::string>& id) {
  return find_owned<RouteTable>(world, account, "rtb", "RouteTableId", id);
}

bool is_active(const World& world, const RouteTable& table, const RouteEntry& route) {
  if (!route.egress_only_id.empty()) return world.find<state::EgressOnlyGateway>(table.account, route.egress_only_id) != nullptr;
  if (const auto* vpn = world.find<state::VpnGateway>(table.account, route.gateway_id)) return vpn->vpc_id == table.vpc_id;
  if (!route.gateway_id.empty()) {
    const auto* gateway = world.find<state::InternetGateway>(table.account, route.gateway_id);
    return gateway != nullptr && gateway->vpc_id == table.vpc_id;
  }
  if (!route.nat_gateway_id.empty()) {
    const auto* nat = world.find<state::NatGateway>(table.account, route.nat_gateway_id);
    return nat != nullptr && nat->state == state::NatState::available;
  }
  if (!route.peering_id.empty()) {
    const auto* peering = world.find_indexed<state::VpcPeering>(state::Index::peering_by_id, route.peering_id);
    return peering != nullptr && peering->is_active();
  }
  const auto* interface = world.find<state::NetworkInterface>(table.account, route.interface_id);
  const auto* instance = interface == nullptr ? nullptr : world.find<state::Instance>(table.account, interface->instance_id);
  return instance != nullptr && instance->state == state::InstanceState::running;
}

std::vector<service::Action> route_table_actions() {
  std::vector<service::Action> actions = {
      service::write_action("CreateRouteTable", create_route_table),
      service::write_action("DeleteRouteTable", delete_route_table),
      service::read_action("DescribeRouteTables", describe_route_tables),
      service::write_action("AssociateRouteTable", associate_table),
      service::write_action("DisassociateRouteTable", disassociate_table),
      service::write_action("ReplaceRouteTableAssociation", replace_table_association),
  };
  for (const auto& action : route_actions()) actions.push_back(action);
  return actions;
}

}  // namespace brume::ec2
