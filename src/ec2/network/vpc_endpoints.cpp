// VPC endpoints of type Gateway (S3, DynamoDB), and the names of the services behind them. They are only records: no such service is inside
// a VPC yet, so the lists of their addresses are empty, and a route to one leads no packet anywhere.
#include "ec2/network/vpc_endpoints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/interfaces/network_interfaces.hpp"
#include "ec2/network/prefix_lists.hpp"
#include "ec2/network/route_tables.hpp"
#include "ec2/network/vpcs.hpp"
#include "wire/ec2/vpc_endpoints.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::RouteTable;
using state::VpcEndpoint;
using state::World;

constexpr size_t policy_limit = 20'480;                 // characters
constexpr const char* services[] = {"dynamodb", "s3"};  // in the order of their names
constexpr std::string_view open_policy =
    R"({"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]})";

struct Service {
  std::string name;
  const service::Settings* settings;
};

std::vector<Service> all_services(const Context& context) {
  const auto& settings = context.services.settings;
  std::vector<Service> all;
  for (const auto* one : services) {
    const auto name = fmt::format("com.amazonaws.{}.{}", settings.region, one);
    all.push_back({name, &settings});
  }
  return all;
}

wire::ApiError no_such_service(std::string_view name) {
  return {400, "InvalidServiceName", fmt::format("The Vpc Endpoint Service '{}' does not exist", name)};
}

// ----- show

const FilterField<VpcEndpoint> endpoint_filters[] = {
    field<&VpcEndpoint::id>("vpc-endpoint-id"),
    field<&VpcEndpoint::vpc_id>("vpc-id"),
    field<&VpcEndpoint::service>("service-name"),
    {"service-region", [](const auto& at, auto& out) { out.add(at.context->services.settings.region); }},
    {"vpc-endpoint-type", [](const auto&, auto& out) { out.add("Gateway"); }},
    {"vpc-endpoint-state", [](const auto&, auto& out) { out.add("available"); }},
    {"ip-address-type", [](const auto&, auto& out) { out.add("ipv4"); }},
};

wire::ec2::VpcEndpoint show_endpoint(const World& world, const VpcEndpoint& endpoint) {
  wire::ec2::VpcEndpoint item;
  item.vpc_endpoint_id = endpoint.id;
  item.vpc_endpoint_type = "Gateway";
  item.vpc_id = endpoint.vpc_id;
  item.service_name = endpoint.service;
  item.state = "available";
  item.policy_document = endpoint.policy.empty() ? std::string(open_policy) : endpoint.policy;
  item.route_table_ids = endpoint.route_table_ids;
  item.private_dns_enabled = false;
  item.requester_managed = false;
  item.creation_timestamp = endpoint.created;
  item.owner_id = endpoint.account;
  item.tags = tags_of(world, endpoint.account, endpoint.id);
  return item;
}

wire::ec2::DescribeVpcEndpointsResponse describe_endpoints(const World& world, const Context& context,
                                                           const wire::ec2::DescribeVpcEndpointsRequest& request) {
  wire::ec2::DescribeVpcEndpointsResponse response;
  const Listing<VpcEndpoint> endpoints(
      world, context, request, {.action = "DescribeVpcEndpoints", .filters = endpoint_filters, .limits = {.least = 1, .most = 1000}});
  response.next_token = endpoints.each(request.vpc_endpoint_ids, "vpce", [&](const VpcEndpoint& endpoint) {
    response.vpc_endpoints.push_back(show_endpoint(world, endpoint));
  });
  return response;
}

// ----- create, modify, delete

void refuse_for_gateways(bool asked, std::string_view what) {
  if (asked) throw wire::ApiError(400, "InvalidParameter", fmt::format("Endpoint type (Gateway) does not support {}.", what));
}

template <class Request>
void refuse_parameters(const Request& request) {
  refuse_for_gateways(request.private_dns_enabled.value_or(false), "private DNS");
  refuse_for_gateways(given(request.ip_address_type) && *request.ip_address_type != "ipv4", "IP address types other than ipv4");
  refuse_for_gateways(request.dns_options.has_value(), "DNS options");
  refuse_for_gateways(!request.subnet_configurations.empty(), "subnet configurations");
}

std::string read_policy(const std::optional<std::string>& policy) {
  if (!given(policy)) return {};
  const auto text = trim(*policy);
  if (text.size() < 2 || text.front() != '{' || text.back() != '}')
    throw wire::ApiError(400, "InvalidPolicyDocument", "The policy document must be a JSON object.");
  if (policy->size() > policy_limit)
    throw wire::ApiError(400, "InvalidPolicyDocument", fmt::format("The policy document is longer than {} characters.", policy_limit));
  return *policy;
}

// Whether the table may lead to the endpoint: it is in its VPC, and leads to no other endpoint of the same service.
void add_table(const World& world, VpcEndpoint& endpoint, const std::string& id) {
  const auto& table = find_route_table(world, endpoint.account, id);
  if (table.vpc_id != endpoint.vpc_id)
    throw wire::ApiError(400, "InvalidParameter", fmt::format("Route table {} does not belong to VPC {}", id, endpoint.vpc_id));
  const auto& tables = endpoint.route_table_ids;
  if (std::find(tables.begin(), tables.end(), id) != tables.end()) return;
  each_endpoint(world, table, [&](const VpcEndpoint& other) {
    if (other.service == endpoint.service && other.id != endpoint.id)
      throw wire::ApiError(400, "RouteAlreadyExists",
                           fmt::format("route table {} already has a route with destination-prefix-list-id {}", id,
                                       prefix_list_of_service(endpoint.service)));
  });
  endpoint.route_table_ids.push_back(id);
}

void check_endpoint_limit(const World& world, const Context& context) {
  std::int64_t count = 0;
  world.each_of<VpcEndpoint>(context.account(), [&](const VpcEndpoint&) { ++count; });
  check_quota(world, context, Quota::vpc_endpoints, count);
}

// EC2's types. One of type Gateway is a record and a route; the others need what does not exist inside a VPC here: an interface at which
// the service answers, a balancer, a network of services. They are refused once the rest of the request is valid.
void check_type(const World& world, const Context& context, const wire::ec2::CreateVpcEndpointRequest& request, const std::string& vpc_id) {
  constexpr std::array<std::string_view, 5> types = {"Gateway", "Interface", "GatewayLoadBalancer", "Resource", "ServiceNetwork"};
  const auto type = given(request.vpc_endpoint_type) ? *request.vpc_endpoint_type : std::string(types.front());
  if (std::find(types.begin(), types.end(), type) == types.end())
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter VpcEndpointType is invalid. Valid values: {}.", type, fmt::join(types, ", ")));
  if (type == "Gateway") return;
  for (const auto& id : request.subnet_ids)
    if (find_subnet(world, context.account(), id).vpc_id != vpc_id)
      throw wire::ApiError(400, "InvalidParameter", fmt::format("Subnet {} does not belong to VPC {}", id, vpc_id));
  if (!request.security_group_ids.empty()) find_interface_groups(world, context.account(), vpc_id, request.security_group_ids);
  throw wire::unsupported_operation(fmt::format("An endpoint of type {} is not supported yet: only those of type Gateway.", type));
}

// From the request and the VPC, which exists.
void check_creation(const World& world, const Context& context, const wire::ec2::CreateVpcEndpointRequest& request,
                    const std::string& vpc_id) {
  check_type(world, context, request, vpc_id);
  refuse_parameters(request);
  refuse_for_gateways(!request.subnet_ids.empty(), "subnets");
  refuse_for_gateways(!request.security_group_ids.empty(), "security groups");
  if (given(request.service_network_arn) || given(request.resource_configuration_arn))
    throw wire::ApiError(400, "InvalidParameter", "Endpoint type (Gateway) does not support service networks and resources.");
  if (!given(request.service_name)) throw wire::missing_parameter("ServiceName");
  const auto all = all_services(context);
  if (std::none_of(all.begin(), all.end(), [&](const Service& one) { return one.name == *request.service_name; }))
    throw no_such_service(*request.service_name);
}

wire::ec2::CreateVpcEndpointResponse create_endpoint(state::Transaction& transaction, const Context& context,
                                                     const wire::ec2::CreateVpcEndpointRequest& request) {
  const auto token = request.client_token.value_or("");
  wire::ec2::CreateVpcEndpointResponse response;
  if (!token.empty()) response.client_token = token;
  if (const auto made = find_made(transaction, context, "CreateVpcEndpoint", token); !made.empty()) {
    response.vpc_endpoint =
        show_endpoint(transaction.world(), find_owned<VpcEndpoint>(transaction.world(), context.account(), "vpce", "VpcEndpointId", made));
    return response;
  }
  check_tag_types(request.tag_specifications, {"vpc-endpoint"});
  VpcEndpoint endpoint;
  endpoint.account = context.account();
  endpoint.vpc_id = find_vpc(transaction.world(), context.account(), request.vpc_id).id;
  check_creation(transaction.world(), context, request, endpoint.vpc_id);
  endpoint.service = *request.service_name;
  endpoint.policy = read_policy(request.policy_document);
  endpoint.created = transaction.now();
  for (const auto& id : request.route_table_ids) add_table(transaction.world(), endpoint, id);
  if (given(request.service_region) && *request.service_region != context.services.settings.region)
    throw wire::unsupported_operation("An endpoint for a service of another region is not supported.");
  check_endpoint_limit(transaction.world(), context);
  endpoint.id = make_id(transaction.random(), "vpce");
  tag_on_create(transaction, endpoint.account, endpoint.id, "vpc-endpoint", request.tag_specifications);
  remember_made(transaction, context, "CreateVpcEndpoint", token, endpoint.id);
  response.vpc_endpoint = show_endpoint(transaction.world(), endpoint);
  transaction.put(std::move(endpoint));
  return response;
}

wire::ec2::ModifyVpcEndpointResponse modify_endpoint(state::Transaction& transaction, const Context& context,
                                                     const wire::ec2::ModifyVpcEndpointRequest& request) {
  auto endpoint = find_owned<VpcEndpoint>(transaction.world(), context.account(), "vpce", "VpcEndpointId", request.vpc_endpoint_id);
  refuse_parameters(request);
  refuse_for_gateways(!request.add_subnet_ids.empty() || !request.remove_subnet_ids.empty(), "subnets");
  refuse_for_gateways(!request.add_security_group_ids.empty() || !request.remove_security_group_ids.empty(), "security groups");
  const bool reset = request.reset_policy.value_or(false);
  if (reset && given(request.policy_document))
    throw wire::invalid_parameter_combination("ResetPolicy and PolicyDocument cannot be given together");
  if (reset) endpoint.policy.clear();
  if (given(request.policy_document)) endpoint.policy = read_policy(request.policy_document);
  for (const auto& id : request.remove_route_table_ids) {
    find_route_table(transaction.world(), endpoint.account, id);
    std::erase(endpoint.route_table_ids, id);
  }
  for (const auto& id : request.add_route_table_ids) add_table(transaction.world(), endpoint, id);
  transaction.put(std::move(endpoint));
  wire::ec2::ModifyVpcEndpointResponse response;
  response.return_ = true;
  return response;
}

wire::ec2::DeleteVpcEndpointsResponse delete_endpoints(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::DeleteVpcEndpointsRequest& request) {
  if (request.vpc_endpoint_ids.empty()) throw wire::missing_parameter("VpcEndpointId");
  wire::ec2::DeleteVpcEndpointsResponse response;
  for (const auto& id : request.vpc_endpoint_ids) {
    check_id("vpce", id);
    if (transaction.world().find<VpcEndpoint>(context.account(), id) == nullptr) {
      auto& item = response.unsuccessful.emplace_back();
      item.resource_id = id;
      auto& error = item.error.emplace();
      error.code = "InvalidVpcEndpoint.NotFound";
      error.message = fmt::format("The Vpc Endpoint Id '{}' does not exist", id);
      continue;
    }
    erase_tags(transaction, context.account(), id);
    transaction.erase<VpcEndpoint>(state::owned_key(context.account(), id));
  }
  return response;
}

// ----- services

const FilterField<Service> service_filters[] = {
    field<&Service::name>("service-name"),
    {"service-region", [](const auto& at, auto& out) { out.add(at.record.settings->region); }},
    {"service-type", [](const auto&, auto& out) { out.add("Gateway"); }},
    {"supported-ip-address-types", [](const auto&, auto& out) { out.add("ipv4"); }},
    {"owner", [](const auto&, auto& out) { out.add("amazon"); }},
};

wire::ec2::ServiceDetail show_service(const Service& one) {
  wire::ec2::ServiceDetail item;
  item.service_name = one.name;
  item.service_id = "vpce-svc-" + digits_of(one.name) + digits_of("of " + one.name) + "0";
  item.service_type.emplace_back().service_type = "Gateway";
  item.service_region = one.settings->region;
  for (const auto& zone : one.settings->zones) {
    item.availability_zones.push_back(zone.name);
    item.availability_zone_ids.push_back(zone.id);
  }
  item.owner = "amazon";
  item.vpc_endpoint_policy_supported = false;  // it is kept, and not enforced
  item.acceptance_required = false;
  item.manages_vpc_endpoints = false;
  item.supported_ip_address_types.push_back("ipv4");
  return item;
}

wire::ec2::DescribeVpcEndpointServicesResponse describe_services(const World& world, const Context& context,
                                                                 const wire::ec2::DescribeVpcEndpointServicesRequest& request) {
  const auto all = all_services(context);
  for (const auto& name : request.service_names)
    if (std::none_of(all.begin(), all.end(), [&](const Service& one) { return one.name == name; })) throw no_such_service(name);
  const FilterSet<Service> filters(service_filters, request.filters, &context);
  Page page(context, "DescribeVpcEndpointServices", request.max_results, request.next_token, {.least = 1, .most = 1000});
  wire::ec2::DescribeVpcEndpointServicesResponse response;
  const auto& regions = request.service_regions;
  for (const auto& one : all) {
    const auto named = [&](const std::vector<std::string>& list, const std::string& text) {
      return list.empty() || std::find(list.begin(), list.end(), text) != list.end();
    };
    if (one.name <= page.after() || !named(request.service_names, one.name) || !named(regions, one.settings->region)) continue;
    if (!filters.match(world, one, {}, {})) continue;
    if (!page.take(one.name)) break;
    response.service_names.push_back(one.name);
    response.service_details.push_back(show_service(one));
  }
  response.next_token = page.next_token();
  return response;
}

// ----- prefix lists of services, as older clients know them

const FilterField<state::PrefixList> service_list_filters[] = {
    field<&state::PrefixList::id>("prefix-list-id"),
    field<&state::PrefixList::name>("prefix-list-name"),
};

wire::ec2::DescribePrefixListsResponse describe_service_lists(const World& world, const Context& context,
                                                              const wire::ec2::DescribePrefixListsRequest& request) {
  const auto all = aws_prefix_lists(context.services.settings);
  const auto& ids = request.prefix_list_ids;
  for (const auto& id : ids) {
    check_id("pl", id);
    if (std::none_of(all.begin(), all.end(), [&](const auto& one) { return one.id == id; })) throw id_unknown("pl", id);
  }
  const FilterSet<state::PrefixList> filters(service_list_filters, request.filters, &context);
  Page page(context, "DescribePrefixLists", request.max_results, request.next_token, {.least = 1, .most = 1000});
  wire::ec2::DescribePrefixListsResponse response;
  for (const auto& one : all) {
    if (one.id <= page.after() || (!ids.empty() && std::find(ids.begin(), ids.end(), one.id) == ids.end())) continue;
    if (!filters.match(world, one)) continue;
    if (!page.take(one.id)) break;
    auto& item = response.prefix_lists.emplace_back();
    item.prefix_list_id = one.id;
    item.prefix_list_name = one.name;
  }
  response.next_token = page.next_token();
  return response;
}

}  // namespace

void each_endpoint(const World& world, const RouteTable& table, const std::function<void(const VpcEndpoint&)>& visit) {
  world.each_indexed<VpcEndpoint>(state::Index::endpoint_by_vpc, table.vpc_id, [&](const VpcEndpoint& endpoint) {
    const auto& tables = endpoint.route_table_ids;
    if (std::find(tables.begin(), tables.end(), table.id) != tables.end()) visit(endpoint);
  });
}

void leave_endpoints(state::Transaction& transaction, const RouteTable& table) {
  std::vector<VpcEndpoint> changed;
  each_endpoint(transaction.world(), table, [&](const VpcEndpoint& endpoint) { changed.push_back(endpoint); });
  for (auto& endpoint : changed) {
    std::erase(endpoint.route_table_ids, table.id);
    transaction.put(std::move(endpoint));
  }
}

std::vector<service::Action> vpc_endpoint_actions() {
  return {
      service::write_action("CreateVpcEndpoint", create_endpoint),
      service::write_action("ModifyVpcEndpoint", modify_endpoint),
      service::write_action("DeleteVpcEndpoints", delete_endpoints),
      service::read_action("DescribeVpcEndpoints", describe_endpoints),
      service::read_action("DescribeVpcEndpointServices", describe_services),
      service::read_action("DescribePrefixLists", describe_service_lists),
  };
}

}  // namespace brume::ec2
