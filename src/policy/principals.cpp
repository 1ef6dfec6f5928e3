#include "policy/principals.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "policy/malformed.hpp"

namespace brume::policy {
namespace {

using Form = PrincipalPattern::Form;

bool is_account_id(std::string_view text) { return text.size() == 12 && text.find_first_not_of("0123456789") == std::string_view::npos; }

// AIDA…, AROA…: what a principal's ARN becomes once the principal is gone.
bool is_unique_id(std::string_view text) {
  return text.size() >= 16 && text.size() <= 128 && text.starts_with('A') &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

// Of {"AWS": text}. The text is empty: it names nobody.
PrincipalPattern aws_principal(std::string_view text) {
  if (text == "*") return {Form::everyone, text};
  if (is_account_id(text)) return {Form::account, text};
  if (is_unique_id(text)) return {Form::unique_id, text};
  const auto arn = split_arn(text);
  const auto& resource = arn.parts[5];
  const bool iam = arn.parts[2] == "iam" && (resource == "root" || resource.starts_with("user/") || resource.starts_with("role/"));
  const bool sts = arn.parts[2] == "sts" && (resource.starts_with("assumed-role/") || resource.starts_with("federated-user/"));
  const bool right = arn.count == 6 && arn.parts[0] == "arn" && !arn.parts[1].empty() && (iam || sts) && arn.parts[3].empty() &&
                     is_account_id(arn.parts[4]) && text.find_first_of("*?") == std::string_view::npos;
  if (!right) return {Form::arn, {}};
  return resource == "root" ? PrincipalPattern{Form::account, arn.parts[4]} : PrincipalPattern{Form::arn, text};
}

// NotPrincipal. Where it denies, only who is named himself is left out: his account's or his role's name alone does not do. Where it
// allows, any of these leaves him out.
Naming naming_by_exclusion(const Principal& principal, const Statement& statement) {
  for (const auto& pattern : statement.principals) {
    const auto naming = naming_of(principal, pattern);
    const bool by_everyone = pattern.form == Form::everyone;
    if (naming == Naming::directly || by_everyone || (naming != Naming::none && statement.effect == Effect::allow)) return Naming::none;
  }
  return Naming::indirectly;
}

}  // namespace

PrincipalPattern read_principal(std::string_view type, std::string_view text, TextPool& pool) {
  PrincipalPattern found{Form::everyone, {}};
  if (type == "AWS") found = aws_principal(text);
  if (type == "Service") found = {Form::service, text == "*" ? std::string_view() : text};
  if (type == "Federated") found = {Form::federated, text == "*" ? std::string_view() : text};
  if (type == "CanonicalUser") found = {Form::canonical, text};
  if (found.text.empty()) throw Malformed{fmt::format("Invalid principal in policy: \"{}\":\"{}\"", type, text)};
  found.text = pool.keep(found.text);
  return found;
}

Naming naming_of(const Principal& principal, const PrincipalPattern& pattern) {
  const auto if_same = [&](std::string_view name, Naming naming) { return !name.empty() && name == pattern.text ? naming : Naming::none; };
  switch (pattern.form) {
    case Form::everyone: return Naming::indirectly;
    case Form::account: return if_same(principal.account, principal.type == PrincipalType::root ? Naming::directly : Naming::account);
    case Form::canonical:
      return if_same(principal.canonical_id, principal.type == PrincipalType::root ? Naming::directly : Naming::account);
    case Form::arn: return std::max(if_same(principal.arn, Naming::directly), if_same(principal.source_arn, Naming::indirectly));
    case Form::unique_id: return if_same(principal.unique_id, principal.source_arn.empty() ? Naming::directly : Naming::indirectly);
    case Form::service: return principal.type == PrincipalType::service ? if_same(principal.name, Naming::directly) : Naming::none;
    case Form::federated: break;
  }
  return principal.type == PrincipalType::web_identity ? if_same(principal.name, Naming::directly) : Naming::none;
}

Naming naming_of(const Principal& principal, const Statement& statement) {
  if (statement.principals.empty()) return Naming::directly;
  if (statement.not_principal) return naming_by_exclusion(principal, statement);
  auto best = Naming::none;
  for (const auto& pattern : statement.principals) best = std::max(best, naming_of(principal, pattern));
  return best;
}

}  // namespace brume::policy
