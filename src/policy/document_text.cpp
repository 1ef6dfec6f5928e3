#include "policy/document_text.hpp"

#include <algorithm>

namespace brume::policy {
namespace {

bool is_json_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The end of the string that begins at `at`, behind its second quote.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at + 1, text.size());
}

TextPlace place_in(std::string_view text, std::size_t begin, std::size_t end) {
  const auto line = [&](std::size_t at) {
    return 1 + static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  };
  const auto column = [&](std::size_t at) {
    const auto newline = text.substr(0, at).rfind('\n');
    return newline == std::string_view::npos ? at + 1 : at - newline;
  };
  return {begin, end, line(begin), column(begin), line(end), column(end)};
}

}  // namespace

std::size_t counted_size(std::string_view document) {
  return static_cast<std::size_t>(std::count_if(
      document.begin(), document.end(), [](char c) { return !is_json_blank(c) && (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

// Objects at depth 2 are statements if they belong to the member Statement: its value, or an item of the list that is its value.
std::vector<TextPlace> statement_places(std::string_view document) {
  std::vector<TextPlace> places;
  std::string_view last_text;
  bool in_statement = false;
  std::size_t depth = 0;
  std::size_t list = 0;  // 1 within the list
  std::size_t begin = 0;
  for (std::size_t at = 0; at < document.size(); ++at) {
    const char c = document[at];
    if (c == '"') {
      const auto end = end_of_string(document, at);
      last_text = document.substr(at + 1, end - at - 2);
      at = end - 1;
    } else if (c == ':' && depth == 1) {
      in_statement = last_text == "Statement";
    } else if (c == '[') {
      if (depth == 1 && in_statement) list = 1;
      ++depth;
    } else if (c == '{') {
      if (in_statement && depth == 1 + list) begin = at;
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth > 0) --depth;
      if (c == '}' && in_statement && depth == 1 + list) places.push_back(place_in(document, begin, at + 1));
      if (c == ']' && depth == 1) list = 0;
    }
  }
  return places;
}

}  // namespace brume::policy
