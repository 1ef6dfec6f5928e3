// The JSON protocol: bodies as parameters, answers as text.
#include <gtest/gtest.h>

#include "wire/api_error.hpp"
#include "wire/codec/json_body.hpp"
#include "wire/json_writer.hpp"
#include "wire/query_tree.hpp"

namespace brume::wire {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(JsonBody, MembersBecomeParameters) {
  const Pairs expected = {{"Name", "a \"b\" \u00e9"}, {"Flag", "true"}, {"Count", "-5"},  {"Share", "0.25"},
                          {"Names.1", "x"},           {"Names.2", "y"}, {"At.1.Key", "k"}};
  EXPECT_EQ(
      read_json_body(
          R"({"Name":"a \"b\" \u00e9","Flag":true,"Count":-5,"Share":0.25,"Gone":null,"Names":["x","y"],"Nothing":[],"At":[{"Key":"k"}]})"),
      expected);
  EXPECT_EQ(read_json_body(""), Pairs());
  EXPECT_EQ(read_json_body("{}"), Pairs());
}

TEST(JsonBody, WhatIsNoObjectIsRefused) {
  const std::string deep = std::string(200, '[') + std::string(200, ']');
  for (const std::string& body :
       {std::string("{"), std::string("[]"), std::string("1"), std::string("\xff"), std::string("{\"a.b\":1}"), "{\"a\":" + deep + "}"}) {
    try {
      read_json_body(body);
      ADD_FAILURE() << body.substr(0, 20);
    } catch (const ApiError& error) {
      EXPECT_EQ(error.code, "SerializationException");
    }
  }
}

TEST(JsonBody, IsJsonAndNothingElse) {
  for (const std::string_view body : {"null",
                                      " null ",
                                      "\"x\"",
                                      "{} {}",
                                      "{}x",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "{\"a\":01}",
                                      "{\"a\":1.}",
                                      "{\"a\":+1}",
                                      "{\"a\":NaN}",
                                      "{\"a\":\"\\ud800\"}",
                                      "{\"a\":\"\\udc00x\"}",
                                      "{\"a\":\"\x01\"}",
                                      "{\"a\":\"\xc3\"}",
                                      "{\"a\":tru}",
                                      "{\"a\":\"\\x\"}",
                                      "{/**/}",
                                      " ",
                                      "{\"a\""})
    EXPECT_THROW(read_json_body(body), ApiError) << body;
  EXPECT_EQ(read_json_body(" \r\n\t{ \"a\" : [ null , 1 ] , \"b\" : null } \n"), (Pairs{{"a.1", "1"}}));
  EXPECT_EQ(read_json_body(R"({"a":"\ud83d\ude00\/"})"), (Pairs{{"a", "\xf0\x9f\x98\x80/"}}));
}

TEST(JsonBody, NumbersKeepTheirSpelling) {
  for (const std::string number : {"0", "-0", "12345678901234567890123", "0.10", "1.0e+2", "-1E5", "9007199254740993"})
    EXPECT_EQ(read_json_body("{\"n\":" + number + "}"), (Pairs{{"n", number}}));
}

TEST(JsonBody, AsManyValuesAsAQueryMayHave) {
  std::string body = "{\"a\":[";
  for (size_t i = 0; i < QueryLimits{}.parameters; ++i) body += i == 0 ? "1" : ",1";
  EXPECT_EQ(read_json_body(body + "]}").size(), QueryLimits{}.parameters);
  EXPECT_THROW(read_json_body(body + ",1]}"), ApiError);
}

// Before a signature is looked at: one key of half a megabyte over 10,000 values would else be names of gigabytes.
TEST(JsonBody, NamesAreAsShortAsAQuerys) {
  const std::string longest(QueryLimits{}.name_bytes - 2, 'k');
  EXPECT_EQ(read_json_body("{\"" + longest + "\":[1]}").size(), 1U);
  EXPECT_THROW(read_json_body("{\"" + longest + "\":[1,2,3,4,5,6,7,8,9,10]}"), ApiError);
  EXPECT_THROW(read_json_body("{\"" + longest + "xx\":1}"), ApiError);
}

TEST(JsonWriter, CommasAndEscapes) {
  JsonWriter json;
  json.open_object();
  json.member("Text", std::optional<std::string>("a\"b\\c\n\x01 \u00e9"));
  json.member("Absent", std::optional<std::string>());
  json.key("List");
  json.open_list();
  json.value(true);
  json.value(std::int64_t{-7});
  json.open_object();
  json.close_object();
  json.open_list();
  json.close_list();
  json.close_list();
  json.member("Share", std::optional<double>(0.25));
  json.close_object();
  EXPECT_EQ(json.take(), "{\"Text\":\"a\\\"b\\\\c\\u000a\\u0001 \u00e9\",\"List\":[true,-7,{},[]],\"Share\":0.25}");
}

TEST(JsonWriter, TimesAreSeconds) {
  JsonWriter json;
  json.open_list();
  json.value(Time(milliseconds(1'322'000'000'000)));
  json.value(Time(milliseconds(1'322'000'000'123)));
  json.value_blob("hi");
  json.close_list();
  EXPECT_EQ(json.take(), "[1322000000,1322000000.123,\"aGk=\"]");
}

TEST(QueryTree, IsMadeOfPairsAsOfText) {
  const QueryTree tree(Pairs{{"B.2", "second"}, {"A", "1"}, {"B.1", "first"}});
  std::vector<std::string> items;
  for (QueryItems at(tree.root().child("B")); at.next();) read_value(at.node(), items.emplace_back());
  EXPECT_EQ(items, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(tree.find("A"), "1");
}

}  // namespace
}  // namespace brume::wire
