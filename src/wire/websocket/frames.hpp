// The frames of WebSocket (RFC 6455, 5), on the server's side.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace brume::wire {

enum class WebSocketCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  not_utf8 = 1007,
  too_big = 1009,
  internal_error = 1011,
};

// Reads what a client sends. Messages are whole and bounded, text is UTF-8. Threads: one at a time.
class WebSocketReader {
 public:
  enum class Event {
    more,     // all bytes have been consumed, and more are needed
    message,  // is_text() and data()
    ping,     // data() must be sent back
    pong,
    close,   // code(); 1005: the peer gave none
    failed,  // code() and reason() must be sent to the peer, then the connection ends
  };

  explicit WebSocketReader(size_t message_bytes) : message_bytes_(message_bytes) {}

  // Consumes the front of `bytes` up to the next event. Nothing is read after close or failed.
  Event next(std::string_view& bytes);

  bool is_text() const { return is_text_; }
  // The content of a message, ping or pong; valid until the next call.
  std::string& data() { return is_control_ ? control_ : message_; }
  std::uint16_t code() const { return code_; }
  std::string_view reason() const { return reason_; }

 private:
  enum class State { head, payload, closed };

  bool take_head(std::string_view& bytes);
  Event begin_frame();
  Event end_frame();
  Event end_close();
  Event fail(WebSocketCode code, std::string_view reason);

  size_t message_bytes_;
  State state_ = State::head;
  std::array<unsigned char, 14> head_{};
  size_t head_size_ = 0;
  std::uint64_t left_ = 0;
  size_t mask_at_ = 0;
  bool is_control_ = false;
  bool is_last_ = false;
  bool in_message_ = false;  // a message has begun and is not complete
  bool is_text_ = false;
  std::string message_;
  std::string control_;
  bool is_failed_ = false;
  std::uint16_t code_ = 0;
  std::string reason_;
};

// Complete frames that a server sends.
std::string web_socket_message(bool is_text, std::string_view data);
std::string web_socket_ping();
std::string web_socket_pong(std::string_view data);
// `reason`: at most 123 bytes of it are sent.
std::string web_socket_close(std::uint16_t code, std::string_view reason);

}  // namespace brume::wire
