// The JSON protocols 1.0 and 1.1: X-Amz-Target names service and action, the body has the parameters.
#include "wire/codec/body_codec.hpp"
#include "wire/codec/codec.hpp"
#include "wire/codec/codecs.hpp"
#include "wire/codec/json_body.hpp"

namespace brume::wire {
namespace {

using schema::Protocol;

class JsonCodec final : public Codec {
 public:
  JsonCodec(Protocol protocol, std::string_view type) : protocol_(protocol), type_(type) {}

  Protocol protocol() const override { return protocol_; }

  // The service decides which of the two it is; for one that is not served here its client's content type.
  bool recognise(Call& call) const override {
    const auto target = call.request.header("x-amz-target");
    if (target.empty() || call.request.method != "POST") return false;
    const auto dot = target.find('.');
    const auto prefix = target.substr(0, dot);
    const auto* service = find_by_target(call, prefix, protocol_);
    const auto other = protocol_ == Protocol::json_1_0 ? Protocol::json_1_1 : Protocol::json_1_0;
    if (service == nullptr && find_by_target(call, prefix, other) != nullptr) return false;
    if (service == nullptr && media_type(call.request) != type_ && protocol_ == Protocol::json_1_0) return false;
    call.codec = this;
    call.url_parameters = std::make_unique<QueryTree>(call.request.query());
    call.service = service;
    if (service == nullptr)
      call.service_name = short_name(prefix);
    else
      call.version = std::string(service->version_text);
    call.action = std::string(dot == std::string_view::npos ? std::string_view() : target.substr(dot + 1));
    return true;
  }

  void decode(Call& call, std::string_view body) const override {
    call.parameters = std::make_unique<QueryTree>(read_json_body(body, input_place(call)));
    call.parameters->set_times(TimeFormat::unix_seconds);
  }

  void encode(const Call&, const Answer& answer, HttpResponse& response) const override {
    JsonWriter out;
    out.open_object();
    answer.encode(out);
    out.close_object();
    response.body = out.take();
    response.content_type = type_;
  }

  void error(const Call& call, const ApiError& error, HttpResponse& response, const Answer* details) const override {
    response.status = error.status;
    response.body = json_error(error_type(call, error), "message", error, details);
    response.content_type = type_;
    append_query_error(call, error, response);
  }

 private:
  Protocol protocol_;
  std::string type_;
};

}  // namespace

const Codec& json_1_0_codec() {
  static const JsonCodec codec(Protocol::json_1_0, "application/x-amz-json-1.0");
  return codec;
}

const Codec& json_1_1_codec() {
  static const JsonCodec codec(Protocol::json_1_1, "application/x-amz-json-1.1");
  return codec;
}

}  // namespace brume::wire
