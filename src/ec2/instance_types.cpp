#include "ec2/instance_types.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "ec2/actions.hpp"
#include "ec2/filters.hpp"
#include "ec2/instance_type_table.hpp"
#include "ec2/paging.hpp"
#include "wire/ec2/instance_types.hpp"

namespace brume::ec2 {
namespace {

std::vector<InstanceType>& catalogue() {
  static std::vector<InstanceType> types = [] {
    std::vector<InstanceType> built_in;
    if (const auto added = add_instance_types(built_in, instance_type_table); !added) throw std::logic_error(added.error().message);
    return built_in;
  }();
  return types;
}

Result<InstanceType> parse_row(std::string_view line) {
  const auto fields = split(line, '\t');
  if (fields.size() != 9)
    return fail(ErrorKind::broken, "a line of instance types has 9 fields separated by tabs: \"" + std::string(line) + "\"");
  const auto processors = parse_integer(fields[1]);
  const auto memory = parse_integer(fields[2]);
  const auto disks = parse_integer(fields[6]);
  const auto disk_size = parse_integer(fields[7]);
  if (!processors || !memory || !disks || !disk_size || *processors < 1 || *memory < 64 || *disks < 0 || *disk_size < 0)
    return fail(ErrorKind::broken, "vcpus, memory and storage are numbers: \"" + std::string(line) + "\"");
  InstanceType type;
  type.name = fields[0];
  type.processors = *processors;
  type.memory_mib = *memory;
  for (const auto architecture : split(fields[3], ',')) type.architectures.emplace_back(architecture);
  type.current_generation = fields[4] == "current";
  type.burstable = fields[5] == "yes";
  type.storage_disks = *disks;
  type.storage_gb_each = *disk_size;
  type.network_performance = fields[8];
  return type;
}

// Filters see a type as they see a record; it belongs to no account.
struct TypeRecord {
  const InstanceType* type;
};

const FilterField<TypeRecord> filter_fields[] = {
    {"instance-type", [](const auto& at, auto& out) { out.add(at.record.type->name); }},
    {"current-generation", [](const auto& at, auto& out) { out.add(at.record.type->current_generation); }},
    {"burstable-performance-supported", [](const auto& at, auto& out) { out.add(at.record.type->burstable); }},
    {"bare-metal", [](const auto&, auto& out) { out.add(false); }},
    {"hypervisor", [](const auto& at, auto& out) { out.add(at.record.type->current_generation ? "nitro" : "xen"); }},
    {"instance-storage-supported", [](const auto&, auto& out) { out.add(false); }},
    {"memory-info.size-in-mib", [](const auto& at, auto& out) { out.add(at.record.type->memory_mib); }},
    {"vcpu-info.default-vcpus", [](const auto& at, auto& out) { out.add(at.record.type->processors); }},
    {"processor-info.supported-architecture",
     [](const auto& at, auto& out) {
       for (const auto& architecture : at.record.type->architectures) out.add(architecture);
     }},
    {"supported-root-device-type", [](const auto&, auto& out) { out.add("ebs"); }},
    {"supported-usage-class", [](const auto&, auto& out) { out.add("on-demand"); }},
    {"supported-virtualization-type", [](const auto&, auto& out) { out.add("hvm"); }},
};

wire::ec2::InstanceTypeInfo describe(const InstanceType& type) {
  wire::ec2::InstanceTypeInfo info;
  info.instance_type = type.name;
  info.current_generation = type.current_generation;
  info.free_tier_eligible = false;
  info.supported_usage_classes = {"on-demand"};
  info.supported_root_device_types = {"ebs"};
  info.supported_virtualization_types = {"hvm"};
  info.bare_metal = false;
  info.hypervisor = type.current_generation ? "nitro" : "xen";
  info.processor_info.emplace().supported_architectures = type.architectures;
  auto& processors = info.vcpu_info.emplace();
  processors.default_vcpus = type.processors;
  processors.default_cores = type.processors;
  processors.default_threads_per_core = 1;
  info.memory_info.emplace().size_in_mib = type.memory_mib;
  info.instance_storage_supported = false;  // of no type, until instances are given such disks
  auto& ebs = info.ebs_info.emplace();
  ebs.ebs_optimized_support = "unsupported";
  ebs.encryption_support = "unsupported";
  ebs.nvme_support = "unsupported";
  auto& network = info.network_info.emplace();
  network.network_performance = type.network_performance;
  network.maximum_network_interfaces = 1;
  network.maximum_network_cards = 1;
  network.default_network_card_index = 0;
  network.ipv4_addresses_per_interface = 1;
  network.ipv6_addresses_per_interface = 0;
  network.ipv6_supported = false;
  network.ena_support = "unsupported";
  network.efa_supported = false;
  info.hibernation_supported = false;
  info.burstable_performance_supported = type.burstable;
  info.dedicated_hosts_supported = false;
  info.auto_recovery_supported = false;
  info.supported_boot_modes = {"legacy-bios"};
  return info;
}

wire::ec2::DescribeInstanceTypesResponse describe_instance_types(const state::World& world, const service::Context& context,
                                                                 const wire::ec2::DescribeInstanceTypesRequest& request) {
  std::vector<std::string> unknown;
  for (const auto& name : request.instance_types)
    if (find_instance_type(name) == nullptr) unknown.push_back(name);
  if (!unknown.empty())
    throw wire::ApiError(400, "InvalidInstanceType",
                         fmt::format("The following supplied instance types do not exist: [{}]", fmt::join(unknown, ", ")));
  const FilterSet<TypeRecord> filters(filter_fields, request.filters);
  Page page(context, "DescribeInstanceTypes", request.max_results, request.next_token, {5, 100});
  wire::ec2::DescribeInstanceTypesResponse response;
  for (const auto& type : instance_types()) {
    if (type.name <= page.after()) continue;
    const bool asked = request.instance_types.empty() ||
                       std::find(request.instance_types.begin(), request.instance_types.end(), type.name) != request.instance_types.end();
    if (!asked || !filters.match(world, TypeRecord{&type}, {}, {})) continue;
    if (!page.take(type.name)) break;
    response.instance_types.push_back(describe(type));
  }
  response.next_token = page.next_token();
  return response;
}

}  // namespace

bool InstanceType::runs(std::string_view architecture) const {
  return std::find(architectures.begin(), architectures.end(), architecture) != architectures.end();
}

Result<void> add_instance_types(std::vector<InstanceType>& types, std::string_view table) {
  for (const auto line : split(table, '\n')) {
    if (trim(line).empty() || line.front() == '#') continue;
    auto row = parse_row(line);
    if (!row) return fail(row.error());
    const auto at =
        std::lower_bound(types.begin(), types.end(), row->name, [](const auto& type, const auto& name) { return type.name < name; });
    if (at != types.end() && at->name == row->name)
      *at = std::move(*row);
    else
      types.insert(at, std::move(*row));
  }
  return {};
}

const std::vector<InstanceType>& instance_types() { return catalogue(); }

Result<void> set_operator_instance_types(std::string_view table) { return add_instance_types(catalogue(), table); }

const InstanceType* find_instance_type(std::string_view name) {
  const auto& types = instance_types();
  const auto at = std::lower_bound(types.begin(), types.end(), name, [](const auto& type, const auto& key) { return type.name < key; });
  return at != types.end() && at->name == name ? &*at : nullptr;
}

std::vector<service::Action> instance_type_actions() {
  return {service::read_action<wire::ec2::DescribeInstanceTypesRequest>("DescribeInstanceTypes", describe_instance_types)};
}

}  // namespace brume::ec2
