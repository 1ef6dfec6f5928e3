// The tenancy of a VPC: in one with tenancy "dedicated" every instance is dedicated, that is, on hardware that no other account's instances
// share (enforced in capacity.cpp).
#include <fmt/format.h>

#include "ec2/actions.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/network/vpcs.hpp"
#include "wire/ec2/vpc_tenancy.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

// Only back to "default", for instances that are launched from then on.
wire::ec2::ModifyVpcTenancyResponse modify_tenancy(state::Transaction& transaction, const Context& context,
                                                   const wire::ec2::ModifyVpcTenancyRequest& request) {
  auto vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  if (!given(request.instance_tenancy)) throw wire::missing_parameter("InstanceTenancy");
  if (*request.instance_tenancy != "default")
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter InstanceTenancy is invalid. Valid value: default.", *request.instance_tenancy));
  if (vpc.tenancy == "default")
    throw wire::ApiError(400, "InvalidTenancy", fmt::format("The tenancy of the VPC '{}' is default already.", vpc.id));
  vpc.tenancy = "default";
  transaction.put(std::move(vpc));
  wire::ec2::ModifyVpcTenancyResponse response;
  response.return_value = true;
  return response;
}

}  // namespace

std::string read_vpc_tenancy(const std::optional<std::string>& asked) {
  auto tenancy = given(asked) ? *asked : std::string("default");
  if (tenancy != "default" && tenancy != "dedicated")
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter instanceTenancy is invalid.", tenancy));
  return tenancy;
}

std::vector<service::Action> vpc_tenancy_actions() { return {service::write_action("ModifyVpcTenancy", modify_tenancy)}; }

}  // namespace brume::ec2
