// The fields that a flow log's lines may have: who reads a format and who writes by it have to agree.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brume::domain {

// The names in "${srcaddr} ${dstaddr}". nullopt: it is not such a format.
std::optional<std::vector<std::string>> flow_log_fields(std::string_view format);

// The version of EC2's records that brought the field, 2 to 5; 0: its value is not known here (tcp-flags, traffic-path …).
int flow_log_field_version(std::string_view name);

}  // namespace brume::domain
