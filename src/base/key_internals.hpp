// What key_material.cpp and key_parsing.cpp share: how SSH writes numbers and text. For no other file.
#pragma once

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <array>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/key_material.hpp"
#include "base/openssl.hpp"

namespace brume::keys {

using openssl::Bytes;
using openssl::Certificate;
using openssl::Key;
using openssl::KeyContext;
using openssl::Number;
using openssl::Release;
using PrivateInfo = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Release<PKCS8_PRIV_KEY_INFO_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Release<OSSL_PARAM_free>>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, Release<OSSL_PARAM_BLD_free>>;

inline constexpr std::string_view rsa_name = "ssh-rsa";
inline constexpr std::string_view ed25519_name = "ssh-ed25519";

inline void must(bool done, const char* what) {
  if (!done) throw std::runtime_error(fmt::format("OpenSSL cannot {}", what));
}

inline const unsigned char* raw(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

// ----- RFC 4251: how SSH writes numbers and text

inline std::array<char, 4> big_endian(std::uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16), static_cast<char>(number >> 8), static_cast<char>(number)};
}

template <class Out>
void put_number(Out& out, size_t number) {
  const auto bytes = big_endian(static_cast<std::uint32_t>(number));
  out.append(std::string_view(bytes.data(), bytes.size()));
}

template <class Out>
void put_text(Out& out, std::string_view text) {
  put_number(out, text.size());
  out.append(text);
}

// A non-negative multiple precision integer: no superfluous zeros, but a zero byte before a set highest bit.
template <class Out>
void put_mpint(Out& out, const BIGNUM& number) {
  const auto size = static_cast<size_t>(BN_num_bytes(&number));
  const bool high = BN_num_bits(&number) > 0 && BN_num_bits(&number) % 8 == 0;
  std::array<unsigned char, 2048> room{};
  must(size <= room.size(), "hold so long a number");
  BN_bn2bin(&number, room.data());
  put_number(out, size + (high ? 1 : 0));
  if (high) out.append(std::string_view("\0", 1));
  out.append(std::string_view(reinterpret_cast<const char*>(room.data()), size));
  OPENSSL_cleanse(room.data(), room.size());
}

class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}
  std::optional<std::string_view> text() {
    if (rest_.size() < 4) return std::nullopt;
    size_t size = 0;
    for (size_t i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(rest_[i]);
    if (rest_.size() - 4 < size) return std::nullopt;
    const auto found = rest_.substr(4, size);
    rest_.remove_prefix(4 + size);
    return found;
  }
  bool skip(size_t bytes) {
    if (rest_.size() < bytes) return false;
    rest_.remove_prefix(bytes);
    return true;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// ----- what a key consists of (key_material.cpp)

Number number_of(const EVP_PKEY& key, const char* name);
std::string wire_form(const EVP_PKEY& key, KeyType type);
// The fingerprint of a key that EC2 made: for RSA it is computed from the private half.
std::string made_fingerprint(const EVP_PKEY& key, KeyType type, std::string_view blob);
PublicKey describe(const EVP_PKEY& key, KeyType type);

}  // namespace brume::keys
