// Compressed bodies: what is unpacked, and what is refused before it grows.
#include "wire/inflate.hpp"

#include <gtest/gtest.h>

#include "gzip.hpp"

namespace brume::wire {
namespace {

// The body as the codec would read it, or "<status> <code>: <sentence>".
std::string unpacked_body(const std::string& body, const InflateLimits& limits = {}, const std::string& coding = "gzip") {
  HttpRequest request;
  request.method = "POST";
  request.target = "/";
  request.headers = {{"x-amz-target", "AmazonSSM.GetParameter"}, {"content-encoding", coding}};
  request.body = body;
  Call call(request, schema::services(), "r");
  recognise(call);
  std::string storage;
  try {
    return std::string(plain_body(call, storage, limits));
  } catch (const ApiError& error) {
    return std::to_string(error.status) + " " + error.code + ": " + error.message;
  }
}

TEST(Inflate, WhatClientsSend) {
  EXPECT_EQ(unpacked_body(gzip("{\"a\":1}")), "{\"a\":1}");
  EXPECT_EQ(unpacked_body(gzip("")), "");
  std::string large;
  for (int i = 0; large.size() < 1'000'000; ++i) large += std::to_string(i) + ",";
  EXPECT_EQ(unpacked_body(gzip(large)), large);
  EXPECT_EQ(unpacked_body("plain", {}, ""), "plain");
  EXPECT_EQ(unpacked_body("plain", {}, "identity"), "plain");
  EXPECT_EQ(unpacked_body(gzip("x"), {}, " GZip "), "x");
}

TEST(Inflate, ABombStopsAtTheLimit) {
  const std::string bomb = gzip(std::string(64 << 20, 'a'));
  ASSERT_LT(bomb.size(), 70'000U) << "about 1:1000";
  EXPECT_EQ(unpacked_body(bomb), "413 RequestEntityTooLarge: The body is larger than 2097152 bytes when it is unpacked.");
  EXPECT_EQ(unpacked_body(gzip(std::string(1000, 'a')), {.bytes = 1000}), std::string(1000, 'a'));
  EXPECT_EQ(unpacked_body(gzip(std::string(1001, 'a')), {.bytes = 1000}).substr(0, 3), "413");
}

TEST(Inflate, MembersOneAfterAnother) {
  EXPECT_EQ(unpacked_body(gzip("one ") + gzip("two")), "one two");
  std::string many, empty;
  for (int i = 0; i < 16; ++i) many += gzip("m");
  EXPECT_EQ(unpacked_body(many), "mmmmmmmmmmmmmmmm");
  EXPECT_EQ(unpacked_body(many + gzip("")), "400 SerializationException: The compressed body has more than 16 gzip members.");
  EXPECT_EQ(unpacked_body(gzip(std::string(600, 'a')) + gzip(std::string(600, 'a')), {.bytes = 1000}).substr(0, 3), "413")
      << "the limit is all members'";
}

TEST(Inflate, WhatIsNoGzip) {
  const std::string good = gzip("a body that is long enough to be cut at every byte");
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_EQ(unpacked_body(good.substr(0, length)).substr(0, 26), "400 SerializationException") << length;
  for (size_t at = good.size() - 8; at < good.size(); ++at) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_EQ(unpacked_body(bad), "400 SerializationException: The compressed body is not gzip, or does not match its checksum.") << at;
  }
  EXPECT_EQ(unpacked_body("plain").substr(0, 3), "400");
  EXPECT_EQ(unpacked_body(good + "more").substr(0, 3), "400") << "bytes behind the end";
  EXPECT_EQ(unpacked_body(good, {}, "deflate").substr(0, 24), "415 UnsupportedMediaType");
  EXPECT_EQ(unpacked_body(good, {}, "gzip, gzip").substr(0, 3), "415");
}

}  // namespace
}  // namespace brume::wire
