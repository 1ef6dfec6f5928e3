// Any pattern against any value (a line each): the matcher says what a table of all their parts says, and any Filter parameter is a
// FilterSet or an ApiError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "ec2/common/filters.hpp"
#include "wire/api_error.hpp"

namespace {

using namespace brume;

// A character of UTF-8 with what of it a pattern means.
struct Part {
  std::string_view text;
  char wildcard = 0;  // '*', '?', or 0: itself
};

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  for (size_t at = 0; at < text.size();) {
    size_t size = 1;
    while (at + size < text.size() && (static_cast<unsigned char>(text[at + size]) & 0xC0) == 0x80) ++size;
    out.push_back(text.substr(at, size));
    at += size;
  }
  return out;
}

std::vector<Part> parts(std::string_view pattern) {
  std::vector<Part> out;
  const auto all = characters(pattern);
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i] == "\\" && i + 1 < all.size())
      out.push_back({all[++i], 0});
    else
      out.push_back({all[i], all[i] == "*" || all[i] == "?" ? all[i].front() : '\0'});
  }
  return out;
}

bool matches_by_table(std::string_view pattern, std::string_view value) {
  const auto asked = parts(pattern);
  const auto there = characters(value);
  std::vector<std::vector<bool>> fits(asked.size() + 1, std::vector<bool>(there.size() + 1, false));
  fits[asked.size()][there.size()] = true;
  for (size_t p = asked.size(); p-- > 0;)
    for (size_t v = there.size() + 1; v-- > 0;) {
      if (asked[p].wildcard == '*')
        fits[p][v] = fits[p + 1][v] || (v < there.size() && fits[p][v + 1]);
      else
        fits[p][v] = v < there.size() && (asked[p].wildcard == '?' || asked[p].text == there[v]) && fits[p + 1][v + 1];
    }
  return fits[0][0];
}

// Bytes that are no UTF-8 have no characters to agree about.
bool is_text(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const size_t size = byte < 0x80 ? 1 : byte >> 5 == 6 ? 2 : byte >> 4 == 14 ? 3 : byte >> 3 == 30 ? 4 : 0;
    if (size == 0 || at + size > text.size()) return false;
    for (size_t i = 1; i < size; ++i)
      if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) return false;
    at += size;
  }
  return true;
}

struct Record {
  std::string account = "111122223333";
  std::string id = "x-1";
  std::string name;
};
const ec2::FilterField<Record> fields[] = {ec2::field<&Record::id>("id"), ec2::field_if_set<&Record::name>("name")};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = std::min(text.find('\n'), text.size());
  const auto pattern = text.substr(0, cut);
  const auto value = text.substr(std::min(cut + 1, text.size()));
  const bool matched = ec2::matches_pattern(pattern, value);
  if (size <= 512 && is_text(pattern) && is_text(value) && matched != matches_by_table(pattern, value)) std::abort();
  try {
    const state::World world;
    const std::vector<wire::ec2::Filter> asked = {{std::string(value), {std::string(pattern)}}, {"name", {std::string(pattern)}}};
    const std::vector<wire::ec2::Filter> second(asked.begin() + 1, asked.end());
    Record record;
    record.name = std::string(value);
    const bool by_filter = ec2::FilterSet<Record>(fields, second).match(world, record);
    if (by_filter != (matched && !value.empty())) std::abort();
    [[maybe_unused]] const bool both = ec2::FilterSet<Record>(fields, asked).match(world, record);
  } catch (const wire::ApiError&) {
  }
  return 0;
}
