// Customer gateways: the other end of VPN connections.
#include <fmt/format.h>

#include <algorithm>

#include "base/ipv4.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/vpn/vpn.hpp"
#include "wire/ec2/customer_gateways.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::CustomerGateway;
using state::World;

const FilterField<CustomerGateway> customer_gateway_filters[] = {
    field<&CustomerGateway::id>("customer-gateway-id"),
    field<&CustomerGateway::ip_address>("ip-address"),
    field<&CustomerGateway::state>("state"),
    field<&CustomerGateway::asn>("bgp-asn"),
    {"type", [](const auto&, auto& out) { out.add("ipsec.1"); }},
};

// `with_no_tags`: an untagged one has an empty list of tags, as Describe shows it; Create omits the list in today's answers.
wire::ec2::CustomerGateway show_customer_gateway(const World& world, const CustomerGateway& gateway, bool with_no_tags) {
  wire::ec2::CustomerGateway item;
  item.customer_gateway_id = gateway.id;
  item.ip_address = gateway.ip_address;
  item.state = state::name_of(gateway.state);
  item.type = "ipsec.1";
  item.bgp_asn = std::to_string(gateway.asn);
  if (!gateway.device_name.empty()) item.device_name = gateway.device_name;
  if (auto tags = tags_of(world, gateway.account, gateway.id); with_no_tags || !tags.empty()) item.tags = std::move(tags);
  return item;
}

std::string read_address(const wire::ec2::CreateCustomerGatewayRequest& request) {
  const auto asked = given(request.ip_address) ? request.ip_address : request.public_ip;
  if (!given(asked)) throw wire::missing_parameter("IpAddress");
  const auto address = parse_ipv4(*asked);
  const auto first = address.value_or(0) >> 24;
  if (!address || first == 0 || first == 127 || first >= 224)
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter ipAddress is invalid.", *asked));
  return format_ipv4(*address);
}

wire::ec2::CreateCustomerGatewayResponse create_customer_gateway(state::Transaction& transaction, const Context& context,
                                                                 const wire::ec2::CreateCustomerGatewayRequest& request) {
  if (!given(request.type)) throw wire::missing_parameter("Type");
  if (*request.type != "ipsec.1")
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter type is invalid.", *request.type));
  check_tag_types(request.tag_specifications, {"customer-gateway"});
  CustomerGateway gateway;
  gateway.account = context.account();
  // A device that is identified by a certificate may have any address.
  const bool any_address = given(request.certificate_arn) && !given(request.ip_address) && !given(request.public_ip);
  if (!any_address) gateway.ip_address = read_address(request);
  gateway.asn = request.bgp_asn ? *request.bgp_asn : request.bgp_asn_extended.value_or(65000);
  if (gateway.asn < 1 || gateway.asn > 4294967294) throw wire::invalid_parameter_value(fmt::format("Invalid BgpAsn: {}", gateway.asn));
  gateway.device_name = request.device_name.value_or("");
  if (given(request.certificate_arn)) throw wire::unsupported_operation("Tunnels are opened with pre-shared keys, not with certificates.");
  const CustomerGateway* same = nullptr;
  std::int64_t count = 0;
  transaction.world().each_of<CustomerGateway>(gateway.account, [&](const CustomerGateway& other) {
    if (other.state == state::VpnState::deleted) return;
    ++count;
    if (other.ip_address == gateway.ip_address && other.asn == gateway.asn && other.device_name == gateway.device_name) same = &other;
  });
  wire::ec2::CreateCustomerGatewayResponse response;
  // A request with the same address and number returns the existing one.
  if (same != nullptr) {
    response.customer_gateway = show_customer_gateway(transaction.world(), *same, context.is_2011());
    return response;
  }
  check_quota(transaction.world(), context, Quota::customer_gateways, count);
  gateway.id = make_id(transaction.random(), "cgw");
  tag_on_create(transaction, gateway.account, gateway.id, "customer-gateway", request.tag_specifications);
  response.customer_gateway = show_customer_gateway(transaction.world(), gateway, context.is_2011());
  transaction.put(std::move(gateway));
  return response;
}

wire::ec2::DeleteCustomerGatewayResponse delete_customer_gateway(state::Transaction& transaction, const Context& context,
                                                                 const wire::ec2::DeleteCustomerGatewayRequest& request) {
  const CustomerGateway gateway =
      find_owned<CustomerGateway>(transaction.world(), context.account(), "cgw", "CustomerGatewayId", request.customer_gateway_id);
  transaction.world().each_of<state::VpnConnection>(gateway.account, [&](const state::VpnConnection& connection) {
    if (connection.customer_gateway_id == gateway.id && connection.state != state::VpnState::deleted)
      throw wire::ApiError(400, "IncorrectState", fmt::format("The customer gateway is in use by {}.", connection.id));
  });
  if (gateway.state != state::VpnState::deleted) mark_deleted(transaction, gateway);
  return {};
}

wire::ec2::DescribeCustomerGatewaysResponse describe_customer_gateways(const World& world, const Context& context,
                                                                       const wire::ec2::DescribeCustomerGatewaysRequest& request) {
  wire::ec2::DescribeCustomerGatewaysResponse response;
  const Listing<CustomerGateway> gateways(world, context, request,
                                          {.action = "DescribeCustomerGateways", .filters = customer_gateway_filters});
  check_shown<CustomerGateway>(world, context.account(), "cgw", request.customer_gateway_ids, context.now);
  gateways.each_where(
      request.customer_gateway_ids, [&](const CustomerGateway& gateway) { return !is_forgotten(gateway, context.now); },
      [&](const CustomerGateway& gateway) { response.customer_gateways.push_back(show_customer_gateway(world, gateway, true)); });
  return response;
}

}  // namespace

std::vector<service::Action> customer_gateway_actions() {
  return {
      service::write_action("CreateCustomerGateway", create_customer_gateway),
      service::write_action("DeleteCustomerGateway", delete_customer_gateway),
      service::read_action("DescribeCustomerGateways", describe_customer_gateways),
  };
}

}  // namespace brume::ec2
