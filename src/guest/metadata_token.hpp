// Session tokens of metadata version 2. A token consists of its expiry and a MAC over that and the instance's id. So nothing is stored,
// nobody can make or prolong one without the key, and one instance's token is worthless to another.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace brume::guest {

inline constexpr seconds longest_token_life{21600};

// 56 characters of URL-safe base64. Expires `life` after `now`.
std::string make_token(std::string_view key, std::string_view instance_id, Time now, seconds life);

// What is left of the token's life, more than 0. nullopt: not one of ours, another instance's, or expired.
std::optional<seconds> check_token(std::string_view key, std::string_view instance_id, Time now, std::string_view token);

}  // namespace brume::guest
