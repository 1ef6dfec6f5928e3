#include "wire/files/ranges.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/text.hpp"

namespace brume::wire {
namespace {

// Digits only; a number that is too large becomes the maximum, because only its order matters.
std::optional<std::uint64_t> read_position(std::string_view text) {
  if (text.empty()) return std::nullopt;
  constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    number = number > (largest - digit) / 10 ? largest : number * 10 + digit;
  }
  return number;
}

}  // namespace

RangeChoice choose_range(std::string_view range, std::uint64_t size) {
  const RangeChoice whole{RangeChoice::Kind::whole, 0, size};
  const RangeChoice unsatisfiable{RangeChoice::Kind::unsatisfiable, 0, 0};
  const auto equals = range.find('=');
  if (equals == std::string_view::npos || !equals_ignoring_case(range.substr(0, equals), "bytes")) return whole;
  const auto spec = trim(range.substr(equals + 1));
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return whole;
  const auto first = read_position(spec.substr(0, dash));
  const auto last = read_position(spec.substr(dash + 1));
  if (dash == 0) {
    if (!last) return whole;
    const auto length = std::min(*last, size);
    return length == 0 ? unsatisfiable : RangeChoice{RangeChoice::Kind::part, size - length, length};
  }
  const bool is_open = dash + 1 == spec.size();
  if (!first || (!last && !is_open) || (last && *last < *first)) return whole;
  if (*first >= size) return unsatisfiable;
  const auto end = is_open ? size : std::min(*last, size - 1) + 1;
  return {RangeChoice::Kind::part, *first, end - *first};
}

}  // namespace brume::wire
