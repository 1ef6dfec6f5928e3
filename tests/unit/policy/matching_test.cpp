// Actions, resources, wildcards, variables.
#include <chrono>

#include "policy_cases.hpp"

namespace brume::policy {
namespace {

TEST(PolicyActions, IgnoreCaseAndTakeWildcards) {
  struct Case {
    const char* pattern;
    const char* action;
    bool matches;
  };
  constexpr Case cases[] = {
      {"*", "ec2:RunInstances", true},
      {"*:*", "ec2:RunInstances", true},
      {"ec2:*", "ec2:RunInstances", true},
      {"ec2:*", "s3:GetObject", false},
      {"ec2:RunInstances", "ec2:RunInstances", true},
      {"EC2:runinstances", "ec2:RunInstances", true},
      {"ec2:Run", "ec2:RunInstances", false},
      {"ec2:RunInstancesX", "ec2:RunInstances", false},
      {"ec2:Describe*", "ec2:DescribeTags", true},
      {"ec2:Describe*", "ec2:Describe", true},
      {"ec2:Describe*", "ec2:DescribTags", false},
      {"ec2:*Tags", "ec2:CreateTags", true},
      {"ec2:*Tags", "ec2:CreateTagsets", false},
      {"ec2:De*Tag?", "ec2:DeleteTags", true},
      {"ec2:De*Tag?", "ec2:DeleteTag", false},
      {"ec2:?reateTags", "ec2:CreateTags", true},
      {"elasticloadbalancing:*", "elasticloadbalancing:DescribeTags", true},
      {"ec2-instance-connect:*", "ec2:DescribeTags", false},
  };
  for (const auto& [pattern, action, matches] : cases)
    EXPECT_EQ(allows(document(allow(pattern)), action), matches) << pattern << " and " << action;
}

TEST(PolicyActions, NotActionIsEverythingElse) {
  const auto text = document(R"({"Effect":"Allow","NotAction":["iam:*","ec2:Run*"],"Resource":"*"})");
  EXPECT_TRUE(allows(text, "ec2:DescribeInstances"));
  EXPECT_TRUE(allows(text, "s3:GetObject"));
  EXPECT_FALSE(allows(text, "ec2:runInstances"));
  EXPECT_FALSE(allows(text, "iam:ListUsers"));
  EXPECT_FALSE(allows(document(R"({"Effect":"Allow","NotAction":"*","Resource":"*"})"), "ec2:DescribeInstances"));
}

TEST(PolicyActions, OfAnyLengthAreCompared) {
  const std::string odd = "ec2:" + std::string(500, 'a');
  EXPECT_TRUE(allows(document(allow("*")), odd));
  EXPECT_FALSE(allows(document(allow("ec2:a")), odd));
  EXPECT_FALSE(allows(document(allow("ec2:*")), "nocolon"));
}

struct ResourceCase {
  const char* pattern;
  const char* resource;
  bool matches;
};

TEST(PolicyResources, AreComparedPartByPart) {
  constexpr ResourceCase cases[] = {
      {"*", "arn:aws:ec2:us-east-1:111111111111:instance/i-1", true},
      {"*", "", true},
      {"arn:aws:ec2:*:*:instance/*", "", false},
      {"arn:aws:ec2:us-east-1:111111111111:instance/i-1", "arn:aws:ec2:us-east-1:111111111111:instance/i-1", true},
      {"arn:aws:ec2:us-east-1:111111111111:instance/i-1", "arn:aws:ec2:us-east-1:111111111111:instance/I-1", false},
      {"arn:aws:ec2:us-east-1:111111111111:instance/i-1", "arn:aws:ec2:us-east-1:111111111111:instance/i-11", false},
      {"arn:aws:ec2:*:111111111111:instance/*", "arn:aws:ec2:us-east-1:111111111111:instance/i-1", true},
      {"arn:aws:ec2:*:111111111111:instance/*", "arn:aws:ec2:us-east-1:222222222222:instance/i-1", false},
      {"arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:us-east-1:111111111111:volume/v-1", false},
      {"arn:aws:ec2:us-*:*:instance/i-?", "arn:aws:ec2:us-east-1:111111111111:instance/i-1", true},
      {"arn:aws:ec2:us-*:*:instance/i-?", "arn:aws:ec2:us-east-1:111111111111:instance/i-12", false},
      // What is to be made is allowed by a pattern for all of its type, not by one for a single one.
      {"arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:us-east-1:111111111111:instance/*", true},
      {"arn:aws:ec2:*:*:instance/i-1", "arn:aws:ec2:us-east-1:111111111111:instance/*", false},
      // No "*" inside reaches over a colon between parts.
      {"arn:aws:ec2:*:x:instance/i-1", "arn:aws:ec2:us-east-1:111111111111:x:instance/i-1", false},
      {"arn:aws:s3:::*/secret", "arn:aws:s3:us-east-1::b/secret", false},
      // One at the end does.
      {"arn:aws:ec2:*", "arn:aws:ec2:us-east-1:111111111111:instance/i-1", true},
      {"arn:aws:ec2:us-east-1:1*", "arn:aws:ec2:us-east-1:111111111111:instance/i-1", true},
      {"arn:aws:ec2:us-east-1:2*", "arn:aws:ec2:us-east-1:111111111111:instance/i-1", false},
      {"arn:aws:ec2:*", "arn:aws:s3:::b", false},
      // "*" passes "/", and colons of the last part.
      {"arn:aws:s3:::b/*/x", "arn:aws:s3:::b/1/2/x", true},
      {"arn:aws:s3:::b/*", "arn:aws:s3:::b", false},
      {"arn:aws:s3:::b*", "arn:aws:s3:::bb/1", true},
      {"arn:aws:logs:*:*:log-group:/x:*", "arn:aws:logs:us-east-1:111111111111:log-group:/x:log-stream:y", true},
      {"arn:*:s3:::b", "arn:aws-cn:s3:::b", true},
      // Characters, not bytes.
      {"arn:aws:s3:::b/?", "arn:aws:s3:::b/\xc3\xa4", true},
      {"arn:aws:s3:::b/??", "arn:aws:s3:::b/\xc3\xa4", false},
      {"arn:aws:s3:::b/*?", "arn:aws:s3:::b/\xe2\x82\xac", true},
      {"arn:aws:s3:::b/*?x", "arn:aws:s3:::b/x", false},
      {"arn:aws:s3:::b/**", "arn:aws:s3:::b/x", true},
      {"arn:aws:s3:::b/*a*b", "arn:aws:s3:::b/ab", true},
      {"arn:aws:s3:::b/*ab*ab", "arn:aws:s3:::b/ab", false},
      {"arn:aws:s3:::b/a*a", "arn:aws:s3:::b/a", false},
      {"arn:aws:s3:::b/*a?c*d", "arn:aws:s3:::b/aacabcd", true},
      {"arn:aws:s3:::b/*a?c", "arn:aws:s3:::b/abcabc", true},
  };
  for (const auto& [pattern, resource, matches] : cases)
    EXPECT_EQ(allows(document(allow("*", pattern)), "ec2:X", resource), matches) << pattern << " and " << resource;
}

TEST(PolicyResources, NotResourceIsEverythingElse) {
  const auto text = document(R"({"Effect":"Allow","Action":"*","NotResource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]})");
  EXPECT_TRUE(allows(text, "s3:GetObject", "arn:aws:s3:::c/x"));
  EXPECT_FALSE(allows(text, "s3:GetObject", "arn:aws:s3:::b/x"));
  EXPECT_FALSE(allows(document(R"({"Effect":"Allow","Action":"*","NotResource":"*"})"), "s3:GetObject", "arn:aws:s3:::b/x"));
}

TEST(PolicyResources, WildcardsTakeLinearTime) {
  std::string pattern = "arn:aws:s3:::b/";
  for (int i = 0; i < 1'000; ++i) pattern += "*a";
  const auto policy =
      parsed(document(allow("s3:*", pattern + "*b*") + "," + allow("s3:*", pattern + "?c") + "," + allow("s3:*", pattern + "?*c")));
  const std::string resource = "arn:aws:s3:::b/" + std::string(100'000, 'a');
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(decided(*policy, "s3:GetObject", {resource}).allowed());
  // A naive matcher needs longer than the universe has; this one some milliseconds.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(PolicyVariables, StandForValuesOfTheRequest) {
  const Keys keys{{"aws:username", {"alice"}},
                  {"aws:principaltag/team", {"red"}},
                  {"aws:tagkeys", {"a", "b"}},
                  {"aws:userid", {"AROAX:s"}},
                  {"aws:odd", {"*"}}};
  const std::pair<const char*, const char*> equal[] = {
      {"${aws:username}", "alice"},
      {"${AWS:UserName}", "alice"},
      {"x${aws:username}y/*", "xalicey/z"},
      {"${aws:PrincipalTag/team}/${aws:username}", "red/alice"},
      {"${aws:PrincipalTag/none, 'blue'}", "blue"},
      {"${aws:PrincipalTag/team, 'blue'}", "red"},
      {"${aws:none, ''}x", "x"},
      {"${aws:userid}", "AROAX:s"},
      {"${*}${?}${$}", "*?$"},
      {"*${aws:username}", "x/alice"},
      {"*${aws:username}*e", "aliceX/alice/e"},
      {"$aws:username", "$aws:username"},
  };
  for (const auto& [pattern, name] : equal)
    EXPECT_TRUE(allows(document(allow("*", std::string("arn:aws:s3:::b/") + pattern)), "s3:X", std::string("arn:aws:s3:::b/") + name, keys))
        << pattern;
  const std::pair<const char*, const char*> different[] = {
      {"${aws:username}", "bob"},
      {"${aws:username}", "${aws:username}"},
      {"${aws:none}", ""},
      {"${aws:none}*", "x"},
      {"${aws:tagkeys}", "a"},  // it has two values
      {"${*}", "x"},
      {"${aws:odd}", "x"},  // a value's "*" is only a character
  };
  for (const auto& [pattern, name] : different)
    EXPECT_FALSE(
        allows(document(allow("*", std::string("arn:aws:s3:::b/") + pattern)), "s3:X", std::string("arn:aws:s3:::b/") + name, keys))
        << pattern;
}

TEST(PolicyVariables, AreNotThereInTheOldVersion) {
  const auto old = [](const std::string& resource) { return R"({"Version":"2008-10-17","Statement":)" + allow("*", resource) + "}"; };
  const Keys keys{{"aws:username", {"alice"}}};
  EXPECT_FALSE(allows(old("arn:aws:s3:::b/${aws:username}"), "s3:X", "arn:aws:s3:::b/alice", keys));
  EXPECT_TRUE(allows(old("arn:aws:s3:::b/${username}"), "s3:X", "arn:aws:s3:::b/${username}", keys));
}

TEST(PolicyVariables, WithoutValueMakeNothingMatch) {
  const auto text = document(R"({"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::b/${aws:username}"})");
  EXPECT_FALSE(allows(text, "s3:X", "arn:aws:s3:::c/x"));
  EXPECT_TRUE(allows(text, "s3:X", "arn:aws:s3:::c/x", {{"aws:username", {"alice"}}}));
  const auto condition =
      document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:userid":"${aws:username}"}}})");
  EXPECT_FALSE(allows(condition, "s3:X", "", {{"aws:userid", {"u"}}}));
  EXPECT_TRUE(allows(condition, "s3:X", "", {{"aws:userid", {"u"}}, {"aws:username", {"alice"}}}));
  // The other values of a list are not concerned.
  const auto list = document(R"({"Effect":"Allow","Action":"*","Resource":["arn:aws:s3:::b/${aws:username}","arn:aws:s3:::c/*"]})");
  EXPECT_TRUE(allows(list, "s3:X", "arn:aws:s3:::c/x"));
}

}  // namespace
}  // namespace brume::policy
