// Whether new ids are long. Here they are, for every kind and everybody, and that cannot be changed: the choice that EC2 once offered has
// only one answer left there too.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "domain/arns.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/paging.hpp"
#include "wire/ec2/id_formats.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::World;

constexpr std::array<std::string_view, 31> kinds = {
    "bundle",
    "conversion-task",
    "customer-gateway",
    "dhcp-options",
    "elastic-ip-allocation",
    "elastic-ip-association",
    "export-task",
    "flow-log",
    "image",
    "import-task",
    "instance",
    "internet-gateway",
    "network-acl",
    "network-acl-association",
    "network-interface",
    "network-interface-attachment",
    "prefix-list",
    "reservation",
    "route-table",
    "route-table-association",
    "security-group",
    "snapshot",
    "subnet",
    "subnet-cidr-block-association",
    "volume",
    "vpc",
    "vpc-cidr-block-association",
    "vpc-endpoint",
    "vpc-peering-connection",
    "vpn-connection",
    "vpn-gateway",
};

void check_kind(const std::string& name) {
  if (std::find(kinds.begin(), kinds.end(), name) == kinds.end())
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter resource is invalid. Unknown resource type.", name));
}

// The named kinds, or all.
std::vector<wire::ec2::IdFormat> formats(const std::vector<std::string>& named) {
  for (const auto& name : named) check_kind(name);
  std::vector<wire::ec2::IdFormat> found;
  for (const auto kind : kinds) {
    if (!named.empty() && std::find(named.begin(), named.end(), kind) == named.end()) continue;
    auto& item = found.emplace_back();
    item.resource = std::string(kind);
    item.use_long_ids = true;
  }
  return found;
}

std::vector<std::string> as_list(const std::optional<std::string>& name) {
  return name ? std::vector<std::string>{*name} : std::vector<std::string>{};
}

std::string root_of(const Context& context) { return domain::root_arn(context.services.settings.partition, context.account()); }

// "all" stands for everybody if a principal may be changed.
void check_principal(const Context& context, const std::string& arn) {
  if (arn != root_of(context))
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter principalArn is invalid. Principal not found.", arn));
}

wire::ec2::DescribeIdFormatResponse describe_id_format(const World&, const Context&, const wire::ec2::DescribeIdFormatRequest& request) {
  wire::ec2::DescribeIdFormatResponse response;
  response.statuses = formats(as_list(request.resource));
  return response;
}

wire::ec2::DescribeIdentityIdFormatResponse describe_identity(const World&, const Context& context,
                                                              const wire::ec2::DescribeIdentityIdFormatRequest& request) {
  check_principal(context, *request.principal_arn);
  wire::ec2::DescribeIdentityIdFormatResponse response;
  response.statuses = formats(as_list(request.resource));
  return response;
}

wire::ec2::DescribeAggregateIdFormatResponse describe_aggregate(const World&, const Context&,
                                                                const wire::ec2::DescribeAggregateIdFormatRequest&) {
  wire::ec2::DescribeAggregateIdFormatResponse response;
  response.use_long_ids_aggregated = true;
  response.statuses = formats({});
  return response;
}

wire::ec2::DescribePrincipalIdFormatResponse describe_principals(const World&, const Context& context,
                                                                 const wire::ec2::DescribePrincipalIdFormatRequest& request) {
  Page page(context, "DescribePrincipalIdFormat", request.max_results, request.next_token, {1, 1000});
  wire::ec2::DescribePrincipalIdFormatResponse response;
  // The account itself is the only principal.
  const auto arn = root_of(context);
  if (arn > page.after() && page.take(arn)) {
    auto& item = response.principals.emplace_back();
    item.arn = arn;
    item.statuses = formats(request.resources);
  }
  response.next_token = page.next_token();
  return response;
}

// The only change that can be requested has been made already.
void check_change(const std::string& resource, bool long_ids) {
  if (resource != "all-current") check_kind(resource);
  if (!long_ids)
    throw wire::ApiError(400, "OperationNotPermitted", fmt::format("Short ids are not made any more: {} keeps its long ids.", resource));
}

wire::ec2::ModifyIdFormatResponse modify_id_format(state::Transaction&, const Context&, const wire::ec2::ModifyIdFormatRequest& request) {
  check_change(*request.resource, *request.use_long_ids);
  return {};
}

wire::ec2::ModifyIdentityIdFormatResponse modify_identity(state::Transaction&, const Context& context,
                                                          const wire::ec2::ModifyIdentityIdFormatRequest& request) {
  if (*request.principal_arn != "all") check_principal(context, *request.principal_arn);
  check_change(*request.resource, *request.use_long_ids);
  return {};
}

}  // namespace

std::vector<service::Action> id_format_actions() {
  return {
      service::read_action("DescribeIdFormat", describe_id_format),
      service::read_action("DescribeIdentityIdFormat", describe_identity),
      service::read_action("DescribeAggregateIdFormat", describe_aggregate),
      service::read_action("DescribePrincipalIdFormat", describe_principals),
      service::write_action("ModifyIdFormat", modify_id_format),
      service::write_action("ModifyIdentityIdFormat", modify_identity),
  };
}

}  // namespace brume::ec2
