// Connection: the body of a streamed request. The socket is read while a reader waits for a piece, and not otherwise.
#include <algorithm>

#include "base/log.hpp"
#include "wire/http/connection.hpp"

namespace brume::wire {
namespace {

void give_piece(const BodySource::Taker& take, BodyPiece piece) {
  try {
    take(std::move(piece));
  } catch (const std::exception& error) {
    log::error("http", "the reader of a body failed: {}", error.what());
  }
}

// The handler's end of the body.
class RequestBody final : public BodySource {
 public:
  RequestBody(std::shared_ptr<Connection> connection, std::uint64_t exchange) : connection_(std::move(connection)), exchange_(exchange) {}
  void read(Taker take) override { connection_->read_body(exchange_, std::move(take)); }

 private:
  std::shared_ptr<Connection> connection_;
  std::uint64_t exchange_;
};

tl::unexpected<BodyError> lost_body() { return body_error(BodyError::Kind::lost, "the request has ended"); }

}  // namespace

void Connection::begin_body(HttpRequest& request) {
  auto& body = incoming_.emplace();
  const auto length = parser_.body_length();
  body.in_chunks = !length;
  body.left = length.value_or(0);
  body.expects_continue = parser_.expects_continue();
  is_unread_ = false;
  moved_ = 0;
  waited_ = {};
  request.source = std::make_shared<RequestBody>(shared_from_this(), ++exchange_);
}

void Connection::read_body(std::uint64_t exchange, BodySource::Taker take) {
  if (worker_->is_current()) return take_body(exchange, std::move(take));
  const auto held = std::make_shared<BodySource::Taker>(std::move(take));
  if (!worker_->post([self = shared_from_this(), exchange, held] { self->take_body(exchange, std::move(*held)); }))
    give_piece(*held, lost_body());
}

void Connection::take_body(std::uint64_t exchange, BodySource::Taker take) {
  if (exchange != exchange_ || !incoming_ || stage_ == Stage::closed || held_answer_) return give_piece(take, lost_body());
  if (incoming_->take) return give_piece(take, body_error(BodyError::Kind::failed, "a body is read twice at once"));
  incoming_->take = std::move(take);
  feed_body();
}

// A loop, not a recursion: one read may yield many pieces, and a reader requests the next one from within its callback.
void Connection::feed_body() {
  if (feeding_) return;
  const auto self = shared_from_this();
  feeding_ = true;
  while (feed_step()) {
  }
  feeding_ = false;
}

bool Connection::feed_step() {
  if (stage_ != Stage::handling || !incoming_ || !incoming_->take || reading_body_) return false;
  if (auto piece = next_piece()) {
    const auto take = std::move(incoming_->take);
    incoming_->take = nullptr;
    give_piece(take, std::move(*piece));
    return true;
  }
  if (incoming_->expects_continue && !continued_) {
    continued_ = is_continue_ = true;
    head_ = "HTTP/1.1 100 Continue\r\n\r\n";
    unsent_ = {net::buffer(head_)};
    write();
    return true;
  }
  read_more_body();
  return false;
}

void Connection::read_more_body() {
  if (!wait_for(For::request)) return close();
  reading_body_ = true;
  begin_wait(endpoint_->limits.request_time);
  read();
}

void Connection::on_body(const boost::system::error_code& code, size_t count) {
  reading_body_ = false;
  deadline_ = SteadyTime::max();
  end_wait();
  if (!stop_waiting()) return close();
  end_ += count;
  if (code && incoming_ && !held_answer_) {
    // A peer that has only ended its own side still gets the answer.
    incoming_->error = timed_out_ ? BodyError{BodyError::Kind::timed_out, "the body did not arrive in time"}
                                  : BodyError{BodyError::Kind::lost, "the body has not been sent to its end"};
    keep_alive_ = false;
  }
  timed_out_ = false;
  if (const auto held = std::move(held_answer_)) return answer(std::move(*held));
  feed_body();
}

std::optional<BodyPiece> Connection::next_piece() {
  auto& body = *incoming_;
  if (body.error) return body_error(body.error->kind, body.error->message);
  if (body.is_complete) return std::string_view();
  if (body.in_chunks) return next_piece_of_chunks();
  const auto count = static_cast<size_t>(std::min<std::uint64_t>(body.left, end_ - begin_));
  if (count == 0) return std::nullopt;
  const std::string_view piece(buffer_.data() + begin_, count);
  begin_ += count;
  moved_ += count;
  body.left -= count;
  body.is_complete = body.left == 0;
  return piece;
}

// Extensions and trailers of a transfer encoding are ignored: nothing here needs them.
std::optional<BodyPiece> Connection::next_piece_of_chunks() {
  auto& body = *incoming_;
  for (;;) {
    std::string_view bytes(buffer_.data() + begin_, end_ - begin_);
    const auto event = body.chunks.next(bytes);
    begin_ = end_ - bytes.size();
    switch (event) {
      case ChunkReader::Event::more: return std::nullopt;
      case ChunkReader::Event::data: moved_ += body.chunks.data().size(); return body.chunks.data();
      case ChunkReader::Event::end: body.is_complete = true; return std::string_view();
      case ChunkReader::Event::failed:
        keep_alive_ = false;
        body.error = BodyError{BodyError::Kind::malformed, std::string(body.chunks.reason())};
        return body_error(body.error->kind, body.error->message);
      case ChunkReader::Event::chunk:
      case ChunkReader::Event::trailer: break;
    }
  }
}

// The answer has been given. If the rest of the body has already arrived, it is skipped; otherwise the connection cannot be reused.
void Connection::end_body() {
  while (!incoming_->is_complete && !incoming_->error && next_piece()) {
  }
  is_unread_ = !incoming_->is_complete;
  if (is_unread_) keep_alive_ = false;
  lose_taker();
  incoming_.reset();
}

void Connection::lose_taker() {
  if (!incoming_ || !incoming_->take) return;
  const auto take = std::move(incoming_->take);
  incoming_->take = nullptr;
  give_piece(take, lost_body());
}

void Connection::begin_wait(milliseconds limit) {
  wait_began_ = std::chrono::steady_clock::now();
  const size_t rate = endpoint_->limits.bytes_a_second;
  if (rate > 0) {
    const milliseconds earned(static_cast<std::int64_t>(std::min<std::uint64_t>(moved_ / rate, 1U << 30) * 1000));
    limit = std::clamp(limit + earned - std::chrono::duration_cast<milliseconds>(waited_), milliseconds(0), limit);
  }
  set_deadline(limit);
}

void Connection::end_wait() {
  if (wait_began_ == SteadyTime()) return;
  waited_ += std::chrono::steady_clock::now() - wait_began_;
  wait_began_ = SteadyTime();
}

}  // namespace brume::wire
