#include "wire/plain_text.hpp"

#include <algorithm>

namespace brume::wire {

size_t utf8_length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) -> unsigned { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead == 0x7F) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return follows(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!follows(1) || !follows(2)) return 0;
    const unsigned code = (lead & 0xFU) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
    const bool allowed = code >= 0x800 && (code < 0xD800 || code > 0xDFFF) && code < 0xFFFE;
    return allowed ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    const unsigned code = (lead & 7U) << 18U | (byte(1) & 0x3FU) << 12U;
    return code >= 0x10000 && code < 0x110000 ? 4 : 0;
  }
  return 0;
}

bool is_text(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const char c = bytes[at];
    const bool is_plain = (c >= ' ' && c < 127) || c == '\t' || c == '\n' || c == '\r';
    const size_t length = is_plain ? 1 : utf8_length(bytes, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

}  // namespace brume::wire
