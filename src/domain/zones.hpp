// Availability zones as an account sees them: each account has its own letters for the same zones, so that not everybody's first choice is
// the same zone. A zone's id is the same for all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "state/world.hpp"

namespace brume::domain {

struct Zone {
  std::string name;  // "us-east-1a"
  std::string id;    // "use1-az1"
};

// Letters for a new account, in the order of the zones' ids.
std::string make_zone_letters(Random& random, size_t zones);

// The installation's zones with the account's names, sorted by name.
std::vector<Zone> zones_of(const state::World& world, std::string_view account, const std::vector<Zone>& zones);
// The id of the zone that the account calls so; empty: it has none with that name.
std::string zone_id_of(const state::World& world, std::string_view account, const std::vector<Zone>& zones, std::string_view name);

}  // namespace brume::domain
