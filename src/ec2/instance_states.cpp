// StartInstances, StopInstances, RebootInstances, TerminateInstances (INS-039 ff.): all of the instances named, or none.
#include "base/text.hpp"
#include "ec2/instances.hpp"
#include "ec2/network.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::InstanceState;

wire::ec2::InstanceStateChange show_change(const state::Instance& instance, InstanceState before) {
  wire::ec2::InstanceStateChange change;
  change.instance_id = instance.id;
  change.current_state = describe_state(instance.current_state());
  change.previous_state = describe_state(before);
  return change;
}

wire::ApiError incorrect_state(const state::Instance& instance) {
  return {400, "IncorrectInstanceState",
          fmt::format("The instance '{}' is not in a state from which it can be {}.", instance.id,
                      instance.current_state() == InstanceState::terminated ? "used: it is terminated" : "changed as asked")};
}

// "User initiated (2011-12-05 13:00:00 GMT)"
std::string user_initiated(Time now) {
  auto text = format_iso8601(now).substr(0, 19);
  text[10] = ' ';
  return "User initiated (" + text + " GMT)";
}

void become(state::Transaction& transaction, state::Instance& instance, InstanceState to) {
  instance.state = static_cast<std::int64_t>(to);
  instance.state_since = transaction.now();
}

void start_one(state::Transaction& transaction, state::Instance& instance) {
  become(transaction, instance, InstanceState::pending);
  instance.launched = transaction.now();
  instance.transition_reason.clear();
  instance.state_reason_code.clear();
  instance.state_reason_message.clear();
  for (const auto& id : instance.interface_ids) {
    const auto* found = transaction.find<state::NetworkInterface>(instance.account, id);
    const auto* subnet = found == nullptr ? nullptr : transaction.find<state::Subnet>(instance.account, found->subnet_id);
    if (subnet == nullptr || !subnet->gives_public_address || !found->public_ip.empty()) continue;
    auto interface = *found;
    interface.public_ip = take_public_address(transaction);
    transaction.put(std::move(interface));
  }
  put_dependents(transaction, instance);
}

wire::ec2::StartInstancesResponse start_instances(state::Transaction& transaction, const Context& context,
                                                  const wire::ec2::StartInstancesRequest& request) {
  wire::ec2::StartInstancesResponse response;
  auto room = room_for_instances(transaction.world(), context).to_run;
  for (const auto* found : find_instances(transaction.world(), context.account(), request.instance_ids)) {
    auto instance = *found;
    const auto before = instance.current_state();
    if (before != InstanceState::stopped && before != InstanceState::pending && before != InstanceState::running)
      throw incorrect_state(instance);
    if (before == InstanceState::stopped) {
      if (--room < 0) throw instance_limit_exceeded(context, static_cast<std::int64_t>(request.instance_ids.size()));
      start_one(transaction, instance);
    }
    response.starting_instances.push_back(show_change(instance, before));
    if (before == InstanceState::stopped) transaction.put(std::move(instance));
  }
  return response;
}

wire::ec2::StopInstancesResponse stop_instances(state::Transaction& transaction, const Context& context,
                                                const wire::ec2::StopInstancesRequest& request) {
  if (request.hibernate.value_or(false))
    throw wire::ApiError(400, "UnsupportedHibernationConfiguration",
                         "The instances were not launched with hibernation, which is not supported.");
  const bool force = request.force.value_or(false) || request.skip_os_shutdown.value_or(false);
  wire::ec2::StopInstancesResponse response;
  for (const auto* found : find_instances(transaction.world(), context.account(), request.instance_ids)) {
    auto instance = *found;
    const auto before = instance.current_state();
    if (before == InstanceState::terminated || before == InstanceState::shutting_down || before == InstanceState::pending)
      throw incorrect_state(instance);
    if (instance.stop_protected)
      throw wire::ApiError(
          400, "OperationNotPermitted",
          fmt::format("The instance '{}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.", instance.id));
    if (before == InstanceState::running || (before == InstanceState::stopping && force)) {
      if (before == InstanceState::running) become(transaction, instance, InstanceState::stopping);
      instance.transition_reason = user_initiated(transaction.now());
      instance.state_reason_code = force ? "Client.UserInitiatedForcedShutdown" : "Client.UserInitiatedShutdown";
      instance.state_reason_message = "Client.UserInitiatedShutdown: User initiated shutdown";
    }
    response.stopping_instances.push_back(show_change(instance, before));
    transaction.put(std::move(instance));
  }
  return response;
}

wire::ec2::TerminateInstancesResponse terminate_instances(state::Transaction& transaction, const Context& context,
                                                          const wire::ec2::TerminateInstancesRequest& request) {
  wire::ec2::TerminateInstancesResponse response;
  for (const auto* found : find_instances(transaction.world(), context.account(), request.instance_ids)) {
    auto instance = *found;
    const auto before = instance.current_state();
    if (instance.termination_protected)
      throw wire::ApiError(
          400, "OperationNotPermitted",
          fmt::format("The instance '{}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.",
                      instance.id));
    if (before != InstanceState::terminated && before != InstanceState::shutting_down) {
      become(transaction, instance, InstanceState::shutting_down);
      instance.transition_reason = user_initiated(transaction.now());
      instance.state_reason_code = "Client.UserInitiatedShutdown";
      instance.state_reason_message = "Client.UserInitiatedShutdown: User initiated shutdown";
    }
    response.terminating_instances.push_back(show_change(instance, before));
    transaction.put(std::move(instance));
  }
  return response;
}

service::Done reboot_instances(state::Transaction& transaction, const Context& context, const wire::ec2::RebootInstancesRequest& request) {
  for (const auto* found : find_instances(transaction.world(), context.account(), request.instance_ids)) {
    auto instance = *found;
    if (instance.current_state() != InstanceState::running && instance.current_state() != InstanceState::pending)
      throw incorrect_state(instance);
    ++instance.reboots_asked;
    transaction.put(std::move(instance));
  }
  return {};
}

constexpr size_t console_limit = 64 * 1024;  // of GetConsoleOutput

wire::ec2::GetConsoleOutputResponse get_console_output(const Context& context, const wire::ec2::GetConsoleOutputRequest& request) {
  const auto world = context.services.store.world();
  const auto* instance = find_instances(*world, context.account(), {*request.instance_id}).front();
  wire::ec2::GetConsoleOutputResponse response;
  response.instance_id = instance->id;
  const auto console = context.services.console(instance->id, console_limit);
  response.timestamp = console ? console->written : instance->launched;
  response.output = to_base64(console ? console->text : std::string());
  return response;
}

}  // namespace

std::vector<service::Action> instance_state_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<StartInstancesRequest>("StartInstances", start_instances),
      service::write_action<StopInstancesRequest>("StopInstances", stop_instances),
      service::write_action<RebootInstancesRequest>("RebootInstances", reboot_instances),
      service::write_action<TerminateInstancesRequest>("TerminateInstances", terminate_instances),
      service::work_action<GetConsoleOutputRequest>("GetConsoleOutput", get_console_output),
  };
}

}  // namespace brume::ec2
