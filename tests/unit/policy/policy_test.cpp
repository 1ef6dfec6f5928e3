// Which documents are taken, and in which words the others are refused.
#include "policy/policy.hpp"

#include "policy/document_text.hpp"
#include "policy_cases.hpp"

namespace brume::policy {
namespace {

constexpr const char* syntax_error = "Syntax errors in policy.";

TEST(PolicyDocument, IsRefusedInTheWordsOfAws) {
  const auto with = [](const std::string& statement) { return document(statement); };
  const std::pair<std::string, std::string> cases[] = {
      {"", "This policy contains invalid Json"},
      {"{", "This policy contains invalid Json"},
      {document(allow("ec2:*")) + "x", "This policy contains invalid Json"},
      {R"({"Statement":[],"Statement":[]})", "This policy contains invalid Json"},
      {R"({"Statement":{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}})", "This policy contains invalid Json"},
      {R"({"Statement":{"\u0045ffect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}})", "This policy contains invalid Json"},
      {"{\"Statement\":\"\xff\"}", "This policy contains invalid Json"},
      {"[]", syntax_error},
      {"null", syntax_error},
      {"{}", "Missing required field Statement"},
      {R"({"Statement":[]})", syntax_error},
      {R"({"Statement":"x"})", syntax_error},
      {R"({"Statement":[1]})", syntax_error},
      {R"({"Version":"2011-01-01","Statement":[]})", syntax_error},
      {R"({"Version":20121017,"Statement":[]})", syntax_error},
      {R"({"Versoin":"2012-10-17","Statement":[]})", syntax_error},
      {with(R"({"Action":"*","Resource":"*"})"), "Missing required field Effect"},
      {with(R"({"Effect":"allow","Action":"*","Resource":"*"})"), "Invalid effect: allow"},
      {with(R"({"Effect":"Allow","Resource":"*"})"), "Policy statement must contain actions."},
      {with(R"({"Effect":"Allow","Action":[],"Resource":"*"})"), "Policy statement must contain actions."},
      {with(R"({"Effect":"Allow","Action":"*"})"), "Policy statement must contain resources."},
      {with(R"({"Effect":"Allow","Action":"*","Resource":[]})"), "Policy statement must contain resources."},
      {with(R"({"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"})"), syntax_error},
      {with(R"({"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"})"), syntax_error},
      {with(R"({"Effect":"Allow","Action":"*","Resource":"*","Comment":"*"})"), syntax_error},
      {with(R"({"Effect":"Allow","Action":"*","Resource":{}})"), syntax_error},
      {with(R"({"Effect":"Allow","Action":[["*"]],"Resource":"*"})"), syntax_error},
      {with(R"({"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"})"),
       "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
      {with(R"({"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"})"),
       "Statement IDs (SID) in a single policy must be unique."},
      {with(R"({"Principal":"*","Effect":"Allow","Action":"*","Resource":"*"})"), "Policy document should not specify a principal."},
      {with(R"({"NotPrincipal":"*","Effect":"Allow","Action":"*","Resource":"*"})"), "Policy document should not specify a principal."},
      {with(allow("RunInstances")), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
      {with(allow("ec2:a:b")), "Actions/Condition can contain only one colon."},
      {with(allow("e*:RunInstances")), "Vendor e* is not valid"},
      {with(allow(":RunInstances")), "Vendor  is not valid"},
      {with(allow("*:RunInstances")), "Vendor * is not valid"},
      {with(allow("ec2:")), syntax_error},
      {with(allow("ec2:Run Instances")), syntax_error},
      {with(allow("ec2:*", "i-1")), "Resource i-1 must be in ARN format or \"*\"."},
      {with(allow("ec2:*", "arn:aws:ec2:us-east-1")), "Resource arn:aws:ec2:us-east-1 must be in ARN format or \"*\"."},
      {with(allow("ec2:*", "${aws:username}")), "Resource ${aws:username} must be in ARN format or \"*\"."},
      {with(allow("ec2:*", "arn::ec2:::x")), "Partition \"\" is not valid for resource \"arn::ec2:::x\"."},
      {with(allow("ec2:*", "arn:aws:*:::x")), "Resource vendor must be fully qualified and cannot contain regexes."},
      {with(allow("ec2:*", "arn:aws:s*")), "Resource vendor must be fully qualified and cannot contain regexes."},
      {with(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":[]})"), syntax_error},
      {with(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":"x"}})"), syntax_error},
      {with(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:a":{}}}})"), syntax_error},
      {with(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:a":null}}})"), syntax_error},
      {with(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringSame":{"aws:a":"x"}}})"),
       "Invalid Condition type : StringSame."},
      {with(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"a":"x"}}})"),
       "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
  };
  for (const auto& [text, sentence] : cases) EXPECT_EQ(refusal(text), sentence) << text;
}

TEST(PolicyDocument, TakesAListOrOne) {
  EXPECT_EQ(parsed(R"({"Statement":{"Effect":"Allow","Action":["ec2:*","s3:Get*"],"Resource":["*"]}})")->statements().size(), 1U);
  EXPECT_EQ(parsed(document(allow("*") + "," + deny("*:*")))->statements().size(), 2U);
  EXPECT_EQ(parsed(R"({"Id":"x","Version":"2008-10-17","Statement":[)" + allow("ec2:*") + "]}")->statements().size(), 1U);
  EXPECT_EQ(refusal(document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{}})")), "taken");
  EXPECT_EQ(
      refusal(document(
          R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"aws:MultiFactorAuthAge":3600},"Bool":{"aws:SecureTransport":true}}})")),
      "taken");
}

TEST(PolicyDocument, OfAResourceAndOfARoleNamePrincipals) {
  const auto resource = [](const std::string& principal) {
    return document(R"({"Effect":"Allow","Principal":)" + principal + R"(,"Action":"s3:*","Resource":"*"})");
  };
  for (const auto* good :
       {R"("*")", R"({"AWS":"*"})", R"({"AWS":["111111111111","arn:aws:iam::111111111111:root","arn:aws:iam::111111111111:user/a/b"]})",
        R"({"AWS":"arn:aws:sts::111111111111:assumed-role/r/s"})", R"({"AWS":"AIDAALICEALICEALICE1"})",
        R"({"Service":"ec2.amazonaws.com","Federated":"accounts.google.com","CanonicalUser":"79a5"})"})
    EXPECT_EQ(refusal(resource(good), Kind::resource), "taken") << good;
  const std::pair<const char*, const char*> bad[] = {
      {R"("alice")", "Invalid principal in policy: \"alice\""},
      {R"({"AWS":"alice"})", "Invalid principal in policy: \"AWS\":\"alice\""},
      {R"({"AWS":"1"})", "Invalid principal in policy: \"AWS\":\"1\""},
      {R"({"AWS":"arn:aws:iam::111111111111:user/*"})", "Invalid principal in policy: \"AWS\":\"arn:aws:iam::111111111111:user/*\""},
      {R"({"AWS":"arn:aws:iam::1:user/a"})", "Invalid principal in policy: \"AWS\":\"arn:aws:iam::1:user/a\""},
      {R"({"AWS":"arn:aws:iam::111111111111:group/a"})", "Invalid principal in policy: \"AWS\":\"arn:aws:iam::111111111111:group/a\""},
      {R"({"Azure":"x"})", "Invalid principal in policy: \"Azure\":\"x\""},
      {R"({"Service":""})", "Invalid principal in policy: \"Service\":\"\""},
      {R"({})", syntax_error},
      {R"([])", syntax_error},
  };
  for (const auto& [principal, sentence] : bad) EXPECT_EQ(refusal(resource(principal), Kind::resource), sentence) << principal;
  EXPECT_EQ(refusal(document(allow("s3:*")), Kind::resource), "Missing required field Principal");
  EXPECT_EQ(refusal(document(R"({"Effect":"Allow","Principal":"*","Action":"s3:*"})"), Kind::resource),
            "Policy statement must contain resources.");

  const auto trust = [](const std::string& rest) { return document(R"({"Effect":"Allow",)" + rest + "}"); };
  EXPECT_EQ(refusal(trust(R"("Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole")"), Kind::trust), "taken");
  EXPECT_EQ(refusal(trust(R"("Action":"sts:AssumeRole")"), Kind::trust), "Missing required field Principal");
  EXPECT_EQ(refusal(trust(R"("Principal":"*","Action":"sts:AssumeRole","Resource":"*")"), Kind::trust), "Has prohibited field Resource");
  EXPECT_EQ(refusal(trust(R"("Principal":"*","Action":"ec2:RunInstances")"), Kind::trust),
            "AssumeRole policy may only specify STS AssumeRole actions.");
  EXPECT_EQ(refusal(trust(R"("Principal":"*","NotAction":"sts:GetCallerIdentity")"), Kind::trust),
            "AssumeRole policy may only specify STS AssumeRole actions.");
}

TEST(PolicyDocument, IsBounded) {
  EXPECT_EQ(parse_policy(std::string(10'000'000, ' '), Kind::identity).error().kind, ErrorKind::exhausted);
  EXPECT_EQ(refusal(document(allow("ec2:*")), Kind::identity, {10, 10, 10}), "Cannot exceed quota for PolicySize: 10");
  std::string many = allow("ec2:*");
  for (int i = 1; i < 10'000; ++i) many += "," + allow("ec2:*");
  EXPECT_EQ(refusal(document(many), Kind::identity, {1'000'000, 1'000, 16}), "Cannot exceed quota for StatementsPerPolicy: 1000");
  EXPECT_EQ(parse_policy(document(many), Kind::identity, {1'000'000, 10'000, 16}).value()->statements().size(), 10'000U);
  const std::string deep(400'000, '[');
  EXPECT_EQ(refusal(deep, Kind::identity, {1'000'000, 1'000, 16}), "This policy contains invalid Json");
  EXPECT_EQ(refusal(R"({"Statement":)" + std::string(14, '[') + std::string(14, ']') + "}"), syntax_error);
  EXPECT_EQ(refusal(R"({"Statement":)" + std::string(17, '[') + std::string(17, ']') + "}"), "This policy contains invalid Json");
  // 10 MB of one list of actions, when a caller allows it.
  std::string actions = R"("ec2:RunInstances")";
  while (actions.size() < 10'000'000) actions += R"(,"ec2:Describe*","s3:Get?bject")";
  const auto large = R"({"Statement":{"Effect":"Allow","Action":[)" + actions + R"(],"Resource":"*"}})";
  EXPECT_EQ(refusal(large, Kind::identity, {11'000'000, 1'000, 16}), "taken");
}

TEST(PolicyDocument, ListsItsContextKeys) {
  const auto policy = parsed(
      document(R"({"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}/${aws:PrincipalTag/team, 'none'}/${*}",)"
               R"("Condition":{"StringEquals":{"aws:RequestTag/a":"${aws:userid}"},"Bool":{"AWS:SecureTransport":"true"}}},)"
               R"({"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:securetransport":"false"}}})"));
  EXPECT_EQ(policy->context_keys(),
            (std::vector<std::string>{"aws:username", "aws:PrincipalTag/team", "aws:RequestTag/a", "aws:userid", "AWS:SecureTransport"}));
  const auto old = parsed(R"({"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"}})");
  EXPECT_TRUE(old->context_keys().empty());
}

// OPS-074
TEST(PolicyDocument, GuideExamples) {
  const std::string some =
      R"({"Statement":[{"Effect":"Allow","Action":["ec2:DescribeInstances","ec2:RunInstances","ec2:StopInstances"],"Resource":"*"}]})";
  EXPECT_TRUE(allows(some, "ec2:RunInstances"));
  EXPECT_TRUE(allows(some, "ec2:StopInstances", "arn:aws:ec2:us-east-1:111111111111:instance/i-1"));
  EXPECT_FALSE(allows(some, "ec2:TerminateInstances"));
  const std::string reading = R"({"Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}]})";
  EXPECT_TRUE(allows(reading, "ec2:DescribeWhatCameLater"));
  EXPECT_FALSE(allows(reading, "ec2:RunInstances"));
}

TEST(PolicyText, IsCountedWithoutWhiteSpace) {
  EXPECT_EQ(counted_size(" { \n\t\"a\" : \"b c\" }\r\n"), 10U);
  EXPECT_EQ(counted_size("\"\xc3\xa4\""), 3U);
}

TEST(PolicyText, KnowsWhereStatementsStand) {
  const std::string text =
      "{\"Id\":\"Statement\",\"Statement\":[\n  {\"Sid\":\"}\\\"{\",\"Condition\":{}},\n  {\"Effect\":\"Allow\"}],\n \"Version\":\"x\"}";
  const auto places = statement_places(text);
  ASSERT_EQ(places.size(), 2U);
  EXPECT_EQ(text.substr(places[0].begin, places[0].end - places[0].begin), "{\"Sid\":\"}\\\"{\",\"Condition\":{}}");
  EXPECT_EQ(text.substr(places[1].begin, places[1].end - places[1].begin), "{\"Effect\":\"Allow\"}");
  EXPECT_EQ(places[1].begin_line, 3U);
  EXPECT_EQ(places[1].begin_column, 3U);
  EXPECT_EQ(places[1].end_line, 3U);
  const auto single = statement_places("{\"Statement\":{\"a\":{}}}");
  ASSERT_EQ(single.size(), 1U);
  EXPECT_EQ(single[0].begin, 13U);
}

}  // namespace
}  // namespace brume::policy
