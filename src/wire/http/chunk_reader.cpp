#include "wire/http/chunk_reader.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace brume::wire {
namespace {

constexpr size_t longest_line = 4 << 10;
constexpr size_t longest_trailers = 8 << 10;
constexpr size_t longest_size = 16;  // digits

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 9110, 5.6.2.
constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || token_marks.find(c) != std::string_view::npos;
  });
}

bool is_field_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'); });
}

}  // namespace

ChunkReader::Event ChunkReader::fail(std::string_view reason) {
  state_ = State::failed;
  reason_ = reason;
  return Event::failed;
}

bool ChunkReader::take_line(std::string_view& bytes) {
  if (fresh_) line_.clear();
  fresh_ = false;
  const size_t end = bytes.find('\n');
  const size_t count = end == std::string_view::npos ? bytes.size() : end + 1;
  if (line_.size() + count > longest_line) {
    fail("a line of the chunks is too long");
    return false;
  }
  line_ += bytes.substr(0, count);
  bytes.remove_prefix(count);
  if (end == std::string_view::npos) return false;
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r') {
    fail("a line of the chunks does not end with CR LF");
    return false;
  }
  line_.resize(line_.size() - 2);
  fresh_ = true;
  if (!is_field_text(line_)) {
    fail("a line of the chunks has control characters");
    return false;
  }
  return true;
}

ChunkReader::Event ChunkReader::begin_chunk() {
  const auto digits = std::string_view(line_).substr(0, line_.find_first_of("; \t"));
  if (digits.empty() || digits.size() > longest_size) return fail("the size of a chunk is no hexadecimal number of 1 to 16 digits");
  size_ = 0;
  for (const char c : digits) {
    const int digit = hex_digit(c);
    if (digit < 0) return fail("the size of a chunk is no hexadecimal number of 1 to 16 digits");
    size_ = size_ << 4 | static_cast<std::uint64_t>(digit);
  }
  if (size_ >> 63 != 0) return fail("the size of a chunk is too large");
  const auto rest = trim(std::string_view(line_).substr(digits.size()));
  if (!rest.empty() && rest.front() != ';') return fail("behind the size of a chunk comes something else than an extension");
  left_ = size_;
  state_ = size_ > 0 ? State::data : State::trailer;
  return Event::chunk;
}

ChunkReader::Event ChunkReader::end_line() {
  if (line_.empty()) {
    state_ = State::end;
    return Event::end;
  }
  trailer_bytes_ += line_.size() + 2;
  if (trailer_bytes_ > longest_trailers) return fail("the trailers are too large");
  colon_ = line_.find(':');
  if (colon_ == std::string::npos || !is_token(name())) return fail("a trailer is not 'name: value'");
  return Event::trailer;
}

ChunkReader::Event ChunkReader::next(std::string_view& bytes) {
  while (!bytes.empty() && state_ != State::end && state_ != State::failed) {
    switch (state_) {
      case State::size:
        if (take_line(bytes)) return begin_chunk();
        break;
      case State::data:
        data_ = bytes.substr(0, static_cast<size_t>(std::min<std::uint64_t>(left_, bytes.size())));
        bytes.remove_prefix(data_.size());
        left_ -= data_.size();
        if (left_ == 0) state_ = State::data_end;
        return Event::data;
      case State::data_end:
        if (!take_line(bytes)) break;
        if (!line_.empty()) return fail("a chunk is longer than its size says");
        state_ = State::size;
        break;
      case State::trailer:
        if (take_line(bytes)) return end_line();
        break;
      case State::end:
      case State::failed: break;
    }
  }
  if (state_ == State::failed) return Event::failed;
  return state_ == State::end ? Event::end : Event::more;
}

std::string_view ChunkReader::extension() const {
  const auto at = line_.find(';');
  return at == std::string::npos ? std::string_view() : trim(std::string_view(line_).substr(at + 1));
}

std::string_view ChunkReader::name() const { return std::string_view(line_).substr(0, colon_); }
std::string_view ChunkReader::value() const { return trim(std::string_view(line_).substr(colon_ + 1)); }

}  // namespace brume::wire
