#include "wire/http/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/log.hpp"

namespace brume::wire {
namespace {

std::int64_t steady_ticks() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

// The right to answer one request. Used up by the first answer; if nobody is left who could answer, that is answered too.
class Ticket {
 public:
  explicit Ticket(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() {
    if (used_.exchange(true)) return;
    try {
      connection_->deliver_failure();
    } catch (...) {  // out of memory: the connection ends with the server
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

Connection::Connection(std::shared_ptr<Worker> worker, std::shared_ptr<Endpoint> endpoint, Socket socket, Peer peer)
    : worker_(std::move(worker)),
      endpoint_(std::move(endpoint)),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      parser_(endpoint_->limits.header_bytes, endpoint_->limits.body_bytes, &endpoint_->is_streamed),
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
  lose_taker();
  outgoing_.reset();
  held_answer_.reset();
  lose_channel();
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
      // The running read ends first, then the peer is told.
      timed_out_ = true;
      socket_.cancel(ignored);
      break;
    case Stage::handling:
      if (!reading_body_) break;
      timed_out_ = true;
      socket_.cancel(ignored);
      break;
    case Stage::taken_over: on_channel_deadline(); break;
    case Stage::writing:
      // What the kernel still holds for a peer that reads nothing is discarded with the connection.
      socket_.set_option(net::socket_base::linger(true, 0), ignored);
      close();
      break;
    default: close();
  }
}

// While we wait for the peer, it may lose its place to another one from now on; see Endpoint::give_up_one.
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

// Runs until more bytes or an answer are needed. A loop, not a recursion, because a peer chooses how many requests it sends at once.
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
    case HttpParser::State::streamed:
      if (!stop_waiting()) return close(), false;
      handle();
      return true;
    case HttpParser::State::head: break;
    case HttpParser::State::body:
      if (parser_.expects_continue() && !continued_ && begin_ == end_) {
        continued_ = is_continue_ = true;
        head_ = "HTTP/1.1 100 Continue\r\n\r\n";
        unsent_ = {net::buffer(head_)};
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
  const size_t wanted = incoming_ || parser_.state() == HttpParser::State::body ? body_buffer : first_buffer;
  if (buffer_.size() < wanted) buffer_.resize(wanted);
  if (end_ < buffer_.size()) return;
  if (begin_ > 0) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    begin_ = 0;
  }
  // The parser refuses before it leaves more than its limits unread, so this ends.
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
  if (reading_body_) return on_body(code, count);
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
  if (parser_.state() == HttpParser::State::streamed) begin_body(request);
  const auto ticket = std::make_shared<Ticket>(shared_from_this());
  try {
    endpoint_->handler(std::move(request), [ticket](HttpResponse response) { ticket->answer(std::move(response)); });
  } catch (const std::exception& error) {
    log::error("http", "a handler failed: {}", error.what());
    ticket->answer(endpoint_->refusal(500, "internal error"));
  }
}

// Its place may be taken meanwhile: the refusal does not answer a complete request.
void Connection::refuse(int status, std::string_view reason) {
  stage_ = Stage::handling;
  deadline_ = SteadyTime::max();
  timed_out_ = false;
  keep_alive_ = false;
  is_head_ = false;
  is_refusal_ = true;
  answer(endpoint_->refusal(status, reason));
}

}  // namespace brume::wire
