// Connection: after a switch to another protocol. Reads and writes run at the same time, one operation each.
#include "base/log.hpp"
#include "wire/http/connection.hpp"

namespace brume::wire {
namespace {

tl::unexpected<BodyError> lost_channel() { return body_error(BodyError::Kind::lost, "the connection has ended"); }

// Calls a callback of the channel's owner; an exception in it ends the channel, not the thread.
template <class Callback, class... Arguments>
void call_owner(const Callback& callback, Arguments&&... arguments) {
  try {
    if (callback) callback(std::forward<Arguments>(arguments)...);
  } catch (const std::exception& error) {
    log::error("http", "the owner of a connection failed: {}", error.what());
  }
}

class Channel final : public ByteChannel {
 public:
  explicit Channel(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ~Channel() override { Channel::close(); }
  void read(BodySource::Taker take) override { connection_->read_channel(std::move(take)); }
  void write(std::string bytes, Written written) override { connection_->write_channel(std::move(bytes), std::move(written)); }
  void watch(milliseconds quiet, std::function<void()> on_quiet) override { connection_->watch_channel(quiet, std::move(on_quiet)); }
  void close() override { connection_->close_channel(); }

 private:
  std::shared_ptr<Connection> connection_;
};

}  // namespace

void Connection::begin_channel() {
  const auto take_over = std::move(outgoing_->answer->take_over);
  outgoing_.reset();
  until_taken_.reset();
  stage_ = Stage::taken_over;
  taken_over_ = std::make_unique<TakenOver>();
  taken_over_->quiet = endpoint_->limits.idle;
  taken_over_->quiet_at = std::chrono::steady_clock::now() + taken_over_->quiet;
  if (!wait_for(For::request) || endpoint_->closing) return close();
  set_channel_deadline();
  call_owner(take_over, std::make_shared<Channel>(shared_from_this()));
}

void Connection::read_channel(BodySource::Taker take) {
  // Always through the event loop, so that an owner that reads from within its callback does not pile up calls.
  const auto held = std::make_shared<BodySource::Taker>(std::move(take));
  if (!worker_->post([self = shared_from_this(), held] { self->read_from_channel(std::move(*held)); }))
    call_owner(*held, BodyPiece(lost_channel()));
}

void Connection::read_from_channel(BodySource::Taker take) {
  if (stage_ != Stage::taken_over) return call_owner(take, BodyPiece(lost_channel()));
  auto& channel = *taken_over_;
  if (channel.take) return call_owner(take, BodyPiece(body_error(BodyError::Kind::failed, "a connection is read twice at once")));
  if (channel.is_ended) return call_owner(take, BodyPiece(std::string_view()));
  channel.take = std::move(take);
  if (begin_ == end_) return read_more_channel();
  // What the peer sent right after its request.
  const std::string_view bytes(buffer_.data() + begin_, end_ - begin_);
  begin_ = end_;
  const auto waiting = std::move(channel.take);
  channel.take = nullptr;
  call_owner(waiting, BodyPiece(bytes));
}

void Connection::read_more_channel() {
  begin_ = end_ = 0;
  if (buffer_.size() < first_buffer) buffer_.resize(first_buffer);
  taken_over_->is_reading = true;
  const auto done = [self = shared_from_this()](const boost::system::error_code& code, size_t count) {
    self->on_channel_read(code, count);
  };
  const auto space = net::buffer(buffer_);
  tls_ ? tls_->async_read_some(space, done) : socket_.async_read_some(space, done);
}

void Connection::on_channel_read(const boost::system::error_code& code, size_t count) {
  if (stage_ == Stage::lingering && !code) return discard();
  if (stage_ == Stage::lingering) return close();
  if (stage_ != Stage::taken_over) return;
  auto& channel = *taken_over_;
  channel.is_reading = false;
  if (!wait_for(For::request)) return close();  // counts as one that has just sent something
  channel.quiet_at = std::chrono::steady_clock::now() + channel.quiet;
  channel.is_ended = static_cast<bool>(code);
  const auto take = std::move(channel.take);
  channel.take = nullptr;
  call_owner(take, code ? BodyPiece(std::string_view()) : BodyPiece(std::string_view(buffer_.data(), count)));
}

void Connection::write_channel(std::string bytes, ByteChannel::Written written) {
  const auto held = std::make_shared<std::pair<std::string, ByteChannel::Written>>(std::move(bytes), std::move(written));
  const auto write = [self = shared_from_this(), held] { self->write_to_channel(std::move(held->first), std::move(held->second)); };
  if (!worker_->post(write)) call_owner(held->second, false);
}

void Connection::write_to_channel(std::string bytes, ByteChannel::Written written) {
  if (stage_ != Stage::taken_over || taken_over_->written || bytes.empty()) return call_owner(written, false);
  auto& channel = *taken_over_;
  channel.unwritten = std::move(bytes);
  channel.written_bytes = 0;
  channel.written = written ? std::move(written) : [](bool) {};
  channel.write_by = std::chrono::steady_clock::now() + endpoint_->limits.write_time;
  set_channel_deadline();
  write_more_channel();
}

void Connection::write_more_channel() {
  const auto& channel = *taken_over_;
  const auto bytes = net::buffer(channel.unwritten.data() + channel.written_bytes, channel.unwritten.size() - channel.written_bytes);
  const auto done = [self = shared_from_this()](const boost::system::error_code& code, size_t count) {
    self->on_channel_write(code, count);
  };
  tls_ ? tls_->async_write_some(bytes, done) : socket_.async_write_some(bytes, done);
}

void Connection::on_channel_write(const boost::system::error_code& code, size_t count) {
  if (stage_ != Stage::taken_over) return;
  if (code) return close();
  auto& channel = *taken_over_;
  channel.written_bytes += count;
  if (channel.written_bytes < channel.unwritten.size()) return write_more_channel();
  channel.unwritten = std::string();
  channel.write_by = SteadyTime::max();
  const auto written = std::move(channel.written);
  channel.written = nullptr;
  call_owner(written, true);
}

void Connection::watch_channel(milliseconds quiet, std::function<void()> on_quiet) {
  worker_->post([self = shared_from_this(), quiet, on_quiet = std::move(on_quiet)]() mutable {
    if (self->stage_ != Stage::taken_over) return;
    auto& channel = *self->taken_over_;
    channel.quiet = quiet;
    channel.quiet_at = std::chrono::steady_clock::now() + quiet;
    channel.on_quiet = std::move(on_quiet);
    self->set_channel_deadline();
  });
}

void Connection::close_channel() {
  worker_->post([self = shared_from_this()] {
    if (self->stage_ != Stage::taken_over) return;
    // What the peer has not read yet would be lost with a reset.
    if (self->taken_over_->written) return self->close();
    const bool is_reading = self->taken_over_->is_reading;
    self->stage_ = Stage::lingering;
    self->begin_linger();
    if (!is_reading) self->discard();
    self->lose_channel();
  });
}

void Connection::set_channel_deadline() {
  deadline_ = std::min(taken_over_->quiet_at, taken_over_->write_by);
  worker_->wake_by(deadline_);
}

// The deadline may have moved since it was set.
void Connection::on_channel_deadline() {
  auto& channel = *taken_over_;
  const auto now = std::chrono::steady_clock::now();
  if (channel.write_by <= now || (channel.quiet_at <= now && !channel.on_quiet)) return close();
  const bool is_quiet = channel.quiet_at <= now;
  if (is_quiet) channel.quiet_at = now + channel.quiet;
  set_channel_deadline();
  if (is_quiet) call_owner(std::function(channel.on_quiet));
}

void Connection::lose_channel() {
  if (!taken_over_) return;
  const auto channel = std::move(taken_over_);
  if (channel->take) call_owner(channel->take, BodyPiece(lost_channel()));
  if (channel->written) call_owner(channel->written, false);
}

}  // namespace brume::wire
