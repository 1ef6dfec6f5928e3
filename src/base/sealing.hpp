// Secrets that are stored next to what they open: sealed under a key that is kept elsewhere (AES-256-GCM).
#pragma once

#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/result.hpp"

namespace brume {

constexpr size_t sealing_key_size = 32;

// Returns text (base64). Only unseal with the same key turns it back into the secret, and any change of it is detected.
std::string seal(std::string_view key, std::string_view secret, Random& random);
// `broken`: sealed with another key, or not made by seal().
Result<std::string> unseal(std::string_view key, std::string_view sealed);

}  // namespace brume
