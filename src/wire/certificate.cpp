// The daemon's own certificate, for TLS without a certificate authority: clients are given the file to trust.
#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/files.hpp"
#include "wire/http_server.hpp"

namespace brume::wire {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(BIO* memory) const { BIO_free_all(memory); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

constexpr auto lifetime = std::chrono::hours(24) * 3650;

bool is_address(const std::string& name) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, name.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

// A name goes into OpenSSL's little language for extensions, where a comma would begin another entry.
bool is_safe(const std::string& name) {
  return !name.empty() && name.size() <= 253 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:*") == std::string::npos;
}

bool add_extension(X509* certificate, X509V3_CTX* context, int kind, const std::string& value) {
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, context, kind, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool fill(X509* certificate, EVP_PKEY* key, const std::vector<std::string>& names, Time now) {
  unsigned char serial[16];
  if (RAND_bytes(serial, sizeof serial) != 1) return false;
  serial[0] &= 0x7f;  // a positive number
  std::unique_ptr<BIGNUM, void (*)(BIGNUM*)> number(BN_bin2bn(serial, sizeof serial, nullptr), BN_free);
  if (!number || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr) return false;
  // A day earlier: the clock of a client may be behind.
  const auto start = std::chrono::floor<seconds>(now - std::chrono::hours(24)).time_since_epoch().count();
  const auto end = std::chrono::floor<seconds>(now + lifetime).time_since_epoch().count();
  if (ASN1_TIME_set(X509_getm_notBefore(certificate), start) == nullptr || ASN1_TIME_set(X509_getm_notAfter(certificate), end) == nullptr)
    return false;
  auto* name = X509_get_subject_name(certificate);
  const auto common = "Brume " + names.front().substr(0, 57);  // 64 characters at most
  if (X509_set_version(certificate, X509_VERSION_3) != 1 || X509_set_pubkey(certificate, key) != 1 ||
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0) != 1 ||
      X509_set_issuer_name(certificate, name) != 1)
    return false;
  std::string alternatives;
  for (const auto& each : names) alternatives += (alternatives.empty() ? "" : ",") + std::string(is_address(each) ? "IP:" : "DNS:") + each;
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  // No key usage: one without certificate signing would make OpenSSL reject the certificate as its own issuer, and one with it
  // would make stricter clients (rustls) reject it as a server's.
  return add_extension(certificate, &context, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, &context, NID_ext_key_usage, "serverAuth") &&
         add_extension(certificate, &context, NID_subject_key_identifier, "hash") &&
         add_extension(certificate, &context, NID_authority_key_identifier, "keyid:always") &&
         add_extension(certificate, &context, NID_subject_alt_name, alternatives) && X509_sign(certificate, key, EVP_sha256()) > 0;
}

std::string text_of(BIO* memory) {
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(memory, &bytes);
  return {bytes, static_cast<size_t>(size)};
}

}  // namespace

Result<void> make_certificate(const TlsFiles& files, const std::vector<std::string>& names, Time now) {
  if (names.empty()) return fail(ErrorKind::invalid, "a certificate needs a name");
  for (const auto& name : names)
    if (!is_safe(name)) return fail(ErrorKind::invalid, "'" + name + "' is not a name for a certificate");
  const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  const Owned<X509> certificate(X509_new());
  const Owned<BIO> key_text(BIO_new(BIO_s_mem()));
  const Owned<BIO> certificate_text(BIO_new(BIO_s_mem()));
  if (!key || !certificate || !key_text || !certificate_text || !fill(certificate.get(), key.get(), names, now) ||
      PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1)
    return fail(ErrorKind::broken, "OpenSSL cannot make a certificate");
  // The key first: a certificate that is there has its key.
  auto key_bytes = text_of(key_text.get());
  auto written = write_file(files.key, key_bytes, 0600);
  OPENSSL_cleanse(key_bytes.data(), key_bytes.size());
  if (!written) return written;
  return write_file(files.certificate, text_of(certificate_text.get()), 0644);
}

}  // namespace brume::wire
