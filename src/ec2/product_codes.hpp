// Product codes: what marks an image, and the instances launched from it, as a seller's (AMI-069 ff., INS-066 ff.). There is no register
// of sellers and customers: a code is its bearer's word, and who owns an image that bears it may ask after the instances of that image.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/action.hpp"
#include "wire/ec2/common.hpp"

namespace brume::ec2 {

inline constexpr std::string_view product_code_type = "devpay";

// Eight hex digits, the letters large: "774F4FF8" (AMI-071).
bool is_product_code(std::string_view text);

// As answers show them.
std::vector<wire::ec2::ProductCode> show_product_codes(const std::vector<std::string>& codes);

std::vector<service::Action> product_code_actions();

}  // namespace brume::ec2
