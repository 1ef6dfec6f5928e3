// One row per action of every service: its name, how it runs, what decides it. The rows drive dispatch, DryRun, metrics and docs.
//
//   read_action<DescribeRegionsRequest, DescribeRegionsResult>("DescribeRegions", describe_regions)
//
// A read decides from one World. A write decides inside a transaction. Work runs on a worker thread and may wait (it makes a key,
// reads a file); what it changes it changes by Services::store.transact.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "service/services.hpp"
#include "state/store.hpp"
#include "wire/api_error.hpp"
#include "wire/codec/cbor_writer.hpp"
#include "wire/codec/codec.hpp"
#include "wire/identity/identity.hpp"
#include "wire/json_writer.hpp"
#include "wire/query_tree.hpp"
#include "wire/xml_writer.hpp"

namespace brume::service {

enum class Lane { read, write, work };

struct Context {
  const wire::Caller& caller;
  const Services& services;
  int version;  // of the API asked for, as a number: 20111201, 20161115
  Time now;
  bool dry_run = false;
  const wire::QueryTree* parameters = nullptr;  // as sent; for telling a repeated request from another

  const std::string& account() const { return caller.account_id; }
  // The guide's API, whose defaults and addresses differ from today's.
  bool is_2011() const { return version < 20120101; }
};

// A decoded request that waits to be run, then its answer that waits to be written.
class Invocation : public wire::Answer {
 public:
  virtual void read(const state::World&, const Context&) {}
  virtual void write(state::Transaction&, const Context&) {}
  virtual void work(const Context&) {}
  virtual bool dry_run() const = 0;
};

struct Action {
  std::string_view name;
  Lane lane;
  std::unique_ptr<Invocation> (*decode)(const Action&, const wire::QueryNode&);
  void (*decide)();  // the handler, cast back by the Invocation that knows its type
};

// The answer of an action that has nothing to say but that it is done.
struct Done {};
inline void write(wire::XmlWriter& out, const Done&) { out.element("return", true); }

namespace detail {

// Outside the class below, whose own read and write would hide the generated functions.
template <class Request>
void read_request(const wire::QueryNode& node, Request& out) {
  read(node, out);
}
// A type is written in its service's protocols only.
template <class Writer, class Response>
void write_response(Writer& out, const Response& response) {
  if constexpr (requires { write(out, response); })
    write(out, response);
  else
    throw std::logic_error("an answer is written in the protocol of another service");
}

template <class Request>
bool asks_dry_run(const Request& request) {
  if constexpr (requires { request.dry_run; })
    return request.dry_run.value_or(false);
  else
    return false;
}

template <class Request, class Response, Lane lane>
class TypedInvocation final : public Invocation {
 public:
  using Read = Response (*)(const state::World&, const Context&, const Request&);
  using Write = Response (*)(state::Transaction&, const Context&, const Request&);
  using Work = Response (*)(const Context&, const Request&);

  explicit TypedInvocation(void (*decide)()) : decide_(decide) {}

  void read(const state::World& world, const Context& context) override {
    if constexpr (lane == Lane::read) response_ = reinterpret_cast<Read>(decide_)(world, context, request_);
  }
  void write(state::Transaction& transaction, const Context& context) override {
    if constexpr (lane == Lane::write) response_ = reinterpret_cast<Write>(decide_)(transaction, context, request_);
  }
  void work(const Context& context) override {
    if constexpr (lane == Lane::work) response_ = reinterpret_cast<Work>(decide_)(context, request_);
  }
  bool dry_run() const override { return asks_dry_run(request_); }
  void encode(wire::XmlWriter& out) const override { write_response(out, response_); }
  void encode(wire::JsonWriter& out) const override { write_response(out, response_); }
  void encode(wire::CborWriter& out) const override { write_response(out, response_); }

  static std::unique_ptr<Invocation> decode(const Action& action, const wire::QueryNode& node) {
    auto invocation = std::make_unique<TypedInvocation>(action.decide);
    read_request(node, invocation->request_);
    return invocation;
  }

 private:
  void (*decide_)();
  Request request_{};
  Response response_{};
};

}  // namespace detail

template <class Request, class Response>
Action read_action(std::string_view name, Response (*decide)(const state::World&, const Context&, const Request&)) {
  return {name, Lane::read, &detail::TypedInvocation<Request, Response, Lane::read>::decode, reinterpret_cast<void (*)()>(decide)};
}
template <class Request, class Response>
Action write_action(std::string_view name, Response (*decide)(state::Transaction&, const Context&, const Request&)) {
  return {name, Lane::write, &detail::TypedInvocation<Request, Response, Lane::write>::decode, reinterpret_cast<void (*)()>(decide)};
}
template <class Request, class Response>
Action work_action(std::string_view name, Response (*decide)(const Context&, const Request&)) {
  return {name, Lane::work, &detail::TypedInvocation<Request, Response, Lane::work>::decode, reinterpret_cast<void (*)()>(decide)};
}

// One service: its name in the schema and in credential scopes, and its built actions.
struct ServiceTable {
  std::string_view service;
  std::vector<Action> actions;
};

}  // namespace brume::service
