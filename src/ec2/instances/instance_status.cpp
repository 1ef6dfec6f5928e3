// DescribeInstanceStatus and ReportInstanceStatus: the health of instances, as far as the host can tell.
//
// A guest is "initializing" until it has run for a while. It is "impaired" while its machine is paused because a disk of the host failed or
// is full; control records that in the instance (state::Instance::impairment).
#include "wire/ec2/instance_status.hpp"
#include "base/log.hpp"
#include "ec2/common/filters.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/instances/instances.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::InstanceState;

constexpr size_t most_ids = 100;

enum class Health { ok, initializing, impaired, not_applicable };

struct StatusNames {
  const char* summary;
  const char* reachability;
};
StatusNames names_of(Health health) {
  switch (health) {
    case Health::ok: return {"ok", "passed"};
    case Health::initializing: return {"initializing", "initializing"};
    case Health::impaired: return {"impaired", "failed"};
    case Health::not_applicable: break;
  }
  return {"not-applicable", ""};
}

Health health_of(const state::Instance& instance, const service::Settings& settings, Time now) {
  if (instance.state != InstanceState::running) return Health::not_applicable;
  if (!instance.impairment.empty()) return Health::impaired;
  return now - instance.state_since < settings.status_checks_after ? Health::initializing : Health::ok;
}

struct StatusSubject {
  const state::Instance& instance;
  const service::Settings& settings;
  Health health;
};
using StatusAt = FilterSubject<StatusSubject>;
using StatusValues = FilterValues;

void no_status_values(const StatusAt&, StatusValues&) {}
void add_status(const StatusAt& at, StatusValues& out) { out.add(names_of(at.record.health).summary); }
void add_reachability(const StatusAt& at, StatusValues& out) {
  if (at.record.health != Health::not_applicable) out.add(names_of(at.record.health).reachability);
}

const FilterField<StatusSubject> status_fields[] = {
    {"attached-ebs-status.status", add_status},
    {"availability-zone", [](const StatusAt& at, StatusValues& out) { out.add(at.record.instance.zone); }},
    {"availability-zone-id",
     [](const StatusAt& at, StatusValues& out) {
       const auto& instance = at.record.instance;
       out.add(domain::zone_id_of(at.world, instance.account, at.record.settings.zones, instance.zone));
     }},
    // Nobody schedules events here: maintenance is done by the operator by hand.
    {"event.code", no_status_values},
    {"event.description", no_status_values},
    {"event.instance-event-id", no_status_values},
    {"event.not-after", no_status_values},
    {"event.not-before", no_status_values},
    {"event.not-before-deadline", no_status_values},
    {"instance-state-code", [](const StatusAt& at, StatusValues& out) { out.add(static_cast<std::int64_t>(at.record.instance.state)); }},
    {"instance-state-name", [](const StatusAt& at, StatusValues& out) { out.add(state::name_of(at.record.instance.state)); }},
    {"instance-status.reachability", add_reachability},
    {"instance-status.status", add_status},
    {"operator.managed", [](const StatusAt&, StatusValues& out) { out.add(false); }},
    {"operator.principal", no_status_values},
    {"system-status.reachability", add_reachability},
    {"system-status.status", add_status},
};

// Instance, host and disks are judged by the same sign, so all get the same status.
template <class Summary>
void describe_health(const state::Instance& instance, Health health, Summary& summary) {
  summary.status = names_of(health).summary;
  if (health == Health::not_applicable) return;
  auto& detail = summary.details.emplace_back();
  detail.name = "reachability";
  detail.status = names_of(health).reachability;
  if (health == Health::impaired) detail.impaired_since = instance.impaired_since;
}

wire::ec2::InstanceStatus describe_status(const state::World& world, const StatusSubject& subject) {
  const auto& instance = subject.instance;
  wire::ec2::InstanceStatus item;
  item.instance_id = instance.id;
  item.availability_zone = instance.zone;
  item.availability_zone_id = domain::zone_id_of(world, instance.account, subject.settings.zones, instance.zone);
  item.operator_.emplace().managed = false;
  item.instance_state = describe_state(instance.state);
  describe_health(instance, subject.health, item.instance_status.emplace());
  describe_health(instance, subject.health, item.system_status.emplace());
  describe_health(instance, subject.health, item.attached_ebs_status.emplace());
  return item;
}

wire::ec2::DescribeInstanceStatusResponse describe_instance_status(const state::World& world, const Context& context,
                                                                   const wire::ec2::DescribeInstanceStatusRequest& request) {
  const auto& settings = context.services.settings;
  const FilterSet<StatusSubject> filters(status_fields, request.filters);
  const bool all = request.include_all_instances.value_or(false);
  wire::ec2::DescribeInstanceStatusResponse response;
  const auto shown = [&](const StatusSubject& subject) {
    const auto& instance = subject.instance;
    return (all || instance.state == InstanceState::running) && filters.match(world, subject, instance.account, instance.id);
  };
  if (!request.instance_ids.empty()) {
    if (request.max_results || request.next_token)
      throw wire::invalid_parameter_combination("The parameter instancesSet cannot be used with the parameter maxResults");
    if (request.instance_ids.size() > most_ids)
      throw wire::invalid_parameter_value(fmt::format("At most {} instances can be named in one request.", most_ids));
    for (const auto* instance : find_instances(world, context.account(), request.instance_ids)) {
      const StatusSubject subject{*instance, settings, health_of(*instance, settings, context.now)};
      if (shown(subject)) response.instance_statuses.push_back(describe_status(world, subject));
    }
    return response;
  }
  Page page(context, "DescribeInstanceStatus", request.max_results, request.next_token);
  world.each_of<state::Instance>(
      context.account(),
      [&](const state::Instance& instance) {
        const StatusSubject subject{instance, settings, health_of(instance, settings, context.now)};
        if (!shown(subject)) return true;
        if (!page.take(instance.id)) return false;
        response.instance_statuses.push_back(describe_status(world, subject));
        return true;
      },
      page.after());
  response.next_token = page.next_token();
  return response;
}

const std::string_view reason_codes[] = {"instance-stuck-in-state", "unresponsive",        "not-accepting-credentials",
                                         "password-not-available",  "performance-network", "performance-instance-store",
                                         "performance-ebs-volume",  "performance-other",   "other"};

void need_known(std::string_view value, std::string_view name, std::span<const std::string_view> known) {
  if (std::find(known.begin(), known.end(), value) == known.end())
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter {} is invalid.", value, name));
}

// The user's report goes into the operator's log; as in EC2, it changes nothing in DescribeInstanceStatus.
service::Done report_instance_status(const state::World& world, const Context& context,
                                     const wire::ec2::ReportInstanceStatusRequest& request) {
  static constexpr std::string_view statuses[] = {"ok", "impaired"};
  need_known(*request.status, "status", statuses);
  if (request.reason_codes.empty()) throw wire::missing_parameter("ReasonCode");
  for (const auto& code : request.reason_codes) need_known(code, "reasonCode", reason_codes);
  if (request.start_time && request.end_time && *request.end_time < *request.start_time)
    throw wire::invalid_parameter_combination("The end time lies before the start time.");
  const auto found = find_instances(world, context.account(), request.instances);
  for (const auto* instance : found)
    if (instance->state != InstanceState::running) throw incorrect_instance_state(*instance, "reported on: it does not run");
  if (context.dry_run) return {};
  for (const auto* instance : found)
    log::warning("ec2", "account {} reports {} as {}: {} ({})", context.account(), instance->id, *request.status,
                 fmt::join(request.reason_codes, ", "), request.description.value_or("no description"));
  return {};
}

}  // namespace

std::vector<service::Action> instance_status_actions() {
  using namespace wire::ec2;
  return {
      service::read_action<DescribeInstanceStatusRequest>("DescribeInstanceStatus", describe_instance_status),
      service::read_action<ReportInstanceStatusRequest>("ReportInstanceStatus", report_instance_status),
  };
}

}  // namespace brume::ec2
