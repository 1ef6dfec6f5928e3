// Bodies of S3 requests: decoded, and held against what their heads promise.
#include "wire/payload/payload.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "body_pieces.hpp"

namespace brume::wire {
namespace {

using std::string;
using Kind = BodyError::Kind;
using Headers = std::vector<std::pair<string, string>>;

ChunkSigning signing(const string& seed) {
  return {hmac_sha256(hmac_sha256(hmac_sha256(hmac_sha256("AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524"), "us-east-1"), "s3"),
                      "aws4_request"),
          "20130524T000000Z", "20130524/us-east-1/s3/aws4_request", seed};
}

HttpRequest head_of(const Headers& headers) {
  HttpRequest head;
  head.method = "PUT";
  head.target = "/examplebucket/chunkObject.txt";
  head.headers = headers;
  return head;
}

// "ok BODY", or the kind and sentence of the error.
string outcome(const Headers& headers, const string& body, std::optional<ChunkSigning> with = std::nullopt, size_t piece = 1000) {
  const auto payload = open_payload(head_of(headers), in_pieces(body, piece), std::move(with));
  string result = "nothing";
  collect(payload, [&](const string& all, const std::optional<BodyError>& error) {
    result = error ? fmt::format("{} {}", static_cast<int>(error->kind), error->message) : "ok " + all;
  });
  return result;
}

string payload_refusal(const Headers& headers) {
  try {
    outcome(headers, "");
  } catch (const ApiError& error) {
    return error.code;
  }
  return "";
}

bool fails_with(const string& result, Kind kind) { return result.starts_with(std::to_string(static_cast<int>(kind)) + " "); }

// The example of the documentation of S3: 65,536 and 1,024 times 'a'.
const string seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
string signed_body(const string& first = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                   const string& last = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9") {
  return "10000;chunk-signature=" + first + "\r\n" + string(65536, 'a') +
         "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + string(1024, 'a') +
         "\r\n0;chunk-signature=" + last + "\r\n\r\n";
}
const Headers signed_head{{"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, {"x-amz-decoded-content-length", "66560"}};

// The same with a trailer.
const string trailer_seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
string trailer_body(const string& trailers) {
  return "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" + string(65536, 'a') +
         "\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" + string(1024, 'a') +
         "\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" + trailers + "\r\n";
}
const string good_trailers =
    "x-amz-checksum-crc32c:sOO8/Q==\r\n"
    "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n";
const Headers trailer_head{{"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"},
                           {"x-amz-decoded-content-length", "66560"},
                           {"x-amz-trailer", "x-amz-checksum-crc32c"}};

Headers unsigned_head(std::uint64_t length, const string& trailer) {
  return {{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
          {"x-amz-decoded-content-length", std::to_string(length)},
          {"x-amz-trailer", trailer}};
}

TEST(Payload, SignedChunksOfTheDocumentation) {
  for (const size_t piece : {1, 7, 1000, 1 << 20})
    EXPECT_EQ(outcome(signed_head, signed_body(), signing(seed), piece), "ok " + string(66560, 'a')) << piece;
  EXPECT_EQ(outcome(signed_head, signed_body(string(64, '0'))), "ok " + string(66560, 'a')) << "nobody asked for a check";
}

TEST(Payload, ChunksThatAreNotSignedAsTheySay) {
  EXPECT_TRUE(fails_with(outcome(signed_head, signed_body(string(64, '0')), signing(seed)), Kind::wrong_signature));
  EXPECT_TRUE(fails_with(outcome(signed_head, signed_body(), signing(string(64, '1'))), Kind::wrong_signature)) << "of another head";
  const string first = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648";
  EXPECT_TRUE(fails_with(outcome(signed_head, signed_body(first, string(64, 'f')), signing(seed)), Kind::wrong_signature))
      << "the last one";
  auto changed = signed_body();
  changed[changed.find("\r\n") + 100] = 'b';
  EXPECT_TRUE(fails_with(outcome(signed_head, changed, signing(seed)), Kind::wrong_signature));
  auto without = signed_body();
  without.replace(0, without.find("\r\n"), "10000");
  EXPECT_TRUE(fails_with(outcome(signed_head, without, signing(seed)), Kind::malformed));
  EXPECT_TRUE(fails_with(outcome(signed_head, signed_body() + "x", signing(seed)), Kind::malformed));
  EXPECT_TRUE(fails_with(outcome(signed_head, signed_body().substr(0, 66'700), signing(seed)), Kind::wrong_length)) << "cut";
  auto longer = signed_head;
  longer[1].second = "66559";
  EXPECT_TRUE(fails_with(outcome(longer, signed_body(), signing(seed)), Kind::wrong_length));
  longer[1].second = "66561";
  EXPECT_TRUE(fails_with(outcome(longer, signed_body(), signing(seed)), Kind::wrong_length));
}

// Who keeps what came before is told that it is not valid, and told again.
TEST(Payload, AnErrorStays) {
  const auto payload = open_payload(head_of(signed_head), in_pieces(signed_body(string(64, '0')), 4096), signing(seed));
  size_t given = 0;
  int errors = 0;
  for (int i = 0; i < 100; ++i)
    payload->read([&](const BodyPiece& piece) { piece ? given += piece->size() : static_cast<size_t>(++errors); });
  EXPECT_LT(given, 65536U);
  EXPECT_GT(errors, 50);
}

TEST(Payload, SignedTrailers) {
  EXPECT_EQ(outcome(trailer_head, trailer_body(good_trailers), signing(trailer_seed), 13), "ok " + string(66560, 'a'));
  const auto fails = [](const string& trailers, Kind kind) {
    return fails_with(outcome(trailer_head, trailer_body(trailers), signing(trailer_seed)), kind);
  };
  auto forged = good_trailers;
  forged[forged.find("sOO8")] = 't';
  EXPECT_TRUE(fails(forged, Kind::wrong_signature));
  EXPECT_TRUE(fails("x-amz-checksum-crc32c:sOO8/Q==\r\n", Kind::wrong_signature)) << "not signed";
  EXPECT_TRUE(fails("", Kind::malformed)) << "announced, and missing";
  EXPECT_TRUE(fails("x-amz-checksum-crc32:sOO8/Q==\r\n" + good_trailers, Kind::malformed)) << "not announced";
  EXPECT_TRUE(fails("x-amz-checksum-crc32c:sOO8/Q==\r\n" + good_trailers, Kind::malformed)) << "twice";
  EXPECT_TRUE(fails(good_trailers + "x-amz-checksum-crc32c:sOO8/Q==\r\n", Kind::malformed)) << "behind its signature";
}

TEST(Payload, UnsignedChunksWithChecksums) {
  const string body = "5\r\nhello\r\n6\r\n world\r\n0\r\n";
  const std::vector<std::pair<DigestKind, string>> kinds{{DigestKind::crc32, "DUoRhQ=="},
                                                         {DigestKind::crc32c, "yZRlqg=="},
                                                         {DigestKind::sha1, "Kq5sNclPz7QV2+lfQIuc6R7oRu0="},
                                                         {DigestKind::sha256, "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="}};
  for (const auto& [kind, value] : kinds) {
    const auto name = "x-amz-checksum-" + string(name_of(kind));
    EXPECT_EQ(outcome(unsigned_head(11, name), body + name + ":" + value + "\r\n\r\n"), "ok hello world") << name;
    auto lie = value;
    lie[0] = lie[0] == 'A' ? 'B' : 'A';
    EXPECT_TRUE(fails_with(outcome(unsigned_head(11, name), body + name + ":" + lie + "\r\n\r\n"), Kind::wrong_checksum)) << name;
    EXPECT_TRUE(fails_with(outcome(unsigned_head(11, name), body + name + ":AAAA\r\n\r\n"), Kind::malformed)) << name;
    EXPECT_TRUE(fails_with(outcome(unsigned_head(11, name), body + "\r\n"), Kind::malformed)) << name;
    // As a header of a plain body.
    EXPECT_EQ(outcome({{name, value}}, "hello world"), "ok hello world");
    EXPECT_TRUE(fails_with(outcome({{name, lie}}, "hello world"), Kind::wrong_checksum));
  }
  EXPECT_EQ(outcome(unsigned_head(11, ""), body + "\r\n"), "ok hello world") << "no trailer is announced and none comes";
  EXPECT_TRUE(fails_with(outcome(unsigned_head(11, ""), "ffffffffffffffff\r\n"), Kind::malformed));
  EXPECT_TRUE(fails_with(outcome(unsigned_head(11, ""), "7fffffffffffffff\r\nx"), Kind::wrong_length)) << "told before it comes";
}

TEST(Payload, WholeBodies) {
  const string hash = to_hex(sha256("hello"));
  EXPECT_EQ(outcome({{"x-amz-content-sha256", hash}, {"content-md5", to_base64(md5("hello"))}}, "hello", std::nullopt, 1), "ok hello");
  EXPECT_TRUE(fails_with(outcome({{"x-amz-content-sha256", hash}}, "hellO"), Kind::wrong_checksum));
  EXPECT_TRUE(fails_with(outcome({{"content-md5", to_base64(md5("hello"))}}, "hellO"), Kind::wrong_checksum));
  EXPECT_EQ(outcome({{"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}}, "x"), "ok x");
  const auto payload = open_payload(head_of({}), in_pieces("hello", 2), std::nullopt, {DigestKind::md5});
  collect(payload, [](const string&, const std::optional<BodyError>& error) { EXPECT_FALSE(error); });
  EXPECT_EQ(to_hex(payload->digest(DigestKind::md5)), to_hex(md5("hello")));
  EXPECT_EQ(payload->length(), 5U);
}

TEST(Payload, HeadsThatContradictThemselves) {
  EXPECT_EQ(payload_refusal({{"x-amz-content-sha256", "ABC"}}), "InvalidArgument");
  EXPECT_EQ(payload_refusal({{"x-amz-content-sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}}), "NotImplemented");
  EXPECT_EQ(payload_refusal({{"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}}), "MissingContentLength");
  EXPECT_EQ(payload_refusal({{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, {"x-amz-decoded-content-length", "-1"}}),
            "MissingContentLength");
  EXPECT_EQ(payload_refusal(unsigned_head(5, "x-amz-meta-a")), "InvalidRequest");
  EXPECT_EQ(payload_refusal(unsigned_head(5, "x-amz-checksum-crc32,x-amz-checksum-crc32")), "InvalidRequest");
  auto contradiction = signed_head;
  contradiction.emplace_back("x-amz-trailer", "x-amz-checksum-crc32");
  EXPECT_EQ(payload_refusal(contradiction), "InvalidRequest");
  EXPECT_EQ(payload_refusal({{"content-md5", "abc"}}), "InvalidDigest");
  EXPECT_EQ(payload_refusal({{"x-amz-checksum-crc32", "!!"}}), "InvalidRequest");
  EXPECT_EQ(payload_refusal({{"x-amz-checksum-crc32", "DUoRhQ=="}, {"x-amz-checksum-crc32c", "yZRlqg=="}}), "InvalidRequest");
}

TEST(Payload, ErrorsInTheWordsOfS3) {
  EXPECT_EQ(payload_error({Kind::wrong_signature, ""}).code, "SignatureDoesNotMatch");
  EXPECT_EQ(payload_error({Kind::wrong_length, ""}).code, "IncompleteBody");
  EXPECT_EQ(payload_error({Kind::lost, ""}).code, "IncompleteBody");
  EXPECT_EQ(payload_error({Kind::wrong_checksum, "x-amz-checksum-crc32"}).code, "BadDigest");
  EXPECT_EQ(payload_error({Kind::wrong_checksum, "x-amz-content-sha256"}).code, "XAmzContentSHA256Mismatch");
  EXPECT_EQ(payload_error({Kind::malformed, ""}).code, "MalformedTrailerError");
  EXPECT_EQ(payload_error({Kind::timed_out, ""}).code, "RequestTimeout");
  EXPECT_EQ(payload_error({Kind::failed, ""}).status, 500);
}

}  // namespace
}  // namespace brume::wire
