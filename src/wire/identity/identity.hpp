// Who sent this request? Each way of saying so is a strategy of its own: signature version 4, version 2, in a simulation any access key.
// The front door holds a list of them and takes the first whose claim the request makes. They look at the request as it was sent, before
// anything of its body is believed, so a way that signs the raw body (X.509 in a SOAP header) or a field of it fits beside them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/http/server.hpp"
#include "wire/schema.hpp"

namespace brume::wire {

// What is known of an access key. The secret is needed in the clear: a signature is an HMAC over it.
struct Credential {
  std::string access_key_id;
  std::string secret;
  std::string account_id;
  std::string user_arn;  // "arn:aws:iam::123456789012:root"
  bool active = true;
};

// May be called from any thread.
using CredentialLookup = std::function<std::optional<Credential>(std::string_view access_key_id)>;

// The verified sender.
struct Caller {
  std::string account_id;
  std::string access_key_id;
  std::string user_arn;
  std::string region;          // of the credential scope (v4), else empty
  std::string service;         // of the credential scope (v4): "ec2", "sts"; else empty
  std::string security_token;  // as sent, not judged here; empty when none
  std::string called_by;       // the service of ours that asks from inside: "autoscaling"; empty: a client, over HTTP
};

// A request as an Identity looks at it.
struct Evidence {
  const HttpRequest& request;  // the body as it came, compressed or not
  // Of the URL and of a form, decoded, in the order sent.
  const std::vector<std::pair<std::string, std::string>>& parameters;
  schema::Protocol protocol;  // in whose words a wrong claim is refused
};

// Threads: identify may be called from any thread at once.
class Identity {
 public:
  Identity() = default;
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;
  virtual ~Identity() = default;

  // nullopt: the request does not say in this way who sent it. Throws ApiError when it does, and what it says is not true or not whole.
  virtual std::optional<Caller> identify(const Evidence& evidence) const = 0;
};

using Identities = std::vector<std::unique_ptr<const Identity>>;

// By the first of them that the request uses. Throws ApiError, also when it uses none.
Caller identify(const Identities& identities, const Evidence& evidence);

}  // namespace brume::wire
