// RunInstances (INS-030, INS-045): what is asked is checked as a whole before anything is changed.
#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "ec2/capacity.hpp"
#include "ec2/client_tokens.hpp"
#include "ec2/images.hpp"
#include "ec2/instance_types.hpp"
#include "ec2/instances.hpp"
#include "ec2/metadata_defaults.hpp"
#include "ec2/network.hpp"
#include "ec2/resource_ids.hpp"
#include "ec2/tags.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using wire::ec2::RunInstancesRequest;

constexpr size_t user_data_limit = 16 * 1024;  // raw bytes (OPS-136)
constexpr std::int64_t launch_limit = 1000;    // instances in one request

// Everything that the request means, looked up and checked.
struct Launch {
  const state::Image* image = nullptr;
  const InstanceType* type = nullptr;
  std::string key_name;
  std::string public_key;
  state::Subnet subnet;
  std::vector<std::string> group_ids;
  std::string private_ip;
  bool public_address = false;
  std::string interface_description;
  std::vector<state::BlockDevice> disks;  // the root first
  std::string user_data;
  std::int64_t least = 1;
  std::int64_t most = 1;
  std::string zone;
};

void refuse(bool asked, std::string_view what) {
  if (asked) throw wire::unsupported_operation(fmt::format("{} is not supported yet.", what));
}

void refuse_placement(const wire::ec2::Placement& placement) {
  refuse(placement.tenancy && *placement.tenancy != "default", "Tenancy other than 'default'");
  refuse(placement.host_id || placement.host_resource_group_arn || placement.affinity, "Placement on a dedicated host");
  refuse(!placement.group_name.value_or("").empty() || placement.group_id || placement.partition_number || placement.spread_domain,
         "A placement group");
}

// Nothing that is asked for is silently left out: only what Brume gives anyway, or what means nothing here, is passed over.
void refuse_what_is_not_built(const RunInstancesRequest& request) {
  refuse(request.launch_template.has_value(), "LaunchTemplate");
  refuse(request.instance_market_options.has_value(), "InstanceMarketOptions");
  refuse(request.iam_instance_profile.has_value(), "IamInstanceProfile");
  refuse(request.hibernation_options && request.hibernation_options->configured.value_or(false), "Hibernation");
  refuse(request.enclave_options && request.enclave_options->enabled.value_or(false), "Nitro Enclaves");
  refuse(request.cpu_options.has_value(), "CpuOptions");
  refuse(request.ipv6_address_count.value_or(0) > 0 || !request.ipv6_addresses.empty(), "IPv6");
  refuse(request.network_interfaces.size() > 1, "More than one network interface");
  refuse(!request.elastic_gpu_specification.empty() || !request.elastic_inference_accelerators.empty(), "An elastic accelerator");
  refuse(!request.secondary_interfaces.empty(), "SecondaryInterfaces");
  refuse(!request.license_specifications.empty(), "LicenseSpecifications");
  refuse(request.enable_primary_ipv6.value_or(false), "IPv6");
  refuse(request.capacity_reservation_specification && request.capacity_reservation_specification->capacity_reservation_target,
         "A capacity reservation");
  refuse(request.metadata_options && request.metadata_options->http_protocol_ipv6.value_or("disabled") != "disabled", "HttpProtocolIpv6");
  if (request.private_dns_name_options) {
    const auto& names = *request.private_dns_name_options;
    refuse(names.hostname_type.value_or("ip-name") != "ip-name" || names.enable_resource_name_dns_a_record.value_or(false) ||
               names.enable_resource_name_dns_aaaa_record.value_or(false),
           "A host name by instance id");
  }
  if (request.placement) refuse_placement(*request.placement);
}

void refuse_interface(const wire::ec2::InstanceNetworkInterfaceSpecification& asked) {
  refuse(asked.network_interface_id.has_value(), "Launching with an existing network interface");
  refuse(!asked.delete_on_termination.value_or(true), "A network interface that outlives its instance");
  refuse(asked.secondary_private_ip_address_count.value_or(0) > 0, "A secondary private IP address");
  for (const auto& address : asked.private_ip_addresses) refuse(!address.primary.value_or(false), "A secondary private IP address");
  refuse(asked.ipv6_address_count.value_or(0) > 0 || !asked.ipv6_addresses.empty() || asked.primary_ipv6.value_or(false), "IPv6");
  refuse(asked.ipv4_prefix_count.value_or(0) > 0 || !asked.ipv4_prefixes.empty() || asked.ipv6_prefix_count.value_or(0) > 0 ||
             !asked.ipv6_prefixes.empty(),
         "A prefix of addresses");
  refuse(asked.interface_type.value_or("interface") != "interface", "An interface type other than 'interface'");
  refuse(asked.associate_carrier_ip_address.value_or(false), "A carrier IP address");
  refuse(asked.network_card_index.value_or(0) != 0, "A second network card");
  if (asked.device_index.value_or(0) != 0) throw wire::invalid_parameter_value("Network interface with device index 0 is missing.");
}

void read_counts(const RunInstancesRequest& request, Launch& launch) {
  launch.least = *request.min_count;
  launch.most = *request.max_count;
  if (launch.least < 1 || launch.most < 1)
    throw wire::invalid_parameter_value("Value for parameter MinCount or MaxCount is invalid. It must be at least 1.");
  if (launch.least > launch.most)
    throw wire::ApiError(400, "InvalidParameterCombination",
                         fmt::format("The minimum count ({}) must not be greater than the maximum count ({})", launch.least, launch.most));
  if (launch.most > launch_limit)
    throw wire::ApiError(400, "InstanceLimitExceeded", fmt::format("One request launches at most {} instances.", launch_limit));
}

void read_type(const Context& context, const RunInstancesRequest& request, Launch& launch) {
  // INS-006: the guide's default; clients of today are given the same where they name none.
  const auto name = request.instance_type.value_or("m1.small");
  launch.type = find_instance_type(name);
  if (launch.type == nullptr) throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for InstanceType.", name));
  if (!launch.type->runs(launch.image->architecture) && (context.is_2011() || request.instance_type))
    throw wire::ApiError(400, context.is_2011() ? "InvalidParameterValue" : "Unsupported",
                         fmt::format("The architecture '{}' of the specified image is not supported by the instance type '{}'.",
                                     launch.image->architecture, name));
}

void read_key(const state::World& world, const Context& context, const RunInstancesRequest& request, Launch& launch) {
  launch.key_name = request.key_name.value_or("");
  if (launch.key_name.empty()) return;
  const auto* key = world.find<state::KeyPair>(context.account(), launch.key_name);
  if (key == nullptr)
    throw wire::ApiError(400, "InvalidKeyPair.NotFound", fmt::format("The key pair '{}' does not exist", launch.key_name));
  launch.public_key = key->public_key;
}

const state::Subnet* default_subnet(const state::World& world, const Context& context, const std::string& zone, std::int64_t count) {
  std::vector<std::pair<std::uint64_t, const state::Subnet*>> subnets;
  world.each_of<state::Subnet>(context.account(), [&](const state::Subnet& subnet) {
    if (subnet.is_default && (zone.empty() || subnet.zone == zone)) subnets.emplace_back(addresses_handed_out(world, subnet), &subnet);
  });
  // Without a zone: of those with room, where the fewest addresses were handed out. Nothing here counts instances: a launch costs the
  // same in a full account.
  std::stable_sort(subnets.begin(), subnets.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [handed_out, subnet] : subnets)
    if (has_free_addresses(world, *subnet, count)) return subnet;
  return subnets.empty() ? nullptr : subnets.front().second;
}

void read_interface(const wire::ec2::InstanceNetworkInterfaceSpecification& asked, Launch& launch) {
  refuse_interface(asked);
  launch.public_address = asked.associate_public_ip_address.value_or(launch.public_address);
  launch.interface_description = asked.description.value_or("");
  if (asked.private_ip_address) launch.private_ip = *asked.private_ip_address;
  if (asked.private_ip_addresses.size() > 1 || (asked.private_ip_address && !asked.private_ip_addresses.empty()))
    throw wire::invalid_parameter_combination("An interface has one primary private IP address");
  for (const auto& address : asked.private_ip_addresses) launch.private_ip = address.private_ip_address.value_or("");
}

// The zone asked for, by name or by id; empty when none is.
std::string read_zone(const state::World& world, const Context& context, const RunInstancesRequest& request) {
  if (!request.placement) return {};
  const auto name = request.placement->availability_zone.value_or("");
  const auto id = request.placement->availability_zone_id.value_or("");
  if (name.empty() && id.empty()) return {};
  for (const auto& zone : state::zones_of(world, context.account(), context.services.settings.zones))
    if ((name.empty() || zone.name == name) && (id.empty() || zone.id == id)) return zone.name;
  throw wire::invalid_parameter_value(fmt::format("Invalid availability zone: [{}]", name.empty() ? id : name));
}

void read_place(const state::World& world, const Context& context, const RunInstancesRequest& request, Launch& launch) {
  const auto* specified = request.network_interfaces.empty() ? nullptr : &request.network_interfaces.front();
  if (specified != nullptr && (request.subnet_id || !request.security_group_ids.empty() || !request.security_groups.empty()))
    throw wire::invalid_parameter_combination(
        "Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request");
  const auto zone = read_zone(world, context, request);
  const auto& subnet_id = specified != nullptr ? specified->subnet_id : request.subnet_id;
  const state::Subnet* subnet = nullptr;
  if (subnet_id) {
    check_id("subnet", "SubnetID", *subnet_id);
    subnet = world.find<state::Subnet>(context.account(), *subnet_id);
    if (subnet == nullptr) throw wire::id_not_found("SubnetID", "subnet", *subnet_id);
    if (!zone.empty() && subnet->zone != zone)
      throw wire::invalid_parameter_value(fmt::format("The availability zone '{}' is not the subnet's, which is '{}'", zone, subnet->zone));
  } else {
    subnet = default_subnet(world, context, zone, launch.most);
    if (subnet == nullptr) throw wire::ApiError(400, "MissingInput", "No subnets found for the default VPC. Please specify a subnet.");
  }
  launch.subnet = *subnet;
  launch.zone = subnet->zone;
  launch.public_address = subnet->gives_public_address;
  launch.private_ip = request.private_ip_address.value_or("");
  if (specified != nullptr) read_interface(*specified, launch);
  if (launch.private_ip.empty()) return;
  if (launch.most > 1) throw wire::invalid_parameter_combination("A private IP address can be given for one instance only");
  check_private_address(world, *subnet, launch.private_ip);
}

void add_group(Launch& launch, const state::SecurityGroup& group) {
  if (group.vpc_id != launch.subnet.vpc_id)
    throw wire::ApiError(400, "InvalidParameter",
                         fmt::format("Security group {} and subnet {} belong to different networks.", group.id, launch.subnet.id));
  if (std::find(launch.group_ids.begin(), launch.group_ids.end(), group.id) == launch.group_ids.end()) launch.group_ids.push_back(group.id);
}

void read_groups(const state::World& world, const Context& context, const RunInstancesRequest& request, Launch& launch) {
  const auto& ids = request.network_interfaces.empty() ? request.security_group_ids : request.network_interfaces.front().groups;
  for (const auto& id : ids) {
    check_id("sg", "GroupId", id);
    const auto* group = world.find<state::SecurityGroup>(context.account(), id);
    if (group == nullptr) throw wire::ApiError(400, "InvalidGroup.NotFound", fmt::format("The security group '{}' does not exist", id));
    add_group(launch, *group);
  }
  auto names = request.security_groups;
  if (ids.empty() && names.empty()) names.push_back("default");
  for (const auto& name : names) {
    const state::SecurityGroup* found = nullptr;
    world.each_of<state::SecurityGroup>(context.account(), [&](const state::SecurityGroup& group) {
      // 2011's clients put ids into the list of names, and EC2 takes them.
      if (group.vpc_id == launch.subnet.vpc_id && (group.name == name || group.id == name)) found = &group;
    });
    if (found == nullptr) throw wire::ApiError(400, "InvalidGroup.NotFound", fmt::format("The security group '{}' does not exist", name));
    add_group(launch, *found);
  }
  if (launch.group_ids.size() > 5)
    throw wire::ApiError(400, "SecurityGroupsPerInterfaceLimitExceeded",
                         "The maximum number of security groups per interface (5) has been reached.");
}

void change_device(state::BlockDevice& device, const wire::ec2::EbsBlockDevice& asked) {
  refuse(asked.encrypted.value_or(false) || asked.kms_key_id, "An encrypted volume");
  if (asked.snapshot_id && *asked.snapshot_id != device.snapshot_id)
    throw wire::ApiError(400, "InvalidBlockDeviceMapping", "The snapshot of the image's own device cannot be replaced at launch.");
  if (asked.volume_size) {
    if (*asked.volume_size < device.size_gib)
      throw wire::ApiError(400, "InvalidBlockDeviceMapping",
                           fmt::format("Volume of size {}GB is smaller than snapshot '{}', expect size >= {}GB", *asked.volume_size,
                                       device.snapshot_id, device.size_gib));
    if (*asked.volume_size > 16384) throw wire::invalid_parameter_value("A volume is at most 16384 GiB large.");
    device.size_gib = *asked.volume_size;
  }
  if (asked.volume_type) device.volume_type = *asked.volume_type;
  if (asked.iops) device.iops = *asked.iops;
  if (asked.throughput) device.throughput = *asked.throughput;
  if (asked.delete_on_termination) device.delete_on_termination = *asked.delete_on_termination;
  check_volume_type(device);
}

// The image's devices, changed and added to by the request's.
void read_disks(const RunInstancesRequest& request, Launch& launch) {
  auto devices = launch.image->block_devices;
  std::set<std::string_view> seen;
  for (const auto& mapping : request.block_device_mappings) {
    if (!mapping.device_name) throw wire::missing_parameter("BlockDeviceMapping.DeviceName");
    const auto& name = *mapping.device_name;
    if (!seen.insert(name).second)
      throw wire::ApiError(400, "InvalidBlockDeviceMapping",
                           fmt::format("The device '{}' is used in more than one block-device mapping", name));
    const auto at = std::find_if(devices.begin(), devices.end(), [&](const auto& device) { return device.device == name; });
    if (mapping.no_device || mapping.virtual_name) {
      // No volume there: nothing at all, or an instance store, which no type of this installation has.
      if (name == launch.image->root_device_name)
        throw wire::ApiError(400, "InvalidBlockDeviceMapping", "The root device cannot be left out.");
      if (at != devices.end()) devices.erase(at);
      continue;
    }
    refuse(at == devices.end(), "A volume besides the image's own at launch");
    if (mapping.ebs) change_device(*at, *mapping.ebs);
  }
  // Instance stores are not built: a device that only names one is left out, as EC2 does for types without any.
  for (const auto& device : devices)
    if (device.virtual_name.empty()) launch.disks.push_back(device);
  std::stable_partition(launch.disks.begin(), launch.disks.end(),
                        [&](const auto& device) { return device.device == launch.image->root_device_name; });
}

void read_user_data(const RunInstancesRequest& request, Launch& launch) {
  if (!request.user_data) return;
  const auto decoded = from_base64(*request.user_data);
  if (!decoded) throw wire::invalid_parameter_value("Invalid BASE64 encoding of user data.");
  if (decoded->size() > user_data_limit) throw wire::invalid_parameter_value("User data is limited to 16384 bytes");
  launch.user_data = *decoded;
}

std::string make_mac(state::Transaction& transaction) {
  const auto digits = transaction.random().hex(10);
  std::string mac = "02";
  for (size_t i = 0; i < digits.size(); i += 2) mac += ":" + digits.substr(i, 2);
  return mac;
}

state::NetworkInterface make_interface(state::Transaction& transaction, const Launch& launch, const state::Instance& instance) {
  state::NetworkInterface interface;
  interface.account = instance.account;
  interface.id = make_id(transaction.random(), "eni");
  interface.vpc_id = launch.subnet.vpc_id;
  interface.subnet_id = launch.subnet.id;
  interface.zone = launch.zone;
  interface.description = launch.interface_description;
  interface.mac = make_mac(transaction);
  interface.private_ip = launch.private_ip.empty() ? take_private_address(transaction, launch.subnet) : launch.private_ip;
  if (launch.public_address) interface.public_ip = take_public_address(transaction);
  interface.group_ids = launch.group_ids;
  interface.instance_id = instance.id;
  interface.attachment_id = make_id(transaction.random(), "eni-attach");
  interface.attached = transaction.now();
  return interface;
}

state::Volume make_volume(state::Transaction& transaction, const state::Instance& instance, const state::BlockDevice& device) {
  state::Volume volume;
  volume.account = instance.account;
  volume.id = make_id(transaction.random(), "vol");
  volume.size_gib = std::max<std::int64_t>(device.size_gib, 1);
  volume.type = device.volume_type.empty() ? "gp2" : device.volume_type;
  volume.iops = device.iops;
  volume.throughput = device.throughput;
  volume.zone = instance.zone;
  volume.snapshot_id = device.snapshot_id;
  volume.created = transaction.now();
  volume.instance_id = instance.id;
  volume.device = device.device;
  volume.attachment_state = "attaching";
  volume.attached = transaction.now();
  volume.delete_on_termination = device.delete_on_termination;
  return volume;
}

void read_options(const Context& context, const RunInstancesRequest& request, state::Instance& instance) {
  instance.monitoring = request.monitoring && request.monitoring->enabled.value_or(false);
  instance.termination_protected = request.disable_api_termination.value_or(false);
  instance.stop_protected = request.disable_api_stop.value_or(false);
  instance.ebs_optimized = request.ebs_optimized.value_or(false);
  const auto behavior = request.instance_initiated_shutdown_behavior.value_or("stop");
  if (behavior != "stop" && behavior != "terminate")
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter instanceInitiatedShutdownBehavior is invalid. Unknown value.", behavior));
  instance.terminate_on_shutdown = behavior == "terminate";
  if (!request.metadata_options) return;
  const auto& options = *request.metadata_options;
  const auto choose = [](const std::optional<std::string>& value, std::string_view on, std::string_view off, bool fallback,
                         std::string_view name) {
    if (!value) return fallback;
    if (*value != on && *value != off) throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for {}.", *value, name));
    return *value == on;
  };
  instance.metadata_enabled = choose(options.http_endpoint, "enabled", "disabled", instance.metadata_enabled, "HttpEndpoint");
  instance.metadata_tokens_required = choose(options.http_tokens, "required", "optional", instance.metadata_tokens_required, "HttpTokens");
  instance.metadata_tags = choose(options.instance_metadata_tags, "enabled", "disabled", instance.metadata_tags, "InstanceMetadataTags");
  instance.metadata_hop_limit = options.http_put_response_hop_limit.value_or(instance.metadata_hop_limit);
  if (instance.metadata_hop_limit < 1 || instance.metadata_hop_limit > 64)
    throw wire::invalid_parameter_value("HttpPutResponseHopLimit must be between 1 and 64.");
  [[maybe_unused]] const auto& unused = context;
}

// The instance that all of a reservation's begin as.
state::Instance make_template(state::Transaction& transaction, const Context& context, const RunInstancesRequest& request,
                              const Launch& launch) {
  state::Instance instance;
  instance.account = context.account();
  instance.reservation_id = make_id(transaction.random(), "r");
  instance.client_token = request.client_token.value_or("");
  instance.image_id = launch.image->id;
  instance.image_account = launch.image->account;
  instance.type = launch.type->name;
  instance.memory_mib = launch.type->memory_mib;
  instance.processors = launch.type->processors;
  instance.key_name = launch.key_name;
  instance.public_key = launch.public_key;
  instance.launched = transaction.now();
  instance.state_since = transaction.now();
  instance.zone = launch.zone;
  instance.vpc_id = launch.subnet.vpc_id;
  instance.subnet_id = launch.subnet.id;
  instance.root_device_name = launch.image->root_device_name;
  instance.architecture = launch.image->architecture;
  instance.virtualization_type = launch.image->virtualization_type;
  instance.platform = launch.image->platform;
  instance.boot_mode = launch.image->boot_mode;
  instance.ena_support = launch.image->ena_support;
  instance.sriov_net_support = launch.image->sriov_net_support;
  instance.kernel_id = request.kernel_id.value_or(launch.image->kernel_id);
  instance.ramdisk_id = request.ramdisk_id.value_or(launch.image->ramdisk_id);
  find_boot_image(transaction.world(), context.account(), instance.kernel_id, "kernel");
  find_boot_image(transaction.world(), context.account(), instance.ramdisk_id, "ramdisk");
  // What the image asks for holds unless the launch says otherwise: tokens, and that they reach a container of the guest's.
  if (launch.image->imds_support == "v2.0") {
    instance.metadata_tokens_required = true;
    instance.metadata_hop_limit = 2;
  }
  // Before it goes what the account has chosen.
  apply_metadata_defaults(transaction.world(), instance);
  read_options(context, request, instance);
  return instance;
}

// The attribute lastLaunchedTime. An hour is exact enough, and keeps most launches from writing the image.
void note_launch(state::Transaction& transaction, const state::Image& image) {
  if (transaction.now() - image.last_launched < std::chrono::hours(1)) return;
  auto noted = image;
  noted.last_launched = transaction.now();
  transaction.put(std::move(noted));
}

void make_instance(state::Transaction& transaction, const RunInstancesRequest& request, const Launch& launch, state::Instance instance) {
  instance.id = make_id(transaction.random(), "i");
  auto interface = make_interface(transaction, launch, instance);
  instance.interface_ids.push_back(interface.id);
  transaction.put(std::move(interface));
  for (const auto& device : launch.disks) {
    auto volume = make_volume(transaction, instance, device);
    instance.volume_ids.push_back(volume.id);
    tag_on_create(transaction, instance.account, volume.id, "volume", request.tag_specifications);
    transaction.put(std::move(volume));
  }
  if (!launch.user_data.empty()) transaction.put(state::UserData{instance.account, instance.id, launch.user_data});
  tag_on_create(transaction, instance.account, instance.id, "instance", request.tag_specifications);
  tag_on_create(transaction, instance.account, instance.interface_ids.front(), "network-interface", request.tag_specifications);
  put_dependents(transaction, instance);
  transaction.put(std::move(instance));
}

wire::ec2::Reservation show_reservation(const state::World& world, const Context& context, const std::string& reservation_id) {
  std::vector<const state::Instance*> instances;
  world.each_indexed<state::Instance>(state::Index::instance_by_reservation, reservation_id,
                                      [&](const state::Instance& instance) { instances.push_back(&instance); });
  std::sort(instances.begin(), instances.end(), [](const auto* a, const auto* b) { return a->launch_index < b->launch_index; });
  wire::ec2::Reservation reservation;
  for (const auto* instance : instances) {
    if (!reservation.reservation_id) reservation = describe_reservation(world, context, *instance);
    reservation.instances.push_back(describe_instance(world, context, *instance));
  }
  return reservation;
}

wire::ec2::Reservation run_instances(state::Transaction& transaction, const Context& context, const RunInstancesRequest& request) {
  // An empty token is none: some clients send the parameter always.
  const auto token = request.client_token.value_or("");
  if (!token.empty())
    if (const auto launched = find_launched(transaction, context, token); !launched.empty())
      return show_reservation(transaction.world(), context, launched);
  Launch launch;
  if (!request.image_id) throw wire::missing_parameter("ImageId");
  read_counts(request, launch);
  refuse_what_is_not_built(request);
  check_tag_types(request.tag_specifications, {"instance", "volume", "network-interface"});
  launch.image = &find_launchable(transaction.world(), context.account(), *request.image_id);
  if (launch.image->type != "machine")
    throw wire::ApiError(400, "InvalidAMIID.Malformed", fmt::format("'{}' is not a machine image", launch.image->id));
  read_type(context, request, launch);
  read_key(transaction.world(), context, request, launch);
  read_place(transaction.world(), context, request, launch);
  read_groups(transaction.world(), context, request, launch);
  read_disks(request, launch);
  read_user_data(request, launch);
  auto instance = make_template(transaction, context, request, launch);
  const auto count = count_to_launch(transaction.world(), context, instance, launch.least, launch.most);
  const auto reservation_id = instance.reservation_id;
  for (std::int64_t index = 0; index < count; ++index) {
    instance.launch_index = index;
    make_instance(transaction, request, launch, instance);
  }
  note_launch(transaction, *launch.image);
  if (!token.empty()) remember_launched(transaction, context, token, reservation_id);
  return show_reservation(transaction.world(), context, reservation_id);
}

}  // namespace

void put_dependents(state::Transaction& transaction, const state::Instance& instance) {
  state::Dependents dependents;
  dependents.account = instance.account;
  dependents.instance_id = instance.id;
  dependents.machine = true;
  dependents.taps = instance.interface_ids;
  for (const auto& id : instance.volume_ids)
    if (const auto* volume = transaction.find<state::Volume>(instance.account, id); volume != nullptr && volume->delete_on_termination)
      dependents.volumes.push_back(id);
  transaction.put(std::move(dependents));
}

std::vector<service::Action> launch_actions() { return {service::write_action<RunInstancesRequest>("RunInstances", run_instances)}; }

}  // namespace brume::ec2
