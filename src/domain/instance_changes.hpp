// What StopInstances, RebootInstances and TerminateInstances do to instances that were checked before, also to a thousand of them without
// keeping everybody else's changes waiting.
//
// A call of many ids is one decision, and durable as one: it stores what is to be done to which instances (state::InstanceChange). The
// instances themselves follow in parts, between which other changes get their turn; the caller is answered after the last. What a crash
// interrupts is taken up at the next start (control/instance_changes.hpp). Whoever looks in between may see a part of the instances
// changed.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "state/transaction.hpp"

namespace brume::domain {

// Changed by one decision: about 2 ms of the writer's time.
constexpr size_t instances_at_once = 64;

// The account's instances with these ids, which exist. Those that the verb does not change any more by the time it is their turn (a stopped
// one that is to be stopped) stay as they are.
void change_instances(state::Transaction& transaction, const std::string& account, state::InstanceVerb verb, std::vector<std::string> ids);

// The next part of the InstanceChange with this key, and all further ones after it. Nothing if there is none.
void continue_change(state::Transaction& transaction, const std::string& key);

}  // namespace brume::domain
