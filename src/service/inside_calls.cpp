#include "service/inside_calls.hpp"

#include <fmt/format.h>

#include "domain/arns.hpp"
#include "service/requests.hpp"
#include "wire/schema.hpp"

namespace brume::service {

wire::Caller root_principal(const Services& services, std::string account, std::string called_by) {
  wire::Caller caller;
  caller.user_arn = domain::root_arn(services.settings.partition, account);
  caller.account_id = std::move(account);
  caller.called_by = std::move(called_by);
  return caller;
}

InsideCalls::InsideCalls(const Services& services, std::vector<ServiceTable> tables, AuditLog* audit)
    : services_(services), tables_(std::move(tables)), audit_(audit) {
  for (const auto& table : tables_)
    for (const auto& action : table.actions) actions_.emplace(fmt::format("{}/{}", table.service, action.name), &action);
}

const Action& InsideCalls::find(ActionName name, const std::type_info& request) const {
  const auto at = actions_.find(fmt::format("{}/{}", name.service, name.action));
  if (at == actions_.end()) throw std::logic_error(fmt::format("there is no action {} of {} to call", name.action, name.service));
  if (at->second->request == nullptr || *at->second->request != request)
    throw std::logic_error(fmt::format("the action {} is called with a request of another one", name.action));
  return *at->second;
}

void InsideCalls::decide(Invocation& invocation, const Context& context, state::Transaction* within) const {
  const auto lane = invocation.action().lane;
  if (within != nullptr && lane == Lane::work) throw std::logic_error("work waits, which a decision must not");
  if (lane == Lane::read) {
    if (within != nullptr)
      invocation.read(within->world(), context);
    else
      invocation.read(*services_.store.world(), context);
    return end_dry_run(context);
  }
  if (lane == Lane::work) {
    invocation.work(context);
    return end_dry_run(context);
  }
  const auto write = [&](state::Transaction& transaction) {
    invocation.write(transaction, context);
    end_dry_run(context);
  };
  if (within != nullptr)
    write(*within);
  else
    services_.store.transact(write);
}

// How a call ended. It is told now or, within a decision, when that is settled; so it keeps what it tells.
std::function<void()> InsideCalls::audit_line(const wire::Caller& principal, ActionName name, std::string_view version,
                                              const Action& action, const std::string& request_id, int status,
                                              const std::string& error) const {
  return [stream = audit_, &services = services_, principal, service = std::string(name.service), action = std::string(name.action),
          version, is_read = action.lane == Lane::read, request_id, status, error] {
    AuditEvent event;
    event.request_id = request_id;
    event.service = service;
    event.action = action;
    event.version = version;
    event.status = status;
    event.error = error;
    event.is_read = is_read;
    audit_request(stream, services, principal, event);
  };
}

std::unique_ptr<Invocation> InsideCalls::run(const wire::Caller& principal, ActionName name, const std::type_info& request,
                                             Parameters parameters, const std::type_info& response, state::Transaction* within) const {
  const auto& action = find(name, request);
  const auto* service = wire::schema::find_service(name.service);
  const auto request_id = make_uuid(services_.random);
  const auto ended = [&](int status, const std::string& error) {
    return audit_line(principal, name, service->version_text, action, request_id, status, error);
  };
  try {
    wire::QueryTree tree(std::move(parameters));
    tree.set_times(wire::TimeFormat::iso8601, true);
    auto invocation = prepare(action, tree, service->version);
    if (invocation->answer(response) == nullptr)
      throw std::logic_error(fmt::format("the action {} does not answer with what is expected of it", name.action));
    const Context context{principal, services_, service->version, services_.clock.now(), invocation->dry_run(), &tree};
    decide(*invocation, context, within);
    invocation->answer(response);  // throws if a client would be told an error although the change was made
    if (within != nullptr)
      within->when_durable(ended(200, ""));
    else
      ended(200, "")();
    return invocation;
  } catch (...) {
    const auto error = error_of(std::current_exception(), request_id, name.action);
    if (within != nullptr)
      within->when_settled(ended(error.status, error.code));
    else
      ended(error.status, error.code)();
    throw;
  }
}

}  // namespace brume::service
