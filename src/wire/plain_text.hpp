// Which bytes are text: what a client may have kept, since it can be given back as it came, in XML and in JSON.
#pragma once

#include <cstddef>
#include <string_view>

namespace brume::wire {

// Bytes of the character at `at` of more than one byte (or DEL) that is valid UTF-8 and that XML 1.0 allows; 0: there is none.
size_t utf8_length(std::string_view text, size_t at);

// Valid UTF-8 without the control characters that XML 1.0 has no way to say: all below 32 but tab, line feed and carriage return.
bool is_text(std::string_view bytes);

}  // namespace brume::wire
