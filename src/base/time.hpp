// Points in time as the API knows them: UTC, milliseconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brume {

using Time = std::chrono::sys_time<std::chrono::milliseconds>;
using std::chrono::milliseconds;
using std::chrono::seconds;

// 2011-12-05T13:00:00.000Z, the form in every answer of EC2.
std::string format_iso8601(Time time);

// Accepts YYYY-MM-DDThh:mm:ss with an optional fraction and Z or ±hh:mm. nullopt: not in this form.
std::optional<Time> parse_iso8601(std::string_view text);

// 20111205T130000Z, the form of signature version 4. nullopt: not in this form.
std::optional<Time> parse_basic_iso8601(std::string_view text);

// Where time comes from. Threads: all functions may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Time now() const override;
};

}  // namespace brume
