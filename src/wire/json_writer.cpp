#include "wire/json_writer.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/text.hpp"
#include "wire/scalars.hpp"

namespace brume::wire {

void JsonWriter::separate() {
  if (!first_ && !after_key_) out_ += ',';
  first_ = false;
  after_key_ = false;
}

void JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  first_ = true;
}

void JsonWriter::close(char bracket) {
  out_ += bracket;
  first_ = false;
}

void JsonWriter::key(std::string_view name) {
  value(name);
  out_ += ':';
  after_key_ = true;
}

void JsonWriter::verbatim(std::string_view text) {
  separate();
  out_ += text;
}

void JsonWriter::value(std::string_view text) {
  separate();
  out_ += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out_ += c;
    }
  }
  out_ += '"';
}

void JsonWriter::value(std::int64_t number) { verbatim(std::to_string(number)); }

// JSON has no word for what is no number; services write these as texts.
void JsonWriter::value(double number) {
  if (std::isnan(number)) return value("NaN");
  if (std::isinf(number)) return value(number > 0 ? "Infinity" : "-Infinity");
  verbatim(fmt::format("{}", number));
}

void JsonWriter::value(Time time, TimeFormat format) {
  if (format == TimeFormat::iso8601 || format == TimeFormat::http_date) {
    std::array<char, scalar_bytes> text;
    const bool fraction = time != std::chrono::floor<seconds>(time);
    const char* end = print_time(text.data(), time, format, fraction);
    return value(std::string_view(text.data(), static_cast<size_t>(end - text.data())));
  }
  const auto milliseconds = time.time_since_epoch().count();
  verbatim(milliseconds % 1000 == 0 ? fmt::format("{}", milliseconds / 1000)
                                    : fmt::format("{:.3f}", static_cast<double>(milliseconds) / 1000));
}

void JsonWriter::value_blob(std::string_view bytes) { value(to_base64(bytes)); }

void JsonWriter::header(std::string_view name, const std::optional<std::string>& text) {
  if (text) headers_.emplace_back(name, *text);
}

void JsonWriter::header(std::string_view name, const std::optional<std::int64_t>& number) {
  if (number) headers_.emplace_back(name, std::to_string(*number));
}

}  // namespace brume::wire
