// The installation's own secrets, each in a file of its home.
#pragma once

#include <string>

#include "base/random.hpp"
#include "base/result.hpp"

namespace brume::daemon {

// A key of 32 bytes, made at the first start: the one that signs the metadata service's tokens, the one that seals volumes' keys. `broken`
// when the file has another length: a key that was cut off protects nothing, and one made anew would leave what the old one sealed.
Result<std::string> load_key(const std::string& path, Random& random);

}  // namespace brume::daemon
