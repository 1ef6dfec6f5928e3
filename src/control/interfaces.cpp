#include "control/interfaces.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "domain/classic.hpp"
#include "domain/elastic_ips.hpp"

namespace brume::control {
namespace {

using state::InstanceState;
using state::NetworkInterface;

// A guest that does not release a card is asked again and again, as in EC2. Each request is short, because the machine waits meanwhile.
constexpr milliseconds unplug_limit = seconds(5);
constexpr milliseconds interface_retry_pause = seconds(3);

std::string queue_key(const std::string& account, const std::string& instance_id) {
  return "instance/" + state::owned_key(account, instance_id);
}

bool is_changing(const NetworkInterface& interface) {
  return !interface.instance_id.empty() && (interface.attachment_state == state::AttachmentState::attaching ||
                                            interface.attachment_state == state::AttachmentState::detaching);
}

}  // namespace

void drop_addresses(state::Transaction& transaction, const state::Instance& instance) {
  for (const auto& id : instance.interface_ids) {
    const auto* found = transaction.find<state::NetworkInterface>(instance.account, id);
    if (found == nullptr || (found->public_ip.empty() && !domain::is_classic(*found))) continue;
    if (const auto* elastic = domain::find_elastic_ip(transaction.world(), found->public_ip)) {
      if (elastic->domain != "standard") continue;
      domain::disassociate(transaction, *elastic);
    }
    auto interface = *transaction.find<state::NetworkInterface>(instance.account, id);
    interface.public_ip.clear();
    // For EC2-Classic the private address too (NET-030): the next start brings another one.
    if (domain::is_classic(interface)) interface.private_ip.clear();
    transaction.put(std::move(interface));
  }
}

void release_interface(state::Transaction& transaction, const std::string& key) {
  const auto* found = transaction.find<state::NetworkInterface>(key);
  if (found == nullptr) return;
  auto interface = *found;
  if (interface.delete_on_termination) {
    domain::disassociate_all(transaction, interface);
    transaction.erase<state::NetworkInterface>(key);
    transaction.erase<state::TagSet>(key);
    return;
  }
  interface.instance_id.clear();
  interface.attachment_id.clear();
  interface.device_index = 0;
  transaction.put(std::move(interface));
}

InterfaceReconciler::InterfaceReconciler(state::Store& store, Engines engines, const VpcReconciler& vpcs, Wake wake)
    : store_(store), engines_(engines), vpcs_(vpcs), wake_(std::move(wake)) {}

void InterfaceReconciler::follow(const state::Commit& commit) {
  for (const auto& change : commit.changes)
    if (const auto* interface = change.now<NetworkInterface>(); interface != nullptr && is_changing(*interface))
      wake_(queue_key(interface->account, interface->instance_id), milliseconds(0));
}

void InterfaceReconciler::reconcile(const std::string& instance_key) {
  const auto world = store_.world();
  const auto* instance = world->find<state::Instance>(instance_key);
  if (instance == nullptr) return;
  const auto now = instance->state;
  // While starting or stopping, the machine gets or loses all of them; it is reconciled again afterwards.
  if (now != InstanceState::running && now != InstanceState::stopped) return;
  for (const auto& id : instance->interface_ids) {
    const auto* interface = world->find<NetworkInterface>(instance->account, id);
    if (interface == nullptr || !is_changing(*interface)) continue;
    const bool attaching = interface->attachment_state == state::AttachmentState::attaching;
    if (now == InstanceState::running)
      attaching ? plug(*instance, *interface) : unplug(*instance, *interface);
    else
      attaching ? settle_attached(*interface) : settle_detached(*interface);
  }
}

void InterfaceReconciler::plug(const state::Instance& instance, const NetworkInterface& interface) {
  // Waits for its tap; the VPC's reconciler wakes us.
  if (!vpcs_.ready(interface.id)) return;
  auto tap = engines_.network.open_tap(interface.vpc_id, interface.id);
  // In use already: plugged in before a crash that came before this was recorded, or the machine was restarted with it.
  if (!tap && tap.error().kind == ErrorKind::refused) return settle_attached(interface);
  auto plugged =
      tap ? engines_.hypervisor.attach_nic(instance.id, {interface.id, interface.mac, std::move(*tap)}) : Result<void>(fail(tap.error()));
  if (plugged) return settle_attached(interface);
  log::error("control", "cannot attach {} to {}, tried again: {}", interface.id, instance.id, plugged.error().message);
  wake_(queue_key(instance.account, instance.id), interface_retry_pause);
}

void InterfaceReconciler::unplug(const state::Instance& instance, const NetworkInterface& interface) {
  const auto done = engines_.hypervisor.detach_nic(instance.id, interface.id, interface.detach_forced, unplug_limit);
  if (done || done.error().kind == ErrorKind::not_found) return settle_detached(interface);
  log::warning("control", "{} does not release {}, asked again: {}", instance.id, interface.id, done.error().message);
  wake_(queue_key(instance.account, instance.id), interface_retry_pause);
}

void InterfaceReconciler::settle_attached(const NetworkInterface& seen) {
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<NetworkInterface>(seen.key());
    if (found == nullptr || found->attachment_id != seen.attachment_id || found->attachment_state != state::AttachmentState::attaching)
      return;
    auto interface = *found;
    interface.attachment_state = state::AttachmentState::attached;
    transaction.put(std::move(interface));
  });
}

void InterfaceReconciler::settle_detached(const NetworkInterface& seen) {
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<NetworkInterface>(seen.key());
    if (found == nullptr || found->attachment_id != seen.attachment_id) return;
    auto interface = *found;
    const auto instance_key = state::owned_key(interface.account, interface.instance_id);
    if (const auto* instance = transaction.find<state::Instance>(instance_key)) {
      auto left = *instance;
      std::erase(left.interface_ids, interface.id);
      transaction.put(std::move(left));
    }
    if (const auto* dependents = transaction.find<state::Dependents>(instance_key)) {
      auto left = *dependents;
      std::erase(left.taps, interface.id);
      transaction.put(std::move(left));
    }
    interface.instance_id.clear();
    interface.attachment_id.clear();
    interface.device_index = 0;
    interface.detach_forced = false;
    transaction.put(std::move(interface));
  });
}

}  // namespace brume::control
