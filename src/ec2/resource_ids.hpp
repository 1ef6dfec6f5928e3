// Ids as clients write them, and the errors for those that are not right.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/api_error.hpp"

namespace brume::ec2 {

// prefix, dash, 8 or 17 hex digits (both lengths are accepted, 17 are made).
bool is_well_formed_id(std::string_view prefix, std::string_view id);

// Throws Invalid<code_noun>.Malformed unless the id is well formed. ("i", "InstanceID", "i-…")
void check_id(std::string_view prefix, std::string_view code_noun, std::string_view id);

// "instance" for "i-…", "security-group" for "sg-…" …; empty when no kind of resource has such ids.
std::string_view resource_type_of(std::string_view id);

// "The instance IDs 'i-1, i-2' do not exist" or the singular form.
wire::ApiError ids_not_found(std::string_view code_noun, std::string_view noun, const std::vector<std::string>& ids);

}  // namespace brume::ec2
