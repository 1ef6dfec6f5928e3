// Any bytes as a client's frames, in any pieces: the same events, bounded messages, and an end that stays.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/websocket/frames.hpp"

using namespace brume::wire;

namespace {

constexpr size_t limit = 256;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string events(std::string_view raw, size_t step) {
  WebSocketReader reader(limit);
  std::string seen;
  for (size_t i = 0; i < raw.size(); i += step) {
    auto bytes = raw.substr(i, step);
    while (!bytes.empty()) {
      const auto event = reader.next(bytes);
      if (event == WebSocketReader::Event::more) {
        require(bytes.empty());
        break;
      }
      seen += std::to_string(static_cast<int>(event));
      if (event == WebSocketReader::Event::close || event == WebSocketReader::Event::failed) {
        require(reader.code() >= 1000 && reader.code() <= 4999);
        require(reader.next(bytes) == event);
        return seen + std::to_string(reader.code()) + std::string(reader.reason());
      }
      require(reader.data().size() <= limit);
      if (event == WebSocketReader::Event::ping) require(web_socket_pong(reader.data()).size() <= 127);
      seen += reader.data();
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view raw(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(events(raw, 1 + data[0] % 32) == events(raw, raw.size() + 1));
  return 0;
}
