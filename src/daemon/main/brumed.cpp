#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "daemon/daemon.hpp"

int main(int argc, char** argv) {
  const auto command_line = brume::daemon::read_command_line(argc, argv);
  if (command_line.exit_code) return *command_line.exit_code;
  // Before any thread is made: all of them inherit it, and Daemon::run waits for the signals.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  try {
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
