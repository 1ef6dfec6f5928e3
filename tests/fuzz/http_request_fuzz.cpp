// Any bytes in any pieces: the parser ends in one of its states, keeps its limits and never holds bytes for ever.
// The connection on top of it adds no parsing of its own, so no socket is needed.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/http/parser.hpp"

using brume::wire::HttpParser;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}

// A body that somebody else reads is left untouched.
void stream(std::string_view raw, size_t step) {
  const brume::wire::HttpIsStreamed always = [](const brume::wire::HttpRequest& head) { return !head.method.empty(); };
  HttpParser parser(512, 256, &always);
  std::string held;
  for (size_t i = 0; i < raw.size() && parser.state() == HttpParser::State::head; i += step) {
    held += raw.substr(i, step);
    held.erase(0, parser.put(held));
  }
  require(parser.state() != HttpParser::State::body);
  if (parser.state() != HttpParser::State::streamed) return;
  require(parser.request().body.empty() && parser.body_length() != std::uint64_t{0});
  require(raw.ends_with(held) || raw.find(held) != std::string_view::npos);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  if (size == 0) return 0;
  constexpr size_t header_bytes = 512;
  constexpr size_t body_bytes = 256;
  // The first byte says how large the pieces are.
  const size_t step = 1 + data[0];
  const std::string_view raw(reinterpret_cast<const char*>(data) + 1, size - 1);
  stream(raw, step);
  HttpParser parser(header_bytes, body_bytes);
  std::string held;
  for (size_t i = 0; i < raw.size(); i += step) {
    held += raw.substr(i, step);
    while (true) {
      held.erase(0, parser.put(held));
      if (parser.state() != HttpParser::State::complete) break;
      const auto& request = parser.request();
      require(request.body.size() <= body_bytes && request.target.size() <= header_bytes);
      require(!request.method.empty());
      request.path();
      request.query();
      parser.keep_alive();
      parser.reset();
      if (held.empty()) break;
    }
    if (parser.state() == HttpParser::State::failed) {
      require(parser.status() == 400 || parser.status() == 413 || parser.status() == 431);
      require(!parser.reason().empty());
      return 0;
    }
    require(held.size() <= header_bytes + step);
  }
  return 0;
}
