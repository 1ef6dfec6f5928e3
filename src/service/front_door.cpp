#include "service/front_door.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "base/text.hpp"
#include "service/callers.hpp"
#include "service/requests.hpp"
#include "wire/identity/credential_scope.hpp"
#include "wire/inflate.hpp"
#include "wire/schema.hpp"

namespace brume::service {
namespace {

// The API version of a service that every version of its name may ask for, besides the newest: the guide's.
bool is_served_version(const wire::schema::Service& service, std::string_view version) {
  if (service.name != "ec2") return version == service.version_text;
  const int number = wire::schema::version_number(version);
  return number >= 20090404 && number <= service.version;
}

// In a world of so many records any read may be a large one; in a smaller one it takes a look at the last ones to tell.
bool is_large(const state::World& world) {
  constexpr size_t few = 4096;
  return world.size<state::Instance>() + world.size<state::Volume>() + world.size<state::Snapshot>() + world.size<state::Image>() +
             world.size<state::NetworkInterface>() >
         few;
}

// Counts one request as in flight for as long as it lives.
class InFlight {
 public:
  explicit InFlight(std::atomic<unsigned>& count) : count_(&count) { ++count; }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  ~InFlight() { --*count_; }

 private:
  std::atomic<unsigned>* count_;
};

wire::ApiError not_built(std::string_view action) {
  // As every region without EC2-Classic says it. Clients ask whether a VPC is linked to it, and look for this sentence.
  if (action.find("ClassicLink") != std::string_view::npos)
    return wire::unsupported_operation("The functionality you requested is not available in this region.");
  return wire::unsupported_operation(fmt::format("The action {} is known but not built in this version of Brume.", action));
}

}  // namespace

struct FrontDoor::Pending {
  Pending(wire::HttpRequest&& received, wire::Responder responder, wire::schema::Services known, std::string_view id,
          std::atomic<unsigned>& in_flight)
      : request(std::move(received)), respond(std::move(responder)), call(request, known, id), place(std::in_place, in_flight) {}

  wire::HttpRequest request;
  wire::Responder respond;
  wire::Call call;
  wire::Caller caller;
  const Action* action = nullptr;
  std::unique_ptr<Invocation> invocation;
  std::optional<Context> context;
  state::WorldPointer world;
  std::optional<InFlight> place;  // until it is answered
  std::shared_ptr<void> share;    // of the account's requests, so long
  size_t answer_bytes = 0;
  std::string error_code;  // of the answer; empty: none

  const std::string& account() const { return caller.account_id; }
};

FrontDoor::FrontDoor(const Services& services, std::vector<ServiceTable> tables, WorkerPool& workers, FrontDoorSettings settings,
                     wire::schema::Services known)
    : services_(services),
      tables_(std::move(tables)),
      workers_(workers),
      settings_(settings),
      known_(known),
      identities_(make_identities(services, settings.simulated)),
      accounts_(settings.requests_of_account),
      changes_(settings.changes_of_account),
      budget_(settings.answers),
      readers_(settings.reader_threads, 2 * size_t{settings.requests_in_flight}) {
  for (const auto& table : tables_)
    for (const auto& action : table.actions) actions_.emplace(fmt::format("{}/{}", table.service, action.name), &action);
  if (settings.throttle > 0) throttle_ = std::make_unique<Throttle>(services.clock, settings.throttle);
}

FrontDoor::~FrontDoor() = default;

wire::HttpResponse FrontDoor::refuse(int status, std::string_view reason) const {
  const char* code = status == 503   ? "Unavailable"
                     : status == 413 ? "RequestEntityTooLarge"
                     : status == 408 ? "RequestTimeout"
                                     : "InvalidRequest";
  const wire::HttpRequest unread;
  const wire::Call call(unread, known_, make_uuid(services_.random));
  wire::HttpResponse response;
  call.codec->error(call, wire::ApiError(status, code, std::string(reason)), response);
  return response;
}

void FrontDoor::handle(wire::HttpRequest&& request, wire::Responder respond) {
  ++counters_.requests;
  const auto pending = std::make_shared<Pending>(std::move(request), std::move(respond), known_, make_uuid(services_.random), in_flight_);
  if (in_flight_ > settings_.requests_in_flight) {
    ++counters_.refused;
    return answer_failure(*pending,
                          std::make_exception_ptr(wire::service_unavailable("The server is overloaded and can't handle the request.")));
  }
  try {
    wire::recognise(pending->call);
    identify(*pending);
    pending->share = accounts_.enter(pending->account());
    if (!pending->share)
      throw wire::ApiError(503, "RequestLimitExceeded", "Request limit exceeded: too many of your requests are being answered.");
    decode(*pending);
    if (throttle_)
      throttle_->admit(pending->account(), pending->call.codec->protocol(), pending->call.action,
                       instances_asked(*pending->call.parameters));
    look_up(*pending);
    run(pending);
  } catch (...) {
    answer_failure(*pending, std::current_exception());
  }
}

void FrontDoor::identify(Pending& pending) {
  const auto& call = pending.call;
  pending.caller = wire::identify(identities_, {pending.request, call.signed_parameters(), call.codec->protocol()});
}

void FrontDoor::decode(Pending& pending) {
  auto& call = pending.call;
  if (call.service == nullptr) throw wire::service_not_built(call);
  std::string unpacked;
  call.codec->decode(call, wire::plain_body(call, unpacked));
  if (call.service == nullptr) throw wire::service_not_built(call);
  if (!settings_.simulated)
    wire::require_scope(pending.request, pending.caller, *call.service, call.codec->protocol(), known_, services_.settings.region);
}

void FrontDoor::look_up(Pending& pending) {
  auto& call = pending.call;
  const auto& service = *call.service;
  if (!service.speaks(call.codec->protocol()))
    throw wire::ApiError(400, "InvalidAction", fmt::format("The service {} is not asked in this protocol.", service.name));
  if (call.action.empty()) throw wire::ApiError(400, "MissingAction", "The request is missing an action parameter.");
  if (call.version.empty()) throw wire::ApiError(400, "MissingParameter", "The request must contain the parameter Version");
  if (!is_served_version(service, call.version))
    throw wire::ApiError(400, "NoSuchVersion",
                         fmt::format("The requested version ({}) of service {} does not exist", call.version, service.name));
  const int version = call.version_number();
  call.operation = wire::schema::find_operation(service, call.action);
  if (call.operation == nullptr || call.operation->since > version) {
    // An error document is not the place to echo a name of any size.
    call.action.resize(std::min<size_t>(call.action.size(), 128));
    throw wire::invalid_action(call.action, call.version);
  }
  const auto at = actions_.find(fmt::format("{}/{}", service.name, call.action));
  if (at == actions_.end()) throw not_built(call.action);
  pending.action = at->second;
  pending.invocation = prepare(*pending.action, *call.parameters, version);
}

void FrontDoor::run(const std::shared_ptr<Pending>& pending) {
  pending->context.emplace(Context{pending->caller, services_, pending->call.version_number(), services_.clock.now(),
                                   pending->invocation->dry_run(), pending->call.parameters.get()});
  // Before anything is done: a change whose answer cannot be kept is better not made.
  budget_.require_room(pending->account());
  switch (pending->action->lane) {
    case Lane::read: return run_read(pending);
    case Lane::write: return run_write(pending);
    case Lane::work: return run_work(pending);
  }
}

// What is likely to take long does not run here, on a thread of the connections, where everybody would wait for it.
void FrontDoor::run_read(const std::shared_ptr<Pending>& pending) {
  if (!is_large(*services_.store.world()) &&
      !large_reads_.expects(pending->account(), pending->call.action, std::chrono::steady_clock::now()))
    return read_now(*pending);
  ++counters_.large_reads;
  const bool taken = readers_.submit(pending->account(), [this, pending] {
    try {
      read_now(*pending);
    } catch (...) {
      answer_failure(*pending, std::current_exception());
    }
  });
  if (!taken) throw wire::service_unavailable("The server is overloaded and can't handle the request.");
}

void FrontDoor::read_now(Pending& pending) {
  const auto begun = std::chrono::steady_clock::now();
  pending.world = services_.store.world();
  pending.invocation->read(*pending.world, *pending.context);
  end_dry_run(*pending.context);
  answer(pending);
  const auto now = std::chrono::steady_clock::now();
  large_reads_.note(pending.account(), pending.call.action, now - begun, pending.answer_bytes, now);
}

void FrontDoor::run_write(const std::shared_ptr<Pending>& pending) {
  changes_.enter(pending->account(), [this, pending] {
    try {
      submit_write(pending);
    } catch (...) {
      answer_failure(*pending, std::current_exception());
      changes_.leave(pending->account());
    }
  });
}

void FrontDoor::submit_write(const std::shared_ptr<Pending>& pending) {
  const auto decide = [pending](state::Transaction& transaction) {
    pending->invocation->write(transaction, *pending->context);
    end_dry_run(*pending->context);
  };
  services_.store.submit(decide, [this, pending](std::exception_ptr failure) {
    changes_.leave(pending->account());
    // On the writer's thread: the next decisions must not wait for the answer to be written out.
    const auto settle = [this, pending, failure] {
      if (failure)
        answer_failure(*pending, failure);
      else
        answer(*pending);
    };
    if (!readers_.submit(pending->account(), settle)) settle();
  });
}

void FrontDoor::run_work(const std::shared_ptr<Pending>& pending) {
  const bool taken = workers_.submit(pending->account(), [this, pending] {
    try {
      // The handler checks, sees that it is a dry run, and changes nothing.
      pending->invocation->work(*pending->context);
      end_dry_run(*pending->context);
      answer(*pending);
    } catch (...) {
      answer_failure(*pending, std::current_exception());
    }
  });
  if (!taken) throw wire::service_unavailable("The server is overloaded and can't handle the request.");
}

void FrontDoor::answer(Pending& pending) {
  wire::HttpResponse response;
  try {
    pending.call.codec->encode(pending.call, *pending.invocation, response);
    // What was read is not needed any more, and as large as the answer.
    pending.invocation.reset();
    pending.world.reset();
    if (response.body.capacity() > response.body.size() + response.body.size() / 4) response.body.shrink_to_fit();
    pending.answer_bytes = response.body.size();
    response.until_taken = budget_.count(pending.account(), response.body.capacity(), pending.action->lane != Lane::read);
  } catch (...) {
    return answer_failure(pending, std::current_exception());
  }
  finish(pending, std::move(response));
}

void FrontDoor::answer_failure(Pending& pending, std::exception_ptr failure) {
  ++counters_.errors;
  const auto error = error_of(failure, pending.call.request_id, pending.call.action);
  log::debug("service", "request {} {}: {} {}", pending.call.request_id, pending.call.action, error.code, error.message);
  wire::HttpResponse response;
  pending.call.codec->error(pending.call, error, response);
  pending.error_code = error.code;
  finish(pending, std::move(response));
}

void FrontDoor::audit(const Pending& pending, int status) const {
  AuditEvent event;
  event.request_id = pending.call.request_id;
  if (pending.call.service != nullptr) event.service = pending.call.service->name;
  event.action = pending.call.action;
  event.version = pending.call.version;
  event.source = pending.request.peer_address;
  event.status = status;
  event.error = pending.error_code;
  event.is_read = pending.action != nullptr && pending.action->lane == Lane::read;
  audit_request(settings_.audit, services_, pending.caller, event);
}

void FrontDoor::finish(Pending& pending, wire::HttpResponse&& response) {
  pending.place.reset();
  pending.share.reset();
  audit(pending, response.status);
  response.headers.emplace_back("x-amzn-RequestId", pending.call.request_id);
  pending.respond(std::move(response));
}

}  // namespace brume::service
