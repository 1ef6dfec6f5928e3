// Any bytes as a compressed body: unpacked within the limit, or an ApiError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/api_error.hpp"
#include "wire/inflate.hpp"

using namespace brume::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  HttpRequest request;
  request.headers = {{"content-encoding", "gzip"}};
  request.body.assign(reinterpret_cast<const char*>(data), size);
  const Call call(request, {}, "r");
  constexpr InflateLimits limits{.bytes = 64 << 10, .members = 4};
  std::string storage;
  try {
    if (plain_body(call, storage, limits).size() > limits.bytes) std::abort();
  } catch (const ApiError& error) {
    if ((error.status != 400 && error.status != 413) || error.message.empty()) std::abort();
  }
  return 0;
}
