// The options of a launch: everything about an instance except its place in the network and its disks.
#include "base/text.hpp"
#include "ec2/images/images.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/launch/launch.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using wire::ec2::RunInstancesRequest;

bool says(const std::optional<std::string>& value, std::string_view text) { return value && *value == text; }

void refuse_placement(const wire::ec2::Placement& placement) {
  refuse(says(placement.tenancy, "host") || placement.host_id || placement.host_resource_group_arn || placement.affinity,
         "Placement on a dedicated host");
  refuse(placement.spread_domain.has_value(), "SpreadDomain");
}

void refuse_interface(const wire::ec2::InstanceNetworkInterfaceSpecification& asked) {
  refuse(asked.primary_ipv6.value_or(false), "A primary IPv6 address");
  refuse(asked.ipv4_prefix_count.value_or(0) > 0 || !asked.ipv4_prefixes.empty() || asked.ipv6_prefix_count.value_or(0) > 0 ||
             !asked.ipv6_prefixes.empty(),
         "A prefix of addresses");
  refuse(asked.interface_type.value_or("interface") != "interface", "An interface type other than 'interface'");
  refuse(asked.associate_carrier_ip_address.value_or(false), "A carrier IP address");
  refuse(asked.network_card_index.value_or(0) != 0, "A second network card");
  refuse(asked.ena_srd_specification || asked.ena_queue_count || asked.connection_tracking_specification,
         "EnaSrdSpecification, EnaQueueCount and ConnectionTrackingSpecification");
}

void refuse_volume(const wire::ec2::EbsBlockDevice& asked) {
  refuse(asked.outpost_arn.has_value(), "OutpostArn");
  refuse(asked.volume_initialization_rate.has_value() || asked.ebs_card_index.value_or(0) != 0,
         "VolumeInitializationRate and EbsCardIndex");
}

// A value of the parameter's enumeration, or InvalidParameterValue.
std::string one_of(const std::optional<std::string>& value, std::initializer_list<std::string_view> known, std::string_view name) {
  auto chosen = value ? *value : std::string(*known.begin());
  if (std::find(known.begin(), known.end(), chosen) == known.end())
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter {} is invalid. Unknown value.", chosen, name));
  return chosen;
}

void read_metadata_options(const wire::ec2::InstanceMetadataOptionsRequest& options, state::Instance& instance) {
  if (options.http_endpoint)
    instance.metadata_enabled = one_of(options.http_endpoint, {"enabled", "disabled"}, "HttpEndpoint") == "enabled";
  if (options.http_protocol_ipv6) one_of(options.http_protocol_ipv6, {"disabled", "enabled"}, "HttpProtocolIpv6");
  if (options.http_tokens)
    instance.metadata_tokens_required = one_of(options.http_tokens, {"optional", "required"}, "HttpTokens") == "required";
  if (options.instance_metadata_tags)
    instance.metadata_tags = one_of(options.instance_metadata_tags, {"disabled", "enabled"}, "InstanceMetadataTags") == "enabled";
  instance.metadata_hop_limit = options.http_put_response_hop_limit.value_or(instance.metadata_hop_limit);
  if (instance.metadata_hop_limit < 1 || instance.metadata_hop_limit > 64)
    throw wire::invalid_parameter_value("HttpPutResponseHopLimit must be between 1 and 64.");
}

void read_processors(const wire::ec2::CpuOptionsRequest& options, const domain::InstanceType& type, state::Instance& instance) {
  if (options.amd_sev_snp) one_of(options.amd_sev_snp, {"disabled", "enabled"}, "AmdSevSnp");
  if (options.nested_virtualization) one_of(options.nested_virtualization, {"disabled", "enabled"}, "NestedVirtualization");
  if (options.core_count || options.threads_per_core) choose_processors(options.core_count, options.threads_per_core, type, instance);
}

void read_credits(const RunInstancesRequest& request, const domain::InstanceType& type, state::Instance& instance) {
  if (!request.credit_specification) {
    if (type.burstable) instance.cpu_credits = default_cpu_credits(type.name);
    return;
  }
  if (!type.burstable)
    throw wire::invalid_parameter_combination(fmt::format("CreditSpecification is for burstable types; '{}' is none.", type.name));
  if (!request.credit_specification->cpu_credits) throw wire::missing_parameter("CreditSpecification.CpuCredits");
  instance.cpu_credits = one_of(request.credit_specification->cpu_credits, {"standard", "unlimited"}, "CpuCredits");
}

void read_placement(const state::World& world, const RunInstancesRequest& request, const Launch& launch, state::Instance& instance) {
  // Everything in a VPC of dedicated hardware is dedicated, whatever the launch says.
  if (const auto* vpc = world.find_indexed<state::Vpc>(state::Index::vpc_by_id, launch.vpc_id)) instance.tenancy = vpc->tenancy;
  if (launch.group != nullptr) instance.placement_group = launch.group->name;
  if (!request.placement) return;
  const auto tenancy = one_of(request.placement->tenancy, {"default", "dedicated", "host"}, "tenancy");
  if (tenancy != "default") instance.tenancy = tenancy;
  if (request.placement->partition_number) {
    if (launch.group == nullptr) throw wire::invalid_parameter_combination("PartitionNumber needs a placement group.");
    if (*request.placement->partition_number < 1) throw wire::invalid_parameter_value("PartitionNumber is at least 1.");
    instance.partition_number = *request.placement->partition_number;
  }
}

void read_key(const state::World& world, const RunInstancesRequest& request, state::Instance& instance) {
  instance.key_name = request.key_name.value_or("");
  if (instance.key_name.empty()) return;
  const auto* key = world.find<state::KeyPair>(instance.account, instance.key_name);
  if (key == nullptr)
    throw wire::ApiError(400, "InvalidKeyPair.NotFound", fmt::format("The key pair '{}' does not exist", instance.key_name));
  instance.public_key = key->public_key;
}

}  // namespace

void choose_processors(const std::optional<std::int64_t>& cores, const std::optional<std::int64_t>& threads,
                       const domain::InstanceType& type, state::Instance& instance) {
  if (!cores || !threads) throw wire::invalid_parameter_combination("CpuOptions needs CoreCount and ThreadsPerCore together.");
  if (!type.may_have_cores(*cores))
    throw wire::invalid_parameter_value(
        fmt::format("CoreCount of {} is one of [{}], not {}.", type.name, fmt::join(type.valid_cores, ", "), *cores));
  if (*threads < 1 || *threads > type.threads_per_core)
    throw wire::invalid_parameter_value(
        fmt::format("ThreadsPerCore of {} is from 1 to {}, not {}.", type.name, type.threads_per_core, *threads));
  instance.processors = *cores * *threads;
  instance.threads_per_core = *threads;
}

void refuse(bool asked, std::string_view what) {
  if (asked) throw wire::unsupported_operation(fmt::format("{} is not supported yet.", what));
}

// Enumerations of what is not built: a value that EC2 does not know either is an ordinary error.
void check_enumerations(const RunInstancesRequest& request) {
  if (const auto& market = request.instance_market_options)
    one_of(market->market_type, {"spot", "capacity-block", "interruptible-capacity-reservation"}, "MarketType");
  if (const auto& performance = request.network_performance_options)
    one_of(performance->bandwidth_weighting, {"default", "vpc-1", "ebs-1"}, "BandwidthWeighting");
  if (const auto& reservation = request.capacity_reservation_specification)
    one_of(reservation->capacity_reservation_preference, {"open", "none", "capacity-reservations-only"}, "CapacityReservationPreference");
  if (const auto& names = request.private_dns_name_options) one_of(names->hostname_type, {"ip-name", "resource-name"}, "HostnameType");
  for (const auto& interface : request.network_interfaces)
    one_of(interface.interface_type, {"interface", "efa", "efa-only"}, "InterfaceType");
  if (request.placement) one_of(request.placement->affinity, {"default", "host"}, "Affinity");
}

// No requested option is silently ignored, except what Brume gives anyway, or what means nothing here.
void refuse_what_is_not_built(const RunInstancesRequest& request) {
  refuse(request.instance_market_options.has_value(), "InstanceMarketOptions");
  // Packer always sends an empty one.
  if (const auto& profile = request.iam_instance_profile)
    refuse(!profile->name.value_or("").empty() || !profile->arn.value_or("").empty(), "IamInstanceProfile");
  if (request.hibernation_options && request.hibernation_options->configured.value_or(false))
    throw wire::ApiError(400, "UnsupportedHibernationConfiguration", "Hibernation is not supported.");
  refuse(request.enclave_options && request.enclave_options->enabled.value_or(false), "Nitro Enclaves");
  refuse(request.enable_primary_ipv6.value_or(false), "A primary IPv6 address");
  refuse(!request.elastic_gpu_specification.empty() || !request.elastic_inference_accelerators.empty(), "An elastic accelerator");
  refuse(!request.secondary_interfaces.empty(), "SecondaryInterfaces");
  refuse(!request.license_specifications.empty(), "LicenseSpecifications");
  refuse(request.operator_.has_value(), "Operator");
  refuse(!request.additional_info.value_or("").empty(), "AdditionalInfo");
  refuse(request.network_performance_options && request.network_performance_options->bandwidth_weighting.value_or("default") != "default",
         "BandwidthWeighting");
  if (const auto& reservation = request.capacity_reservation_specification) {
    refuse(reservation->capacity_reservation_target.has_value() ||
               says(reservation->capacity_reservation_preference, "capacity-reservations-only"),
           "A capacity reservation");
  }
  refuse(request.metadata_options && request.metadata_options->http_protocol_ipv6.value_or("disabled") != "disabled", "HttpProtocolIpv6");
  if (const auto& cpu = request.cpu_options) {
    refuse(cpu->amd_sev_snp.value_or("disabled") != "disabled", "AmdSevSnp");
    refuse(cpu->nested_virtualization.value_or("disabled") != "disabled", "NestedVirtualization");
  }
  if (request.private_dns_name_options) {
    const auto& names = *request.private_dns_name_options;
    refuse(names.hostname_type.value_or("ip-name") != "ip-name" || names.enable_resource_name_dns_a_record.value_or(false) ||
               names.enable_resource_name_dns_aaaa_record.value_or(false),
           "A host name by instance id");
  }
  if (request.placement) refuse_placement(*request.placement);
  for (const auto& interface : request.network_interfaces) refuse_interface(interface);
  for (const auto& mapping : request.block_device_mappings)
    if (mapping.ebs) refuse_volume(*mapping.ebs);
}

void read_options(const state::World& world, const Context& context, const RunInstancesRequest& request, const Launch& launch,
                  state::Instance& instance) {
  read_key(world, request, instance);
  read_placement(world, request, launch, instance);
  instance.kernel_id = request.kernel_id.value_or(launch.image->kernel_id);
  instance.ramdisk_id = request.ramdisk_id.value_or(launch.image->ramdisk_id);
  find_boot_image(world, context.account(), instance.kernel_id, "kernel");
  find_boot_image(world, context.account(), instance.ramdisk_id, "ramdisk");
  instance.monitoring = request.monitoring && request.monitoring->enabled.value_or(false);
  instance.termination_protected = request.disable_api_termination.value_or(false);
  instance.stop_protected = request.disable_api_stop.value_or(false);
  instance.ebs_optimized = request.ebs_optimized.value_or(false);
  instance.terminate_on_shutdown =
      one_of(request.instance_initiated_shutdown_behavior, {"stop", "terminate"}, "instanceInitiatedShutdownBehavior") == "terminate";
  if (request.metadata_options) read_metadata_options(*request.metadata_options, instance);
  if (request.cpu_options) read_processors(*request.cpu_options, *launch.type, instance);
  read_credits(request, *launch.type, instance);
  check_enumerations(request);
  if (request.maintenance_options)
    instance.auto_recovery = one_of(request.maintenance_options->auto_recovery, {"default", "disabled"}, "AutoRecovery");
  if (const auto& reservation = request.capacity_reservation_specification)
    instance.capacity_reservation_preference = reservation->capacity_reservation_preference.value_or("open");
}

}  // namespace brume::ec2
