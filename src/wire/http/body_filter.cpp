#include "wire/http/body_filter.hpp"

namespace brume::wire {

void BodyFilter::read(Taker take) {
  const auto self = shared_from_this();
  take_ = std::move(take);
  steps_.run([this] { step(); });
}

BodyPiece BodyFilter::judge(BodyPiece piece) {
  if (!piece) error_ = piece.error();
  if (piece && piece->empty()) is_ended_ = true;
  return piece;
}

void BodyFilter::step() {
  std::optional<BodyPiece> given;
  {
    const std::lock_guard lock(mutex_);
    given.swap(given_);
  }
  if (given) {
    is_asked_ = false;
    if (!*given)
      error_ = given->error();
    else if ((*given)->empty())
      is_inner_ended_ = true;
    else
      bytes_ = **given;
  }
  if (!take_ || is_asked_) return;
  std::optional<BodyPiece> piece;
  if (error_)
    piece = body_error(error_->kind, error_->message);
  else if (is_ended_)
    piece = std::string_view();
  else if (!bytes_.empty())
    piece = next(bytes_);
  else if (is_inner_ended_)
    piece = end();
  if (piece) {
    const auto take = std::move(take_);
    take_ = nullptr;
    return take(judge(std::move(*piece)));
  }
  is_asked_ = true;
  inner_->read([self = shared_from_this()](BodyPiece more) {
    {
      const std::lock_guard lock(self->mutex_);
      self->given_ = std::move(more);
    }
    self->steps_.run([&] { self->step(); });
  });
}

}  // namespace brume::wire
