// Any text as a policy document of each kind: refused with a sentence, or a policy that can be asked.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/document_text.hpp"
#include "policy/evaluation.hpp"

using namespace brume;
using namespace brume::policy;

namespace {

class FuzzFacts final : public Facts {
 public:
  explicit FuzzFacts(std::string_view text) : text_(text) {}
  std::size_t resource_count() const override { return 2; }
  std::string_view resource(std::size_t index) const override {
    return index == 0 ? "arn:aws:ec2:us-east-1:111111111111:instance/i-1" : text_;
  }
  Values find(std::string_view key, std::size_t) const override {
    static constexpr std::string_view several[] = {"203.0.113.9", "2011-12-05T13:00:00Z"};
    switch (key.size() % 4) {
      case 0: return {};
      case 1: return Values(text_);
      case 2: return Values(key);
      default: break;
    }
    return Values(std::span<const std::string_view>(several));
  }

 private:
  std::string_view text_;
};

void ask(const Policy& policy, std::string_view text) {
  const FuzzFacts facts(text.substr(0, 100));
  Principal principal;
  principal.type = PrincipalType::user;
  principal.arn = "arn:aws:iam::111111111111:user/alice";
  principal.account = "111111111111";
  const Policy* list[] = {&policy};
  Policies policies;
  (policy.kind() == Kind::identity ? policies.identity : policies.resource) = list;
  for (const auto* action : {"ec2:RunInstances", "sts:AssumeRole", "s3:GetObject"}) {
    const Request request{principal, action, "111111111111", facts};
    const auto decision = decide(request, policies);
    const auto explanation = explain(request, policies);
    if (decision.outcome != explanation.decision.outcome) std::abort();
    if (decision.outcome == Outcome::explicitly_denied && explanation.matched.empty()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  counted_size(text);
  const auto places = statement_places(text);
  for (const auto kind : {Kind::identity, Kind::resource, Kind::trust}) {
    const auto policy = parse_policy(text, kind, {4096, 50, 16});
    if (!policy) {
      if (policy.error().message.empty()) std::abort();
      continue;
    }
    const bool has_escapes = text.find('\\') != std::string_view::npos;
    if (!has_escapes && places.size() != (*policy)->statements().size()) std::abort();
    for (const auto& key : (*policy)->context_keys())
      if (key.empty()) std::abort();
    ask(**policy, text);
  }
  return 0;
}
