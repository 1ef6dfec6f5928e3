#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>

#include "daemon/clean_up.hpp"
#include "daemon/daemon.hpp"

namespace {

int run_clean_up(const brume::daemon::Configuration& configuration) {
  const auto cleaned = brume::daemon::clean_up(configuration);
  if (!cleaned) {
    std::fprintf(stderr, "brumed: %s\n", cleaned.error().message.c_str());
    return 1;
  }
  if (const auto text = cleaned->describe(); !text.empty()) std::printf("%s\n", text.c_str());
  return 0;
}

// Each connection needs a descriptor, and so does each open disk and socket of a machine. The usual limit of 1,024 would be used up by
// connections alone, and then nothing could be opened.
void allow_descriptors() {
  constexpr rlim_t enough = 16384;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= enough) return;
  limit.rlim_cur = std::min(enough, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  const auto command_line = brume::daemon::read_command_line(argc, argv);
  if (command_line.exit_code) return *command_line.exit_code;
  allow_descriptors();
  // Before any thread is made: all of them inherit it, and Daemon::run waits for the signals.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    if (command_line.configuration.clean_up) return run_clean_up(command_line.configuration);
    auto daemon = brume::daemon::Daemon::start(command_line.configuration);
    if (!daemon) {
      std::fprintf(stderr, "brumed: %s\n", daemon.error().message.c_str());
      return 1;
    }
    if (command_line.configuration.simulate)
      std::fprintf(stderr, "brumed: SIMULATION: instances, networks and disks are only pretended; the state is gone when this ends\n");
    std::printf("ready endpoint=%s\n", (*daemon)->endpoint().c_str());
    std::fflush(stdout);
    (*daemon)->run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "brumed: %s\n", error.what());
    return 1;
  }
  return 0;
}
