// What a machine has on disk, below <home>/machines/<instance id>/:
//
//   process   "<pid> <start time>" of its QEMU, written by us as root: the guest's user cannot point us at another process
//   qmp       socket of the monitor (one client at a time: the daemon)
//   serial    socket of the serial console: whoever connects sees and types, beside the file
//   console   what the guest wrote to its serial port; bounded, the old is dropped
//   log       what QEMU wrote to standard error; bounded
//   cpu       what is left of its processor budget, of a type that has one
//   ended     how the last run ended: guest_shutdown, died or killed, and a detail
//
// The machine's user may pass through the folder but not list or change it (0711 root); of the files it owns only the console.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace brume::compute {

// Identifies a process for good: the number alone may name another one later.
struct ProcessName {
  pid_t number = -1;
  std::uint64_t started = 0;
  bool before_restart = false;  // boot of the host: if it is another one the process cannot run any more, whatever has its number now

  // Whether it still exists; with `user`: and runs as that user.
  bool alive(std::optional<unsigned> user) const;
};

struct MachineEnd {
  enum class How { guest_shutdown, died, killed };
  How how = How::died;
  std::string detail;
};

class MachineFolder {
 public:
  explicit MachineFolder(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string qmp_socket() const { return path_ + "/qmp"; }
  std::string serial_socket() const { return path_ + "/serial"; }
  // Beside the folder, because it outlives a run (cpu_governor.hpp).
  std::string cpu_file() const { return path_ + ".cpu"; }

  // Makes an empty folder for a new run; removes the last run's files.
  Result<void> prepare(std::optional<unsigned> user) const;
  void remove() const;
  bool exists() const;

  Result<void> keep_process(const ProcessName& process) const;
  std::optional<ProcessName> process() const;
  // Also removes files that only a running machine has.
  void keep_end(const MachineEnd& end) const;
  std::optional<MachineEnd> end() const;

  // QEMU's last message, without time stamp and program name; empty if there was none.
  std::string last_words() const;
  // Its whole output, at most 600 bytes.
  std::string words() const;
  // Drops the old part of console and log if they have grown too large. The daemon calls it every second. Returns how many bytes of the
  // console were dropped.
  std::uint64_t bound() const;

 private:
  std::string path_;
};

}  // namespace brume::compute
