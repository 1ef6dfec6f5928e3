// The state of a host that reads and writes: a Replica and a Writer over one log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "state/log.hpp"
#include "state/replica.hpp"
#include "state/writer.hpp"

namespace brume::state {

// Threads: all functions may be called from any thread; transact not from the writer thread (a watcher or Settled).
class Store {
 public:
  // Reads the whole log. `broken`: an entry that cannot be understood, named in the message.
  static Result<std::unique_ptr<Store>> open(std::shared_ptr<Log> log, const Clock& clock, Random& random);

  // See Replica and Writer.
  WorldPointer world() const { return replica_->world(); }
  void submit(Decision decision, Settled settled, Urgency urgency = Urgency::now) {
    writer_.submit(std::move(decision), std::move(settled), urgency);
  }
  void transact(const Decision& decision, Urgency urgency = Urgency::now) { writer_.transact(decision, urgency); }
  std::uint64_t watch(std::function<void(const Commit&)> watcher) { return replica_->watch(std::move(watcher)); }
  void unwatch(std::uint64_t watcher) { replica_->unwatch(watcher); }
  void stop() { writer_.stop(); }

 private:
  Store(std::unique_ptr<Replica> replica, const Clock& clock, Random& random)
      : replica_(std::move(replica)), writer_(*replica_, clock, random) {}

  std::unique_ptr<Replica> replica_;
  Writer writer_;
};

}  // namespace brume::state
