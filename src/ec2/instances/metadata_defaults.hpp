// What an account has chosen for the metadata service of instances whose launch says nothing of it.
#pragma once

#include <string>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// To be called for an instance that is about to be launched, before what the launch itself says of metadata.
void apply_metadata_defaults(const state::World& world, state::Instance& instance);

// What the account has chosen is forgotten.
void erase_metadata_defaults(state::Transaction& transaction, const std::string& account);

std::vector<service::Action> metadata_default_actions();

}  // namespace brume::ec2
