#include "wire/xml_writer.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "wire/api_error.hpp"
#include "wire/plain_text.hpp"
#include "wire/scalars.hpp"

namespace brume::wire {
namespace {

// A document is built completely before it is sent, so its size is limited. For many resources EC2 itself advises pages of 1,000.
constexpr size_t largest_document = 64 << 20;

// 0: copy as it is; 1: examine (markup, control characters, bytes of multi-byte characters).
constexpr std::array<std::uint8_t, 256> make_special() {
  std::array<std::uint8_t, 256> table{};
  for (size_t i = 0; i < 32; ++i) table[i] = 1;
  for (size_t i = 127; i < 256; ++i) table[i] = 1;
  table['\t'] = table['\n'] = 0;
  for (const char c : {'&', '<', '>', '"', '\''}) table[static_cast<unsigned char>(c)] = 1;
  return table;
}
constexpr std::array<std::uint8_t, 256> special = make_special();

size_t plain_run(std::string_view text, size_t from) {
  while (from < text.size() && special[static_cast<unsigned char>(text[from])] == 0) ++from;
  return from;
}

std::string_view escape_of(char c) {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&apos;";
    case '\r': return "&#xD;";       // a bare one would be read back as a line feed
    default: return "\xEF\xBF\xBD";  // U+FFFD: XML 1.0 cannot express this
  }
}

// Not memcpy: an empty view may have no data at all.
char* put(char* out, std::string_view text) {
  std::char_traits<char>::copy(out, text.data(), text.size());
  return out + text.size();
}

}  // namespace

XmlWriter::XmlWriter(int version, size_t reserve) : version_(version), buffer_(reserve, '\0') {}

char* XmlWriter::room(size_t bytes) {
  if (buffer_.size() - size_ >= bytes) return buffer_.data() + size_;
  if (size_ + bytes > largest_document)
    throw ApiError(
        400, "RequestResourceCountExceeded",
        "The answer is larger than 64 MiB. Use pagination: specify MaxResults, and continue with NextToken; or name fewer resources.");
  buffer_.resize(std::min(std::max(buffer_.size() * 2, size_ + bytes), largest_document));
  return buffer_.data() + size_;
}

void XmlWriter::raw(std::string_view markup) {
  put(room(markup.size()), markup);
  size_ += markup.size();
}

void XmlWriter::open(std::string_view tag) {
  char* out = room(tag.size() + 2);
  *out = '<';
  *put(out + 1, tag) = '>';
  size_ += tag.size() + 2;
}

void XmlWriter::close(std::string_view tag) {
  char* out = room(tag.size() + 3);
  *put(put(out, "</"), tag) = '>';
  size_ += tag.size() + 3;
}

void XmlWriter::open(std::string_view tag, std::string_view attribute, std::string_view value) {
  raw("<");
  raw(tag);
  raw(" ");
  raw(attribute);
  raw("=\"");
  for (const char c : value) {  // line ends and tabs would be normalised in an attribute
    if (c == '\n') {
      raw("&#xA;");
    } else if (c == '\t') {
      raw("&#x9;");
    } else {
      text(std::string_view(&c, 1));
    }
  }
  raw("\">");
}

void XmlWriter::text(std::string_view value) {
  const size_t run = plain_run(value, 0);
  put(room(value.size()), value.substr(0, run));
  size_ += run;
  if (run != value.size()) escape_from(value, run);
}

void XmlWriter::escape_from(std::string_view value, size_t position) {
  while (position < value.size()) {
    const size_t run = plain_run(value, position);
    raw(value.substr(position, run - position));
    if (run == value.size()) return;
    const size_t length = utf8_length(value, run);
    raw(length != 0 ? value.substr(run, length) : escape_of(value[run]));
    position = run + std::max<size_t>(length, 1);
  }
}

void XmlWriter::element_verbatim(std::string_view tag, std::string_view value) {
  const size_t bytes = 2 * tag.size() + value.size() + 5;
  char* out = room(bytes);
  *out = '<';
  out = put(out + 1, tag);
  *out = '>';
  out = put(out + 1, value);
  *put(put(out, "</"), tag) = '>';
  size_ += bytes;
}

void XmlWriter::element(std::string_view tag, std::string_view value) {
  const size_t run = plain_run(value, 0);
  if (run == value.size()) return element_verbatim(tag, value);
  open(tag);
  raw(value.substr(0, run));
  escape_from(value, run);
  close(tag);
}

void XmlWriter::element(std::string_view tag, std::int64_t value) {
  std::array<char, scalar_bytes> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  element_verbatim(tag, {digits.data(), static_cast<size_t>(end - digits.data())});
}

void XmlWriter::element(std::string_view tag, double number) {
  std::array<char, scalar_bytes> digits;
  const char* end = print_double(digits.data(), number);
  element_verbatim(tag, {digits.data(), static_cast<size_t>(end - digits.data())});
}

void XmlWriter::element(std::string_view tag, Time time, TimeFormat format) {
  std::array<char, scalar_bytes> digits;
  const bool fraction = !whole_seconds_ || time != std::chrono::floor<seconds>(time);
  const char* end = print_time(digits.data(), time, format, fraction);
  element_verbatim(tag, {digits.data(), static_cast<size_t>(end - digits.data())});
}

void XmlWriter::element_blob(std::string_view tag, std::string_view bytes) { element_verbatim(tag, to_base64(bytes)); }

void XmlWriter::value(std::int64_t number) {
  char* out = room(scalar_bytes);
  size_ += static_cast<size_t>(std::to_chars(out, out + scalar_bytes, number).ptr - out);
}

void XmlWriter::value(double number) {
  char* out = room(scalar_bytes);
  size_ += static_cast<size_t>(print_double(out, number) - out);
}

void XmlWriter::value(Time time, TimeFormat format) {
  char* out = room(scalar_bytes);
  const bool fraction = !whole_seconds_ || time != std::chrono::floor<seconds>(time);
  size_ += static_cast<size_t>(print_time(out, time, format, fraction) - out);
}

void XmlWriter::value_blob(std::string_view bytes) { raw(to_base64(bytes)); }

std::string XmlWriter::take() {
  buffer_.resize(size_);
  size_ = 0;
  return std::move(buffer_);
}

}  // namespace brume::wire
