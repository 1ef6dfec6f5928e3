// REST requests of JSON services: which operation, and its parameters from everywhere.
#include <gtest/gtest.h>

#include "wire/json_writer.hpp"
#include "wire/rest_json.hpp"

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
  const auto route = find_rest_route(request(method, target));
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
  const auto put_route = find_rest_route(put);
  ASSERT_TRUE(put_route);
  auto pairs = read_rest_request(*put_route, put, {{"X-Amz-Signature", "s"}});
  std::sort(pairs.begin(), pairs.end());
  EXPECT_EQ(
      pairs,
      (Pairs{{"BlockData", "YWJj"}, {"blockIndex", "7"}, {"snapshotId", "snap-1"}, {"x-amz-Checksum", "c"}, {"x-amz-Data-Length", "3"}}));
  auto start = request("POST", "/snapshots");
  start.body = R"({"VolumeSize":1,"Tags":[{"Key":"k"}]})";
  EXPECT_EQ(read_rest_request(*find_rest_route(start), start, {}), (Pairs{{"VolumeSize", "1"}, {"Tags.1.Key", "k"}}));
}

TEST(RestError, HasTheServicesCodesAndAReason) {
  const auto error = in_words_of_rest({400, "MissingParameter", "It is missing."});
  EXPECT_EQ(error.code, "ValidationException");
  EXPECT_EQ(rest_error_document(error),
            R"({"__type":"ValidationException","Message":"It is missing.","Reason":"INVALID_PARAMETER_VALUE"})");
  EXPECT_EQ(in_words_of_rest(internal_error()).code, "InternalServerException");
  EXPECT_EQ(rest_error_document(in_words_of_rest({409, "ConflictException", "x"})), R"({"__type":"ConflictException","Message":"x"})");
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
