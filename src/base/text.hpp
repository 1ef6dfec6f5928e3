// Small text codecs that several layers need.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brume {

std::string to_hex(std::string_view bytes);
std::string to_base64(std::string_view bytes);
// Accepts white space between the characters and missing padding. nullopt: not base64.
std::optional<std::string> from_base64(std::string_view text);

// RFC 3986: everything except A-Z a-z 0-9 - _ . ~ becomes %XY in upper case.
void append_percent_encoded(std::string& out, std::string_view text);
std::string percent_encode(std::string_view text);

std::string to_lower(std::string_view text);
std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
bool equals_ignoring_case(std::string_view a, std::string_view b);

// The whole text as a decimal number. nullopt: something else, or out of range.
std::optional<std::int64_t> parse_integer(std::string_view text);

}  // namespace brume
