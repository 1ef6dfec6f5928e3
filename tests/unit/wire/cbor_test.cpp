// Bodies in CBOR: what is read, what is refused, and that what is written is read again.
#include <gtest/gtest.h>

#include <limits>

#include "base/text.hpp"
#include "wire/api_error.hpp"
#include "wire/codec/cbor_body.hpp"
#include "wire/codec/cbor_writer.hpp"
#include "wire/codec/json_body.hpp"
#include "wire/query_tree.hpp"

namespace brume::wire {
namespace {

using Pairs = BodyTree::Pairs;
using namespace std::string_literals;

// {"a": ITEM}
std::string about(const std::string& item) {
  return "\xA1\x61"
         "a" +
         item;
}

// The one value of {"a": ITEM}, or the sentence that it is refused with.
std::string value_of(const std::string& item) {
  try {
    const auto pairs = read_cbor_body(about(item));
    return pairs.size() == 1 && pairs[0].first == "a" ? pairs[0].second : std::to_string(pairs.size()) + " values";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.code, "SerializationException");
    return error.message;
  }
}

TEST(CborBody, Scalars) {
  EXPECT_EQ(value_of("\x17"), "23");
  EXPECT_EQ(value_of("\x18\xFF"), "255");
  EXPECT_EQ(value_of("\x19\x01\x00"s), "256");
  EXPECT_EQ(value_of("\x1B\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), "9223372036854775807");
  EXPECT_EQ(value_of("\x20"), "-1");
  EXPECT_EQ(value_of("\x3B\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), "-9223372036854775808");
  EXPECT_EQ(value_of("\xF4"), "false");
  EXPECT_EQ(value_of("\xF5"), "true");
  EXPECT_EQ(value_of("\xF9\x3E\x00"s), "1.5");
  EXPECT_EQ(value_of("\xF9\x7C\x00"s), "Infinity");
  EXPECT_EQ(value_of("\xF9\xFC\x00"s), "-Infinity");
  EXPECT_EQ(value_of("\xF9\x7E\x00"s), "NaN");
  EXPECT_EQ(value_of("\xF9\x00\x01"s), "5.960464477539063e-08");
  EXPECT_EQ(value_of("\xFA\x3F\xC0\x00\x00"s), "1.5");
  EXPECT_EQ(value_of("\xFB\x3F\xB9\x99\x99\x99\x99\x99\x9A"), "0.1");
  EXPECT_EQ(value_of("\x43"
                     "abc"),
            "YWJj")
      << "bytes are base64, as blobs are";
  EXPECT_EQ(value_of("\x63"
                     "abc"),
            "abc");
  EXPECT_EQ(value_of("\xF6"), "0 values") << "null is as if it was not there";
}

TEST(CborBody, Timestamps) {
  EXPECT_EQ(value_of("\xC1\x1A\x4E\xDC\xC6\x50"), "1323091536");
  EXPECT_EQ(value_of("\xC1\x20"), "-1");
  EXPECT_EQ(value_of("\xC1\xF9\x3E\x00"s), "1.5");
  EXPECT_EQ(value_of("\xC1\x61"
                     "1"),
            "The value of a has a timestamp that is no number.");
  EXPECT_EQ(value_of("\xC1\xF9\x7E\x00"s), "The value of a has a timestamp that is no time.");
  for (const auto* tag : {"\xC0\x61"
                          "1",
                          "\xC2\x41\x01", "\xC4\x82\x01\x01", "\xD9\xD9\xF7\x01", "\xC1\xC1\x01"})
    EXPECT_NE(value_of(tag).find("a has a t"), std::string::npos) << value_of(tag);
}

TEST(CborBody, IndefiniteLengths) {
  EXPECT_EQ(read_cbor_body("\xBF\x61"
                           "a\x9F\x01\x82\x02\x03\xBF\x61"
                           "b\x04\xFF\xFF\xFF"),
            (Pairs{{"a.1", "1"}, {"a.2.1", "2"}, {"a.2.2", "3"}, {"a.3.b", "4"}}));
  EXPECT_EQ(value_of("\x7F\x62"
                     "ab\x61"
                     "c\xFF"),
            "abc");
  EXPECT_EQ(value_of("\x5F\x42"
                     "ab\x41"
                     "c\xFF"),
            "YWJj");
  EXPECT_EQ(value_of("\x7F\xFF"), "");
  EXPECT_EQ(value_of("\x7F\x41"
                     "a\xFF"),
            "The value of a has a string with a part that is none.");
  EXPECT_EQ(value_of("\x7F\x7F\xFF\xFF"), "The value of a has a string with a part that is none.");
  EXPECT_EQ(value_of("\x7F\x61"
                     "a"),
            "The value of a ends before it is complete.");
  EXPECT_EQ(value_of("\x9F\x01"), "The value of a ends before it is complete.");
  EXPECT_EQ(value_of("\xBF\x61"
                     "b\xFF"),
            "The value of a.b has an end where nothing was begun.");
  EXPECT_EQ(value_of("\x82\x01\xFF"), "The value of a has an end where nothing was begun.");
  EXPECT_EQ(value_of("\xFF"), "The value of a has an end where nothing was begun.");
  for (const auto* item : {"\x1F", "\x3F", "\xDF\x01"}) EXPECT_EQ(value_of(item), "The body has an indefinite length where none can be.");
}

TEST(CborBody, BombsAndLies) {
  EXPECT_EQ(value_of(std::string(100'000, '\x81')).substr(0, 18), "The value of a.1.1") << "depth";
  EXPECT_EQ(value_of(std::string(100'000, '\x9F')).substr(0, 18), "The value of a.1.1");
  std::string maps;
  for (int i = 0; i < 1000; ++i) maps += "\xA1\x61m";
  EXPECT_NE(value_of(maps).find("nested too deeply"), std::string::npos);
  // Lengths of 2^64 - 1 and 2^63: nothing is reserved for them.
  for (const auto* head : {"\x9B", "\xBB"})
    EXPECT_EQ(value_of(head + std::string(8, '\xFF')), "The value of a ends before it is complete.");
  for (const auto* head : {"\x7B", "\x5B"}) {
    EXPECT_EQ(value_of(head + std::string(8, '\xFF')), "The value of a has a length beyond its end.");
    EXPECT_EQ(value_of(head + "\x80\0\0\0\0\0\0\0"s), "The value of a has a length beyond its end.");
  }
  std::string many = "\x9F";
  for (size_t i = 0; i <= QueryLimits{}.parameters; ++i) many += '\x01';
  EXPECT_EQ(value_of(many + "\xFF"), "The body has too many values.");
  EXPECT_EQ(value_of("\x1B\x80\0\0\0\0\0\0\0"s), "The value of a is an integer beyond 64 bits.");
  EXPECT_EQ(value_of("\x3B\x80\0\0\0\0\0\0\0"s), "The value of a is an integer beyond 64 bits.");
}

TEST(CborBody, WhatIsNoBody) {
  const auto refused = [](const std::string& body) {
    try {
      read_cbor_body(body);
      return std::string("read");
    } catch (const ApiError& error) {
      return error.message;
    }
  };
  EXPECT_EQ(refused(""), "read");
  EXPECT_EQ(refused("\xA0"), "read");
  EXPECT_EQ(refused("\xBF\xFF"), "read");
  for (const std::string& body : {"\x80"s, "\x01"s, "\xF6"s, "\xFF"s, "\x61x"s})
    EXPECT_EQ(refused(body), "The body is not a map of parameters.");
  EXPECT_EQ(refused("\xA0\xA0"), "The body has bytes behind its end.");
  EXPECT_EQ(refused("\xA1\x01\x01"), "The body has a key that is no text.");
  EXPECT_EQ(refused("\xA1\x61\xFF\x01"), "The body has a text that is not UTF-8.");
  EXPECT_EQ(refused("\xA1\x63"
                    "a.b\x01"),
            "The body has a member whose name is empty or has a dot.");
  EXPECT_EQ(value_of("\xF8\xFF"), "The value of a has a simple value that is none of the protocol's.");
  EXPECT_EQ(value_of("\xF0"), "The value of a has a simple value that is none of the protocol's.");
  for (const auto* item : {"\x1C", "\x5D", "\xFC"}) EXPECT_EQ(value_of(item), "The body has a malformed item.");
}

// A model of three members, one a map.
BodyPlace input_place_of_model() {
  using schema::Kind, schema::Place, schema::Protocol;
  static constexpr Protocol protocols[] = {Protocol::cbor, Protocol::json_1_0};
  static constexpr schema::Shape shapes[] = {{"Input", Kind::structure, 0, 5, schema::no_shape},
                                             {"Text", Kind::string, 0, 0, schema::no_shape},
                                             {"Texts", Kind::list, 0, 0, 1},
                                             {"Map", Kind::map, 0, 0, 1},
                                             {"Time", Kind::timestamp, 0, 0, schema::no_shape},
                                             {"Blob", Kind::blob, 0, 0, schema::no_shape}};
  static constexpr schema::Member members[] = {{"Name", "Name", "Name", 1, 0, false, false, Place::body},
                                               {"Items", "Item", "Items", 2, 0, false, false, Place::body},
                                               {"Tags", "Tags", "Tags", 3, 0, false, false, Place::body},
                                               {"When", "When", "When", 4, 0, false, false, Place::body},
                                               {"Data", "Data", "Data", 5, 0, false, false, Place::body}};
  static const schema::Service service{"m", "m", protocols, false, 20200101, "2020-01-01", {}, "M", {}, shapes, members, {}};
  return {&service, &service.shapes[0]};
}

TEST(BodyTree, TheModelLeads) {
  const auto place = input_place_of_model();
  const Pairs expected = {{"Name", "n"}, {"Item.1", "x"}, {"Tags.1.key", "a.b"}, {"Tags.1.value", "c"}, {"Data", "aGk="}};
  EXPECT_EQ(read_json_body(R"({"Name":"n","Items":["x"],"Tags":{"a.b":"c"},"Data":"aGk="})", place), expected);
  EXPECT_EQ(read_cbor_body("\xA4\x64Name\x61n\x65Items\x81\x61x\x64Tags\xA1\x63"
                           "a.b\x61"
                           "c\x64"
                           "Data\x42hi",
                           place),
            expected);
  EXPECT_EQ(read_json_body(R"({"Other":{"x":1}})", place), (Pairs{{"Other.x", "1"}})) << "kept, to be refused by its name";
}

TEST(BodyTree, ValuesOfTheWrongKindAreRefused) {
  const auto refused = [](auto read, const std::string& body) {
    try {
      read(body, input_place_of_model());
      return std::string("read");
    } catch (const ApiError& error) {
      return error.code == "SerializationException" ? error.message : error.code;
    }
  };
  const auto json = [&](const std::string& body) { return refused(read_json_body, body); };
  EXPECT_EQ(json(R"({"Name":1})"), "The value of Name has to be a text.");
  EXPECT_EQ(json(R"({"Name":["n"]})"), "The value of Name has to be a text.");
  EXPECT_EQ(json(R"({"Items":"x"})"), "The value of Item has to be a list.");
  EXPECT_EQ(json(R"({"Items":{"x":"y"}})"), "The value of Item has to be a list.");
  EXPECT_EQ(json(R"({"Tags":["x"]})"), "The value of Tags has to be a map.");
  EXPECT_EQ(json(R"({"When":true})"), "The value of When has to be a time.");
  EXPECT_EQ(json(R"({"When":1.5})"), "read");
  const auto cbor = [&](const std::string& body) { return refused(read_cbor_body, body); };
  EXPECT_EQ(cbor("\xA1\x64When\x01"), "The value of When has to be a time.") << "no tag";
  EXPECT_EQ(cbor("\xA1\x64When\xC1\x01"), "read");
  EXPECT_EQ(cbor("\xA1\x64Name\xC1\x01"), "The value of Name has to be a text.");
  EXPECT_EQ(cbor("\xA1\x64"
                 "Data\x62hi"),
            "The value of Data has to be bytes.");
}

TEST(BodyTree, AnEmptyStructureIsThere) {
  const QueryTree tree(read_json_body(R"({"At":{},"List":[{},{"x":{}}]})"));
  EXPECT_TRUE(tree.root().child("At"));
  EXPECT_FALSE(tree.root().child("Other"));
  int items = 0;
  for (QueryItems at(tree.root().child("List")); at.next();) ++items;
  EXPECT_EQ(items, 2);
  EXPECT_NO_THROW(tree.require_all_read());
  const QueryTree query("At.=");
  EXPECT_THROW(query.require_all_read(), ApiError) << "a query has no such marks";
}

TEST(CborWriter, WritesTheShortestHeads) {
  const auto written = [](auto value) {
    CborWriter out;
    out.value(value);
    return to_hex(out.take());
  };
  EXPECT_EQ(written(std::int64_t{0}), "00");
  EXPECT_EQ(written(std::int64_t{24}), "1818");
  EXPECT_EQ(written(std::int64_t{256}), "190100");
  EXPECT_EQ(written(std::int64_t{65536}), "1a00010000");
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::max()), "1b7fffffffffffffff");
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "3b7fffffffffffffff");
  EXPECT_EQ(written(std::int64_t{-1}), "20");
  EXPECT_EQ(written(0.1), "fb3fb999999999999a");
  EXPECT_EQ(written(true), "f5");
  EXPECT_EQ(written("a"), "6161");
  EXPECT_EQ(written("\xC3\xA9"), "62c3a9");
  EXPECT_EQ(written("\xFF"), "63efbfbd") << "a text is UTF-8 whatever comes";
  EXPECT_EQ(written(Time(milliseconds(1'323'091'536'000))), "c11a4edcc650");
  EXPECT_EQ(written(Time(milliseconds(1500))), "c1fb3ff8000000000000");
  CborWriter out;
  out.value_blob("hi");
  EXPECT_EQ(to_hex(out.take()), "426869");
}

}  // namespace
}  // namespace brume::wire
