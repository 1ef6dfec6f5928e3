#include "wire/websocket/frames.hpp"

#include <algorithm>

#include "wire/plain_text.hpp"

namespace brume::wire {
namespace {

constexpr unsigned continuation = 0;
constexpr unsigned text_frame = 1;
constexpr unsigned binary_frame = 2;
constexpr unsigned close_frame = 8;
constexpr unsigned ping_frame = 9;
constexpr unsigned pong_frame = 10;
constexpr unsigned last_bit = 0x80;
constexpr unsigned mask_bit = 0x80;
constexpr size_t longest_control = 125;
constexpr std::uint16_t no_code = 1005;

// All of UTF-8, including control characters and U+FFFE, which XML does not allow.
bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const bool is_ascii = static_cast<unsigned char>(text[at]) < 0x80;
    const bool is_noncharacter = text.substr(at).starts_with("\xEF\xBF\xBE") || text.substr(at).starts_with("\xEF\xBF\xBF");
    const size_t length = is_ascii ? 1 : is_noncharacter ? 3 : utf8_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::uint64_t big_endian(const unsigned char* bytes, size_t count) {
  std::uint64_t number = 0;
  for (size_t i = 0; i < count; ++i) number = number << 8 | bytes[i];
  return number;
}

// The codes that may be sent (7.4); the others are for local use only.
bool is_close_code(std::uint64_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

std::string make_frame(unsigned kind, std::string_view data) {
  std::string frame(1, static_cast<char>(last_bit | kind));
  size_t size_bytes = 0;
  if (data.size() < 126) {
    frame += static_cast<char>(data.size());
  } else {
    size_bytes = data.size() < 65536 ? 2 : 8;
    frame += static_cast<char>(size_bytes == 2 ? 126 : 127);
  }
  for (size_t i = size_bytes; i-- > 0;) frame += static_cast<char>(data.size() >> (8 * i) & 0xff);
  frame += data;
  return frame;
}

}  // namespace

WebSocketReader::Event WebSocketReader::fail(WebSocketCode code, std::string_view reason) {
  state_ = State::closed;
  is_failed_ = true;
  code_ = static_cast<std::uint16_t>(code);
  reason_ = reason;
  return Event::failed;
}

// Whether head_ now holds a complete frame head.
bool WebSocketReader::take_head(std::string_view& bytes) {
  while (true) {
    size_t wanted = 2;
    if (head_size_ >= 2) {
      const unsigned size = head_[1] & 0x7FU;
      wanted += (size == 126 ? 2U : size == 127 ? 8U : 0U) + ((head_[1] & mask_bit) != 0 ? 4U : 0U);
      if (head_size_ == wanted) return true;
    }
    if (bytes.empty()) return false;
    const size_t count = std::min(wanted - head_size_, bytes.size());
    std::copy_n(bytes.begin(), count, head_.begin() + static_cast<std::ptrdiff_t>(head_size_));
    head_size_ += count;
    bytes.remove_prefix(count);
  }
}

WebSocketReader::Event WebSocketReader::begin_frame() {
  const unsigned kind = head_[0] & 0x0FU;
  const unsigned size = head_[1] & 0x7FU;
  is_last_ = (head_[0] & last_bit) != 0;
  is_control_ = kind >= close_frame;
  if ((head_[0] & 0x70U) != 0) return fail(WebSocketCode::protocol_error, "a reserved bit is set");
  if ((head_[1] & mask_bit) == 0) return fail(WebSocketCode::protocol_error, "a client's frame is not masked");
  if (kind > pong_frame || (kind > binary_frame && kind < close_frame))
    return fail(WebSocketCode::protocol_error, "an unknown kind of frame");
  left_ = size < 126 ? size : big_endian(head_.data() + 2, size == 126 ? 2 : 8);
  if ((size == 126 && left_ < 126) || (size == 127 && left_ < 65536))
    return fail(WebSocketCode::protocol_error, "a length is not in its shortest form");
  if (left_ >> 63 != 0) return fail(WebSocketCode::protocol_error, "a length is too large");
  mask_at_ = 0;
  state_ = State::payload;
  if (is_control_) {
    control_.clear();
    if (!is_last_ || left_ > longest_control) return fail(WebSocketCode::protocol_error, "a control frame is fragmented or too long");
    return Event::more;
  }
  if ((kind == continuation) != in_message_) return fail(WebSocketCode::protocol_error, "fragments are out of order");
  if (!in_message_) {
    is_text_ = kind == text_frame;
    message_.clear();
  }
  in_message_ = !is_last_;
  if (left_ > message_bytes_ - message_.size()) return fail(WebSocketCode::too_big, "a message is too long");
  return Event::more;
}

WebSocketReader::Event WebSocketReader::end_close() {
  state_ = State::closed;
  code_ = no_code;
  if (control_.empty()) return Event::close;
  const auto code = control_.size() < 2 ? 0 : big_endian(reinterpret_cast<const unsigned char*>(control_.data()), 2);
  if (!is_close_code(code)) return fail(WebSocketCode::protocol_error, "a close frame has no valid code");
  if (!is_utf8(std::string_view(control_).substr(2))) return fail(WebSocketCode::not_utf8, "a reason is not UTF-8");
  code_ = static_cast<std::uint16_t>(code);
  reason_ = control_.substr(2);
  return Event::close;
}

WebSocketReader::Event WebSocketReader::end_frame() {
  const unsigned kind = head_[0] & 0x0FU;
  state_ = State::head;
  head_size_ = 0;
  if (kind == ping_frame) return Event::ping;
  if (kind == pong_frame) return Event::pong;
  if (kind == close_frame) return end_close();
  if (!is_last_) return Event::more;
  if (is_text_ && !is_utf8(message_)) return fail(WebSocketCode::not_utf8, "a text is not UTF-8");
  return Event::message;
}

WebSocketReader::Event WebSocketReader::next(std::string_view& bytes) {
  while (state_ != State::closed) {
    if (state_ == State::head) {
      if (!take_head(bytes)) return Event::more;
      if (begin_frame() == Event::failed) break;
    }
    auto& into = data();
    const auto count = static_cast<size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    const unsigned char* mask = head_.data() + head_size_ - 4;
    for (size_t i = 0; i < count; ++i) into += static_cast<char>(static_cast<unsigned char>(bytes[i]) ^ mask[mask_at_++ % 4]);
    bytes.remove_prefix(count);
    left_ -= count;
    if (left_ > 0) return Event::more;
    if (const auto event = end_frame(); event != Event::more) return event;
  }
  return is_failed_ ? Event::failed : Event::close;
}

std::string web_socket_message(bool is_text, std::string_view data) { return make_frame(is_text ? text_frame : binary_frame, data); }
std::string web_socket_ping() { return make_frame(ping_frame, {}); }
std::string web_socket_pong(std::string_view data) { return make_frame(pong_frame, data.substr(0, longest_control)); }

std::string web_socket_close(std::uint16_t code, std::string_view reason) {
  if (code == no_code) return make_frame(close_frame, {});
  std::string data{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  data += reason.substr(0, longest_control - 2);
  return make_frame(close_frame, data);
}

}  // namespace brume::wire
