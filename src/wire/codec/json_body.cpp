#include "wire/codec/json_body.hpp"

#include <charconv>

#include "wire/api_error.hpp"
#include "wire/plain_text.hpp"

namespace brume::wire {
namespace {

bool is_json_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, unsigned code) {
  const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0U | code >> 6U);
  } else {
    if (code < 0x10000) {
      put(0xE0U | code >> 12U);
    } else {
      put(0xF0U | code >> 18U);
      put(0x80U | (code >> 12U & 0x3FU));
    }
    put(0x80U | (code >> 6U & 0x3FU));
  }
  put(0x80U | (code & 0x3FU));
}

// RFC 8259, strictly. Numbers keep their spelling, so that none loses a digit on its way.
class JsonReader {
 public:
  JsonReader(std::string_view text, BodyTree& tree) : text_(text), tree_(tree) {}

  void read_body(BodyPlace place) {
    if (peek() != '{') refuse();
    read_value(place);
    if (peek() != '\0' || at_ != text_.size()) refuse();
  }

 private:
  [[noreturn]] static void refuse() { throw ApiError(400, "SerializationException", "The body is not a JSON object."); }

  // The next character that is no white space; NUL at the end.
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) refuse();
  }
  void expect_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) refuse();
    at_ += word.size();
  }

  void read_value(BodyPlace place) {
    switch (peek()) {
      case '{': return read_object(place);
      case '[': return read_list(place);
      case '"': return tree_.value(place, BodyValue::text, read_string());
      case 't': expect_word("true"); return tree_.value(place, BodyValue::boolean, "true");
      case 'f': expect_word("false"); return tree_.value(place, BodyValue::boolean, "false");
      default: return tree_.value(place, BodyValue::number, read_number());
    }
  }

  // Null is as if it was not there.
  bool skip_null() {
    if (peek() != 'n') return false;
    expect_word("null");
    return true;
  }

  void read_object(BodyPlace place) {
    expect('{');
    BodyTree::Inside inside(tree_, place, false);
    if (!take('}')) {
      do {
        if (peek() != '"') refuse();
        const auto key = read_string();
        expect(':');
        if (!skip_null()) inside.member(key, [this](BodyPlace at) { read_value(at); });
      } while (take(','));
      expect('}');
    }
    inside.end();
  }

  void read_list(BodyPlace place) {
    expect('[');
    BodyTree::Inside inside(tree_, place, true);
    if (!take(']')) {
      do {
        if (!skip_null()) inside.item([this](BodyPlace at) { read_value(at); });
      } while (take(','));
      expect(']');
    }
    inside.end();
  }

  std::string read_number() {
    const size_t begin = at_;
    const auto digits = [this] {
      const size_t first = at_;
      while (at_ < text_.size() && is_json_digit(text_[at_])) ++at_;
      if (at_ == first) refuse();
    };
    const auto is_at = [this](char c) { return at_ < text_.size() && text_[at_] == c; };
    if (is_at('-')) ++at_;
    if (is_at('0'))
      ++at_;
    else
      digits();
    if (is_at('.')) {
      ++at_;
      digits();
    }
    if (is_at('e') || is_at('E')) {
      ++at_;
      if (is_at('+') || is_at('-')) ++at_;
      digits();
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string read_string() {
    expect('"');
    std::string out;
    while (true) {
      if (at_ == text_.size()) refuse();
      const char c = text_[at_];
      if (c == '"') break;
      if (c == '\\') {
        ++at_;
        read_escape(out);
        continue;
      }
      const auto byte = static_cast<unsigned char>(c);
      const size_t length = byte < 0x80 ? 1 : utf8_length(text_, at_);
      if (byte < 0x20 || length == 0) refuse();
      out += text_.substr(at_, length);
      at_ += length;
    }
    ++at_;
    return out;
  }

  void read_escape(std::string& out) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
    if (at_ == text_.size()) refuse();
    const char letter = text_[at_++];
    if (const auto known = letters.find(letter); known != std::string_view::npos) {
      out += meant[known];
      return;
    }
    if (letter != 'u') refuse();
    unsigned code = read_hex();
    if (code >= 0xDC00 && code <= 0xDFFF) refuse();
    if (code >= 0xD800 && code <= 0xDBFF) {
      expect_word("\\u");
      const unsigned low = read_hex();
      if (low < 0xDC00 || low > 0xDFFF) refuse();
      code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
    }
    append_utf8(out, code);
  }

  unsigned read_hex() {
    const auto digits = text_.substr(at_, 4);
    unsigned code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) refuse();
    at_ += 4;
    return code;
  }

  std::string_view text_;
  BodyTree& tree_;
  size_t at_ = 0;
};

}  // namespace

BodyTree::Pairs read_json_body(std::string_view body, BodyPlace place) {
  if (body.empty()) return {};
  BodyTree tree(false);
  JsonReader(body, tree).read_body(place);
  return tree.take();
}

}  // namespace brume::wire
