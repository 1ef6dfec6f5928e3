// Scalars in the form used on the wire.
#pragma once

#include <optional>
#include <string_view>

#include "base/time.hpp"
#include "wire/query_tree.hpp"

namespace brume::wire {

// Decimal or scientific, NaN, Infinity, -Infinity. nullopt: something else.
std::optional<double> parse_double(std::string_view text);
std::optional<Time> parse_time(std::string_view text, TimeFormat format);

// The longest spelling that either writes.
inline constexpr size_t scalar_bytes = 40;
// Write to `out`, which has room for scalar_bytes, and return the end.
char* print_double(char* out, double value);
char* print_time(char* out, Time value, TimeFormat format, bool milliseconds);

}  // namespace brume::wire
