#include "control/instance_changes.hpp"

#include "base/log.hpp"
#include "domain/instance_changes.hpp"

namespace brume::control {

void InstanceChanges::reconcile(const std::string& key) {
  const auto* left = store_.world()->find<state::InstanceChange>(key);
  if (left == nullptr) return;
  store_.transact([&](state::Transaction& transaction) { domain::continue_change(transaction, key); });
  if (store_.world()->find<state::InstanceChange>(key) != nullptr) wake(key, look_again);
}

}  // namespace brume::control
