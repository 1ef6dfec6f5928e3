// A policy document, read, checked and compiled once. What it says about one request is in evaluation.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/condition.hpp"
#include "policy/pattern.hpp"

namespace brume::policy {

// Which elements a document must and must not have.
enum class Kind : std::uint8_t {
  identity,  // of a user, group or role; a permissions boundary; a session policy: no Principal
  resource,  // of a bucket, topic or queue: Principal and Resource
  trust,     // of a role: Principal, no Resource, actions of sts only
};

// A caller knows its quota: 2,048 characters for a user's inline policies, 6,144 for a managed one, … (counted_size in document_text.hpp).
struct Limits {
  std::size_t bytes = 20'480;
  std::size_t statements = 1'000;
  std::size_t depth = 16;
};

enum class Effect : std::uint8_t { allow, deny };

struct PrincipalPattern {
  enum class Form : std::uint8_t { everyone, account, arn, unique_id, service, federated, canonical };
  Form form;
  std::string_view text;  // account: its 12 digits
};

struct Statement {
  Effect effect = Effect::allow;
  bool not_action = false;
  bool not_resource = false;
  bool not_principal = false;
  bool all_resources = false;      // Resource has "*"; then `resources` is empty
  std::uint64_t service_bits = 0;  // of the services that its actions may be of
  std::string_view sid;
  std::vector<ActionPattern> actions;
  std::vector<ArnPattern> resources;  // a trust policy has none
  std::vector<PrincipalPattern> principals;
  std::vector<Condition> conditions;
};

// Threads: never changes after it was made, so that any number of threads may use one.
class Policy {
 public:
  Policy() = default;
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  Kind kind() const { return kind_; }
  const std::vector<Statement>& statements() const { return statements_; }
  // The condition keys and variables that it uses, as written, each once whatever its case; for GetContextKeysFor….
  std::vector<std::string> context_keys() const;

 private:
  friend class PolicyReader;
  Kind kind_ = Kind::identity;
  TextPool pool_;
  std::vector<Statement> statements_;
};

// OPS-074. Errors: `invalid` with the sentence of MalformedPolicyDocument; `exhausted` if it is larger than a limit (LimitExceeded).
// Time and memory are proportional to the text, which is looked at only if it is within the limit.
Result<std::shared_ptr<const Policy>> parse_policy(std::string_view text, Kind kind, const Limits& limits = {});

}  // namespace brume::policy
