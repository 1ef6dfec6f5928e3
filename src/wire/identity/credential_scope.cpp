#include "wire/identity/credential_scope.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "wire/refusals.hpp"

namespace brume::wire {
namespace {

// boto 2 does not know the service and region of an endpoint that is not Amazon's, and takes them from the name in Host, which the
// signature covers: of "127.0.0.1" it makes the service "127" in the region "0". A guess that is a real service's name is that one's.
struct Guess {
  std::string_view service;
  std::string_view region;
};
Guess guess_of(std::string_view host) {
  const auto labels = split(host, '.');
  if (labels.size() == 1) return {labels[0], labels[0]};
  return {labels[0], labels.size() == 3 ? std::string_view("us-east-1") : labels[1]};
}

}  // namespace

void require_scope(const HttpRequest& request, const Caller& caller, const schema::Service& service, schema::Protocol protocol,
                   schema::Services known, std::string_view region) {
  if (!caller.security_token.empty()) throw refusal(protocol, Trouble::unknown_token);
  if (caller.service.empty() && caller.region.empty()) return;  // version 2 names neither
  const auto guess = guess_of(request.header("host"));
  const bool is_guessed = caller.service == guess.service && schema::find_signed_service(known, caller.service, service.version) == nullptr;
  if (caller.service != service.signing_name && !is_guessed)
    throw refusal(protocol, Trouble::out_of_scope,
                  fmt::format("Credential should be scoped to correct service: '{}'.", service.signing_name));
  // STS is signed for us-east-1 by clients that know its global endpoint only.
  const bool is_global = service.name == "sts" && caller.region == "us-east-1";
  if (caller.region != region && caller.region != guess.region && !is_global)
    throw refusal(protocol, Trouble::out_of_scope,
                  fmt::format("Credential should be scoped to a valid region, not '{}'.", std::string_view(caller.region).substr(0, 64)));
}

}  // namespace brume::wire
