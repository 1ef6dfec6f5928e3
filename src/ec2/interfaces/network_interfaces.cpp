// Network interfaces (OPS-043 ff.): create, delete, describe.
#include "ec2/interfaces/network_interfaces.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "domain/classic.hpp"
#include "domain/elastic_ips.hpp"
#include "domain/instance_types.hpp"
#include "domain/zones.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/dns_names.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/free_addresses.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/vpcs.hpp"
#include "ec2/security_groups/security_groups.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::NetworkInterface;
using state::World;
using At = FilterSubject<NetworkInterface>;

// The types that can be requested; only the first is built.
constexpr std::string_view interface_types[] = {"interface", "efa", "efa-only", "branch", "trunk"};

// ----- filters

template <class Add>
void each_public_ip(const At& at, Add add) {
  if (const auto shown = shown_public_ip(at.world, at.record, at.record.public_ip); !shown.empty()) add(shown);
  for (const auto& one : at.record.secondary)
    if (!one.public_ip.empty()) add(one.public_ip);
}
template <class Add>
void each_elastic_ip(const At& at, Add add) {
  each_public_ip(at, [&](const std::string& ip) {
    if (const auto* address = domain::find_elastic_ip(at.world, ip)) add(*address);
  });
}
template <class Add>
void if_attached(const At& at, Add add) {
  if (!at.record.instance_id.empty()) add(at.record);
}
void add_groups(const At& at, FilterValues& out, bool names) {
  for (const auto& id : at.record.group_ids) {
    const auto* group = at.world.find<state::SecurityGroup>(at.record.account, id);
    if (!names)
      out.add(id);
    else if (group != nullptr)
      out.add(group->name);
  }
}
void add_private_ips(const At& at, FilterValues& out) {
  out.add(at.record.private_ip);
  for (const auto& one : at.record.secondary) out.add(one.private_ip);
}

const FilterField<NetworkInterface> interface_filters[] = {
    field<&NetworkInterface::id>("network-interface-id"),
    field<&NetworkInterface::subnet_id>("subnet-id"),
    field<&NetworkInterface::vpc_id>("vpc-id"),
    field<&NetworkInterface::zone>("availability-zone"),
    {"availability-zone-id",
     [](const auto& at, auto& out) {
       out.add(domain::zone_id_of(at.world, at.record.account, at.context->services.settings.zones, at.record.zone));
     }},
    field<&NetworkInterface::description>("description"),
    {"group-id", [](const auto& at, auto& out) { add_groups(at, out, false); }},
    {"group-name", [](const auto& at, auto& out) { add_groups(at, out, true); }},
    {"interface-type", [](const auto& at, auto& out) { out.add(at.record.type == "natGateway" ? "nat_gateway" : at.record.type); }},
    {"ipv6-addresses.ipv6-address",
     [](const auto& at, auto& out) {
       for (const auto& address : at.record.ipv6) out.add(address);
     }},
    field<&NetworkInterface::mac>("mac-address"),
    field<&NetworkInterface::account>("owner-id"),
    field<&NetworkInterface::private_ip>("private-ip-address"),
    {"private-dns-name", [](const auto& at, auto& out) { out.add(private_dns_name(at.context->services.settings, at.record.private_ip)); }},
    {"association.public-dns-name",
     [](const auto& at, auto& out) {
       each_public_ip(at, [&](const auto& ip) { out.add(public_dns_name(at.world, at.context->services.settings, at.record.vpc_id, ip)); });
     }},
    {"addresses.private-ip-address", add_private_ips},
    {"addresses.primary",
     [](const auto& at, auto& out) {
       out.add(true);
       if (!at.record.secondary.empty()) out.add(false);
     }},
    {"addresses.association.public-ip", [](const auto& at, auto& out) { each_public_ip(at, [&](const auto& ip) { out.add(ip); }); }},
    {"addresses.association.owner-id",
     [](const auto& at, auto& out) { each_public_ip(at, [&](const auto& ip) { out.add(public_ip_owner(at.world, ip)); }); }},
    {"association.public-ip", [](const auto& at, auto& out) { each_public_ip(at, [&](const auto& ip) { out.add(ip); }); }},
    {"association.ip-owner-id",
     [](const auto& at, auto& out) { each_public_ip(at, [&](const auto& ip) { out.add(public_ip_owner(at.world, ip)); }); }},
    {"association.allocation-id", [](const auto& at, auto& out) { each_elastic_ip(at, [&](const auto& a) { out.add(a.allocation_id); }); }},
    {"association.association-id",
     [](const auto& at, auto& out) { each_elastic_ip(at, [&](const auto& a) { out.add(a.association_id); }); }},
    {"attachment.attachment-id", [](const auto& at, auto& out) { if_attached(at, [&](const auto& i) { out.add(i.attachment_id); }); }},
    {"attachment.instance-id", [](const auto& at, auto& out) { if_attached(at, [&](const auto& i) { out.add(i.instance_id); }); }},
    {"attachment.instance-owner-id", [](const auto& at, auto& out) { if_attached(at, [&](const auto& i) { out.add(i.account); }); }},
    {"attachment.device-index", [](const auto& at, auto& out) { if_attached(at, [&](const auto& i) { out.add(i.device_index); }); }},
    {"attachment.attach-time", [](const auto& at, auto& out) { if_attached(at, [&](const auto& i) { out.add(i.attached); }); }},
    {"attachment.delete-on-termination",
     [](const auto& at, auto& out) { if_attached(at, [&](const auto& i) { out.add(i.delete_on_termination); }); }},
    {"attachment.status",
     [](const auto& at, auto& out) { out.add(at.record.instance_id.empty() ? "detached" : name_of(at.record.attachment_state)); }},
    {"requester-id",
     [](const auto& at, auto& out) {
       if (at.record.is_managed()) out.add(at.record.requester_id);
     }},
    {"requester-managed", [](const auto& at, auto& out) { out.add(at.record.is_managed()); }},
    {"source-dest-check", [](const auto& at, auto& out) { out.add(at.record.source_dest_check); }},
    {"status",
     [](const auto& at, auto& out) { out.add(at.record.instance_id.empty() && !at.record.is_managed() ? "available" : "in-use"); }},
};

// ----- create

void refuse_unbuilt_interface_option(bool asked, std::string_view what) {
  if (asked) throw wire::unsupported_operation(fmt::format("{} is not supported yet.", what));
}

void refuse_what_is_not_built(const wire::ec2::CreateNetworkInterfaceRequest& request) {
  refuse_unbuilt_interface_option(request.enable_primary_ipv6.value_or(false), "A primary IPv6 address");
  refuse_unbuilt_interface_option(request.ipv4_prefix_count.value_or(0) > 0 || !request.ipv4_prefixes.empty() ||
                                      request.ipv6_prefix_count.value_or(0) > 0 || !request.ipv6_prefixes.empty(),
                                  "A prefix of addresses");
  refuse_unbuilt_interface_option(request.interface_type.value_or("interface") != "interface", "An interface type other than 'interface'");
  refuse_unbuilt_interface_option(request.connection_tracking_specification.has_value(), "ConnectionTrackingSpecification");
  refuse_unbuilt_interface_option(request.operator_.has_value(), "Operator");
}

void add_secondary(const World& world, InterfacePlan& plan, const std::string& address) {
  check_private_address(world, plan.subnet, address);
  if (address == plan.private_ip || std::find(plan.secondary_ips.begin(), plan.secondary_ips.end(), address) != plan.secondary_ips.end())
    throw wire::invalid_parameter_value(fmt::format("The address {} is given twice", address));
  plan.secondary_ips.push_back(address);
}

void read_addresses(const World& world, const wire::ec2::CreateNetworkInterfaceRequest& request, InterfacePlan& plan) {
  plan.private_ip = request.private_ip_address.value_or("");
  for (const auto& one : request.private_ip_addresses) {
    if (!one.private_ip_address) throw wire::missing_parameter("PrivateIpAddresses.PrivateIpAddress");
    if (!one.primary.value_or(false)) continue;
    if (!plan.private_ip.empty() && plan.private_ip != *one.private_ip_address)
      throw wire::invalid_parameter_combination("Only one primary private IP address can be specified.");
    plan.private_ip = *one.private_ip_address;
  }
  if (!plan.private_ip.empty()) check_private_address(world, plan.subnet, plan.private_ip);
  for (const auto& one : request.private_ip_addresses)
    if (!one.primary.value_or(false)) add_secondary(world, plan, *one.private_ip_address);
  plan.secondary_count = request.secondary_private_ip_address_count.value_or(0);
  if (plan.secondary_count < 0) throw wire::invalid_parameter_value("SecondaryPrivateIpAddressCount must not be negative");
  if (plan.secondary_count > 0 && !plan.secondary_ips.empty())
    throw wire::invalid_parameter_combination("Specify secondary private IP addresses or their number, but not both.");
  check_address_count("", 1 + plan.secondary_ips.size() + static_cast<size_t>(plan.secondary_count));
}

std::string make_mac(state::Transaction& transaction) {
  const auto digits = transaction.random().hex(10);
  std::string mac = "02";
  for (size_t i = 0; i < digits.size(); i += 2) mac += ":" + digits.substr(i, 2);
  return mac;
}

void check_interface_limit(const World& world, const Context& context) {
  std::int64_t count = 0;
  world.each_of<NetworkInterface>(context.account(), [&](const NetworkInterface&) { ++count; });
  check_quota(world, context, Quota::network_interfaces, count);
}

std::string make_interface(state::Transaction& transaction, const Context& context,
                           const wire::ec2::CreateNetworkInterfaceRequest& request) {
  check_tag_types(request.tag_specifications, {"network-interface"});
  const auto type = request.interface_type.value_or("interface");
  if (std::find(std::begin(interface_types), std::end(interface_types), type) == std::end(interface_types))
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter InterfaceType is invalid.", type));
  InterfacePlan plan;
  plan.subnet = find_subnet(transaction.world(), context.account(), request.subnet_id);
  plan.description = request.description.value_or("");
  if (plan.description.size() > 255) throw wire::invalid_parameter_value("A description has at most 255 characters.");
  read_addresses(transaction.world(), request, plan);
  plan.ipv6 = plan_ipv6(transaction.world(), plan.subnet, "", request.ipv6_address_count, ipv6_texts(request.ipv6_addresses));
  plan.group_ids = find_interface_groups(transaction.world(), context.account(), plan.subnet.vpc_id, request.groups);
  check_interface_limit(transaction.world(), context);
  refuse_what_is_not_built(request);
  const auto interface = make_network_interface(transaction, context.account(), plan);
  transaction.put(interface);
  tag_on_create(transaction, interface.account, interface.id, "network-interface", request.tag_specifications);
  return interface.id;
}

wire::ec2::CreateNetworkInterfaceResponse create_network_interface(state::Transaction& transaction, const Context& context,
                                                                   const wire::ec2::CreateNetworkInterfaceRequest& request) {
  return create_once<wire::ec2::CreateNetworkInterfaceResponse>(
      transaction, context, "CreateNetworkInterface", request, [&] { return make_interface(transaction, context, request); },
      [&](auto& response, const std::string& id) {
        const auto& interface = find_interface(transaction.world(), context.account(), id);
        response.network_interface = show_interface(transaction.world(), context, interface);
      });
}

// ----- delete

wire::ec2::DeleteNetworkInterfaceResponse delete_network_interface(state::Transaction& transaction, const Context& context,
                                                                   const wire::ec2::DeleteNetworkInterfaceRequest& request) {
  const auto interface = find_own_interface(transaction.world(), context.account(), request.network_interface_id);
  if (!interface.instance_id.empty())
    throw wire::ApiError(400, "InvalidNetworkInterface.InUse",
                         fmt::format("Network interface '{}' is currently in use by '{}'.", interface.id, interface.instance_id));
  erase_interface(transaction, interface);
  return {};
}

// ----- describe

wire::ec2::DescribeNetworkInterfacesResponse describe_network_interfaces(const World& world, const Context& context,
                                                                         const wire::ec2::DescribeNetworkInterfacesRequest& request) {
  wire::ec2::DescribeNetworkInterfacesResponse response;
  const Listing<NetworkInterface> interfaces(world, context, request,
                                             {.action = "DescribeNetworkInterfaces", .filters = interface_filters});
  for (const auto& id : request.network_interface_ids) find_interface(world, context.account(), id);
  const auto is_seen = [](const NetworkInterface& interface) { return !domain::is_classic(interface); };
  response.next_token = interfaces.each_where(request.network_interface_ids, is_seen, [&](const NetworkInterface& interface) {
    response.network_interfaces.push_back(show_interface(world, context, interface));
  });
  return response;
}

std::optional<wire::ec2::NetworkInterfaceAssociation> show_association(const World& world, const Context& context,
                                                                       const NetworkInterface& interface, const std::string& public_ip) {
  const auto shown = shown_public_ip(world, interface, public_ip);
  if (shown.empty()) return std::nullopt;
  wire::ec2::NetworkInterfaceAssociation association;
  association.public_ip = shown;
  association.public_dns_name = public_dns_name(world, context.services.settings, interface.vpc_id, shown);
  association.ip_owner_id = public_ip_owner(world, shown);
  if (const auto* address = domain::find_elastic_ip(world, shown)) {
    association.allocation_id = address->allocation_id;
    association.association_id = address->association_id;
  }
  return association;
}

}  // namespace

std::string public_ip_owner(const World& world, const std::string& public_ip) {
  const auto* address = domain::find_elastic_ip(world, public_ip);
  return address == nullptr ? "amazon" : address->account;
}

std::string shown_public_ip(const World& world, const NetworkInterface& interface, const std::string& public_ip) {
  if (public_ip.empty() || interface.instance_id.empty() || domain::find_elastic_ip(world, public_ip) != nullptr) return public_ip;
  const auto* instance = world.find<state::Instance>(interface.account, interface.instance_id);
  return instance != nullptr && instance->state == state::InstanceState::pending ? std::string() : public_ip;
}

void check_interface_count(const std::string& instance_type, size_t count) {
  const auto* type = domain::find_instance_type(instance_type);
  if (type != nullptr && count > static_cast<size_t>(type->interfaces))
    throw wire::ApiError(400, "AttachmentLimitExceeded", fmt::format("Interface count {} exceeds the limit for {}", count, instance_type));
}

void check_address_count(const std::string& instance_type, size_t count) {
  const auto* type = domain::find_instance_type(instance_type);
  const auto most = type == nullptr ? addresses_per_interface : static_cast<size_t>(type->addresses_per_interface);
  if (count <= most) return;
  const auto where = instance_type.empty() ? "a network interface" : "a network interface of an instance of the type " + instance_type;
  throw wire::ApiError(400, "PrivateIpAddressLimitExceeded",
                       fmt::format("{} private IP addresses are more than the {} that {} may have.", count, most, where));
}

NetworkInterface new_interface(state::Transaction& transaction, const std::string& account, const state::Subnet& subnet,
                               const std::string& description) {
  NetworkInterface interface;
  interface.account = account;
  interface.id = make_id(transaction.random(), "eni");
  interface.vpc_id = subnet.vpc_id;
  interface.subnet_id = subnet.id;
  interface.zone = subnet.zone;
  interface.description = description;
  interface.mac = make_mac(transaction);
  return interface;
}

void check_groups_of_interface(size_t groups) {
  constexpr size_t groups_per_interface = 5;
  if (groups > groups_per_interface)
    throw wire::ApiError(400, "SecurityGroupsPerInterfaceLimitExceeded",
                         fmt::format("The maximum number of security groups per interface ({}) has been reached.", groups_per_interface));
}

NetworkInterface make_network_interface(state::Transaction& transaction, const std::string& account, const InterfacePlan& plan) {
  auto interface = new_interface(transaction, account, plan.subnet, plan.description);
  interface.group_ids = plan.group_ids;
  interface.delete_on_termination = false;
  interface.wants_public_address = false;
  interface.private_ip = plan.private_ip;
  for (const auto& address : plan.secondary_ips) interface.secondary.push_back({address, ""});
  // Put at each step, so that the next address is a different one.
  transaction.put(interface);
  if (interface.private_ip.empty()) {
    interface.private_ip = take_private_address(transaction, plan.subnet);
    transaction.put(interface);
  }
  for (std::int64_t i = 0; i < plan.secondary_count; ++i) {
    interface.secondary.push_back({take_private_address(transaction, plan.subnet), ""});
    transaction.put(interface);
  }
  give_ipv6_addresses(transaction, plan.subnet, plan.ipv6, interface);
  return interface;
}

void attach_to(state::Transaction& transaction, NetworkInterface& interface, const state::Instance& instance, std::int64_t device_index,
               bool delete_on_termination) {
  interface.instance_id = instance.id;
  interface.attachment_id = make_id(transaction.random(), "eni-attach");
  interface.device_index = device_index;
  interface.delete_on_termination = delete_on_termination;
  interface.attached = transaction.now();
  interface.attachment_state = state::AttachmentState::attached;
  interface.detach_forced = false;
}

void add_interface_id(const World& world, state::Instance& instance, const NetworkInterface& interface) {
  const auto index_of = [&](const std::string& id) {
    const auto* other = world.find<NetworkInterface>(instance.account, id);
    return other == nullptr ? std::int64_t{0} : other->device_index;
  };
  const auto at = std::find_if(instance.interface_ids.begin(), instance.interface_ids.end(),
                               [&](const std::string& id) { return index_of(id) > interface.device_index; });
  instance.interface_ids.insert(at, interface.id);
}

std::vector<std::string> find_interface_groups(const World& world, const std::string& account, const std::string& vpc_id,
                                               const std::vector<std::string>& ids) {
  std::vector<std::string> found;
  for (const auto& id : ids) {
    const auto& group = find_group(world, account, id, std::nullopt);
    if (group.vpc_id != vpc_id)
      throw wire::ApiError(400, "InvalidGroup.NotFound", "You have specified two resources that belong to different networks.");
    if (std::find(found.begin(), found.end(), id) == found.end()) found.push_back(id);
  }
  check_groups_of_interface(found.size());
  if (!found.empty()) return found;
  const auto* fallback = find_group_by_name(world, account, vpc_id, "default");
  if (fallback == nullptr) throw group_not_found("default");
  return {fallback->id};
}

const NetworkInterface& find_interface(const World& world, const std::string& account, const std::optional<std::string>& id) {
  const auto& found = find_owned<NetworkInterface>(world, account, "eni", "NetworkInterfaceId", id);
  if (domain::is_classic(found)) throw id_unknown("eni", found.id);
  return found;
}

const NetworkInterface& find_own_interface(const World& world, const std::string& account, const std::optional<std::string>& id) {
  const auto& interface = find_interface(world, account, id);
  if (interface.is_managed())
    throw wire::ApiError(400, "OperationNotPermitted",
                         fmt::format("The network interface '{}' is managed by another service.", interface.id));
  return interface;
}

void erase_interface(state::Transaction& transaction, const NetworkInterface& interface) {
  const auto key = interface.key();
  const auto account = interface.account;
  const auto id = interface.id;
  domain::disassociate_all(transaction, interface);
  erase_tags(transaction, account, id);
  transaction.erase<NetworkInterface>(key);
}

wire::ec2::NetworkInterfaceAttachment show_attachment(const NetworkInterface& interface) {
  wire::ec2::NetworkInterfaceAttachment attachment;
  attachment.attachment_id = interface.attachment_id;
  attachment.instance_id = interface.instance_id;
  attachment.instance_owner_id = interface.account;
  attachment.device_index = interface.device_index;
  attachment.network_card_index = 0;
  attachment.status = state::name_of(interface.attachment_state);
  attachment.attach_time = interface.attached;
  attachment.delete_on_termination = interface.delete_on_termination;
  return attachment;
}

std::vector<wire::ec2::GroupIdentifier> show_groups(const World& world, const NetworkInterface& interface) {
  std::vector<wire::ec2::GroupIdentifier> groups;
  for (const auto& id : interface.group_ids) {
    const auto* group = world.find<state::SecurityGroup>(interface.account, id);
    auto& item = groups.emplace_back();
    item.group_id = id;
    item.group_name = group == nullptr ? std::string() : group->name;
  }
  return groups;
}

wire::ec2::NetworkInterface show_interface(const World& world, const Context& context, const NetworkInterface& interface) {
  const auto& settings = context.services.settings;
  wire::ec2::NetworkInterface item;
  item.network_interface_id = interface.id;
  item.subnet_id = interface.subnet_id;
  item.vpc_id = interface.vpc_id;
  item.availability_zone = interface.zone;
  item.availability_zone_id = domain::zone_id_of(world, interface.account, settings.zones, interface.zone);
  item.description = interface.description;
  item.owner_id = interface.account;
  item.requester_managed = interface.is_managed();
  if (interface.is_managed()) item.requester_id = interface.requester_id;
  item.interface_type = interface.type == "natGateway" ? "nat_gateway" : interface.type;
  item.status = interface.instance_id.empty() && !interface.is_managed() ? "available" : "in-use";
  item.mac_address = interface.mac;
  item.private_ip_address = interface.private_ip;
  item.private_dns_name = private_dns_name(settings, interface.private_ip);
  item.source_dest_check = interface.source_dest_check;
  item.groups = show_groups(world, interface);
  if (!interface.instance_id.empty()) item.attachment = show_attachment(interface);
  item.association = show_association(world, context, interface, interface.public_ip);
  const auto add = [&](const std::string& private_ip, const std::string& public_ip, bool primary) {
    auto& address = item.private_ip_addresses.emplace_back();
    address.private_ip_address = private_ip;
    address.private_dns_name = private_dns_name(settings, private_ip);
    address.primary = primary;
    address.association = show_association(world, context, interface, public_ip);
  };
  add(interface.private_ip, interface.public_ip, true);
  for (const auto& one : interface.secondary) add(one.private_ip, one.public_ip, false);
  for (const auto& address : interface.ipv6) {
    auto& shown = item.ipv6_addresses.emplace_back();
    shown.ipv6_address = address;
    shown.is_primary_ipv6 = false;
  }
  if (!interface.ipv6.empty()) item.ipv6_address = interface.ipv6.front();
  item.tag_set = tags_of(world, interface.account, interface.id);
  return item;
}

std::vector<service::Action> network_interface_actions() {
  std::vector<service::Action> actions = {
      service::write_action("CreateNetworkInterface", create_network_interface),
      service::write_action("DeleteNetworkInterface", delete_network_interface),
      service::read_action("DescribeNetworkInterfaces", describe_network_interfaces),
  };
  for (const auto& list :
       {network_interface_attachment_actions, network_interface_attribute_actions, private_address_actions, ipv6_address_actions})
    for (const auto& action : list()) actions.push_back(action);
  return actions;
}

}  // namespace brume::ec2
