// Any request to the verifier: it names a caller (only for the right signature), or throws ApiError, and nothing else.
// The input is read as lines: method, target, then headers "name:value" up to an empty line, then the body.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/text.hpp"
#include "wire/api_error.hpp"
#include "wire/identity/signature.hpp"
#include "wire/identity/signature_text.hpp"

using namespace brume;
using namespace brume::wire;

namespace {

class FixedClock final : public Clock {
 public:
  Time now() const override { return Time{std::chrono::seconds(1323090000)}; }  // 2011-12-05T13:00:00Z
};

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
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
  auto parameters = decode_query(request.query());
  for (auto& pair : decode_query(request.body)) parameters.push_back(std::move(pair));
  const FixedClock clock;
  const auto lookup = [](std::string_view key) -> std::optional<Credential> {
    if (key.empty() || key.front() != 'A') return std::nullopt;
    return Credential{std::string(key), "secret", "123456789012", "arn", key.back() != 'x'};
  };
  const auto identities = signatures(clock, lookup);
  claimed_scope(request);
  const auto claimed = claimed_caller(request, parameters).access_key_id;
  // Any protocol's words: the first byte of the method chooses them.
  const auto words = static_cast<schema::Protocol>(request.method.empty() ? 0U : static_cast<unsigned char>(request.method[0]) % 7U);
  try {
    const auto caller = identify(identities, {request, parameters, words});
    if (caller.access_key_id != claimed) std::abort();
  } catch (const ApiError& error) {
    if (error.status < 400 || error.status > 403 || error.code.empty() || error.message.empty()) std::abort();
  }
  return 0;
}
