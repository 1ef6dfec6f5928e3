// Prefix lists, as routes and rules of groups count them.
#pragma once

#include <cstdint>
#include <string>

#include "state/store.hpp"

namespace brume::ec2 {

// How many routes or rules one that names the list counts for: as many as the list may get entries. 1 for what names no list.
std::int64_t weight_of(const state::World& world, const std::string& account, const std::string& prefix_list_id);

}  // namespace brume::ec2
