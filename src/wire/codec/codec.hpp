// A protocol of Amazon's services behind one interface: which requests are in it, what they ask for, how an answer and an error look.
//
//   Call call(request, schema::services(), request_id);
//   recognise(call);                              // from the outside: codec, service, action. Nothing is believed yet
//   …                                             // who sent it (wire/identity)
//   call.codec->decode(call, body);               // the parameters, as a tree of one form for all protocols
//   call.codec->encode(call, answer, response);   // or error(...)
//
// A service may have several codecs (schema::Service::protocols): which of them is the client's choice, request by request. A further
// protocol is one more file here with a row in codec.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/api_error.hpp"
#include "wire/http/server.hpp"
#include "wire/query_tree.hpp"
#include "wire/refusals.hpp"
#include "wire/schema.hpp"

namespace brume::wire {

class CborWriter;
class Codec;
class JsonWriter;
class XmlWriter;

// An answer, or the members of an error, that can be written in each form. Implemented over the generated functions.
class Answer {
 public:
  Answer() = default;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  virtual ~Answer() = default;
  virtual void encode(XmlWriter& out) const = 0;
  virtual void encode(JsonWriter& out) const = 0;
  virtual void encode(CborWriter& out) const = 0;
};

// One request as its codec understands it. Threads: one at a time.
struct Call {
  Call(const HttpRequest& received, schema::Services known, std::string_view id);

  const HttpRequest& request;
  schema::Services services;  // among which its own is looked for
  std::string request_id;
  const Codec* codec;                        // never null: EC2's until another is recognised
  const schema::Service* service = nullptr;  // null: none that is served here
  std::string service_name;                  // as the sender calls it, when it is none of ours: "s3", "TrentService"; may be empty
  std::string action;
  std::string version;                           // as asked: "2011-12-01"
  const schema::Operation* operation = nullptr;  // of the action: known after recognition for REST, else set by whoever looks it up
  std::unique_ptr<QueryTree> parameters;         // after decode; of a form that is not compressed, after recognition
  std::unique_ptr<QueryTree> url_parameters;     // of all protocols but forms, whose parameters are all in one tree
  std::vector<std::pair<std::string, std::string>> path_values;  // of a REST path: "snapshotId" → "snap-…"

  // What a signature may be made over besides the body: decoded, in the order sent.
  const std::vector<std::pair<std::string, std::string>>& signed_parameters() const;
  int version_number() const { return schema::version_number(version); }
  // The API version that XML answers are written in; it goes into the document, so it has to be a date that was checked.
  bool has_result() const { return operation == nullptr || operation->output != schema::no_shape; }
};

// Threads: all functions may be called from any thread at once. A codec has no state.
class Codec {
 public:
  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;

  virtual schema::Protocol protocol() const = 0;
  // Is the request in this protocol? If so, says in `call` which service, version and action are asked for, as far as the outside tells.
  // Throws ApiError when it is, and cannot be read; `call.codec` is this one by then.
  virtual bool recognise(Call& call) const = 0;
  // Sets call.parameters, and what recognition could not tell. `body`: of the request, no longer compressed. Throws ApiError.
  virtual void decode(Call& call, std::string_view body) const = 0;
  // Into status, headers, content type and body of the response.
  virtual void encode(const Call& call, const Answer& answer, HttpResponse& response) const = 0;
  // `details`: what the error has besides code and message; null: nothing.
  virtual void error(const Call& call, const ApiError& error, HttpResponse& response, const Answer* details = nullptr) const = 0;

  ApiError refuse(Trouble trouble, std::string sentence = {}) const { return refusal(protocol(), trouble, std::move(sentence)); }
};

// The one codec of a protocol.
const Codec& codec_of(schema::Protocol protocol);

// Finds the codec of a request, and what can be told before its sender is known. Throws ApiError when it cannot be read; call.codec is
// then the one to answer with.
void recognise(Call& call);

// That call.service_name is no service that is served here, as its clients expect to hear it.
ApiError service_not_built(const Call& call);

// The service of X-Amz-Target and of CBOR's path, if it speaks the protocol. Null: none.
const schema::Service* find_by_target(const Call& call, std::string_view prefix, schema::Protocol protocol);

// "application/json", without parameters.
std::string_view media_type(const HttpRequest& request);

// A form, or a query with an Action: what EC2's and the Query protocol look like.
bool looks_like_form(const HttpRequest& request);

// The beginning of a name that a client sent: an error document is not the place to echo one of any size.
std::string short_name(std::string_view text);

}  // namespace brume::wire
