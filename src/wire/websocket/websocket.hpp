// A WebSocket (RFC 6455) on a connection that switched to that protocol: messages of limited size in both directions.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "wire/http/server.hpp"
#include "wire/http/step_loop.hpp"
#include "wire/websocket/frames.hpp"

namespace brume::wire {

struct WebSocketLimits {
  size_t message_bytes = 64 << 10;    // of an incoming message; above it the connection ends with 1009
  milliseconds quiet = seconds(30);   // without a byte: a ping; without one again: the end
  milliseconds goodbye = seconds(2);  // for the peer to answer our close
};

// Threads: any. The connection ends when the last owner releases it, unless one is waiting for a message.
class WebSocket : public std::enable_shared_from_this<WebSocket> {
 public:
  struct Message {
    bool is_text = true;
    std::string data;
  };
  // nullopt: the peer has closed, or is gone.
  using Taker = std::function<void(std::optional<Message>)>;
  using Sent = std::function<void(bool)>;

  // For accept_web_socket.
  WebSocket(std::shared_ptr<ByteChannel> channel, WebSocketLimits limits);
  void start();

  // Reads the next message. One call at a time. The socket is read, and pings are answered, only during such a call: if an owner requests
  // no message for twice WebSocketLimits::quiet, the connection ends.
  void receive(Taker take);
  // `sent` gets true when the message has been handed to the socket and the next one can be sent. One at a time: a second one gets false at
  // once.
  void send(const Message& message, Sent sent);
  // Sends a close frame, waits a moment for the peer's, and ends. Messages that arrive meanwhile are dropped.
  void close(WebSocketCode code, std::string_view reason);

 private:
  enum class Kind { message, ping, pong, close, answered_close };
  struct Unsent {
    Kind kind = Kind::message;
    std::string frame;
    Sent sent;
  };

  void step();
  // The next message or the end has been given; false: more bytes are needed.
  bool take_event(bool is_closing);
  void deliver(std::optional<Message> message);
  void on_quiet();
  void queue(Unsent unsent);
  void write_next();

  std::shared_ptr<ByteChannel> channel_;
  WebSocketLimits limits_;
  StepLoop steps_;

  // For the steps only.
  WebSocketReader reader_;
  std::string_view bytes_;
  bool is_asked_ = false;
  bool is_lost_ = false;  // nothing more will arrive

  std::mutex mutex_;  // guards the rest
  Taker take_;
  std::optional<BodyPiece> given_;
  std::deque<Unsent> unsent_;  // at most one of each kind
  bool is_writing_ = false;
  bool is_sending_ = false;  // a message is in unsent_ or being sent
  bool is_closing_ = false;  // our close is in unsent_ or has been sent
  bool is_ended_ = false;    // the peer has closed, or is gone
  bool is_pinged_ = false;
};

// The answer to a request for a WebSocket: 101, after which `opened` is called on a server's thread; 400 or 426 if the request is invalid.
// The caller must have checked the Origin before. `protocol`: the one chosen from Sec-WebSocket-Protocol; empty: none.
HttpResponse accept_web_socket(const HttpRequest& request, WebSocketLimits limits, std::function<void(std::shared_ptr<WebSocket>)> opened,
                               std::string_view protocol = {});

}  // namespace brume::wire
