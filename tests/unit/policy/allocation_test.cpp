// A decision allocates nothing: counted by this program's own operator new.
#include <atomic>
#include <cstdlib>
#include <new>

#include "policy_cases.hpp"

namespace {
std::atomic<long> allocations{0};
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace brume::policy {
namespace {

TEST(PolicyDecision, AllocatesNothing) {
  const auto policy = parsed(document(
      allow("ec2:Describe*") +
      R"(,{"Effect":"Allow","Action":["ec2:Run*","ec2:*Tags"],"Resource":["arn:aws:ec2:*:111111111111:*/${aws:username}-*"],"Condition":{)"
      R"("IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:db8::/32"]},"DateGreaterThan":{"aws:CurrentTime":"2011-12-05T13:00Z"},)"
      R"("StringLike":{"aws:UserAgent":"*boto*"},"Bool":{"aws:SecureTransport":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"},)"
      R"("ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"},)"
      R"("StringEqualsIgnoreCase":{"aws:userid":"${aws:username}"},"BinaryEquals":{"x:b":"QUJD"},"Null":{"x:none":"true"}}})"));
  const auto about_buckets =
      parsed(document(R"({"Effect":"Deny","Principal":{"AWS":"222222222222"},"Action":"*","Resource":"*"})"), Kind::resource);
  const FakeFacts facts({"arn:aws:ec2:us-east-1:111111111111:instance/alice-with-a-name-that-is-longer-than-a-small-string"},
                        {{"aws:sourceip", {"2001:db8:0:0:0:0:0:1234"}},
                         {"aws:currenttime", {"2026-12-01T02:40:00.000Z"}},
                         {"aws:useragent", {"aws-sdk boto3 and more words than fit"}},
                         {"aws:securetransport", {"true"}},
                         {"aws:multifactorauthage", {"12"}},
                         {"aws:tagkeys", {"a", "b"}},
                         {"aws:principalarn", {"arn:aws:iam::111111111111:user/alice"}},
                         {"aws:userid", {"ALICE"}},
                         {"aws:username", {"alice"}},
                         {"x:b", {"QUJD"}}});
  const auto principal = alice();
  const Policy* identity[] = {policy.get()};
  const Policy* resource[] = {about_buckets.get()};
  Policies policies;
  policies.identity = identity;
  policies.boundary = policy.get();
  policies.resource = resource;
  for (const auto* action : {"ec2:DescribeInstances", "ec2:RunInstances", "ec2:CreateTags", "s3:GetObject"}) {
    const long before = allocations;
    const auto decision = decide({principal, action, home_account, facts}, policies);
    EXPECT_EQ(allocations - before, 0) << action;
    EXPECT_EQ(decision.allowed(), std::string_view(action) != "s3:GetObject") << action;
  }
  const long before = allocations;
  EXPECT_NE(parsed(document(allow("*"))), nullptr);
  EXPECT_GT(allocations - before, 0);  // so they are counted
}

}  // namespace
}  // namespace brume::policy
