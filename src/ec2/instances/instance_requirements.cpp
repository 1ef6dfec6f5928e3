// GetInstanceTypesFromInstanceRequirements: which types of the catalogue have the requested attributes.
#include "ec2/instances/instance_requirements.hpp"

#include <algorithm>
#include <initializer_list>

#include "domain/instance_types.hpp"
#include "ec2/common/filters.hpp"
#include "ec2/common/paging.hpp"
#include "wire/ec2/instance_types.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using wire::ec2::InstanceRequirementsRequest;
using Names = std::vector<std::string>;

constexpr std::string_view store_kind = "hdd";
constexpr std::string_view virtualization = "hvm";

bool is_among(std::string_view one, const Names& all) { return std::find(all.begin(), all.end(), one) != all.end(); }

// Attributes that neither the catalogue nor anything else here knows: ignoring them would return types that do not match.
void refuse_what_is_not_known(const InstanceRequirementsRequest& asked) {
  const auto refuse = [](bool given, std::string_view what) {
    if (given) throw wire::unsupported_operation(fmt::format("{} is not supported: the instance types here do not say it.", what));
  };
  refuse(!asked.cpu_manufacturers.empty(), "CpuManufacturer");
  refuse(asked.baseline_ebs_bandwidth_mbps.has_value(), "BaselineEbsBandwidthMbps");
  refuse(asked.network_bandwidth_gbps.has_value(), "NetworkBandwidthGbps");
  refuse(asked.baseline_performance_factors.has_value(), "BaselinePerformanceFactors");
  refuse(asked.spot_max_price_percentage_over_lowest_price || asked.max_spot_price_as_percentage_of_optimal_on_demand_price ||
             asked.on_demand_max_price_percentage_over_lowest_price,
         "A highest price");
}

void check_each(std::string_view name, const Names& values, std::initializer_list<std::string_view> known) {
  for (const auto& value : values)
    if (std::find(known.begin(), known.end(), value) == known.end())
      throw wire::invalid_parameter_value(
          fmt::format("Value ({}) for parameter {} is invalid. It is one of [{}].", value, name, fmt::join(known, ", ")));
}

// "included", "required" or "excluded".
bool fits(std::string_view name, const std::optional<std::string>& asked, std::string_view otherwise, bool has) {
  const auto choice = asked.value_or(std::string(otherwise));
  check_each(name, {choice}, {"included", "required", "excluded"});
  return choice == "included" || (choice == "required") == has;
}

template <class Range, class Number>
bool fits(std::string_view name, const std::optional<Range>& asked, Number has) {
  if (!asked) return true;
  if ((asked->min && *asked->min < 0) || (asked->max && *asked->max < 0))
    throw wire::invalid_parameter_value(fmt::format("{} cannot be below 0.", name));
  if (asked->min && asked->max && *asked->min > *asked->max)
    throw wire::invalid_parameter_value(fmt::format("The least of {} is above its most.", name));
  return (!asked->min || has >= *asked->min) && (!asked->max || has <= *asked->max);
}

bool fits_names(const InstanceRequirementsRequest& asked, const domain::InstanceType& type) {
  const auto is_named = [&](const Names& patterns) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return matches_pattern(pattern, type.name); });
  };
  if (!asked.allowed_instance_types.empty() && !is_named(asked.allowed_instance_types)) return false;
  if (is_named(asked.excluded_instance_types)) return false;
  return asked.instance_generations.empty() || is_among(type.current_generation ? "current" : "previous", asked.instance_generations);
}

bool fits_stores(const InstanceRequirementsRequest& asked, const domain::InstanceType& type) {
  const bool has = type.storage_disks > 0;
  if (!fits("LocalStorage", asked.local_storage, "included", has)) return false;
  if (has && !asked.local_storage_types.empty() && !is_among(store_kind, asked.local_storage_types)) return false;
  return fits("TotalLocalStorageGB", asked.total_local_storage_gb, static_cast<double>(type.storage_disks * type.storage_gb_each));
}

// No type has an accelerator.
bool fits_accelerators(const InstanceRequirementsRequest& asked) {
  const bool named = !asked.accelerator_types.empty() || !asked.accelerator_names.empty() || !asked.accelerator_manufacturers.empty();
  const bool counted = fits("AcceleratorCount", asked.accelerator_count, 0);
  return fits("AcceleratorTotalMemoryMiB", asked.accelerator_total_memory_mib, 0) && counted && !named;
}

// Every part is read, whether or not an earlier one has said no, because a mistake in it is a mistake for all types.
bool fits_all(const InstanceRequirementsRequest& asked, const domain::InstanceType& type) {
  const double gib_each = static_cast<double>(type.memory_mib) / 1024 / static_cast<double>(type.processors);
  const bool parts[] = {
      fits("VCpuCount", asked.vcpu_count, type.processors),
      fits("MemoryMiB", asked.memory_mib, type.memory_mib),
      fits("MemoryGiBPerVCpu", asked.memory_gib_per_vcpu, gib_each),
      fits("NetworkInterfaceCount", asked.network_interface_count, type.interfaces),
      fits("BareMetal", asked.bare_metal, "excluded", false),
      fits("BurstablePerformance", asked.burstable_performance, "excluded", type.burstable),
      fits_names(asked, type),
      fits_stores(asked, type),
      fits_accelerators(asked),
      !asked.require_hibernate_support.value_or(false),
      !asked.require_encryption_in_transit.value_or(false),
  };
  return std::all_of(std::begin(parts), std::end(parts), [](bool part) { return part; });
}

wire::ec2::GetInstanceTypesFromInstanceRequirementsResponse types_that_fit(
    const state::World&, const Context& context, const wire::ec2::GetInstanceTypesFromInstanceRequirementsRequest& request) {
  const auto& asked = *request.instance_requirements;
  check_each("ArchitectureType", request.architecture_types, {"i386", "x86_64", "arm64", "x86_64_mac", "arm64_mac"});
  check_each("VirtualizationType", request.virtualization_types, {"hvm", "paravirtual"});
  check_each("InstanceGeneration", asked.instance_generations, {"current", "previous"});
  check_each("LocalStorageType", asked.local_storage_types, {"hdd", "ssd"});
  if (!asked.allowed_instance_types.empty() && !asked.excluded_instance_types.empty())
    throw wire::invalid_parameter_combination("AllowedInstanceType and ExcludedInstanceType cannot be used together.");
  Page page(context, "GetInstanceTypesFromInstanceRequirements", request.max_results, request.next_token, {1, 1000});
  // Every requirement is read for any type, so that an ordinary mistake is reported before what is unknown here.
  if (!domain::instance_types().empty()) fits_all(asked, domain::instance_types().front());
  refuse_what_is_not_known(asked);
  if (request.context && !request.context->empty()) throw wire::unsupported_operation("Context is not supported.");
  wire::ec2::GetInstanceTypesFromInstanceRequirementsResponse response;
  for (const auto& type : domain::instance_types()) {
    const bool runs = std::any_of(request.architecture_types.begin(), request.architecture_types.end(),
                                  [&](const auto& architecture) { return type.runs(architecture); });
    if (!fits_all(asked, type) || !runs || !is_among(virtualization, request.virtualization_types)) continue;
    if (type.name <= page.after()) continue;
    if (!page.take(type.name)) break;
    response.instance_types.emplace_back().instance_type = type.name;
  }
  response.next_token = page.next_token();
  return response;
}

}  // namespace

std::vector<service::Action> instance_requirement_actions() {
  return {service::read_action<wire::ec2::GetInstanceTypesFromInstanceRequirementsRequest>("GetInstanceTypesFromInstanceRequirements",
                                                                                           types_that_fit)};
}

}  // namespace brume::ec2
