#include "cli/progress.hpp"

#include <unistd.h>

#include <cstdio>

namespace brume::cli {

namespace {
bool on_terminal() {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  return terminal;
}
}  // namespace

Step::Step(std::string what) : what_(std::move(what)), begun_(std::chrono::steady_clock::now()), shown_(begun_) {
  if (on_terminal()) show("…", false);
}

Step::~Step() {
  if (!finished_) show("failed", true);
}

void Step::show(std::string_view detail, bool final) {
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  if (on_terminal())
    std::fprintf(stderr, "\r\033[K%s: %.*s", what_.c_str(), static_cast<int>(detail.size()), detail.data());
  else
    std::fprintf(stderr, "%s: %.*s", what_.c_str(), static_cast<int>(detail.size()), detail.data());
  if (seconds >= 1) std::fprintf(stderr, " (%.0f s)", seconds);
  if (final || !on_terminal()) std::fputc('\n', stderr);
  std::fflush(stderr);
}

void Step::update(std::string_view detail) {
  const auto now = std::chrono::steady_clock::now();
  // A file or a CI log is not filled with percentages.
  const auto pause = on_terminal() ? std::chrono::milliseconds(200) : std::chrono::seconds(10);
  if (now - shown_ < pause) return;
  shown_ = now;
  show(detail, false);
}

void Step::done(std::string_view result) {
  finished_ = true;
  show(result.empty() ? std::string_view("done") : result, true);
}

}  // namespace brume::cli
