// REST with XML (S3, Route 53, CloudFront). No service of it is served yet: requests are recognised, and refused as their clients expect.
#include <algorithm>
#include <array>

#include "wire/codec/codec.hpp"
#include "wire/codec/codecs.hpp"
#include "wire/identity/signature.hpp"
#include "wire/xml_writer.hpp"

namespace brume::wire {
namespace {

using schema::Protocol;

bool speaks_rest_xml(std::string_view service) {
  constexpr std::array<std::string_view, 7> names = {"s3",      "s3express",  "s3-object-lambda", "s3-outposts",
                                                     "route53", "cloudfront", "s3control"};
  return std::find(names.begin(), names.end(), service) != names.end();
}

class RestXmlCodec final : public Codec {
 public:
  Protocol protocol() const override { return Protocol::rest_xml; }

  bool recognise(Call& call) const override {
    const auto& request = call.request;
    if (looks_like_form(request)) return false;
    const bool is_signed_as_s3 = request.header("authorization").starts_with("AWS ");  // S3's own version 2
    const auto scope = is_signed_as_s3 ? std::string("s3") : claimed_scope(request).service;
    if (!speaks_rest_xml(scope)) return false;
    call.codec = this;
    call.url_parameters = std::make_unique<QueryTree>(request.query());
    call.service_name = short_name(scope);
    return true;
  }

  void decode(Call& call, std::string_view) const override { throw service_not_built(call); }
  void encode(const Call& call, const Answer&, HttpResponse&) const override { throw service_not_built(call); }

  void error(const Call& call, const ApiError& error, HttpResponse& response, const Answer* details) const override {
    XmlWriter xml(XmlWriter::newest_version, 512);
    xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.open("Error");
    xml.element("Code", error.code);
    xml.element("Message", error.message);
    if (details != nullptr) details->encode(xml);
    xml.element("RequestId", call.request_id);
    xml.close("Error");
    response.status = error.status;
    response.content_type = "application/xml";
    response.headers.emplace_back("x-amz-request-id", call.request_id);
    response.body = xml.take();
  }
};

}  // namespace

const Codec& rest_xml_codec() {
  static const RestXmlCodec codec;
  return codec;
}

}  // namespace brume::wire
