// Measures decisions of the policy layer alone: 10 policies of 20 statements each. Prints one JSON line: microseconds of processor time a
// decision, the best of five runs, so that other work on the machine counts little.
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "policy/evaluation.hpp"

namespace {

using namespace brume::policy;
double processor_microseconds() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) / 1e3;
}

constexpr std::string_view account = "123456789012";

class OneRequest final : public Facts {
 public:
  std::size_t resource_count() const override { return 1; }
  std::string_view resource(std::size_t) const override { return "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"; }
  Values find(std::string_view key, std::size_t) const override {
    if (key == "aws:username") return Values("alice");
    if (key == "aws:sourceip") return Values("203.0.113.9");
    if (key == "aws:resourcetag/team") return Values("red");
    return {};
  }
};

// Of 20 statements, four are about EC2, one of these about one resource, one a Deny with a condition.
std::string ordinary_statement(int number) {
  constexpr std::string_view services[] = {"s3", "iam", "sqs", "sns", "autoscaling"};
  const auto name = std::to_string(number);
  switch (number % 20) {
    case 3: return R"({"Effect":"Allow","Action":["ec2:Describe*","ec2:Get*"],"Resource":"*"})";
    case 8:
      return R"({"Effect":"Allow","Action":["ec2:StartInstances","ec2:StopInstances"],"Resource":"arn:aws:ec2:*:*:instance/i-)" + name +
             R"("})";
    case 13: return R"({"Effect":"Allow","Action":"ec2:RunInstances","Resource":["arn:aws:ec2:*::image/*","arn:aws:ec2:*:*:instance/*"]})";
    case 18:
      return R"({"Effect":"Deny","Action":["ec2:*"],"Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["203.0.113.0/24","10.0.0.0/8"]}}})";
    default: break;
  }
  const std::string service(services[static_cast<std::size_t>(number) % 5]);
  return R"({"Effect":"Allow","Action":[")" + service + R"(:Get*",")" + service + R"(:List*",")" + service + ":Put" + name +
         R"("],"Resource":"arn:aws:)" + service + R"(:::thing-)" + name + R"(/*"})";
}

// Every statement is about the action, and its resource differs at the end only.
std::string hard_statement(int number) {
  return R"({"Effect":"Allow","Action":"ec2:*Instances","Resource":"arn:aws:ec2:*:123456789012:instance/*)" + std::to_string(number) +
         R"(x","Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}})";
}

double microseconds(std::string (*statement)(int), std::string_view action, bool expected) {
  std::vector<std::shared_ptr<const Policy>> kept;
  std::vector<const Policy*> list;
  for (int p = 0; p < 10; ++p) {
    std::string text;
    for (int s = 0; s < 20; ++s) text += (text.empty() ? "" : ",") + statement(p * 20 + s);
    const auto policy = parse_policy(R"({"Version":"2012-10-17","Statement":[)" + text + "]}", Kind::identity);
    if (!policy) {
      std::fprintf(stderr, "policy_bench: %s\n", policy.error().message.c_str());
      std::exit(1);
    }
    list.push_back(kept.emplace_back(*policy).get());
  }
  Principal principal;
  principal.type = PrincipalType::user;
  principal.arn = "arn:aws:iam::123456789012:user/alice";
  principal.account = account;
  const OneRequest facts;
  Policies policies;
  policies.identity = list;
  std::array<double, 5> runs{};
  for (auto& run : runs) {
    constexpr int times = 20'000;
    const double start = processor_microseconds();
    for (int i = 0; i < times; ++i) {
      if (decide({principal, action, account, facts}, policies).allowed() == expected) continue;
      std::fprintf(stderr, "policy_bench: the decision is wrong\n");
      std::exit(1);
    }
    run = (processor_microseconds() - start) / times;
  }
  return *std::min_element(runs.begin(), runs.end());
}

}  // namespace

int main() {
  std::printf("{\"allowed_us\": %.3f, \"refused_us\": %.3f, \"all_match_us\": %.3f}\n",
              microseconds(ordinary_statement, "ec2:DescribeInstances", true),
              microseconds(ordinary_statement, "ec2:TerminateInstances", false), microseconds(hard_statement, "ec2:StopInstances", false));
  return 0;
}
