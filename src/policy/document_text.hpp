// What is asked of a document's text, beside its meaning: its size as quotas count it, and where its statements stand.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace brume::policy {

// Characters that a quota counts: without white space. UTF-8; a character counts once however many bytes it has.
std::size_t counted_size(std::string_view document);

struct TextPlace {
  std::size_t begin = 0;  // bytes from the front
  std::size_t end = 0;
  std::size_t begin_line = 1, begin_column = 1;  // as the simulation actions have them: both from 1, columns in bytes
  std::size_t end_line = 1, end_column = 1;
};
// One for each statement, in order. For documents that parse_policy took; of others the result means nothing.
std::vector<TextPlace> statement_places(std::string_view document);

}  // namespace brume::policy
