// Any bytes as the query and the body of a request, read as requests that nest; whatever comes must be an ApiError or a value,
// and what is echoed in XML must stay XML 1.0.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/api_error.hpp"
#include "wire/codec/codec.hpp"
#include "wire/ec2/instances.hpp"
#include "wire/ec2/security_groups.hpp"
#include "wire/query_tree.hpp"
#include "wire/xml_writer.hpp"

namespace {

using namespace brume::wire;

template <class Request>
void read_request(const QueryTree& tree) {
  const HttpRequest none;
  const Call call(none, {}, "r");
  try {
    Request request;
    read(tree.root(), request);
    tree.require_all_read();
  } catch (const ApiError& error) {
    HttpResponse response;
    call.codec->error(call, error, response);
    if (response.body.empty()) std::abort();
  }
}

void check_text(std::string_view text) {
  XmlWriter xml;
  xml.text(text);
  for (const char c : xml.take()) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 32 && c != '\t' && c != '\n') || c == '<' || c == '>') std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find('\n');
  check_text(text);
  try {
    const QueryTree tree(text.substr(0, cut), cut == std::string_view::npos ? std::string_view() : text.substr(cut + 1));
    read_request<ec2::RunInstancesRequest>(tree);
    read_request<ec2::AuthorizeSecurityGroupIngressRequest>(tree);
    read_request<ec2::DescribeInstancesRequest>(tree);
  } catch (const ApiError&) {
  }
  return 0;
}
