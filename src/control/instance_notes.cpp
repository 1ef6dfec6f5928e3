// What control learns about a machine and only records in its instance: what the guest posted, and that the machine is paused.
#include "base/log.hpp"
#include "control/instances.hpp"

namespace brume::control {

// Submitted without waiting: the guest decides what it writes and how often, and the engine's thread serves all machines.
void InstanceReconciler::note_password(const state::Instance& seen, const std::string& password) {
  if (seen.password_data == password) return;
  change_later(seen.key(), [password](state::Transaction& transaction, state::Instance& instance) {
    instance.password_data = password;
    instance.password_posted = transaction.now();
  });
}

void InstanceReconciler::note_impairment(const state::Instance& seen, const std::string& why) {
  if (seen.impairment == why) return;
  change_later(seen.key(), [why](state::Transaction& transaction, state::Instance& instance) {
    if (instance.impairment.empty() != why.empty()) instance.impaired_since = why.empty() ? Time{} : transaction.now();
    instance.impairment = why;
  });
}

// Logged once, because retries may go on for long.
void InstanceReconciler::note_obstacle(const state::Instance& instance, const std::string& what) {
  bool is_new = false;
  note(instance.id, [&](Progress& p) { is_new = std::exchange(p.obstacle, what) != what; });
  if (is_new) log::error("control", "{} cannot go on, tried again: {}", instance.id, what);
}

std::string InstanceReconciler::obstacle(const state::Instance& instance) const {
  if (instance.state != state::InstanceState::pending) return progress(instance.id).obstacle;
  for (const auto& id : instance.interface_ids) {
    if (vpcs_.ready(id)) continue;
    const auto why = vpcs_.failure(id);
    return "its network interface " + id + (why.empty() ? " is not made" : " cannot be made: " + why);
  }
  return "its machine does not start";
}

void InstanceReconciler::change_later(const std::string& key, std::function<void(state::Transaction&, state::Instance&)> change) {
  const auto decide = [key, change = std::move(change)](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Instance>(key);
    if (found == nullptr) return;
    auto instance = *found;
    change(transaction, instance);
    transaction.put(std::move(instance));
  };
  try {
    store_.submit(decide, [](std::exception_ptr) {});
  } catch (const state::Overloaded&) {
    log::warning("control", "what {} reported is lost: too many changes wait", key);
  }
}

}  // namespace brume::control
