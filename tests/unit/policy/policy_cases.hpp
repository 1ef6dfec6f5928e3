// Documents and requests for the tests of src/policy, as short as a table's row.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "policy/evaluation.hpp"

namespace brume::policy {

using Keys = std::map<std::string, std::vector<std::string>>;

class FakeFacts final : public Facts {
 public:
  FakeFacts(std::vector<std::string> resources, const Keys& keys) : resources_(std::move(resources)), owned_(keys) {
    for (const auto& [key, values] : owned_) keys_[key].assign(values.begin(), values.end());
  }
  FakeFacts(const FakeFacts&) = delete;
  std::size_t resource_count() const override { return resources_.size(); }
  std::string_view resource(std::size_t index) const override {
    ++asked;
    return resources_.at(index);
  }
  Values find(std::string_view key, std::size_t) const override {
    const auto found = keys_.find(key);
    return found == keys_.end() ? Values() : Values(std::span<const std::string_view>(found->second));
  }
  mutable int asked = 0;

 private:
  std::vector<std::string> resources_;
  Keys owned_;
  std::map<std::string, std::vector<std::string_view>, std::less<>> keys_;
};

inline std::shared_ptr<const Policy> parsed(const std::string& text, Kind kind = Kind::identity) {
  auto policy = parse_policy(text, kind, {1'000'000, 1'000, 16});
  if (!policy) ADD_FAILURE() << policy.error().message << " of " << text;
  return policy ? *policy : nullptr;
}

inline std::string refusal(const std::string& text, Kind kind = Kind::identity, const Limits& limits = {}) {
  const auto policy = parse_policy(text, kind, limits);
  return policy ? "taken" : policy.error().message;
}

// A document of today's version with these statements.
inline std::string document(const std::string& statements) { return R"({"Version":"2012-10-17","Statement":[)" + statements + "]}"; }
inline std::string allow(const std::string& action, const std::string& resource = "*") {
  return R"({"Effect":"Allow","Action":")" + action + R"(","Resource":")" + resource + R"("})";
}
inline std::string deny(const std::string& action, const std::string& resource = "*") {
  return R"({"Effect":"Deny","Action":")" + action + R"(","Resource":")" + resource + R"("})";
}

inline constexpr std::string_view home_account = "111111111111";
inline Principal alice() {
  Principal principal;
  principal.type = PrincipalType::user;
  principal.arn = "arn:aws:iam::111111111111:user/alice";
  principal.account = home_account;
  principal.unique_id = "AIDAALICEALICEALICE1";
  return principal;
}

inline Decision decided(const Policy& identity, std::string_view action, const std::vector<std::string>& resources, const Keys& keys = {}) {
  const FakeFacts facts(resources, keys);
  const auto principal = alice();
  const Policy* list[] = {&identity};
  Policies policies;
  policies.identity = list;
  return decide({principal, action, home_account, facts}, policies);
}

inline bool allows(const std::string& text, std::string_view action, const std::string& resource = "", const Keys& keys = {}) {
  const auto policy = parsed(text);
  if (policy == nullptr) return false;
  return decided(*policy, action, resource.empty() ? std::vector<std::string>() : std::vector<std::string>{resource}, keys).allowed();
}

}  // namespace brume::policy
