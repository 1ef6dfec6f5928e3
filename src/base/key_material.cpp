#include "base/key_material.hpp"

#include <vector>

#include "base/crypto.hpp"
#include "base/key_internals.hpp"
#include "base/text.hpp"

namespace brume {

namespace keys {
namespace {

std::string raw_public_key(const EVP_PKEY& key) {
  std::array<unsigned char, 32> bytes{};
  size_t size = bytes.size();
  must(EVP_PKEY_get_raw_public_key(&key, bytes.data(), &size) == 1, "read a public key");
  return std::string(reinterpret_cast<const char*>(bytes.data()), size);
}

SecretText raw_private_key(const EVP_PKEY& key) {
  std::array<unsigned char, 32> bytes{};
  size_t size = bytes.size();
  const bool done = EVP_PKEY_get_raw_private_key(&key, bytes.data(), &size) == 1;
  SecretText secret;
  secret.append(std::string_view(reinterpret_cast<const char*>(bytes.data()), size));
  OPENSSL_cleanse(bytes.data(), bytes.size());
  must(done, "read a private key");
  return secret;
}

std::string with_colons(std::string_view digest) {
  std::string out;
  const auto hex = to_hex(digest);
  for (size_t i = 0; i < hex.size(); i += 2) {
    if (i > 0) out += ':';
    out.append(hex, i, 2);
  }
  return out;
}

std::string imported_fingerprint(const EVP_PKEY& key, KeyType type, std::string_view blob) {
  if (type == KeyType::ed25519) return to_base64(sha256(blob));
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(&key, &der);
  must(size > 0, "write a public key");
  auto fingerprint = with_colons(md5({reinterpret_cast<const char*>(der), static_cast<size_t>(size)}));
  OPENSSL_free(der);
  return fingerprint;
}

}  // namespace

Number number_of(const EVP_PKEY& key, const char* name) {
  BIGNUM* number = nullptr;
  must(EVP_PKEY_get_bn_param(&key, name, &number) == 1, "read a key's number");
  return Number(number);
}

std::string wire_form(const EVP_PKEY& key, KeyType type) {
  std::string blob;
  if (type == KeyType::ed25519) {
    put_text(blob, ed25519_name);
    put_text(blob, raw_public_key(key));
  } else {
    put_text(blob, rsa_name);
    put_mpint(blob, *number_of(key, OSSL_PKEY_PARAM_RSA_E));
    put_mpint(blob, *number_of(key, OSSL_PKEY_PARAM_RSA_N));
  }
  return blob;
}

std::string made_fingerprint(const EVP_PKEY& key, KeyType type, std::string_view blob) {
  if (type == KeyType::ed25519) return to_base64(sha256(blob));
  const PrivateInfo info(EVP_PKEY2PKCS8(&key));
  must(info != nullptr, "write a private key");
  unsigned char* der = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info.get(), &der);
  must(size > 0, "write a private key");
  auto fingerprint = with_colons(sha1({reinterpret_cast<const char*>(der), static_cast<size_t>(size)}));
  OPENSSL_clear_free(der, static_cast<size_t>(size));
  return fingerprint;
}

PublicKey describe(const EVP_PKEY& key, KeyType type) {
  const auto blob = wire_form(key, type);
  PublicKey out;
  out.type = type;
  out.bits = EVP_PKEY_get_bits(&key);
  out.line = fmt::format("{} {}", type == KeyType::rsa ? rsa_name : ed25519_name, to_base64(blob));
  out.fingerprint = imported_fingerprint(key, type, blob);
  return out;
}

}  // namespace keys

namespace {

using namespace keys;  // NOLINT(google-build-using-namespace): the other half of this file

// ----- private keys as files

void put_base64_lines(SecretText& out, std::string_view bytes, size_t width) {
  auto text = to_base64(bytes);
  for (size_t at = 0; at < text.size(); at += width) {
    out.append(std::string_view(text).substr(at, width));
    out.append('\n');
  }
  OPENSSL_cleanse(text.data(), text.size());
}

SecretText rsa_pem(const EVP_PKEY& key) {
  const Bytes memory(BIO_new(BIO_s_secmem()));
  must(memory != nullptr && PEM_write_bio_PrivateKey_traditional(memory.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
       "write a private key");
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  SecretText out;
  out.append(std::string_view(text, static_cast<size_t>(size)));
  return out;
}

// OpenSSH's PROTOCOL.key, without a passphrase.
SecretText ed25519_openssh(const EVP_PKEY& key, std::string_view comment) {
  const auto public_bytes = raw_public_key(key);
  SecretText secret;
  // The same number twice: with a passphrase it shows whether the passphrase was right.
  std::array<unsigned char, 4> check{};
  must(RAND_bytes(check.data(), static_cast<int>(check.size())) == 1, "make a random number");
  for (int i = 0; i < 2; ++i) secret.append(std::string_view(reinterpret_cast<const char*>(check.data()), check.size()));
  put_text(secret, ed25519_name);
  put_text(secret, public_bytes);
  const auto seed = raw_private_key(key);
  put_number(secret, seed.view().size() + public_bytes.size());
  secret.append(seed.view());
  secret.append(public_bytes);
  put_text(secret, comment);
  for (char pad = 1; secret.view().size() % 8 != 0; ++pad) secret.append(pad);

  SecretText whole;
  whole.append(std::string_view("openssh-key-v1\0", 15));
  put_text(whole, "none");
  put_text(whole, "none");
  put_text(whole, "");
  put_number(whole, 1);
  put_text(whole, wire_form(key, KeyType::ed25519));
  put_text(whole, secret.view());

  SecretText out;
  out.append("-----BEGIN OPENSSH PRIVATE KEY-----\n");
  put_base64_lines(out, whole.view(), 70);
  out.append("-----END OPENSSH PRIVATE KEY-----\n");
  return out;
}

SecretText ppk_private_part(const EVP_PKEY& key, KeyType type) {
  SecretText out;
  if (type == KeyType::ed25519) {
    const auto seed = raw_private_key(key);
    put_text(out, seed.view());
    return out;
  }
  for (const char* name :
       {OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1})
    put_mpint(out, *number_of(key, name));
  return out;
}

// PuTTY's documentation, appendix "PPK file format". Without a passphrase the MAC's key is a constant.
SecretText ppk(const EVP_PKEY& key, KeyType type, int version, std::string_view comment) {
  const auto algorithm = type == KeyType::rsa ? rsa_name : ed25519_name;
  const auto public_part = wire_form(key, type);
  const auto private_part = ppk_private_part(key, type);
  SecretText covered;
  put_text(covered, algorithm);
  put_text(covered, "none");
  put_text(covered, comment);
  put_text(covered, public_part);
  put_text(covered, private_part.view());
  const auto mac =
      version == 2 ? to_hex(hmac_sha1(sha1("putty-private-key-file-mac-key"), covered.view())) : to_hex(hmac_sha256("", covered.view()));
  const auto lines = [](size_t bytes) { return ((bytes + 2) / 3 * 4 + 63) / 64; };

  SecretText out;
  out.append(fmt::format("PuTTY-User-Key-File-{}: {}\nEncryption: none\nComment: {}\n", version, algorithm, comment));
  out.append(fmt::format("Public-Lines: {}\n", lines(public_part.size())));
  put_base64_lines(out, public_part, 64);
  out.append(fmt::format("Private-Lines: {}\n", lines(private_part.view().size())));
  put_base64_lines(out, private_part.view(), 64);
  out.append(fmt::format("Private-MAC: {}\n", mac));
  return out;
}

}  // namespace

std::string_view name_of(KeyType type) { return type == KeyType::rsa ? "rsa" : "ed25519"; }

SecretText::SecretText() { text_.reserve(4096); }
SecretText::~SecretText() { wipe(); }
SecretText& SecretText::operator=(SecretText&& other) noexcept {
  wipe();
  text_ = std::move(other.text_);
  return *this;
}
void SecretText::wipe() { OPENSSL_cleanse(text_.data(), text_.size()); }
void SecretText::append(std::string_view more) {
  if (text_.size() + more.size() > text_.capacity()) {
    std::string larger;
    larger.reserve((text_.size() + more.size()) * 2);
    larger = text_;
    wipe();
    text_.swap(larger);
  }
  text_ += more;
}

NewKey make_key(KeyType type, PrivateFormat format, std::string_view comment) {
  const Key key(type == KeyType::rsa ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<size_t>(2048))
                                     : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  must(key != nullptr, "make a key");
  NewKey made;
  made.public_key = describe(*key, type);
  made.public_key.fingerprint = made_fingerprint(*key, type, wire_form(*key, type));
  if (format != PrivateFormat::pem)
    made.private_key = ppk(*key, type, format == PrivateFormat::ppk2 ? 2 : 3, comment);
  else
    made.private_key = type == KeyType::rsa ? rsa_pem(*key) : ed25519_openssh(*key, comment);
  return made;
}

}  // namespace brume
