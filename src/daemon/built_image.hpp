// A starter image as its recipe left it: a folder with image.json (images/README.md) and the files that it names.
#pragma once

#include <string>

#include "base/result.hpp"
#include "service/services.hpp"

namespace brume::daemon {

// Makes it a public image of the first account. Returns its id; it becomes `available` once its disk is copied. Errors: `broken` when
// image.json is not what it should be, `invalid` with the API's sentence when EC2's rules refuse it.
Result<std::string> add_built_image(const service::Services& services, const std::string& folder);

}  // namespace brume::daemon
