// Any bytes as a public key that is imported, as a key in a file, and as base64: a key or a reason, never more than was in it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/key_material.hpp"
#include "base/text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brume;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto bytes = from_base64(text)) {
    if (from_base64(to_base64(*bytes)) != bytes) std::abort();
  }
  if (const auto key = parse_public_key(text)) {
    // What is kept of it is the same key.
    const auto again = parse_public_key(key->line);
    if (!again || again->fingerprint != key->fingerprint || again->line != key->line) std::abort();
  } else if (key.error().message.empty()) {
    std::abort();
  }
  if (const auto local = parse_local_key(text)) {
    if (local->public_key.fingerprint.empty()) std::abort();
  } else if (local.error().message.empty()) {
    std::abort();
  }
  return 0;
}
