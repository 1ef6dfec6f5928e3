// Signatures of AWS clients: version 4 (header and presigned) and version 2 (HmacSHA256, HmacSHA1).
// OPS-080, OPS-082, OPS-084, NET-005. Signature version 1 and X.509 are not here.
//
// A request may be repeated as long as it is fresh, as with EC2: signature.cpp says why.
#pragma once

#include "base/time.hpp"
#include "wire/identity/identity.hpp"

namespace brume::wire {

// Refused in the words of the protocol (refusals.hpp): an unknown or disabled key, a wrong, incomplete or malformed signature, one that is
// too old or not yet valid.
class SignatureFour final : public Identity {
 public:
  // The clock must outlive it.
  SignatureFour(const Clock& clock, CredentialLookup lookup) : clock_(clock), lookup_(std::move(lookup)) {}
  std::optional<Caller> identify(const Evidence& evidence) const override;

 private:
  const Clock& clock_;
  CredentialLookup lookup_;
};

class SignatureTwo final : public Identity {
 public:
  SignatureTwo(const Clock& clock, CredentialLookup lookup) : clock_(clock), lookup_(std::move(lookup)) {}
  std::optional<Caller> identify(const Evidence& evidence) const override;

 private:
  const Clock& clock_;
  CredentialLookup lookup_;
};

// Both of them.
Identities signatures(const Clock& clock, const CredentialLookup& lookup);

// What the request claims by either, with nothing verified: access key, scope and session token. Empty strings where it says nothing.
Caller claimed_caller(const HttpRequest& request, const std::vector<std::pair<std::string, std::string>>& parameters);

// The service and region of a version 4 credential scope, in the Authorization header or the URL, unverified.
struct Scope {
  std::string service;
  std::string region;
};
Scope claimed_scope(const HttpRequest& request);

}  // namespace brume::wire
