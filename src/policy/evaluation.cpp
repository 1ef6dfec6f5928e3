#include "policy/evaluation.hpp"

#include <algorithm>

#include "policy/principals.hpp"

namespace brume::policy {
namespace {

// A request at one of its resources. Remembers whether a statement looked at anything that may differ between resources.
class Asking final : public Variables {
 public:
  Asking(const Request& request, Explanation* trace) : request_(request), action_(request.action), trace_(trace) {}

  void set_resource(std::size_t index) {
    resource_ = index;
    arn_.reset();
  }
  std::uint32_t resource() const { return static_cast<std::uint32_t>(resource_); }
  const Principal& principal() const { return request_.principal; }
  const ActionName& action() const { return action_; }
  const Request& request() const { return request_; }
  Explanation* trace() const { return trace_; }
  bool has_asked() const { return has_asked_; }

  const Arn& arn() const {
    if (!arn_) {
      has_asked_ = true;
      arn_ = split_arn(request_.facts.resource_count() == 0 ? std::string_view("*") : request_.facts.resource(resource_));
    }
    return *arn_;
  }

  Values find(std::string_view lower_case_key) const override {
    has_asked_ = true;
    const auto values = request_.facts.find(lower_case_key, resource_);
    if (trace_ != nullptr && values.missing()) trace_->missing_keys.emplace_back(lower_case_key);
    return values;
  }

 private:
  const Request& request_;
  ActionName action_;
  Explanation* trace_;
  std::size_t resource_ = 0;
  mutable std::optional<Arn> arn_;
  mutable bool has_asked_ = false;
};

bool covers_action(const Statement& statement, const ActionName& action) {
  const bool is_other_service = (statement.service_bits & action.service_bit()) == 0;
  if (is_other_service && action.service_bit() != 0) return false;
  for (const auto& pattern : statement.actions)
    if (pattern.matches(action)) return !statement.not_action;
  return statement.not_action;
}

bool covers_resource(const Statement& statement, const Asking& asking) {
  if (statement.all_resources) return !statement.not_resource;
  bool unknown = false;
  for (const auto& pattern : statement.resources) {
    const auto match = pattern.match(asking.arn(), asking);
    if (match == Match::yes) return !statement.not_resource;
    unknown = unknown || match == Match::unknown;
  }
  return statement.not_resource && !unknown;
}

// For an explanation every condition is looked at, so that all missing keys are found.
bool conditions_hold(const Statement& statement, const Asking& asking) {
  bool all = true;
  for (const auto& condition : statement.conditions) {
    all = condition.holds(asking) && all;
    if (!all && asking.trace() == nullptr) return false;
  }
  return all;
}

// How the statement names the principal, if it is about the request.
Naming applies(const Statement& statement, const Asking& asking) {
  if (!covers_action(statement, asking.action())) return Naming::none;
  const auto naming = naming_of(asking.principal(), statement);
  if (naming == Naming::none) return naming;
  return covers_resource(statement, asking) && conditions_hold(statement, asking) ? naming : Naming::none;
}

// What the policies of one source say: the first Deny, else the Allow that names the principal best.
struct Said {
  bool denies = false;
  Naming allows = Naming::none;
  std::uint32_t policy = 0;
  std::uint32_t statement = 0;
};

Said ask_source(Source source, std::span<const Policy* const> policies, const Asking& asking) {
  Said said;
  for (std::uint32_t p = 0; p < policies.size(); ++p) {
    const auto& statements = policies[p]->statements();
    for (std::uint32_t s = 0; s < statements.size(); ++s) {
      const auto& statement = statements[s];
      const bool allow = statement.effect == Effect::allow;
      if (asking.trace() == nullptr && allow && said.allows == Naming::directly) continue;
      const auto naming = applies(statement, asking);
      if (naming == Naming::none) continue;
      if (asking.trace() != nullptr) asking.trace()->matched.push_back({source, p, s, asking.resource(), statement.effect});
      const bool better = allow ? !said.denies && naming > said.allows : !said.denies;
      if (!better) continue;
      said.denies = !allow;
      said.allows = allow ? naming : Naming::none;
      said.policy = p;
      said.statement = s;
      if (said.denies && asking.trace() == nullptr) return said;
    }
  }
  return said;
}

struct AllSaid {
  Said identity, boundary, session, resource;
  const Said& of(Source source) const {
    switch (source) {
      case Source::boundary: return boundary;
      case Source::session: return session;
      case Source::resource: return resource;
      default: return identity;
    }
  }
};

Decision as_decided(Outcome outcome, Source source, const AllSaid& said, std::uint32_t resource) {
  const auto& by = said.of(source);
  if (source == Source::none || outcome == Outcome::not_allowed) return {outcome, source, 0, 0, resource};
  return {outcome, source, by.policy, by.statement, resource};
}

// Who is limited by identity policies, boundary and session: what is missing. none: nothing.
Source missing_leave(const Request& request, const Policies& policies, const AllSaid& said, bool needs_identity) {
  if (needs_identity && request.principal.type != PrincipalType::root && said.identity.allows == Naming::none) return Source::identity;
  if (policies.boundary != nullptr && said.boundary.allows == Naming::none) return Source::boundary;
  const bool needs_session = policies.has_session || request.principal.type == PrincipalType::federated_user;
  return needs_session && said.session.allows == Naming::none ? Source::session : Source::none;
}

// Nobody denies it. Who allows it?
Decision without_deny(const Request& request, const Policies& policies, const AllSaid& said, std::uint32_t resource) {
  const auto answer = [&](Outcome outcome, Source source) { return as_decided(outcome, source, said, resource); };
  const auto& principal = request.principal;
  const auto named = said.resource.allows;
  const bool has_account = !principal.account.empty() && principal.type != PrincipalType::anonymous;
  const bool is_own = has_account && principal.account == request.account;
  if (!has_account)
    return named == Naming::none ? answer(Outcome::not_allowed, Source::resource) : answer(Outcome::allowed, Source::resource);
  if (named == Naming::none && (!is_own || policies.resource_must_allow)) return answer(Outcome::not_allowed, Source::resource);
  if (is_own && named == Naming::directly) return answer(Outcome::allowed, Source::resource);
  if (is_own && principal.type == PrincipalType::root && !policies.resource_must_allow) return answer(Outcome::allowed, Source::none);
  const bool needs_identity = !is_own || named != Naming::indirectly;
  const auto missing = missing_leave(request, policies, said, needs_identity);
  if (missing != Source::none) return answer(Outcome::not_allowed, missing);
  const bool by_identity = said.identity.allows != Naming::none;
  return answer(Outcome::allowed, by_identity ? Source::identity : Source::resource);
}

Decision decide_resource(const Policies& policies, const Asking& asking) {
  const auto& request = asking.request();
  AllSaid said;
  said.identity = ask_source(Source::identity, policies.identity, asking);
  if (policies.boundary != nullptr) said.boundary = ask_source(Source::boundary, {&policies.boundary, 1}, asking);
  if (policies.has_session) said.session = ask_source(Source::session, policies.session, asking);
  said.resource = ask_source(Source::resource, policies.resource, asking);
  for (const auto source : {Source::identity, Source::resource, Source::boundary, Source::session})
    if (said.of(source).denies) return as_decided(Outcome::explicitly_denied, source, said, asking.resource());
  return without_deny(request, policies, said, asking.resource());
}

}  // namespace

Decision decide(const Request& request, const Policies& policies) {
  Asking asking(request, nullptr);
  auto answer = decide_resource(policies, asking);
  // Nothing was looked at that differs between resources: how many there are does not matter.
  if (!asking.has_asked() || answer.outcome == Outcome::explicitly_denied) return answer;
  const auto count = request.facts.resource_count();
  for (std::size_t i = 1; i < count; ++i) {
    asking.set_resource(i);
    const auto next = decide_resource(policies, asking);
    if (next.outcome == Outcome::explicitly_denied) return next;
    if (answer.allowed() && !next.allowed()) answer = next;
  }
  return answer;
}

Explanation explain(const Request& request, const Policies& policies) {
  Explanation explanation;
  Asking asking(request, &explanation);
  const auto count = std::max<std::size_t>(1, request.facts.resource_count());
  for (std::size_t i = 0; i < count; ++i) {
    asking.set_resource(i);
    const auto before = explanation.matched.size();
    explanation.resources.push_back(decide_resource(policies, asking));
    if (policies.boundary == nullptr) continue;
    bool allows = false;
    bool denies = false;
    for (auto each = explanation.matched.begin() + static_cast<std::ptrdiff_t>(before); each != explanation.matched.end(); ++each) {
      if (each->source != Source::boundary) continue;
      allows = allows || each->effect == Effect::allow;
      denies = denies || each->effect == Effect::deny;
    }
    explanation.boundary_allows = explanation.boundary_allows.value_or(true) && allows && !denies;
  }
  const auto worst = [](const Decision& a, const Decision& b) {
    const auto rank = [](const Decision& each) { return each.outcome == Outcome::explicitly_denied ? 0 : each.allowed() ? 2 : 1; };
    return rank(a) < rank(b);
  };
  explanation.decision = *std::min_element(explanation.resources.begin(), explanation.resources.end(), worst);
  auto& keys = explanation.missing_keys;
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return explanation;
}

}  // namespace brume::policy
