// DescribeInstanceTypes and DescribeInstanceTypeOfferings: the catalogue as clients see it. It says what guests really get.
#include <algorithm>

#include "domain/instance_types.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/filters.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/instances/instance_requirements.hpp"
#include "ec2/interfaces/ipv6_addresses.hpp"
#include "wire/ec2/instance_types.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

constexpr std::string_view ebs_encryption = "supported";

bool has_storage(const domain::InstanceType& type) { return type.storage_disks > 0; }

// Filters see a type as they see a record; it belongs to no account.
struct TypeRecord {
  const domain::InstanceType* type;
};

const FilterField<TypeRecord> type_filters[] = {
    {"auto-recovery-supported", [](const auto&, auto& out) { out.add(false); }},
    {"bare-metal", [](const auto&, auto& out) { out.add(false); }},
    {"burstable-performance-supported", [](const auto& at, auto& out) { out.add(at.record.type->burstable); }},
    {"current-generation", [](const auto& at, auto& out) { out.add(at.record.type->current_generation); }},
    {"dedicated-hosts-supported", [](const auto&, auto& out) { out.add(false); }},
    {"ebs-info.attachment-limit-type", [](const auto&, auto&) {}},
    {"ebs-info.ebs-optimized-info.baseline-bandwidth-in-mbps", [](const auto&, auto&) {}},
    {"ebs-info.ebs-optimized-info.baseline-iops", [](const auto&, auto&) {}},
    {"ebs-info.ebs-optimized-info.baseline-throughput-in-mbps", [](const auto&, auto&) {}},
    {"ebs-info.ebs-optimized-info.maximum-bandwidth-in-mbps", [](const auto&, auto&) {}},
    {"ebs-info.ebs-optimized-info.maximum-iops", [](const auto&, auto&) {}},
    {"ebs-info.ebs-optimized-info.maximum-throughput-in-mbps", [](const auto&, auto&) {}},
    {"ebs-info.ebs-optimized-support", [](const auto&, auto& out) { out.add("unsupported"); }},
    {"ebs-info.encryption-support", [](const auto&, auto& out) { out.add(ebs_encryption); }},
    {"ebs-info.maximum-ebs-attachments", [](const auto&, auto&) {}},
    {"ebs-info.nvme-support", [](const auto&, auto& out) { out.add("unsupported"); }},
    {"free-tier-eligible", [](const auto&, auto& out) { out.add(false); }},
    {"hibernation-supported", [](const auto&, auto& out) { out.add(false); }},
    {"hypervisor", [](const auto& at, auto& out) { out.add(at.record.type->hypervisor()); }},
    {"instance-storage-info.disk.count",
     [](const auto& at, auto& out) {
       if (has_storage(*at.record.type)) out.add(at.record.type->storage_disks);
     }},
    {"instance-storage-info.disk.size-in-gb",
     [](const auto& at, auto& out) {
       if (has_storage(*at.record.type)) out.add(at.record.type->storage_gb_each);
     }},
    {"instance-storage-info.disk.type",
     [](const auto& at, auto& out) {
       if (has_storage(*at.record.type)) out.add("hdd");
     }},
    {"instance-storage-info.encryption-support",
     [](const auto& at, auto& out) {
       if (has_storage(*at.record.type)) out.add("unsupported");
     }},
    {"instance-storage-info.nvme-support",
     [](const auto& at, auto& out) {
       if (has_storage(*at.record.type)) out.add("unsupported");
     }},
    {"instance-storage-info.total-size-in-gb",
     [](const auto& at, auto& out) {
       if (has_storage(*at.record.type)) out.add(at.record.type->storage_disks * at.record.type->storage_gb_each);
     }},
    {"instance-storage-supported", [](const auto& at, auto& out) { out.add(has_storage(*at.record.type)); }},
    {"instance-type", [](const auto& at, auto& out) { out.add(at.record.type->name); }},
    {"memory-info.size-in-mib", [](const auto& at, auto& out) { out.add(at.record.type->memory_mib); }},
    {"network-info.bandwidth-weightings", [](const auto&, auto&) {}},
    {"network-info.efa-info.maximum-efa-interfaces", [](const auto&, auto&) {}},
    {"network-info.efa-supported", [](const auto&, auto& out) { out.add(false); }},
    {"network-info.ena-support", [](const auto&, auto& out) { out.add("unsupported"); }},
    {"network-info.encryption-in-transit-supported", [](const auto&, auto& out) { out.add(false); }},
    {"network-info.flexible-ena-queues-support", [](const auto&, auto& out) { out.add("unsupported"); }},
    {"network-info.ipv4-addresses-per-interface", [](const auto& at, auto& out) { out.add(at.record.type->addresses_per_interface); }},
    {"network-info.ipv6-addresses-per-interface",
     [](const auto& at, auto& out) { out.add(ipv6_addresses_per_interface(at.record.type->name)); }},
    {"network-info.ipv6-supported", [](const auto& at, auto& out) { out.add(ipv6_addresses_per_interface(at.record.type->name) > 0); }},
    {"network-info.maximum-network-cards", [](const auto&, auto& out) { out.add(std::int64_t{1}); }},
    {"network-info.maximum-network-interfaces", [](const auto& at, auto& out) { out.add(at.record.type->interfaces); }},
    {"network-info.network-performance", [](const auto& at, auto& out) { out.add(at.record.type->network_performance); }},
    {"nitro-enclaves-support", [](const auto&, auto& out) { out.add("unsupported"); }},
    {"nitro-tpm-info.supported-versions", [](const auto&, auto&) {}},
    {"nitro-tpm-support", [](const auto&, auto& out) { out.add("unsupported"); }},
    {"processor-info.supported-architecture",
     [](const auto& at, auto& out) {
       for (const auto& architecture : at.record.type->architectures) out.add(architecture);
     }},
    {"processor-info.supported-features", [](const auto&, auto&) {}},
    {"processor-info.sustained-clock-speed-in-ghz", [](const auto&, auto&) {}},
    {"reboot-migration-support", [](const auto&, auto& out) { out.add("unsupported"); }},
    {"supported-boot-mode", [](const auto&, auto& out) { out.add("legacy-bios"); }},
    {"supported-root-device-type", [](const auto&, auto& out) { out.add("ebs"); }},
    {"supported-usage-class", [](const auto&, auto& out) { out.add("on-demand"); }},
    {"supported-virtualization-type", [](const auto&, auto& out) { out.add("hvm"); }},
    {"vcpu-info.default-cores", [](const auto& at, auto& out) { out.add(at.record.type->cores()); }},
    {"vcpu-info.default-threads-per-core", [](const auto& at, auto& out) { out.add(at.record.type->threads_per_core); }},
    {"vcpu-info.default-vcpus", [](const auto& at, auto& out) { out.add(at.record.type->processors); }},
    {"vcpu-info.valid-cores",
     [](const auto& at, auto& out) {
       for (const auto cores : at.record.type->valid_cores) out.add(cores);
     }},
    {"vcpu-info.valid-threads-per-core",
     [](const auto& at, auto& out) {
       for (std::int64_t threads = 1; threads <= at.record.type->threads_per_core; ++threads) out.add(threads);
     }},
};

void describe_type_network(const domain::InstanceType& type, wire::ec2::NetworkInfo& network) {
  network.network_performance = type.network_performance;
  network.maximum_network_interfaces = type.interfaces;
  network.maximum_network_cards = 1;
  network.default_network_card_index = 0;
  auto& card = network.network_cards.emplace_back();
  card.network_card_index = 0;
  card.network_performance = type.network_performance;
  card.maximum_network_interfaces = type.interfaces;
  network.ipv4_addresses_per_interface = type.addresses_per_interface;
  network.ipv6_addresses_per_interface = ipv6_addresses_per_interface(type.name);
  network.ipv6_supported = network.ipv6_addresses_per_interface > 0;
  network.ena_support = "unsupported";
  network.efa_supported = false;
  network.encryption_in_transit_supported = false;
}

void describe_storage(const domain::InstanceType& type, wire::ec2::InstanceTypeInfo& info) {
  info.instance_storage_supported = has_storage(type);
  if (!has_storage(type)) return;
  auto& storage = info.instance_storage_info.emplace();
  storage.total_size_in_gb = type.storage_disks * type.storage_gb_each;
  auto& disk = storage.disks.emplace_back();
  disk.count = type.storage_disks;
  disk.size_in_gb = type.storage_gb_each;
  disk.type = "hdd";
  storage.nvme_support = "unsupported";
  storage.encryption_support = "unsupported";
}

void describe_processors(const domain::InstanceType& type, wire::ec2::VCpuInfo& processors) {
  processors.default_vcpus = type.processors;
  processors.default_cores = type.cores();
  processors.default_threads_per_core = type.threads_per_core;
  processors.valid_cores = type.valid_cores;
  for (std::int64_t threads = 1; threads <= type.threads_per_core; ++threads) processors.valid_threads_per_core.push_back(threads);
}

wire::ec2::InstanceTypeInfo describe_types(const domain::InstanceType& type) {
  wire::ec2::InstanceTypeInfo info;
  info.instance_type = type.name;
  info.current_generation = type.current_generation;
  info.free_tier_eligible = false;
  info.supported_usage_classes = {"on-demand"};
  info.supported_root_device_types = {"ebs"};
  info.supported_virtualization_types = {"hvm"};
  info.bare_metal = false;
  info.hypervisor = std::string(type.hypervisor());
  info.processor_info.emplace().supported_architectures = type.architectures;
  describe_processors(type, info.vcpu_info.emplace());
  info.memory_info.emplace().size_in_mib = type.memory_mib;
  describe_storage(type, info);
  auto& ebs = info.ebs_info.emplace();
  ebs.ebs_optimized_support = "unsupported";
  ebs.encryption_support = std::string(ebs_encryption);
  ebs.nvme_support = "unsupported";
  describe_type_network(type, info.network_info.emplace());
  for (const auto* strategy : {"cluster", "partition", "spread"})
    if (type.takes_strategy(strategy)) {
      if (!info.placement_group_info) info.placement_group_info.emplace();
      info.placement_group_info->supported_strategies.emplace_back(strategy);
    }
  info.hibernation_supported = false;
  info.burstable_performance_supported = type.burstable;
  info.dedicated_hosts_supported = false;
  info.auto_recovery_supported = false;
  info.supported_boot_modes = {"legacy-bios"};
  info.nitro_enclaves_support = "unsupported";
  info.nitro_tpm_support = "unsupported";
  return info;
}

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

wire::ec2::DescribeInstanceTypesResponse describe_instance_types(const state::World& world, const Context& context,
                                                                 const wire::ec2::DescribeInstanceTypesRequest& request) {
  if (!request.instance_types.empty() && request.max_results)
    throw wire::invalid_parameter_combination("The parameter InstanceTypes cannot be used with the parameter MaxResults");
  if (request.instance_types.size() > 100) throw wire::invalid_parameter_value("A request names at most 100 instance types.");
  std::vector<std::string> unknown;
  for (const auto& name : request.instance_types)
    if (domain::find_instance_type(name) == nullptr) unknown.push_back(name);
  if (!unknown.empty())
    throw wire::ApiError(400, "InvalidInstanceType",
                         fmt::format("The following supplied instance types do not exist: [{}]", fmt::join(unknown, ", ")));
  const FilterSet<TypeRecord> filters(type_filters, request.filters);
  Page page(context, "DescribeInstanceTypes", request.max_results, request.next_token, {5, 100});
  wire::ec2::DescribeInstanceTypesResponse response;
  for (const auto& type : domain::instance_types()) {
    if (type.name <= page.after()) continue;
    if (!request.instance_types.empty() && !contains(request.instance_types, type.name)) continue;
    if (!filters.match(world, TypeRecord{&type}, {}, {})) continue;
    if (!page.take(type.name)) break;
    response.instance_types.push_back(describe_types(type));
  }
  response.next_token = page.next_token();
  return response;
}

struct Offering {
  std::string_view type;
  std::string location;
};

const FilterField<Offering> offering_filters[] = {
    {"instance-type", [](const auto& at, auto& out) { out.add(at.record.type); }},
    {"location", [](const auto& at, auto& out) { out.add(at.record.location); }},
};

// Every type in every zone, because all zones are the same hosts.
std::vector<std::string> locations(const state::World& world, const Context& context, const std::string& kind) {
  const auto& settings = context.services.settings;
  if (kind == "region") return {settings.region};
  std::vector<std::string> names;
  if (kind == "outpost") return names;
  if (kind != "availability-zone" && kind != "availability-zone-id")
    throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for LocationType.", kind));
  for (const auto& zone : domain::zones_of(world, context.account(), settings.zones))
    names.push_back(kind == "availability-zone" ? zone.name : zone.id);
  return names;
}

wire::ec2::DescribeInstanceTypeOfferingsResponse describe_offerings(const state::World& world, const Context& context,
                                                                    const wire::ec2::DescribeInstanceTypeOfferingsRequest& request) {
  const auto kind = request.location_type.value_or("region");
  const FilterSet<Offering> filters(offering_filters, request.filters);
  Page page(context, "DescribeInstanceTypeOfferings " + kind, request.max_results, request.next_token);
  wire::ec2::DescribeInstanceTypeOfferingsResponse response;
  for (const auto& location : locations(world, context, kind)) {
    for (const auto& type : domain::instance_types()) {
      const auto key = location + "/" + type.name;
      if (key <= page.after() || !filters.match(world, {type.name, location}, {}, {})) continue;
      if (!page.take(key)) {
        response.next_token = page.next_token();
        return response;
      }
      auto& item = response.instance_type_offerings.emplace_back();
      item.instance_type = type.name;
      item.location_type = kind;
      item.location = location;
    }
  }
  return response;
}

}  // namespace

std::vector<service::Action> instance_type_actions() {
  using namespace wire::ec2;
  std::vector<service::Action> actions = {
      service::read_action<DescribeInstanceTypesRequest>("DescribeInstanceTypes", describe_instance_types),
      service::read_action<DescribeInstanceTypeOfferingsRequest>("DescribeInstanceTypeOfferings", describe_offerings),
  };
  for (const auto& action : instance_requirement_actions()) actions.push_back(action);
  return actions;
}

}  // namespace brume::ec2
