#include "base/sealing.hpp"

#include <memory>
#include <stdexcept>

#include "base/openssl.hpp"
#include "base/text.hpp"

namespace brume {
namespace {

constexpr size_t nonce_size = 12;
constexpr size_t tag_size = 16;

using Context = std::unique_ptr<EVP_CIPHER_CTX, openssl::Release<EVP_CIPHER_CTX_free>>;

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes(std::string& text, size_t offset = 0) { return reinterpret_cast<unsigned char*>(text.data() + offset); }

Context make_context(std::string_view key) {
  Context context(EVP_CIPHER_CTX_new());
  if (!context) throw std::runtime_error("OpenSSL has no cipher context");
  if (key.size() != sealing_key_size) throw std::logic_error("a sealing key has 32 bytes");
  return context;
}

}  // namespace

std::string seal(std::string_view key, std::string_view secret, Random& random) {
  const auto context = make_context(key);
  std::string out(nonce_size + secret.size() + tag_size, '\0');
  random.fill({bytes(out), nonce_size});
  int length = 0;
  const auto* nonce = bytes(std::string_view(out));
  if (EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, bytes(key), nonce) != 1 ||
      EVP_EncryptUpdate(context.get(), bytes(out, nonce_size), &length, bytes(secret), static_cast<int>(secret.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), bytes(out, nonce_size + secret.size()), &length) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_size, bytes(out, nonce_size + secret.size())) != 1)
    throw std::runtime_error("OpenSSL failed: seal");
  return to_base64(out);
}

Result<std::string> unseal(std::string_view key, std::string_view sealed) {
  const auto broken = [] { return fail(ErrorKind::broken, "a sealed secret does not open: it is damaged or of another installation"); };
  auto raw = from_base64(sealed);
  if (!raw || raw->size() < nonce_size + tag_size) return broken();
  const auto context = make_context(key);
  const size_t size = raw->size() - nonce_size - tag_size;
  std::string secret(size, '\0');
  int length = 0;
  const std::string_view view(*raw);
  if (EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(view)) != 1 ||
      EVP_DecryptUpdate(context.get(), bytes(secret), &length, bytes(view.substr(nonce_size)), static_cast<int>(size)) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, tag_size, bytes(*raw, nonce_size + size)) != 1 ||
      EVP_DecryptFinal_ex(context.get(), bytes(secret), &length) != 1)
    return broken();
  return secret;
}

}  // namespace brume
