// The operator's log: one line per event, on standard error or in a file, with key=value after the sentence. Secrets (private keys, secret
// access keys, user data, tokens) never go in here.
#pragma once

#include <string>
#include <string_view>

#include <fmt/core.h>

namespace brume::log {

enum class Level { debug, info, warning, error };

void set_level(Level level);
bool enabled(Level level);
// `component` names the part that speaks ("compute", "network"). Threads: any.
void write(Level level, std::string_view component, fmt::string_view format, fmt::format_args arguments);

template <class... Arguments>
void info(std::string_view component, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  write(Level::info, component, format, fmt::make_format_args(arguments...));
}
template <class... Arguments>
void warning(std::string_view component, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  write(Level::warning, component, format, fmt::make_format_args(arguments...));
}
template <class... Arguments>
void error(std::string_view component, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  write(Level::error, component, format, fmt::make_format_args(arguments...));
}
template <class... Arguments>
void debug(std::string_view component, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (enabled(Level::debug)) write(Level::debug, component, format, fmt::make_format_args(arguments...));
}

}  // namespace brume::log
