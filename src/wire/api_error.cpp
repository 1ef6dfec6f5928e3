#include "wire/api_error.hpp"

#include <fmt/format.h>

namespace brume::wire {

ApiError missing_parameter(std::string_view name) {
  return {400, "MissingParameter", fmt::format("The request must contain the parameter {}", name)};
}
ApiError invalid_parameter_value(std::string message) { return {400, "InvalidParameterValue", std::move(message)}; }
ApiError invalid_parameter_combination(std::string message) { return {400, "InvalidParameterCombination", std::move(message)}; }
ApiError unknown_parameter(std::string_view name) {
  return {400, "UnknownParameter", fmt::format("The parameter {} is not recognized", name)};
}
ApiError malformed_query(std::string message) { return {400, "MalformedQueryString", std::move(message)}; }
ApiError invalid_action(std::string_view action, std::string_view version) {
  return {400, "InvalidAction", fmt::format("The action {} is not valid for this web service (version {}).", action, version)};
}
ApiError unsupported_operation(std::string message) { return {400, "UnsupportedOperation", std::move(message)}; }

ApiError auth_failure(std::string message) { return {401, "AuthFailure", std::move(message)}; }
ApiError request_expired(std::string message) { return {400, "RequestExpired", std::move(message)}; }

ApiError id_not_found(std::string_view code_noun, std::string_view noun, std::string_view id) {
  return {400, fmt::format("Invalid{}.NotFound", code_noun), fmt::format("The {} ID '{}' does not exist", noun, id)};
}
ApiError id_malformed(std::string_view code_noun, std::string_view id) {
  return {400, fmt::format("Invalid{}.Malformed", code_noun), fmt::format("Invalid id: \"{}\"", id)};
}

ApiError insufficient_capacity(std::string_view of, std::string message) {
  return {500, fmt::format("Insufficient{}Capacity", of), std::move(message)};
}
ApiError internal_error() { return {500, "InternalError", "An internal error has occurred"}; }
ApiError service_unavailable(std::string message) { return {503, "Unavailable", std::move(message)}; }

}  // namespace brume::wire
