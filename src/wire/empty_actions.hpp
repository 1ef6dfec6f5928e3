// The actions that describe what no account can have here, because nothing makes one: constant data out of models/empty.json.
// ec2/accounts/empty_families.cpp answers them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace brume::wire {

// The form of an id: unknown; the prefix, a dash and anything, 8 or 17 hex digits, or a UUID. Without a prefix there is no dash.
enum class IdForm : std::uint8_t { any, prefix, digits, uuid };

struct EmptyKind {
  std::string_view name;
  std::string_view prefix;
  IdForm form;
  std::string_view malformed;  // code for a malformed id
  std::string_view not_found;  // code for any other id
  std::string_view noun;       // as in sentences: "transit gateway"
};

struct EmptyId {
  std::string_view parameter;
  std::string_view kind;  // of an EmptyKind, or of a kind that is built: "image", "vpc"
};

struct EmptyChoice {
  std::string_view parameter;
  std::span<const std::string_view> values;
};

struct EmptyAction {
  std::string_view name;
  std::span<const EmptyId> ids;
  std::string_view filter_parameter;            // empty: it takes no filters
  std::span<const std::string_view> filters;    // besides tags; empty: any name is accepted
  std::span<const EmptyChoice> choices;         // parameters with a fixed set of values
  std::int64_t least, most;                     // limits of MaxResults
  std::string_view error_code, error_sentence;  // error instead of an empty answer
};

std::span<const EmptyKind> empty_kinds();
std::span<const EmptyAction> empty_actions();  // sorted by name

}  // namespace brume::wire
