// Who launched, started, stopped, rebooted and terminated what: one line per request in the operator's log, at the level that is always on.
// It has the key's id, never its secret.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/action.hpp"

namespace brume::ec2 {

// For a decision that changes these instances, written when it is durable; nothing for a dry run, or when there are none.
void audit(state::Transaction& transaction, const service::Context& context, std::string_view action,
           const std::vector<std::string>& instance_ids);

}  // namespace brume::ec2
