// StartInstances, StopInstances, RebootInstances, TerminateInstances (INS-039 ff.): all of the named instances, or none.
#include <algorithm>
#include <set>

#include "domain/classic.hpp"
#include "domain/instance_changes.hpp"
#include "ec2/common/audit.hpp"
#include "ec2/common/free_addresses.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/launch/capacity.hpp"
#include "ec2/storage/volume_rules.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::InstanceState;

wire::ec2::InstanceStateChange show_change(const state::Instance& instance, InstanceState before, InstanceState now) {
  wire::ec2::InstanceStateChange change;
  change.instance_id = instance.id;
  change.current_state = describe_state(now);
  change.previous_state = describe_state(before);
  return change;
}

void start_one(state::Transaction& transaction, state::Instance& instance) {
  instance.state = InstanceState::pending;
  instance.state_since = transaction.now();
  instance.launched = transaction.now();
  instance.transition_reason.clear();
  instance.state_reason_code.clear();
  instance.state_reason_message.clear();
  for (const auto& id : instance.interface_ids) {
    const auto* found = transaction.find<state::NetworkInterface>(instance.account, id);
    if (found == nullptr || !found->wants_public_address || !found->public_ip.empty()) continue;
    auto interface = *found;
    // In EC2-Classic both are new (NET-030).
    if (domain::is_classic(interface))
      interface.private_ip = take_private_address(transaction, *domain::find_classic_subnet(transaction.world()));
    interface.public_ip = take_public_address(transaction);
    transaction.put(std::move(interface));
  }
  put_dependents(transaction, instance);
}

// Without its root it could not boot (STO-134): somebody detached it, or put it back under another name.
void need_root_volume(const state::World& world, const state::Instance& instance) {
  const bool has_root = std::any_of(instance.volume_ids.begin(), instance.volume_ids.end(), [&](const std::string& id) {
    const auto* volume = world.find<state::Volume>(instance.account, id);
    const auto* attachment = volume == nullptr ? nullptr : volume->attachment_to(instance.id);
    return attachment != nullptr && is_same_device(attachment->device, instance.root_device_name);
  });
  if (has_root) return;
  throw wire::invalid_parameter_value(fmt::format(
      "Invalid value '{}' for instanceId. Instance does not have a volume attached at root ({})", instance.id, instance.root_device_name));
}

wire::ec2::StartInstancesResponse start_instances(state::Transaction& transaction, const Context& context,
                                                  const wire::ec2::StartInstancesRequest& request) {
  wire::ec2::StartInstancesResponse response;
  std::vector<std::string> changed;
  for (const auto* found : find_instances(transaction.world(), context.account(), request.instance_ids)) {
    auto instance = *found;
    const auto before = instance.state;
    if (before != InstanceState::stopped && before != InstanceState::pending && before != InstanceState::running)
      throw incorrect_instance_state(instance, "started");
    if (before == InstanceState::stopped) {
      need_root_volume(transaction.world(), instance);
      check_room_to_start(transaction.world(), context, instance, request.instance_ids.size());
      start_one(transaction, instance);
      changed.push_back(instance.id);
    }
    response.starting_instances.push_back(show_change(instance, before, instance.state));
    if (before == InstanceState::stopped) transaction.put(std::move(instance));
  }
  audit(transaction, context, "StartInstances", changed);
  return response;
}

wire::ec2::StopInstancesResponse stop_instances(state::Transaction& transaction, const Context& context,
                                                const wire::ec2::StopInstancesRequest& request) {
  const bool force = request.force.value_or(false) || request.skip_os_shutdown.value_or(false);
  wire::ec2::StopInstancesResponse response;
  std::vector<std::string> changed;
  for (const auto* instance : find_instances(transaction.world(), context.account(), request.instance_ids)) {
    const auto before = instance->state;
    if (before == InstanceState::terminated || before == InstanceState::shutting_down || before == InstanceState::pending)
      throw incorrect_instance_state(*instance, "stopped");
    if (instance->stop_protected)
      throw wire::ApiError(
          400, "OperationNotPermitted",
          fmt::format("The instance '{}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.", instance->id));
    if (before == InstanceState::running || (before == InstanceState::stopping && force)) changed.push_back(instance->id);
    response.stopping_instances.push_back(
        show_change(*instance, before, before == InstanceState::running ? InstanceState::stopping : before));
  }
  if (request.hibernate.value_or(false))
    throw wire::ApiError(400, "UnsupportedHibernationConfiguration",
                         "The instances were not launched with hibernation, which is not supported.");
  audit(transaction, context, "StopInstances", changed);
  domain::change_instances(transaction, context.account(), force ? state::InstanceVerb::force_stop : state::InstanceVerb::stop,
                           std::move(changed));
  return response;
}

// Instances that may be terminated are, even if others are refused: zones without a protected instance proceed (EC2's rule). So the refusal
// is thrown when the answer is written, after the change was made.
struct Terminated {
  wire::ec2::TerminateInstancesResponse answer;
  std::optional<wire::ApiError> refusal;

  const wire::ec2::TerminateInstancesResponse& answer_or_throw() const {
    if (refusal) throw wire::ApiError(*refusal);
    return answer;
  }
};

void write(wire::XmlWriter& out, const Terminated& terminated) { wire::ec2::write(out, terminated.answer_or_throw()); }

// Protection against stopping also protects against termination.
std::optional<wire::ApiError> termination_refusal(const state::Instance& instance) {
  if (instance.state == InstanceState::terminated || (!instance.termination_protected && !instance.stop_protected)) return std::nullopt;
  return wire::ApiError(400, "OperationNotPermitted",
                        fmt::format("The instance '{}' may not be terminated. Modify its '{}' instance attribute and try again.",
                                    instance.id, instance.termination_protected ? "disableApiTermination" : "disableApiStop"));
}

Terminated terminate_instances(state::Transaction& transaction, const Context& context,
                               const wire::ec2::TerminateInstancesRequest& request) {
  const auto asked = find_instances(transaction.world(), context.account(), request.instance_ids);
  Terminated terminated;
  std::set<std::string_view> spared_zones;
  std::vector<std::string> changed;
  for (const auto* instance : asked) {
    auto refusal = termination_refusal(*instance);
    if (!refusal) continue;
    if (context.dry_run) throw *refusal;
    spared_zones.insert(instance->zone);
    if (!terminated.refusal) terminated.refusal = std::move(refusal);
  }
  for (const auto* instance : asked) {
    if (spared_zones.contains(instance->zone)) continue;
    const auto before = instance->state;
    const bool is_over = before == InstanceState::terminated || before == InstanceState::shutting_down;
    if (!is_over) changed.push_back(instance->id);
    terminated.answer.terminating_instances.push_back(show_change(*instance, before, is_over ? before : InstanceState::shutting_down));
  }
  audit(transaction, context, "TerminateInstances", changed);
  domain::change_instances(transaction, context.account(), state::InstanceVerb::terminate, std::move(changed));
  return terminated;
}

service::Done reboot_instances(state::Transaction& transaction, const Context& context, const wire::ec2::RebootInstancesRequest& request) {
  std::vector<std::string> changed;
  for (const auto* instance : find_instances(transaction.world(), context.account(), request.instance_ids)) {
    if (instance->state != InstanceState::running && instance->state != InstanceState::pending)
      throw incorrect_instance_state(*instance, "rebooted");
    changed.push_back(instance->id);
  }
  audit(transaction, context, "RebootInstances", changed);
  domain::change_instances(transaction, context.account(), state::InstanceVerb::reboot, std::move(changed));
  return {};
}

}  // namespace

std::vector<service::Action> instance_state_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<StartInstancesRequest>("StartInstances", start_instances),
      service::write_action<StopInstancesRequest>("StopInstances", stop_instances),
      service::write_action<RebootInstancesRequest>("RebootInstances", reboot_instances),
      service::write_action<TerminateInstancesRequest>("TerminateInstances", terminate_instances),
  };
}

}  // namespace brume::ec2
