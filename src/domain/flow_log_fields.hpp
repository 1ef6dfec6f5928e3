// The fields that a flow log's lines may have, shared by the code that reads a format and the code that writes lines by it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brume::domain {

// The names in "${srcaddr} ${dstaddr}". nullopt: not a valid format.
std::optional<std::vector<std::string>> flow_log_fields(std::string_view format);

// The version of EC2's records that introduced the field, 2 to 5; 0: its value is not known here (tcp-flags, traffic-path …).
int flow_log_field_version(std::string_view name);

}  // namespace brume::domain
