// What each protocol calls the same trouble.
#include "wire/refusals.hpp"

#include <gtest/gtest.h>

namespace brume::wire {
namespace {

using schema::Protocol;

std::string said(Protocol protocol, Trouble trouble, std::string sentence = "It is wrong.") {
  const auto error = refusal(protocol, trouble, std::move(sentence));
  return std::to_string(error.status) + " " + error.code;
}

TEST(Refusals, EveryTroubleHasACodeAndASentenceInEveryProtocol) {
  for (int protocol = 0; protocol <= static_cast<int>(Protocol::cbor); ++protocol)
    for (int trouble = 0; trouble <= static_cast<int>(Trouble::malformed_body); ++trouble) {
      const auto error = refusal(static_cast<Protocol>(protocol), static_cast<Trouble>(trouble), "It is wrong.");
      EXPECT_FALSE(error.code.empty() || error.message.empty()) << protocol << ' ' << trouble;
      EXPECT_TRUE(error.status >= 400 && error.status <= 503) << protocol << ' ' << trouble;
    }
}

TEST(Refusals, EachInItsOwnWords) {
  EXPECT_EQ(said(Protocol::ec2, Trouble::throttled), "503 RequestLimitExceeded");
  EXPECT_EQ(said(Protocol::query, Trouble::throttled), "400 Throttling");
  EXPECT_EQ(said(Protocol::cbor, Trouble::throttled), "400 ThrottlingException");
  EXPECT_EQ(said(Protocol::rest_json, Trouble::throttled), "400 ThrottlingException");
  EXPECT_EQ(said(Protocol::rest_xml, Trouble::throttled), "503 SlowDown");
  EXPECT_EQ(said(Protocol::ec2, Trouble::malformed_body), "400 MalformedQueryString");
  EXPECT_EQ(said(Protocol::json_1_0, Trouble::malformed_body), "400 SerializationException");
  EXPECT_EQ(said(Protocol::rest_xml, Trouble::malformed_body), "400 MalformedXML");
  EXPECT_EQ(said(Protocol::rest_xml, Trouble::unknown_token), "400 InvalidToken");
  EXPECT_EQ(said(Protocol::json_1_1, Trouble::unsigned_request), "400 MissingAuthenticationTokenException");
  EXPECT_EQ(said(Protocol::rest_json, Trouble::unsigned_request), "403 MissingAuthenticationTokenException");
}

// EC2 does not say which part of a claim was wrong.
TEST(Refusals, Ec2sSentenceIsFixed) {
  for (const auto trouble : {Trouble::incomplete_signature, Trouble::unknown_key, Trouble::wrong_signature, Trouble::unknown_token})
    EXPECT_EQ(refusal(Protocol::ec2, trouble, "the key").message, "AWS was not able to validate the provided access credentials");
  EXPECT_EQ(refusal(Protocol::query, Trouble::incomplete_signature, "the key").message, "the key");
}

}  // namespace
}  // namespace brume::wire
