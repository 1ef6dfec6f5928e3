// Which content encodings a client accepts.
#pragma once

#include <string_view>
#include <vector>

namespace brume::wire {

// The encodings of `known` that an Accept-Encoding header accepts and prefers to no encoding, in order of preference; equal preferences
// keep the order of `known` (RFC 9110, 12.5.3).
std::vector<std::string_view> accepted_encodings(std::string_view header, const std::vector<std::string_view>& known);

}  // namespace brume::wire
