#include "service/requests.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "wire/plain_text.hpp"

namespace brume::service {
namespace {

// What is kept must be text, or it could not be shown as it came: two names would look alike, and none could be asked for by what is shown.
// Ids are looked at by the actions, each with its own code for one that is malformed.
void require_text(const Action& action, const wire::QueryTree& parameters) {
  if (action.lane == Lane::read || action.name.starts_with("Delete")) return;
  for (const auto& [name, value] : parameters.pairs()) {
    if (wire::is_text(value)) continue;
    const auto word = name.substr(0, name.find_last_not_of(".0123456789") + 1);
    if (word.ends_with("Id") || word.ends_with("ID")) continue;
    throw wire::invalid_parameter_value(
        fmt::format("Value for parameter {} is invalid. It must be text: UTF-8 without control characters.", name));
  }
}

}  // namespace

std::unique_ptr<Invocation> prepare(const Action& action, wire::QueryTree& parameters, int version) {
  parameters.set_version(version);
  auto invocation = action.decode(action, parameters.root());
  parameters.require_all_read();
  require_text(action, parameters);
  return invocation;
}

void end_dry_run(const Context& context) {
  if (context.dry_run) throw wire::ApiError(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
}

wire::ApiError error_of(const std::exception_ptr& failure, std::string_view request_id, std::string_view action) {
  try {
    std::rethrow_exception(failure);
  } catch (const wire::ApiError& thrown) {
    return thrown;
  } catch (const state::Overloaded&) {
    return wire::service_unavailable("The server is overloaded and can't handle the request.");
  } catch (const state::LogFailure& thrown) {
    log::error("state", "a change could not be made durable: {}", thrown.what());
    return wire::service_unavailable("The request could not be stored; nothing was changed. The operator's log says why.");
  } catch (const std::exception& thrown) {
    log::error("service", "request {} ({}) failed: {}", request_id, action, thrown.what());
    return wire::internal_error();
  }
}

void audit_request(AuditLog* stream, const Services& services, const wire::Caller& caller, AuditEvent event) {
  if (stream == nullptr) return;
  event.time = services.clock.now();
  event.region = services.settings.region;
  event.account = caller.account_id;
  event.principal = caller.user_arn;
  event.access_key_id = caller.access_key_id;
  event.called_by = caller.called_by;
  stream->add(event);
}

}  // namespace brume::service
