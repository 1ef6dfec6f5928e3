// What a decision is about: who asks for what, and what the policies' conditions may look at. Nothing here owns a text: all of them live
// with the caller until the decision is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace brume::policy {

// The values of a condition key in one request. Most keys have one, aws:TagKeys has several.
class Values {
 public:
  Values() = default;  // the request does not have the key
  explicit Values(std::string_view one) : one_(one), count_(1) {}
  explicit Values(std::span<const std::string_view> many) : many_(many.data()), count_(many.size()) {}

  bool missing() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  std::string_view operator[](std::size_t index) const { return many_ != nullptr ? many_[index] : one_; }

 private:
  std::string_view one_;
  const std::string_view* many_ = nullptr;
  std::size_t count_ = 0;
};

// Asked only when a statement that is about the action needs it: who may do everything is decided without any of it.
class Facts {
 public:
  virtual ~Facts() = default;
  // 0: the action is about no resource, so that only "*" covers it.
  virtual std::size_t resource_count() const = 0;
  // An ARN; with "*" for the id of what is to be made (arn:aws:ec2:us-east-1:123456789012:instance/*).
  virtual std::string_view resource(std::size_t index) const = 0;
  // `key` is in lower case, also the tag's in aws:resourcetag/… `resource`: 0 too if there is none.
  virtual Values find(std::string_view key, std::size_t resource) const = 0;
};

enum class PrincipalType : std::uint8_t {
  root,            // of an account
  user,            // arn:aws:iam::123456789012:user/alice
  role_session,    // arn:aws:sts::123456789012:assumed-role/builder/session
  federated_user,  // arn:aws:sts::123456789012:federated-user/bob
  web_identity,    // somebody an OIDC provider vouches for, in AssumeRoleWithWebIdentity only
  service,         // autoscaling.amazonaws.com
  anonymous,
};

struct Principal {
  PrincipalType type = PrincipalType::anonymous;
  std::string_view arn;           // the session's own, not its role's
  std::string_view account;       // empty: a service, a web identity, nobody
  std::string_view source_arn;    // the role of a role session; the user who called GetFederationToken
  std::string_view unique_id;     // AIDA… or AROA…, which a deleted principal's successor does not have
  std::string_view canonical_id;  // of the account, as S3 names it
  std::string_view name;          // the service's, or the web identity's provider (an ARN or a host name)
};

struct Request {
  const Principal& principal;
  std::string_view action;   // ec2:RunInstances
  std::string_view account;  // that owns the resources
  const Facts& facts;
};

}  // namespace brume::policy
