// Where instances are launched: zone, subnets, security groups, addresses, network interfaces.
#include <algorithm>
#include <map>
#include <set>

#include "domain/classic.hpp"
#include "ec2/common/free_addresses.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/instances/placement_groups.hpp"
#include "ec2/interfaces/network_interfaces.hpp"
#include "ec2/launch/launch.hpp"
#include "ec2/security_groups/security_groups.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using wire::ec2::InstanceNetworkInterfaceSpecification;
using wire::ec2::RunInstancesRequest;

// The requested zone, by name or by id; empty if none is requested.
std::string read_zone(const state::World& world, const Context& context, const RunInstancesRequest& request) {
  if (!request.placement) return {};
  const auto name = request.placement->availability_zone.value_or("");
  const auto id = request.placement->availability_zone_id.value_or("");
  if (name.empty() && id.empty()) return {};
  for (const auto& zone : domain::zones_of(world, context.account(), context.services.settings.zones))
    if ((name.empty() || zone.name == name) && (id.empty() || zone.id == id)) return zone.name;
  throw wire::invalid_parameter_value(fmt::format("Invalid availability zone: [{}]", name.empty() ? id : name));
}

const state::Subnet& default_subnet(const state::World& world, const Context& context, const std::string& zone, std::int64_t count) {
  std::vector<std::pair<std::uint64_t, const state::Subnet*>> subnets;
  world.each_of<state::Subnet>(context.account(), [&](const state::Subnet& subnet) {
    if (subnet.is_default && (zone.empty() || subnet.zone == zone)) subnets.emplace_back(addresses_handed_out(world, subnet), &subnet);
  });
  if (default_vpc(world, context.account()) == nullptr)
    throw wire::ApiError(400, "VPCIdNotSpecified",
                         "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.");
  if (subnets.empty()) throw wire::ApiError(400, "MissingInput", "No subnets found for the default VPC. Please specify a subnet.");
  // Without a zone: the zone with room in which the fewest addresses were handed out. Instances are not counted, so a launch costs the same
  // in a full account.
  std::stable_sort(subnets.begin(), subnets.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [handed_out, subnet] : subnets)
    if (has_free_addresses(world, *subnet, count)) return *subnet;
  return *subnets.front().second;
}

const state::Subnet& find_subnet(const state::World& world, const Context& context, const std::string& id) {
  check_id("subnet", "SubnetID", id);
  const auto* subnet = world.find<state::Subnet>(context.account(), id);
  if (subnet == nullptr) throw wire::id_not_found("SubnetID", "subnet", id);
  return *subnet;
}

void add_group(LaunchInterface& interface, const state::SecurityGroup& group) {
  if (group.vpc_id != interface.subnet.vpc_id)
    throw wire::ApiError(400, "InvalidParameter",
                         fmt::format("Security group {} and subnet {} belong to different networks.", group.id, interface.subnet.id));
  auto& ids = interface.group_ids;
  if (std::find(ids.begin(), ids.end(), group.id) == ids.end()) ids.push_back(group.id);
}

void read_groups(const state::World& world, const Context& context, const std::vector<std::string>& ids, std::vector<std::string> names,
                 LaunchInterface& interface) {
  const auto missing = [](const std::string& group) {
    return wire::ApiError(400, "InvalidGroup.NotFound", fmt::format("The security group '{}' does not exist", group));
  };
  for (const auto& id : ids) {
    check_id("sg", "GroupId", id);
    const auto* group = world.find<state::SecurityGroup>(context.account(), id);
    if (group == nullptr) throw missing(id);
    add_group(interface, *group);
  }
  if (ids.empty() && names.empty()) names.push_back("default");
  for (const auto& name : names) {
    const state::SecurityGroup* found = nullptr;
    world.each_of<state::SecurityGroup>(context.account(), [&](const state::SecurityGroup& group) {
      // 2011's clients put ids into the list of names, and EC2 accepts them.
      if (group.vpc_id == interface.subnet.vpc_id && (group.name == name || group.id == name)) found = &group;
    });
    if (found == nullptr) throw missing(name);
    add_group(interface, *found);
  }
  // NET-048: an instance of EC2-Classic may be in any number of groups.
  if (interface.subnet.vpc_id != domain::classic_network) check_groups_of_interface(interface.group_ids.size());
}

// The primary address and the further ones, which can be given in three ways.
void read_addresses(const InstanceNetworkInterfaceSpecification& asked, LaunchInterface& interface) {
  interface.private_ip = asked.private_ip_address.value_or("");
  for (const auto& address : asked.private_ip_addresses) {
    if (!address.private_ip_address) throw wire::missing_parameter("NetworkInterface.PrivateIpAddresses.PrivateIpAddress");
    if (!address.primary.value_or(false)) {
      interface.secondary_ips.push_back(*address.private_ip_address);
      continue;
    }
    if (!interface.private_ip.empty()) throw wire::invalid_parameter_combination("An interface has one primary private IP address");
    interface.private_ip = *address.private_ip_address;
  }
  interface.secondary_count = asked.secondary_private_ip_address_count.value_or(0);
  if (interface.secondary_count < 0) throw wire::invalid_parameter_value("SecondaryPrivateIpAddressCount is not below 0.");
  if (interface.secondary_count > 0 && !interface.secondary_ips.empty())
    throw wire::invalid_parameter_combination("Secondary private IP addresses are given by their count or one by one, not both");
}

void check_addresses(const state::World& world, const Launch& launch, const LaunchInterface& interface) {
  std::vector<std::string> chosen = interface.secondary_ips;
  if (!interface.private_ip.empty()) chosen.push_back(interface.private_ip);
  if (!chosen.empty() && launch.most > 1)
    throw wire::invalid_parameter_combination("A private IP address can be given for one instance only");
  if (std::set<std::string>(chosen.begin(), chosen.end()).size() != chosen.size())
    throw wire::invalid_parameter_value("A private IP address is given twice");
  for (const auto& address : chosen) check_private_address(world, interface.subnet, address);
  check_address_count(launch.type->name, 1 + interface.secondary_ips.size() + static_cast<size_t>(interface.secondary_count));
}

void read_ipv6(const state::World& world, const Launch& launch, const std::optional<std::int64_t>& count,
               const std::vector<std::string>& addresses, LaunchInterface& interface) {
  if (!addresses.empty() && launch.most > 1)
    throw wire::invalid_parameter_combination("An IPv6 address can be given for one instance only");
  interface.ipv6 = plan_ipv6(world, interface.subnet, launch.type->name, count, addresses);
}

LaunchInterface read_existing(const state::World& world, const Context& context, const InstanceNetworkInterfaceSpecification& asked,
                              const Launch& launch) {
  const auto& id = *asked.network_interface_id;
  check_id("eni", id);
  const auto* found = world.find<state::NetworkInterface>(context.account(), id);
  if (found == nullptr) throw wire::id_not_found("NetworkInterfaceID", "networkInterface", id);
  if (asked.subnet_id || !asked.groups.empty() || asked.private_ip_address || !asked.private_ip_addresses.empty() ||
      asked.secondary_private_ip_address_count || asked.description || asked.associate_public_ip_address || asked.ipv6_address_count ||
      !asked.ipv6_addresses.empty())
    throw wire::invalid_parameter_combination(
        fmt::format("The network interface '{}' has its subnet, addresses, groups and description already", id));
  if (asked.delete_on_termination.value_or(false))
    throw wire::invalid_parameter_combination(
        fmt::format("The network interface '{}' was there before the instance and stays: DeleteOnTermination cannot be asked for", id));
  if (launch.most > 1) throw wire::invalid_parameter_combination("A network interface can be attached to one instance only");
  if (!found->instance_id.empty() || found->is_managed())
    throw wire::ApiError(400, "InvalidNetworkInterface.InUse", fmt::format("The network interface '{}' is in use.", id));
  check_address_count(launch.type->name, 1 + found->secondary.size());
  check_ipv6_count(launch.type->name, found->ipv6.size());
  LaunchInterface interface;
  interface.existing_id = id;
  interface.subnet = *world.find<state::Subnet>(context.account(), found->subnet_id);
  interface.group_ids = found->group_ids;
  interface.delete_on_termination = false;
  return interface;
}

// Packer, like other clients in Go, sends the parameter even if it has no subnet to name.
bool names_subnet(const std::optional<std::string>& subnet_id) { return subnet_id && !subnet_id->empty(); }

LaunchInterface read_new(const state::World& world, const Context& context, const InstanceNetworkInterfaceSpecification& asked,
                         const std::string& zone, const Launch& launch) {
  LaunchInterface interface;
  interface.subnet =
      names_subnet(asked.subnet_id) ? find_subnet(world, context, *asked.subnet_id) : default_subnet(world, context, zone, launch.most);
  interface.delete_on_termination = asked.delete_on_termination.value_or(true);
  interface.description = asked.description.value_or("");
  const bool primary = asked.device_index.value_or(0) == 0;
  interface.public_address = asked.associate_public_ip_address.value_or(primary && interface.subnet.gives_public_address);
  read_groups(world, context, asked.groups, {}, interface);
  read_addresses(asked, interface);
  check_addresses(world, launch, interface);
  read_ipv6(world, launch, asked.ipv6_address_count, ipv6_texts(asked.ipv6_addresses), interface);
  return interface;
}

// EC2's error names the one parameter that belongs into the interfaces.
void refuse_beside_interfaces(const RunInstancesRequest& request) {
  const auto refuse_if = [](bool given, std::string_view noun) {
    if (given)
      throw wire::invalid_parameter_combination(
          fmt::format("Network interfaces and an instance-level {} may not be specified on the same request", noun));
  };
  refuse_if(names_subnet(request.subnet_id), "subnet ID");
  refuse_if(!request.security_group_ids.empty() || !request.security_groups.empty(), "security groups");
  refuse_if(request.private_ip_address.has_value(), "private address");
  refuse_if(request.ipv6_address_count || !request.ipv6_addresses.empty(), "IPv6 address");
}

void read_specified(const state::World& world, const Context& context, const RunInstancesRequest& request, const std::string& zone,
                    Launch& launch) {
  refuse_beside_interfaces(request);
  const auto count = request.network_interfaces.size();
  check_interface_count(launch.type->name, count);
  std::set<std::int64_t> indexes;
  for (const auto& asked : request.network_interfaces) {
    // A single interface without an index is the first.
    if (!asked.device_index && count > 1) throw wire::missing_parameter("NetworkInterface.DeviceIndex");
    const auto index = asked.device_index.value_or(0);
    if (index < 0 || !indexes.insert(index).second)
      throw wire::invalid_parameter_value("Each network interface has a device index of its own, from 0 on.");
    if (asked.associate_public_ip_address && count > 1)
      throw wire::invalid_parameter_combination("AssociatePublicIpAddress cannot be given together with several network interfaces");
    auto interface =
        asked.network_interface_id ? read_existing(world, context, asked, launch) : read_new(world, context, asked, zone, launch);
    interface.device_index = index;
    launch.interfaces.push_back(std::move(interface));
  }
  if (!indexes.contains(0)) throw wire::invalid_parameter_value("Network interface with device index 0 is missing.");
  std::sort(launch.interfaces.begin(), launch.interfaces.end(),
            [](const auto& a, const auto& b) { return a.device_index < b.device_index; });
}

void read_simple(const state::World& world, const Context& context, const RunInstancesRequest& request, const std::string& zone,
                 Launch& launch) {
  if (request.subnet_id && !request.security_groups.empty() && !context.is_2011())
    throw wire::invalid_parameter_combination("The parameter groupName cannot be used with the parameter subnet");
  LaunchInterface interface;
  interface.subnet =
      names_subnet(request.subnet_id) ? find_subnet(world, context, *request.subnet_id) : default_subnet(world, context, zone, launch.most);
  interface.public_address = interface.subnet.gives_public_address;
  interface.private_ip = request.private_ip_address.value_or("");
  read_groups(world, context, request.security_group_ids, request.security_groups, interface);
  check_addresses(world, launch, interface);
  read_ipv6(world, launch, request.ipv6_address_count, ipv6_texts(request.ipv6_addresses), interface);
  launch.interfaces.push_back(std::move(interface));
}

// Into EC2-Classic: a launch of an account that has it, which names neither subnet nor interface.
bool is_for_classic(const state::World& world, const Context& context, const RunInstancesRequest& request) {
  if (names_subnet(request.subnet_id) || !domain::has_classic(world, context.account())) return false;
  const auto& asked = request.network_interfaces;
  return std::none_of(asked.begin(), asked.end(), [](const auto& one) { return one.network_interface_id || names_subnet(one.subnet_id); });
}

void read_classic(const state::World& world, const Context& context, const RunInstancesRequest& request, std::string zone, Launch& launch) {
  if (!request.network_interfaces.empty())
    throw wire::invalid_parameter_combination("Network interfaces belong to a VPC: one of them has to name a subnet");
  if (request.private_ip_address && !request.private_ip_address->empty())
    throw wire::invalid_parameter_combination("A private IP address can only be chosen in a VPC, and that takes a subnet");
  if (request.ipv6_address_count.value_or(0) > 0 || !request.ipv6_addresses.empty())
    throw wire::invalid_parameter_combination("IPv6 addresses belong to a VPC, and that takes a subnet");
  check_runs_in_classic(launch.type->name);
  LaunchInterface interface;
  interface.subnet = *domain::find_classic_subnet(world);
  // The zones in turn, for launches that do not name one (NET-071).
  const auto zones = domain::zones_of(world, context.account(), context.services.settings.zones);
  interface.subnet.zone = zone.empty() ? zones[addresses_handed_out(world, interface.subnet) % zones.size()].name : std::move(zone);
  interface.public_address = true;
  read_groups(world, context, request.security_group_ids, request.security_groups, interface);
  launch.interfaces.push_back(std::move(interface));
}

state::NetworkInterface make_launch_interface(state::Transaction& transaction, const LaunchInterface& asked, const std::string& account) {
  auto interface = new_interface(transaction, account, asked.subnet, asked.description);
  interface.private_ip = asked.private_ip.empty() ? take_private_address(transaction, asked.subnet) : asked.private_ip;
  interface.group_ids = asked.group_ids;
  interface.wants_public_address = asked.public_address;
  if (asked.public_address) interface.public_ip = take_public_address(transaction);
  for (const auto& address : asked.secondary_ips) interface.secondary.push_back({address, ""});
  // Put at each step, so that the next address is a different one.
  for (std::int64_t i = 0; i < asked.secondary_count; ++i) {
    transaction.put(interface);
    interface.secondary.push_back({take_private_address(transaction, asked.subnet), ""});
  }
  give_ipv6_addresses(transaction, asked.subnet, asked.ipv6, interface);
  return interface;
}

}  // namespace

void check_runs_in_classic(std::string_view type) {
  // The families that are older than VPCs; newer ones never existed outside of one.
  constexpr std::string_view families[] = {"t1",  "m1",  "m2", "m3", "c1",  "c3",  "cc1", "cc2",
                                           "cg1", "cr1", "d2", "g2", "hi1", "hs1", "i2",  "r3"};
  const auto family = type.substr(0, type.find('.'));
  if (std::find(std::begin(families), std::end(families), family) == std::end(families))
    throw wire::ApiError(400, "VPCResourceNotSpecified",
                         "The specified instance type can only be used in a VPC. A subnet ID or network interface ID is required to carry "
                         "out the request.");
}

void read_network(const state::World& world, const Context& context, const RunInstancesRequest& request, Launch& launch) {
  const auto asked_zone = read_zone(world, context, request);
  auto zone = asked_zone;
  if (zone.empty() && launch.group != nullptr) zone = zone_of_group(world, *launch.group);
  if (is_for_classic(world, context, request))
    read_classic(world, context, request, zone, launch);
  else if (request.network_interfaces.empty())
    read_simple(world, context, request, zone, launch);
  else
    read_specified(world, context, request, zone, launch);
  const auto& first = launch.interfaces.front().subnet;
  if (!asked_zone.empty() && first.zone != asked_zone)
    throw wire::invalid_parameter_value(
        fmt::format("The availability zone '{}' is not the subnet's, which is '{}'", asked_zone, first.zone));
  for (const auto& interface : launch.interfaces)
    if (interface.subnet.zone != first.zone || interface.subnet.vpc_id != first.vpc_id)
      throw wire::invalid_parameter_combination(
          fmt::format("The subnets {} and {} are not of one VPC and one availability zone", first.id, interface.subnet.id));
  launch.zone = first.zone;
  launch.vpc_id = first.vpc_id;
}

std::int64_t count_with_addresses(const state::World& world, const Launch& launch, std::int64_t instances) {
  std::map<std::string_view, std::pair<const state::Subnet*, std::int64_t>> needed;  // by subnet: addresses of one instance
  std::int64_t public_ones = 0;
  for (const auto& interface : launch.interfaces) {
    if (!interface.existing_id.empty()) continue;
    auto& [subnet, count] = needed[interface.subnet.id];
    subnet = &interface.subnet;
    count += 1 + static_cast<std::int64_t>(interface.secondary_ips.size()) + interface.secondary_count;
    if (interface.public_address) ++public_ones;
  }
  for (const auto& [id, need] : needed) {
    const auto fit = free_addresses(world, *need.first, instances * need.second) / need.second;
    if (fit < launch.least) throw too_few_addresses(*need.first);
    instances = std::min(instances, fit);
  }
  if (public_ones == 0) return instances;
  const auto fit = free_public_addresses(world, instances * public_ones) / public_ones;
  if (fit < launch.least) throw too_few_public_addresses(world);
  return std::min(instances, fit);
}

void make_interfaces(state::Transaction& transaction, const Launch& launch, const std::vector<wire::ec2::TagSpecification>& tags,
                     state::Instance& instance) {
  for (const auto& asked : launch.interfaces) {
    auto interface = asked.existing_id.empty() ? make_launch_interface(transaction, asked, instance.account)
                                               : *transaction.find<state::NetworkInterface>(instance.account, asked.existing_id);
    interface.instance_id = instance.id;
    interface.attachment_id = make_id(transaction.random(), "eni-attach");
    interface.device_index = asked.device_index;
    interface.delete_on_termination = asked.delete_on_termination;
    interface.attached = transaction.now();
    interface.attachment_state = state::AttachmentState::attached;
    // An interface that no client sees cannot be tagged.
    if (asked.existing_id.empty() && !domain::is_classic(interface))
      tag_on_create(transaction, instance.account, interface.id, "network-interface", tags);
    instance.interface_ids.push_back(interface.id);
    transaction.put(std::move(interface));
  }
}

}  // namespace brume::ec2
