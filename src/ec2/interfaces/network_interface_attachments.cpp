// AttachNetworkInterface, DetachNetworkInterface (OPS-044, OPS-045, OPS-055, OPS-056). With a stopped instance the effect is immediate;
// with a running one control plugs the card, and the attachment is "attaching" or "detaching" until it has.
#include <fmt/format.h>

#include <algorithm>

#include "ec2/common/resource_ids.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/interfaces/network_interfaces.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::InstanceState;
using state::NetworkInterface;

const state::Instance& find_instance(const state::World& world, const std::string& account, const std::optional<std::string>& id) {
  if (!id || id->empty()) throw wire::missing_parameter("InstanceId");
  return *find_instances(world, account, {*id}).front();
}

bool is_running(const state::Instance& instance) { return instance.state == InstanceState::running; }

void check_state(const state::Instance& instance) {
  const auto now = instance.state;
  if (now != InstanceState::running && now != InstanceState::stopped)
    throw wire::ApiError(400, "IncorrectState",
                         fmt::format("The instance '{}' is '{}': it must be 'running' or 'stopped'.", instance.id, state::name_of(now)));
}

void check_device_index(const state::World& world, const state::Instance& instance, std::int64_t index) {
  if (index < 1 || index > 31) throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for DeviceIndex.", index));
  for (const auto& id : instance.interface_ids) {
    const auto* other = world.find<NetworkInterface>(instance.account, id);
    if (other != nullptr && other->device_index == index)
      throw wire::invalid_parameter_value(
          fmt::format("Instance '{}' already has an interface attached at device index '{}'.", instance.id, index));
  }
}

void check_fit(const NetworkInterface& interface, const state::Instance& instance) {
  if (!interface.instance_id.empty())
    throw wire::ApiError(400, "InvalidNetworkInterface.InUse", fmt::format("Interface: [{}] in use.", interface.id));
  if (interface.zone != instance.zone)
    throw wire::invalid_parameter_combination(
        "You may not attach a network interface to an instance if they are not in the same availability zone");
  if (interface.vpc_id != instance.vpc_id)
    throw wire::invalid_parameter_combination("You may not attach a network interface to an instance of another VPC");
  check_interface_count(instance.type, instance.interface_ids.size() + 1);
  check_address_count(instance.type, 1 + interface.secondary.size());
  check_ipv6_count(instance.type, interface.ipv6.size());
}

wire::ec2::AttachNetworkInterfaceResponse attach_network_interface(state::Transaction& transaction, const Context& context,
                                                                   const wire::ec2::AttachNetworkInterfaceRequest& request) {
  auto interface = find_own_interface(transaction.world(), context.account(), request.network_interface_id);
  auto instance = find_instance(transaction.world(), context.account(), request.instance_id);
  if (!request.device_index) throw wire::missing_parameter("DeviceIndex");
  check_state(instance);
  check_fit(interface, instance);
  check_device_index(transaction.world(), instance, *request.device_index);
  if (request.network_card_index.value_or(0) != 0) throw wire::invalid_parameter_value("Instances here have one network card, 0.");
  if (request.ena_srd_specification || request.ena_queue_count) throw wire::unsupported_operation("ENA options are not supported.");
  attach_to(transaction, interface, instance, *request.device_index, false);
  if (is_running(instance)) interface.attachment_state = state::AttachmentState::attaching;
  add_interface_id(transaction.world(), instance, interface);
  wire::ec2::AttachNetworkInterfaceResponse response;
  response.attachment_id = interface.attachment_id;
  response.network_card_index = 0;
  if (is_running(instance)) {
    // Recorded before it is made: control finds the tap here and makes it.
    if (const auto* found = transaction.find<state::Dependents>(instance.key())) {
      auto dependents = *found;
      dependents.taps.push_back(interface.id);
      transaction.put(std::move(dependents));
    }
  }
  transaction.put(std::move(interface));
  transaction.put(std::move(instance));
  return response;
}

// Without a machine it is detached at once.
void detach_now(state::Transaction& transaction, NetworkInterface interface) {
  if (const auto* found = transaction.find<state::Instance>(interface.account, interface.instance_id)) {
    auto instance = *found;
    std::erase(instance.interface_ids, interface.id);
    transaction.put(std::move(instance));
  }
  interface.instance_id.clear();
  interface.attachment_id.clear();
  interface.device_index = 0;
  transaction.put(std::move(interface));
}

wire::ec2::DetachNetworkInterfaceResponse detach_network_interface(state::Transaction& transaction, const Context& context,
                                                                   const wire::ec2::DetachNetworkInterfaceRequest& request) {
  const auto id = request.attachment_id.value_or("");
  if (id.empty()) throw wire::missing_parameter("AttachmentId");
  check_id("eni-attach", "NetworkInterfaceAttachmentId", id);
  const auto* found = transaction.world().find_indexed<NetworkInterface>(state::Index::interface_by_attachment, id);
  if (found == nullptr || found->account != context.account())
    throw wire::ApiError(400, "InvalidAttachmentID.NotFound", fmt::format("The attachment '{}' does not exist", id));
  auto interface = *found;
  if (interface.is_managed())
    throw wire::ApiError(400, "OperationNotPermitted",
                         fmt::format("The network interface '{}' is managed by another service.", interface.id));
  if (interface.device_index == 0)
    throw wire::ApiError(400, "OperationNotPermitted", "The network interface at device index 0 cannot be detached.");
  const auto& instance = find_instance(transaction.world(), context.account(), interface.instance_id);
  check_state(instance);
  if (!is_running(instance)) {
    detach_now(transaction, std::move(interface));
    return {};
  }
  interface.attachment_state = state::AttachmentState::detaching;
  interface.detach_forced = interface.detach_forced || request.force.value_or(false);
  transaction.put(std::move(interface));
  return {};
}

}  // namespace

std::vector<service::Action> network_interface_attachment_actions() {
  return {
      service::write_action("AttachNetworkInterface", attach_network_interface),
      service::write_action("DetachNetworkInterface", detach_network_interface),
  };
}

}  // namespace brume::ec2
