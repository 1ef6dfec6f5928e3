#include "base/log.hpp"

#include <unistd.h>

#include <atomic>
#include <iterator>

#include "base/time.hpp"

namespace brume::log {
namespace {
std::atomic<Level> lowest{Level::info};

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
  }
  return "";
}
}  // namespace

void set_level(Level level) { lowest = level; }
bool enabled(Level level) { return level >= lowest.load(std::memory_order_relaxed); }

void write(Level level, std::string_view component, fmt::string_view format, fmt::format_args arguments) {
  if (!enabled(level)) return;
  std::string line = fmt::format("{} {} {}: ", format_iso8601(SystemClock().now()), name_of(level), component);
  fmt::vformat_to(std::back_inserter(line), format, arguments);
  // A line break inside would let a request forge a line of its own.
  for (auto& c : line)
    if (c == '\n' || c == '\r') c = ' ';
  line += '\n';
  // One write per line, so that lines of several threads do not mix.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace brume::log
