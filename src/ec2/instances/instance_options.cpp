// What may be changed of an instance besides its attributes: monitoring, metadata service, placement, credits, recovery, names.
#include <algorithm>

#include "domain/instance_types.hpp"
#include "ec2/common/filters.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/instances/placement_groups.hpp"
#include "ec2/launch/launch.hpp"
#include "wire/ec2/instance_options.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::InstanceState;

void need_stopped_for_option(const state::Instance& instance) {
  if (instance.state != InstanceState::stopped)
    throw wire::ApiError(400, "IncorrectInstanceState", fmt::format("The instance '{}' is not in the 'stopped' state.", instance.id));
}

state::Instance find_alive(const state::World& world, const Context& context, const std::string& id) {
  const auto& instance = find_instance(world, context.account(), id);
  need_alive(instance);
  return instance;
}

// Monitoring -----------------------------------------------------------------------------------------------------------------------

template <class Response>
Response set_monitoring(state::Transaction& transaction, const Context& context, const std::vector<std::string>& ids, bool on) {
  Response response;
  for (const auto* found : find_instances(transaction.world(), context.account(), ids)) {
    need_alive(*found);
    auto instance = *found;
    instance.monitoring = on;
    auto& item = response.instance_monitorings.emplace_back();
    item.instance_id = instance.id;
    item.monitoring.emplace().state = on ? "enabled" : "disabled";
    transaction.put(std::move(instance));
  }
  return response;
}

wire::ec2::MonitorInstancesResponse monitor_instances(state::Transaction& transaction, const Context& context,
                                                      const wire::ec2::MonitorInstancesRequest& request) {
  return set_monitoring<wire::ec2::MonitorInstancesResponse>(transaction, context, request.instance_ids, true);
}
wire::ec2::UnmonitorInstancesResponse unmonitor_instances(state::Transaction& transaction, const Context& context,
                                                          const wire::ec2::UnmonitorInstancesRequest& request) {
  return set_monitoring<wire::ec2::UnmonitorInstancesResponse>(transaction, context, request.instance_ids, false);
}

// Metadata -------------------------------------------------------------------------------------------------------------------------

// `value`, when there is one, has to be one of two.
void choose(bool& out, const std::optional<std::string>& value, std::string_view on, std::string_view off, std::string_view name) {
  if (!value) return;
  if (*value != on && *value != off)
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter {} is invalid. It is one of [{}, {}].", *value, name, on, off));
  out = *value == on;
}

// In force at once: the metadata service reads the instance at every request.
wire::ec2::ModifyInstanceMetadataOptionsResponse modify_metadata_options(state::Transaction& transaction, const Context& context,
                                                                         const wire::ec2::ModifyInstanceMetadataOptionsRequest& request) {
  if (!request.http_tokens && !request.http_endpoint && !request.http_put_response_hop_limit && !request.http_protocol_ipv6 &&
      !request.instance_metadata_tags)
    throw wire::invalid_parameter_combination("At least one metadata option has to be specified.");
  auto instance = find_alive(transaction.world(), context, *request.instance_id);
  choose(instance.metadata_enabled, request.http_endpoint, "enabled", "disabled", "HttpEndpoint");
  choose(instance.metadata_tokens_required, request.http_tokens, "required", "optional", "HttpTokens");
  choose(instance.metadata_tags, request.instance_metadata_tags, "enabled", "disabled", "InstanceMetadataTags");
  bool ipv6 = false;
  choose(ipv6, request.http_protocol_ipv6, "enabled", "disabled", "HttpProtocolIpv6");
  if (request.http_put_response_hop_limit) instance.metadata_hop_limit = *request.http_put_response_hop_limit;
  if (instance.metadata_hop_limit < 1 || instance.metadata_hop_limit > 64)
    throw wire::invalid_parameter_value("HttpPutResponseHopLimit must be between 1 and 64.");
  // "enabled" would promise an endpoint that no guest reaches.
  if (ipv6) throw wire::unsupported_operation("HttpProtocolIpv6 is not supported: metadata is asked for by IPv4.");
  wire::ec2::ModifyInstanceMetadataOptionsResponse response;
  response.instance_id = instance.id;
  response.instance_metadata_options = describe_metadata_options(instance);
  transaction.put(std::move(instance));
  return response;
}

// Placement ------------------------------------------------------------------------------------------------------------------------

// There are no dedicated hosts: none can be named, and none be chosen.
void check_hosts(const wire::ec2::ModifyInstancePlacementRequest& request) {
  if (request.host_id && !request.host_id->empty()) {
    check_id("h", "HostID", *request.host_id);
    throw wire::id_not_found("HostID", "host", *request.host_id);
  }
  bool on_host = false;
  choose(on_host, request.affinity, "host", "default", "Affinity");
}
void refuse_hosts(const wire::ec2::ModifyInstancePlacementRequest& request) {
  if (request.host_resource_group_arn) throw wire::unsupported_operation("Host resource groups are not supported.");
  if (request.affinity == "host")
    throw wire::unsupported_operation("Affinity to a dedicated host is not supported: there are no dedicated hosts.");
  if (request.tenancy == "host") throw wire::unsupported_operation("There are no dedicated hosts to place the instance on.");
}

void change_tenancy(state::Instance& instance, const std::string& tenancy) {
  if (tenancy != "default" && tenancy != "dedicated" && tenancy != "host")
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter Tenancy is invalid.", tenancy));
  if (tenancy == instance.tenancy) return;
  if (tenancy == "default" || instance.tenancy == "default")
    throw wire::ApiError(
        400, "InvalidTenancy",
        fmt::format("The tenancy of the instance '{}' cannot be changed from {} to {}.", instance.id, instance.tenancy, tenancy));
}

// Into a group, out of it, or to another partition of the one that it is in. Whether there is room is a matter of the start.
void change_group(const state::World& world, const Context& context, const wire::ec2::ModifyInstancePlacementRequest& request,
                  state::Instance& instance) {
  const auto name = request.group_name.value_or("");
  const auto id = request.group_id.value_or("");
  const bool leaves = name.empty() && id.empty() && (request.group_name || request.group_id);
  if (request.partition_number && (leaves || (name.empty() && id.empty() && instance.placement_group.empty())))
    throw wire::invalid_parameter_combination("PartitionNumber needs a placement group.");
  if (request.partition_number && *request.partition_number < 1) throw wire::invalid_parameter_value("PartitionNumber is at least 1.");
  if (!leaves) {
    const bool stays = name.empty() && id.empty();
    const auto* group = find_placement_group(world, context.account(), stays ? instance.placement_group : name, id);
    if (group == nullptr) return;  // in none, and none is asked for
    const bool moves = group->name != instance.placement_group;
    instance.placement_group = group->name;
    instance.partition_number = request.partition_number.value_or(moves ? 0 : instance.partition_number);
    check_group_takes(world, *group, instance);
    if (instance.partition_number == 0) instance.partition_number = choose_partitions(world, *group, 0).of(0);
    return;
  }
  instance.placement_group.clear();
  instance.partition_number = 0;
}

service::Done modify_placement(state::Transaction& transaction, const Context& context,
                               const wire::ec2::ModifyInstancePlacementRequest& request) {
  if (!request.affinity && !request.host_id && !request.tenancy && !request.group_name && !request.group_id && !request.partition_number &&
      !request.host_resource_group_arn)
    throw wire::invalid_parameter_combination("At least one of affinity, host, tenancy, group and partition has to be specified.");
  auto instance = find_alive(transaction.world(), context, *request.instance_id);
  check_hosts(request);
  const bool moves = request.group_name || request.group_id || request.partition_number;
  if (moves || request.tenancy) need_stopped_for_option(instance);
  if (request.tenancy) change_tenancy(instance, *request.tenancy);
  if (moves) change_group(transaction.world(), context, request, instance);
  refuse_hosts(request);
  transaction.put(std::move(instance));
  return {};
}

// Credits --------------------------------------------------------------------------------------------------------------------------

constexpr std::string_view credits_not_supported = "InstanceCreditSpecification.NotSupported";

bool earns_credits(const state::Instance& instance) {
  const auto* type = domain::find_instance_type(instance.type);
  return type != nullptr && type->burstable;
}

wire::ApiError no_credits(const state::Instance& instance) {
  return {400, std::string(credits_not_supported),
          fmt::format("The instance '{}' of the type {} does not have CPU credits.", instance.id, instance.type)};
}

void change_credits(state::Transaction& transaction, const Context& context, const std::string& id, const std::string& credits) {
  auto instance = find_alive(transaction.world(), context, id);
  if (instance.state != InstanceState::running && instance.state != InstanceState::stopped)
    throw incorrect_instance_state(instance, "modified");
  if (!earns_credits(instance)) throw no_credits(instance);
  instance.credits_were_unlimited |= instance.cpu_credits == "unlimited";
  instance.cpu_credits = credits;
  transaction.put(std::move(instance));
}

// Each instance by itself: one that cannot be changed does not keep the others from it.
wire::ec2::ModifyInstanceCreditSpecificationResponse modify_credits(state::Transaction& transaction, const Context& context,
                                                                    const wire::ec2::ModifyInstanceCreditSpecificationRequest& request) {
  if (request.instance_credit_specifications.empty()) throw wire::missing_parameter("InstanceCreditSpecification");
  for (const auto& one : request.instance_credit_specifications) {
    if (!one.cpu_credits) throw wire::missing_parameter("InstanceCreditSpecification.CpuCredits");
    bool unlimited = false;
    choose(unlimited, one.cpu_credits, "unlimited", "standard", "CpuCredits");
  }
  wire::ec2::ModifyInstanceCreditSpecificationResponse response;
  for (const auto& one : request.instance_credit_specifications) {
    try {
      change_credits(transaction, context, *one.instance_id, *one.cpu_credits);
      response.successful_instance_credit_specifications.emplace_back().instance_id = *one.instance_id;
    } catch (const wire::ApiError& refused) {
      auto& item = response.unsuccessful_instance_credit_specifications.emplace_back();
      item.instance_id = *one.instance_id;
      item.error.emplace().code = refused.code;
      item.error->message = refused.message;
    }
  }
  return response;
}

const FilterField<state::Instance> credit_fields[] = {
    {"instance-id", [](const auto& at, auto& out) { out.add(at.record.id); }},
};

wire::ec2::DescribeInstanceCreditSpecificationsResponse describe_credits(
    const state::World& world, const Context& context, const wire::ec2::DescribeInstanceCreditSpecificationsRequest& request) {
  const FilterSet<state::Instance> filters(credit_fields, request.filters);
  wire::ec2::DescribeInstanceCreditSpecificationsResponse response;
  const auto show = [&](const state::Instance& instance) {
    auto& item = response.instance_credit_specifications.emplace_back();
    item.instance_id = instance.id;
    item.cpu_credits = instance.cpu_credits;
  };
  if (!request.instance_ids.empty()) {
    if (request.max_results || request.next_token)
      throw wire::invalid_parameter_combination("The parameter instancesSet cannot be used with the parameter maxResults");
    for (const auto* instance : find_instances(world, context.account(), request.instance_ids)) {
      if (!earns_credits(*instance)) throw no_credits(*instance);
      if (filters.match(world, *instance)) show(*instance);
    }
    return response;
  }
  // Unasked, only those that may cost more than their type: "unlimited" now or before.
  Page page(context, "DescribeInstanceCreditSpecifications", request.max_results, request.next_token);
  world.each_of<state::Instance>(
      context.account(),
      [&](const state::Instance& instance) {
        if (!earns_credits(instance) || (instance.cpu_credits != "unlimited" && !instance.credits_were_unlimited)) return true;
        if (!filters.match(world, instance)) return true;
        if (!page.take(instance.id)) return false;
        show(instance);
        return true;
      },
      page.after());
  response.next_token = page.next_token();
  return response;
}

// Recovery, names, reservations ----------------------------------------------------------------------------------------------------

wire::ec2::ModifyInstanceMaintenanceOptionsResponse modify_maintenance(state::Transaction& transaction, const Context& context,
                                                                       const wire::ec2::ModifyInstanceMaintenanceOptionsRequest& request) {
  if (!request.auto_recovery && !request.reboot_migration)
    throw wire::invalid_parameter_combination("At least one maintenance option has to be specified.");
  auto instance = find_alive(transaction.world(), context, *request.instance_id);
  bool disabled = false;
  choose(disabled, request.auto_recovery, "disabled", "default", "AutoRecovery");
  choose(disabled, request.reboot_migration, "disabled", "default", "RebootMigration");
  if (request.auto_recovery) instance.auto_recovery = *request.auto_recovery;
  if (request.reboot_migration) instance.reboot_migration = *request.reboot_migration;
  wire::ec2::ModifyInstanceMaintenanceOptionsResponse response;
  response.instance_id = instance.id;
  response.auto_recovery = instance.auto_recovery;
  response.reboot_migration = instance.reboot_migration;
  transaction.put(std::move(instance));
  return response;
}

// Guests are named after their addresses, in every subnet: what asks for that is done already, what asks for more cannot be had.
service::Done modify_private_names(state::Transaction& transaction, const Context& context,
                                   const wire::ec2::ModifyPrivateDnsNameOptionsRequest& request) {
  if (!request.private_dns_hostname_type && !request.enable_resource_name_dns_a_record && !request.enable_resource_name_dns_aaaa_record)
    throw wire::invalid_parameter_combination("At least one option of the private DNS name has to be specified.");
  const auto instance = find_alive(transaction.world(), context, *request.instance_id);
  bool by_id = false;
  choose(by_id, request.private_dns_hostname_type, "resource-name", "ip-name", "PrivateDnsHostnameType");
  if (by_id || request.enable_resource_name_dns_a_record.value_or(false) || request.enable_resource_name_dns_aaaa_record.value_or(false))
    throw wire::unsupported_operation(
        fmt::format("The instance '{}' is in a subnet of IPv4 addresses, in which host names are formed with these.", instance.id));
  return {};
}

wire::ec2::ModifyInstanceCpuOptionsResponse modify_cpu_options(state::Transaction& transaction, const Context& context,
                                                               const wire::ec2::ModifyInstanceCpuOptionsRequest& request) {
  auto instance = find_alive(transaction.world(), context, *request.instance_id);
  if (!request.core_count && !request.threads_per_core && !request.nested_virtualization)
    throw wire::invalid_parameter_combination("At least one CPU option has to be specified.");
  bool nested = false;
  choose(nested, request.nested_virtualization, "enabled", "disabled", "NestedVirtualization");
  need_stopped_for_option(instance);
  const auto* type = domain::find_instance_type(instance.type);
  if (type == nullptr) throw wire::invalid_parameter_value(fmt::format("There is no instance type '{}' any more.", instance.type));
  if (request.core_count || request.threads_per_core) choose_processors(request.core_count, request.threads_per_core, *type, instance);
  if (nested) throw wire::unsupported_operation("NestedVirtualization is not supported yet.");
  wire::ec2::ModifyInstanceCpuOptionsResponse response;
  response.instance_id = instance.id;
  response.core_count = instance.processors / instance.threads_per_core;
  response.threads_per_core = instance.threads_per_core;
  transaction.put(std::move(instance));
  return response;
}

service::Done modify_capacity_reservation(state::Transaction& transaction, const Context& context,
                                          const wire::ec2::ModifyInstanceCapacityReservationAttributesRequest& request) {
  const auto& asked = *request.capacity_reservation_specification;
  auto instance = find_alive(transaction.world(), context, *request.instance_id);
  need_stopped_for_option(instance);
  if (asked.capacity_reservation_target) {
    const auto& id = asked.capacity_reservation_target->capacity_reservation_id;
    if (!id) throw wire::unsupported_operation("Groups of capacity reservations are not supported.");
    check_id("cr", "CapacityReservationId", *id);
    throw wire::id_not_found("CapacityReservationId", "capacity reservation", *id);
  }
  if (!asked.capacity_reservation_preference)
    throw wire::missing_parameter("CapacityReservationSpecification.CapacityReservationPreference");
  const auto& preference = *asked.capacity_reservation_preference;
  if (preference == "capacity-reservations-only")
    throw wire::unsupported_operation("There are no capacity reservations: an instance that runs in one only could not be started.");
  bool open = false;
  choose(open, preference, "open", "none", "CapacityReservationPreference");
  instance.capacity_reservation_preference = preference;
  transaction.put(std::move(instance));
  return {};
}

}  // namespace

std::string default_cpu_credits(const std::string& type) { return type.starts_with("t2.") ? "standard" : "unlimited"; }

std::vector<service::Action> instance_option_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<MonitorInstancesRequest>("MonitorInstances", monitor_instances),
      service::write_action<UnmonitorInstancesRequest>("UnmonitorInstances", unmonitor_instances),
      service::write_action<ModifyInstanceMetadataOptionsRequest>("ModifyInstanceMetadataOptions", modify_metadata_options),
      service::write_action<ModifyInstancePlacementRequest>("ModifyInstancePlacement", modify_placement),
      service::write_action<ModifyInstanceCreditSpecificationRequest>("ModifyInstanceCreditSpecification", modify_credits),
      service::read_action<DescribeInstanceCreditSpecificationsRequest>("DescribeInstanceCreditSpecifications", describe_credits),
      service::write_action<ModifyInstanceMaintenanceOptionsRequest>("ModifyInstanceMaintenanceOptions", modify_maintenance),
      service::write_action<ModifyPrivateDnsNameOptionsRequest>("ModifyPrivateDnsNameOptions", modify_private_names),
      service::write_action<ModifyInstanceCpuOptionsRequest>("ModifyInstanceCpuOptions", modify_cpu_options),
      service::write_action<ModifyInstanceCapacityReservationAttributesRequest>("ModifyInstanceCapacityReservationAttributes",
                                                                                modify_capacity_reservation),
  };
}

}  // namespace brume::ec2
