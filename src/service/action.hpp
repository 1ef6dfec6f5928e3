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
#include <typeinfo>
#include <vector>

#include "service/services.hpp"
#include "state/store.hpp"
#include "wire/api_error.hpp"
#include "wire/authorization.hpp"
#include "wire/codec/cbor_writer.hpp"
#include "wire/codec/codec.hpp"
#include "wire/identity/identity.hpp"
#include "wire/json_writer.hpp"
#include "wire/named_resources.hpp"
#include "wire/query_tree.hpp"
#include "wire/xml_writer.hpp"

namespace brume::service {

enum class Lane { read, write, work };

struct Action;
class Invocation;

// Who asks for an action, in which version, and with what it is decided. It needs no request of HTTP's: services of ours make one too
// (inside_calls.hpp).
struct Context {
  const wire::Caller& caller;
  const Services& services;
  int version;  // of the API asked for, as a number: 20111201, 20161115
  Time now;
  bool dry_run = false;
  const wire::QueryTree* parameters = nullptr;  // as sent; for telling a repeated request from another
  const Invocation* asked = nullptr;            // of work, while it runs

  // What work changes: Store::transact, with the right to ask looked at once more in the same transaction, because the world may have
  // changed since the work began. Handlers of work use this one.
  void transact(const state::Decision& decision) const;

  const std::string& account() const { return caller.account_id; }
  // The guide's API, whose defaults and addresses differ from today's.
  bool is_2011() const { return version < 20120101; }
};

// Throws unless the installation's Evaluator (authorization.hpp) lets the caller do this, by what it finds in `world`.
void authorize(const Invocation& invocation, const Context& context, const state::World& world);

// A decoded request that waits to be run, then its answer that waits to be written. Nothing runs that was not authorized in the same world
// as it is decided in.
class Invocation : public wire::Answer {
 public:
  // The action outlives the invocation.
  explicit Invocation(const Action& action) : action_(action) {}

  void read(const state::World& world, const Context& context) {
    authorize(*this, context, world);
    run_read(world, context);
  }
  void write(state::Transaction& transaction, const Context& context) {
    authorize(*this, context, transaction.world());
    run_write(transaction, context);
  }
  void work(const Context& context) {
    authorize(*this, context, *context.services.store.world());
    Context own = context;
    own.asked = this;
    run_work(own);
  }
  const Action& action() const { return action_; }
  virtual bool dry_run() const = 0;
  virtual void name_resources(wire::NamedResources&) const {}
  // The answer, if it is of this type; else null. Throws what a client would have been told instead of it although the change was made: a
  // response type says so by a member `answer_or_throw`.
  virtual const void* answer(const std::type_info&) const { return nullptr; }

 private:
  virtual void run_read(const state::World&, const Context&) {}
  virtual void run_write(state::Transaction&, const Context&) {}
  virtual void run_work(const Context&) {}

  const Action& action_;
};

struct Action {
  std::string_view name;
  Lane lane;
  std::unique_ptr<Invocation> (*decode)(const Action&, const wire::QueryNode&);
  void (*decide)();                                         // the handler, cast back by the Invocation that knows its type
  const std::type_info* request = nullptr;                  // the typed request; null: there is none
  const wire::authorization::Row* authorization = nullptr;  // set by make_table: without it nobody may do this
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

// Of a request that names any, generated from models/authorization.json.
template <class Request>
void find_resources(const Request& request, wire::NamedResources& out) {
  if constexpr (requires { name_resources(request, out); }) name_resources(request, out);
}

template <class Request, class Response, Lane lane>
class TypedInvocation final : public Invocation {
 public:
  using Read = Response (*)(const state::World&, const Context&, const Request&);
  using Write = Response (*)(state::Transaction&, const Context&, const Request&);
  using Work = Response (*)(const Context&, const Request&);

  explicit TypedInvocation(const Action& action) : Invocation(action) {}

  bool dry_run() const override { return asks_dry_run(request_); }
  void encode(wire::XmlWriter& out) const override { write_response(out, response_); }
  void encode(wire::JsonWriter& out) const override { write_response(out, response_); }
  void encode(wire::CborWriter& out) const override { write_response(out, response_); }

  void name_resources(wire::NamedResources& out) const override { find_resources(request_, out); }
  const void* answer(const std::type_info& type) const override {
    if constexpr (requires { response_.answer_or_throw(); }) {
      const auto& inner = response_.answer_or_throw();
      return type == typeid(inner) ? &inner : nullptr;
    } else {
      return type == typeid(Response) ? &response_ : nullptr;
    }
  }

  static std::unique_ptr<Invocation> decode(const Action& action, const wire::QueryNode& node) {
    auto invocation = std::make_unique<TypedInvocation>(action);
    read_request(node, invocation->request_);
    return invocation;
  }

 private:
  void run_read(const state::World& world, const Context& context) override {
    if constexpr (lane == Lane::read) response_ = reinterpret_cast<Read>(action().decide)(world, context, request_);
  }
  void run_write(state::Transaction& transaction, const Context& context) override {
    if constexpr (lane == Lane::write) response_ = reinterpret_cast<Write>(action().decide)(transaction, context, request_);
  }
  void run_work(const Context& context) override {
    if constexpr (lane == Lane::work) response_ = reinterpret_cast<Work>(action().decide)(context, request_);
  }

  Request request_{};
  Response response_{};
};

}  // namespace detail

template <class Request, class Response>
Action read_action(std::string_view name, Response (*decide)(const state::World&, const Context&, const Request&)) {
  return {name, Lane::read, &detail::TypedInvocation<Request, Response, Lane::read>::decode, reinterpret_cast<void (*)()>(decide),
          &typeid(Request)};
}
template <class Request, class Response>
Action write_action(std::string_view name, Response (*decide)(state::Transaction&, const Context&, const Request&)) {
  return {name, Lane::write, &detail::TypedInvocation<Request, Response, Lane::write>::decode, reinterpret_cast<void (*)()>(decide),
          &typeid(Request)};
}
template <class Request, class Response>
Action work_action(std::string_view name, Response (*decide)(const Context&, const Request&)) {
  return {name, Lane::work, &detail::TypedInvocation<Request, Response, Lane::work>::decode, reinterpret_cast<void (*)()>(decide),
          &typeid(Request)};
}

// One service: its name in the schema and in credential scopes, and its built actions.
struct ServiceTable {
  std::string_view service;
  std::vector<Action> actions;
};

// Gives each row what IAM knows of it. Throws logic_error for one of which models/authorization.json knows nothing.
ServiceTable make_table(std::string_view service, std::vector<Action> actions);

}  // namespace brume::service
