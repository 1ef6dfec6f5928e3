#include "wire/refusals.hpp"

namespace brume::wire {
namespace {

using schema::Protocol;

struct Row {
  int status;
  std::string_view code;
  std::string_view usual;  // the sentence, unless the caller has one
  bool is_fixed = false;   // the sentence, always
};

constexpr std::string_view not_validated = "AWS was not able to validate the provided access credentials";
constexpr std::string_view invalid_token = "The security token included in the request is invalid.";
constexpr std::string_view mismatch =
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
constexpr std::string_view expired = "Request has expired.";
constexpr std::string_view rate_exceeded = "Rate exceeded";

// EC2 does not say whether the key or the signature was wrong. A request without any signature is still refused in version 2's words.
Row ec2_row(Trouble trouble) {
  switch (trouble) {
    case Trouble::unsigned_request: return {400, "MissingParameter", "The request must contain the parameter AWSAccessKeyId", true};
    case Trouble::incomplete_signature:
    case Trouble::unknown_key:
    case Trouble::wrong_signature:
    case Trouble::unknown_token: return {401, "AuthFailure", not_validated, true};
    case Trouble::outside_window:
    case Trouble::expired_link: return {400, "RequestExpired", expired, true};
    case Trouble::out_of_scope: return {401, "AuthFailure", not_validated};
    case Trouble::throttled: return {503, "RequestLimitExceeded", "Request limit exceeded."};
    case Trouble::service_not_built: return {400, "UnsupportedOperation", {}};
    case Trouble::malformed_body: break;
  }
  return {400, "MalformedQueryString", {}};
}

// STS, IAM and the other Query services.
Row query_row(Trouble trouble) {
  switch (trouble) {
    case Trouble::unsigned_request: return {403, "MissingAuthenticationToken", "Request is missing Authentication Token", true};
    case Trouble::incomplete_signature: return {400, "IncompleteSignature", {}};
    case Trouble::unknown_key:
    case Trouble::unknown_token: return {403, "InvalidClientTokenId", invalid_token, true};
    case Trouble::wrong_signature: return {403, "SignatureDoesNotMatch", mismatch};
    case Trouble::outside_window:
    case Trouble::expired_link:
    case Trouble::out_of_scope: return {403, "SignatureDoesNotMatch", expired};
    case Trouble::throttled: return {400, "Throttling", rate_exceeded};
    case Trouble::service_not_built: return {400, "UnsupportedOperation", {}};
    case Trouble::malformed_body: break;
  }
  return {400, "MalformedQueryString", {}};
}

// The services with exceptions for errors, which are asked by X-Amz-Target or in CBOR: 400 for all of it.
Row exception_row(Trouble trouble) {
  switch (trouble) {
    case Trouble::unsigned_request: return {400, "MissingAuthenticationTokenException", "Missing Authentication Token", true};
    case Trouble::incomplete_signature: return {400, "IncompleteSignatureException", {}};
    case Trouble::unknown_key:
    case Trouble::unknown_token: return {400, "UnrecognizedClientException", invalid_token, true};
    case Trouble::wrong_signature: return {400, "InvalidSignatureException", mismatch};
    case Trouble::outside_window:
    case Trouble::expired_link:
    case Trouble::out_of_scope: return {400, "InvalidSignatureException", expired};
    case Trouble::throttled: return {400, "ThrottlingException", rate_exceeded};
    case Trouble::service_not_built: return {400, "UnknownOperationException", {}};
    case Trouble::malformed_body: break;
  }
  return {400, "SerializationException", {}};
}

// The same exceptions; whoever is not let in gets 403. An unknown service has no operation that could be unknown: it is the path that is.
Row rest_json_row(Trouble trouble) {
  switch (trouble) {
    case Trouble::unsigned_request: return {403, "MissingAuthenticationTokenException", "Missing Authentication Token", true};
    case Trouble::incomplete_signature: return {403, "IncompleteSignatureException", {}};
    case Trouble::unknown_key:
    case Trouble::unknown_token: return {403, "UnrecognizedClientException", invalid_token, true};
    case Trouble::wrong_signature: return {403, "InvalidSignatureException", mismatch};
    case Trouble::outside_window:
    case Trouble::expired_link:
    case Trouble::out_of_scope: return {403, "InvalidSignatureException", expired};
    case Trouble::service_not_built: return {400, "UnsupportedOperation", {}};
    case Trouble::throttled:
    case Trouble::malformed_body: break;
  }
  return exception_row(trouble);
}

Row rest_xml_row(Trouble trouble) {
  switch (trouble) {
    case Trouble::unsigned_request: return {403, "AccessDenied", "Access Denied", true};
    case Trouble::incomplete_signature:
    case Trouble::out_of_scope: return {400, "AuthorizationHeaderMalformed", {}};
    case Trouble::unknown_key:
      return {403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", true};
    case Trouble::wrong_signature: return {403, "SignatureDoesNotMatch", mismatch};
    case Trouble::outside_window:
      return {403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", true};
    case Trouble::expired_link: return {403, "AccessDenied", "Request has expired", true};
    case Trouble::unknown_token: return {400, "InvalidToken", "The provided token is malformed or otherwise invalid.", true};
    case Trouble::throttled: return {503, "SlowDown", "Please reduce your request rate."};
    case Trouble::service_not_built: return {501, "NotImplemented", {}};
    case Trouble::malformed_body: break;
  }
  return {400, "MalformedXML", {}};
}

Row row_of(Protocol protocol, Trouble trouble) {
  switch (protocol) {
    case Protocol::ec2: return ec2_row(trouble);
    case Protocol::query: return query_row(trouble);
    case Protocol::rest_json: return rest_json_row(trouble);
    case Protocol::rest_xml: return rest_xml_row(trouble);
    case Protocol::json_1_0:
    case Protocol::json_1_1:
    case Protocol::cbor: break;
  }
  return exception_row(trouble);
}

}  // namespace

ApiError refusal(Protocol protocol, Trouble trouble, std::string sentence) {
  const auto row = row_of(protocol, trouble);
  if (row.is_fixed || sentence.empty()) sentence = row.usual;
  return {row.status, std::string(row.code), std::move(sentence)};
}

}  // namespace brume::wire
