#include "base/time.hpp"

#include <array>
#include <cstdio>

namespace brume {
namespace {

// Reads exactly `count` digits; nullopt if one is missing.
std::optional<int> take_digits(std::string_view& text, size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<Time> make_time(int year, int month, int day, int hour, int minute, int second) {
  using namespace std::chrono;
  const year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                            std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return Time{sys_days{date}} + hours{hour} + minutes{minute} + std::chrono::seconds{second};
}

// The fraction of a second after the dot, truncated to milliseconds.
std::optional<milliseconds> take_fraction(std::string_view& text) {
  int value = 0;
  int digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (digits < 3) value = value * 10 + (text.front() - '0');
    ++digits;
    text.remove_prefix(1);
  }
  if (digits == 0 || digits > 12) return std::nullopt;
  for (; digits < 3; ++digits) value *= 10;
  return milliseconds{value};
}

}  // namespace

std::string format_iso8601(Time time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  std::array<char, 40> text{};
  const int length = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                                   static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                   static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                                   static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return {text.data(), static_cast<size_t>(length)};
}

std::optional<Time> parse_iso8601(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take(text, 'T')) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second) return std::nullopt;
  auto time = make_time(*year, *month, *day, *hour, *minute, *second);
  if (!time) return std::nullopt;
  if (take(text, '.')) {
    const auto fraction = take_fraction(text);
    if (!fraction) return std::nullopt;
    *time += *fraction;
  }
  if (take(text, 'Z') || text.empty()) return text.empty() ? time : std::nullopt;
  const bool east = text.front() == '+';
  if (!east && text.front() != '-') return std::nullopt;
  text.remove_prefix(1);
  const auto offset_hours = take_digits(text, 2);
  take(text, ':');
  const auto offset_minutes = take_digits(text, 2);
  if (!offset_hours || !offset_minutes || !text.empty()) return std::nullopt;
  const auto offset = std::chrono::hours{*offset_hours} + std::chrono::minutes{*offset_minutes};
  return east ? *time - offset : *time + offset;
}

std::optional<Time> parse_basic_iso8601(std::string_view text) {
  const auto year = take_digits(text, 4);
  const auto month = take_digits(text, 2);
  const auto day = take_digits(text, 2);
  if (!year || !month || !day || !take(text, 'T')) return std::nullopt;
  const auto hour = take_digits(text, 2);
  const auto minute = take_digits(text, 2);
  const auto second = take_digits(text, 2);
  if (!hour || !minute || !second || text != "Z") return std::nullopt;
  return make_time(*year, *month, *day, *hour, *minute, *second);
}

Time SystemClock::now() const { return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()); }

}  // namespace brume
