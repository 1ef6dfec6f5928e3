// What a client says that it can decode.
#pragma once

#include <string_view>
#include <vector>

namespace brume::wire {

// The encodings of `known` that an Accept-Encoding header accepts and prefers to none at all, most wanted first; of those that are
// wanted alike, the first of `known` is first (RFC 9110, 12.5.3).
std::vector<std::string_view> accepted_encodings(std::string_view header, const std::vector<std::string_view>& known);

}  // namespace brume::wire
