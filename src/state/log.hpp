// The durable log behind the state: an ordered, versioned key-value store with watch. SQLite on one machine; the same few functions fit
// etcd on many. Keys are "kind/key", values JSON.
//
// Several writers may share one log. Each append names the version that it was decided on, and fails with `conflict` when somebody else
// was quicker; who watches is told of every append, one's own among them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace brume::state {

struct LogWrite {
  std::string key;
  std::optional<std::string> value;  // nullopt: deleted
};

// The writes of one append, and the version that it created.
struct LogBatch {
  std::uint64_t version = 0;
  std::vector<LogWrite> writes;
};
using LogBatchPointer = std::shared_ptr<const LogBatch>;

// The most that one append should hold. A single decision may be larger; a log that cannot store it refuses with `exhausted`.
struct LogLimits {
  size_t keys = 16384;
  size_t bytes = size_t{16} << 20;  // keys and values together
};

// Called for each append after the watched version, in order, once each. A null pointer: something in between is lost; load again. Runs on
// a thread of the log with its lock held: must not block, and must not call the log.
using LogSink = std::function<void(const LogBatchPointer&)>;

// Destroying it ends the watch: afterwards the sink is not running and never runs again. It may outlive the log.
class LogWatch {
 public:
  virtual ~LogWatch() = default;
};

// Threads: all functions may be called from any thread.
class Log {
 public:
  virtual ~Log() = default;
  // Every entry of one version, in key order; the result is that version.
  virtual Result<std::uint64_t> load(const std::function<void(std::string_view key, std::string_view value)>& entry) = 0;
  // Atomic; when it returns, the writes survive a power failure. `expected` is the version that the decision was based on: `conflict` if
  // the log has another one. The result is the new, higher version. After an error nothing was written: a log that does not know the
  // outcome must find out before it returns.
  virtual Result<std::uint64_t> append(std::vector<LogWrite> writes, std::uint64_t expected) = 0;
  // Of the newest append that is known here.
  virtual std::uint64_t version() const = 0;
  // Watches everything after version `from`. `not_found`: that part of the history is no longer kept; load again.
  virtual Result<std::unique_ptr<LogWatch>> watch(std::uint64_t from, LogSink sink) = 0;
  virtual LogLimits limits() const { return {}; }
};

// The sinks of a log. Call both functions with the log's own lock held, so that no append happens in between.
class LogWatchers {
 public:
  std::unique_ptr<LogWatch> add(LogSink sink);
  void tell(const LogBatchPointer& batch);

 private:
  struct Sinks {
    std::mutex mutex;  // held while a sink runs, so that the end of a watch can promise that it does not
    std::vector<std::pair<std::uint64_t, LogSink>> list;
    std::uint64_t next = 1;
  };
  class Watch;
  std::shared_ptr<Sinks> sinks_ = std::make_shared<Sinks>();
};

// SQLite in WAL mode, synchronous FULL; the file is made with mode 0600 and locked against a second daemon (`exists`). Keeps no history:
// a watch begins at the newest version.
Result<std::unique_ptr<Log>> open_sqlite_log(const std::string& path);
// Keeps nothing beyond its own life; for tests that need no disk.
std::unique_ptr<Log> make_memory_log();

}  // namespace brume::state
