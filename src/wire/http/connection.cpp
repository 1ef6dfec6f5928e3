#include "wire/http/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstdlib>

#include "base/log.hpp"

namespace brume::wire {
namespace {

constexpr size_t first_buffer = 4 << 10;
constexpr size_t body_buffer = 64 << 10;
constexpr size_t small_body = 16 << 10;  // copied behind the head: one segment, one TLS record
constexpr milliseconds linger_time = seconds(2);
constexpr size_t linger_bytes = 64 << 20;
constexpr int given_up_at_once = 16;  // when descriptors run out

// A line break in a value would let whoever chose the value write headers of his own.
void append_header_text(std::string& out, std::string_view text) {
  for (const char c : text)
    if (c != '\r' && c != '\n') out += c;
}

std::int64_t steady_ticks() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

// One request's right to an answer. Used up by the first answer; when nobody is left who could give one, that is an answer too.
class Ticket {
 public:
  explicit Ticket(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() {
    if (used_.exchange(true)) return;
    try {
      connection_->deliver_failure();
    } catch (...) {  // no memory left: the connection ends with the server
    }
  }
  void answer(HttpResponse&& response) {
    if (!used_.exchange(true)) connection_->deliver(std::move(response));
  }

 private:
  std::shared_ptr<Connection> connection_;
  std::atomic<bool> used_ = false;
};

}  // namespace

bool Endpoint::admit(Connection& connection) {
  const std::lock_guard lock(mutex_);
  auto& peer = peers_[connection.peer_address()];
  // Counted before room is made: so the entry of the peer stays while its other connections are given up.
  ++peer.connections;
  if (!make_room(peer)) {
    if (--peer.connections == 0) peers_.erase(connection.peer_address());
    return false;
  }
  connection.counts = &peer;
  connections_.insert(&connection);
  return true;
}

bool Endpoint::make_room(const PeerCounts& peer) {
  while (limits.connections_of_peer > 0 && peer.connections > limits.connections_of_peer)
    if (!give_up_one(&peer)) return false;
  while (connections_.size() >= limits.connections)
    if (!give_up_one(nullptr)) return false;
  return true;
}

// The one that has waited longest, of the largest group: the connections of one address that wait for the same. So whoever opens
// thousands of connections closes their own, and a slow client elsewhere keeps its place.
bool Endpoint::give_up_one(const PeerCounts* of_peer) {
  for (;;) {
    for (auto& [address, peer] : peers_) peer.silent = peer.unread = 0;
    for (const auto* one : connections_) {
      const auto waiting = one->waiting();
      if (waiting > 0) ++one->counts->silent;
      if (waiting < 0 && waiting != Connection::given_up) ++one->counts->unread;
    }
    Connection* chosen = nullptr;
    std::int64_t chosen_waiting = 0;
    size_t chosen_group = 0;
    for (auto* one : connections_) {
      const auto waiting = one->waiting();
      if (waiting == Connection::at_work || waiting == Connection::given_up) continue;
      if (of_peer != nullptr && one->counts != of_peer) continue;
      const size_t group = waiting > 0 ? one->counts->silent : one->counts->unread;
      const bool is_older = std::abs(waiting) < std::abs(chosen_waiting);
      if (chosen != nullptr && (group < chosen_group || (group == chosen_group && !is_older))) continue;
      chosen = one;
      chosen_waiting = waiting;
      chosen_group = group;
    }
    if (chosen == nullptr) return false;
    if (!chosen->claim(chosen_waiting)) continue;  // its peer sent or took something just now: look again
    forget(*chosen);
    chosen->give_up();
    return true;
  }
}

void Endpoint::relieve() {
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < given_up_at_once && give_up_one(nullptr); ++i) {
  }
}

void Endpoint::forget(Connection& connection) {
  if (connections_.erase(&connection) == 0) return;
  connection.counts = nullptr;
  const auto found = peers_.find(connection.peer_address());
  if (found != peers_.end() && --found->second.connections == 0) peers_.erase(found);
}

void Endpoint::dismiss(Connection& connection) {
  const std::lock_guard lock(mutex_);
  forget(connection);
}

Connection::Connection(std::shared_ptr<Worker> worker, std::shared_ptr<Endpoint> endpoint, Socket socket, Peer peer)
    : worker_(std::move(worker)),
      endpoint_(std::move(endpoint)),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      parser_(endpoint_->limits.header_bytes, endpoint_->limits.body_bytes),
      waiting_(steady_ticks()) {}

Connection::~Connection() = default;

void Connection::start() {
  worker_->add(shared_from_this());
  if (endpoint_->closing) return close();
  admitted_ = endpoint_->admit(*this);
  if (!admitted_) over_limit_ = endpoint_->admit_refused();
  if (!admitted_ && !over_limit_) return close();
  const int on = 1;
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on unix sockets, which need none
  endpoint_->tls ? open_encrypted() : open();
}

void Connection::open_encrypted() {
  tls_.emplace(socket_, *endpoint_->tls);
  set_deadline(endpoint_->limits.request_time);
  tls_->async_handshake(net::ssl::stream_base::server, [self = shared_from_this()](const boost::system::error_code& code) {
    if (self->stage_ == Stage::closed) return;
    code ? self->close() : self->open();
  });
}

void Connection::open() {
  if (over_limit_) return refuse(503, "too many connections");
  become_idle();
  process();
}

void Connection::close() {
  if (stage_ == Stage::closed) return;
  stage_ = Stage::closed;
  boost::system::error_code ignored;
  socket_.close(ignored);
  if (admitted_) endpoint_->dismiss(*this);
  if (over_limit_) endpoint_->dismiss_refused();
  worker_->remove(*this);
}

void Connection::give_up() {
  worker_->post([self = shared_from_this()] { self->close(); });
}

void Connection::set_deadline(milliseconds from_now) {
  deadline_ = std::chrono::steady_clock::now() + from_now;
  worker_->wake_by(deadline_);
}

void Connection::on_deadline() {
  deadline_ = SteadyTime::max();
  boost::system::error_code ignored;
  switch (stage_) {
    case Stage::reading:
      // The read under way ends first, then the peer is told.
      timed_out_ = true;
      socket_.cancel(ignored);
      break;
    case Stage::writing:
      // What the kernel still holds for a peer that takes nothing goes with the connection.
      socket_.set_option(net::socket_base::linger(true, 0), ignored);
      close();
      break;
    default: close();
  }
}

// A peer that is waited for may lose its place to another one, from now on; see Endpoint::give_up_one.
bool Connection::wait_for(For what) {
  auto before = waiting_.load(std::memory_order_relaxed);
  const auto now = steady_ticks();
  return before != given_up && waiting_.compare_exchange_strong(before, what == For::request ? now : -now);
}

void Connection::become_idle() {
  stage_ = Stage::idle;
  parser_.reset();
  continued_ = false;
  if (!wait_for(For::request)) return close();
  set_deadline(endpoint_->limits.idle);
}

// Runs until more bytes or an answer are needed. A loop, not a recursion: a peer chooses how many requests it sends at once.
void Connection::process() {
  if (processing_) return;
  const auto self = shared_from_this();
  processing_ = true;
  try {
    while (process_step()) {
    }
  } catch (const std::exception& error) {
    log::error("http", "a connection failed: {}", error.what());
    close();
  }
  processing_ = false;
}

bool Connection::process_step() {
  if (stage_ != Stage::idle && stage_ != Stage::reading) return false;
  if (stage_ == Stage::idle && endpoint_->closing) return close(), false;
  if (begin_ == end_) return read(), false;
  const bool fresh = stage_ == Stage::idle;
  if (fresh) {
    stage_ = Stage::reading;
    deadline_ = SteadyTime::max();
  }
  begin_ += parser_.put({buffer_.data() + begin_, end_ - begin_});
  switch (parser_.state()) {
    case HttpParser::State::failed: refuse(parser_.status(), parser_.reason()); return false;
    case HttpParser::State::complete:
      if (!stop_waiting()) return close(), false;
      handle();
      return true;
    case HttpParser::State::head: break;
    case HttpParser::State::body:
      if (parser_.expects_continue() && !continued_ && begin_ == end_) {
        continued_ = is_continue_ = true;
        head_ = "HTTP/1.1 100 Continue\r\n\r\n";
        unsent_ = {net::buffer(head_), net::const_buffer()};
        write();
        return true;
      }
      break;
  }
  // Most requests come in one piece and never need a deadline.
  if (fresh) {
    if (!wait_for(For::request)) return close(), false;
    set_deadline(endpoint_->limits.request_time);
  }
  read();
  return false;
}

void Connection::make_room() {
  if (begin_ == end_) begin_ = end_ = 0;
  const size_t wanted = parser_.state() == HttpParser::State::body ? body_buffer : first_buffer;
  if (buffer_.size() < wanted) buffer_.resize(wanted);
  if (end_ < buffer_.size()) return;
  if (begin_ > 0) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    begin_ = 0;
  }
  // The parser refuses before it leaves more than its limits untaken, so this ends.
  if (end_ * 2 > buffer_.size()) buffer_.resize(buffer_.size() * 2);
}

void Connection::read() {
  make_room();
  const auto space = net::buffer(buffer_.data() + end_, buffer_.size() - end_);
  auto done = [self = shared_from_this()](const boost::system::error_code& code, size_t count) { self->on_read(code, count); };
  tls_ ? tls_->async_read_some(space, std::move(done)) : socket_.async_read_some(space, std::move(done));
}

void Connection::on_read(const boost::system::error_code& code, size_t count) {
  if (stage_ == Stage::closed) return;
  if (timed_out_) return refuse(408, "the request did not arrive in time");
  if (code) return close();
  end_ += count;
  process();
}

void Connection::handle() {
  stage_ = Stage::handling;
  deadline_ = SteadyTime::max();
  HttpRequest& request = parser_.request();
  keep_alive_ = parser_.keep_alive();
  version_1_0_ = parser_.version_1_0();
  is_head_ = request.method == "HEAD";
  request.peer_address = peer_.address;
  request.peer_port = peer_.port;
  request.local_port = endpoint_->port;
  request.encrypted = tls_.has_value();
  const auto ticket = std::make_shared<Ticket>(shared_from_this());
  try {
    endpoint_->handler(std::move(request), [ticket](HttpResponse response) { ticket->answer(std::move(response)); });
  } catch (const std::exception& error) {
    log::error("http", "a handler failed: {}", error.what());
    ticket->answer(endpoint_->refusal(500, "internal error"));
  }
}

// Its place may be taken meanwhile: the refusal is the answer to no complete request.
void Connection::refuse(int status, std::string_view reason) {
  stage_ = Stage::handling;
  deadline_ = SteadyTime::max();
  timed_out_ = false;
  keep_alive_ = false;
  is_head_ = false;
  is_refusal_ = true;
  answer(endpoint_->refusal(status, reason));
}

void Connection::deliver(HttpResponse response) {
  if (worker_->is_current()) return answer(std::move(response));
  worker_->post([self = shared_from_this(), held = std::move(response)]() mutable { self->answer(std::move(held)); });
}

void Connection::deliver_failure() { deliver(endpoint_->refusal(500, "internal error")); }

void Connection::answer(HttpResponse response) {
  if (stage_ != Stage::handling) return;
  if (endpoint_->closing) keep_alive_ = false;
  if (response.hop_limit > 0) limit_hops(response.hop_limit);
  compose(std::move(response));
  write();
}

// Never up again: a peer that lets an answer be lost and asks once more must not get it sent again from further away.
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
    head_ += "\r\nContent-Length: ";
    head_ += std::to_string(response.body.size());
  }
  for (const auto& [name, value] : response.headers) {
    head_ += "\r\n";
    append_header_text(head_, name);
    head_ += ": ";
    append_header_text(head_, value);
  }
  if (!keep_alive_)
    head_ += "\r\nConnection: close";
  else if (version_1_0_)
    head_ += "\r\nConnection: keep-alive";
  head_ += "\r\n\r\n";
  if (bodiless || is_head_) {
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

void Connection::write() {
  stage_ = Stage::writing;
  if (!tls_ && write_at_once()) return;
  if (!is_continue_ && !is_refusal_ && !wait_for(For::reader)) return close();
  set_deadline(endpoint_->limits.write_time);
  write_more();
}

// An answer nearly always fits into the socket's buffer: then no event and no second turn of the loop are needed.
bool Connection::write_at_once() {
  while (net::buffer_size(unsent_) > 0) {
    std::array<iovec, 2> pieces{};
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
    stage_ = Stage::reading;
    set_deadline(endpoint_->limits.request_time);
    return process();
  }
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

void Connection::end_gracefully() {
  if (!wait_for(For::request)) return close();
  if (!tls_) return is_refusal_ || begin_ < end_ ? linger() : close();
  stage_ = Stage::lingering;
  set_deadline(linger_time);
  tls_->async_shutdown([self = shared_from_this()](const boost::system::error_code&) {
    if (self->stage_ == Stage::closed) return;
    self->is_refusal_ ? self->linger() : self->close();
  });
}

// Closing a socket that has unread bytes resets the connection, and a peer that is still sending its 10 MB would never see
// why it was refused. So what still comes is read for a short while and thrown away.
void Connection::linger() {
  boost::system::error_code ignored;
  socket_.shutdown(net::socket_base::shutdown_send, ignored);
  stage_ = Stage::lingering;
  set_deadline(linger_time);
  if (buffer_.size() < body_buffer) buffer_.resize(body_buffer);
  discard();
}

void Connection::discard() {
  socket_.async_read_some(net::buffer(buffer_), [self = shared_from_this()](const boost::system::error_code& code, size_t count) {
    if (self->stage_ == Stage::closed) return;
    self->discarded_ += count;
    code || self->discarded_ > linger_bytes ? self->close() : self->discard();
  });
}

}  // namespace brume::wire
