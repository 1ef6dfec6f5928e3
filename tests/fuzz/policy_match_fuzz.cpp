// Any pattern against any text, separated by the first line feed: the matcher agrees with a slow one that cannot be wrong, and ARNs,
// actions and variables are read without an overrun.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "policy/pattern.hpp"

using namespace brume::policy;

namespace {

class FuzzVariables final : public Variables {
 public:
  Values find(std::string_view key) const override { return key.size() % 2 == 0 ? Values(key) : Values(); }
};

std::size_t bytes_of_one(std::string_view text) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
  if (text.empty() || continues(text[0])) return 0;
  std::size_t bytes = 1;
  while (bytes < text.size() && bytes < 4 && continues(text[bytes])) ++bytes;
  return bytes;
}

// All ways at once: which places of the text can be reached after each byte of the pattern.
bool matches_slowly(std::string_view pattern, std::string_view text) {
  std::vector<bool> reached(text.size() + 1, false);
  reached[0] = true;
  for (const char c : pattern) {
    std::vector<bool> next(text.size() + 1, false);
    bool before = false;
    for (std::size_t at = 0; at <= text.size(); ++at) {
      before = before || reached[at];
      if (c == '*') {
        next[at] = before;
      } else if (reached[at]) {
        const auto bytes = c == '?' ? bytes_of_one(text.substr(at)) : static_cast<std::size_t>(at < text.size() && text[at] == c);
        if (bytes > 0) next[at + bytes] = true;
      }
    }
    reached = std::move(next);
  }
  return reached[text.size()];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto line = input.find('\n');
  if (line == std::string_view::npos) return 0;
  const auto pattern = input.substr(0, line);
  const auto text = input.substr(line + 1);
  const FuzzVariables variables;
  TextPool pool;
  const auto match = Pattern(pattern, {true, false}, pool).match(text, variables);
  if (match == Match::unknown) std::abort();
  if (size <= 400 && (match == Match::yes) != matches_slowly(pattern, text)) std::abort();
  if (Pattern(text, {false, false}, pool).match(text, variables) != Match::yes) std::abort();
  Pattern(pattern, {true, true}, pool).match(text, variables);
  Pattern(pattern, {false, true}, pool).match_ignoring_case(text, variables);
  ArnPattern(pattern, {true, true}, pool).match(split_arn(text), variables);
  if (ActionPattern("", "*", pool).matches(ActionName(text)) == false) std::abort();
  ActionPattern("ec2", pattern, pool).matches(ActionName(text));
  return 0;
}
