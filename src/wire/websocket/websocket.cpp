#include "wire/websocket/websocket.hpp"

#include <algorithm>

#include "base/crypto.hpp"
#include "base/text.hpp"

namespace brume::wire {
namespace {

constexpr std::string_view key_suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// Whether one of the members of a list header is `word`.
bool lists_word(std::string_view value, std::string_view word) {
  for (const auto part : split(value, ','))
    if (equals_ignoring_case(trim(part), word)) return true;
  return false;
}

HttpResponse no_web_socket(int status, std::string sentence) {
  HttpResponse response;
  response.status = status;
  response.content_type = "text/plain";
  response.body = std::move(sentence);
  if (status == 426) response.headers = {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}};
  return response;
}

}  // namespace

HttpResponse accept_web_socket(const HttpRequest& request, WebSocketLimits limits, std::function<void(std::shared_ptr<WebSocket>)> opened,
                               std::string_view protocol) {
  if (request.method != "GET" || !lists_word(request.header("upgrade"), "websocket") ||
      !lists_word(request.header("connection"), "upgrade"))
    return no_web_socket(400, "A request for a WebSocket is a GET with 'Upgrade: websocket' and 'Connection: Upgrade'.\n");
  if (request.header("sec-websocket-version") != "13") return no_web_socket(426, "Version 13 of WebSocket is spoken here.\n");
  const auto key = request.header("sec-websocket-key");
  const auto bytes = from_base64(key);
  if (key.size() != 24 || !bytes || bytes->size() != 16) return no_web_socket(400, "Sec-WebSocket-Key is not 16 bytes in base64.\n");
  HttpResponse response;
  response.status = 101;
  response.content_type.clear();
  response.headers = {{"Upgrade", "websocket"},
                      {"Connection", "Upgrade"},
                      {"Sec-WebSocket-Accept", to_base64(sha1(std::string(key) + std::string(key_suffix)))}};
  if (!protocol.empty()) response.headers.emplace_back("Sec-WebSocket-Protocol", protocol);
  response.streamed = std::make_shared<StreamedAnswer>();
  response.streamed->take_over = [limits, opened = std::move(opened)](std::shared_ptr<ByteChannel> channel) {
    const auto socket = std::make_shared<WebSocket>(std::move(channel), limits);
    socket->start();
    opened(socket);
  };
  return response;
}

WebSocket::WebSocket(std::shared_ptr<ByteChannel> channel, WebSocketLimits limits)
    : channel_(std::move(channel)), limits_(limits), reader_(limits.message_bytes) {}

void WebSocket::start() {
  channel_->watch(limits_.quiet, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->on_quiet();
  });
}

void WebSocket::on_quiet() {
  bool is_gone = false;
  {
    const std::lock_guard lock(mutex_);
    is_gone = is_pinged_ || is_closing_;
    is_pinged_ = true;
  }
  is_gone ? channel_->close() : queue({Kind::ping, web_socket_ping(), nullptr});
}

void WebSocket::receive(Taker take) {
  const auto self = shared_from_this();
  bool is_over = false;
  {
    const std::lock_guard lock(mutex_);
    is_over = is_ended_ || is_closing_ || take_;
    if (!is_over) take_ = std::move(take);
  }
  if (is_over) return take(std::nullopt);
  steps_.run([this] { step(); });
}

void WebSocket::deliver(std::optional<Message> message) {
  Taker take;
  {
    const std::lock_guard lock(mutex_);
    take.swap(take_);
    is_ended_ = is_ended_ || !message;
  }
  if (take) take(std::move(message));
}

void WebSocket::step() {
  std::optional<BodyPiece> given;
  bool is_closing = false;
  bool is_wanted = false;
  {
    const std::lock_guard lock(mutex_);
    given.swap(given_);
    is_closing = is_closing_;
    is_wanted = take_ != nullptr || is_closing_;
    if (given) is_pinged_ = false;
  }
  if (given) {
    is_asked_ = false;
    is_lost_ = !*given || (*given)->empty();
    if (!is_lost_) bytes_ = **given;
  }
  if (!is_wanted || is_asked_) return;
  if (!is_lost_ && take_event(is_closing)) return;
  if (is_lost_) {
    channel_->close();
    return deliver(std::nullopt);
  }
  is_asked_ = true;
  channel_->read([self = shared_from_this()](BodyPiece more) {
    {
      const std::lock_guard lock(self->mutex_);
      self->given_ = std::move(more);
    }
    self->steps_.run([&] { self->step(); });
  });
}

bool WebSocket::take_event(bool is_closing) {
  while (!bytes_.empty()) {
    switch (reader_.next(bytes_)) {
      case WebSocketReader::Event::more:
      case WebSocketReader::Event::pong: break;
      case WebSocketReader::Event::ping: queue({Kind::pong, web_socket_pong(reader_.data()), nullptr}); break;
      case WebSocketReader::Event::message:
        if (is_closing) break;
        deliver(Message{reader_.is_text(), std::move(reader_.data())});
        return true;
      case WebSocketReader::Event::close:
      case WebSocketReader::Event::failed:
        bytes_ = {};
        if (is_closing) {
          is_lost_ = true;
          return false;
        }
        // The connection ends after it; see write_next.
        queue({Kind::answered_close, web_socket_close(reader_.code(), reader_.reason()), nullptr});
        deliver(std::nullopt);
        return true;
    }
  }
  return false;
}

void WebSocket::send(const Message& message, Sent sent) {
  {
    const std::lock_guard lock(mutex_);
    if (!is_ended_ && !is_closing_ && !is_sending_) {
      is_sending_ = true;
      unsent_.push_back({Kind::message, web_socket_message(message.is_text, message.data), std::move(sent)});
      sent = nullptr;
    }
  }
  if (sent) return sent(false);
  write_next();
}

void WebSocket::close(WebSocketCode code, std::string_view reason) {
  const auto self = shared_from_this();
  {
    const std::lock_guard lock(mutex_);
    if (is_ended_ || is_closing_) return;
    is_closing_ = true;
    unsent_.push_back({Kind::close, web_socket_close(static_cast<std::uint16_t>(code), reason), nullptr});
  }
  channel_->watch(limits_.goodbye, [weak = weak_from_this()] {
    if (const auto alive = weak.lock()) alive->on_quiet();
  });
  write_next();
  steps_.run([this] { step(); });
}

void WebSocket::queue(Unsent unsent) {
  {
    const std::lock_guard lock(mutex_);
    if (is_ended_ && unsent.kind != Kind::answered_close) return;
    // A peer that sends pings without reading gets only the answer to its last ping.
    for (auto& waiting : unsent_)
      if (waiting.kind == unsent.kind) {
        waiting.frame = std::move(unsent.frame);
        return;
      }
    unsent_.push_back(std::move(unsent));
  }
  write_next();
}

void WebSocket::write_next() {
  Unsent next;
  {
    const std::lock_guard lock(mutex_);
    if (is_writing_ || unsent_.empty()) return;
    is_writing_ = true;
    next = std::move(unsent_.front());
    unsent_.pop_front();
  }
  auto frame = std::move(next.frame);
  channel_->write(std::move(frame), [self = shared_from_this(), next = std::move(next)](bool is_sent) {
    std::deque<Unsent> dropped;
    {
      const std::lock_guard lock(self->mutex_);
      self->is_writing_ = false;
      if (next.kind == Kind::message) self->is_sending_ = false;
      if (!is_sent) dropped.swap(self->unsent_);
    }
    if (next.sent) next.sent(is_sent);
    for (const auto& each : dropped)
      if (each.sent) each.sent(false);
    if (!is_sent || next.kind == Kind::answered_close) return self->channel_->close();
    self->write_next();
  });
}

}  // namespace brume::wire
