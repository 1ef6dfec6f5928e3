// The installation's own secrets, each in a file of its home.
#pragma once

#include <string>

#include "base/random.hpp"
#include "base/result.hpp"

namespace brume::daemon {

// A key of 32 bytes, made at the first start, such as the one that signs the metadata service's tokens or the one that seals volumes' keys.
// `broken` if the file has another length: a truncated key protects nothing, and a new one would not open what the old one sealed.
Result<std::string> load_key(const std::string& path, Random& random);

}  // namespace brume::daemon
