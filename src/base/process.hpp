// Child processes as values: what is run, with which arguments, environment, descriptors and user. No shell.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/descriptor.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace brume {

struct Command {
  std::string program;                                           // looked up in PATH when it has no slash
  std::vector<std::string> arguments;                            // without the program itself
  std::vector<std::pair<std::string, std::string>> environment;  // the whole environment, besides PATH and LANG=C.UTF-8
  std::string input;                                             // given on standard input
  std::vector<std::pair<int, int>> descriptors;                  // {ours, the child's number ≥ 3}; every other descriptor is closed
  std::optional<uid_t> user;      // run as this user (and the group of the same number) without further groups
  bool ends_with_us = false;      // `run` only: killed when this process dies, so that it holds nothing any longer
  std::string network_namespace;  // path of a namespace to enter before exec ("/run/netns/x"); empty: ours
  std::string folder;             // working folder; empty: "/"
  std::string output_file;        // standard output and error are appended to this file; empty: collected (run) or /dev/null (start)

  // One line for logs: program and arguments, quoted where needed. The input is never shown.
  std::string describe() const;
};

struct CommandOutput {
  int status = 0;      // exit code, or 128 + signal
  std::string output;  // at most 1 MiB; the rest is dropped
  std::string errors;  // at most 64 KiB
};

// Runs to the end. Errors: the system's (cannot start; not_found: no such program), timed_out (killed after `limit`). An exit code other
// than 0 is not an error here, and neither is being killed because `stop` was requested (status 137).
Result<CommandOutput> run(const Command& command, milliseconds limit = seconds(30), const std::stop_token& stop = {});

// Like run, but a status other than 0 is `broken`, with the command and the beginning of its standard error.
Result<CommandOutput> run_checked(const Command& command, milliseconds limit = seconds(30));

// Starts a process that has no parent to wait for it (double fork, own session) and so outlives us. Returns its process id.
Result<pid_t> start_detached(const Command& command);

// Start time in clock ticks since boot (field 22 of /proc/PID/stat): together with the process id it identifies one process for good.
// nullopt: the process has ended.
std::optional<std::uint64_t> process_start_time(pid_t process);

}  // namespace brume
