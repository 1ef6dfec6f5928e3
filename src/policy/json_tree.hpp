// A policy document's JSON as a tree of texts. Names keep their order, numbers their spelling; a name that is given twice is an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brume::policy {

enum class JsonKind : std::uint8_t { object, list, text, number, boolean, null };

struct JsonNode {
  JsonKind kind = JsonKind::null;
  std::string text;                // of a text, a number or a boolean, as written
  std::vector<std::string> names;  // an object's, one for each of items
  std::vector<JsonNode> items;     // of an object or a list

  // nullptr: this is no object, or has no such member.
  const JsonNode* member(std::string_view name) const;
};

// RFC 8259, UTF-8 only. nullopt: not JSON, nested deeper than `depth`, or an object has the same name twice.
// Memory: at most about 150 bytes for each byte of `text`, so the caller limits the text first.
std::optional<JsonNode> read_json_tree(std::string_view text, std::size_t depth);

}  // namespace brume::policy
