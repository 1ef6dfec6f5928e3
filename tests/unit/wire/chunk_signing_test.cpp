// From the head of S3's documented example to its last chunk.
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "body_pieces.hpp"
#include "wire/payload/chunk_signing.hpp"
#include "wire/payload/payload.hpp"

namespace brume::wire {
namespace {

using std::string;

const string example_secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

HttpRequest example() {
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

TEST(ChunkSigning, HeadAndChunks) {
  const auto request = example();
  const auto signing = chunk_signing_of(request, example_secret);
  ASSERT_TRUE(signing);
  string body;
  collect(open_payload(request, request.source, signing), [&](string all, const std::optional<BodyError>& error) {
    EXPECT_FALSE(error);
    body = std::move(all);
  });
  EXPECT_EQ(body, string(66560, 'a'));
}

TEST(ChunkSigning, RequestsThatSignNoChunks) {
  auto request = example();
  EXPECT_TRUE(chunk_signing_of(request, example_secret));
  for (auto& [name, value] : request.headers)
    if (name == "authorization") value = "AWS AKIAIOSFODNN7EXAMPLE:abc=";
  EXPECT_FALSE(chunk_signing_of(request, example_secret));
  EXPECT_FALSE(chunk_signing_of(HttpRequest(), example_secret));
}

}  // namespace
}  // namespace brume::wire
