#include "ec2/common/filters.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/api_error.hpp"

namespace brume::ec2 {

namespace {

constexpr size_t filter_limit = 50;  // of one request
constexpr size_t value_limit = 200;  // of one filter

// Length of the UTF-8 character at `at`: ? and * stand for characters, not for parts of them.
size_t character_size(std::string_view text, size_t at) {
  size_t size = 1;
  while (at + size < text.size() && (static_cast<unsigned char>(text[at + size]) & 0xC0) == 0x80) ++size;
  return size;
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view value) {
  // Two positions and one place to return to: no recursion, so that a hostile "*a*a*a*…" costs at most length times length.
  size_t p = 0;
  size_t v = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (v < value.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = v;
      continue;
    }
    if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      v += character_size(value, v);
      continue;
    }
    const size_t escape = p + 1 < pattern.size() && pattern[p] == '\\' ? 1 : 0;
    if (p < pattern.size() && pattern[p + escape] == value[v]) {
      p += 1 + escape;
      ++v;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      resume += character_size(value, resume);
      v = resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

void FilterValues::add(std::string_view value) {
  if (matched_) return;
  for (const auto& pattern : patterns_)
    if (matches_pattern(pattern, value)) matched_ = true;
}

void FilterValues::add(std::int64_t value) { add(std::string_view(std::to_string(value))); }

namespace detail {

void check_filter(const wire::ec2::Filter& filter, size_t place) {
  if (!filter.name || filter.name->empty()) throw wire::missing_parameter(fmt::format("Filter.{}.Name", place));
  if (filter.values.size() > value_limit)
    throw wire::ApiError(400, "FilterLimitExceeded", fmt::format("The filter '{}' has more than {} values", *filter.name, value_limit));
}

void check_filter_count(size_t filters) {
  if (filters > filter_limit)
    throw wire::ApiError(400, "FilterLimitExceeded", fmt::format("The request has more than {} filters", filter_limit));
}

void refuse_filter(std::string_view name) { throw wire::invalid_parameter_value(fmt::format("The filter '{}' is invalid", name)); }

bool is_tag_filter(std::string_view name) {
  return name == "tag-key" || name == "tag-value" || (name.starts_with("tag:") && name.size() > 4);
}

bool are_plain(const std::vector<std::string>& patterns) {
  return std::all_of(patterns.begin(), patterns.end(),
                     [](const auto& pattern) { return pattern.find_first_of("*?\\") == std::string::npos; });
}

bool tags_match(const state::World& world, std::string_view account, std::string_view resource_id, const wire::ec2::Filter& filter) {
  const auto* set = world.find<state::TagSet>(account, resource_id);
  if (set == nullptr) return false;
  FilterValues values(filter.values);
  const std::string_view name = *filter.name;
  for (const auto& tag : set->tags) {
    if (name == "tag-key")
      values.add(tag.name);
    else if (name == "tag-value")
      values.add(tag.value);
    else if (tag.name == name.substr(4))
      values.add(tag.value);
  }
  return values.matched();
}

}  // namespace detail
}  // namespace brume::ec2
