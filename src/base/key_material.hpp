// SSH keys as EC2 makes, takes and names them. For the actions of key pairs, and for "brume key fingerprint" (INS-110).
//
// Fingerprints follow the service, not the guide's sentence on RFC 4716 (INS-022). To compare one with a file at hand:
//   made here, RSA:  openssl pkcs8 -in KEY.pem -nocrypt -topk8 -outform DER | openssl sha1 -c
//   imported, RSA:   openssl pkey -in KEY.pem -pubout -outform DER | openssl md5 -c
//   ED25519:         ssh-keygen -l -f KEY.pem       (SHA-256 in base64; here with its padding)
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace brume {

enum class KeyType { rsa, ed25519 };
// pem: PKCS#1 for RSA, OpenSSH's own format for ED25519. ppk2: PuTTY's format that every PuTTY reads; ppk3: PuTTY 0.75 and later.
enum class PrivateFormat { pem, ppk2, ppk3 };

std::string_view name_of(KeyType type);  // "rsa", "ed25519"

// Text that is overwritten when it is destroyed, and that leaves no copies behind while it grows.
class SecretText {
 public:
  SecretText();
  ~SecretText();
  SecretText(SecretText&& other) noexcept = default;
  SecretText& operator=(SecretText&& other) noexcept;
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;

  void append(std::string_view more);
  void append(char more) { append(std::string_view(&more, 1)); }
  std::string_view view() const { return text_; }

 private:
  void wipe();
  std::string text_;
};

struct PublicKey {
  KeyType type = KeyType::rsa;
  int bits = 0;
  std::string line;         // "ssh-rsa AAAA…", without comment
  std::string fingerprint;  // as for an imported key
};

struct NewKey {
  PublicKey public_key;  // with the fingerprint of a key that was made here
  SecretText private_key;
};

// RSA with 2048 bits, or ED25519. The comment is kept if the format has room for one. RSA takes about a tenth of a second.
NewKey make_key(KeyType type, PrivateFormat format, std::string_view comment);

// Recognizes the format by content: an OpenSSH line, RFC 4716, PEM (public key, RSA public key, certificate), or DER of these, in base64
// too. `invalid`: the sentence says what is wrong with it.
Result<PublicKey> parse_public_key(std::string_view material);

// A key in a user's file: public as above, or private as PEM or in OpenSSH's or PuTTY's own format, without a passphrase.
struct LocalKey {
  PublicKey public_key;          // the pair's fingerprint, had it been imported
  std::string made_fingerprint;  // the pair's fingerprint, had EC2 made it; empty: the file holds no private key
};
// `invalid`: the sentence says what is wrong, and reveals nothing of the content.
Result<LocalKey> parse_local_key(std::string_view content);

}  // namespace brume
