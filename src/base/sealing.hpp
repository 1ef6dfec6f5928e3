// Secrets that are kept beside what they open: sealed under a key that is kept elsewhere (AES-256-GCM).
#pragma once

#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/result.hpp"

namespace brume {

constexpr size_t sealing_key_size = 32;

// Text (base64) that only unseal with the same key makes the secret of again, and that cannot be changed unnoticed.
std::string seal(std::string_view key, std::string_view secret, Random& random);
// `broken`: another key, or not what seal made.
Result<std::string> unseal(std::string_view key, std::string_view sealed);

}  // namespace brume
