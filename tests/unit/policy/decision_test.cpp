// Who decides: identity policies, boundary, session and the resource's own policy, in one and in two accounts.
#include "policy_cases.hpp"

namespace brume::policy {
namespace {

constexpr const char* bucket = "arn:aws:s3:::b";

// Documents of each source; empty: none.
struct Setting {
  std::string identity, boundary, session, resource;
  bool resource_must_allow = false;
};

Decision decide_in(const Setting& setting, const Principal& principal, std::string_view account = home_account,
                   const std::string& action = "s3:GetObject") {
  std::vector<std::shared_ptr<const Policy>> kept;
  const auto list = [&](const std::string& text, Kind kind) {
    std::vector<const Policy*> found;
    if (!text.empty()) found.push_back(kept.emplace_back(parsed(text, kind)).get());
    return found;
  };
  const auto identity = list(setting.identity, Kind::identity);
  const auto boundary = list(setting.boundary, Kind::identity);
  const auto session = list(setting.session, Kind::identity);
  const auto resource = list(setting.resource, setting.resource_must_allow ? Kind::trust : Kind::resource);
  Policies policies;
  policies.identity = identity;
  policies.boundary = boundary.empty() ? nullptr : boundary[0];
  policies.session = session;
  policies.has_session = !session.empty();
  policies.resource = resource;
  policies.resource_must_allow = setting.resource_must_allow;
  const FakeFacts facts({bucket}, {});
  return decide({principal, action, account, facts}, policies);
}

std::string granting(const std::string& principal, const std::string& effect = "Allow", const std::string& element = "Principal") {
  return document(R"({"Effect":")" + effect + R"(",")" + element + R"(":)" + principal + R"(,"Action":"s3:*","Resource":"*"})");
}
std::string trusting(const std::string& principal) {
  return document(R"({"Effect":"Allow","Principal":)" + principal + R"(,"Action":"sts:AssumeRole"})");
}

Principal root() {
  Principal principal;
  principal.type = PrincipalType::root;
  principal.arn = "arn:aws:iam::111111111111:root";
  principal.account = home_account;
  return principal;
}
Principal session_of_role() {
  Principal principal;
  principal.type = PrincipalType::role_session;
  principal.arn = "arn:aws:sts::111111111111:assumed-role/builder/s";
  principal.source_arn = "arn:aws:iam::111111111111:role/builder";
  principal.account = home_account;
  return principal;
}
Principal federated() {
  Principal principal;
  principal.type = PrincipalType::federated_user;
  principal.arn = "arn:aws:sts::111111111111:federated-user/bob";
  principal.source_arn = "arn:aws:iam::111111111111:user/alice";
  principal.account = home_account;
  return principal;
}
Principal named_only(PrincipalType type, std::string_view name) {
  Principal principal;
  principal.type = type;
  principal.name = name;
  return principal;
}

const std::string yes = document(allow("s3:*"));
const std::string no = document(deny("s3:*"));
const std::string other = document(allow("ec2:*"));
const std::string by_alice = R"({"AWS":"arn:aws:iam::111111111111:user/alice"})";
const std::string by_role = R"({"AWS":"arn:aws:iam::111111111111:role/builder"})";
const std::string by_session = R"({"AWS":"arn:aws:sts::111111111111:assumed-role/builder/s"})";
const std::string by_account = R"({"AWS":"111111111111"})";

struct DecisionCase {
  const char* what;
  Principal principal;
  Setting setting;
  Outcome outcome;
  Source source;
};

void check(const std::vector<DecisionCase>& cases, std::string_view account) {
  for (const auto& each : cases) {
    const auto action = each.setting.resource_must_allow ? "sts:AssumeRole" : "s3:GetObject";
    const auto decision = decide_in(each.setting, each.principal, account, action);
    EXPECT_EQ(decision.outcome, each.outcome) << each.what;
    EXPECT_EQ(decision.source, each.source) << each.what;
  }
}

TEST(PolicyDecision, InOneAccount) {
  constexpr auto allowed = Outcome::allowed, denied = Outcome::explicitly_denied, silent = Outcome::not_allowed;
  check(
      {
          {"nothing", alice(), {}, silent, Source::identity},
          {"identity", alice(), {yes, "", "", ""}, allowed, Source::identity},
          {"another action", alice(), {other, "", "", ""}, silent, Source::identity},
          {"deny", alice(), {no, "", "", ""}, denied, Source::identity},
          {"deny beside allow", alice(), {document(allow("*") + "," + deny("s3:Get*")), "", "", ""}, denied, Source::identity},
          {"boundary too", alice(), {yes, yes, "", ""}, allowed, Source::identity},
          {"boundary silent", alice(), {yes, other, "", ""}, silent, Source::boundary},
          {"boundary alone gives nothing", alice(), {"", yes, "", ""}, silent, Source::identity},
          {"boundary denies", alice(), {yes, no, "", ""}, denied, Source::boundary},
          {"session too", session_of_role(), {yes, "", yes, ""}, allowed, Source::identity},
          {"session silent", session_of_role(), {yes, "", other, ""}, silent, Source::session},
          {"session denies", session_of_role(), {yes, "", no, ""}, denied, Source::session},
          {"session alone gives nothing", session_of_role(), {"", "", yes, ""}, silent, Source::identity},
          {"role without session policy", session_of_role(), {yes, "", "", ""}, allowed, Source::identity},
          {"federated without session policy", federated(), {yes, "", "", ""}, silent, Source::session},
          {"federated with one", federated(), {yes, "", yes, ""}, allowed, Source::identity},
          {"root", root(), {}, allowed, Source::none},
          {"root that the resource denies", root(), {"", "", "", granting("\"*\"", "Deny")}, denied, Source::resource},
      },
      home_account);
}

TEST(PolicyDecision, AResourcesPolicyGivesInItsOwnAccount) {
  constexpr auto allowed = Outcome::allowed, denied = Outcome::explicitly_denied, silent = Outcome::not_allowed;
  check(
      {
          {"resource names the user", alice(), {"", "", "", granting(by_alice)}, allowed, Source::resource},
          {"… whom the boundary does not limit", alice(), {"", other, "", granting(by_alice)}, allowed, Source::resource},
          {"… but a deny does", alice(), {no, "", "", granting(by_alice)}, denied, Source::identity},
          {"resource denies", alice(), {yes, "", "", granting(by_alice, "Deny")}, denied, Source::resource},
          {"resource names another", session_of_role(), {"", "", "", granting(by_alice)}, silent, Source::identity},
          {"resource names the session", session_of_role(), {"", other, other, granting(by_session)}, allowed, Source::resource},
          {"resource names the role", session_of_role(), {"", "", "", granting(by_role)}, allowed, Source::resource},
          {"… whom the boundary limits", session_of_role(), {"", other, "", granting(by_role)}, silent, Source::boundary},
          {"… and the session", session_of_role(), {"", "", other, granting(by_role)}, silent, Source::session},
          {"… both allow", session_of_role(), {"", yes, yes, granting(by_role)}, allowed, Source::resource},
          {"resource names the account only", alice(), {"", "", "", granting(by_account)}, silent, Source::identity},
          {"… and identity allows", alice(), {yes, "", "", granting(by_account)}, allowed, Source::identity},
          {"resource denies the account", alice(), {yes, "", "", granting(by_account, "Deny")}, denied, Source::resource},
          {"resource names everyone", alice(), {"", "", "", granting("\"*\"")}, allowed, Source::resource},
          {"resource names the federated user",
           federated(),
           {"", "", "", granting(R"({"AWS":"arn:aws:sts::111111111111:federated-user/bob"})")},
           allowed,
           Source::resource},
          {"resource names the user behind", federated(), {"", "", "", granting(by_alice)}, silent, Source::session},
          {"unique id", alice(), {"", "", "", granting(R"({"AWS":"AIDAALICEALICEALICE1"})")}, allowed, Source::resource},
          {"an older user's unique id", alice(), {"", "", "", granting(R"({"AWS":"AIDAALICEALICEALICE2"})")}, silent, Source::identity},
          {"nobody", named_only(PrincipalType::anonymous, ""), {yes, "", "", ""}, silent, Source::resource},
          {"nobody, and everyone may",
           named_only(PrincipalType::anonymous, ""),
           {"", "", "", granting(R"({"AWS":"*"})")},
           allowed,
           Source::resource},
          {"a service",
           named_only(PrincipalType::service, "sns.amazonaws.com"),
           {"", "", "", granting(R"({"Service":"sns.amazonaws.com"})")},
           allowed,
           Source::resource},
          {"another service",
           named_only(PrincipalType::service, "sqs.amazonaws.com"),
           {"", "", "", granting(R"({"Service":"sns.amazonaws.com"})")},
           silent,
           Source::resource},
      },
      home_account);
}

TEST(PolicyDecision, AcrossAccountsBothSidesAllow) {
  constexpr auto allowed = Outcome::allowed, denied = Outcome::explicitly_denied, silent = Outcome::not_allowed;
  check(
      {
          {"identity alone", alice(), {yes, "", "", ""}, silent, Source::resource},
          {"resource alone", alice(), {"", "", "", granting(by_alice)}, silent, Source::identity},
          {"both", alice(), {yes, "", "", granting(by_alice)}, allowed, Source::identity},
          {"both, by the account", alice(), {yes, "", "", granting(by_account)}, allowed, Source::identity},
          {"everyone", alice(), {"", "", "", granting("\"*\"")}, silent, Source::identity},
          {"boundary", alice(), {yes, other, "", granting(by_alice)}, silent, Source::boundary},
          {"session", session_of_role(), {yes, "", other, granting(by_session)}, silent, Source::session},
          {"deny here", alice(), {no, "", "", granting(by_alice)}, denied, Source::identity},
          {"deny there", alice(), {yes, "", "", granting(by_alice, "Deny")}, denied, Source::resource},
          {"the root of another account", root(), {}, silent, Source::resource},
          {"… that was let in", root(), {"", "", "", granting(by_account)}, allowed, Source::resource},
      },
      "222222222222");
}

TEST(PolicyDecision, ARoleIsAssumedIfItsTrustSaysSo) {
  const auto assume = document(allow("sts:AssumeRole"));
  const std::vector<DecisionCase> cases = {
      {"identity alone",
       alice(),
       {assume, "", "", trusting(R"({"Service":"ec2.amazonaws.com"})"), true},
       Outcome::not_allowed,
       Source::resource},
      {"named", alice(), {"", "", "", trusting(by_alice), true}, Outcome::allowed, Source::resource},
      {"its account is named", alice(), {"", "", "", trusting(by_account), true}, Outcome::not_allowed, Source::identity},
      {"… and its policy allows", alice(), {assume, "", "", trusting(by_account), true}, Outcome::allowed, Source::identity},
      {"root, not trusted", root(), {"", "", "", trusting(by_alice), true}, Outcome::not_allowed, Source::resource},
      {"root, trusted", root(), {"", "", "", trusting(by_account), true}, Outcome::allowed, Source::resource},
      {"a service",
       named_only(PrincipalType::service, "ec2.amazonaws.com"),
       {"", "", "", trusting(R"({"Service":["x","ec2.amazonaws.com"]})"), true},
       Outcome::allowed,
       Source::resource},
      {"a web identity",
       named_only(PrincipalType::web_identity, "accounts.google.com"),
       {"", "", "", trusting(R"({"Federated":"accounts.google.com"})"), true},
       Outcome::allowed,
       Source::resource},
      {"another provider's",
       named_only(PrincipalType::web_identity, "example.com"),
       {"", "", "", trusting(R"({"Federated":"accounts.google.com"})"), true},
       Outcome::not_allowed,
       Source::resource},
  };
  check(cases, home_account);
}

TEST(PolicyDecision, NotPrincipalLeavesOutWhoIsNamedHimself) {
  const auto denying = [](const std::string& principal) { return granting(principal, "Deny", "NotPrincipal"); };
  const auto outcome = [&](const std::string& policy, const Principal& principal) {
    return decide_in({yes, "", "", policy}, principal).outcome;
  };
  EXPECT_EQ(outcome(denying(by_alice), alice()), Outcome::allowed);
  EXPECT_EQ(outcome(denying(by_account), alice()), Outcome::explicitly_denied);
  EXPECT_EQ(outcome(denying(by_account), root()), Outcome::allowed);
  EXPECT_EQ(outcome(denying(by_role), session_of_role()), Outcome::explicitly_denied);
  EXPECT_EQ(outcome(denying(R"({"AWS":["arn:aws:iam::111111111111:role/builder","arn:aws:sts::111111111111:assumed-role/builder/s"]})"),
                    session_of_role()),
            Outcome::allowed);
  EXPECT_EQ(outcome(denying(by_alice), session_of_role()), Outcome::explicitly_denied);
  const auto granted = granting(by_account, "Allow", "NotPrincipal");
  EXPECT_EQ(decide_in({"", "", "", granted}, alice()).outcome, Outcome::not_allowed);
  EXPECT_EQ(decide_in({"", "", "", granting(by_role, "Allow", "NotPrincipal")}, alice()).outcome, Outcome::allowed);
}

TEST(PolicyDecision, AllResourcesMustBeAllowed) {
  const auto policy = parsed(document(allow("ec2:RunInstances", "arn:aws:ec2:*:*:instance/*") + "," +
                                      allow("ec2:RunInstances", "arn:aws:ec2:*::image/ami-1") + "," +
                                      deny("ec2:RunInstances", "arn:aws:ec2:*:*:subnet/subnet-9")));
  const std::string instance = "arn:aws:ec2:us-east-1:111111111111:instance/*", image = "arn:aws:ec2:us-east-1::image/ami-1",
                    other_image = "arn:aws:ec2:us-east-1::image/ami-2", subnet = "arn:aws:ec2:us-east-1:111111111111:subnet/subnet-9";
  EXPECT_TRUE(decided(*policy, "ec2:RunInstances", {instance, image}).allowed());
  const auto silent = decided(*policy, "ec2:RunInstances", {instance, other_image, image});
  EXPECT_EQ(silent.outcome, Outcome::not_allowed);
  EXPECT_EQ(silent.resource, 1U);
  const auto denied = decided(*policy, "ec2:RunInstances", {other_image, instance, subnet});
  EXPECT_EQ(denied.outcome, Outcome::explicitly_denied);
  EXPECT_EQ(denied.resource, 2U);
  EXPECT_EQ(denied.statement, 2U);
}

TEST(PolicyDecision, AsksForResourcesOnlyIfAStatementNeedsThem) {
  const auto policy = parsed(document(allow("ec2:Describe*") + "," + allow("s3:*", "arn:aws:s3:::b")));
  const FakeFacts facts({"arn:aws:ec2:us-east-1:111111111111:instance/i-1"}, {});
  const auto principal = alice();
  const Policy* list[] = {policy.get()};
  Policies policies;
  policies.identity = list;
  EXPECT_TRUE(decide({principal, "ec2:DescribeInstances", home_account, facts}, policies).allowed());
  EXPECT_FALSE(decide({principal, "ec2:RunInstances", home_account, facts}, policies).allowed());
  EXPECT_EQ(facts.asked, 0);
  EXPECT_FALSE(decide({principal, "s3:GetObject", home_account, facts}, policies).allowed());
  EXPECT_EQ(facts.asked, 1);
}

TEST(PolicyExplanation, ShowsEveryStatementThatMatchedAndWhatWasMissing) {
  const auto policy = parsed(document(
      allow("s3:*") +
      R"(,{"Effect":"Allow","Action":"s3:Get*","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/A":"1"},"Bool":{"aws:SecureTransport":"true"}}},)" +
      deny("s3:GetObject", bucket) + R"(,{"Effect":"Allow","Action":"ec2:*","Resource":"*","Condition":{"Bool":{"ec2:x":"true"}}})"));
  const auto boundary = parsed(other);
  const FakeFacts facts({bucket, "arn:aws:s3:::c"}, {});
  const auto principal = alice();
  const Policy* list[] = {policy.get()};
  Policies policies;
  policies.identity = list;
  policies.boundary = boundary.get();
  const auto explanation = explain({principal, "s3:GetObject", home_account, facts}, policies);
  EXPECT_EQ(explanation.decision.outcome, Outcome::explicitly_denied);
  EXPECT_EQ(explanation.decision.statement, 2U);
  ASSERT_EQ(explanation.resources.size(), 2U);
  EXPECT_EQ(explanation.resources[1].outcome, Outcome::not_allowed);
  EXPECT_EQ(explanation.resources[1].source, Source::boundary);
  ASSERT_EQ(explanation.matched.size(), 3U);  // the first for both, the third for the bucket
  EXPECT_EQ(explanation.matched[1].effect, Effect::deny);
  EXPECT_EQ(explanation.missing_keys, (std::vector<std::string>{"aws:requesttag/a", "aws:securetransport"}));
  EXPECT_EQ(explanation.boundary_allows, false);
}

}  // namespace
}  // namespace brume::policy
