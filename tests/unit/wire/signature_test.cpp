#include "wire/identity/signature.hpp"

#include <gtest/gtest.h>

#include <string>

#include "base/crypto.hpp"
#include "base/text.hpp"
#include "signature_vectors.hpp"
#include "wire/api_error.hpp"
#include "wire/codec/codec.hpp"
#include "wire/http/parser.hpp"
#include "wire/identity/signature_text.hpp"

namespace brume::wire {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

class FixedClock final : public Clock {
 public:
  Time now() const override { return time; }
  Time time = *parse_iso8601("2011-12-05T13:00:00Z");
};

HttpRequest parse(std::string_view raw) {
  HttpParser parser(64 << 10, 1 << 20);
  const size_t taken = parser.put(raw);
  EXPECT_EQ(parser.state(), HttpParser::State::complete) << parser.reason() << " after " << taken << " bytes of:\n" << raw;
  return parser.request();
}

Pairs parameters_of(const HttpRequest& request) {
  auto pairs = decode_query(request.query());
  if (request.header("content-type").find("form-urlencoded") != std::string_view::npos)
    for (auto& pair : decode_query(request.body)) pairs.push_back(std::move(pair));
  return pairs;
}

class Signature : public testing::Test {
 protected:
  CredentialLookup lookup = [this](std::string_view key) -> std::optional<Credential> {
    if (key != vectors::access_key) return std::nullopt;
    return Credential{std::string(key), secret, "123456789012", "arn:aws:iam::123456789012:root", active};
  };
  // The protocol as the request's codec has it, unless the test says another.
  schema::Protocol protocol_of(const HttpRequest& request) const {
    if (words) return *words;
    Call call(request, schema::services(), "r");
    try {
      recognise(call);
    } catch (const ApiError&) {  // which is not what these tests are about
    }
    return call.codec->protocol();
  }
  Caller verify(const HttpRequest& request, const Pairs& pairs) { return identify(identities, {request, pairs, protocol_of(request)}); }
  Caller verify(const HttpRequest& request) { return verify(request, parameters_of(request)); }
  // "200" or "<status> <code>".
  std::string outcome(const HttpRequest& request) {
    try {
      verify(request);
      return "200";
    } catch (const ApiError& error) {
      sentence = error.message;
      return std::to_string(error.status) + " " + error.code;
    }
  }
  std::string outcome(std::string_view raw) { return outcome(parse(raw)); }

  FixedClock clock;
  Identities identities = signatures(clock, lookup);
  std::optional<schema::Protocol> words;
  std::string secret{vectors::secret};
  bool active = true;
  std::string sentence;
};

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string out(text);
  const auto place = out.find(what);
  EXPECT_NE(place, std::string::npos) << what;
  return out.replace(place, what.size(), with);
}

TEST_F(Signature, AcceptsWhatClientsSend) {
  for (const auto raw : {vectors::ec2_describe, vectors::ec2_token, vectors::ec2_dns_host, vectors::sts_identity, vectors::s3_get,
                         vectors::ec2_presigned, vectors::ec2_presigned_token, vectors::sts_presigned, vectors::s3_presigned,
                         vectors::path_and_spaces, vectors::date_header, vectors::unsigned_payload, vectors::v2_get, vectors::v2_post,
                         vectors::v2_sha1, vectors::v2_default_port, vectors::v2_path, vectors::v2_token})
    EXPECT_EQ(outcome(raw), "200") << sentence << "\n" << raw;
}

TEST_F(Signature, NamesTheCaller) {
  auto caller = verify(parse(vectors::ec2_dns_host));
  EXPECT_EQ(caller.account_id, "123456789012");
  EXPECT_EQ(caller.access_key_id, vectors::access_key);
  EXPECT_EQ(caller.user_arn, "arn:aws:iam::123456789012:root");
  EXPECT_EQ(caller.region, "eu-west-1");
  EXPECT_EQ(caller.service, "ec2");
  EXPECT_EQ(caller.security_token, "");
  EXPECT_EQ(verify(parse(vectors::ec2_token)).security_token, "FwoGZXIvYXdzE+/==");
  EXPECT_EQ(verify(parse(vectors::ec2_presigned_token)).security_token, "to/k+en=");
  EXPECT_EQ(verify(parse(vectors::v2_token)).security_token, "to/k+en=");
  EXPECT_EQ(verify(parse(vectors::v2_token)).region, "");
}

TEST_F(Signature, ClaimsNeedNoKey) {
  const auto request = parse(vectors::sts_identity);
  EXPECT_EQ(claimed_caller(request, parameters_of(request)).access_key_id, vectors::access_key);
  EXPECT_EQ(claimed_scope(request).service, "sts");
  const auto old = parse(vectors::v2_get);
  EXPECT_EQ(claimed_caller(old, parameters_of(old)).access_key_id, vectors::access_key);
  const auto nobody = parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(claimed_caller(nobody, {}).access_key_id, "");
  EXPECT_EQ(claimed_scope(nobody).region, "");
}

// Every byte that is signed counts: change one and the request is not accepted any more.
TEST_F(Signature, NoticesEveryChange) {
  EXPECT_EQ(outcome(replaced(vectors::ec2_describe, "Action=DescribeI", "Action=DescribeJ")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::ec2_describe, "POST", "PUT")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::ec2_describe, "8773", "8774")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::ec2_describe, "130000Z", "130001Z")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::ec2_describe, "us-east-1", "us-west-1")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::ec2_describe, "content-type;host", "host")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::ec2_token, "FwoG", "FwoH")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::ec2_presigned, "name", "nbme")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::ec2_presigned, "Expires=900", "Expires=901")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::path_and_spaces, "a%20b", "a%20c")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::v2_get, "2bb6", "2bb7")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::v2_get, "GET", "POST")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::v2_path, "/services", "/servicet")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::v2_default_port, "Ec2.", "Ec3.")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::sts_identity, "Action=Get", "Action=Got")), "403 SignatureDoesNotMatch");
  EXPECT_EQ(outcome(replaced(vectors::s3_get, "/d ", "/e ")), "403 SignatureDoesNotMatch");
}

// What is not signed may differ: order and case of encoding in the query, further headers.
TEST_F(Signature, CanonicalFormsAreTheSameRequest) {
  EXPECT_EQ(outcome(replaced(vectors::path_and_spaces, "b=2&a=%2F%20x", "a=%2f+x&b=2")), "200");
  EXPECT_EQ(outcome(replaced(vectors::path_and_spaces, "  a   b  c ", "a b c")), "200");
  EXPECT_EQ(outcome(replaced(vectors::ec2_describe, "host: ", "User-Agent: x\r\nhost: ")), "200");
  EXPECT_EQ(outcome(replaced(vectors::ec2_describe, ", SignedHeaders", ",SignedHeaders")), "200");
}

TEST_F(Signature, SecretsAndKeys) {
  secret = "another";
  EXPECT_EQ(outcome(vectors::ec2_describe), "401 AuthFailure");
  EXPECT_EQ(sentence, "AWS was not able to validate the provided access credentials");
  EXPECT_EQ(outcome(vectors::v2_get), "401 AuthFailure");
  EXPECT_EQ(outcome(vectors::sts_identity), "403 SignatureDoesNotMatch");
  // A secret made anew counts at once, whatever has been derived from the old one.
  secret = vectors::secret;
  EXPECT_EQ(outcome(vectors::ec2_describe), "200");
  active = false;
  EXPECT_EQ(outcome(vectors::ec2_describe), "401 AuthFailure");
  EXPECT_EQ(outcome(vectors::sts_identity), "403 InvalidClientTokenId");
  active = true;
  EXPECT_EQ(outcome(replaced(vectors::ec2_describe, "AKIA", "AKIB")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::sts_identity, "AKIA", "AKIB")), "403 InvalidClientTokenId");
  EXPECT_EQ(outcome(replaced(vectors::s3_get, "AKIA", "AKIB")), "403 InvalidAccessKeyId");
  EXPECT_EQ(outcome(replaced(vectors::v2_post, "AKIA", "AKIB")), "401 AuthFailure");
}

TEST_F(Signature, FiveMinutesEitherWay) {
  const auto noon = clock.time;
  for (const auto raw : {vectors::ec2_describe, vectors::date_header}) {
    clock.time = noon + std::chrono::minutes(5);
    EXPECT_EQ(outcome(raw), "200");
    clock.time = noon - std::chrono::minutes(5);
    EXPECT_EQ(outcome(raw), "200");
    clock.time = noon + std::chrono::seconds(301);
    EXPECT_EQ(outcome(raw), "400 RequestExpired");
    EXPECT_EQ(sentence, "Request has expired.");
    clock.time = noon - std::chrono::seconds(301);
    EXPECT_EQ(outcome(raw), "400 RequestExpired");
  }
  EXPECT_EQ(outcome(vectors::v2_get), "400 RequestExpired");
  EXPECT_EQ(sentence, "Request has expired. Timestamp date is 2011-12-05T13:00:00Z.");
  clock.time = noon + std::chrono::seconds(301);
  EXPECT_EQ(outcome(vectors::sts_identity), "403 SignatureDoesNotMatch");
  EXPECT_EQ(sentence, "Signature expired: 20111205T130000Z is now earlier than 20111205T130001Z (20111205T130501Z - 5 min.)");
  clock.time = noon - std::chrono::seconds(301);
  EXPECT_EQ(outcome(vectors::sts_identity), "403 SignatureDoesNotMatch");
  EXPECT_EQ(sentence, "Signature not yet current: 20111205T130000Z is still later than 20111205T125959Z (20111205T125459Z + 5 min.)");
}

TEST_F(Signature, PresignedLivesAsLongAsItSays) {
  const auto noon = clock.time;
  clock.time = noon + std::chrono::seconds(900);
  EXPECT_EQ(outcome(vectors::ec2_presigned), "200");
  clock.time = noon + std::chrono::seconds(901);
  EXPECT_EQ(outcome(vectors::ec2_presigned), "400 RequestExpired");
  EXPECT_EQ(outcome(vectors::ec2_presigned_token), "200");
  clock.time = noon - std::chrono::seconds(301);
  EXPECT_EQ(outcome(vectors::ec2_presigned), "400 RequestExpired");
  clock.time = noon;
  for (const auto lifetime : {"0", "604801", "-1", "x", "", "99999999999999999999"})
    EXPECT_EQ(outcome(replaced(vectors::sts_presigned, "Expires=60", std::string("Expires=") + lifetime)), "400 IncompleteSignature")
        << lifetime;
}

TEST_F(Signature, Repetition) {
  // SDKs repeat a request that got no answer as it was.
  EXPECT_EQ(outcome(vectors::ec2_describe), "200");
  EXPECT_EQ(outcome(vectors::ec2_describe), "200");
}

TEST_F(Signature, NoneAtAll) {
  EXPECT_EQ(outcome("GET /?Action=DescribeInstances&Version=2016-11-15 HTTP/1.1\r\nHost: a\r\n\r\n"), "400 MissingParameter");
  EXPECT_EQ(sentence, "The request must contain the parameter AWSAccessKeyId");
  EXPECT_EQ(outcome("GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\nHost: a\r\n\r\n"), "403 MissingAuthenticationToken");
  EXPECT_EQ(outcome("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n"), "401 AuthFailure");
}

TEST_F(Signature, WhatS3CallsIt) {
  EXPECT_EQ(outcome("GET /b/k HTTP/1.1\r\nHost: a\r\nX-Amz-Date: 20111205T130000Z\r\nAuthorization: AWS4-HMAC-SHA256 "
                    "Credential=AKIAIOSFODNN7EXAMPLE/20111205/us-east-1/s3/aws4_request\r\n\r\n"),
            "400 AuthorizationHeaderMalformed");
  clock.time += std::chrono::seconds(61);
  EXPECT_EQ(outcome(vectors::s3_presigned), "403 AccessDenied");
  clock.time += std::chrono::minutes(5);
  EXPECT_EQ(outcome(vectors::s3_get), "403 RequestTimeTooSkewed");
}

// Codes that end in "Exception", all with 400; the REST services answer 403.
TEST_F(Signature, WhatTheJsonServicesCallIt) {
  const auto as_json = [&](std::string_view raw) {
    words = schema::Protocol::json_1_1;
    const auto said = outcome(raw);
    words = schema::Protocol::cbor;
    EXPECT_EQ(outcome(raw), said);
    words = schema::Protocol::rest_json;
    EXPECT_EQ(outcome(raw), "403" + said.substr(3));
    return said;
  };
  EXPECT_EQ(as_json("POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 0\r\n\r\n"), "400 MissingAuthenticationTokenException");
  EXPECT_EQ(as_json("GET / HTTP/1.1\r\nhost: a\r\nAuthorization: Bearer x\r\n\r\n"), "400 IncompleteSignatureException");
  EXPECT_EQ(as_json(replaced(vectors::s3_get, "AKIA", "AKIB")), "400 UnrecognizedClientException");
  EXPECT_EQ(as_json(replaced(vectors::s3_get, "/d ", "/e ")), "400 InvalidSignatureException");
  EXPECT_EQ(sentence, refusal(schema::Protocol::json_1_1, Trouble::wrong_signature).message);
  clock.time += std::chrono::seconds(301);
  EXPECT_EQ(as_json(vectors::s3_get), "400 InvalidSignatureException");
  EXPECT_EQ(sentence.substr(0, 17), "Signature expired");
}

TEST_F(Signature, HalfOfOne) {
  const auto with_header = [&](const std::string& value) {
    return outcome("GET / HTTP/1.1\r\nHost: a\r\nX-Amz-Date: 20111205T130000Z\r\nAuthorization: " + value + "\r\n\r\n");
  };
  const std::string scope = "AKIAIOSFODNN7EXAMPLE/20111205/us-east-1/sts/aws4_request";
  EXPECT_EQ(with_header("AWS4-HMAC-SHA256 Credential=" + scope), "400 IncompleteSignature");
  EXPECT_EQ(with_header("AWS4-HMAC-SHA256 Credential=" + scope + ", SignedHeaders=host"), "400 IncompleteSignature");
  EXPECT_EQ(sentence, "Authorization header requires 'Signature' parameter.");
  EXPECT_EQ(with_header("AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=host, Signature=0"), "401 AuthFailure");
  EXPECT_EQ(with_header("AWS4-HMAC-SHA256 "), "401 AuthFailure");
  EXPECT_EQ(with_header("AWS4-HMAC-SHA256 Credential=" + scope + ", SignedHeaders=x-amz-date, Signature=0"), "403 SignatureDoesNotMatch");
  EXPECT_EQ(with_header("AWS4-HMAC-SHA256 Credential=" + replaced(scope, "1205", "1204") + ", SignedHeaders=host, Signature=0"),
            "403 SignatureDoesNotMatch");
  EXPECT_EQ(with_header("AWS4-HMAC-SHA256 Credential=" + replaced(scope, "aws4", "aws5") + ", SignedHeaders=host, Signature=0"),
            "403 SignatureDoesNotMatch");
  EXPECT_EQ(outcome("GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256 HTTP/1.1\r\nHost: a\r\n\r\n"), "401 AuthFailure");
}

TEST_F(Signature, PayloadHeaderMustBeTrue) {
  const auto changed = replaced(vectors::unsigned_payload, "Action=DescribeRegions", "Action=describeRegions");
  EXPECT_EQ(outcome(changed), "200") << "the client chose not to sign its body";
  // But the claim itself is signed, and a hash has to be the body's.
  EXPECT_EQ(outcome(replaced(vectors::unsigned_payload, "UNSIGNED-PAYLOAD", "STREAMING-PAYLOAD")), "401 AuthFailure");
  EXPECT_EQ(outcome(replaced(vectors::s3_get, "e3b0", "e3b1")), "403 SignatureDoesNotMatch");
}

class Version2 : public Signature {
 protected:
  std::string outcome_of(const Pairs& given, const std::string& host = "localhost:8773", std::string_view signed_host = "localhost:8773") {
    Pairs pairs = given;
    std::sort(pairs.begin(), pairs.end());
    std::string text = "GET\n" + std::string(signed_host) + "\n/\n";
    std::string query;
    for (const auto& [name, value] : pairs) query += (query.empty() ? "" : "&") + percent_encode(name) + "=" + percent_encode(value);
    text += query;
    pairs.emplace_back("Signature", to_base64(hmac_sha256(secret, text)));
    HttpRequest request;
    request.method = "GET";
    request.target = "";
    request.headers = {{"host", host}};
    try {
      verify(request, pairs);
      return "200";
    } catch (const ApiError& error) {
      sentence = error.message;
      return std::to_string(error.status) + " " + error.code;
    }
  }
  Pairs base{{"Action", "DescribeImages"},      {"AWSAccessKeyId", std::string(vectors::access_key)},
             {"SignatureMethod", "HmacSHA256"}, {"SignatureVersion", "2"},
             {"Version", "2011-12-01"},         {"ImageId.1", "ami-2bb65342"}};
};

// The guide's own sorted string (OPS-082), its signature by python's hmac.
TEST_F(Version2, TheGuidesExample) {
  clock.time = *parse_iso8601("2008-02-10T11:58:00Z");
  HttpRequest request;
  request.method = "GET";
  request.target = "/";
  request.headers = {{"host", "ec2.amazonaws.com"}};
  Pairs pairs{{"Signature", "OS8bRUycxXFPvFJZl8oTsTkFgUf7qNapK+Xjt2FWEu0="},
              {"AWSAccessKeyId", std::string(vectors::access_key)},
              {"Action", "DescribeImages"},
              {"Expires", "2008-02-10T12:00:00Z"},
              {"ImageId.1", "ami-2bb65342"},
              {"SignatureMethod", "HmacSHA256"},
              {"SignatureVersion", "2"},
              {"Version", "2011-12-01"}};
  EXPECT_NO_THROW(verify(request, pairs));
  pairs[0].second = percent_encode(pairs[0].second);
  EXPECT_THROW(verify(request, pairs), ApiError) << "encoded twice";
}

TEST_F(Version2, TimestampXorExpires) {
  auto pairs = base;
  EXPECT_EQ(outcome_of(pairs), "400 MissingParameter");
  pairs.emplace_back("Expires", "2011-12-05T13:00:00.500Z");
  EXPECT_EQ(outcome_of(pairs), "200");
  clock.time += std::chrono::seconds(1);
  EXPECT_EQ(outcome_of(pairs), "400 RequestExpired");
  pairs.emplace_back("Timestamp", "2011-12-05T13:00:00Z");
  EXPECT_EQ(outcome_of(pairs), "400 InvalidParameterCombination");
  pairs = base;
  pairs.emplace_back("Timestamp", "yesterday");
  EXPECT_EQ(outcome_of(pairs), "400 InvalidParameterValue");
  pairs.back().second = "2011-12-05T14:00:00+01:00";
  EXPECT_EQ(outcome_of(pairs), "200");
}

TEST_F(Version2, HostWithAndWithoutPort) {
  auto pairs = base;
  pairs.emplace_back("Timestamp", "2011-12-05T13:00:00Z");
  EXPECT_EQ(outcome_of(pairs, "LocalHost:8773"), "200");
  EXPECT_EQ(outcome_of(pairs, "localhost:8773", "localhost"), "200");
  EXPECT_EQ(outcome_of(pairs, "[::1]:8773", "[::1]"), "200");
  EXPECT_EQ(outcome_of(pairs, "[::1]", "[:"), "401 AuthFailure");
  EXPECT_EQ(outcome_of(pairs, "localhost", "localhost:8773"), "401 AuthFailure");
}

TEST_F(Version2, MustSayHow) {
  const auto timed = [this] {
    auto pairs = base;
    pairs.emplace_back("Timestamp", "2011-12-05T13:00:00Z");
    return pairs;
  };
  auto pairs = timed();
  pairs[3].second = "1";
  EXPECT_EQ(outcome_of(pairs), "400 InvalidParameterValue");
  pairs = timed();
  pairs[2].second = "HmacMD5";
  EXPECT_EQ(outcome_of(pairs), "400 InvalidParameterValue");
  pairs.erase(pairs.begin() + 2);
  EXPECT_EQ(outcome_of(pairs), "400 MissingParameter");
  EXPECT_EQ(sentence, "The request must contain the parameter SignatureMethod");
}

TEST(SignatureText, DateHeaders) {
  EXPECT_EQ(basic_time_of_date_header("Mon, 05 Dec 2011 13:00:00 GMT"), "20111205T130000Z");
  EXPECT_EQ(basic_time_of_date_header("20111205T130000Z"), "20111205T130000Z");
  EXPECT_EQ(basic_time_of_date_header("Mon, 5 Dec 2011 13:00:00 GMT"), "20111205T130000Z");
  for (const auto bad :
       {"", "Mon, 05 Dec 2011 13:00:00 CET", "Mon, 05 Foo 2011 13:00:00 GMT", "Mon, 99 Dec 2011 13:00:00 GMT", ", ", "now"})
    EXPECT_EQ(basic_time_of_date_header(bad), "") << bad;
}

TEST(SignatureText, DecodesQueries) {
  EXPECT_EQ(decode_query("a=1&b&=c&&d=%2f%2&e=x+y%"), (Pairs{{"a", "1"}, {"b", ""}, {"", "c"}, {"d", "/%2"}, {"e", "x y%"}}));
}

}  // namespace
}  // namespace brume::wire
