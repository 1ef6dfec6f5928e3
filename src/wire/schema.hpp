// Everything that the services of the models have, built here or not, as constant data.
//
// It tells "no such action" from "not built yet", holds the API version since which a thing exists, and prints coverage.
// Typed requests and answers do not need it: their code is generated.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace brume::wire::schema {

enum class Kind : std::uint8_t { string, boolean, integer, long_integer, number, timestamp, blob, structure, list, map };
enum class Protocol : std::uint8_t { ec2, query, rest_xml, rest_json, json_1_1, json_1_0, cbor };
// Where a member stands in a request or answer of a REST protocol. Payload: it is the whole body, as it is.
enum class Place : std::uint8_t { body, path, query, header, payload };

inline constexpr std::uint32_t no_shape = 0xFFFFFFFF;

struct Member {
  std::string_view name;
  std::string_view parameter;  // in requests
  std::string_view element;    // in answers
  std::uint32_t shape;         // index into Service::shapes
  int since;                   // 20161115; 0: always
  bool required;
  bool idempotency_token;
  Place place;
};

struct Shape {
  std::string_view name;
  Kind kind;
  std::uint32_t first_member, member_count;  // structures: range of Service::members
  std::uint32_t element;                     // lists and maps: the shape inside, else no_shape
};

struct Operation {
  std::string_view name;
  std::uint32_t input, output;  // shapes, or no_shape
  int since;                    // 20161115; 0: always
  std::string_view token;       // the input member that makes a repeat harmless; empty: none
  std::string_view family;      // where it is built; empty: not built
  std::string_view method;      // REST: "GET"
  std::string_view path;        // REST: "/snapshots/{snapshotId}/blocks"
  int status;                   // of an answer: 200
  bool built() const { return !family.empty(); }
};

// What a query-compatible service's error is called by the Query protocol, and the shape that it is elsewhere.
struct ErrorName {
  std::string_view code;   // "InvalidParameterValue"
  std::string_view shape;  // "InvalidParameterValueException"
};

struct Service {
  std::string_view name;                  // "ec2", "sts", "cloudwatch", ...
  std::string_view signing_name;          // in credential scopes: "ec2", "monitoring"; two services may share one
  std::span<const Protocol> protocols;    // that its clients speak
  bool query_compatible;                  // errors also carry the code that the Query protocol has for them
  int version;                            // newest, 20161115
  std::string_view version_text;          // "2016-11-15"
  std::string_view xml_namespace;         // of that version
  std::string_view target_prefix;         // JSON and CBOR: "AmazonSSM" of X-Amz-Target: AmazonSSM.GetParameter
  std::span<const Operation> operations;  // sorted by name
  std::span<const Shape> shapes;
  std::span<const Member> members;
  std::span<const ErrorName> errors;  // query-compatible: sorted by code

  bool speaks(Protocol protocol) const;
  std::span<const Member> members_of(const Shape& shape) const { return members.subspan(shape.first_member, shape.member_count); }
  const Shape* shape(std::uint32_t index) const { return index == no_shape ? nullptr : &shapes[index]; }
};

using Services = std::span<const Service* const>;
Services services();
// nullptr: there is none.
const Service* find_service(std::string_view name);
// The service that a credential scope names. Where several share the name (ELB's two), the version that is asked for tells: the first
// of them whose newest version is not older, else the newest of all. nullptr: none has this name.
const Service* find_signed_service(Services among, std::string_view signing_name, int version);
const Operation* find_operation(const Service& service, std::string_view action);
// The shape of an error of this code; the code itself where the model has no other name for it.
std::string_view error_shape(const Service& service, std::string_view code);

// "2011-12-01" -> 20111201; 0: not a date.
int version_number(std::string_view text);

}  // namespace brume::wire::schema
