// Bodies in memory, for tests of what makes or takes streams.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wire/http/streams.hpp"

namespace brume::wire {

// Reads a body to its end and then calls `done` with all of it, or with what came before the error.
class Collecting : public std::enable_shared_from_this<Collecting> {
 public:
  using Done = std::function<void(std::string body, std::optional<BodyError> error)>;
  Collecting(std::shared_ptr<BodySource> source, Done done) : source_(std::move(source)), done_(std::move(done)) {}
  void start() {
    source_->read([self = shared_from_this()](BodyPiece piece) { self->take(std::move(piece)); });
  }

 private:
  void take(BodyPiece piece) {
    if (!piece) return done_(std::move(body_), piece.error());
    if (piece->empty()) return done_(std::move(body_), std::nullopt);
    body_ += *piece;
    start();
  }
  std::shared_ptr<BodySource> source_;
  Done done_;
  std::string body_;
};

inline void collect(std::shared_ptr<BodySource> source, Collecting::Done done) {
  std::make_shared<Collecting>(std::move(source), std::move(done))->start();
}

// Gives these pieces.
class Pieces final : public BodySource {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  void read(Taker take) override { take(next_ < pieces_.size() ? BodyPiece(pieces_[next_++]) : BodyPiece(std::string_view())); }

 private:
  std::vector<std::string> pieces_;
  size_t next_ = 0;
};

// `bytes` in pieces of so many.
inline std::shared_ptr<Pieces> in_pieces(std::string_view bytes, size_t size) {
  std::vector<std::string> pieces;
  for (size_t i = 0; i < bytes.size(); i += size) pieces.emplace_back(bytes.substr(i, size));
  return std::make_shared<Pieces>(std::move(pieces));
}

}  // namespace brume::wire
