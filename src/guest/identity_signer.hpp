// Signs identity documents with the installation's own key, so that anybody who has its certificate can check what an instance says about
// itself without asking Brume.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace brume::guest {

// Threads: sign may be called from any thread. For a document that was not signed recently it computes for about a millisecond.
class IdentitySigner {
 public:
  // Takes key and certificate from `folder`, or makes them there: key.pem (0600) and certificate.pem. The certificate must stay the same
  // for as long as anybody may hold a copy.
  static Result<std::unique_ptr<IdentitySigner>> open(const std::string& folder, const std::string& region, Time now);
  ~IdentitySigner();

  struct Signatures {
    std::string signature;  // base64, of the document's SHA-256
    std::string pkcs7;      // base64 of a PKCS #7 message that contains the document and no certificate
  };
  // Never null; empty if OpenSSL fails.
  std::shared_ptr<const Signatures> sign(const std::string& document) const;
  const std::string& certificate() const { return certificate_text_; }  // PEM

 private:
  struct Keys;
  IdentitySigner(std::unique_ptr<Keys> keys, std::string certificate_text);

  const std::unique_ptr<Keys> keys_;
  const std::string certificate_text_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::shared_ptr<const Signatures>> signed_;  // by document; bounded
};

}  // namespace brume::guest
