// The one error type at the API's edge: HTTP status, EC2's code, EC2's sentence. Thrown by whoever decides; ends the request.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace brume::wire {

struct ApiError : std::exception {
  ApiError(int http_status, std::string error_code, std::string sentence, std::string why = {})
      : status(http_status), code(std::move(error_code)), message(std::move(sentence)), reason(std::move(why)) {}
  const char* what() const noexcept override { return message.c_str(); }

  int status;
  std::string code;
  std::string message;
  std::string reason;  // what a REST service says besides: "INVALID_BLOCK_TOKEN"
};

// Requests that are wrong in form.
ApiError missing_parameter(std::string_view name);
ApiError invalid_parameter_value(std::string message);
ApiError invalid_parameter_combination(std::string message);
ApiError unknown_parameter(std::string_view name);
ApiError malformed_query(std::string message);
ApiError invalid_action(std::string_view action, std::string_view version);
ApiError unsupported_operation(std::string message);

// Requests of somebody who is not who they say, in EC2's words; refusals.hpp has the other protocols'.
ApiError auth_failure(std::string message);
ApiError request_expired(std::string message);

// Resources: "Invalid<Noun>ID.NotFound: The <noun> ID 'x' does not exist". `code_noun` as in codes ("InstanceID"), `noun` as in sentences.
ApiError id_not_found(std::string_view code_noun, std::string_view noun, std::string_view id);
ApiError id_malformed(std::string_view code_noun, std::string_view id);

// Ours: 500, 503.
// "Insufficient<of>Capacity": there may be room in a while, and clients try again by themselves because the status is a server's.
ApiError insufficient_capacity(std::string_view of, std::string message);
ApiError internal_error();
ApiError service_unavailable(std::string message);

}  // namespace brume::wire
