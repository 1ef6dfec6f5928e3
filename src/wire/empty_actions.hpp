// The actions that describe what no account can have here, because nothing makes one: constant data out of models/empty.json.
// ec2/accounts/empty_families.cpp answers them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace brume::wire {

// How an id looks: nobody knows; the prefix, a dash and anything, 8 or 17 hex digits, or a UUID. Without a prefix there is no dash.
enum class IdForm : std::uint8_t { any, prefix, digits, uuid };

struct EmptyKind {
  std::string_view name;
  std::string_view prefix;
  IdForm form;
  std::string_view malformed;  // code for an id that is none
  std::string_view not_found;  // code for any other
  std::string_view noun;       // as in sentences: "transit gateway"
};

struct EmptyId {
  std::string_view parameter;
  std::string_view kind;  // of an EmptyKind, or of what is built: "image", "vpc"
};

struct EmptyChoice {
  std::string_view parameter;
  std::span<const std::string_view> values;
};

struct EmptyAction {
  std::string_view name;
  std::span<const EmptyId> ids;
  std::string_view filter_parameter;            // empty: it takes no filters
  std::span<const std::string_view> filters;    // besides tags; empty: any name will do
  std::span<const EmptyChoice> choices;         // parameters that have one of some values
  std::int64_t least, most;                     // of MaxResults
  std::string_view error_code, error_sentence;  // instead of an empty answer
};

std::span<const EmptyKind> empty_kinds();
std::span<const EmptyAction> empty_actions();  // sorted by name

}  // namespace brume::wire
