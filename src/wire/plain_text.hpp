// Which bytes are text that a client may store, because it can be returned unchanged in XML and in JSON.
#pragma once

#include <cstddef>
#include <string_view>

namespace brume::wire {

// Length of the character at `at` if it has several bytes (or is DEL), is valid UTF-8 and is allowed by XML 1.0; else 0.
size_t utf8_length(std::string_view text, size_t at);

// Valid UTF-8 without the control characters that XML 1.0 cannot express: all below 32 except tab, line feed and carriage return.
bool is_text(std::string_view bytes);

}  // namespace brume::wire
