// The instance identity document: what an instance is, as JSON in EC2's own layout.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "state/records.hpp"

namespace brume::guest {

std::string identity_document(const state::Instance& instance, const state::NetworkInterface& primary, std::string_view region,
                              const std::vector<std::string>& product_codes);

}  // namespace brume::guest
