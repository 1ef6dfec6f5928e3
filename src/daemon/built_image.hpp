// A starter image as its recipe left it: a folder with image.json (images/README.md) and the files named there.
#pragma once

#include <string>

#include "base/result.hpp"
#include "service/services.hpp"

namespace brume::daemon {

// Registers it as a public image of the first account. Returns its id; it becomes `available` once its disk is copied. Errors: `broken` if
// image.json has another form, `invalid` with the API's sentence if EC2's rules refuse it.
Result<std::string> add_built_image(const service::Services& services, const std::string& folder);

}  // namespace brume::daemon
