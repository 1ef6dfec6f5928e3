// The state of the cloud: decided by one writer, durable before it is seen or answered, read by anyone without waiting.
//
// A decision runs on the writer thread against the newest version including decisions not yet durable; it checks the rules and puts
// the changes, and may throw to leave everything as it was. Decisions that wait together are written to the log as one group. Only
// then is the new World published, the watchers told and the callers answered, in that order. After a crash at any moment the log
// holds every answered decision and no half of any.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "state/world.hpp"

namespace brume::state {

// An ordered, versioned key-value log: SQLite on one machine, etcd on many. Keys are "kind/key", values JSON.
struct LogWrite {
  std::string key;
  std::optional<std::string> value;  // nullopt: deleted
};
class Log {
 public:
  virtual ~Log() = default;
  // Every entry, in key order. Called once, before the first append.
  virtual Result<void> load(const std::function<void(std::string_view key, std::string_view value)>& entry) = 0;
  // All or nothing; when it returns the writes survive a power cut. The version grows by one each time.
  virtual Result<std::uint64_t> append(const std::vector<LogWrite>& writes) = 0;
  virtual std::uint64_t version() const = 0;
};
// SQLite in WAL mode, synchronous FULL; the file is made with mode 0600 and locked against a second daemon (`exists`).
Result<std::unique_ptr<Log>> open_sqlite_log(const std::string& path);
// Keeps nothing beyond its own life; for tests that need no disk.
std::unique_ptr<Log> make_memory_log();

struct Change {
  Kind kind;
  std::string key;
  std::shared_ptr<const void> before;  // null: new
  std::shared_ptr<const void> after;   // null: gone
  template <class R>
  const R* old() const {
    return kind == R::kind ? static_cast<const R*>(before.get()) : nullptr;
  }
  template <class R>
  const R* now() const {
    return kind == R::kind ? static_cast<const R*>(after.get()) : nullptr;
  }
};

struct Commit {
  WorldPointer world;
  std::vector<Change> changes;  // one for each key, oldest `before`, newest `after`
};

// What a decision may do. Lives only during the decision.
class Transaction {
 public:
  const World& world() const { return world_; }  // with this decision's own changes
  Time now() const { return now_; }
  Random& random() const { return random_; }

  template <class R>
  const R* find(std::string_view key) const {
    return world_.find<R>(key);
  }
  template <class R>
  const R* find(std::string_view account, std::string_view id) const {
    return world_.find<R>(account, id);
  }

  // Adds or replaces the record with this key.
  template <class R>
  void put(R record) {
    auto key = record.key();
    put_erased(R::kind, std::move(key), std::make_shared<const R>(std::move(record)));
  }
  template <class R>
  void erase(std::string_view key) {
    put_erased(R::kind, std::string(key), nullptr);
  }

 private:
  friend class Store;
  Transaction(World& world, Time now, Random& random) : world_(world), now_(now), random_(random) {}
  void put_erased(Kind kind, std::string key, std::shared_ptr<const void> record);

  World& world_;
  Time now_;
  Random& random_;
  std::vector<Change> changes_;
};

using Decision = std::function<void(Transaction&)>;
// How long a decision may wait for company. A commit costs a sync of the disk, whatever is in it: what nobody waits for an answer to
// goes with the next decision that somebody does, or after Store::company_wait.
enum class Urgency : std::uint8_t { now, soon };
// Called once, on the writer thread, after the decision is durable or has failed. Must not wait. A decision that throws is answered
// with its group too: what it complained of may be another decision that is not durable yet.
using Settled = std::function<void(std::exception_ptr failure)>;

// Thrown to callers when the log cannot take more (disk full): nothing was changed. All decisions of the group get it.
struct LogFailure : std::exception {
  explicit LogFailure(Error failure) : error(std::move(failure)) {}
  const char* what() const noexcept override { return error.message.c_str(); }
  Error error;
};
// Thrown when too many decisions wait (see Store::queue_limit).
struct Overloaded : std::exception {
  const char* what() const noexcept override { return "too many requests wait for the state"; }
};

// Threads: all functions may be called from any thread; transact not from the writer thread (a watcher or Settled).
class Store {
 public:
  static constexpr size_t queue_limit = 4096;
  static constexpr size_t group_limit = 256;  // decisions in one commit
  static constexpr std::chrono::milliseconds company_wait{2};

  // Reads the whole log. `broken`: an entry that cannot be understood, named in the message.
  static Result<std::unique_ptr<Store>> open(std::unique_ptr<Log> log, const Clock& clock, Random& random);
  ~Store();

  // The newest durable version. Lock-free: waits for nobody.
  WorldPointer world() const;

  // Throws Overloaded (and then calls nothing) when queue_limit decisions wait or the store was stopped.
  void submit(Decision decision, Settled settled, Urgency urgency = Urgency::now);
  // submit and wait. Rethrows what the decision threw.
  void transact(const Decision& decision, Urgency urgency = Urgency::now);

  // Told of every commit in order, on the writer thread; must not wait. Returns a number for unwatch.
  std::uint64_t watch(std::function<void(const Commit&)> watcher);
  // Waits for a call that runs on the writer thread just now; afterwards there is none.
  void unwatch(std::uint64_t watcher);

  // Finishes what is queued, then ends the writer. Later submits fail with Overloaded.
  void stop();

 private:
  class Implementation;
  explicit Store(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace brume::state
