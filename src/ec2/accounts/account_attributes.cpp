#include <algorithm>

#include "domain/classic.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "wire/ec2/account_attributes.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

wire::ec2::DescribeAccountAttributesResponse describe_account_attributes(const state::World& world, const Context& context,
                                                                         const wire::ec2::DescribeAccountAttributesRequest& request) {
  std::string default_vpc = "none";
  world.each_of<state::Vpc>(context.account(), [&](const state::Vpc& vpc) {
    if (vpc.is_default) default_vpc = vpc.id;
  });
  // An account without a limit is shown one that nobody reaches, because the value must be a number.
  const auto shown = [&](Quota quota) { return std::to_string(std::min<std::int64_t>(quota_of(world, context, quota), 1'000'000)); };
  struct Attribute {
    std::string_view name;
    std::string value;
    std::string further{};
  };
  const std::vector<Attribute> attributes = {
      // An account with EC2-Classic has both.
      domain::has_classic(world, context.account()) ? Attribute{"supported-platforms", "EC2", "VPC"}
                                                    : Attribute{"supported-platforms", "VPC"},
      {"default-vpc", default_vpc},
      {"max-instances", shown(Quota::instances)},
      {"vpc-max-security-groups-per-interface", "5"},
      {"max-elastic-ips", shown(Quota::addresses)},
      {"vpc-max-elastic-ips", shown(Quota::addresses)},
  };
  wire::ec2::DescribeAccountAttributesResponse response;
  const auto add = [&](const Attribute& attribute) {
    auto& item = response.account_attributes.emplace_back();
    item.attribute_name = std::string(attribute.name);
    item.attribute_values.emplace_back().attribute_value = attribute.value;
    if (!attribute.further.empty()) item.attribute_values.emplace_back().attribute_value = attribute.further;
  };
  for (const auto& name : request.attribute_names)
    if (std::none_of(attributes.begin(), attributes.end(), [&](const auto& attribute) { return attribute.name == name; }))
      throw wire::invalid_parameter_value("Value (" + name + ") for parameter attributeName is invalid. Invalid attribute.");
  for (const auto& attribute : attributes) {
    const auto& asked = request.attribute_names;
    if (asked.empty() || std::find(asked.begin(), asked.end(), attribute.name) != asked.end()) add(attribute);
  }
  return response;
}

}  // namespace

std::vector<service::Action> account_attribute_actions() {
  return {service::read_action("DescribeAccountAttributes", describe_account_attributes)};
}

}  // namespace brume::ec2
