// VPN connections (OPS-038): two IPsec tunnels between a VPC and a customer's own network, with static routes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/ipv4.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/free_addresses.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/vpcs.hpp"
#include "ec2/vpn/vpn.hpp"
#include "wire/ec2/vpn_connections.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using service::TunnelStatus;
using state::VpnConnection;
using state::World;

constexpr size_t tunnel_count = 2;
constexpr size_t route_limit = 100;  // of a connection

const state::CustomerGateway& customer_of(const World& world, const VpnConnection& connection) {
  static const state::CustomerGateway gone;
  const auto* found = world.find<state::CustomerGateway>(connection.account, connection.customer_gateway_id);
  return found == nullptr ? gone : *found;
}

const state::VpnGateway& gateway_of(const World& world, const VpnConnection& connection) {
  static const state::VpnGateway gone;
  const auto* found = world.find<state::VpnGateway>(connection.account, connection.vpn_gateway_id);
  return found == nullptr ? gone : *found;
}

const FilterField<VpnConnection> connection_filters[] = {
    field<&VpnConnection::id>("vpn-connection-id"),
    field<&VpnConnection::customer_gateway_id>("customer-gateway-id"),
    field<&VpnConnection::vpn_gateway_id>("vpn-gateway-id"),
    field<&VpnConnection::state>("state"),
    {"type", [](const auto&, auto& out) { out.add("ipsec.1"); }},
    {"option.static-routes-only", [](const auto&, auto& out) { out.add(true); }},
    {"bgp-asn", [](const auto& at, auto& out) { out.add(customer_of(at.world, at.record).asn); }},
    {"transit-gateway-id", [](const auto&, auto&) {}},
    {"customer-gateway-configuration",
     [](const auto& at, auto& out) {
       out.add(customer_configuration(at.record, customer_of(at.world, at.record), gateway_of(at.world, at.record)));
     }},
    {"route.destination-cidr-block",
     [](const auto& at, auto& out) {
       for (const auto& cidr : at.record.routes) out.add(cidr);
     }},
};

// `tunnels`: their present state; tunnels that it does not name are not known to be up.
wire::ec2::VpnConnection show_connection(const World& world, const VpnConnection& connection, const std::vector<TunnelStatus>& tunnels) {
  wire::ec2::VpnConnection item;
  item.vpn_connection_id = connection.id;
  item.customer_gateway_id = connection.customer_gateway_id;
  item.vpn_gateway_id = connection.vpn_gateway_id;
  item.state = state::name_of(connection.state);
  item.type = "ipsec.1";
  item.category = "VPN";
  item.tags = tags_of(world, connection.account, connection.id);
  auto& options = item.options.emplace();
  options.static_routes_only = true;
  options.tunnel_inside_ip_version = "ipv4";
  options.local_ipv4_network_cidr = connection.local_cidr;
  options.remote_ipv4_network_cidr = connection.remote_cidr;
  for (const auto& cidr : connection.routes) {
    auto& route = item.routes.emplace_back();
    route.destination_cidr_block = cidr;
    route.source = "Static";
    route.state = "available";
  }
  if (connection.state == state::VpnState::deleted) return item;
  item.customer_gateway_configuration = customer_configuration(connection, customer_of(world, connection), gateway_of(world, connection));
  for (const auto& tunnel : connection.tunnels) {
    auto& option = options.tunnel_options.emplace_back();
    option.outside_ip_address = tunnel.outside_ip;
    option.tunnel_inside_cidr = tunnel.inside_cidr;
    option.pre_shared_key = tunnel.psk;
    const auto found =
        std::find_if(tunnels.begin(), tunnels.end(), [&](const TunnelStatus& one) { return one.outside_ip == tunnel.outside_ip; });
    const bool up = found != tunnels.end() && found->up;
    auto& telemetry = item.vgw_telemetry.emplace_back();
    telemetry.outside_ip_address = tunnel.outside_ip;
    telemetry.status = up ? "UP" : "DOWN";
    telemetry.status_message = up ? "" : "IPSEC IS DOWN";
    telemetry.last_status_change = found == tunnels.end() ? connection.created : std::max(found->since, connection.created);
    telemetry.accepted_route_count = up ? static_cast<std::int64_t>(connection.routes.size()) : 0;
  }
  return item;
}

// ----- create

using Options = wire::ec2::VpnConnectionOptionsSpecification;
using TunnelOptions = wire::ec2::VpnTunnelOptionsSpecification;

void refuse_connection_option(bool asked, std::string_view what) {
  if (asked) throw wire::unsupported_operation(fmt::format("{} is not supported.", what));
}

// Valid requests for what is not built.
void refuse_options(const Options& options) {
  refuse_connection_option(!options.static_routes_only.value_or(false), "A VPN connection with dynamic routes (BGP)");
  refuse_connection_option(options.enable_acceleration.value_or(false), "EnableAcceleration");
  refuse_connection_option(options.tunnel_inside_ip_version.value_or("ipv4") != "ipv4" || given(options.local_ipv6_network_cidr) ||
                               given(options.remote_ipv6_network_cidr),
                           "IPv6");
  refuse_connection_option(
      options.outside_ip_address_type.value_or("PublicIpv4") != "PublicIpv4" || given(options.transport_transit_gateway_attachment_id),
      "An outside address that is not a public one");
  refuse_connection_option(options.tunnel_bandwidth.value_or("standard") != "standard", "TunnelBandwidth");
}

void refuse_tunnel(const TunnelOptions& asked) {
  refuse_connection_option(asked.phase1_lifetime_seconds || asked.phase2_lifetime_seconds || asked.rekey_margin_time_seconds ||
                               asked.rekey_fuzz_percentage || asked.replay_window_size || asked.dpd_timeout_seconds ||
                               asked.dpd_timeout_action,
                           "A choice of lifetimes, windows or dead peer detection");
  refuse_connection_option(!asked.phase1_encryption_algorithms.empty() || !asked.phase2_encryption_algorithms.empty() ||
                               !asked.phase1_integrity_algorithms.empty() || !asked.phase2_integrity_algorithms.empty() ||
                               !asked.phase1_dh_group_numbers.empty() || !asked.phase2_dh_group_numbers.empty() ||
                               !asked.ike_versions.empty(),
                           "A choice of algorithms or versions");
  refuse_connection_option(asked.startup_action.value_or("add") != "add", "StartupAction start");
  refuse_connection_option(given(asked.tunnel_inside_ipv6_cidr) || asked.log_options || asked.enable_tunnel_lifecycle_control,
                           "This option of a tunnel");
}

std::string read_cidr(const std::optional<std::string>& asked, std::string_view parameter) {
  return given(asked) ? format_ipv4_block(read_range(parameter, asked)) : "0.0.0.0/0";
}

constexpr std::string_view key_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._";

std::string read_key(state::Transaction& transaction, const TunnelOptions& asked) {
  if (!given(asked.pre_shared_key))
    return transaction.random().text(1, key_letters.substr(0, 52)) + transaction.random().text(31, key_letters);
  const auto& key = *asked.pre_shared_key;
  if (key.size() < 8 || key.size() > 64 || key.front() == '0' || key.find_first_not_of(key_letters) != std::string::npos)
    throw wire::invalid_parameter_value("The pre-shared key has 8 to 64 letters, digits, '.' and '_', and does not begin with 0");
  return key;
}

// A /30 of 169.254.0.0/16 that no other tunnel of the gateway uses, and that has no other meaning.
std::string read_inside(state::Transaction& transaction, const TunnelOptions& asked, std::set<std::string>& used) {
  constexpr std::uint32_t base = 0xA9FE0000;
  if (given(asked.tunnel_inside_cidr)) {
    const auto range = parse_ipv4_block(*asked.tunnel_inside_cidr);
    const bool kept = range && (range->base < base + 0x600 || (range->base & 0xFFFFFFFCU) == 0xA9FEA9FCU);
    if (!range || range->prefix != 30 || (range->base & 0xFFFF0000U) != base || kept)
      throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter TunnelInsideCidr is invalid.", *asked.tunnel_inside_cidr));
    auto text = format_ipv4_block(*range);
    if (!used.insert(text).second)
      throw wire::invalid_parameter_value(fmt::format("The range {} is another tunnel's of this gateway already", text));
    return text;
  }
  for (;;) {
    std::array<std::uint8_t, 2> number{};
    transaction.random().fill(number);
    const Ipv4Block range{base + ((static_cast<std::uint32_t>(6 + number[0] % 160) << 8) | (number[1] & 0xFCU)), 30};
    if (auto text = format_ipv4_block(range); used.insert(text).second) return text;
  }
}

void check_limit(const World& world, const Context& context, const state::VpnGateway& gateway) {
  std::int64_t count = 0;
  world.each_of<VpnConnection>(gateway.account, [&](const VpnConnection& other) {
    count += other.vpn_gateway_id == gateway.id && other.state != state::VpnState::deleted;
  });
  check_quota(world, context, Quota::vpn_connections, count);
}

// The near end: a virtual private gateway. Transit gateways and concentrators do not exist here, so no id of one is known.
const state::VpnGateway& find_near_end(const World& world, const Context& context, const wire::ec2::CreateVpnConnectionRequest& request) {
  const int count = static_cast<int>(given(request.vpn_gateway_id)) + static_cast<int>(given(request.transit_gateway_id)) +
                    static_cast<int>(given(request.vpn_concentrator_id));
  if (count > 1) throw wire::invalid_parameter_combination("Only one of VpnGatewayId, TransitGatewayId and VpnConcentratorId can be given");
  const auto unknown = [](std::string_view prefix, std::string_view code_noun, std::string_view noun, const std::string& id) {
    return is_well_formed_id(prefix, id) ? wire::id_not_found(code_noun, noun, id) : wire::id_malformed(code_noun, id);
  };
  if (given(request.transit_gateway_id)) throw unknown("tgw", "TransitGatewayID", "transitGateway", *request.transit_gateway_id);
  if (given(request.vpn_concentrator_id)) throw unknown("vcn", "VpnConcentratorID", "vpnConcentrator", *request.vpn_concentrator_id);
  const auto& gateway = find_owned<state::VpnGateway>(world, context.account(), "vgw", "VpnGatewayId", request.vpn_gateway_id);
  if (gateway.state == state::VpnState::deleted) throw id_unknown("vgw", gateway.id);
  return gateway;
}

std::set<std::string> inside_ranges_of(const World& world, const state::VpnGateway& gateway) {
  std::set<std::string> ranges;
  world.each_of<VpnConnection>(gateway.account, [&](const VpnConnection& other) {
    if (other.vpn_gateway_id != gateway.id || other.state == state::VpnState::deleted) return;
    for (const auto& tunnel : other.tunnels) ranges.insert(tunnel.inside_cidr);
  });
  return ranges;
}

// With their ranges and keys, without their addresses.
std::vector<state::VpnTunnel> read_tunnels(state::Transaction& transaction, const state::VpnGateway& gateway, const Options& options) {
  if (options.tunnel_options.size() > tunnel_count) throw wire::invalid_parameter_value("A VPN connection has two tunnels");
  std::vector<state::VpnTunnel> tunnels;
  auto inside = inside_ranges_of(transaction.world(), gateway);
  for (size_t i = 0; i < tunnel_count; ++i) {
    const auto asked = i < options.tunnel_options.size() ? options.tunnel_options[i] : TunnelOptions{};
    auto range = read_inside(transaction, asked, inside);
    auto key = read_key(transaction, asked);
    tunnels.push_back({"", std::move(range), std::move(key)});
  }
  return tunnels;
}

void refuse_what_is_not_built(const Context& context, const wire::ec2::CreateVpnConnectionRequest& request, const Options& options) {
  refuse_connection_option(request.pre_shared_key_storage.value_or("Standard") != "Standard", "PreSharedKeyStorage");
  refuse_options(options);
  for (const auto& tunnel : options.tunnel_options) refuse_tunnel(tunnel);
  if (const auto& why = context.services.settings.no_tunnels; !why.empty())
    throw wire::unsupported_operation("This host cannot have IPsec tunnels: " + why + ".");
}

wire::ec2::CreateVpnConnectionResponse create_connection(state::Transaction& transaction, const Context& context,
                                                         const wire::ec2::CreateVpnConnectionRequest& request) {
  const auto& world = transaction.world();
  if (!given(request.type)) throw wire::missing_parameter("Type");
  if (*request.type != "ipsec.1")
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter type is invalid.", *request.type));
  check_tag_types(request.tag_specifications, {"vpn-connection"});
  const state::CustomerGateway customer =
      find_owned<state::CustomerGateway>(world, context.account(), "cgw", "CustomerGatewayId", request.customer_gateway_id);
  if (customer.state == state::VpnState::deleted) throw id_unknown("cgw", customer.id);
  const state::VpnGateway gateway = find_near_end(world, context, request);
  const auto options = request.options.value_or(Options{});
  VpnConnection connection;
  connection.account = context.account();
  connection.customer_gateway_id = customer.id;
  connection.vpn_gateway_id = gateway.id;
  connection.local_cidr = read_cidr(options.local_ipv4_network_cidr, "LocalIpv4NetworkCidr");
  connection.remote_cidr = read_cidr(options.remote_ipv4_network_cidr, "RemoteIpv4NetworkCidr");
  connection.created = transaction.now();
  const auto tunnels = read_tunnels(transaction, gateway, options);
  check_limit(world, context, gateway);
  refuse_what_is_not_built(context, request, options);
  connection.id = make_id(transaction.random(), "vpn");
  for (auto tunnel : tunnels) {
    tunnel.outside_ip = take_public_address(transaction);
    connection.tunnels.push_back(std::move(tunnel));
    transaction.put(connection);  // the next one takes another address
  }
  tag_on_create(transaction, connection.account, connection.id, "vpn-connection", request.tag_specifications);
  wire::ec2::CreateVpnConnectionResponse response;
  response.vpn_connection = show_connection(transaction.world(), connection, {});
  return response;
}

// ----- the others

const VpnConnection& find_connection(const World& world, const Context& context, const std::optional<std::string>& id) {
  const auto& connection = find_owned<VpnConnection>(world, context.account(), "vpn", "VpnConnectionId", id);
  if (connection.state == state::VpnState::deleted) throw id_unknown("vpn", connection.id);
  return connection;
}

wire::ec2::DeleteVpnConnectionResponse delete_connection(state::Transaction& transaction, const Context& context,
                                                         const wire::ec2::DeleteVpnConnectionRequest& request) {
  auto connection = find_owned<VpnConnection>(transaction.world(), context.account(), "vpn", "VpnConnectionId", request.vpn_connection_id);
  if (connection.state == state::VpnState::deleted) return {};
  for (auto& tunnel : connection.tunnels) tunnel.psk.clear();
  mark_deleted(transaction, std::move(connection));
  return {};
}

wire::ec2::CreateVpnConnectionRouteResponse create_route(state::Transaction& transaction, const Context& context,
                                                         const wire::ec2::CreateVpnConnectionRouteRequest& request) {
  auto connection = find_connection(transaction.world(), context, request.vpn_connection_id);
  auto cidr = format_ipv4_block(read_range("destinationCidrBlock", request.destination_cidr_block));
  auto& routes = connection.routes;
  if (std::find(routes.begin(), routes.end(), cidr) != routes.end()) return {};
  if (routes.size() >= route_limit)
    throw wire::ApiError(400, "VpnConnectionRouteLimitExceeded", "The maximum number of routes of a VPN connection has been reached.");
  routes.push_back(std::move(cidr));
  transaction.put(std::move(connection));
  return {};
}

wire::ec2::DeleteVpnConnectionRouteResponse delete_route(state::Transaction& transaction, const Context& context,
                                                         const wire::ec2::DeleteVpnConnectionRouteRequest& request) {
  auto connection = find_connection(transaction.world(), context, request.vpn_connection_id);
  const auto cidr = format_ipv4_block(read_range("destinationCidrBlock", request.destination_cidr_block));
  if (std::erase(connection.routes, cidr) == 0)
    throw wire::ApiError(400, "InvalidRoute.NotFound", fmt::format("The VPN connection {} has no route to {}", connection.id, cidr));
  transaction.put(std::move(connection));
  return {};
}

// The network says at that moment whether the tunnels are up.
wire::ec2::DescribeVpnConnectionsResponse describe_connections(const Context& context,
                                                               const wire::ec2::DescribeVpnConnectionsRequest& request) {
  const auto world = context.services.store.world();
  wire::ec2::DescribeVpnConnectionsResponse response;
  std::map<std::string, std::vector<TunnelStatus>> tunnels;  // by VPC
  const Listing<VpnConnection> connections(*world, context, request, {.action = "DescribeVpnConnections", .filters = connection_filters});
  check_shown<VpnConnection>(*world, context.account(), "vpn", request.vpn_connection_ids, context.now);
  const auto is_shown = [&](const VpnConnection& connection) { return !is_forgotten(connection, context.now); };
  connections.each_where(request.vpn_connection_ids, is_shown, [&](const VpnConnection& connection) {
    const auto& vpc_id = gateway_of(*world, connection).vpc_id;
    const bool asked = vpc_id.empty() || connection.state == state::VpnState::deleted || tunnels.contains(vpc_id);
    if (!asked) tunnels[vpc_id] = context.services.tunnels(vpc_id);
    response.vpn_connections.push_back(show_connection(*world, connection, tunnels[vpc_id]));
  });
  return response;
}

}  // namespace

std::vector<service::Action> vpn_connection_actions() {
  return {
      service::write_action("CreateVpnConnection", create_connection),      service::write_action("DeleteVpnConnection", delete_connection),
      service::work_action("DescribeVpnConnections", describe_connections), service::write_action("CreateVpnConnectionRoute", create_route),
      service::write_action("DeleteVpnConnectionRoute", delete_route),
  };
}

}  // namespace brume::ec2
