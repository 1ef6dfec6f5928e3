#include "base/self_signed.hpp"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/files.hpp"
#include "base/openssl.hpp"

namespace brume {
namespace {

constexpr unsigned rsa_bits = 2048;
constexpr size_t longest_common_name = 64;  // RFC 5280, ub-common-name

openssl::Key make_key(SelfSigned::KeyKind kind) {
  return openssl::Key(kind == SelfSigned::KeyKind::rsa2048 ? EVP_RSA_gen(rsa_bits) : EVP_EC_gen("P-256"));
}

bool set_serial(X509* certificate) {
  unsigned char serial[16];
  if (RAND_bytes(serial, sizeof serial) != 1) return false;
  serial[0] &= 0x7f;  // a positive number
  const openssl::Number number(BN_bin2bn(serial, sizeof serial, nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_times(X509* certificate, std::chrono::hours lifetime, Time now) {
  const auto start = std::chrono::floor<seconds>(now - std::chrono::hours(24)).time_since_epoch().count();
  const auto end = std::chrono::floor<seconds>(now + lifetime).time_since_epoch().count();
  return ASN1_TIME_set(X509_getm_notBefore(certificate), start) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), end) != nullptr;
}

bool set_name(X509* certificate, const std::string& common_name) {
  const auto common = common_name.substr(0, longest_common_name);
  auto* name = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1;
}

bool add_extension(X509* certificate, const std::string& kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const openssl::Extension extension(X509V3_EXT_conf(nullptr, &context, kind.c_str(), value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool fill(X509* certificate, EVP_PKEY* key, const SelfSigned& wanted, Time now) {
  if (X509_set_version(certificate, X509_VERSION_3) != 1 || !set_serial(certificate) || !set_times(certificate, wanted.lifetime, now) ||
      X509_set_pubkey(certificate, key) != 1 || !set_name(certificate, wanted.common_name))
    return false;
  for (const auto& [kind, value] : wanted.extensions)
    if (!add_extension(certificate, kind, value)) return false;
  return X509_sign(certificate, key, EVP_sha256()) > 0;
}

}  // namespace

Result<void> make_self_signed(const SelfSigned& wanted, const std::string& key_file, const std::string& certificate_file, Time now) {
  const auto key = make_key(wanted.key);
  const openssl::Certificate certificate(X509_new());
  const auto key_text = openssl::memory();
  const auto certificate_text = openssl::memory();
  if (!key || !certificate || !key_text || !certificate_text || !fill(certificate.get(), key.get(), wanted, now) ||
      PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1)
    return fail(ErrorKind::broken, "OpenSSL cannot make " + certificate_file);
  auto key_bytes = openssl::text_of(key_text.get());
  auto written = write_file(key_file, key_bytes, 0600);
  OPENSSL_cleanse(key_bytes.data(), key_bytes.size());
  if (!written) return written;
  return write_file(certificate_file, openssl::text_of(certificate_text.get()), 0644);
}

}  // namespace brume
