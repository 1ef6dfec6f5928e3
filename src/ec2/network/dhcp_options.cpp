// DHCP option sets: what a VPC's guests are told besides their address. A set never changes; another one can replace it.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ipv4.hpp"
#include "base/ipv6.hpp"
#include "base/text.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/vpcs.hpp"
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

wire::ec2::DhcpOptions show_dhcp_options(const World& world, const DhcpOptions& set) {
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

wire::ApiError wrong_value(const state::DhcpOption& option, std::string_view value) {
  return wire::invalid_parameter_value(fmt::format("Value ({}) for parameter value is invalid. Invalid value for {}.", value, option.name));
}

// One name, or several separated by blanks, which Linux guests take as the domains to search. All of it is one DHCP value, so it has at
// most 255 bytes.
bool are_domains(const std::string& text) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. ";
  return !trim(text).empty() && text.size() <= 255 && text.find_first_not_of(letters) == std::string::npos;
}

void check_addresses(const state::DhcpOption& option) {
  const bool of_names = option.name == "domain-name-servers";
  size_t ipv4 = 0;
  size_t ipv6 = 0;
  for (const auto& value : option.values) {
    if (parse_ipv4(value) || (of_names && value == own_servers))
      ++ipv4;
    else if (parse_ipv6(value) && option.name != "netbios-name-servers")
      ++ipv6;
    else
      throw wrong_value(option, value);
  }
  if (ipv4 > 4 || ipv6 > 4) throw wire::invalid_parameter_value(fmt::format("At most 4 values can be given for {}", option.name));
  if (ipv6 > 0 && !of_names) throw wire::unsupported_operation("Time servers with IPv6 addresses are not supported.");
}

// These become lines of the DHCP server's configuration, so only addresses, names and numbers are accepted.
void check_option(const state::DhcpOption& option) {
  const auto& values = option.values;
  if (values.empty()) throw wire::missing_parameter("DhcpConfiguration.Value");
  if (option.name == "domain-name") {
    if (values.size() > 1 || !are_domains(values.front())) throw wrong_value(option, fmt::format("{}", fmt::join(values, ",")));
  } else if (option.name == "netbios-node-type") {
    constexpr std::array<std::string_view, 4> types = {"1", "2", "4", "8"};
    if (values.size() > 1 || std::find(types.begin(), types.end(), values.front()) == types.end())
      throw wrong_value(option, values.front());
  } else if (option.name == "domain-name-servers" || option.name == "ntp-servers" || option.name == "netbios-name-servers") {
    check_addresses(option);
  } else if (option.name == "ipv6-address-preferred-lease-time") {
    const auto seconds = parse_integer(values.front());
    if (values.size() > 1 || !seconds || *seconds < 140 || *seconds > 2147483647) throw wrong_value(option, values.front());
    throw wire::unsupported_operation("Lease times of IPv6 addresses cannot be chosen.");
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
  response.dhcp_options = show_dhcp_options(transaction.world(), set);
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
  // "default": none of the account's own, but EC2's.
  vpc.dhcp_options_id = id == "default" ? std::string() : find_options(transaction.world(), context, request.dhcp_options_id).id;
  transaction.put(std::move(vpc));
  return {};
}

wire::ec2::DescribeDhcpOptionsResponse describe_options(const World& world, const Context& context,
                                                        const wire::ec2::DescribeDhcpOptionsRequest& request) {
  wire::ec2::DescribeDhcpOptionsResponse response;
  const Listing<DhcpOptions> sets(world, context, request, {.action = "DescribeDhcpOptions", .filters = option_filters});
  response.next_token = sets.each(request.dhcp_options_ids, "dopt",
                                  [&](const DhcpOptions& set) { response.dhcp_options.push_back(show_dhcp_options(world, set)); });
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
