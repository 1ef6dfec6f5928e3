// Session tokens of metadata version 2. A token is its own record: the time it ends and a MAC over that and the instance's id, so that
// nothing is stored, none can be made or prolonged without the key, and one instance's token is worth nothing to another.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace brume::guest {

inline constexpr seconds longest_token_life{21600};

// 56 characters of URL-safe base64. Ends `life` after `now`.
std::string make_token(std::string_view key, std::string_view instance_id, Time now, seconds life);

// What is left of the token's life, more than 0. nullopt: not one of ours, another instance's, or over.
std::optional<seconds> check_token(std::string_view key, std::string_view instance_id, Time now, std::string_view token);

}  // namespace brume::guest
