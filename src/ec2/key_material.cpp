#include "ec2/key_material.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "base/crypto.hpp"
#include "base/text.hpp"

namespace brume::ec2 {

namespace {

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>>;
using Bytes = std::unique_ptr<BIO, Release<BIO_free_all>>;
using Number = std::unique_ptr<BIGNUM, Release<BN_clear_free>>;
using Certificate = std::unique_ptr<X509, Release<X509_free>>;
using PrivateInfo = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Release<PKCS8_PRIV_KEY_INFO_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Release<OSSL_PARAM_free>>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, Release<OSSL_PARAM_BLD_free>>;

constexpr std::string_view rsa_name = "ssh-rsa";
constexpr std::string_view ed25519_name = "ssh-ed25519";
constexpr size_t material_limit = 16384;

void must(bool done, const char* what) {
  if (!done) throw std::runtime_error(fmt::format("OpenSSL cannot {}", what));
}

const unsigned char* raw(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

// ----- RFC 4251: how SSH writes numbers and text

std::array<char, 4> big_endian(std::uint32_t number) {
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

// A non-negative multiple precision integer: no superfluous zeros, a zero byte before a set highest bit.
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
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// ----- what a key consists of

Number number_of(const EVP_PKEY& key, const char* name) {
  BIGNUM* number = nullptr;
  must(EVP_PKEY_get_bn_param(&key, name, &number) == 1, "read a key's number");
  return Number(number);
}

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

// ----- fingerprints

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
  // Twice the same number: with a passphrase it tells whether the right one was given.
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

// ----- public keys that come in

constexpr std::string_view not_a_key = "Key is not in valid OpenSSH public key format";

Result<PublicKey> judge(const Key& key) {
  ERR_clear_error();
  if (key == nullptr) return fail(ErrorKind::invalid, std::string(not_a_key));
  if (EVP_PKEY_is_a(key.get(), "ED25519")) return describe(*key, KeyType::ed25519);
  if (!EVP_PKEY_is_a(key.get(), "RSA")) return fail(ErrorKind::invalid, "Only RSA and ED25519 keys are supported");
  const auto modulus = number_of(*key, OSSL_PKEY_PARAM_RSA_N);
  const auto exponent = number_of(*key, OSSL_PKEY_PARAM_RSA_E);
  if (!BN_is_odd(modulus.get()) || !BN_is_odd(exponent.get()) || BN_is_one(exponent.get()) || BN_num_bits(exponent.get()) > 64)
    return fail(ErrorKind::invalid, std::string(not_a_key));
  const int bits = EVP_PKEY_get_bits(key.get());
  if (bits < 1024 || bits > 8192) return fail(ErrorKind::invalid, "Keys of this length are not supported");
  return describe(*key, KeyType::rsa);
}

Key rsa_key(std::string_view exponent, std::string_view modulus) {
  const auto number = [](std::string_view bytes) { return Number(BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr)); };
  const auto e = number(exponent);
  const auto n = number(modulus);
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  must(builder != nullptr && OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
           OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1,
       "hold a key");
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  if (context == nullptr || parameters == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    return nullptr;
  return Key(key);
}

Result<PublicKey> parse_wire_form(std::string_view blob) {
  const auto broken = [] { return fail(ErrorKind::invalid, std::string(not_a_key)); };
  WireReader reader(blob);
  const auto name = reader.text();
  if (!name) return broken();
  if (*name == ed25519_name) {
    const auto point = reader.text();
    if (!point || point->size() != 32 || !reader.at_end()) return broken();
    return judge(Key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(*point), point->size())));
  }
  if (*name != rsa_name) return fail(ErrorKind::invalid, "Only RSA and ED25519 keys are supported");
  const auto exponent = reader.text();
  const auto modulus = reader.text();
  if (!exponent || !modulus || !reader.at_end() || exponent->empty() || modulus->empty()) return broken();
  return judge(rsa_key(*exponent, *modulus));
}

Key parse_der(std::string_view der) {
  const auto size = static_cast<long>(der.size());
  const auto whole = [&](const unsigned char* end) { return end == raw(der) + der.size(); };
  const unsigned char* at = raw(der);
  if (Key key(d2i_PUBKEY(nullptr, &at, size)); key != nullptr && whole(at)) return key;
  at = raw(der);
  if (Key key(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, size)); key != nullptr && whole(at)) return key;
  at = raw(der);
  if (const Certificate certificate(d2i_X509(nullptr, &at, size)); certificate != nullptr && whole(at))
    return Key(X509_get_pubkey(certificate.get()));
  return nullptr;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  auto lines = split(text, '\n');
  for (auto& line : lines) line = trim(line);
  std::erase_if(lines, [](std::string_view line) { return line.empty(); });
  return lines;
}

// The base64 between a first and a last line, which the caller has looked at.
std::optional<std::string> body(const std::vector<std::string_view>& lines, size_t from) {
  std::string text;
  for (size_t i = from; i + 1 < lines.size(); ++i) text += lines[i];
  return from_base64(text);
}

Result<PublicKey> parse_pem(const std::vector<std::string_view>& lines) {
  for (const std::string_view kind : {"PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"}) {
    if (lines.front() != fmt::format("-----BEGIN {}-----", kind) || lines.back() != fmt::format("-----END {}-----", kind)) continue;
    const auto der = body(lines, 1);
    return judge(der ? parse_der(*der) : nullptr);
  }
  if (lines.front().find("PRIVATE KEY") != std::string_view::npos)
    return fail(ErrorKind::invalid, "This is a private key. Keep it, and import the public key that belongs to it");
  return fail(ErrorKind::invalid, std::string(not_a_key));
}

Result<PublicKey> parse_rfc4716(const std::vector<std::string_view>& lines) {
  if (lines.back() != "---- END SSH2 PUBLIC KEY ----") return fail(ErrorKind::invalid, std::string(not_a_key));
  // Headers ("Comment: …") come first; one that ends in a backslash goes on in the next line.
  size_t at = 1;
  while (at + 1 < lines.size() && lines[at].find(':') != std::string_view::npos) {
    while (at + 1 < lines.size() && lines[at].ends_with('\\')) ++at;
    ++at;
  }
  const auto blob = body(lines, at);
  return blob ? parse_wire_form(*blob) : fail(ErrorKind::invalid, std::string(not_a_key));
}

Result<PublicKey> parse_openssh_line(std::string_view line) {
  const auto name = line.substr(0, line.find_first_of(" \t"));
  const auto rest = trim(line.substr(name.size()));
  const auto blob = from_base64(rest.substr(0, rest.find_first_of(" \t")));
  // The name stands before the blob and in it.
  if (!blob || WireReader(*blob).text() != name) return fail(ErrorKind::invalid, std::string(not_a_key));
  return parse_wire_form(*blob);
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

Result<PublicKey> parse_public_key(std::string_view material) {
  if (material.size() > material_limit) return fail(ErrorKind::invalid, "The key is too long");
  // DER as it is: no text has both this first byte and the shape of a key.
  if (material.starts_with('\x30'))
    if (auto key = parse_der(material); key != nullptr) return judge(key);
  const auto lines = lines_of(material);
  if (lines.empty()) return fail(ErrorKind::invalid, std::string(not_a_key));
  if (lines.front().starts_with("-----BEGIN ")) return parse_pem(lines);
  if (lines.front() == "---- BEGIN SSH2 PUBLIC KEY ----") return parse_rfc4716(lines);
  if (lines.size() == 1 && lines.front().find_first_of(" \t") != std::string_view::npos) return parse_openssh_line(lines.front());
  const auto der = from_base64(material);
  return judge(der ? parse_der(*der) : nullptr);
}

}  // namespace brume::ec2
