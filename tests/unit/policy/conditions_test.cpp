// Each condition operator with values that match, do not, and are not there; suffix, prefixes and case rules.
#include "policy_cases.hpp"

namespace brume::policy {
namespace {

// Whether a statement with one condition on the key x:k holds. `wanted` is JSON.
bool holds(const std::string& op, const std::string& wanted, const std::vector<std::string>& given) {
  const auto text = document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{")" + op + R"(":{"x:K":)" + wanted + "}}}");
  return allows(text, "ec2:X", "", given.empty() ? Keys{} : Keys{{"x:k", given}});
}

struct OperatorCase {
  const char* op;
  const char* wanted;
  const char* given;
  bool holds;
};

constexpr OperatorCase operator_cases[] = {
    {"StringEquals", R"("a")", "a", true},
    {"StringEquals", R"("a")", "A", false},
    {"StringEquals", R"("a*")", "ab", false},
    {"StringEquals", R"("a*")", "a*", true},
    {"StringEquals", R"(["a","b"])", "b", true},
    {"StringEquals", R"([])", "b", false},
    {"StringEquals", R"("")", "", true},
    {"StringNotEquals", R"("a")", "b", true},
    {"StringNotEquals", R"(["a","b"])", "b", false},
    {"StringNotEquals", R"(["a","b"])", "c", true},
    {"StringEqualsIgnoreCase", R"("aB")", "Ab", true},
    {"StringEqualsIgnoreCase", R"("aB")", "Abc", false},
    {"StringNotEqualsIgnoreCase", R"("aB")", "Ab", false},
    {"StringNotEqualsIgnoreCase", R"("aB")", "x", true},
    {"StringLike", R"("a*c?")", "abbcd", true},
    {"StringLike", R"("a*c?")", "abbc", false},
    {"StringLike", R"("A*")", "abbc", false},
    {"StringNotLike", R"("a*")", "abbc", false},
    {"StringNotLike", R"("a*")", "b", true},
    {"NumericEquals", R"("10")", "10.0", true},
    {"NumericEquals", R"(10)", "10", true},
    {"NumericEquals", R"("10")", "11", false},
    {"NumericEquals", R"("10")", "ten", false},
    {"NumericNotEquals", R"("10")", "11", true},
    {"NumericNotEquals", R"("10")", "1e1", false},
    {"NumericLessThan", R"("10")", "9.99", true},
    {"NumericLessThan", R"("10")", "10", false},
    {"NumericLessThanEquals", R"("10")", "10", true},
    {"NumericLessThanEquals", R"("10")", "10.1", false},
    {"NumericGreaterThan", R"("-1")", "0", true},
    {"NumericGreaterThan", R"("10")", "10", false},
    {"NumericGreaterThanEquals", R"("10")", "10", true},
    {"NumericGreaterThanEquals", R"("10")", "9", false},
    {"NumericGreaterThan", R"("10")", "nan", false},
    {"DateEquals", R"("2011-12-05T13:00:00Z")", "1323090000", true},
    {"DateEquals", R"("2011-12-05T13:00Z")", "2011-12-05T13:00:00.000Z", true},
    {"DateEquals", R"("2011-12-05")", "2011-12-05T00:00:00Z", true},
    {"DateEquals", R"("2011-12")", "2011-12-01T00:00:00Z", true},
    {"DateEquals", R"("2011")", "2011-01-01T00:00:00Z", true},
    {"DateEquals", R"(1323090000)", "2011-12-05T14:00:00+01:00", true},
    {"DateNotEquals", R"("2011-12-05")", "2011-12-05T00:00:01Z", true},
    {"DateLessThan", R"("2011-12-05T13:00:00Z")", "2011-12-05T12:59:59Z", true},
    {"DateLessThan", R"("2011-12-05T13:00:00Z")", "2011-12-05T13:00:00Z", false},
    {"DateLessThanEquals", R"("2011-12-05T13:00:00Z")", "2011-12-05T13:00:00Z", true},
    {"DateGreaterThan", R"("2011-12-05T13:00:00Z")", "2011-12-05T13:00:01Z", true},
    {"DateGreaterThan", R"("2011-12-05T13:00:00Z")", "yesterday", false},
    {"DateGreaterThanEquals", R"("2011-12-05T13:00:00Z")", "2011-12-05T13:00:00Z", true},
    {"Bool", R"("true")", "true", true},
    {"Bool", R"(true)", "TRUE", true},
    {"Bool", R"("true")", "false", false},
    {"Bool", R"("false")", "no", false},
    {"BinaryEquals", R"("QUJD")", "QUJD", true},
    {"BinaryEquals", R"("QUI=")", "QUI", true},
    {"BinaryEquals", R"("QUJD")", "qujd", false},
    {"IpAddress", R"("203.0.113.0/24")", "203.0.113.9", true},
    {"IpAddress", R"("203.0.113.0/24")", "203.0.114.9", false},
    {"IpAddress", R"("203.0.113.9")", "203.0.113.9", true},
    {"IpAddress", R"("203.0.113.9")", "::ffff:203.0.113.9", true},
    {"IpAddress", R"("2001:db8::/32")", "2001:db8:1::1", true},
    {"IpAddress", R"("2001:db8::/32")", "2001:db9::1", false},
    {"IpAddress", R"("0.0.0.0/0")", "::1", false},
    {"IpAddress", R"("0.0.0.0/0")", "somewhere", false},
    {"NotIpAddress", R"(["10.0.0.0/8","192.168.0.0/16"])", "192.168.1.1", false},
    {"NotIpAddress", R"(["10.0.0.0/8","192.168.0.0/16"])", "203.0.113.9", true},
    {"ArnEquals", R"("arn:aws:sns:*:111111111111:t*")", "arn:aws:sns:us-east-1:111111111111:topic", true},
    {"ArnLike", R"("arn:aws:sns:*:111111111111:t*")", "arn:aws:sns:us-east-1:222222222222:topic", false},
    {"ArnLike", R"("arn:aws:*:*:*:t")", "arn:aws:sns:us-east-1:1:t", true},
    {"ArnLike", R"("arn:aws:sns:us-east-1:1:t")", "t", false},
    {"ArnNotEquals", R"("arn:aws:sns:*:*:t")", "arn:aws:sns:us-east-1:1:t", false},
    {"ArnNotLike", R"("arn:aws:sns:*:*:t")", "arn:aws:sns:us-east-1:1:u", true},
    {"Null", R"("true")", "x", false},
    {"Null", R"(false)", "x", true},
    {"Null", R"(["true","false"])", "x", true},
};

TEST(PolicyConditions, CompareAsTheirOperatorSays) {
  for (const auto& [op, wanted, given, expected] : operator_cases) {
    EXPECT_EQ(holds(op, wanted, {given}), expected) << op << " " << wanted << " " << given;
    const std::string name = op;
    if (name == "Null") continue;
    EXPECT_EQ(holds(name + "IfExists", wanted, {given}), expected) << op << "IfExists " << wanted << " " << given;
    EXPECT_EQ(holds("ForAllValues:" + name, wanted, {given}), expected) << "all " << op << " " << wanted << " " << given;
    EXPECT_EQ(holds("ForAnyValue:" + name, wanted, {given}), expected) << "any " << op << " " << wanted << " " << given;
  }
}

TEST(PolicyConditions, WithoutTheKeyANegationHolds) {
  const std::pair<const char*, const char*> positive[] = {{"StringEquals", "\"a\""},
                                                          {"StringEqualsIgnoreCase", "\"a\""},
                                                          {"StringLike", "\"*\""},
                                                          {"NumericEquals", "1"},
                                                          {"NumericLessThan", "1"},
                                                          {"NumericLessThanEquals", "1"},
                                                          {"NumericGreaterThan", "1"},
                                                          {"NumericGreaterThanEquals", "1"},
                                                          {"DateEquals", "\"2011\""},
                                                          {"DateLessThan", "\"2011\""},
                                                          {"DateLessThanEquals", "\"2011\""},
                                                          {"DateGreaterThan", "\"2011\""},
                                                          {"DateGreaterThanEquals", "\"2011\""},
                                                          {"Bool", "false"},
                                                          {"BinaryEquals", "\"QUJD\""},
                                                          {"IpAddress", "\"0.0.0.0/0\""},
                                                          {"ArnEquals", "\"arn:*\""},
                                                          {"ArnLike", "\"*\""}};
  const std::pair<const char*, const char*> negated[] = {
      {"StringNotEquals", "\"a\""},  {"StringNotEqualsIgnoreCase", "\"a\""}, {"StringNotLike", "\"*\""},    {"NumericNotEquals", "1"},
      {"DateNotEquals", "\"2011\""}, {"NotIpAddress", "\"0.0.0.0/0\""},      {"ArnNotEquals", "\"arn:*\""}, {"ArnNotLike", "\"*\""}};
  const auto check = [](const std::string& op, const char* wanted, bool expected) {
    EXPECT_EQ(holds(op, wanted, {}), expected) << op;
    EXPECT_TRUE(holds(op + "IfExists", wanted, {})) << op;
    EXPECT_TRUE(holds("ForAllValues:" + op, wanted, {})) << op;
    EXPECT_FALSE(holds("ForAnyValue:" + op, wanted, {})) << op;
    EXPECT_TRUE(holds("ForAnyValue:" + op + "IfExists", wanted, {})) << op;
  };
  for (const auto& [op, wanted] : positive) check(op, wanted, false);
  for (const auto& [op, wanted] : negated) check(op, wanted, true);
  EXPECT_TRUE(holds("Null", "true", {}));
  EXPECT_FALSE(holds("Null", "false", {}));
}

TEST(PolicyConditions, QuantifyOverTheValuesOfTheRequest) {
  struct Case {
    const char* op;
    const char* wanted;
    std::vector<std::string> given;
    bool holds;
  };
  const Case cases[] = {
      {"ForAllValues:StringEquals", R"(["a","b"])", {"a"}, true},
      {"ForAllValues:StringEquals", R"(["a","b"])", {"b", "a"}, true},
      {"ForAllValues:StringEquals", R"(["a","b"])", {"a", "c"}, false},
      {"ForAnyValue:StringEquals", R"(["a","b"])", {"a", "c"}, true},
      {"ForAnyValue:StringEquals", R"(["a","b"])", {"d", "c"}, false},
      {"ForAllValues:StringNotEquals", R"(["a","b"])", {"c", "d"}, true},
      {"ForAllValues:StringNotEquals", R"(["a","b"])", {"c", "a"}, false},
      {"ForAnyValue:StringNotEquals", R"(["a","b"])", {"c", "a"}, true},
      {"ForAnyValue:StringNotEquals", R"(["a","b"])", {"b", "a"}, false},
      {"ForAllValues:StringLike", R"("k-*")", {"k-1", "k-2"}, true},
      {"ForAnyValue:StringLikeIfExists", R"("k-*")", {"x", "y"}, false},
      {"StringEquals", R"("a")", {"x", "a"}, true},
      {"StringNotEquals", R"("a")", {"x", "a"}, false},
  };
  for (const auto& [op, wanted, given, expected] : cases) EXPECT_EQ(holds(op, wanted, given), expected) << op << " " << wanted;
}

TEST(PolicyConditions, AreAllNeeded) {
  const auto text = document(
      R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"x:a":"1","x:b":"2"},"Bool":{"x:c":"true"}}})");
  EXPECT_TRUE(allows(text, "ec2:X", "", {{"x:a", {"1"}}, {"x:b", {"2"}}, {"x:c", {"true"}}}));
  EXPECT_FALSE(allows(text, "ec2:X", "", {{"x:a", {"1"}}, {"x:b", {"1"}}, {"x:c", {"true"}}}));
  EXPECT_FALSE(allows(text, "ec2:X", "", {{"x:a", {"1"}}, {"x:b", {"2"}}, {"x:c", {"false"}}}));
  EXPECT_FALSE(allows(text, "ec2:X", "", {{"x:a", {"1"}}, {"x:b", {"2"}}}));
}

TEST(PolicyConditions, NameKeysAndTagsInAnyCase) {
  const auto text =
      document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"AWS:resourcetag/Team":"Red"}}})");
  EXPECT_TRUE(allows(text, "ec2:X", "", {{"aws:resourcetag/team", {"Red"}}}));
  EXPECT_FALSE(allows(text, "ec2:X", "", {{"aws:resourcetag/team", {"red"}}}));
}

TEST(PolicyConditions, TakeVariables) {
  const Keys keys{{"x:k", {"Alice"}},
                  {"aws:username", {"alice"}},
                  {"aws:principalarn", {"arn:aws:iam::1:user/x"}},
                  {"x:arn", {"arn:aws:iam::1:user/x"}}};
  const auto one = [&](const std::string& op, const std::string& key, const std::string& wanted) {
    return allows(
        document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{")" + op + R"(":{")" + key + R"(":")" + wanted + R"("}}})"),
        "ec2:X", "", keys);
  };
  EXPECT_FALSE(one("StringEquals", "x:k", "${aws:username}"));
  EXPECT_TRUE(one("StringEqualsIgnoreCase", "x:k", "${aws:username}"));
  EXPECT_TRUE(one("StringLike", "x:k", "A*${$}") == false);
  EXPECT_TRUE(one("StringNotEquals", "x:k", "${aws:username}"));
  EXPECT_TRUE(one("ArnLike", "x:arn", "arn:aws:iam::*:user/${aws:none, 'x'}"));
  EXPECT_FALSE(one("ArnLike", "x:arn", "arn:aws:iam::*:user/${aws:none}"));
  EXPECT_FALSE(one("StringEqualsIgnoreCase", "x:k", "${aws:none}"));
}

TEST(PolicyConditions, RefuseValuesOfAnotherKind) {
  const auto refused = [](const std::string& op, const std::string& wanted) {
    return refusal(document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{")" + op + R"(":{"x:K":)" + wanted + "}}}"));
  };
  const std::pair<const char*, const char*> cases[] = {
      {"NumericEquals", "\"ten\""}, {"NumericEquals", "\"\""}, {"DateLessThan", "\"soon\""},     {"DateLessThan", "\"2011-13\""},
      {"Bool", "\"maybe\""},        {"Null", "\"maybe\""},     {"IpAddress", "\"10.0.0.0/33\""}, {"IpAddress", "\"300.0.0.1\""},
      {"BinaryEquals", "\"!\""},    {"ArnLike", "\"user/x\""}};
  for (const auto& [op, wanted] : cases)
    EXPECT_EQ(refused(op, wanted), "Invalid value for condition key x:K: " + std::string(wanted).substr(1, std::string(wanted).size() - 2))
        << op;
  for (const auto* op : {"NullIfExists", "stringequals", "ForAllValues:", "ForSomeValues:StringEquals",
                         "ForAllValues:ForAnyValue:StringEquals", "IfExists", "StringEqualsIfExistsIfExists", ""})
    EXPECT_EQ(refused(op, "\"a\""), std::string("Invalid Condition type : ") + op + ".");
}

}  // namespace
}  // namespace brume::policy
