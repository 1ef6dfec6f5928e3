// What every request of an action goes through, whether a client sent it or a service of ours asks from inside.
#pragma once

#include <exception>
#include <memory>
#include <string_view>

#include "service/action.hpp"
#include "service/audit_log.hpp"

namespace brume::service {

// The typed request out of its parameters. Throws ApiError: of a wrong type, missing, unknown, or no text. Both live as long as the result.
std::unique_ptr<Invocation> prepare(const Action& action, wire::QueryTree& parameters, int version);

// Throws DryRunOperation if it was one: everything was checked, and leaving by a throw leaves the state as it was.
void end_dry_run(const Context& context);

// What a client is told of a failure. One that is nobody's wish (a full disk, a fault of ours) also gets a line in the operator's log.
wire::ApiError error_of(const std::exception_ptr& failure, std::string_view request_id, std::string_view action);

// The line in the audit stream of a request that has ended. `event` says what was asked and how it ended (of a call from inside the status
// that a client would have got); time, region and caller are filled in here. Null: nothing is audited.
void audit_request(AuditLog* stream, const Services& services, const wire::Caller& caller, AuditEvent event);

}  // namespace brume::service
