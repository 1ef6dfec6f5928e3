// The audit stream: who asked for what and what came of it, a JSON object a line, always on. Every change and every refusal is in it; a
// read that succeeded only if the operator wants reads too. Secrets and request parameters never are.
//
// Lines are written by a thread of its own, so that no request waits for the disk. They are in `audit.jsonl` of the folder, which at its
// limit is renamed after the time of its last line; the oldest files go. A line that was handed over is written within a second, unless
// the process is killed before.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace brume::service {

struct AuditEvent {
  Time time{};
  std::string_view request_id;
  std::string_view region;
  std::string_view account;
  std::string_view principal;      // an ARN; empty: nobody was identified
  std::string_view access_key_id;  // as it was claimed; never the secret
  std::string_view called_by;      // the service of ours that asked from inside; empty: a client
  std::string_view service;
  std::string_view action;
  std::string_view version;
  std::string_view source;  // the peer's address; empty: a call from inside
  int status = 0;
  std::string_view error;  // its code; empty: it succeeded
  bool is_read = false;
};

struct AuditSettings {
  std::uint64_t file_bytes = 64ULL << 20;
  size_t files = 10;                   // the one that is written among them
  size_t waiting_bytes = 16ULL << 20;  // lines that wait for the disk; what comes beyond is lost, and counted in the stream
  bool reads = false;                  // also reads that succeeded
};

// Threads: all functions may be called from any thread.
class AuditLog {
 public:
  // Makes the folder (mode 0700). `broken`, `denied`: it cannot be written.
  static Result<std::unique_ptr<AuditLog>> open(const std::string& folder, const AuditSettings& settings = {});
  ~AuditLog();  // writes what waits

  // Does not wait for the disk.
  void add(const AuditEvent& event);
  // Waits until all that was added before is written, or cannot be.
  void flush();
  // Lines that were never written.
  std::uint64_t lost() const;

 private:
  class Implementation;
  explicit AuditLog(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace brume::service
