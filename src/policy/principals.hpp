// The Principal element: whom a policy of a resource or a role is about.
#pragma once

#include <cstdint>
#include <string_view>

#include "policy/policy.hpp"
#include "policy/request.hpp"

namespace brume::policy {

// `type` and `text` as in {"AWS": "arn:…"}. Throws Malformed.
PrincipalPattern read_principal(std::string_view type, std::string_view text, TextPool& pool);

// How a policy of a resource names somebody; later ones are worth more.
enum class Naming : std::uint8_t {
  none,
  account,     // as a member of the account: its administrators decide
  indirectly,  // by the role of the session, the user behind a federated user, or as everyone
  directly,
};
Naming naming_of(const Principal& principal, const PrincipalPattern& pattern);

// Whether the statement is about the principal at all. Statements of identity policies are: naming directly.
Naming naming_of(const Principal& principal, const Statement& statement);

}  // namespace brume::policy
