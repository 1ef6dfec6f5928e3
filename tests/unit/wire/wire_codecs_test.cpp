// The codecs: which one a request is for, which service it asks, and how answers and errors look in each.
#include <gtest/gtest.h>

#include "wire/codec/cbor_writer.hpp"
#include "wire/codec/codec.hpp"
#include "wire/ec2/tags.hpp"
#include "wire/json_writer.hpp"
#include "wire/sts/identity.hpp"
#include "wire/xml_writer.hpp"

namespace brume::wire {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

// A generated structure as an answer: in XML by its own function, in the others one member by hand.
template <class Members>
class MembersAnswer final : public Answer {
 public:
  explicit MembersAnswer(Members members) : members_(std::move(members)) {}
  void encode(XmlWriter& out) const override { write(out, members_); }
  void encode(JsonWriter& out) const override { out.member("Name", std::optional<std::string>("n")); }
  void encode(CborWriter& out) const override { out.member("Name", std::optional<std::string>("n")); }

 private:
  Members members_;
};

HttpRequest query_request(const std::string& query, Headers headers = {}) {
  HttpRequest request;
  request.method = "GET";
  request.target = "/?" + query;
  request.headers = std::move(headers);
  return request;
}

HttpRequest post_request(std::string target, Headers headers, std::string body = {}) {
  HttpRequest request;
  request.method = "POST";
  request.target = std::move(target);
  request.headers = std::move(headers);
  request.body = std::move(body);
  return request;
}

std::string scope_header(std::string_view service) {
  return "AWS4-HMAC-SHA256 Credential=AKIA/20111205/us-east-1/" + std::string(service) + "/aws4_request, SignedHeaders=host, Signature=0";
}

class Recognised {
 public:
  Recognised(const Recognised&) = delete;
  Recognised& operator=(const Recognised&) = delete;
  explicit Recognised(HttpRequest request) : request_(std::move(request)), call_(request_, schema::services(), "req-1") {
    recognise(call_);
  }
  Call* operator->() { return &call_; }
  HttpResponse answer(const Answer& given) const {
    HttpResponse response;
    call_.codec->encode(call_, given, response);
    return response;
  }
  HttpResponse error(const ApiError& given) const {
    HttpResponse response;
    call_.codec->error(call_, given, response);
    return response;
  }
  std::string service() const { return call_.service == nullptr ? "not " + call_.service_name : std::string(call_.service->name); }
  schema::Protocol protocol() const { return call_.codec->protocol(); }

 private:
  HttpRequest request_;
  Call call_;
};

TEST(Codecs, Ec2AnswerAndError) {
  const Recognised call(query_request("Action=DeleteTags&Version=2011-12-01"));
  EXPECT_EQ(call.protocol(), schema::Protocol::ec2);
  const auto answer = call.answer(MembersAnswer(ec2::DeleteTagsResponse{}));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "text/xml;charset=UTF-8");
  EXPECT_EQ(answer.body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteTagsResponse xmlns=\"http://ec2.amazonaws.com/doc/2011-12-01/\">"
            "<requestId>req-1</requestId><return>true</return></DeleteTagsResponse>");
  const auto error = call.error(ApiError(400, "InvalidKeyPair.NotFound", "The key pair '<x>' does not exist"));
  EXPECT_EQ(error.status, 400);
  EXPECT_EQ(error.body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>InvalidKeyPair.NotFound</Code>"
            "<Message>The key pair &apos;&lt;x&gt;&apos; does not exist</Message></Error></Errors><RequestID>req-1</RequestID></Response>");
}

TEST(Codecs, QueryAnswerAndError) {
  const Recognised call(query_request("Action=GetCallerIdentity&Version=2011-06-15"));
  EXPECT_EQ(call.service(), "sts");
  sts::GetCallerIdentityResponse who;
  who.account = "123456789012";
  EXPECT_EQ(call.answer(MembersAnswer(who)).body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
            "<GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>"
            "<ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>");
  EXPECT_NE(call.error(ApiError(400, "C", "M")).body.find("<Type>Sender</Type><Code>C</Code><Message>M</Message>"), std::string::npos);
  EXPECT_NE(call.error(ApiError(503, "C", "M")).body.find("<Type>Receiver</Type>"), std::string::npos);
}

TEST(Codecs, OneServiceInThreeProtocols) {
  const MembersAnswer given(sts::GetCallerIdentityResponse{});
  const ApiError wrong(400, "InvalidParameterValue", "It is wrong.");

  Recognised query(query_request("Action=ListMetrics&Version=2010-08-01", {{"authorization", scope_header("monitoring")}}));
  EXPECT_EQ(query.service(), "cloudwatch");
  EXPECT_EQ(query.protocol(), schema::Protocol::query);
  EXPECT_NE(query.error(wrong).body.find("<Code>InvalidParameterValue</Code>"), std::string::npos);
  EXPECT_TRUE(query.error(wrong).headers.empty());

  Recognised json(
      post_request("/", {{"content-type", "application/x-amz-json-1.0"}, {"x-amz-target", "GraniteServiceVersion20100801.ListMetrics"}}));
  EXPECT_EQ(json.service(), "cloudwatch");
  EXPECT_EQ(json.protocol(), schema::Protocol::json_1_0);
  EXPECT_EQ(json->action, "ListMetrics");
  EXPECT_EQ(json->version, "2010-08-01");
  EXPECT_EQ(json.answer(given).body, "{\"Name\":\"n\"}");
  EXPECT_EQ(json.answer(given).content_type, "application/x-amz-json-1.0");
  const auto refused = json.error(wrong);
  EXPECT_EQ(refused.body, R"({"__type":"InvalidParameterValueException","message":"It is wrong."})");
  EXPECT_EQ(refused.headers, (Headers{{"x-amzn-query-error", "InvalidParameterValue;Sender"}}));
  EXPECT_EQ(json.error(internal_error()).headers, (Headers{{"x-amzn-query-error", "InternalError;Receiver"}}));

  Recognised cbor(post_request("/service/GraniteServiceVersion20100801/operation/ListMetrics", {{"smithy-protocol", "rpc-v2-cbor"}}));
  EXPECT_EQ(cbor.service(), "cloudwatch");
  EXPECT_EQ(cbor.protocol(), schema::Protocol::cbor);
  EXPECT_EQ(cbor->action, "ListMetrics");
  EXPECT_EQ(cbor.answer(given).body, "\xBF\x64Name\x61n\xFF");
  EXPECT_EQ(cbor.answer(given).content_type, "application/cbor");
  EXPECT_EQ(cbor.answer(given).headers, (Headers{{"smithy-protocol", "rpc-v2-cbor"}}));
  EXPECT_EQ(cbor.error(wrong).headers,
            (Headers{{"smithy-protocol", "rpc-v2-cbor"}, {"x-amzn-query-error", "InvalidParameterValue;Sender"}}));
  EXPECT_EQ(cbor.error(wrong).body, "\xBF\x66__type\x78\x1EInvalidParameterValueException\x67message\x6CIt is wrong.\xFF");
}

TEST(Codecs, WhoIsToldByWhat) {
  const auto asked = [](HttpRequest request) {
    const Recognised call(std::move(request));
    return call.service() + " " + std::to_string(static_cast<int>(call.protocol()));
  };
  const auto is = [](const char* service, schema::Protocol protocol) {
    return service + (" " + std::to_string(static_cast<int>(protocol)));
  };
  using schema::Protocol;
  EXPECT_EQ(asked(query_request("")), is("ec2", Protocol::ec2));
  EXPECT_EQ(asked(query_request("Action=X", {{"authorization", scope_header("sts")}})), is("sts", Protocol::query));
  EXPECT_EQ(asked(query_request("Action=RunInstances&Version=2016-11-15", {{"host", "127.0.0.1"}, {"authorization", scope_header("127")}})),
            is("ec2", Protocol::ec2))
      << "boto 2 takes the scope from the host";
  EXPECT_EQ(asked(query_request("Action=DescribeDBInstances&Version=2014-10-31", {{"authorization", scope_header("rds")}})),
            is("not rds", Protocol::query));
  EXPECT_EQ(asked(post_request("/", {{"x-amz-target", "AmazonSSM.GetParameter"}, {"content-type", "application/x-amz-json-1.0"}})),
            is("ssm", Protocol::json_1_1))
      << "the service knows its version";
  EXPECT_EQ(asked(post_request("/", {{"x-amz-target", "TrentService.ListKeys"}, {"content-type", "application/x-amz-json-1.0"}})),
            is("not TrentService", Protocol::json_1_0));
  EXPECT_EQ(asked(post_request("/", {{"x-amz-target", "TrentService.ListKeys"}})), is("not TrentService", Protocol::json_1_1));
  EXPECT_EQ(asked(post_request("/service/Other/operation/X", {{"content-type", "application/cbor"}})), is("not Other", Protocol::cbor));
  EXPECT_EQ(asked(post_request("/snapshots", {{"authorization", scope_header("ebs")}})), is("ebs", Protocol::rest_json));
  EXPECT_EQ(asked(post_request("/2015-03-31/functions", {{"authorization", scope_header("lambda")}})),
            is("not lambda", Protocol::rest_json));
  EXPECT_EQ(asked(post_request("/bucket/key", {{"authorization", scope_header("s3")}})), is("not s3", Protocol::rest_xml));
  EXPECT_EQ(asked(post_request("/snapshots", {{"authorization", "AWS AKIA:signature"}})), is("not s3", Protocol::rest_xml));
}

// ELB's two services are signed for alike.
TEST(Codecs, TheVersionTellsServicesOfOneScopeApart) {
  const auto asked = [](const std::string& version) {
    return Recognised(
               query_request("Action=DescribeLoadBalancers&Version=" + version, {{"authorization", scope_header("elasticloadbalancing")}}))
        .service();
  };
  EXPECT_EQ(asked("2011-08-15"), "elb");
  EXPECT_EQ(asked("2012-06-01"), "elb");
  EXPECT_EQ(asked("2015-12-01"), "elbv2");
  EXPECT_EQ(asked("2030-01-01"), "elbv2");
  EXPECT_EQ(Recognised(query_request("Action=DescribeLoadBalancers&Version=2012-06-01")).service(), "elb") << "nor is there a scope";
  EXPECT_EQ(Recognised(query_request("Action=DescribeLoadBalancers&Version=2015-12-01")).service(), "elbv2");

  constexpr schema::Protocol query[] = {schema::Protocol::query};
  const schema::Service older{"older", "shared", query, false, 20120601, "2012-06-01", {}, {}, {}, {}, {}, {}};
  const schema::Service newer{"newer", "shared", query, false, 20151201, "2015-12-01", {}, {}, {}, {}, {}, {}};
  const schema::Service alone{"alone", "own", query, false, 20100101, "2010-01-01", {}, {}, {}, {}, {}, {}};
  for (const auto& table : {std::vector{&older, &newer, &alone}, std::vector{&alone, &newer, &older}}) {
    EXPECT_EQ(schema::find_signed_service(table, "shared", 20120601), &older);
    EXPECT_EQ(schema::find_signed_service(table, "shared", 20090101), &older);
    EXPECT_EQ(schema::find_signed_service(table, "shared", 20130101), &newer);
    EXPECT_EQ(schema::find_signed_service(table, "shared", 20300101), &newer);
    EXPECT_EQ(schema::find_signed_service(table, "shared", 0), &newer) << "no version at all";
    EXPECT_EQ(schema::find_signed_service(table, "own", 20300101), &alone);
    EXPECT_EQ(schema::find_signed_service(table, "other", 20120601), nullptr);
  }
}

TEST(Codecs, EachRefusesAnUnknownServiceInItsWords) {
  Recognised json(post_request("/", {{"x-amz-target", "TrentService.ListKeys"}}));
  EXPECT_EQ(service_not_built(*json.operator->()).code, "UnknownOperationException");
  Recognised s3(post_request("/b", {{"authorization", scope_header("s3")}}));
  const auto error = service_not_built(*s3.operator->());
  EXPECT_EQ(error.status, 501);
  const auto response = s3.error(error);
  EXPECT_EQ(response.content_type, "application/xml");
  EXPECT_EQ(response.body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NotImplemented</Code><Message>The service s3 is not built in this "
            "version of Brume.</Message><RequestId>req-1</RequestId></Error>");
  const Recognised lambda(post_request("/2015-03-31/functions", {{"authorization", scope_header("lambda")}}));
  EXPECT_EQ(lambda.error({400, "MissingParameter", "m"}).body, R"({"__type":"MissingParameter","message":"m"})");
}

}  // namespace
}  // namespace brume::wire
