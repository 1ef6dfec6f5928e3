// A body derived from another one: decoded, checked or counted while it is read.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include "wire/http/step_loop.hpp"
#include "wire/http/streams.hpp"

namespace brume::wire {

// Threads: as BodySource. Owned by shared pointers. Does not recurse, whatever the size of the pieces.
class BodyFilter : public BodySource, public std::enable_shared_from_this<BodyFilter> {
 public:
  void read(Taker take) final;

 protected:
  explicit BodyFilter(std::shared_ptr<BodySource> inner) : inner_(std::move(inner)) {}

  // Makes the next piece from the front of `bytes`, which stay valid until all of them have been consumed; nullopt: more bytes are needed.
  // One thread at a time. Not called after an error or the end.
  virtual std::optional<BodyPiece> next(std::string_view& bytes) = 0;
  // Called when the underlying body has ended: gives the last piece (or an error), then an empty one.
  virtual BodyPiece end() = 0;

 private:
  void step();
  BodyPiece judge(BodyPiece piece);

  std::shared_ptr<BodySource> inner_;
  Taker take_;
  std::string_view bytes_;
  bool is_asked_ = false;
  bool is_inner_ended_ = false;
  std::optional<BodyError> error_;
  bool is_ended_ = false;

  StepLoop steps_;
  std::mutex mutex_;  // given_
  std::optional<BodyPiece> given_;
};

}  // namespace brume::wire
