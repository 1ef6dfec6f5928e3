// From the head of S3's documented example to its last chunk: the head is verified without its body, then the chunks by what it gives.
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "body_pieces.hpp"
#include "wire/identity/signature.hpp"
#include "wire/payload/chunk_signing.hpp"
#include "wire/payload/payload.hpp"

namespace brume::wire {
namespace {

using std::string;

const string streamed_secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

HttpRequest streamed_example() {
  HttpRequest request;
  request.method = "PUT";
  request.target = "/examplebucket/chunkObject.txt";
  request.headers = {{"host", "s3.amazonaws.com"},
                     {"x-amz-date", "20130524T000000Z"},
                     {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                     {"authorization",
                      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                      "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-"
                      "amz-storage-class,"
                      "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"},
                     {"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
                     {"content-encoding", "aws-chunked"},
                     {"x-amz-decoded-content-length", "66560"},
                     {"content-length", "66824"}};
  const string body = "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + string(65536, 'a') +
                      "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + string(1024, 'a') +
                      "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n";
  request.source = in_pieces(body, 5000);
  return request;
}

Caller verify_example(const HttpRequest& request) {
  class Then final : public Clock {
   public:
    Time now() const override { return *parse_basic_iso8601("20130524T000100Z"); }
  };
  const Then clock;
  const SignatureFour signature(clock, [](std::string_view id) {
    Credential credential;
    credential.access_key_id = id;
    credential.secret = streamed_secret;
    credential.account_id = "123456789012";
    return std::optional(credential);
  });
  const std::vector<std::pair<string, string>> none;
  return signature.identify({request, none, schema::Protocol::rest_xml}).value_or(Caller());
}

TEST(StreamedSignature, HeadAndChunks) {
  const auto request = streamed_example();
  EXPECT_EQ(verify_example(request).service, "s3");
  const auto signing = chunk_signing_of(request, streamed_secret);
  ASSERT_TRUE(signing);
  string body;
  collect(open_payload(request, request.source, signing), [&](string all, const std::optional<BodyError>& error) {
    EXPECT_FALSE(error);
    body = std::move(all);
  });
  EXPECT_EQ(body, string(66560, 'a'));
}

TEST(StreamedSignature, WhatTheHeadSaysOfTheBodyIsSigned) {
  for (const auto* header : {"x-amz-content-sha256", "x-amz-decoded-content-length"}) {
    auto request = streamed_example();
    for (auto& [name, value] : request.headers)
      if (name == header) value = name == "x-amz-content-sha256" ? "UNSIGNED-PAYLOAD" : "1";
    EXPECT_THROW(verify_example(request), ApiError) << header;
  }
  auto whole = streamed_example();
  whole.source = nullptr;
  EXPECT_THROW(verify_example(whole), ApiError) << "a whole body is held against the header at once";
}

TEST(StreamedSignature, RequestsThatSignNoChunks) {
  auto request = streamed_example();
  EXPECT_TRUE(chunk_signing_of(request, streamed_secret));
  for (auto& [name, value] : request.headers)
    if (name == "authorization") value = "AWS AKIAIOSFODNN7EXAMPLE:abc=";
  EXPECT_FALSE(chunk_signing_of(request, streamed_secret));
  EXPECT_FALSE(chunk_signing_of(HttpRequest(), streamed_secret));
}

}  // namespace
}  // namespace brume::wire
