#include "guest/identity_signer.hpp"

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace brume::guest {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(BIO* memory) const { BIO_free_all(memory); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(CMS_ContentInfo* message) const { CMS_ContentInfo_free(message); }
  void operator()(BIGNUM* number) const { BN_free(number); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

constexpr unsigned key_bits = 2048;
constexpr auto lifetime = std::chrono::hours(24) * 365 * 30;
constexpr size_t most_remembered = 1024;
constexpr size_t line = 64;  // of a PEM file: users put "-----BEGIN PKCS7-----" around what they get

std::string text_of(BIO* memory) {
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(memory, &bytes);
  return {bytes, static_cast<size_t>(size)};
}

Owned<BIO> reader(std::string_view text) { return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string in_lines(const std::string& text) {
  std::string lines;
  for (size_t at = 0; at < text.size(); at += line) {
    if (at > 0) lines += '\n';
    lines.append(text, at, line);
  }
  return lines;
}

bool add_extension(X509* certificate, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool fill(X509* certificate, EVP_PKEY* key, const std::string& region, Time now) {
  unsigned char serial[16];
  if (RAND_bytes(serial, sizeof serial) != 1) return false;
  serial[0] &= 0x7f;  // a positive number
  const Owned<BIGNUM> number(BN_bin2bn(serial, sizeof serial, nullptr));
  if (!number || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr) return false;
  // A day earlier: the clock of who checks may be behind.
  const auto start = std::chrono::floor<seconds>(now - std::chrono::hours(24)).time_since_epoch().count();
  const auto end = std::chrono::floor<seconds>(now + lifetime).time_since_epoch().count();
  auto* name = X509_get_subject_name(certificate);
  const auto common = ("Brume instance identity " + region).substr(0, 64);
  return ASN1_TIME_set(X509_getm_notBefore(certificate), start) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), end) != nullptr && X509_set_version(certificate, X509_VERSION_3) == 1 &&
         X509_set_pubkey(certificate, key) == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1 && add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, NID_subject_key_identifier, "hash") && X509_sign(certificate, key, EVP_sha256()) > 0;
}

// The key first: a certificate that is there has its key.
Result<void> make_files(const std::string& key_file, const std::string& certificate_file, const std::string& region, Time now) {
  const Owned<EVP_PKEY> key(EVP_RSA_gen(key_bits));
  const Owned<X509> certificate(X509_new());
  const Owned<BIO> key_text(BIO_new(BIO_s_mem()));
  const Owned<BIO> certificate_text(BIO_new(BIO_s_mem()));
  if (!key || !certificate || !key_text || !certificate_text || !fill(certificate.get(), key.get(), region, now) ||
      PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1)
    return fail(ErrorKind::broken, "OpenSSL cannot make the key of the identity documents");
  auto bytes = text_of(key_text.get());
  auto written = write_file(key_file, bytes, 0600);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  if (!written) return written;
  return write_file(certificate_file, text_of(certificate_text.get()), 0644);
}

std::string sign_digest(EVP_PKEY* key, const std::string& document) {
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  const auto* bytes = reinterpret_cast<const unsigned char*>(document.data());
  size_t size = 0;
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, document.size()) != 1)
    return {};
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, document.size()) != 1) return {};
  signature.resize(size);
  return signature;
}

// Without signed attributes the same document always gives the same bytes.
std::string sign_message(EVP_PKEY* key, X509* certificate, const std::string& document) {
  constexpr unsigned flags = CMS_BINARY | CMS_NOCERTS | CMS_NOATTR | CMS_PARTIAL;
  const auto content = reader(document);
  const Owned<CMS_ContentInfo> message(CMS_sign(nullptr, nullptr, nullptr, content.get(), flags));
  const Owned<BIO> out(BIO_new(BIO_s_mem()));
  if (!message || !out || CMS_add1_signer(message.get(), certificate, key, EVP_sha256(), flags) == nullptr ||
      CMS_final(message.get(), content.get(), nullptr, flags) != 1 || i2d_CMS_bio(out.get(), message.get()) != 1)
    return {};
  return text_of(out.get());
}

}  // namespace

struct IdentitySigner::Keys {
  Owned<EVP_PKEY> key;
  Owned<X509> certificate;
};

IdentitySigner::IdentitySigner(std::unique_ptr<Keys> keys, std::string certificate_text)
    : keys_(std::move(keys)), certificate_text_(std::move(certificate_text)) {}
IdentitySigner::~IdentitySigner() = default;

Result<std::unique_ptr<IdentitySigner>> IdentitySigner::open(const std::string& folder, const std::string& region, Time now) {
  const auto key_file = folder + "/key.pem";
  const auto certificate_file = folder + "/certificate.pem";
  if (!path_exists(certificate_file)) {
    if (auto made = make_folders(folder, 0700); !made) return fail(made.error());
    if (auto made = make_files(key_file, certificate_file, region, now); !made) return fail(made.error());
  }
  auto key_text = read_file(key_file, 64 << 10);
  auto certificate_text = read_file(certificate_file, 64 << 10);
  if (!key_text) return fail(key_text.error());
  if (!certificate_text) return fail(certificate_text.error());
  auto keys = std::make_unique<Keys>();
  keys->key.reset(PEM_read_bio_PrivateKey(reader(*key_text).get(), nullptr, nullptr, nullptr));
  keys->certificate.reset(PEM_read_bio_X509(reader(*certificate_text).get(), nullptr, nullptr, nullptr));
  OPENSSL_cleanse(key_text->data(), key_text->size());
  if (!keys->key || !keys->certificate || X509_check_private_key(keys->certificate.get(), keys->key.get()) != 1)
    return fail(ErrorKind::broken, key_file + " and " + certificate_file + " are no key and its certificate");
  return std::unique_ptr<IdentitySigner>(new IdentitySigner(std::move(keys), std::move(*certificate_text)));
}

std::shared_ptr<const IdentitySigner::Signatures> IdentitySigner::sign(const std::string& document) const {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = signed_.find(document); found != signed_.end()) return found->second;
  }
  const auto signature = sign_digest(keys_->key.get(), document);
  const auto message = sign_message(keys_->key.get(), keys_->certificate.get(), document);
  auto made = std::make_shared<const Signatures>(Signatures{in_lines(to_base64(signature)), in_lines(to_base64(message))});
  const std::lock_guard lock(mutex_);
  if (signed_.size() >= most_remembered) signed_.clear();
  return signed_[document] = std::move(made);
}

}  // namespace brume::guest
