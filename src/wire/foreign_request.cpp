#include "wire/foreign_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "wire/json_writer.hpp"
#include "wire/rest_json.hpp"
#include "wire/schema.hpp"
#include "wire/signature.hpp"
#include "wire/xml_writer.hpp"

namespace brume::wire {
namespace {

constexpr size_t longest_name = 64;  // an error document is not the place to echo a name of any size

std::string name_of(std::string_view text) { return std::string(text.substr(0, longest_name)); }

std::string_view media_type(const HttpRequest& request) {
  const auto type = request.header("content-type");
  return trim(type.substr(0, type.find(';')));
}

// "/service/GraniteServiceVersion20100801/operation/PutMetricData"
std::string_view cbor_service(std::string_view path) {
  constexpr std::string_view start = "/service/";
  if (!path.starts_with(start)) return {};
  path.remove_prefix(start.size());
  return path.substr(0, path.find('/'));
}

std::optional<Foreign> find_json(const HttpRequest& request, std::string_view target) {
  const auto prefix = target.substr(0, target.find('.'));
  for (const auto* service : schema::services())
    if (service->protocol == schema::Protocol::json && service->target_prefix == prefix) return std::nullopt;
  return Foreign{Speech::json, name_of(prefix), media_type(request).ends_with("1.0") ? "1.0" : "1.1"};
}

bool is_query(const HttpRequest& request) {
  return equals_ignoring_case(media_type(request), "application/x-www-form-urlencoded") ||
         request.query().find("Action=") != std::string_view::npos;
}

bool speaks_rest_xml(std::string_view service) {
  constexpr std::array<std::string_view, 7> names = {"s3",      "s3express",  "s3-object-lambda", "s3-outposts",
                                                     "route53", "cloudfront", "s3control"};
  return std::find(names.begin(), names.end(), service) != names.end();
}

// A text string of RFC 8949 of less than 64 KiB.
void append_cbor_text(std::string& out, std::string_view text) {
  text = text.substr(0, 0xFFFF);
  if (text.size() < 24) {
    out += static_cast<char>(0x60 + text.size());
  } else {
    out += '\x79';
    out += static_cast<char>(text.size() >> 8U);
    out += static_cast<char>(text.size() & 0xFFU);
  }
  out += text;
}

std::string cbor_error(const ApiError& error) {
  std::string out = "\xA2";  // a map of two
  append_cbor_text(out, "__type");
  append_cbor_text(out, error.code);
  append_cbor_text(out, "message");
  append_cbor_text(out, error.message);
  return out;
}

std::string json_error(const ApiError& error) {
  JsonWriter json;
  json.open_object();
  json.key("__type");
  json.value(error.code);
  json.key("message");
  json.value(error.message);
  json.close_object();
  return json.take();
}

std::string xml_error(const ApiError& error, std::string_view request_id, bool is_query) {
  XmlWriter xml(XmlWriter::newest_version, 512);
  xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
  if (is_query) xml.open("ErrorResponse");
  xml.open("Error");
  if (is_query) xml.element("Type", error.status < 500 ? "Sender" : "Receiver");
  xml.element("Code", error.code);
  xml.element("Message", error.message);
  if (!is_query) xml.element("RequestId", request_id);
  xml.close("Error");
  if (is_query) {
    xml.element("RequestId", request_id);
    xml.close("ErrorResponse");
  }
  return xml.take();
}

}  // namespace

std::optional<Foreign> find_foreign(const HttpRequest& request) {
  if (equals_ignoring_case(request.header("smithy-protocol"), "rpc-v2-cbor") ||
      equals_ignoring_case(media_type(request), "application/cbor"))
    return Foreign{Speech::cbor, name_of(cbor_service(request.path())), {}};
  if (const auto target = request.header("x-amz-target"); request.method == "POST" && !target.empty()) return find_json(request, target);
  if (is_query(request) || find_rest_route(request)) return std::nullopt;
  if (request.header("authorization").starts_with("AWS ")) return Foreign{Speech::rest_xml, "s3", {}};  // S3's own version 2
  const auto scope = SignatureVerifier::claimed_caller(request, {}).service;
  if (speaks_rest_xml(scope)) return Foreign{Speech::rest_xml, name_of(scope), {}};
  if (scope.empty() || schema::find_service(scope) != nullptr) return std::nullopt;
  return Foreign{Speech::rest_json, name_of(scope), {}};
}

ApiError not_served(const Foreign& foreign) {
  auto sentence = foreign.service.empty() ? std::string("The service of this request is not built in this version of Brume.")
                                          : fmt::format("The service {} is not built in this version of Brume.", foreign.service);
  switch (foreign.speech) {
    case Speech::json:
    case Speech::cbor: return {400, "UnknownOperationException", std::move(sentence)};
    case Speech::rest_xml: return {501, "NotImplemented", std::move(sentence)};
    case Speech::rest_json:
    case Speech::query: break;
  }
  return unsupported_operation(std::move(sentence));
}

HttpResponse answer_foreign(const Foreign& foreign, const ApiError& error, std::string_view request_id) {
  HttpResponse response;
  response.status = error.status;
  switch (foreign.speech) {
    case Speech::json:
      response.content_type = "application/x-amz-json-" + foreign.json_version;
      response.body = json_error(error);
      break;
    case Speech::cbor:
      response.content_type = "application/cbor";
      response.headers.emplace_back("smithy-protocol", "rpc-v2-cbor");
      response.body = cbor_error(error);
      break;
    case Speech::rest_json:
      response.content_type = "application/json";
      response.headers.emplace_back("x-amzn-ErrorType", error.code);
      response.body = json_error(error);
      break;
    case Speech::rest_xml:
      response.content_type = "application/xml";
      response.headers.emplace_back("x-amz-request-id", request_id);
      response.body = xml_error(error, request_id, false);
      break;
    case Speech::query: response.body = xml_error(error, request_id, true); break;
  }
  return response;
}

}  // namespace brume::wire
