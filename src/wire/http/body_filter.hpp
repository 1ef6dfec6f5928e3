// A body that is made of another one: decoded, checked, counted on its way.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include "wire/http/step_loop.hpp"
#include "wire/http/streams.hpp"

namespace brume::wire {

// Threads: as BodySource. Owned by shared pointers. Does not recurse, whatever the sizes of the pieces are.
class BodyFilter : public BodySource, public std::enable_shared_from_this<BodyFilter> {
 public:
  void read(Taker take) final;

 protected:
  explicit BodyFilter(std::shared_ptr<BodySource> inner) : inner_(std::move(inner)) {}

  // The next piece, made of the front of `bytes`, which stay until all of them have been taken; nullopt: more are needed. One thread at a
  // time. After an error or the end nothing is called any more.
  virtual std::optional<BodyPiece> next(std::string_view& bytes) = 0;
  // The body that this one is made of has come to its end: the last piece (or error), then an empty one.
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
