// Whether policies allow a request, in AWS's order, and why. decide() is the ordinary path: it stops early and allocates nothing.
// explain() looks at everything, for `brume policy explain` and the simulation actions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy/policy.hpp"
#include "policy/request.hpp"

namespace brume::policy {

// Whose policies. none: no policy decided (the root of an account in that account).
enum class Source : std::uint8_t { none, identity, boundary, session, resource };

// Null pointers are not allowed in the lists.
struct Policies {
  std::span<const Policy* const> identity;  // inline, managed and the groups' of a user; the role's; the user's behind a federated user
  const Policy* boundary = nullptr;         // nullptr: there is none
  std::span<const Policy* const> session;   // with has_session: only what they allow too
  bool has_session = false;
  std::span<const Policy* const> resource;  // of the bucket, topic, queue or role
  // A role's trust or a key's policy: without its leave an identity policy of the same account does not do.
  bool resource_must_allow = false;
};

enum class Outcome : std::uint8_t {
  allowed,
  explicitly_denied,  // a statement with Deny
  not_allowed,        // no statement of `source` allows it
};

struct Decision {
  Outcome outcome = Outcome::not_allowed;
  Source source = Source::none;  // whose statement decided; not_allowed: whose leave is missing
  std::uint32_t policy = 0;      // index in the source's list
  std::uint32_t statement = 0;
  std::uint32_t resource = 0;  // the one that was denied; allowed: 0

  bool allowed() const { return outcome == Outcome::allowed; }
};

// All resources must be allowed; the first Deny, else the first resource without leave, is the answer. Denied somewhere comes before
// everything; the root may do all in its own account; a principal of another account needs both sides; a federated user without a session
// policy has only what a resource's policy gives to him. Allocates nothing. Threads: any.
Decision decide(const Request& request, const Policies& policies);

struct MatchedStatement {
  Source source;
  std::uint32_t policy;
  std::uint32_t statement;
  std::uint32_t resource;
  Effect effect;
};

struct Explanation {
  Decision decision;
  std::vector<Decision> resources;  // one for each; one if the action is about none
  std::vector<MatchedStatement> matched;
  std::vector<std::string>
      missing_keys;                     // in lower case, sorted: looked at by a statement about the action and resource, not in the request
  std::optional<bool> boundary_allows;  // nullopt: there is none
};
Explanation explain(const Request& request, const Policies& policies);

}  // namespace brume::policy
