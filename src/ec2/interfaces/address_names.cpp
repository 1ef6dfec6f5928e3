// Reverse records of Elastic IPs (NET-047, OPS-123): what name somebody gets who asks whose address it is. The name has to lead to the
// address already, so that nobody claims another's.
#include <fmt/format.h>

#include <algorithm>

#include "base/ipv4.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "wire/ec2/address_names.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::ElasticIp;
using state::World;

const ElasticIp& find_named_address(const World& world, const Context& context, const std::optional<std::string>& id) {
  return find_owned<ElasticIp>(world, context.account(), "eipalloc", "AllocationId", id);
}

wire::ec2::AddressAttribute show_address_name(const ElasticIp& address) {
  wire::ec2::AddressAttribute item;
  item.public_ip = address.public_ip;
  item.allocation_id = address.allocation_id;
  if (!address.domain_name.empty()) item.ptr_record = address.domain_name + ".";
  return item;
}

// Lower case, without the dot at the end. It becomes a line of a name server's configuration.
std::string read_name(const std::string& asked) {
  auto name = asked;
  if (name.ends_with('.')) name.pop_back();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const bool good = !name.empty() && name.size() <= 253 &&
                    name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos &&
                    name.find("..") == std::string::npos && !name.starts_with('.') && !name.starts_with('-');
  if (!good) throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter DomainName is invalid.", asked));
  return name;
}

// The names of this installation's own addresses lead to them by what they are; of others the host's resolvers know.
bool leads_to(const Context& context, const std::string& name, const std::string& address) {
  auto own = "ec2-" + address + "." + context.services.settings.public_domain;
  std::replace(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(4 + address.size()), '.', '-');
  if (name == own) return true;
  const auto found = context.services.look_up_name ? context.services.look_up_name(name) : std::vector<std::string>();
  return std::find(found.begin(), found.end(), address) != found.end();
}

wire::ec2::ModifyAddressAttributeResponse modify_address_attribute(const Context& context,
                                                                   const wire::ec2::ModifyAddressAttributeRequest& request) {
  const auto before = context.services.store.world();
  const auto address = find_named_address(*before, context, request.allocation_id);
  if (!given(request.domain_name)) throw wire::missing_parameter("DomainName");
  const auto name = read_name(*request.domain_name);
  if (!leads_to(context, name, address.public_ip))
    throw wire::invalid_parameter_value(
        fmt::format("The domain name {} does not lead to {}: it needs an A record with this address first.", name, address.public_ip));
  wire::ec2::ModifyAddressAttributeResponse response;
  if (context.dry_run) return response;
  context.transact([&](state::Transaction& transaction) {
    auto changed = find_named_address(transaction.world(), context, request.allocation_id);
    changed.domain_name = name;
    response.address = show_address_name(changed);
    transaction.put(std::move(changed));
  });
  return response;
}

void check_attribute(const std::optional<std::string>& attribute) {
  if (attribute && *attribute != "domain-name")
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter Attribute is invalid. Valid value: domain-name.", *attribute));
}

wire::ec2::ResetAddressAttributeResponse reset_address_attribute(state::Transaction& transaction, const Context& context,
                                                                 const wire::ec2::ResetAddressAttributeRequest& request) {
  auto address = find_named_address(transaction.world(), context, request.allocation_id);
  if (!given(request.attribute)) throw wire::missing_parameter("Attribute");
  check_attribute(request.attribute);
  address.domain_name.clear();
  wire::ec2::ResetAddressAttributeResponse response;
  response.address = show_address_name(address);
  transaction.put(std::move(address));
  return response;
}

wire::ec2::DescribeAddressesAttributeResponse describe_attributes(const World& world, const Context& context,
                                                                  const wire::ec2::DescribeAddressesAttributeRequest& request) {
  check_attribute(request.attribute);
  check_owned<ElasticIp>(world, context.account(), "eipalloc", request.allocation_ids);
  wire::ec2::DescribeAddressesAttributeResponse response;
  Page page(context, "DescribeAddressesAttribute", request.max_results, request.next_token, PageLimits{});
  world.each_of<ElasticIp>(context.account(), [&](const ElasticIp& address) {
    const auto& asked = request.allocation_ids;
    if (!asked.empty() && std::find(asked.begin(), asked.end(), address.allocation_id) == asked.end()) return true;
    if (address.key() <= page.after()) return true;
    if (!page.take(address.key())) return false;
    response.addresses.push_back(show_address_name(address));
    return true;
  });
  response.next_token = page.next_token();
  return response;
}

}  // namespace

std::vector<service::Action> address_name_actions() {
  return {
      service::work_action("ModifyAddressAttribute", modify_address_attribute),
      service::write_action("ResetAddressAttribute", reset_address_attribute),
      service::read_action("DescribeAddressesAttribute", describe_attributes),
  };
}

}  // namespace brume::ec2
