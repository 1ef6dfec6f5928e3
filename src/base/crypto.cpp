#include "base/crypto.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "base/openssl.hpp"

namespace brume {
namespace {

using Algorithm = std::unique_ptr<EVP_MD, openssl::Release<EVP_MD_free>>;
using MacAlgorithm = std::unique_ptr<EVP_MAC, openssl::Release<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, openssl::Release<EVP_MAC_CTX_free>>;

template <class T>
T* need(T* made, const char* what) {
  if (made == nullptr) throw std::runtime_error(std::string("OpenSSL has no ") + what);
  return made;
}

void need(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("OpenSSL failed: ") + what);
}

// OpenSSL 3 looks an algorithm up by name at every use unless it was fetched before, and that costs more than hashing a request.
class Hasher {
 public:
  explicit Hasher(const char* name)
      : algorithm_(need(EVP_MD_fetch(nullptr, name, nullptr), name)), context_(need(EVP_MD_CTX_new(), "digest context")) {
    need(EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) == 1, name);
  }

  template <size_t Size>
  Digest<Size> run(std::string_view bytes) {
    Digest<Size> digest;
    // A null algorithm means the one given to the constructor, without another set-up.
    need(EVP_DigestInit_ex2(context_.get(), nullptr, nullptr) == 1 && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1 &&
             EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.bytes.data()), nullptr) == 1,
         "digest");
    return digest;
  }

 private:
  Algorithm algorithm_;
  openssl::DigestContext context_;
};

class Keyed {
 public:
  explicit Keyed(const char* digest) : algorithm_(need(EVP_MAC_fetch(nullptr, "HMAC", nullptr), "HMAC")) {
    context_.reset(need(EVP_MAC_CTX_new(algorithm_.get()), "HMAC context"));
    std::string name(digest);
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0), OSSL_PARAM_construct_end()};
    need(EVP_MAC_CTX_set_params(context_.get(), parameters) == 1, digest);
  }

  template <size_t Size>
  Digest<Size> run(std::string_view key, std::string_view bytes) {
    Digest<Size> digest;
    size_t length = 0;
    // An empty key needs an address too: a null pointer means "the same key as last time".
    const auto* key_bytes = reinterpret_cast<const unsigned char*>(key.empty() ? "" : key.data());
    need(EVP_MAC_init(context_.get(), key_bytes, key.size(), nullptr) == 1 &&
             EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) == 1 &&
             EVP_MAC_final(context_.get(), reinterpret_cast<unsigned char*>(digest.bytes.data()), &length, Size) == 1 && length == Size,
         "HMAC");
    return digest;
  }

 private:
  MacAlgorithm algorithm_;
  MacContext context_;
};

}  // namespace

Md5 md5(std::string_view bytes) {
  thread_local Hasher hasher("MD5");
  return hasher.run<16>(bytes);
}
Sha1 sha1(std::string_view bytes) {
  thread_local Hasher hasher("SHA1");
  return hasher.run<20>(bytes);
}
Sha256 sha256(std::string_view bytes) {
  thread_local Hasher hasher("SHA256");
  return hasher.run<32>(bytes);
}
Sha1 hmac_sha1(std::string_view key, std::string_view bytes) {
  thread_local Keyed keyed("SHA1");
  return keyed.run<20>(key, bytes);
}
Sha256 hmac_sha256(std::string_view key, std::string_view bytes) {
  thread_local Keyed keyed("SHA256");
  return keyed.run<32>(key, bytes);
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace brume
