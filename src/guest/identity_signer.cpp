#include "guest/identity_signer.hpp"

#include <openssl/cms.h>
#include <openssl/pem.h>

#include "base/files.hpp"
#include "base/openssl.hpp"
#include "base/self_signed.hpp"
#include "base/text.hpp"

namespace brume::guest {
namespace {

using Message = std::unique_ptr<CMS_ContentInfo, openssl::Release<CMS_ContentInfo_free>>;

constexpr auto lifetime = std::chrono::hours(24) * 365 * 30;
constexpr size_t most_remembered = 1024;
constexpr size_t line = 64;  // of a PEM file: users put "-----BEGIN PKCS7-----" around what they get

std::string in_lines(const std::string& text) {
  std::string lines;
  for (size_t at = 0; at < text.size(); at += line) {
    if (at > 0) lines += '\n';
    lines.append(text, at, line);
  }
  return lines;
}

std::string sign_digest(EVP_PKEY* key, const std::string& document) {
  const openssl::DigestContext context(EVP_MD_CTX_new());
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
  const auto content = openssl::reader(document);
  const Message message(CMS_sign(nullptr, nullptr, nullptr, content.get(), flags));
  const auto out = openssl::memory();
  if (!message || !out || CMS_add1_signer(message.get(), certificate, key, EVP_sha256(), flags) == nullptr ||
      CMS_final(message.get(), content.get(), nullptr, flags) != 1 || i2d_CMS_bio(out.get(), message.get()) != 1)
    return {};
  return openssl::text_of(out.get());
}

}  // namespace

struct IdentitySigner::Keys {
  openssl::Key key;
  openssl::Certificate certificate;
};

IdentitySigner::IdentitySigner(std::unique_ptr<Keys> keys, std::string certificate_text)
    : keys_(std::move(keys)), certificate_text_(std::move(certificate_text)) {}
IdentitySigner::~IdentitySigner() = default;

Result<std::unique_ptr<IdentitySigner>> IdentitySigner::open(const std::string& folder, const std::string& region, Time now) {
  const auto key_file = folder + "/key.pem";
  const auto certificate_file = folder + "/certificate.pem";
  if (!path_exists(certificate_file)) {
    if (auto made = make_folders(folder, 0700); !made) return fail(made.error());
    SelfSigned wanted;
    wanted.key = SelfSigned::KeyKind::rsa2048;
    wanted.common_name = "Brume instance identity " + region;
    wanted.lifetime = lifetime;
    wanted.extensions = {{"basicConstraints", "critical,CA:FALSE"}, {"subjectKeyIdentifier", "hash"}};
    if (auto made = make_self_signed(wanted, key_file, certificate_file, now); !made) return fail(made.error());
  }
  auto key_text = read_file(key_file, 64 << 10);
  auto certificate_text = read_file(certificate_file, 64 << 10);
  if (!key_text) return fail(key_text.error());
  if (!certificate_text) return fail(certificate_text.error());
  auto keys = std::make_unique<Keys>();
  keys->key.reset(PEM_read_bio_PrivateKey(openssl::reader(*key_text).get(), nullptr, nullptr, nullptr));
  keys->certificate.reset(PEM_read_bio_X509(openssl::reader(*certificate_text).get(), nullptr, nullptr, nullptr));
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
