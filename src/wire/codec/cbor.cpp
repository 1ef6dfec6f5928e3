// Smithy's RPC v2 in CBOR: POST /service/GraniteServiceVersion20100801/operation/PutMetricData, with the parameters as a map in the body.
#include "base/text.hpp"
#include "wire/codec/body_codec.hpp"
#include "wire/codec/cbor_body.hpp"
#include "wire/codec/cbor_writer.hpp"
#include "wire/codec/codecs.hpp"

namespace brume::wire {
namespace {

using schema::Protocol;

constexpr std::string_view content_type = "application/cbor";

// "/service/NAME/operation/ACTION", with anything before it.
struct RpcPath {
  std::string_view service;
  std::string_view action;
};
RpcPath read_rpc_path(std::string_view path) {
  constexpr std::string_view before_service = "/service/";
  constexpr std::string_view before_action = "/operation/";
  const auto service = path.rfind(before_service);
  if (service == std::string_view::npos) return {};
  const auto rest = path.substr(service + before_service.size());
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos || !rest.substr(slash).starts_with(before_action)) return {rest.substr(0, slash), {}};
  return {rest.substr(0, slash), rest.substr(slash + before_action.size())};
}

class CborCodec final : public Codec {
 public:
  Protocol protocol() const override { return Protocol::cbor; }

  bool recognise(Call& call) const override {
    const auto& request = call.request;
    if (!equals_ignoring_case(request.header("smithy-protocol"), "rpc-v2-cbor") && !equals_ignoring_case(media_type(request), content_type))
      return false;
    call.codec = this;
    call.url_parameters = std::make_unique<QueryTree>(request.query());
    const auto path = read_rpc_path(request.path());
    call.service = find_by_target(call, path.service, Protocol::cbor);
    if (call.service == nullptr)
      call.service_name = short_name(path.service);
    else
      call.version = std::string(call.service->version_text);
    call.action = std::string(path.action);
    if (request.method != "POST") throw ApiError(405, "InvalidRequest", "An operation in CBOR is asked for by POST.");
    return true;
  }

  void decode(Call& call, std::string_view body) const override {
    call.parameters = std::make_unique<QueryTree>(read_cbor_body(body, input_place(call)));
    call.parameters->set_times(TimeFormat::unix_seconds, true);
  }

  void encode(const Call& call, const Answer& answer, HttpResponse& response) const override {
    response.headers.emplace_back("smithy-protocol", "rpc-v2-cbor");
    // What has no output has no body, nor a type of one.
    response.content_type.clear();
    if (!call.has_result()) return;
    response.content_type = content_type;
    CborWriter out;
    out.open_object();
    answer.encode(out);
    out.close_object();
    response.body = out.take();
  }

  void error(const Call& call, const ApiError& error, HttpResponse& response, const Answer* details) const override {
    CborWriter out;
    out.open_object();
    out.key("__type");
    out.value(error_type(call, error));
    out.key("message");
    out.value(error.message);
    if (details != nullptr) details->encode(out);
    out.close_object();
    response.status = error.status;
    response.content_type = content_type;
    response.headers.emplace_back("smithy-protocol", "rpc-v2-cbor");
    append_query_error(call, error, response);
    response.body = out.take();
  }
};

}  // namespace

const Codec& cbor_codec() {
  static const CborCodec codec;
  return codec;
}

}  // namespace brume::wire
