// REST with JSON (ebs): the method and path say what is asked, the parameters are in path, query, headers and body.
#include <algorithm>
#include <array>

#include "wire/codec/body_codec.hpp"
#include "wire/codec/codecs.hpp"
#include "wire/codec/rest_routes.hpp"
#include "wire/identity/signature.hpp"

namespace brume::wire {
namespace {

using schema::Protocol;

// In these services' own codes: what is wrong with a parameter is their ValidationException.
ApiError in_words_of_rest(const ApiError& error) {
  constexpr std::array<std::string_view, 6> about_parameters = {
      "MissingParameter",     "InvalidParameterValue",       "UnknownParameter",
      "MalformedQueryString", "InvalidParameterCombination", "SerializationException"};
  if (std::find(about_parameters.begin(), about_parameters.end(), error.code) != about_parameters.end())
    return {400, "ValidationException", error.message, "INVALID_PARAMETER_VALUE"};
  if (error.code == "InternalError") return {500, "InternalServerException", error.message};
  return error;
}

class RestJsonCodec final : public Codec {
 public:
  Protocol protocol() const override { return Protocol::rest_json; }

  bool recognise(Call& call) const override {
    auto route = find_rest_route(call.services, call.request);
    if (!route && !is_for_foreign_service(call)) return false;
    call.codec = this;
    call.url_parameters = std::make_unique<QueryTree>(call.request.query());
    if (!route) return true;
    call.service = route->service;
    call.operation = route->operation;
    call.action = std::string(route->operation->name);
    call.version = std::string(route->service->version_text);
    call.path_values = std::move(route->path_values);
    return true;
  }

  void decode(Call& call, std::string_view body) const override {
    call.parameters = std::make_unique<QueryTree>(read_rest_request(call, body));
    call.parameters->set_times(TimeFormat::unix_seconds);
  }

  void encode(const Call& call, const Answer& answer, HttpResponse& response) const override {
    JsonWriter out;
    out.open_object();
    answer.encode(out);
    out.close_object();
    for (auto& header : out.take_headers()) response.headers.push_back(std::move(header));
    auto payload = out.take_payload();
    response.status = call.operation->status;
    response.content_type = payload ? "application/octet-stream" : "application/json";
    response.body = payload ? std::move(*payload) : out.take();
  }

  void error(const Call& call, const ApiError& error, HttpResponse& response, const Answer* details) const override {
    const auto worded = call.service == nullptr ? error : in_words_of_rest(error);
    response.status = worded.status;
    response.headers.emplace_back("x-amzn-ErrorType", worded.code);
    response.content_type = "application/json";
    response.body = json_error(worded.code, call.service == nullptr ? "message" : "Message", worded, details);
  }

 private:
  // What is no form and signed for a service that nobody here knows is taken for one of this protocol: most of them are.
  static bool is_for_foreign_service(Call& call) {
    if (looks_like_form(call.request)) return false;
    const auto scope = claimed_scope(call.request).service;
    if (scope.empty() || schema::find_signed_service(call.services, scope, 0) != nullptr) return false;
    call.service_name = short_name(scope);
    return true;
  }
};

}  // namespace

const Codec& rest_json_codec() {
  static const RestJsonCodec codec;
  return codec;
}

}  // namespace brume::wire
