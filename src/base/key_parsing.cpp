// Keys from outside: public ones in every format that ImportKeyPair takes, and private ones in users' files.
#include <vector>

#include "base/crypto.hpp"
#include "base/key_internals.hpp"
#include "base/key_material.hpp"
#include "base/text.hpp"

namespace brume {
namespace {

using namespace keys;  // NOLINT(google-build-using-namespace): all of this file is about them

constexpr size_t material_limit = 16384;

// ----- public keys from outside

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

Key public_rsa_key(std::string_view exponent, std::string_view modulus) {
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
  return judge(public_rsa_key(*exponent, *modulus));
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

// The base64 between a first and a last line that the caller has already checked.
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
  // Headers ("Comment: …") come first; one that ends in a backslash continues on the next line.
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
  // The type name stands before the blob and inside it.
  if (!blob || WireReader(*blob).text() != name) return fail(ErrorKind::invalid, std::string(not_a_key));
  return parse_wire_form(*blob);
}

// ----- private keys in files

constexpr std::string_view needs_passphrase = "The key is protected by a passphrase; give its public half instead";
constexpr std::string_view not_a_private_key = "This is not a key that this program can read";

Result<LocalKey> describe_local(const Key& key, bool is_private) {
  auto judged = judge(key);
  if (!judged) return fail(judged.error());
  LocalKey local{std::move(*judged), {}};
  if (is_private) local.made_fingerprint = made_fingerprint(*key, local.public_key.type, wire_form(*key, local.public_key.type));
  return local;
}

int refuse_passphrase(char*, int, int, void*) { return -1; }

Result<LocalKey> parse_private_pem(std::string_view content) {
  if (content.find("ENCRYPTED") != std::string_view::npos) return fail(ErrorKind::invalid, std::string(needs_passphrase));
  const auto memory = openssl::reader(content);
  must(memory != nullptr, "hold a file");
  const Key key(PEM_read_bio_PrivateKey(memory.get(), nullptr, refuse_passphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) return fail(ErrorKind::invalid, std::string(not_a_private_key));
  return describe_local(key, true);
}

// The numbers of an RSA key as OpenSSH and PuTTY keep them: big-endian, without the two exponents that follow from the others.
struct RsaNumbers {
  std::string_view modulus, exponent, secret, first, second, coefficient;
};

Key private_rsa_key(const RsaNumbers& numbers) {
  const auto number = [](std::string_view bytes) { return Number(BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr)); };
  const auto n = number(numbers.modulus), e = number(numbers.exponent), d = number(numbers.secret);
  const auto p = number(numbers.first), q = number(numbers.second), coefficient = number(numbers.coefficient);
  const std::unique_ptr<BN_CTX, Release<BN_CTX_free>> context(BN_CTX_new());
  const auto exponent_of = [&](const BIGNUM& factor) {
    Number less(BN_dup(&factor));
    Number result(BN_new());
    const bool done = context != nullptr && less != nullptr && result != nullptr && BN_sub_word(less.get(), 1) == 1 &&
                      !BN_is_zero(less.get()) && BN_mod(result.get(), d.get(), less.get(), context.get()) == 1;
    return done ? std::move(result) : Number();
  };
  if (BN_is_zero(p.get()) || BN_is_zero(q.get())) return nullptr;
  const auto first_exponent = exponent_of(*p), second_exponent = exponent_of(*q);
  if (first_exponent == nullptr || second_exponent == nullptr) return nullptr;
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  must(builder != nullptr, "hold a key");
  const auto push = [&](const char* name, const Number& value) { return OSSL_PARAM_BLD_push_BN(builder.get(), name, value.get()) == 1; };
  must(push(OSSL_PKEY_PARAM_RSA_N, n) && push(OSSL_PKEY_PARAM_RSA_E, e) && push(OSSL_PKEY_PARAM_RSA_D, d) &&
           push(OSSL_PKEY_PARAM_RSA_FACTOR1, p) && push(OSSL_PKEY_PARAM_RSA_FACTOR2, q) &&
           push(OSSL_PKEY_PARAM_RSA_EXPONENT1, first_exponent) && push(OSSL_PKEY_PARAM_RSA_EXPONENT2, second_exponent) &&
           push(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, coefficient),
       "hold a key");
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const KeyContext making(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  if (making == nullptr || parameters == nullptr || EVP_PKEY_fromdata_init(making.get()) != 1 ||
      EVP_PKEY_fromdata(making.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) != 1)
    return nullptr;
  return Key(key);
}

// The public half is not encrypted in either format. ED25519 has one fingerprint; the second one of RSA needs the private half too.
Result<LocalKey> with_private_numbers(std::string_view public_blob, const std::optional<RsaNumbers>& numbers) {
  auto parsed = parse_wire_form(public_blob);
  if (!parsed) return fail(parsed.error());
  if (parsed->type == KeyType::ed25519) return LocalKey{*parsed, parsed->fingerprint};
  if (!numbers) return fail(ErrorKind::invalid, std::string(not_a_private_key));
  return describe_local(private_rsa_key(*numbers), true);
}

// OpenSSH's PROTOCOL.key.
Result<LocalKey> parse_openssh_private(const std::vector<std::string_view>& lines) {
  const auto broken = [] { return fail(ErrorKind::invalid, std::string(not_a_private_key)); };
  constexpr std::string_view magic("openssh-key-v1\0", 15);
  const auto bytes = lines.back() == "-----END OPENSSH PRIVATE KEY-----" ? body(lines, 1) : std::nullopt;
  if (!bytes || !bytes->starts_with(magic)) return broken();
  WireReader reader(std::string_view(*bytes).substr(magic.size()));
  const auto cipher = reader.text();
  if (!cipher || !reader.text() || !reader.text() || !reader.skip(4)) return broken();  // key derivation, its options, number of keys
  const auto public_blob = reader.text();
  const auto secret = reader.text();
  if (!public_blob || !secret) return broken();
  if (*cipher != "none") return fail(ErrorKind::invalid, std::string(needs_passphrase));
  WireReader inside(*secret);
  if (!inside.skip(8) || !inside.text())
    return broken();  // a check number, twice, that shows whether the passphrase is right; the kind of key
  std::optional<RsaNumbers> numbers;
  const auto n = inside.text(), e = inside.text(), d = inside.text(), coefficient = inside.text(), p = inside.text(), q = inside.text();
  if (n && e && d && coefficient && p && q) numbers = RsaNumbers{*n, *e, *d, *p, *q, *coefficient};
  return with_private_numbers(*public_blob, numbers);
}

// PuTTY's "PPK file format": "Name: value" lines, and after "…-Lines: 3" three lines of base64.
Result<LocalKey> parse_ppk(const std::vector<std::string_view>& lines) {
  const auto value_of = [&](std::string_view name) -> std::optional<std::string_view> {
    for (const auto line : lines)
      if (line.starts_with(name)) return trim(line.substr(name.size()));
    return std::nullopt;
  };
  const auto blob_of = [&](std::string_view name) -> std::optional<std::string> {
    for (size_t at = 0; at < lines.size(); ++at) {
      if (!lines[at].starts_with(name)) continue;
      const auto count = parse_integer(trim(lines[at].substr(name.size())));
      if (!count || *count < 0 || static_cast<size_t>(*count) > lines.size() - at - 1) return std::nullopt;
      std::string text;
      for (size_t i = 1; i <= static_cast<size_t>(*count); ++i) text += lines[at + i];
      return from_base64(text);
    }
    return std::nullopt;
  };
  const auto public_blob = blob_of("Public-Lines:");
  if (!public_blob) return fail(ErrorKind::invalid, std::string(not_a_private_key));
  if (value_of("Encryption:") != "none") return fail(ErrorKind::invalid, std::string(needs_passphrase));
  const auto secret = blob_of("Private-Lines:");
  std::optional<RsaNumbers> numbers;
  if (secret) {
    WireReader outside(*public_blob), inside(*secret);
    const auto name = outside.text(), e = outside.text(), n = outside.text();
    const auto d = inside.text(), p = inside.text(), q = inside.text(), coefficient = inside.text();
    if (name && e && n && d && p && q && coefficient) numbers = RsaNumbers{*n, *e, *d, *p, *q, *coefficient};
  }
  return with_private_numbers(*public_blob, numbers);
}

}  // namespace

Result<PublicKey> parse_public_key(std::string_view material) {
  if (material.size() > material_limit) return fail(ErrorKind::invalid, "The key is too long");
  // DER without armor: no text has both this first byte and the shape of a key.
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

Result<LocalKey> parse_local_key(std::string_view content) {
  if (content.size() > material_limit) return fail(ErrorKind::invalid, "The file is too long for a key");
  const auto lines = lines_of(content);
  if (lines.empty()) return fail(ErrorKind::invalid, "The file is empty");
  if (lines.front() == "-----BEGIN OPENSSH PRIVATE KEY-----") return parse_openssh_private(lines);
  if (lines.front().starts_with("-----BEGIN ") && lines.front().ends_with("PRIVATE KEY-----")) return parse_private_pem(content);
  if (lines.front().starts_with("PuTTY-User-Key-File-")) return parse_ppk(lines);
  auto parsed = parse_public_key(content);
  if (!parsed) return fail(parsed.error());
  return LocalKey{std::move(*parsed), {}};
}

}  // namespace brume
