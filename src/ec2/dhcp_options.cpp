// DHCP option sets: what a VPC's guests are told besides their address. A set is never changed, only put in place of another.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ipv4.hpp"
#include "ec2/actions.hpp"
#include "ec2/describe.hpp"
#include "ec2/find_owned.hpp"
#include "ec2/tags.hpp"
#include "ec2/vpcs.hpp"
#include "wire/ec2/dhcp_options.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::DhcpOptions;
using state::World;

constexpr std::string_view own_servers = "AmazonProvidedDNS";

const FilterField<DhcpOptions> option_filters[] = {
    field<&DhcpOptions::id>("dhcp-options-id"),
    field<&DhcpOptions::account>("owner-id"),
    {"key",
     [](const auto& at, auto& out) {
       for (const auto& option : at.record.options) out.add(option.name);
     }},
    {"value",
     [](const auto& at, auto& out) {
       for (const auto& option : at.record.options)
         for (const auto& value : option.values) out.add(value);
     }},
};

wire::ec2::DhcpOptions show(const World& world, const DhcpOptions& set) {
  wire::ec2::DhcpOptions item;
  item.dhcp_options_id = set.id;
  item.owner_id = set.account;
  for (const auto& option : set.options) {
    auto& configuration = item.dhcp_configurations.emplace_back();
    configuration.key = option.name;
    for (const auto& value : option.values) configuration.values.emplace_back().value = value;
  }
  item.tags = tags_of(world, set.account, set.id);
  return item;
}

bool is_domain(const std::string& text) {
  return !text.empty() && text.size() <= 253 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos;
}

// These become lines of the DHCP server's configuration: only what is an address, a name or a number gets there.
void check_option(const state::DhcpOption& option) {
  const auto& values = option.values;
  if (values.empty()) throw wire::missing_parameter("DhcpConfiguration.Value");
  const auto refuse = [&](const std::string& value) {
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter value is invalid. Invalid value for {}.", value, option.name));
  };
  if (option.name == "domain-name") {
    if (values.size() > 1 || !is_domain(values.front())) refuse(fmt::format("{}", fmt::join(values, ",")));
  } else if (option.name == "netbios-node-type") {
    constexpr std::array<std::string_view, 4> types = {"1", "2", "4", "8"};
    if (values.size() > 1 || std::find(types.begin(), types.end(), values.front()) == types.end()) refuse(values.front());
  } else if (option.name == "domain-name-servers" || option.name == "ntp-servers" || option.name == "netbios-name-servers") {
    if (values.size() > 4) throw wire::invalid_parameter_value(fmt::format("At most 4 values can be given for {}", option.name));
    for (const auto& value : values)
      if (!parse_ipv4(value) && !(option.name == "domain-name-servers" && value == own_servers)) refuse(value);
  } else {
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter key is invalid. Unknown DHCP option", option.name));
  }
}

wire::ec2::CreateDhcpOptionsResponse create_options(state::Transaction& transaction, const Context& context,
                                                    const wire::ec2::CreateDhcpOptionsRequest& request) {
  if (request.dhcp_configurations.empty()) throw wire::missing_parameter("DhcpConfiguration");
  check_tag_types(request.tag_specifications, {"dhcp-options"});
  DhcpOptions set;
  set.account = context.account();
  for (const auto& asked : request.dhcp_configurations) {
    if (!asked.key) throw wire::missing_parameter("DhcpConfiguration.Key");
    state::DhcpOption option{*asked.key, {}};
    // Lists may come as one text with commas.
    for (const auto& value : asked.values)
      for (size_t at = 0; at <= value.size();) {
        const auto end = std::min(value.find(',', at), value.size());
        option.values.push_back(value.substr(at, end - at));
        at = end + 1;
      }
    check_option(option);
    for (const auto& other : set.options)
      if (other.name == option.name) throw wire::invalid_parameter_value(fmt::format("The option {} is given twice", option.name));
    set.options.push_back(std::move(option));
  }
  set.id = make_id(transaction.random(), "dopt");
  tag_on_create(transaction, set.account, set.id, "dhcp-options", request.tag_specifications);
  wire::ec2::CreateDhcpOptionsResponse response;
  response.dhcp_options = show(transaction.world(), set);
  transaction.put(std::move(set));
  return response;
}

const DhcpOptions& find_options(const World& world, const Context& context, const std::optional<std::string>& id) {
  return find_owned<DhcpOptions>(world, context.account(), "dopt", "DhcpOptionsId", id);
}

wire::ec2::DeleteDhcpOptionsResponse delete_options(state::Transaction& transaction, const Context& context,
                                                    const wire::ec2::DeleteDhcpOptionsRequest& request) {
  const DhcpOptions set = find_options(transaction.world(), context, request.dhcp_options_id);
  transaction.world().each_of<state::Vpc>(set.account, [&](const state::Vpc& vpc) {
    if (vpc.dhcp_options_id == set.id) throw has_dependencies("dhcpOptions", set.id);
  });
  erase_tags(transaction, set.account, set.id);
  transaction.erase<DhcpOptions>(set.key());
  return {};
}

wire::ec2::AssociateDhcpOptionsResponse associate_options(state::Transaction& transaction, const Context& context,
                                                          const wire::ec2::AssociateDhcpOptionsRequest& request) {
  const auto id = request.dhcp_options_id.value_or("");
  auto vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  // "default": none of one's own, EC2's.
  vpc.dhcp_options_id = id == "default" ? std::string() : find_options(transaction.world(), context, request.dhcp_options_id).id;
  transaction.put(std::move(vpc));
  return {};
}

wire::ec2::DescribeDhcpOptionsResponse describe_options(const World& world, const Context& context,
                                                        const wire::ec2::DescribeDhcpOptionsRequest& request) {
  wire::ec2::DescribeDhcpOptionsResponse response;
  const Listing<DhcpOptions> sets(world, context, request, {.action = "DescribeDhcpOptions", .filters = option_filters});
  response.next_token =
      sets.each(request.dhcp_options_ids, "dopt", [&](const DhcpOptions& set) { response.dhcp_options.push_back(show(world, set)); });
  return response;
}

}  // namespace

std::vector<service::Action> dhcp_options_actions() {
  return {
      service::write_action("CreateDhcpOptions", create_options),
      service::write_action("DeleteDhcpOptions", delete_options),
      service::read_action("DescribeDhcpOptions", describe_options),
      service::write_action("AssociateDhcpOptions", associate_options),
  };
}

}  // namespace brume::ec2
