// Digests and keyed digests. The only header for them: OpenSSL stays inside crypto.cpp.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace brume {

// Raw bytes of a digest; reads as a std::string_view, so to_hex(sha256(text)) and to_base64(…) work.
template <size_t Size>
struct Digest {
  std::array<char, Size> bytes{};

  operator std::string_view() const { return {bytes.data(), bytes.size()}; }  // NOLINT(google-explicit-constructor): a view of itself
  friend bool operator==(const Digest&, const Digest&) = default;
};

using Md5 = Digest<16>;
using Sha1 = Digest<20>;
using Sha256 = Digest<32>;

// Threads: any; each thread keeps its own contexts. They throw std::runtime_error only if OpenSSL itself cannot work (no memory, no
// provider).
Md5 md5(std::string_view bytes);
Sha1 sha1(std::string_view bytes);
Sha256 sha256(std::string_view bytes);
Sha1 hmac_sha1(std::string_view key, std::string_view bytes);
Sha256 hmac_sha256(std::string_view key, std::string_view bytes);

// Compares in constant time, so that the time does not reveal where the first difference is. Different lengths are unequal at once.
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace brume
