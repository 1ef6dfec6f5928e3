#include "wire/codec/cbor_body.hpp"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/text.hpp"
#include "wire/api_error.hpp"
#include "wire/plain_text.hpp"
#include "wire/scalars.hpp"

namespace brume::wire {
namespace {

constexpr std::uint64_t timestamp_tag = 1;
constexpr size_t largest_string = 4 << 20;

struct Head {
  enum Major : unsigned { unsigned_number, negative_number, byte_string, text_string, list, map, tagged, simple };
  unsigned major = 0;
  unsigned low = 0;          // the five bits beside it
  std::uint64_t number = 0;  // a length, an integer, a tag, or the bits of a float
  bool is_indefinite = false;
  bool is_break() const { return major == simple && is_indefinite; }
  bool is_null() const { return major == simple && (low == 22 || low == 23); }
};

double half_to_double(std::uint64_t bits) {
  const auto exponent = static_cast<int>(bits >> 10U & 0x1FU);
  const auto fraction = static_cast<double>(bits & 0x3FFU);
  double value = std::numeric_limits<double>::infinity();
  if (exponent == 0)
    value = std::ldexp(fraction, -24);
  else if (exponent != 31)
    value = std::ldexp(fraction + 1024, exponent - 25);
  else if (fraction != 0)
    value = std::numeric_limits<double>::quiet_NaN();
  return (bits & 0x8000U) != 0 ? -value : value;
}

std::string text_of(double number) {
  std::array<char, scalar_bytes> text;
  return {text.data(), print_double(text.data(), number)};
}

class CborReader {
 public:
  CborReader(std::string_view bytes, BodyTree& tree) : bytes_(bytes), tree_(tree) {}

  void read_body(BodyPlace place) {
    const auto head = take_head();
    if (head.major != Head::map) refuse("is not a map of parameters.");
    read_item(head, place);
    if (at_ != bytes_.size()) refuse("has bytes behind its end.");
  }

 private:
  [[noreturn]] void refuse(std::string_view why) const { tree_.refuse(why); }

  unsigned take_byte() {
    if (at_ == bytes_.size()) refuse("ends before it is complete.");
    return static_cast<unsigned char>(bytes_[at_++]);
  }

  Head take_head() {
    const unsigned first = take_byte();
    Head head;
    head.major = first >> 5U;
    head.low = first & 0x1FU;
    head.number = head.low;
    if (head.low == 31) {
      head.is_indefinite = true;
      const bool may_be = head.major == Head::byte_string || head.major == Head::text_string || head.major == Head::list ||
                          head.major == Head::map || head.major == Head::simple;
      if (!may_be) refuse("has an indefinite length where none can be.");
    } else if (head.low > 27) {
      refuse("has a malformed item.");
    } else if (head.low >= 24) {
      head.number = 0;
      for (unsigned left = 1U << (head.low - 24U); left > 0; --left) head.number = head.number << 8U | take_byte();
    }
    return head;
  }

  // A value that is there: null is skipped by whoever holds it.
  void read_item(const Head& head, BodyPlace place) {
    switch (head.major) {
      case Head::unsigned_number:
      case Head::negative_number: return tree_.value(place, BodyValue::number, integer(head));
      case Head::byte_string: return tree_.value(place, BodyValue::bytes, to_base64(take_string(head)));
      case Head::text_string: return tree_.value(place, BodyValue::text, take_text(head));
      case Head::list: return read_list(head, place);
      case Head::map: return read_map(head, place);
      case Head::tagged: return read_time(head, place);
      default: break;
    }
    if (head.low == 20 || head.low == 21) return tree_.value(place, BodyValue::boolean, head.low == 21 ? "true" : "false");
    tree_.value(place, BodyValue::number, text_of(floating(head)));
  }

  std::string integer(const Head& head) const {
    if (head.number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) refuse("is an integer beyond 64 bits.");
    const auto number = static_cast<std::int64_t>(head.number);
    return std::to_string(head.major == Head::unsigned_number ? number : -1 - number);
  }

  double floating(const Head& head) const {
    if (head.low == 25) return half_to_double(head.number);
    if (head.low == 26) return std::bit_cast<float>(static_cast<std::uint32_t>(head.number));
    if (head.low == 27) return std::bit_cast<double>(head.number);
    if (head.is_break()) refuse("has an end where nothing was begun.");
    refuse("has a simple value that is none of the protocol's.");
  }

  std::string take_string(const Head& head) {
    if (!head.is_indefinite) return std::string(take_bytes(head.number));
    std::string whole;
    for (auto part = take_head(); !part.is_break(); part = take_head()) {
      if (part.major != head.major || part.is_indefinite) refuse("has a string with a part that is none.");
      whole += take_bytes(part.number);
      if (whole.size() > largest_string) refuse("is too long.");
    }
    return whole;
  }

  std::string_view take_bytes(std::uint64_t length) {
    if (length > bytes_.size() - at_) refuse("has a length beyond its end.");
    const auto part = bytes_.substr(at_, static_cast<size_t>(length));
    at_ += part.size();
    return part;
  }

  std::string take_text(const Head& head) {
    auto text = take_string(head);
    for (size_t at = 0; at < text.size();) {
      const size_t length = static_cast<unsigned char>(text[at]) < 0x80 ? 1 : utf8_length(text, at);
      if (length == 0) refuse("has a text that is not UTF-8.");
      at += length;
    }
    return text;
  }

  // A list or map says how much it holds, or ends by a break. A number that is a lie ends where the bytes do.
  bool has_next(const Head& holder, std::uint64_t& taken, Head& next) {
    if (!holder.is_indefinite && taken == holder.number) return false;
    next = take_head();
    if (next.is_break()) {
      if (!holder.is_indefinite) refuse("has an end where nothing was begun.");
      return false;
    }
    ++taken;
    return true;
  }

  void read_list(const Head& head, BodyPlace place) {
    BodyTree::Inside inside(tree_, place, true);
    Head next;
    for (std::uint64_t taken = 0; has_next(head, taken, next);)
      if (!next.is_null()) inside.item([&](BodyPlace at) { read_item(next, at); });
    inside.end();
  }

  void read_map(const Head& head, BodyPlace place) {
    BodyTree::Inside inside(tree_, place, false);
    Head next;
    for (std::uint64_t taken = 0; has_next(head, taken, next);) {
      if (next.major != Head::text_string) refuse("has a key that is no text.");
      const auto key = take_text(next);
      const auto value = take_head();
      if (!value.is_null()) inside.member(key, [&](BodyPlace at) { read_item(value, at); });
    }
    inside.end();
  }

  void read_time(const Head& head, BodyPlace place) {
    if (head.number != timestamp_tag) refuse("has a tag other than 1, a timestamp.");
    const auto value = take_head();
    if (value.major == Head::unsigned_number || value.major == Head::negative_number)
      return tree_.value(place, BodyValue::time, integer(value));
    const bool is_float = value.major == Head::simple && value.low >= 25 && value.low <= 27;
    if (!is_float) refuse("has a timestamp that is no number.");
    const double number = floating(value);
    if (!std::isfinite(number)) refuse("has a timestamp that is no time.");
    tree_.value(place, BodyValue::time, text_of(number));
  }

  std::string_view bytes_;
  BodyTree& tree_;
  size_t at_ = 0;
};

}  // namespace

BodyTree::Pairs read_cbor_body(std::string_view body, BodyPlace place) {
  if (body.empty()) return {};
  BodyTree tree(true);
  CborReader(body, tree).read_body(place);
  return tree.take();
}

}  // namespace brume::wire
