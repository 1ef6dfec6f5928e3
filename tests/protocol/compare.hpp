// Comparing what a case wants with what came out.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "wire/api_error.hpp"
#include "wire/codec/cbor_writer.hpp"
#include "wire/codec/codec.hpp"
#include "wire/json_writer.hpp"
#include "wire/query_tree.hpp"
#include "wire/xml_writer.hpp"

namespace brume::wire {

inline Time at_milliseconds(std::int64_t since_epoch) { return Time(milliseconds(since_epoch)); }

template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}
inline bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// A document as lines of "path = text". White space around text, the order of attributes, the spelling of times, the root's
// namespace and request ids do not count; entries of maps come in any order.
std::string canonical(const std::string& document, bool sort_entries);
// The same, without the empty elements that `expected` (canonical too) does not have: EC2 and Query answers have an empty
// element for a list that the cases' results leave out.
std::string canonical_beside(const std::string& expected, const std::string& document, bool sort_entries);

// The text at an XPath; empty: nothing there.
std::string text_at(const std::string& document, const char* path);

std::string header_of(const HttpResponse& response, const std::string& name);

// A request as a case's client sends it, to a service of the case's own. Recognised and decoded by the codec that it is for.
class SentCase {
 public:
  struct Sent {
    std::string method, target;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
  };
  SentCase(const schema::Service& service, Sent sent);

  schema::Protocol protocol() const { return call_.codec->protocol(); }
  const std::string& action() const { return call_.action; }
  QueryNode root() const { return call_.parameters->root(); }
  void require_all_read() const { call_.parameters->require_all_read(); }

 private:
  const schema::Service* services_[1];
  HttpRequest request_;
  Call call_;
};

// A generated structure as an answer, in the forms that its protocol has.
template <class Members>
class CaseAnswer final : public Answer {
 public:
  explicit CaseAnswer(const Members& members) : members_(members) {}
  void encode(XmlWriter& out) const override { write_if_there(out); }
  void encode(JsonWriter& out) const override { write_if_there(out); }
  void encode(CborWriter& out) const override { write_if_there(out); }

 private:
  template <class Writer>
  void write_if_there(Writer& out) const {
    if constexpr (requires { write(out, members_); })
      write(out, members_);
    else
      ADD_FAILURE() << "the generator made no writer of this protocol";
  }
  const Members& members_;
};

// The answer of a case's service to a call of its action.
class AnsweredCase {
 public:
  AnsweredCase(const schema::Service& service, schema::Protocol protocol, std::string action, std::string version,
               std::string_view request_id = "requestid");

  template <class Members>
  HttpResponse answer(const Members& members) const {
    HttpResponse response;
    call_.codec->encode(call_, CaseAnswer<Members>(members), response);
    return response;
  }
  template <class Members>
  HttpResponse error(const ApiError& error, const Members& details) const {
    HttpResponse response;
    const CaseAnswer<Members> answer(details);
    call_.codec->error(call_, error, response, &answer);
    return response;
  }

  // A body of values as sorted lines "path = value", without __type and message, and without the empty lists that `expected` does not have.
  std::string lines_beside(const std::string& expected, const HttpResponse& response) const;
  // The text at the top of a body of values.
  std::string value_at(const HttpResponse& response, const std::string& key) const;

 private:
  HttpRequest request_;
  Call call_;
};

}  // namespace brume::wire
