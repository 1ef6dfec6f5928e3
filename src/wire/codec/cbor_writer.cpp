#include "wire/codec/cbor_writer.hpp"

#include <algorithm>
#include <bit>

#include "wire/plain_text.hpp"

namespace brume::wire {
namespace {

// The first three bits of an item say what it is.
enum class Written : unsigned { unsigned_number = 0, negative_number = 1, byte_string = 2, text_string = 3, tagged = 6 };

unsigned bits_of(Written what) { return static_cast<unsigned>(what); }

void append_big_endian(std::string& out, std::uint64_t number, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(number >> static_cast<unsigned>(shift));
}

}  // namespace

void CborWriter::head(unsigned major, std::uint64_t number) {
  const auto first = [&](unsigned low) { out_ += static_cast<char>(major << 5U | low); };
  if (number < 24) return first(static_cast<unsigned>(number));
  const int size = number <= 0xFF ? 0 : number <= 0xFFFF ? 1 : number <= 0xFFFFFFFF ? 2 : 3;
  first(24U + static_cast<unsigned>(size));
  append_big_endian(out_, number, 1 << size);
}

void CborWriter::value(std::string_view text) {
  // A text has to be UTF-8, or no reader takes the document: U+FFFD stands for what is none.
  const auto length_at = [text](size_t at) { return static_cast<unsigned char>(text[at]) < 0x80 ? 1 : utf8_length(text, at); };
  size_t valid = 0;
  while (valid < text.size() && length_at(valid) != 0) valid += length_at(valid);
  if (valid == text.size()) {
    head(bits_of(Written::text_string), text.size());
    out_ += text;
    return;
  }
  std::string clean;
  for (size_t at = 0; at < text.size();) {
    const size_t length = length_at(at);
    clean += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(at, length);
    at += std::max<size_t>(length, 1);
  }
  head(bits_of(Written::text_string), clean.size());
  out_ += clean;
}

void CborWriter::value(std::int64_t number) {
  if (number >= 0) return head(bits_of(Written::unsigned_number), static_cast<std::uint64_t>(number));
  head(bits_of(Written::negative_number), ~static_cast<std::uint64_t>(number));  // -1 - n
}

void CborWriter::value(double number) {
  out_ += '\xFB';
  append_big_endian(out_, std::bit_cast<std::uint64_t>(number), 8);
}

void CborWriter::value(Time time, TimeFormat) {
  head(bits_of(Written::tagged), 1);
  const auto milliseconds = time.time_since_epoch().count();
  if (milliseconds % 1000 == 0) return value(std::int64_t{milliseconds / 1000});
  value(static_cast<double>(milliseconds) / 1000);
}

void CborWriter::value_blob(std::string_view bytes) {
  head(bits_of(Written::byte_string), bytes.size());
  out_ += bytes;
}

}  // namespace brume::wire
