// Actions that describe what no account can have here: rows of models/empty.json instead of types and handlers.
#pragma once

#include "service/action.hpp"

namespace brume::ec2 {

std::vector<service::Action> empty_family_actions();

}  // namespace brume::ec2
