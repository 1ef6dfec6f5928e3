// Any request to the codecs: one recognises it, reads it or refuses it, and every error has a document in its protocol.
// The input is read as lines: method, target, then headers "name:value" up to an empty line, then the body.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/text.hpp"
#include "wire/api_error.hpp"
#include "wire/codec/codec.hpp"
#include "wire/inflate.hpp"

using namespace brume;
using namespace brume::wire;

namespace {

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

void read_call(Call& call) {
  recognise(call);
  call.signed_parameters();
  if (call.service == nullptr) throw service_not_built(call);
  std::string unpacked;
  call.codec->decode(call, plain_body(call, unpacked));
  if (call.service == nullptr) throw service_not_built(call);
  if (!call.parameters) std::abort();
  call.parameters->root();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  HttpRequest request;
  request.method = take_line(text);
  request.target = take_line(text);
  for (auto line = take_line(text); !line.empty(); line = take_line(text)) {
    const auto colon = line.find(':');
    request.headers.emplace_back(to_lower(line.substr(0, colon)),
                                 colon == std::string_view::npos ? std::string() : std::string(line.substr(colon + 1)));
  }
  request.body = text;
  Call call(request, schema::services(), "r");
  try {
    read_call(call);
  } catch (const ApiError& error) {
    HttpResponse response;
    call.codec->error(call, error, response);
    if (response.status < 400 || response.body.empty() || response.body.size() > 64 << 10) std::abort();
  }
  return 0;
}
