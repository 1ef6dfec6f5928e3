#include "wire/scalars.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/text.hpp"

namespace brume::wire {
namespace {

constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr std::string_view day_names = "SunMonTueWedThuFriSat";

char* print_text(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* print_digits(char* out, int value, int width) {
  for (int i = width; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out + width;
}

char* print_clock(char* out, const std::chrono::hh_mm_ss<milliseconds>& clock) {
  out = print_digits(out, static_cast<int>(clock.hours().count()), 2);
  *out++ = ':';
  out = print_digits(out, static_cast<int>(clock.minutes().count()), 2);
  *out++ = ':';
  return print_digits(out, static_cast<int>(clock.seconds().count()), 2);
}

std::optional<Time> parse_unix_seconds(std::string_view text) {
  const auto number = parse_double(text);
  constexpr double limit = 253402300800.0;  // the year 10000
  if (!number || !(*number > -limit && *number < limit)) return std::nullopt;
  return Time(milliseconds(std::llround(*number * 1000)));
}

// "Tue, 29 Apr 2014 18:30:38 GMT"; reshaped so that the one parser of dates checks it.
std::optional<Time> parse_http_date(std::string_view text) {
  if (text.size() < 29 || text.substr(text.size() - 4) != " GMT") return std::nullopt;
  const size_t month = month_names.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  std::array<char, 2> digits{};
  print_digits(digits.data(), static_cast<int>(month / 3 + 1), 2);
  std::string iso(text.substr(12, 4));
  iso.append("-").append(digits.data(), 2).append("-").append(text.substr(5, 2)).append("T");
  iso.append(text.substr(17, text.size() - 21)).append("Z");
  return parse_iso8601(iso);
}

}  // namespace

std::optional<double> parse_double(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<Time> parse_time(std::string_view text, TimeFormat format) {
  switch (format) {
    case TimeFormat::unix_seconds: return parse_unix_seconds(text);
    case TimeFormat::http_date: return parse_http_date(text);
    case TimeFormat::usual:
    case TimeFormat::iso8601: break;
  }
  return parse_iso8601(text);
}

char* print_double(char* out, double value) {
  if (std::isnan(value)) return print_text(out, "NaN");
  if (std::isinf(value)) return print_text(out, value > 0 ? "Infinity" : "-Infinity");
  return std::to_chars(out, out + scalar_bytes, value).ptr;
}

char* print_time(char* out, Time value, TimeFormat format, bool with_milliseconds) {
  const auto days = std::chrono::floor<std::chrono::days>(value);
  const std::chrono::hh_mm_ss<milliseconds> clock(value - days);
  const int fraction = static_cast<int>(clock.subseconds().count());
  if (format == TimeFormat::unix_seconds) {
    out = std::to_chars(out, out + scalar_bytes, std::chrono::floor<seconds>(value).time_since_epoch().count()).ptr;
    if (fraction == 0) return out;
    *out++ = '.';
    return print_digits(out, fraction, 3);
  }
  const std::chrono::year_month_day date(days);
  const auto month = static_cast<unsigned>(date.month());
  if (format == TimeFormat::http_date) {
    out = print_text(out, day_names.substr(std::chrono::weekday(days).c_encoding() * 3, 3));
    out = print_digits(print_text(out, ", "), static_cast<int>(static_cast<unsigned>(date.day())), 2);
    *out++ = ' ';
    out = print_text(out, month_names.substr(month * 3 - 3, 3));
    *out++ = ' ';
    out = print_digits(out, static_cast<int>(date.year()), 4);
    *out++ = ' ';
    return print_text(print_clock(out, clock), " GMT");
  }
  out = print_digits(out, static_cast<int>(date.year()), 4);
  *out++ = '-';
  out = print_digits(out, static_cast<int>(month), 2);
  *out++ = '-';
  out = print_digits(out, static_cast<int>(static_cast<unsigned>(date.day())), 2);
  *out++ = 'T';
  out = print_clock(out, clock);
  if (with_milliseconds) {
    *out++ = '.';
    out = print_digits(out, fraction, 3);
  }
  *out++ = 'Z';
  return out;
}

}  // namespace brume::wire
