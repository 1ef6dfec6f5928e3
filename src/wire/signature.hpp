// Who sent this request? Signature version 4 (header and presigned) and version 2 (HmacSHA256, HmacSHA1) of AWS clients.
// OPS-080, OPS-082, OPS-084, NET-005. Signature version 1 and X.509 are not here.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "wire/http/server.hpp"

namespace brume::wire {

// What is known of an access key. The secret is needed in the clear: a signature is an HMAC over it.
struct Credential {
  std::string access_key_id;
  std::string secret;
  std::string account_id;
  std::string user_arn;  // "arn:aws:iam::123456789012:root"
  bool active = true;
};

using CredentialLookup = std::function<std::optional<Credential>(std::string_view access_key_id)>;

// The verified sender.
struct Caller {
  std::string account_id;
  std::string access_key_id;
  std::string user_arn;
  std::string region;          // of the credential scope (v4), else empty
  std::string service;         // of the credential scope (v4): "ec2", "sts"; else empty
  std::string security_token;  // as sent, not judged here; empty when none
};

// Threads: verify may be called from any thread at once. Derived keys are kept per thread, in a table of fixed size.
// A request may be repeated as long as it is fresh, as with EC2: signature.cpp says why.
class SignatureVerifier {
 public:
  explicit SignatureVerifier(const Clock& clock) : clock_(clock) {}

  // `parameters`: the request's query and form parameters, decoded, in any order (QueryTree::pairs()).
  // Throws ApiError, in the words of the service that the credential scope names. EC2: MissingParameter (no signature at all),
  // AuthFailure (unknown or disabled key, wrong or malformed signature), RequestExpired. STS, IAM and the others:
  // MissingAuthenticationToken, InvalidClientTokenId, IncompleteSignature, SignatureDoesNotMatch (expired ones included).
  Caller verify(const HttpRequest& request, const std::vector<std::pair<std::string, std::string>>& parameters,
                const CredentialLookup& lookup);

  // The access key id that the request names, without verifying anything; empty when it names none. For simulation mode.
  static std::string claimed_access_key(const HttpRequest& request, const std::vector<std::pair<std::string, std::string>>& parameters);
  // The service and region of a version 4 credential scope, unverified; empty strings when there is none.
  static Caller claimed_caller(const HttpRequest& request, const std::vector<std::pair<std::string, std::string>>& parameters);

 private:
  const Clock& clock_;
};

}  // namespace brume::wire
