#include "ec2/instances/instances.hpp"

#include <algorithm>
#include <unordered_map>

#include "domain/classic.hpp"
#include "domain/instance_types.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/dns_names.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/images/product_codes.hpp"
#include "ec2/instances/instance_filters.hpp"
#include "ec2/instances/metadata_defaults.hpp"
#include "ec2/interfaces/network_interfaces.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

wire::ec2::InstanceNetworkInterfaceAssociation describe_association(const state::World& world, const Context& context,
                                                                    const std::string& vpc_id, const std::string& public_ip) {
  wire::ec2::InstanceNetworkInterfaceAssociation association;
  association.public_ip = public_ip;
  association.public_dns_name = public_dns_name(world, context.services.settings, vpc_id, public_ip);
  association.ip_owner_id = public_ip_owner(world, public_ip);
  return association;
}

wire::ec2::InstanceNetworkInterface describe_interface(const state::World& world, const Context& context, const state::Instance& instance,
                                                       const state::NetworkInterface& interface) {
  wire::ec2::InstanceNetworkInterface item;
  item.network_interface_id = interface.id;
  item.subnet_id = interface.subnet_id;
  item.vpc_id = interface.vpc_id;
  item.description = interface.description;
  item.owner_id = interface.account;
  item.status = "in-use";
  item.mac_address = interface.mac;
  item.interface_type = "interface";
  item.operator_.emplace().managed = false;
  item.private_ip_address = interface.private_ip;
  item.private_dns_name = private_dns_name(context.services.settings, interface.private_ip);
  item.source_dest_check = interface.source_dest_check;
  item.groups = show_groups(world, interface);
  auto& attachment = item.attachment.emplace();
  attachment.attachment_id = interface.attachment_id;
  attachment.device_index = interface.device_index;
  attachment.network_card_index = 0;
  attachment.status = state::name_of(interface.attachment_state);
  attachment.attach_time = interface.attached;
  attachment.delete_on_termination = interface.delete_on_termination;
  auto& address = item.private_ip_addresses.emplace_back();
  address.private_ip_address = interface.private_ip;
  address.private_dns_name = *item.private_dns_name;
  address.primary = true;
  if (const auto public_ip = public_ip_of(instance, interface); !public_ip.empty()) {
    item.association = describe_association(world, context, interface.vpc_id, public_ip);
    address.association = item.association;
  }
  for (const auto& one : interface.secondary) {
    auto& further = item.private_ip_addresses.emplace_back();
    further.private_ip_address = one.private_ip;
    further.private_dns_name = private_dns_name(context.services.settings, one.private_ip);
    further.primary = false;
    if (!one.public_ip.empty()) further.association = describe_association(world, context, interface.vpc_id, one.public_ip);
  }
  for (const auto& one : interface.ipv6) {
    auto& shown = item.ipv6_addresses.emplace_back();
    shown.ipv6_address = one;
    shown.is_primary_ipv6 = false;
  }
  return item;
}

void describe_network(const state::World& world, const Context& context, const state::Instance& instance, wire::ec2::Instance& item) {
  const auto* primary = primary_interface(world, instance);
  // A terminated instance has neither addresses nor a place in a VPC, even if its records still wait to be removed.
  if (primary == nullptr || instance.state == state::InstanceState::terminated) {
    item.private_dns_name = "";
    item.public_dns_name = "";
    return;
  }
  const auto& settings = context.services.settings;
  const auto public_ip = public_ip_of(instance, *primary);
  if (!primary->private_ip.empty()) item.private_ip_address = primary->private_ip;
  item.private_dns_name = private_dns_name(settings, primary->private_ip);
  if (!public_ip.empty()) item.public_ip_address = public_ip;
  item.public_dns_name = public_dns_name(world, settings, primary->vpc_id, public_ip);
  // In the guide's API neither name nor address is shown before the instance runs; today's VPC clients get the private ones at once.
  if (context.is_2011() && instance.state == state::InstanceState::pending) {
    item.private_ip_address.reset();
    item.private_dns_name = "";
  }
  item.security_groups = show_groups(world, *primary);
  if (domain::is_classic(instance)) return;
  item.subnet_id = instance.subnet_id;
  item.vpc_id = instance.vpc_id;
  item.source_dest_check = primary->source_dest_check;
  if (!primary->ipv6.empty()) item.ipv6_address = primary->ipv6.front();
  for (const auto& id : instance.interface_ids)
    if (const auto* interface = world.find<state::NetworkInterface>(instance.account, id))
      item.network_interfaces.push_back(describe_interface(world, context, instance, *interface));
}

// Options of an instance that are the same for all here: they run under SeaBIOS, in subnets that have IPv4.
void describe_options(const state::Instance& instance, wire::ec2::Instance& item) {
  item.ena_support = instance.ena_support;
  if (!instance.sriov_net_support.empty()) item.sriov_net_support = instance.sriov_net_support;
  if (!instance.boot_mode.empty()) item.boot_mode = instance.boot_mode;
  item.current_instance_boot_mode = "legacy-bios";
  item.capacity_reservation_specification.emplace().capacity_reservation_preference = instance.capacity_reservation_preference;
  item.hibernation_options.emplace().configured = false;
  item.enclave_options.emplace().enabled = false;
  item.metadata_options = describe_metadata_options(instance);
  auto& names = item.private_dns_name_options.emplace();
  names.hostname_type = "ip-name";
  names.enable_resource_name_dns_a_record = false;
  names.enable_resource_name_dns_aaaa_record = false;
  auto& maintenance = item.maintenance_options.emplace();
  maintenance.auto_recovery = instance.auto_recovery;
  maintenance.reboot_migration = instance.reboot_migration;
  item.network_performance_options.emplace().bandwidth_weighting = "default";
  item.operator_.emplace().managed = false;
}

bool is_asked(const std::vector<const state::Instance*>& asked, const state::Instance& instance) {
  return std::find(asked.begin(), asked.end(), &instance) != asked.end();
}

// Groups instances by the reservation they were launched in, in the order of each reservation's first instance.
class ReservationList {
 public:
  void add(const state::Instance& instance) {
    const auto [at, added] = places_.try_emplace(instance.reservation_id, members_.size());
    if (added) members_.emplace_back();
    members_[at->second].push_back(&instance);
  }
  // Once all are known, because an instance in an answer is kilobytes large and should not be moved again.
  std::vector<wire::ec2::Reservation> describe(const state::World& world, const Context& context) const {
    std::vector<wire::ec2::Reservation> reservations;
    reservations.reserve(members_.size());
    for (const auto& members : members_) {
      auto& instances = reservations.emplace_back(describe_reservation(world, context, *members.front())).instances;
      instances.reserve(members.size());
      for (const auto* instance : members) instances.push_back(describe_instance(world, context, *instance));
    }
    return reservations;
  }

 private:
  std::vector<std::vector<const state::Instance*>> members_;
  std::unordered_map<std::string_view, size_t> places_;  // the ids live in the World
};

wire::ec2::DescribeInstancesResponse describe_instances(const state::World& world, const Context& context,
                                                        const wire::ec2::DescribeInstancesRequest& request) {
  const Listing<state::Instance> instances(world, context, request,
                                           {.action = "DescribeInstances", .filters = instance_filters(), .exclusive_ids = "instancesSet"});
  wire::ec2::DescribeInstancesResponse response;
  ReservationList reservations;
  response.next_token = instances.each(request.instance_ids, "i", [&](const state::Instance& instance) { reservations.add(instance); });
  response.reservations = reservations.describe(world, context);
  return response;
}

}  // namespace

const state::NetworkInterface* primary_interface(const state::World& world, const state::Instance& instance) {
  return instance.interface_ids.empty() ? nullptr : world.find<state::NetworkInterface>(instance.account, instance.interface_ids.front());
}

std::string public_ip_of(const state::Instance& instance, const state::NetworkInterface& interface) {
  return instance.state == state::InstanceState::pending ? std::string() : interface.public_ip;
}

std::string platform_details(const state::Instance& instance) { return instance.platform == "windows" ? "Windows" : "Linux/UNIX"; }
std::string usage_operation(const state::Instance& instance) {
  return instance.platform == "windows" ? "RunInstances:0002" : "RunInstances";
}

std::vector<wire::ec2::InstanceBlockDeviceMapping> describe_disks(const state::World& world, const state::Instance& instance) {
  std::vector<wire::ec2::InstanceBlockDeviceMapping> mappings;
  if (instance.state == state::InstanceState::terminated) return mappings;
  for (const auto& id : instance.volume_ids) {
    const auto* volume = world.find<state::Volume>(instance.account, id);
    const auto* attachment = volume == nullptr ? nullptr : volume->attachment_to(instance.id);
    if (attachment == nullptr) continue;
    auto& mapping = mappings.emplace_back();
    mapping.device_name = attachment->device;
    auto& ebs = mapping.ebs.emplace();
    ebs.volume_id = id;
    ebs.status = state::name_of(attachment->attachment_state);
    ebs.attach_time = attachment->attached;
    ebs.delete_on_termination = attachment->delete_on_termination;
  }
  return mappings;
}

wire::ec2::InstanceMetadataOptionsResponse describe_metadata_options(const state::Instance& instance) {
  wire::ec2::InstanceMetadataOptionsResponse options;
  options.state = "applied";
  options.http_endpoint = instance.metadata_enabled ? "enabled" : "disabled";
  options.http_tokens = instance.metadata_tokens_required ? "required" : "optional";
  options.http_put_response_hop_limit = instance.metadata_hop_limit;
  options.http_protocol_ipv6 = "disabled";
  options.instance_metadata_tags = instance.metadata_tags ? "enabled" : "disabled";
  return options;
}

wire::ec2::InstanceState describe_state(state::InstanceState state) {
  wire::ec2::InstanceState item;
  item.code = static_cast<std::int64_t>(state);
  item.name = std::string(state::name_of(state));
  return item;
}

wire::ec2::Instance describe_instance(const state::World& world, const Context& context, const state::Instance& instance) {
  wire::ec2::Instance item;
  item.instance_id = instance.id;
  item.image_id = instance.image_id;
  item.state = describe_state(instance.state);
  item.state_transition_reason = instance.transition_reason;
  if (!instance.state_reason_code.empty()) {
    auto& reason = item.state_reason.emplace();
    reason.code = instance.state_reason_code;
    reason.message = instance.state_reason_message;
  }
  if (!instance.key_name.empty()) item.key_name = instance.key_name;
  item.ami_launch_index = instance.launch_index;
  item.instance_type = instance.type;
  item.launch_time = instance.launched;
  auto& placement = item.placement.emplace();
  placement.availability_zone = instance.zone;
  placement.availability_zone_id = domain::zone_id_of(world, instance.account, context.services.settings.zones, instance.zone);
  placement.group_name = instance.placement_group;
  if (const auto* group = world.find<state::PlacementGroup>(instance.account, instance.placement_group)) placement.group_id = group->id;
  if (instance.partition_number > 0) placement.partition_number = instance.partition_number;
  placement.tenancy = instance.tenancy;
  if (!instance.kernel_id.empty()) item.kernel_id = instance.kernel_id;
  if (!instance.ramdisk_id.empty()) item.ramdisk_id = instance.ramdisk_id;
  if (!instance.platform.empty()) item.platform = instance.platform;
  item.product_codes = show_product_codes(instance.product_codes);
  item.monitoring.emplace().state = instance.monitoring ? "enabled" : "disabled";
  item.architecture = instance.architecture;
  item.root_device_type = "ebs";
  item.root_device_name = instance.root_device_name;
  item.virtualization_type = instance.virtualization_type;
  item.client_token = instance.client_token;
  item.hypervisor = "xen";
  item.ebs_optimized = instance.ebs_optimized;
  item.platform_details = platform_details(instance);
  item.usage_operation = usage_operation(instance);
  item.usage_operation_update_time = instance.launched;
  auto& processors = item.cpu_options.emplace();
  processors.core_count = instance.processors / instance.threads_per_core;
  processors.threads_per_core = instance.threads_per_core;
  describe_options(instance, item);
  describe_network(world, context, instance, item);
  item.block_device_mappings = describe_disks(world, instance);
  item.tags = tags_of(world, instance.account, instance.id);
  return item;
}

wire::ec2::Reservation describe_reservation(const state::World& world, const Context& context, const state::Instance& instance) {
  wire::ec2::Reservation reservation;
  reservation.reservation_id = instance.reservation_id;
  reservation.owner_id = instance.account;
  // Today's EC2 leaves a VPC reservation's own list of groups empty; the guide's API shows it.
  if (context.is_2011() || domain::is_classic(instance))
    if (const auto* primary = primary_interface(world, instance)) reservation.groups = show_groups(world, *primary);
  return reservation;
}

std::vector<const state::Instance*> find_instances(const state::World& world, const std::string& account,
                                                   const std::vector<std::string>& ids) {
  if (ids.empty()) throw wire::invalid_parameter_combination("No instances specified");
  std::vector<const state::Instance*> found;
  std::vector<std::string> unknown;
  for (const auto& id : ids) {
    check_id("i", "InstanceID", id);
    const auto* instance = world.find<state::Instance>(account, id);
    if (instance == nullptr)
      unknown.push_back(id);
    else if (!is_asked(found, *instance))
      found.push_back(instance);
  }
  if (!unknown.empty()) throw ids_not_found("InstanceID", "instance", unknown);
  return found;
}

const state::Instance& find_instance(const state::World& world, const std::string& account, const std::string& id) {
  return *find_instances(world, account, {id}).front();
}

wire::ApiError incorrect_instance_state(const state::Instance& instance, std::string_view done) {
  return {400, "IncorrectInstanceState", fmt::format("The instance '{}' is not in a state from which it can be {}.", instance.id, done)};
}

void need_alive(const state::Instance& instance) {
  const auto current = instance.state;
  if (current == state::InstanceState::terminated || current == state::InstanceState::shutting_down)
    throw incorrect_instance_state(instance, "modified");
}

std::vector<service::Action> instance_actions() {
  std::vector<service::Action> actions = launch_actions();
  for (const auto& list : {instance_state_actions, instance_attribute_actions, instance_option_actions, instance_status_actions,
                           metadata_default_actions, console_actions})
    for (const auto& action : list()) actions.push_back(action);
  actions.push_back(service::read_action<wire::ec2::DescribeInstancesRequest>("DescribeInstances", describe_instances));
  return actions;
}

}  // namespace brume::ec2
