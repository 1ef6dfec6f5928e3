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
// The folder may be passed through but not listed or written by the machine's user (0711 root); of the files only console is its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace brume::compute {

// A process for good: the number alone may name another one later.
struct ProcessName {
  pid_t number = -1;
  std::uint64_t started = 0;
  bool before_restart = false;  // of the host: it cannot run any more, whatever has its number now

  // Whether it still is there; `user`: and runs as that user.
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
  // Beside the folder: it outlives a run (cpu_governor.hpp).
  std::string cpu_file() const { return path_ + ".cpu"; }

  // An empty folder for a new run; the last run's files are gone.
  Result<void> prepare(std::optional<unsigned> user) const;
  void remove() const;
  bool exists() const;

  Result<void> keep_process(const ProcessName& process) const;
  std::optional<ProcessName> process() const;
  // Also removes what a running machine has and an ended one has not.
  void keep_end(const MachineEnd& end) const;
  std::optional<MachineEnd> end() const;

  // The last thing that QEMU said, without time stamp and program name; empty when it said nothing.
  std::string last_words() const;
  // All that it said, at most 600 bytes.
  std::string words() const;
  // Drops the old part of console and log when they have grown too large. The daemon calls it every second. How many bytes of the
  // console went.
  std::uint64_t bound() const;

 private:
  std::string path_;
};

}  // namespace brume::compute
