#include "wire/codec/body_codec.hpp"

#include <fmt/format.h>

namespace brume::wire {

BodyPlace input_place(const Call& call) {
  if (call.service == nullptr) return {};
  const auto* operation = schema::find_operation(*call.service, call.action);
  return operation == nullptr ? BodyPlace{} : BodyPlace{call.service, call.service->shape(operation->input)};
}

std::string json_error(std::string_view type, std::string_view message_key, const ApiError& error, const Answer* details) {
  JsonWriter json;
  json.open_object();
  json.key("__type");
  json.value(type);
  json.key(message_key);
  json.value(error.message);
  if (!error.reason.empty()) {
    json.key("Reason");
    json.value(error.reason);
  }
  if (details != nullptr) details->encode(json);
  json.close_object();
  return json.take();
}

std::string_view error_type(const Call& call, const ApiError& error) {
  return call.service == nullptr ? std::string_view(error.code) : schema::error_shape(*call.service, error.code);
}

void append_query_error(const Call& call, const ApiError& error, HttpResponse& response) {
  if (call.service == nullptr || !call.service->query_compatible) return;
  response.headers.emplace_back("x-amzn-query-error", fmt::format("{};{}", error.code, error.status < 500 ? "Sender" : "Receiver"));
}

}  // namespace brume::wire
