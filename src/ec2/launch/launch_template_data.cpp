#include "ec2/launch/launch_template_data.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/launch/launch.hpp"
#include "wire/query_tree.hpp"

namespace brume::ec2 {
namespace {

using wire::ec2::RequestLaunchTemplateData;
using wire::ec2::ResponseLaunchTemplateData;

constexpr std::string_view prefix = "LaunchTemplateData.";

std::string_view first_part(std::string_view name) { return name.substr(0, name.find('.')); }

// Members that have the same name on both sides.
template <class From, class To>
void copy_ebs(const From& from, To& to) {
  to.encrypted = from.encrypted;
  to.delete_on_termination = from.delete_on_termination;
  to.iops = from.iops;
  to.kms_key_id = from.kms_key_id;
  to.snapshot_id = from.snapshot_id;
  to.volume_size = from.volume_size;
  to.volume_type = from.volume_type;
  to.throughput = from.throughput;
}

template <class From, class To>
void copy_interface(const From& from, To& to) {
  to.associate_carrier_ip_address = from.associate_carrier_ip_address;
  to.associate_public_ip_address = from.associate_public_ip_address;
  to.delete_on_termination = from.delete_on_termination;
  to.description = from.description;
  to.device_index = from.device_index;
  to.groups = from.groups;
  to.interface_type = from.interface_type;
  to.network_interface_id = from.network_interface_id;
  to.private_ip_address = from.private_ip_address;
  to.private_ip_addresses = from.private_ip_addresses;
  to.secondary_private_ip_address_count = from.secondary_private_ip_address_count;
  to.subnet_id = from.subnet_id;
  to.network_card_index = from.network_card_index;
  to.ipv6_address_count = from.ipv6_address_count;
  for (const auto& one : from.ipv6_addresses) to.ipv6_addresses.emplace_back().ipv6_address = one.ipv6_address;
}

template <class From, class To>
void copy_placement(const From& from, To& to) {
  to.availability_zone = from.availability_zone;
  to.availability_zone_id = from.availability_zone_id;
  to.affinity = from.affinity;
  to.group_name = from.group_name;
  to.group_id = from.group_id;
  to.host_id = from.host_id;
  to.tenancy = from.tenancy;
  to.host_resource_group_arn = from.host_resource_group_arn;
  to.partition_number = from.partition_number;
}

void show_options(const RequestLaunchTemplateData& from, ResponseLaunchTemplateData& to) {
  if (from.monitoring) to.monitoring.emplace().enabled = from.monitoring->enabled;
  if (from.placement) copy_placement(*from.placement, to.placement.emplace());
  if (from.iam_instance_profile) {
    to.iam_instance_profile.emplace().arn = from.iam_instance_profile->arn;
    to.iam_instance_profile->name = from.iam_instance_profile->name;
  }
  if (from.instance_market_options) {
    auto& market = to.instance_market_options.emplace();
    market.market_type = from.instance_market_options->market_type;
    if (const auto& spot = from.instance_market_options->spot_options) {
      auto& shown = market.spot_options.emplace();
      shown.max_price = spot->max_price;
      shown.spot_instance_type = spot->spot_instance_type;
      shown.block_duration_minutes = spot->block_duration_minutes;
      shown.valid_until = spot->valid_until;
      shown.instance_interruption_behavior = spot->instance_interruption_behavior;
    }
  }
  if (from.credit_specification) to.credit_specification.emplace().cpu_credits = from.credit_specification->cpu_credits;
  if (from.cpu_options) {
    to.cpu_options.emplace().core_count = from.cpu_options->core_count;
    to.cpu_options->threads_per_core = from.cpu_options->threads_per_core;
  }
  if (from.capacity_reservation_specification)
    to.capacity_reservation_specification.emplace().capacity_reservation_preference =
        from.capacity_reservation_specification->capacity_reservation_preference;
  if (from.hibernation_options) to.hibernation_options.emplace().configured = from.hibernation_options->configured;
  if (from.enclave_options) to.enclave_options.emplace().enabled = from.enclave_options->enabled;
  if (from.maintenance_options) to.maintenance_options.emplace().auto_recovery = from.maintenance_options->auto_recovery;
  if (from.metadata_options) {
    auto& options = to.metadata_options.emplace();
    options.http_tokens = from.metadata_options->http_tokens;
    options.http_put_response_hop_limit = from.metadata_options->http_put_response_hop_limit;
    options.http_endpoint = from.metadata_options->http_endpoint;
    options.http_protocol_ipv6 = from.metadata_options->http_protocol_ipv6;
    options.instance_metadata_tags = from.metadata_options->instance_metadata_tags;
  }
  if (from.private_dns_name_options) {
    auto& names = to.private_dns_name_options.emplace();
    names.hostname_type = from.private_dns_name_options->hostname_type;
    names.enable_resource_name_dns_a_record = from.private_dns_name_options->enable_resource_name_dns_a_record;
    names.enable_resource_name_dns_aaaa_record = from.private_dns_name_options->enable_resource_name_dns_aaaa_record;
  }
}

void show_interfaces(const state::World& world, const state::Instance& instance, ResponseLaunchTemplateData& data) {
  for (const auto& id : instance.interface_ids) {
    const auto* interface = world.find<state::NetworkInterface>(instance.account, id);
    if (interface == nullptr) continue;
    auto& item = data.network_interfaces.emplace_back();
    item.device_index = interface->device_index;
    item.subnet_id = interface->subnet_id;
    item.groups = interface->group_ids;
    item.description = interface->description;
    item.delete_on_termination = interface->delete_on_termination;
    item.interface_type = "interface";
    if (interface->device_index == 0) item.associate_public_ip_address = !interface->public_ip.empty();
    auto& address = item.private_ip_addresses.emplace_back();
    address.primary = true;
    address.private_ip_address = interface->private_ip;
  }
}

void show_disks(const state::World& world, const state::Instance& instance, ResponseLaunchTemplateData& data) {
  for (const auto& id : instance.volume_ids) {
    const auto* volume = world.find<state::Volume>(instance.account, id);
    const auto* attachment = volume == nullptr ? nullptr : volume->attachment_to(instance.id);
    if (attachment == nullptr) continue;
    auto& mapping = data.block_device_mappings.emplace_back();
    mapping.device_name = attachment->device;
    auto& ebs = mapping.ebs.emplace();
    ebs.encrypted = volume->encrypted;
    ebs.delete_on_termination = attachment->delete_on_termination;
    ebs.volume_size = volume->size_gib;
    ebs.volume_type = volume->type;
    if (volume->iops > 0) ebs.iops = volume->iops;
    if (volume->throughput > 0) ebs.throughput = volume->throughput;
    if (!volume->snapshot_id.empty()) ebs.snapshot_id = volume->snapshot_id;
  }
  for (const auto& store : instance.instance_stores) {
    auto& mapping = data.block_device_mappings.emplace_back();
    mapping.device_name = store.device;
    mapping.virtual_name = mapped_name(store);
  }
}

// The items of a numbered list, by number: "3" → {"DeviceName": …, "Ebs.VolumeSize": …}.
using Items = std::map<std::string, std::map<std::string, std::string>>;

Items items_of(const Parameters& parameters, std::string_view list) {
  Items items;
  for (const auto& parameter : parameters) {
    if (first_part(parameter.name) != list || parameter.name.size() <= list.size() + 1) continue;
    const auto rest = std::string_view(parameter.name).substr(list.size() + 1);
    const auto number = first_part(rest);
    if (number.size() < rest.size()) items[std::string(number)][std::string(rest.substr(number.size() + 1))] = parameter.value;
  }
  return items;
}

// Adds the items of `below` whose `key` no item of `above` has; if `deep`, items of `below` also fill in fields that the item above lacks.
void overlay_items(std::string_view list, const std::string& key, bool deep, const Parameters& above, const Parameters& below,
                   Parameters& out) {
  const auto upper = items_of(above, list);
  size_t next = 100'000;  // after every number that a request may contain
  for (const auto& [number, fields] : items_of(below, list)) {
    const auto named = fields.find(key);
    const bool has_name = named != fields.end();  // clang 14 captures no structured binding
    const auto same = std::find_if(upper.begin(), upper.end(), [&](const auto& item) {
      const auto at = item.second.find(key);
      return has_name && at != item.second.end() && at->second == named->second;
    });
    if (same == upper.end()) {
      const auto place = std::to_string(next++);
      for (const auto& [name, value] : fields) out.push_back({fmt::format("{}.{}.{}", list, place, name), value});
      continue;
    }
    const bool other_kind = same->second.contains("NoDevice") || same->second.contains("VirtualName");
    if (!deep || other_kind) continue;
    for (const auto& [name, value] : fields)
      if (!same->second.contains(name)) out.push_back({fmt::format("{}.{}.{}", list, same->first, name), value});
  }
}

}  // namespace

Parameters template_parameters(const std::vector<std::pair<std::string, std::string>>& sent) {
  std::map<std::string, std::string> sorted;
  for (const auto& [name, value] : sent)
    if (name.starts_with(prefix)) sorted[name.substr(prefix.size())] = value;
  Parameters parameters;
  for (const auto& [name, value] : sorted) parameters.push_back({name, value});
  return parameters;
}

Parameters overlaid(const Parameters& above, const Parameters& below) {
  Parameters merged = above;
  std::set<std::string_view> said;
  for (const auto& parameter : above) said.insert(first_part(parameter.name));
  const bool groups = said.contains("SecurityGroup") || said.contains("SecurityGroupId");
  for (const auto& parameter : below) {
    const auto top = first_part(parameter.name);
    if (top == "BlockDeviceMapping" || top == "TagSpecification" || said.contains(top)) continue;
    if (groups && (top == "SecurityGroup" || top == "SecurityGroupId")) continue;
    merged.push_back(parameter);
  }
  overlay_items("BlockDeviceMapping", "DeviceName", true, above, below, merged);
  overlay_items("TagSpecification", "ResourceType", false, above, below, merged);
  return merged;
}

RequestLaunchTemplateData read_template_data(const Parameters& parameters) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : parameters) pairs.emplace_back(name, value);
  const wire::QueryTree tree(std::move(pairs));
  RequestLaunchTemplateData data;
  read(tree.root(), data);
  return data;
}

ResponseLaunchTemplateData show_template_data(const RequestLaunchTemplateData& from) {
  ResponseLaunchTemplateData to;
  to.kernel_id = from.kernel_id;
  to.ram_disk_id = from.ram_disk_id;
  to.ebs_optimized = from.ebs_optimized;
  to.image_id = from.image_id;
  to.instance_type = from.instance_type;
  to.key_name = from.key_name;
  to.disable_api_termination = from.disable_api_termination;
  to.disable_api_stop = from.disable_api_stop;
  to.instance_initiated_shutdown_behavior = from.instance_initiated_shutdown_behavior;
  to.user_data = from.user_data;
  to.security_group_ids = from.security_group_ids;
  to.security_groups = from.security_groups;
  for (const auto& mapping : from.block_device_mappings) {
    auto& shown = to.block_device_mappings.emplace_back();
    shown.device_name = mapping.device_name;
    shown.virtual_name = mapping.virtual_name;
    shown.no_device = mapping.no_device;
    if (mapping.ebs) copy_ebs(*mapping.ebs, shown.ebs.emplace());
  }
  for (const auto& interface : from.network_interfaces) copy_interface(interface, to.network_interfaces.emplace_back());
  for (const auto& specification : from.tag_specifications) {
    auto& shown = to.tag_specifications.emplace_back();
    shown.resource_type = specification.resource_type;
    shown.tags = specification.tags;
  }
  show_options(from, to);
  return to;
}

ResponseLaunchTemplateData template_data_of(const state::World& world, const state::Instance& instance) {
  ResponseLaunchTemplateData data;
  data.image_id = instance.image_id;
  data.instance_type = instance.type;
  if (!instance.key_name.empty()) data.key_name = instance.key_name;
  if (!instance.kernel_id.empty()) data.kernel_id = instance.kernel_id;
  if (!instance.ramdisk_id.empty()) data.ram_disk_id = instance.ramdisk_id;
  data.ebs_optimized = instance.ebs_optimized;
  data.disable_api_termination = instance.termination_protected;
  data.disable_api_stop = instance.stop_protected;
  data.instance_initiated_shutdown_behavior = instance.terminate_on_shutdown ? "terminate" : "stop";
  data.monitoring.emplace().enabled = instance.monitoring;
  auto& placement = data.placement.emplace();
  placement.availability_zone = instance.zone;
  placement.group_name = instance.placement_group;
  placement.tenancy = instance.tenancy;
  if (instance.partition_number > 0) placement.partition_number = instance.partition_number;
  if (!instance.cpu_credits.empty()) data.credit_specification.emplace().cpu_credits = instance.cpu_credits;
  data.cpu_options.emplace().core_count = instance.processors / instance.threads_per_core;
  data.cpu_options->threads_per_core = instance.threads_per_core;
  data.capacity_reservation_specification.emplace().capacity_reservation_preference = instance.capacity_reservation_preference;
  data.hibernation_options.emplace().configured = false;
  data.enclave_options.emplace().enabled = false;
  data.maintenance_options.emplace().auto_recovery = instance.auto_recovery;
  auto& metadata = data.metadata_options.emplace();
  metadata.http_tokens = instance.metadata_tokens_required ? "required" : "optional";
  metadata.http_put_response_hop_limit = instance.metadata_hop_limit;
  metadata.http_endpoint = instance.metadata_enabled ? "enabled" : "disabled";
  metadata.http_protocol_ipv6 = "disabled";
  metadata.instance_metadata_tags = instance.metadata_tags ? "enabled" : "disabled";
  if (const auto* user_data = world.find<state::UserData>(instance.account, instance.id)) data.user_data = to_base64(user_data->data);
  show_interfaces(world, instance, data);
  show_disks(world, instance, data);
  wire::ec2::LaunchTemplateTagSpecification tags;
  tags.resource_type = "instance";
  if (const auto* set = world.find<state::TagSet>(instance.account, instance.id))
    for (const auto& tag : set->tags)
      if (!tag.name.starts_with("aws:")) tags.tags.push_back({tag.name, tag.value});
  if (!tags.tags.empty()) data.tag_specifications.push_back(std::move(tags));
  return data;
}

void check_template_data(const RequestLaunchTemplateData& data) {
  if (data.user_data && !from_base64(*data.user_data)) throw wire::invalid_parameter_value("Invalid BASE64 encoding of user data.");
  std::vector<wire::ec2::TagSpecification> specifications;
  for (const auto& each : data.tag_specifications) specifications.push_back({each.resource_type, each.tags});
  check_tag_types(specifications, {"instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"});
  refuse(!data.elastic_gpu_specifications.empty() || !data.elastic_inference_accelerators.empty(), "An elastic accelerator");
  refuse(!data.license_specifications.empty(), "LicenseSpecifications");
  refuse(!data.secondary_interfaces.empty(), "SecondaryInterfaces");
  refuse(data.instance_requirements.has_value(), "InstanceRequirements");
  refuse(data.operator_.has_value(), "Operator");
  refuse(data.network_performance_options.has_value(), "NetworkPerformanceOptions");
  refuse(data.capacity_reservation_specification && data.capacity_reservation_specification->capacity_reservation_target,
         "A capacity reservation");
  refuse(data.cpu_options && (data.cpu_options->amd_sev_snp || data.cpu_options->nested_virtualization), "AmdSevSnp");
  refuse(data.placement && data.placement->spread_domain, "SpreadDomain");
  for (const auto& interface : data.network_interfaces) {
    refuse(interface.primary_ipv6.has_value(), "A primary IPv6 address");
    refuse(
        interface.ipv4_prefix_count || !interface.ipv4_prefixes.empty() || interface.ipv6_prefix_count || !interface.ipv6_prefixes.empty(),
        "A prefix of addresses");
    refuse(interface.ena_srd_specification || interface.ena_queue_count || interface.connection_tracking_specification,
           "EnaSrdSpecification, EnaQueueCount and ConnectionTrackingSpecification");
  }
  for (const auto& mapping : data.block_device_mappings)
    if (mapping.ebs)
      refuse(mapping.ebs->volume_initialization_rate || mapping.ebs->ebs_card_index, "VolumeInitializationRate and EbsCardIndex");
}

}  // namespace brume::ec2
