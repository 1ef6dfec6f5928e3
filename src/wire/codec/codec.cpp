#include "wire/codec/codec.hpp"

#include <fmt/format.h>

#include <array>

#include "base/text.hpp"
#include "wire/codec/codecs.hpp"

namespace brume::wire {

Call::Call(const HttpRequest& received, schema::Services known, std::string_view id)
    : request(received), services(known), request_id(id), codec(&ec2_codec()) {}

const std::vector<std::pair<std::string, std::string>>& Call::signed_parameters() const {
  static const std::vector<std::pair<std::string, std::string>> none;
  if (url_parameters) return url_parameters->pairs();
  return parameters ? parameters->pairs() : none;
}

const Codec& codec_of(schema::Protocol protocol) {
  using schema::Protocol;
  switch (protocol) {
    case Protocol::ec2: break;
    case Protocol::query: return query_codec();
    case Protocol::json_1_1: return json_1_1_codec();
    case Protocol::json_1_0: return json_1_0_codec();
    case Protocol::rest_json: return rest_json_codec();
    case Protocol::rest_xml: return rest_xml_codec();
    case Protocol::cbor: return cbor_codec();
  }
  return ec2_codec();
}

void recognise(Call& call) {
  // Those with marks of their own first; a form is what is left.
  static const std::array<const Codec*, 6> in_order = {&cbor_codec(),     &json_1_0_codec(),  &json_1_1_codec(),
                                                       &rest_xml_codec(), &rest_json_codec(), &ec2_codec()};
  for (const auto* codec : in_order)
    if (codec->recognise(call)) return;
}

ApiError service_not_built(const Call& call) {
  auto sentence = call.service_name.empty() ? std::string("The service of this request is not built in this version of Brume.")
                                            : fmt::format("The service {} is not built in this version of Brume.", call.service_name);
  return call.codec->refuse(Trouble::service_not_built, std::move(sentence));
}

const schema::Service* find_by_target(const Call& call, std::string_view prefix, schema::Protocol protocol) {
  if (prefix.empty()) return nullptr;
  for (const auto* service : call.services)
    if (service->target_prefix == prefix && service->speaks(protocol)) return service;
  return nullptr;
}

std::string_view media_type(const HttpRequest& request) {
  const auto type = request.header("content-type");
  return trim(type.substr(0, type.find(';')));
}

bool looks_like_form(const HttpRequest& request) {
  return equals_ignoring_case(media_type(request), "application/x-www-form-urlencoded") ||
         request.query().find("Action=") != std::string_view::npos;
}

std::string short_name(std::string_view text) { return std::string(text.substr(0, 64)); }

}  // namespace brume::wire
