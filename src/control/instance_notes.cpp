// What control learns of a machine and only writes down in its instance: what the guest posted, and that it stands still.
#include "base/log.hpp"
#include "control/instances.hpp"

namespace brume::control {

// Submitted and not waited for: what a guest writes, and how often, is its own affair, and the engine's thread serves all machines.
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
