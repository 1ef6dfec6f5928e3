// Product codes: what marks an image, and the instances launched from it, as a seller's (AMI-069 ff., INS-066 ff.). The operator
// says which account has signed up for which code ('brume account subscribe'); who owns an image that bears one may ask after the instances
// of that image.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/ec2/common.hpp"

namespace brume::ec2 {

inline constexpr std::string_view product_code_type = "devpay";

// Eight hex digits, the letters large: "774F4FF8" (AMI-071).
bool is_product_code(std::string_view text);

// Another's image with a code is launched by who has signed up for the code (INS-067): throws ApiError OptInRequired.
void check_subscription(const state::World& world, const service::Context& context, const state::Image& image);

// As answers show them.
std::vector<wire::ec2::ProductCode> show_product_codes(const std::vector<std::string>& codes);

std::vector<service::Action> product_code_actions();

}  // namespace brume::ec2
