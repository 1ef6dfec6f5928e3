#include "wire/envelope.hpp"

#include "wire/json_writer.hpp"
#include "wire/rest_json.hpp"

namespace brume::wire {
namespace {

constexpr std::string_view declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

std::string joined(std::string_view a, std::string_view b, std::string_view c = {}) {
  std::string out;
  out.reserve(a.size() + b.size() + c.size());
  return out.append(a).append(b).append(c);
}

}  // namespace

void open_answer(XmlWriter& xml, const Envelope& envelope) {
  xml.raw(declaration);
  if (envelope.protocol == schema::Protocol::ec2) {
    xml.open(joined(envelope.action, "Response"), "xmlns", joined("http://ec2.amazonaws.com/doc/", envelope.version, "/"));
    xml.element("requestId", envelope.request_id);
    return;
  }
  xml.open(joined(envelope.action, "Response"), "xmlns", envelope.xml_namespace);
  if (envelope.has_result) xml.open(joined(envelope.action, "Result"));
}

void close_answer(XmlWriter& xml, const Envelope& envelope) {
  if (envelope.protocol != schema::Protocol::ec2) {
    if (envelope.has_result) xml.close(joined(envelope.action, "Result"));
    xml.open("ResponseMetadata");
    xml.element("RequestId", envelope.request_id);
    xml.close("ResponseMetadata");
  }
  xml.close(joined(envelope.action, "Response"));
}

std::string rest_error_document(const ApiError& error) {
  JsonWriter json;
  json.open_object();
  json.key("__type");
  json.value(error.code);
  json.key("Message");
  json.value(error.message);
  if (!error.reason.empty()) {
    json.key("Reason");
    json.value(error.reason);
  }
  json.close_object();
  return json.take();
}

std::string error_document(const Envelope& envelope, const ApiError& error, std::string_view details) {
  if (envelope.protocol == schema::Protocol::rest_json) return rest_error_document(error);
  if (envelope.protocol == schema::Protocol::json) {
    JsonWriter json;
    json.open_object();
    json.key("__type");
    json.value(error.code);
    json.key("message");
    json.value(error.message);
    json.close_object();
    return json.take();
  }
  XmlWriter xml(XmlWriter::newest_version, 512);
  xml.raw(declaration);
  if (envelope.protocol == schema::Protocol::ec2) {
    xml.raw("<Response><Errors><Error>");
    xml.element("Code", error.code);
    xml.element("Message", error.message);
    xml.raw(details);
    xml.raw("</Error></Errors>");
    xml.element("RequestID", envelope.request_id);
    xml.raw("</Response>");
    return xml.take();
  }
  xml.open("ErrorResponse", "xmlns", envelope.xml_namespace);
  xml.open("Error");
  xml.element("Type", error.status < 500 ? "Sender" : "Receiver");
  xml.element("Code", error.code);
  xml.element("Message", error.message);
  xml.raw(details);
  xml.close("Error");
  xml.element("RequestId", envelope.request_id);
  xml.close("ErrorResponse");
  return xml.take();
}

}  // namespace brume::wire
