// What a client can ask for, a service of ours can ask for: by a typed request and with a principal, without HTTP.
//
//   InsideCalls calls(services, tables, audit);
//   const auto who = root_principal(services, account, "autoscaling");
//   auto launched = calls.call<RunInstancesResponse>(who, {"ec2", "RunInstances"}, request);               // waits until it is durable
//   auto launched = calls.call_within<RunInstancesResponse>(transaction, who, {"ec2", "RunInstances"}, request);  // in a decision of yours
//
// The request is written as the parameters that a client would have sent, and goes on from there as a client's does: the same checks, the
// same authorization, the same client tokens (one used both ways names one request), the same line in the audit stream, which also says
// who called. Limits of the wire, such as requests in flight and rates, do not apply.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <unordered_map>
#include <utility>
#include <vector>

#include "service/action.hpp"
#include "service/audit_log.hpp"
#include "wire/parameter_writer.hpp"

namespace brume::service {

// The root of the account, on behalf of which `called_by` asks.
wire::Caller root_principal(const Services& services, std::string account, std::string called_by);

struct ActionName {
  std::string_view service;
  std::string_view action;
};

// Threads: all functions may be called from any thread.
class InsideCalls {
 public:
  // `services` and `audit` outlive the state's writer, which adds lines of calls within its decisions. Null: nothing is audited.
  InsideCalls(const Services& services, std::vector<ServiceTable> tables, AuditLog* audit);

  // Decides, waits until that is durable, and answers. Throws what a client would have been told (wire::ApiError), and what Store::transact
  // throws. Not from the writer's thread; work waits for what it waits for. The version of the API is the newest.
  template <class Response, class Request>
  Response call(const wire::Caller& principal, ActionName name, const Request& request) const {
    return finish<Response>(run(principal, name, typeid(Request), parameters_of(request), typeid(Response), nullptr));
  }
  // As a part of a decision that is being taken: reads and writes only (logic_error for work). If it throws, let the whole decision fail:
  // what it put until then is in the transaction. The audit has its line when the decision is durable; a refused call's, when it is
  // settled.
  template <class Response, class Request>
  Response call_within(state::Transaction& transaction, const wire::Caller& principal, ActionName name, const Request& request) const {
    return finish<Response>(run(principal, name, typeid(Request), parameters_of(request), typeid(Response), &transaction));
  }

 private:
  using Parameters = wire::ParameterWriter::Pairs;

  template <class Request>
  static Parameters parameters_of(const Request& request) {
    wire::ParameterWriter writer;
    to_parameters(request, writer);
    return writer.take();
  }
  template <class Response>
  static Response finish(const std::unique_ptr<Invocation>& done) {
    return *static_cast<const Response*>(done->answer(typeid(Response)));
  }
  // The invocation that has run. Its answer is of the type.
  std::unique_ptr<Invocation> run(const wire::Caller& principal, ActionName name, const std::type_info& request, Parameters parameters,
                                  const std::type_info& response, state::Transaction* within) const;
  void decide(Invocation& invocation, const Context& context, state::Transaction* within) const;
  const Action& find(ActionName name, const std::type_info& request) const;
  std::function<void()> audit_line(const wire::Caller& principal, ActionName name, std::string_view version, const Action& action,
                                   const std::string& request_id, int status, const std::string& error) const;

  const Services& services_;
  std::vector<ServiceTable> tables_;
  AuditLog* audit_;
  std::unordered_map<std::string, const Action*> actions_;  // "ec2/RunInstances"
};

}  // namespace brume::service
