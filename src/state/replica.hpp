// The World of one log, updated with every append, whoever made it. Reads never block. A Replica alone follows a log that others write.
// Together with a Writer it applies the writes of others on the writer's thread, so that watchers are always called on one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.hpp"
#include "state/log.hpp"
#include "state/transaction.hpp"

namespace brume::state {

class Replica {
 public:
  // How many appends may wait to be applied; above this they are dropped and the whole log is read again.
  static constexpr size_t inbox_limit = 4096;

  // Reads the whole log. `broken`: an entry that cannot be understood, named in the message.
  static Result<std::unique_ptr<Replica>> open(std::shared_ptr<Log> log);
  ~Replica();

  // The newest version that is durable and known here. Lock-free, never blocks. Threads: any.
  WorldPointer world() const;

  // `watcher` is called for every commit in order, on the thread that applies them; it must not block. Returns a number for unwatch.
  // Threads: any.
  std::uint64_t watch(std::function<void(const Commit&)> watcher);
  // Waits for a running call; afterwards there are no more. Threads: any.
  void unwatch(std::uint64_t watcher);

  // Applies arriving appends on a thread of its own until the Replica is destroyed. Not together with a Writer, which applies them itself.
  void follow();

 private:
  friend class Writer;
  class Implementation;
  explicit Replica(std::unique_ptr<Implementation> implementation);
  // For the Writer, on its thread:
  Log& log() const;
  void call_on_arrival(std::function<void()> arrived);  // called on a thread of the log; must not wait. Empty: nobody
  // Applies and publishes what has arrived. `broken`: an entry that cannot be parsed; from then on nothing more is applied.
  Result<void> apply_arrived();
  bool wait_for_newer_than(std::uint64_t version, std::chrono::milliseconds limit);  // false: nothing newer arrived in that time
  // Applies the Writer's own append. noexcept: running out of memory here ends the process, because the log already has what readers would
  // not see. A restart finds it.
  void publish(World world, std::uint64_t version, std::vector<Change> changes) noexcept;

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace brume::state
