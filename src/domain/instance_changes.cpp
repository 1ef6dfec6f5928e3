#include "domain/instance_changes.hpp"

#include <algorithm>

#include "base/random.hpp"

namespace brume::domain {
namespace {

using state::InstanceState;
using state::InstanceVerb;

// "User initiated (2011-12-05 13:00:00 GMT)"
std::string user_initiated(Time when) {
  auto text = format_iso8601(when).substr(0, 19);
  text[10] = ' ';
  return "User initiated (" + text + " GMT)";
}

void become(state::Instance& instance, InstanceState to, Time now) {
  instance.state = to;
  instance.state_since = now;
}

void give_reason(state::Instance& instance, Time asked, const char* code) {
  instance.transition_reason = user_initiated(asked);
  instance.state_reason_code = code;
  instance.state_reason_message = "Client.UserInitiatedShutdown: User initiated shutdown";
}

// False: there is nothing to change.
bool change(state::Instance& instance, InstanceVerb verb, Time asked, Time now) {
  const auto state = instance.state;
  switch (verb) {
    case InstanceVerb::terminate:
      if (state == InstanceState::shutting_down || state == InstanceState::terminated) return false;
      become(instance, InstanceState::shutting_down, now);
      give_reason(instance, asked, "Client.UserInitiatedShutdown");
      return true;
    case InstanceVerb::stop:
    case InstanceVerb::force_stop: {
      const bool force = verb == InstanceVerb::force_stop;
      if (state != InstanceState::running && !(force && state == InstanceState::stopping)) return false;
      if (state == InstanceState::running) become(instance, InstanceState::stopping, now);
      give_reason(instance, asked, force ? "Client.UserInitiatedForcedShutdown" : "Client.UserInitiatedShutdown");
      return true;
    }
    case InstanceVerb::reboot:
      if (state != InstanceState::running && state != InstanceState::pending) return false;
      ++instance.reboots_asked;
      return true;
  }
  return false;
}

void change_each(state::Transaction& transaction, const state::InstanceChange& what, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const auto* found = transaction.find<state::Instance>(what.account, what.instance_ids[i]);
    if (found == nullptr) continue;
    auto instance = *found;
    if (change(instance, what.verb, what.asked, transaction.now())) transaction.put(std::move(instance));
  }
}

}  // namespace

void change_instances(state::Transaction& transaction, const std::string& account, InstanceVerb verb, std::vector<std::string> ids) {
  state::InstanceChange what;
  what.account = account;
  what.verb = verb;
  what.asked = transaction.now();
  what.instance_ids = std::move(ids);
  if (what.instance_ids.size() <= instances_at_once) return change_each(transaction, what, what.instance_ids.size());
  what.id = make_id(transaction.random(), "change");
  transaction.then([key = what.key()](state::Transaction& next) { continue_change(next, key); });
  transaction.put(std::move(what));
}

void continue_change(state::Transaction& transaction, const std::string& key) {
  const auto* found = transaction.find<state::InstanceChange>(key);
  if (found == nullptr) return;
  auto left = *found;
  const auto count = std::min(left.instance_ids.size(), instances_at_once);
  change_each(transaction, left, count);
  left.instance_ids.erase(left.instance_ids.begin(), left.instance_ids.begin() + static_cast<std::ptrdiff_t>(count));
  if (left.instance_ids.empty()) return transaction.erase<state::InstanceChange>(key);
  transaction.put(std::move(left));
  transaction.then([key](state::Transaction& next) { continue_change(next, key); });
}

}  // namespace brume::domain
