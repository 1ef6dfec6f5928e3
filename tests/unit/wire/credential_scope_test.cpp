#include "wire/identity/credential_scope.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "wire/api_error.hpp"
#include "wire/plain_text.hpp"

namespace brume::wire {
namespace {

std::string refusal(std::string_view host, std::string_view scope_service, std::string_view scope_region, std::string_view service,
                    std::string_view token = {}, schema::Services known = schema::services()) {
  HttpRequest request;
  request.headers.emplace_back("host", host);
  Caller caller;
  caller.service = scope_service;
  caller.region = scope_region;
  caller.security_token = token;
  try {
    const auto& asked = *schema::find_service(service);
    require_scope(request, caller, asked, asked.protocols.front(), known, "eu-west-1");
  } catch (const ApiError& error) {
    return std::to_string(error.status) + " " + error.code + ": " + error.message;
  }
  return "";
}

TEST(CredentialScope, ItIsForOneServiceInTheServicesWords) {
  constexpr auto host = "127.0.0.1:8773";
  EXPECT_EQ(refusal(host, "ec2", "eu-west-1", "ec2"), "");
  EXPECT_EQ(refusal(host, "", "", "ec2"), "") << "version 2 names none";
  for (const auto* other : {"foo", "EC2", "sts", "127.0.0.1"})
    EXPECT_EQ(refusal(host, other, "eu-west-1", "ec2"), "401 AuthFailure: Credential should be scoped to correct service: 'ec2'.");
  EXPECT_EQ(refusal(host, "ec2", "eu-west-1", "sts"), "403 SignatureDoesNotMatch: Credential should be scoped to correct service: 'sts'.");
  EXPECT_EQ(refusal(host, "ec2", "eu-west-1", "ssm"),
            "400 InvalidSignatureException: Credential should be scoped to correct service: 'ssm'.");
  EXPECT_EQ(refusal(host, "ec2", "eu-west-1", "ebs"),
            "403 InvalidSignatureException: Credential should be scoped to correct service: 'ebs'.");
  EXPECT_EQ(refusal(host, "monitoring", "eu-west-1", "cloudwatch"), "");
  EXPECT_EQ(refusal(host, "elasticloadbalancing", "eu-west-1", "elbv2"), "");
}

TEST(CredentialScope, ItIsForOneRegion) {
  constexpr auto host = "127.0.0.1:8773";
  EXPECT_EQ(refusal(host, "ec2", "us-east-1", "ec2"), "401 AuthFailure: Credential should be scoped to a valid region, not 'us-east-1'.");
  EXPECT_EQ(refusal(host, "sts", "us-east-1", "sts"), "") << "of clients that know its global endpoint";
  EXPECT_EQ(refusal(host, "sts", "us-west-2", "sts"),
            "403 SignatureDoesNotMatch: Credential should be scoped to a valid region, not 'us-west-2'.");
}

TEST(CredentialScope, BotoTwoTakesItFromTheHost) {
  EXPECT_EQ(refusal("127.0.0.1:8773", "127", "0", "ec2"), "");
  EXPECT_EQ(refusal("localhost:8773", "localhost:8773", "localhost:8773", "ec2"), "");
  EXPECT_EQ(refusal("cloud.example.com", "cloud", "us-east-1", "ec2"), "");
  EXPECT_NE(refusal("127.0.0.1:8773", "10", "0", "ec2"), "");
  EXPECT_NE(refusal("s3.example.com", "s3", "us-east-1", "ec2"), "") << "a real service's name is that service";
  const auto* ec2 = schema::find_service("ec2");
  EXPECT_EQ(refusal("s3.example.com", "s3", "us-east-1", "ec2", "", {&ec2, 1}), "") << "no service of this front door";
}

TEST(CredentialScope, NobodyIssuesSessionTokens) {
  constexpr auto host = "127.0.0.1:8773";
  EXPECT_EQ(refusal(host, "ec2", "eu-west-1", "ec2", "t"), "401 AuthFailure: AWS was not able to validate the provided access credentials");
  EXPECT_EQ(refusal(host, "", "", "ec2", "t").substr(0, 15), "401 AuthFailure");
  EXPECT_EQ(refusal(host, "sts", "eu-west-1", "sts", "t"),
            "403 InvalidClientTokenId: The security token included in the request is invalid.");
  EXPECT_EQ(refusal(host, "ssm", "eu-west-1", "ssm", "t").substr(0, 31), "400 UnrecognizedClientException");
  EXPECT_EQ(refusal(host, "ebs", "eu-west-1", "ebs", "t").substr(0, 31), "403 UnrecognizedClientException");
}

TEST(PlainText, IsUtf8WithoutControlCharacters) {
  for (const std::string_view good : {"", "a", "\t\n\r", "\x7f", "\u00e9", "\u4e2d", "\U0001f600", "\U0010ffff"})
    EXPECT_TRUE(is_text(good)) << good;
  for (const std::string_view bad :
       {std::string_view("\0", 1), std::string_view("a\x01"), std::string_view("\x1b[2J"), std::string_view("\xff"),
        std::string_view("\xc0\x80"), std::string_view("\xed\xa0\x80"), std::string_view("\xe4\xb8"), std::string_view("\xef\xbf\xbf"),
        std::string_view("\xf4\x90\x80\x80"), std::string_view("\x80")})
    EXPECT_FALSE(is_text(bad)) << bad;
}

}  // namespace
}  // namespace brume::wire
