#include "service/front_door.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "base/text.hpp"
#include "domain/arns.hpp"
#include "wire/credential_scope.hpp"
#include "wire/foreign_request.hpp"
#include "wire/json_body.hpp"
#include "wire/plain_text.hpp"
#include "wire/schema.hpp"

namespace brume::service {
namespace {

constexpr std::string_view simulated_account = "123456789012";

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

wire::ApiError not_built(std::string_view action) {
  // As every region without EC2-Classic says it. Clients ask whether a VPC is linked to it, and look for this sentence.
  if (action.find("ClassicLink") != std::string_view::npos)
    return wire::unsupported_operation("The functionality you requested is not available in this region.");
  return wire::unsupported_operation(fmt::format("The action {} is known but not built in this version of Brume.", action));
}

}  // namespace

struct FrontDoor::Pending {
  Pending(wire::HttpRequest&& received, wire::Responder responder, std::atomic<unsigned>& in_flight)
      : request(std::move(received)), respond(std::move(responder)), place(std::in_place, in_flight) {}

  wire::HttpRequest request;
  wire::Responder respond;
  std::string request_id;
  std::unique_ptr<wire::QueryTree> parameters;
  std::unique_ptr<wire::QueryTree> url_parameters;  // of the JSON protocols only, whose parameters are in the body, or everywhere
  wire::Caller caller;
  const wire::schema::Service* service = wire::schema::find_service("ec2");
  std::optional<wire::Foreign> foreign;  // when it is to a service that is not served
  std::string action_name;
  std::string version;
  int version_number = 0;
  bool has_result = false;
  const Action* action = nullptr;
  std::unique_ptr<Invocation> invocation;
  std::optional<Context> context;
  state::WorldPointer world;
  std::optional<InFlight> place;  // until it is answered
  std::shared_ptr<void> share;    // of the account's requests, so long
  size_t answer_bytes = 0;
  // Of a REST answer.
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string content_type;

  const std::string& account() const { return caller.account_id; }
  wire::Envelope envelope() const {
    wire::Envelope envelope;
    envelope.protocol = service->protocol;
    envelope.action = action_name;
    envelope.version = version;
    envelope.xml_namespace = service->xml_namespace;
    envelope.request_id = request_id;
    envelope.has_result = has_result;
    return envelope;
  }
};

FrontDoor::FrontDoor(const Services& services, std::vector<ServiceTable> tables, WorkerPool& workers, FrontDoorSettings settings)
    : services_(services),
      tables_(std::move(tables)),
      workers_(workers),
      settings_(settings),
      verifier_(services.clock),
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
  wire::Envelope envelope;
  const auto request_id = make_uuid(services_.random);
  envelope.request_id = request_id;
  const char* code = status == 503   ? "Unavailable"
                     : status == 413 ? "RequestEntityTooLarge"
                     : status == 408 ? "RequestTimeout"
                                     : "InvalidRequest";
  wire::HttpResponse response;
  response.status = status;
  response.body = wire::error_document(envelope, wire::ApiError(status, code, std::string(reason)));
  return response;
}

std::optional<wire::Credential> FrontDoor::find_credential(std::string_view access_key_id) const {
  const auto world = services_.store.world();
  const auto* key = world->find<state::AccessKey>(access_key_id);
  if (key == nullptr) return std::nullopt;
  const auto* account = world->find<state::Account>(key->account);
  wire::Credential credential;
  credential.access_key_id = key->id;
  credential.secret = key->secret;
  credential.account_id = key->account;
  credential.user_arn = domain::root_arn(services_.settings.partition, key->account);
  credential.active = key->active && account != nullptr && account->enabled;
  return credential;
}

void FrontDoor::handle(wire::HttpRequest&& request, wire::Responder respond) {
  ++counters_.requests;
  const auto pending = std::make_shared<Pending>(std::move(request), std::move(respond), in_flight_);
  pending->request_id = make_uuid(services_.random);
  if (in_flight_ > settings_.requests_in_flight) {
    ++counters_.refused;
    return answer_failure(*pending,
                          std::make_exception_ptr(wire::service_unavailable("The server is overloaded and can't handle the request.")));
  }
  try {
    admit(*pending);
    identify(*pending);
    if (throttle_) throttle_->admit(pending->caller.account_id, *pending->service, pending->action_name);
    pending->share = accounts_.enter(pending->account());
    if (!pending->share)
      throw wire::ApiError(503, "RequestLimitExceeded", "Request limit exceeded: too many of your requests are being answered.");
    look_up(*pending);
    run(pending);
  } catch (...) {
    answer_failure(*pending, std::current_exception());
  }
}

void FrontDoor::admit(Pending& pending) {
  const auto& request = pending.request;
  pending.foreign = wire::find_foreign(request);
  if (pending.foreign) {
    pending.url_parameters = std::make_unique<wire::QueryTree>(request.query());
    return;
  }
  if (const auto route = wire::find_rest_route(request)) return admit_rest(pending, *route);
  if (request.method != "GET" && request.method != "POST")
    throw wire::ApiError(405, "InvalidRequest", fmt::format("The method {} is not used by this API: send GET or POST.", request.method));
  if (const auto target = request.header("x-amz-target"); request.method == "POST" && !target.empty()) return admit_json(pending, target);
  std::string_view form;
  if (request.method == "POST") {
    const auto type = request.header("content-type");
    const bool is_form = equals_ignoring_case(trim(type.substr(0, type.find(';'))), "application/x-www-form-urlencoded");
    if (!is_form && !request.body.empty())
      throw wire::ApiError(415, "UnsupportedMediaType", "The body of a request is application/x-www-form-urlencoded.");
    form = request.body;
  }
  pending.parameters = std::make_unique<wire::QueryTree>(request.query(), form);
  pending.action_name = std::string(pending.parameters->find("Action"));
  pending.version = std::string(pending.parameters->find("Version"));
}

// The JSON protocol: X-Amz-Target names service and action, the body has the parameters. The service is known from the start, and so
// is how an error is worded.
void FrontDoor::admit_json(Pending& pending, std::string_view target) {
  const auto dot = target.find('.');
  for (const auto* each : wire::schema::services())
    if (!each->target_prefix.empty() && each->target_prefix == target.substr(0, dot)) pending.service = each;
  pending.url_parameters = std::make_unique<wire::QueryTree>(pending.request.query());
  pending.action_name = std::string(target.substr(std::min(dot + 1, target.size())));
  pending.version = std::string(pending.service->version_text);
  pending.parameters = std::make_unique<wire::QueryTree>(wire::read_json_body(pending.request.body));
}

void FrontDoor::admit_rest(Pending& pending, const wire::RestRoute& route) {
  pending.service = route.service;
  pending.action_name = std::string(route.operation->name);
  pending.version = std::string(route.service->version_text);
  pending.status = route.operation->status;
  pending.url_parameters = std::make_unique<wire::QueryTree>(pending.request.query());
  pending.parameters = std::make_unique<wire::QueryTree>(wire::read_rest_request(route, pending.request, pending.url_parameters->pairs()));
}

void FrontDoor::identify(Pending& pending) {
  // A JSON body takes no part in the signature but by its hash.
  const auto& pairs = pending.url_parameters ? pending.url_parameters->pairs() : pending.parameters->pairs();
  const auto lookup = [this](std::string_view id) { return find_credential(id); };
  // The service first: its protocol is how an error is worded.
  const auto claimed = wire::SignatureVerifier::claimed_caller(pending.request, pairs);
  const auto* service = claimed.service.empty() ? nullptr : wire::schema::find_service(claimed.service);
  for (const auto* each : wire::schema::services())
    if (service == nullptr && each->version_text == pending.version && each->name != "ec2") service = each;
  if (service != nullptr && !pending.url_parameters) pending.service = service;
  // A query to a service that nobody here knows, by its scope and its action. What boto 2 takes from the host's name is no service's.
  if (service == nullptr && !claimed.service.empty() && !pending.url_parameters &&
      !pending.request.header("host").starts_with(claimed.service) &&
      wire::schema::find_operation(*pending.service, pending.action_name) == nullptr)
    pending.foreign = wire::Foreign{wire::Speech::query, claimed.service.substr(0, 64), {}};
  if (!settings_.simulated) {
    pending.caller = verifier_.verify(pending.request, pairs, lookup);
    if (!pending.foreign) wire::require_scope(pending.request, pending.caller, *pending.service, services_.settings.region);
    return;
  }
  // Simulation: a key that was made is its account's, any other or none is the first account's.
  const auto id = wire::SignatureVerifier::claimed_access_key(pending.request, pairs);
  const auto credential = find_credential(id);
  if (credential && !credential->active) throw wire::auth_failure("The account or its access key is disabled.");
  pending.caller = claimed;
  pending.caller.access_key_id = id;
  pending.caller.account_id = credential ? credential->account_id : std::string(simulated_account);
  pending.caller.user_arn = domain::root_arn(services_.settings.partition, pending.caller.account_id);
}

void FrontDoor::look_up(Pending& pending) {
  if (pending.foreign) throw wire::not_served(*pending.foreign);
  if (pending.action_name.empty()) throw wire::ApiError(400, "MissingAction", "The request is missing an action parameter.");
  if (pending.version.empty()) throw wire::ApiError(400, "MissingParameter", "The request must contain the parameter Version");
  if (!is_served_version(*pending.service, pending.version))
    throw wire::ApiError(400, "NoSuchVersion",
                         fmt::format("The requested version ({}) of service {} does not exist", pending.version, pending.service->name));
  pending.version_number = wire::schema::version_number(pending.version);
  const auto* operation = wire::schema::find_operation(*pending.service, pending.action_name);
  if (operation == nullptr || operation->since > pending.version_number) {
    // An error document is not the place to echo a name of any size.
    pending.action_name.resize(std::min<size_t>(pending.action_name.size(), 128));
    throw wire::invalid_action(pending.action_name, pending.version);
  }
  pending.has_result = operation->output != wire::schema::no_shape;
  const auto at = actions_.find(fmt::format("{}/{}", pending.service->name, pending.action_name));
  if (at == actions_.end()) throw not_built(pending.action_name);
  pending.action = at->second;
  pending.parameters->set_version(pending.version_number);
  pending.invocation = pending.action->decode(*pending.action, pending.parameters->root());
  pending.parameters->require_all_read();
  require_text(*pending.action, *pending.parameters);
}

void FrontDoor::run(const std::shared_ptr<Pending>& pending) {
  pending->context.emplace(Context{pending->caller, services_, pending->version_number, services_.clock.now(),
                                   pending->invocation->dry_run(), pending->parameters.get()});
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
      !large_reads_.expects(pending->account(), pending->action_name, std::chrono::steady_clock::now()))
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
  if (pending.context->dry_run) throw wire::ApiError(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
  answer(pending);
  const auto now = std::chrono::steady_clock::now();
  large_reads_.note(pending.account(), pending.action_name, now - begun, pending.answer_bytes, now);
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
    // Everything was checked; leaving by a throw leaves the state as it was.
    if (pending->context->dry_run) throw wire::ApiError(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
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
      if (pending->context->dry_run) throw wire::ApiError(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
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
    const auto envelope = pending.envelope();
    if (envelope.protocol == wire::schema::Protocol::json || envelope.protocol == wire::schema::Protocol::rest_json) {
      wire::JsonWriter out;
      out.open_object();
      pending.invocation->encode(out);
      out.close_object();
      pending.headers = out.take_headers();
      auto payload = out.take_payload();
      if (payload) pending.content_type = "application/octet-stream";
      response.status = pending.status;
      response.body = payload ? std::move(*payload) : out.take();
    } else {
      const bool is_ec2 = envelope.protocol == wire::schema::Protocol::ec2;
      wire::XmlWriter out(is_ec2 ? pending.version_number : wire::XmlWriter::newest_version);
      out.set_whole_seconds(!is_ec2);
      wire::open_answer(out, envelope);
      pending.invocation->encode(out);
      wire::close_answer(out, envelope);
      response.body = out.take();
    }
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
  std::optional<wire::ApiError> error;
  try {
    std::rethrow_exception(failure);
  } catch (const wire::ApiError& thrown) {
    error.emplace(thrown);
  } catch (const state::Overloaded&) {
    error.emplace(wire::service_unavailable("The server is overloaded and can't handle the request."));
  } catch (const state::LogFailure& thrown) {
    log::error("state", "a change could not be made durable: {}", thrown.what());
    error.emplace(wire::service_unavailable("The request could not be stored; nothing was changed. The operator's log says why."));
  } catch (const std::exception& thrown) {
    log::error("service", "request {} ({}) failed: {}", pending.request_id, pending.action_name, thrown.what());
    error.emplace(wire::internal_error());
  }
  log::debug("service", "request {} {}: {} {}", pending.request_id, pending.action_name, error->code, error->message);
  if (pending.foreign) return finish(pending, wire::answer_foreign(*pending.foreign, *error, pending.request_id));
  if (pending.service->protocol == wire::schema::Protocol::rest_json) {
    error = wire::in_words_of_rest(*error);
    pending.headers = {{"x-amzn-ErrorType", error->code}};
    pending.content_type.clear();
  }
  wire::HttpResponse response;
  response.status = error->status;
  response.body = wire::error_document(pending.envelope(), *error);
  finish(pending, std::move(response));
}

void FrontDoor::finish(Pending& pending, wire::HttpResponse&& response) {
  pending.place.reset();
  pending.share.reset();
  log::debug("audit", "request={} account={} key={} action={} status={}", pending.request_id, pending.account(),
             pending.caller.access_key_id, pending.action_name, response.status);
  response.headers.emplace_back("x-amzn-RequestId", pending.request_id);
  if (pending.foreign) return pending.respond(std::move(response));
  if (pending.service->protocol == wire::schema::Protocol::json) response.content_type = "application/x-amz-json-1.1";
  if (pending.service->protocol == wire::schema::Protocol::rest_json) {
    response.content_type = pending.content_type.empty() ? "application/json" : pending.content_type;
    for (auto& header : pending.headers) response.headers.push_back(std::move(header));
  }
  pending.respond(std::move(response));
}

}  // namespace brume::service
