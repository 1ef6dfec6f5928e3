// EC2's form of the Query protocol, and that of the other services: parameters in the URL and a form, answers in XML.
#include <fmt/format.h>

#include "base/text.hpp"
#include "wire/codec/codec.hpp"
#include "wire/codec/codecs.hpp"
#include "wire/identity/signature.hpp"
#include "wire/xml_writer.hpp"

namespace brume::wire {
namespace {

using schema::Protocol;

constexpr std::string_view xml_declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

std::string tag_of(std::string_view action, std::string_view suffix) {
  std::string out;
  out.reserve(action.size() + suffix.size());
  return out.append(action).append(suffix);
}

// The scope of the signature names the service; the version tells apart those that share a scope, and all of them where there is none.
const schema::Service* find_asked(const Call& call, const Scope& scope) {
  const int version = call.version_number();
  const auto* named = scope.service.empty() ? nullptr : schema::find_signed_service(call.services, scope.service, version);
  if (named != nullptr) return named;
  for (const auto* service : call.services)
    if (service->version_text == call.version && service->speaks(Protocol::query)) return service;
  return nullptr;
}

// EC2 has no mark of its own: it is the service when nothing names another.
const schema::Service* ec2_of(const Call& call) {
  for (const auto* service : call.services)
    if (service->speaks(Protocol::ec2)) return service;
  return nullptr;
}

void settle_service(Call& call) {
  const auto scope = claimed_scope(call.request);
  call.service = find_asked(call, scope);
  if (call.service == nullptr) {
    call.service = ec2_of(call);
    // Nobody here knows the scope, nor the action. What boto 2 takes from the host's name is no service's.
    const bool is_foreign = !scope.service.empty() && !call.request.header("host").starts_with(scope.service) &&
                            (call.service == nullptr || schema::find_operation(*call.service, call.action) == nullptr);
    if (is_foreign) {
      call.service = nullptr;
      call.service_name = short_name(scope.service);
    }
  }
  const bool is_ec2 = call.service != nullptr && call.service->speaks(Protocol::ec2);
  call.codec = is_ec2 ? &ec2_codec() : &query_codec();
}

void read_form(Call& call, std::string_view form) {
  call.parameters = std::make_unique<QueryTree>(call.request.query(), form);
  call.action = std::string(call.parameters->find("Action"));
  call.version = std::string(call.parameters->find("Version"));
  settle_service(call);
}

class FormCodec : public Codec {
 public:
  bool recognise(Call& call) const override {
    const auto& request = call.request;
    call.codec = this;
    if (request.method != "GET" && request.method != "POST")
      throw ApiError(405, "InvalidRequest", fmt::format("The method {} is not used by this API: send GET or POST.", request.method));
    const bool has_form = request.method == "POST";
    if (has_form && !request.body.empty() && !equals_ignoring_case(media_type(request), "application/x-www-form-urlencoded"))
      throw ApiError(415, "UnsupportedMediaType", "The body of a request is application/x-www-form-urlencoded.");
    const bool is_readable = has_form && request.header("content-encoding").empty();
    read_form(call, is_readable ? std::string_view(request.body) : std::string_view());
    return true;
  }

  // The form was read when it was recognised, unless it came compressed.
  void decode(Call& call, std::string_view body) const override {
    if (!call.request.header("content-encoding").empty()) read_form(call, call.request.method == "POST" ? body : std::string_view());
  }
};

class Ec2Codec final : public FormCodec {
 public:
  Protocol protocol() const override { return Protocol::ec2; }

  void encode(const Call& call, const Answer& answer, HttpResponse& response) const override {
    const auto root = tag_of(call.action, "Response");
    XmlWriter xml(call.version_number());
    xml.raw(xml_declaration);
    xml.open(root, "xmlns", fmt::format("http://ec2.amazonaws.com/doc/{}/", call.version));
    xml.element("requestId", call.request_id);
    answer.encode(xml);
    xml.close(root);
    response.body = xml.take();
  }

  void error(const Call& call, const ApiError& error, HttpResponse& response, const Answer* details) const override {
    XmlWriter xml(XmlWriter::newest_version, 512);
    xml.raw(xml_declaration);
    xml.raw("<Response><Errors><Error>");
    xml.element("Code", error.code);
    xml.element("Message", error.message);
    if (details != nullptr) details->encode(xml);
    xml.raw("</Error></Errors>");
    xml.element("RequestID", call.request_id);
    xml.raw("</Response>");
    response.status = error.status;
    response.body = xml.take();
  }
};

class QueryCodec final : public FormCodec {
 public:
  Protocol protocol() const override { return Protocol::query; }

  void encode(const Call& call, const Answer& answer, HttpResponse& response) const override {
    const auto root = tag_of(call.action, "Response");
    const auto result = tag_of(call.action, "Result");
    XmlWriter xml;
    xml.set_whole_seconds(true);
    xml.raw(xml_declaration);
    xml.open(root, "xmlns", call.service->xml_namespace);
    if (call.has_result()) xml.open(result);
    answer.encode(xml);
    if (call.has_result()) xml.close(result);
    xml.open("ResponseMetadata");
    xml.element("RequestId", call.request_id);
    xml.close("ResponseMetadata");
    xml.close(root);
    response.body = xml.take();
  }

  // Sender below status 500, Receiver from there on.
  void error(const Call& call, const ApiError& error, HttpResponse& response, const Answer* details) const override {
    XmlWriter xml(XmlWriter::newest_version, 512);
    xml.set_whole_seconds(true);
    xml.raw(xml_declaration);
    if (call.service != nullptr && !call.service->xml_namespace.empty())
      xml.open("ErrorResponse", "xmlns", call.service->xml_namespace);
    else
      xml.open("ErrorResponse");
    xml.open("Error");
    xml.element("Type", error.status < 500 ? "Sender" : "Receiver");
    xml.element("Code", error.code);
    xml.element("Message", error.message);
    if (details != nullptr) details->encode(xml);
    xml.close("Error");
    xml.element("RequestId", call.request_id);
    xml.close("ErrorResponse");
    response.status = error.status;
    response.body = xml.take();
  }
};

}  // namespace

const Codec& ec2_codec() {
  static const Ec2Codec codec;
  return codec;
}

const Codec& query_codec() {
  static const QueryCodec codec;
  return codec;
}

}  // namespace brume::wire
