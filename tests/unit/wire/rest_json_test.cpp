// REST requests of JSON services: which operation, and its parameters from everywhere.
#include <gtest/gtest.h>

#include <algorithm>

#include "wire/codec/rest_routes.hpp"
#include "wire/json_writer.hpp"

namespace brume::wire {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

HttpRequest request(const char* method, const char* target) {
  HttpRequest made;
  made.method = method;
  made.target = target;
  return made;
}

std::string operation(const char* method, const char* target) {
  const auto route = find_rest_route(schema::services(), request(method, target));
  return route ? std::string(route->operation->name) : "";
}

TEST(RestRoute, MethodAndPathNameTheOperation) {
  EXPECT_EQ(operation("GET", "/snapshots/snap-1/blocks?maxResults=100"), "ListSnapshotBlocks");
  EXPECT_EQ(operation("GET", "/snapshots/snap-1/blocks/7"), "GetSnapshotBlock");
  EXPECT_EQ(operation("PUT", "/snapshots/snap-1/blocks/7"), "PutSnapshotBlock");
  EXPECT_EQ(operation("GET", "/snapshots/snap-1/changedblocks"), "ListChangedBlocks");
  EXPECT_EQ(operation("POST", "/snapshots"), "StartSnapshot");
  EXPECT_EQ(operation("POST", "/snapshots/completion/snap-1"), "CompleteSnapshot");
  for (const auto* target : {"/", "", "/snapshots/", "/snapshots/snap-1", "/snapshots//blocks", "/snapshots/snap-1/blocks/7/8", "/other"})
    EXPECT_EQ(operation("GET", target), "") << target;
  EXPECT_EQ(operation("DELETE", "/snapshots"), "");
}

TEST(RestRequest, ParametersComeFromPathHeadersQueryAndBody) {
  auto put = request("PUT", "/snapshots/snap-1/blocks/7");
  put.headers = {{"x-amz-data-length", "3"}, {"x-amz-checksum", "c"}, {"x-amz-other", "o"}};
  put.body = "abc";
  const auto read = [](const HttpRequest& asked) {
    Call call(asked, schema::services(), "r");
    recognise(call);
    call.codec->decode(call, asked.body);
    auto pairs = call.parameters->pairs();
    std::sort(pairs.begin(), pairs.end());
    return pairs;
  };
  put.target += "?X-Amz-Signature=s";
  EXPECT_EQ(
      read(put),
      (Pairs{{"BlockData", "YWJj"}, {"blockIndex", "7"}, {"snapshotId", "snap-1"}, {"x-amz-Checksum", "c"}, {"x-amz-Data-Length", "3"}}));
  auto start = request("POST", "/snapshots");
  start.body = R"({"VolumeSize":1,"Tags":[{"Key":"k"}]})";
  EXPECT_EQ(read(start), (Pairs{{"Tags.1.Key", "k"}, {"VolumeSize", "1"}}));
}

TEST(RestError, HasTheServicesCodesAndAReason) {
  const auto asked = request("GET", "/snapshots/snap-1/blocks");
  Call call(asked, schema::services(), "r");
  recognise(call);
  const auto answer = [&](const ApiError& error) {
    HttpResponse response;
    call.codec->error(call, error, response);
    EXPECT_EQ(response.status, error.status);
    EXPECT_EQ(response.content_type, "application/json");
    return response;
  };
  const auto missing = answer({400, "MissingParameter", "It is missing."});
  EXPECT_EQ(missing.headers, (Pairs{{"x-amzn-ErrorType", "ValidationException"}}));
  EXPECT_EQ(missing.body, R"({"__type":"ValidationException","Message":"It is missing.","Reason":"INVALID_PARAMETER_VALUE"})");
  EXPECT_EQ(answer(internal_error()).headers.front().second, "InternalServerException");
  EXPECT_EQ(answer({409, "ConflictException", "x"}).body, R"({"__type":"ConflictException","Message":"x"})");
}

TEST(JsonWriter, KeepsWhatStandsBesideTheBody) {
  JsonWriter out;
  out.open_object();
  out.header("a", std::optional<std::string>("1"));
  out.header("b", std::optional<std::string>());
  out.header("c", std::optional<std::int64_t>(2));
  EXPECT_FALSE(out.take_payload());
  out.payload(std::string("bytes"));
  out.close_object();
  EXPECT_EQ(out.take_headers(), (Pairs{{"a", "1"}, {"c", "2"}}));
  EXPECT_EQ(out.take_payload(), "bytes");
  EXPECT_EQ(out.take(), "{}");
}

}  // namespace
}  // namespace brume::wire
