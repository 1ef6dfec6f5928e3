// Connection: from an answer to its last byte on the wire.
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <fcntl.h>
#include <algorithm>

#include <fmt/format.h>

#include "base/log.hpp"
#include "wire/http/connection.hpp"

namespace brume::wire {
namespace {

constexpr size_t small_body = 16 << 10;  // copied after the head: one segment, one TLS record
constexpr milliseconds linger_time = seconds(2);
constexpr size_t linger_bytes = 64 << 20;
constexpr size_t turn_bytes = 1 << 20;    // of a stream; then the thread's other connections get their turn
constexpr size_t file_buffer = 64 << 10;  // of a file that is sent encrypted

// With a line break in a value, whoever chose the value could write headers of his own.
void append_header_text(std::string& out, std::string_view text) {
  for (const char c : text)
    if (c != '\r' && c != '\n') out += c;
}

// The right to give the source's next piece. If its last copy is destroyed unused, the answer ends there.
class PieceTicket {
 public:
  explicit PieceTicket(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  PieceTicket(const PieceTicket&) = delete;
  PieceTicket& operator=(const PieceTicket&) = delete;
  ~PieceTicket() {
    try {
      give(body_error(BodyError::Kind::failed, "the source of the answer gave no piece"));
    } catch (...) {  // out of memory: the connection ends with the server
    }
  }
  void give(BodyPiece&& piece) {
    if (!used_.exchange(true)) connection_->deliver_piece(std::move(piece));
  }

 private:
  std::shared_ptr<Connection> connection_;
  std::atomic<bool> used_ = false;
};

}  // namespace

void Connection::deliver(HttpResponse response) {
  if (worker_->is_current()) return answer(std::move(response));
  worker_->post([self = shared_from_this(), held = std::move(response)]() mutable { self->answer(std::move(held)); });
}

void Connection::deliver_failure() { deliver(endpoint_->refusal(500, "internal error")); }

void Connection::answer(HttpResponse response) {
  if (stage_ == Stage::closed) return;
  if (reading_body_ || (incoming_ && is_continue_)) {
    // One operation at a time: the one in progress ends first.
    held_answer_ = std::make_unique<HttpResponse>(std::move(response));
    boost::system::error_code ignored;
    if (reading_body_) socket_.cancel(ignored);
    return;
  }
  if (stage_ != Stage::handling) return;
  if (incoming_) end_body();
  if (endpoint_->closing) keep_alive_ = false;
  if (response.hop_limit > 0) limit_hops(response.hop_limit);
  compose(std::move(response));
  write();
}

// Never raised again: a peer that lets an answer be lost and repeats its request must not get it sent again from further away.
void Connection::limit_hops(int limit) {
  if (hop_limit_ > 0 && hop_limit_ <= limit) return;
  hop_limit_ = limit;
  if (::setsockopt(socket_.native_handle(), IPPROTO_IP, IP_TTL, &limit, sizeof limit) != 0)
    log::warning("http", "cannot limit the hops of an answer");
}

void Connection::compose(HttpResponse&& response) {
  const bool bodiless = response.status < 200 || response.status == 204 || response.status == 304;
  head_ = "HTTP/1.1 ";
  head_ += std::to_string(response.status);
  head_ += ' ';
  head_ += reason_phrase(response.status);
  head_ += "\r\nDate: ";
  head_ += worker_->date();
  if (!bodiless) {
    if (!response.content_type.empty()) {
      head_ += "\r\nContent-Type: ";
      append_header_text(head_, response.content_type);
    }
    append_length(response);
  }
  for (const auto& [name, value] : response.headers) {
    head_ += "\r\n";
    append_header_text(head_, name);
    head_ += ": ";
    append_header_text(head_, value);
  }
  const bool is_taken_over = response.streamed && response.streamed->take_over;
  if (!is_taken_over) {
    if (!keep_alive_)
      head_ += "\r\nConnection: close";
    else if (version_1_0_)
      head_ += "\r\nConnection: keep-alive";
  }
  head_ += "\r\n\r\n";
  if (response.streamed && (is_taken_over || !(bodiless || is_head_))) begin_stream(response);
  if (bodiless || is_head_ || response.streamed) {
    body_.clear();
  } else if (response.body.size() <= small_body) {
    head_ += response.body;
    body_.clear();
  } else {
    body_ = std::move(response.body);
  }
  until_taken_ = std::move(response.until_taken);
  unsent_ = {net::buffer(head_), net::buffer(body_)};
}

void Connection::append_length(const HttpResponse& response) {
  const auto* streamed = response.streamed.get();
  if (streamed != nullptr && streamed->source && !streamed->length) {
    // HTTP 1.0 has no chunks: there the end of the connection ends the body.
    if (version_1_0_)
      keep_alive_ = false;
    else
      head_ += "\r\nTransfer-Encoding: chunked";
    return;
  }
  head_ += "\r\nContent-Length: ";
  if (streamed == nullptr)
    head_ += std::to_string(response.body.size());
  else
    head_ += std::to_string(streamed->file.file ? streamed->file.length : streamed->length.value_or(0));
}

void Connection::begin_stream(const HttpResponse& response) {
  auto& stream = outgoing_.emplace();
  stream.answer = response.streamed;
  const auto& answer = *stream.answer;
  stream.left = answer.file.file ? answer.file.length : answer.length.value_or(0);
  stream.in_chunks = answer.source && !answer.length && !version_1_0_;
  if (answer.file.file) ::posix_fadvise(answer.file.file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  moved_ = 0;
  waited_ = {};
}

void Connection::write() {
  stage_ = Stage::writing;
  if (!tls_ && write_at_once()) return;
  if (!is_continue_ && !is_refusal_ && !wait_for(For::reader)) return close();
  outgoing_ ? begin_wait(endpoint_->limits.write_time) : set_deadline(endpoint_->limits.write_time);
  write_more();
}

// An answer nearly always fits into the socket's buffer; then no event and no second turn of the loop are needed.
bool Connection::write_at_once() {
  while (net::buffer_size(unsent_) > 0) {
    std::array<iovec, 3> pieces{};
    for (size_t i = 0; i < pieces.size(); ++i)
      pieces[i] = {const_cast<void*>(unsent_[i].data()), unsent_[i].size()};  // NOLINT: iovec knows no const
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    const auto sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
      close();
      return true;
    }
    auto rest = static_cast<size_t>(sent);
    for (auto& piece : unsent_) {
      const size_t part = std::min(rest, piece.size());
      piece += part;
      rest -= part;
    }
  }
  written();
  return true;
}

void Connection::write_more() {
  auto done = [self = shared_from_this()](const boost::system::error_code& code, size_t count) { self->on_write(code, count); };
  tls_ ? tls_->async_write_some(unsent_, std::move(done)) : socket_.async_write_some(unsent_, std::move(done));
}

void Connection::on_write(const boost::system::error_code& code, size_t count) {
  if (stage_ == Stage::closed) return;
  if (code) return close();
  for (auto& piece : unsent_) {
    const size_t part = std::min(count, piece.size());
    piece += part;
    count -= part;
  }
  net::buffer_size(unsent_) > 0 ? write_more() : written();
}

void Connection::written() {
  deadline_ = SteadyTime::max();
  if (is_continue_) {
    is_continue_ = false;
    stage_ = incoming_ ? Stage::handling : Stage::reading;
    if (const auto held = std::move(held_answer_)) return answer(std::move(*held));
    if (incoming_) return feed_body();
    set_deadline(endpoint_->limits.request_time);
    return process();
  }
  if (!outgoing_) return finish_answer();
  // Between pieces we wait for the source, not for the peer.
  if (!stop_waiting()) return close();
  end_wait();
  stream_more();
}

void Connection::finish_answer() {
  body_ = std::string();
  until_taken_.reset();
  if (head_.capacity() > 2 * small_body) head_ = std::string();
  if (!keep_alive_) return end_gracefully();
  if (begin_ == end_ && buffer_.size() > first_buffer) {
    // An idle connection holds little.
    buffer_ = std::vector<char>();
    begin_ = end_ = 0;
  }
  become_idle();
  process();
}

// A loop, not a recursion: a source whose pieces are ready calls back at once.
void Connection::stream_more() {
  stream_again_ = true;
  if (streaming_) return;
  const auto self = shared_from_this();
  streaming_ = true;
  while (stream_again_ && outgoing_) {
    stream_again_ = false;
    try {
      stream_step();
    } catch (const std::exception& error) {
      abort_answer(error.what());
    }
  }
  streaming_ = false;
}

void Connection::stream_step() {
  auto& stream = *outgoing_;
  const auto answer = stream.answer;
  if (answer->take_over) return begin_channel();
  if (stream.is_complete || (stream.left == 0 && !(answer->source && !answer->length))) {
    outgoing_.reset();
    return finish_answer();
  }
  if (is_turn_over()) return;
  if (answer->file.file) return tls_ ? send_file_encrypted() : send_file();
  if (stream.piece) {
    auto piece = std::move(*stream.piece);
    stream.piece.reset();
    return send_piece(std::move(piece));
  }
  if (stream.is_asked) return;
  if (!answer->source) return abort_answer("it has a length and no body");
  stream.is_asked = true;
  const auto ticket = std::make_shared<PieceTicket>(shared_from_this());
  answer->source->read([ticket](BodyPiece piece) { ticket->give(std::move(piece)); });
}

bool Connection::is_turn_over() {
  if (outgoing_->sent_in_turn < turn_bytes) return false;
  outgoing_->sent_in_turn = 0;
  worker_->post([self = shared_from_this()] {
    if (self->stage_ == Stage::writing) self->stream_more();
  });
  return true;
}

void Connection::deliver_piece(BodyPiece piece) {
  const auto take = [self = shared_from_this()](BodyPiece&& given) {
    if (!self->outgoing_ || !self->outgoing_->is_asked) return;
    self->outgoing_->is_asked = false;
    self->outgoing_->piece = std::move(given);
    self->stream_more();
  };
  if (worker_->is_current()) return take(std::move(piece));
  worker_->post([take, held = std::move(piece)]() mutable { take(std::move(held)); });
}

void Connection::send_piece(BodyPiece piece) {
  auto& stream = *outgoing_;
  if (!piece) return abort_answer(piece.error().message);
  if (piece->empty()) {
    if (!stream.in_chunks && stream.answer->length) return abort_answer("its body is shorter than was announced");
    stream.is_complete = true;
    if (!stream.in_chunks) return stream_more();
    unsent_ = {net::buffer("0\r\n\r\n", 5)};
    return write();
  }
  if (stream.answer->length) {
    if (piece->size() > stream.left) return abort_answer("its body is longer than was announced");
    stream.left -= piece->size();
  }
  unsent_ = {net::const_buffer(), net::buffer(piece->data(), piece->size())};
  if (stream.in_chunks) {
    stream.chunk_head = fmt::format("{:x}\r\n", piece->size());
    unsent_[0] = net::buffer(stream.chunk_head);
    unsent_[2] = net::buffer("\r\n", 2);
  }
  moved_ += piece->size();
  stream.sent_in_turn += piece->size();
  write();
}

// The kernel sends from its cache. If the file is not in it, the thread waits for the disk; the kernel then reads ahead.
void Connection::send_file() {
  auto& stream = *outgoing_;
  auto& file = stream.answer->file;
  while (stream.left > 0 && stream.sent_in_turn < turn_bytes) {
    auto offset = static_cast<off_t>(file.offset);
    const auto wanted = static_cast<size_t>(std::min<std::uint64_t>(stream.left, turn_bytes));
    const auto sent = ::sendfile(socket_.native_handle(), file.file.get(), &offset, wanted);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return wait_writable();
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return close();
    if (sent <= 0) return abort_answer(sent == 0 ? "its file has become shorter" : "its file cannot be read");
    const auto count = static_cast<size_t>(sent);
    file.offset += count;
    stream.left -= count;
    stream.sent_in_turn += count;
    moved_ += count;
  }
  stream_more();
}

void Connection::wait_writable() {
  if (!wait_for(For::reader)) return close();
  begin_wait(endpoint_->limits.write_time);
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const boost::system::error_code& code) {
    if (self->stage_ == Stage::closed) return;
    if (code || !self->outgoing_) return self->close();
    self->outgoing_->sent_in_turn = 0;
    self->written();
  });
}

void Connection::send_file_encrypted() {
  auto& stream = *outgoing_;
  auto& file = stream.answer->file;
  body_.resize(static_cast<size_t>(std::min<std::uint64_t>(stream.left, file_buffer)));
  const auto got = ::pread(file.file.get(), body_.data(), body_.size(), static_cast<off_t>(file.offset));
  if (got <= 0) return abort_answer(got == 0 ? "its file has become shorter" : "its file cannot be read");
  const auto count = static_cast<size_t>(got);
  file.offset += count;
  stream.left -= count;
  moved_ += count;
  unsent_ = {net::buffer(body_.data(), count)};
  write();
}

// The head has been sent: only the end of the connection can tell the peer that the body is incomplete.
void Connection::abort_answer(std::string_view why) {
  log::warning("http", "an answer is cut off: {}", why);
  boost::system::error_code ignored;
  socket_.set_option(net::socket_base::linger(true, 0), ignored);
  close();
}

void Connection::end_gracefully() {
  if (!wait_for(For::request)) return close();
  if (!tls_) return is_refusal_ || is_unread_ || begin_ < end_ ? linger() : close();
  stage_ = Stage::lingering;
  set_deadline(linger_time);
  tls_->async_shutdown([self = shared_from_this()](const boost::system::error_code&) {
    if (self->stage_ == Stage::closed) return;
    self->is_refusal_ || self->is_unread_ ? self->linger() : self->close();
  });
}

// Closing a socket with unread bytes resets the connection, and a peer that is still sending its 10 MB would never see why it was refused.
// So what still comes is read and discarded for a short while.
void Connection::linger() {
  begin_linger();
  discard();
}

void Connection::begin_linger() {
  boost::system::error_code ignored;
  socket_.shutdown(net::socket_base::shutdown_send, ignored);
  stage_ = Stage::lingering;
  set_deadline(linger_time);
}

void Connection::discard() {
  if (buffer_.size() < body_buffer) buffer_.resize(body_buffer);
  socket_.async_read_some(net::buffer(buffer_), [self = shared_from_this()](const boost::system::error_code& code, size_t count) {
    if (self->stage_ == Stage::closed) return;
    self->discarded_ += count;
    code || self->discarded_ > linger_bytes ? self->close() : self->discard();
  });
}

}  // namespace brume::wire
