// A key and a certificate that the key signed itself, kept in two PEM files: what the daemon shows of itself where no authority vouches
// for it, and users are given the certificate to trust.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace brume {

struct SelfSigned {
  enum class KeyKind { p256, rsa2048 };
  KeyKind key = KeyKind::p256;
  std::string common_name;  // cut to the 64 characters that X.509 allows
  std::chrono::hours lifetime{0};
  // OpenSSL's names and its little language for values: {"basicConstraints", "critical,CA:FALSE"}. Nothing of a user's goes in unchecked.
  std::vector<std::pair<std::string, std::string>> extensions;
};

// The key's file (0600) is written first: a certificate that is there has its key. Valid from a day before now, as the clock of who checks
// may be behind.
Result<void> make_self_signed(const SelfSigned& wanted, const std::string& key_file, const std::string& certificate_file, Time now);

}  // namespace brume
