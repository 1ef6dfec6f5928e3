// An account's defaults for the metadata service of instances whose launch does not mention it.
#pragma once

#include <string>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// Call for an instance that is about to be launched, before the launch's own values.
void apply_metadata_defaults(const state::World& world, state::Instance& instance);

// Forgets the account's defaults.
void erase_metadata_defaults(state::Transaction& transaction, const std::string& account);

std::vector<service::Action> metadata_default_actions();

}  // namespace brume::ec2
