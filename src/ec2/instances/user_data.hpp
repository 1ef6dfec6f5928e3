// User data, which a launch gives its instances to read (OPS-136).
#pragma once

#include <string_view>

namespace brume::ec2 {

// At most 16 KiB before base64. Throws InvalidParameterValue.
void check_user_data(std::string_view raw);

}  // namespace brume::ec2
