// The daemon's own certificate, for TLS without a certificate authority: clients are given the file to trust.
#include <arpa/inet.h>

#include "base/self_signed.hpp"
#include "wire/http/server.hpp"

namespace brume::wire {
namespace {

constexpr auto lifetime = std::chrono::hours(24) * 3650;

bool is_address(const std::string& name) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, name.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

// A name goes into OpenSSL's syntax for extensions, where a comma would begin another entry.
bool is_safe(const std::string& name) {
  return !name.empty() && name.size() <= 253 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:*") == std::string::npos;
}

}  // namespace

Result<void> make_certificate(const TlsFiles& files, const std::vector<std::string>& names, Time now) {
  if (names.empty()) return fail(ErrorKind::invalid, "a certificate needs a name");
  std::string alternatives;
  for (const auto& name : names) {
    if (!is_safe(name)) return fail(ErrorKind::invalid, "'" + name + "' is not a name for a certificate");
    alternatives += (alternatives.empty() ? "" : ",") + std::string(is_address(name) ? "IP:" : "DNS:") + name;
  }
  SelfSigned wanted;
  wanted.common_name = "Brume " + names.front();
  wanted.lifetime = lifetime;
  // No key usage: one without certificate signing would make OpenSSL reject the certificate as its own issuer, and one with it
  // would make stricter clients (rustls) reject it as a server's.
  wanted.extensions = {{"basicConstraints", "critical,CA:FALSE"},
                       {"extendedKeyUsage", "serverAuth"},
                       {"subjectKeyIdentifier", "hash"},
                       {"authorityKeyIdentifier", "keyid:always"},
                       {"subjectAltName", alternatives}};
  return make_self_signed(wanted, files.key, files.certificate, now);
}

}  // namespace brume::wire
