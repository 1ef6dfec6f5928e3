// Any bytes as chunks, in any pieces: what comes out does not depend on the pieces, is never longer than was announced, and what is not
// signed is never taken for whole.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/payload/aws_chunked.hpp"

using namespace brume;
using namespace brume::wire;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

class Bytes final : public BodySource {
 public:
  Bytes(std::string_view bytes, size_t step) : bytes_(bytes), step_(step) {}
  void read(Taker take) override {
    const auto piece = bytes_.substr(0, step_);
    bytes_.remove_prefix(piece.size());
    take(piece);
  }

 private:
  std::string_view bytes_;
  size_t step_;
};

struct Outcome {
  std::string body;
  bool is_whole = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read_all(const std::shared_ptr<BodySource>& source) {
  Outcome outcome;
  for (bool more = true; more;) {
    bool called = false;
    source->read([&](const BodyPiece& piece) {
      require(!called);
      called = true;
      if (piece && !piece->empty()) {
        outcome.body += *piece;
        return;
      }
      outcome.is_whole = piece.has_value();
      if (!piece) require(!piece.error().message.empty());
      more = false;
    });
    require(called);
  }
  // It stays so.
  source->read([&](const BodyPiece& piece) { require(piece.has_value() == outcome.is_whole && (!piece || piece->empty())); });
  return outcome;
}

Outcome decode(std::string_view raw, size_t step, bool is_signed) {
  AwsChunkedBody::Expected expected;
  expected.length = 64;
  expected.trailers = {"x-amz-checksum-crc32"};
  if (is_signed) expected.signing = ChunkSigning{{}, "20130524T000000Z", "20130524/us-east-1/s3/aws4_request", std::string(64, '0')};
  return read_all(std::make_shared<AwsChunkedBody>(std::make_shared<Bytes>(raw, step), std::move(expected)));
}

// How far the transfer encoding's reader gets: its events, joined.
std::string events(std::string_view raw, size_t step) {
  ChunkReader reader;
  std::string data;
  for (size_t i = 0; i < raw.size(); i += step) {
    auto bytes = raw.substr(i, step);
    for (auto event = ChunkReader::Event::data; event != ChunkReader::Event::more;) {
      const auto before = bytes.size();
      event = reader.next(bytes);
      require(bytes.size() <= before);
      if (event == ChunkReader::Event::data) data += reader.data();
      if (event == ChunkReader::Event::chunk) data += "[" + std::to_string(reader.size()) + std::string(reader.extension()) + "]";
      if (event == ChunkReader::Event::trailer) data += "(" + std::string(reader.name()) + ":" + std::string(reader.value()) + ")";
      if (event == ChunkReader::Event::failed) require(!reader.reason().empty());
      if (event == ChunkReader::Event::failed || event == ChunkReader::Event::end)
        return data + (event == ChunkReader::Event::end ? "." : "!");
    }
  }
  return data;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // The first byte says how large the pieces are.
  const size_t step = 1 + data[0] % 64;
  const std::string_view raw(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(events(raw, step) == events(raw, raw.size() + 1));
  const auto whole = decode(raw, raw.size() + 1, false);
  const auto pieces = decode(raw, step, false);
  require(whole.is_whole == pieces.is_whole && whole.body.size() <= 64 && pieces.body.size() <= 64);
  if (whole.is_whole) require(whole == pieces && whole.body.size() == 64);
  require(!decode(raw, step, true).is_whole);
  return 0;
}
