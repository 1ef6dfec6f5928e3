// A key and a certificate signed with that same key, kept in two PEM files: used by the daemon if no authority vouches for it. Users are
// given the certificate to trust.
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
  std::string common_name;  // shortened to the 64 characters that X.509 allows
  std::chrono::hours lifetime{0};
  // OpenSSL's names and its syntax for values: {"basicConstraints", "critical,CA:FALSE"}. A user's text must be checked before it goes in
  // here.
  std::vector<std::pair<std::string, std::string>> extensions;
};

// The key's file (0600) is written first, so a certificate never lacks its key. Valid from a day ago, because the clock of whoever checks
// it may be slow.
Result<void> make_self_signed(const SelfSigned& wanted, const std::string& key_file, const std::string& certificate_file, Time now);

}  // namespace brume
