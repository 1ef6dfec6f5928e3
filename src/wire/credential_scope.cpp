#include "wire/credential_scope.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "wire/api_error.hpp"

namespace brume::wire {
namespace {

using schema::Protocol;

std::string_view signing_name(const schema::Service& service) {
  if (service.name == "cloudwatch") return "monitoring";
  if (service.name == "elb" || service.name == "elbv2") return "elasticloadbalancing";
  return service.name;
}

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

ApiError out_of_scope(const schema::Service& service, std::string sentence) {
  switch (service.protocol) {
    case Protocol::ec2: return auth_failure(std::move(sentence));
    case Protocol::json: return {400, "InvalidSignatureException", std::move(sentence)};
    case Protocol::rest_json: return {403, "InvalidSignatureException", std::move(sentence)};
    case Protocol::rest_xml: return {400, "AuthorizationHeaderMalformed", std::move(sentence)};
    case Protocol::query: break;
  }
  return {403, "SignatureDoesNotMatch", std::move(sentence)};
}

ApiError unknown_token(const schema::Service& service) {
  constexpr auto sentence = "The security token included in the request is invalid.";
  switch (service.protocol) {
    case Protocol::ec2: return auth_failure("AWS was not able to validate the provided access credentials");
    case Protocol::json: return {400, "UnrecognizedClientException", sentence};
    case Protocol::rest_json: return {403, "UnrecognizedClientException", sentence};
    case Protocol::rest_xml: return {400, "InvalidToken", "The provided token is malformed or otherwise invalid."};
    case Protocol::query: break;
  }
  return {403, "InvalidClientTokenId", sentence};
}

}  // namespace

void require_scope(const HttpRequest& request, const Caller& caller, const schema::Service& service, std::string_view region) {
  if (!caller.security_token.empty()) throw unknown_token(service);
  if (caller.service.empty() && caller.region.empty()) return;  // version 2 names neither
  const auto guess = guess_of(request.header("host"));
  const bool is_guessed = caller.service == guess.service && schema::find_service(caller.service) == nullptr;
  if (caller.service != signing_name(service) && !is_guessed)
    throw out_of_scope(service, fmt::format("Credential should be scoped to correct service: '{}'.", signing_name(service)));
  // STS is signed for us-east-1 by clients that know its global endpoint only.
  const bool is_global = service.name == "sts" && caller.region == "us-east-1";
  if (caller.region != region && caller.region != guess.region && !is_global)
    throw out_of_scope(
        service, fmt::format("Credential should be scoped to a valid region, not '{}'.", std::string_view(caller.region).substr(0, 64)));
}

}  // namespace brume::wire
