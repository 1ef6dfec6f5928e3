// Changes to the state of the cloud: decided by one thread, durable before they are seen or answered.
//
// A decision runs on the writer thread against the newest version including decisions not yet durable; it checks the rules and puts
// the changes, and may throw to leave everything as it was. Decisions that wait together are appended to the log as one group. Only
// then is the new World published, the watchers told and the callers answered, in that order. After a crash at any moment the log
// holds every answered decision and no half of any.
//
// Other writers may append to the same log. When one of them was quicker, the group's decisions run again on top of what it wrote.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/random.hpp"
#include "base/time.hpp"
#include "state/replica.hpp"
#include "state/transaction.hpp"

namespace brume::state {

// Threads: all functions may be called from any thread; transact not from the writer thread (a watcher or Settled).
class Writer {
 public:
  static constexpr size_t queue_limit = 4096;
  static constexpr size_t group_limit = 256;  // decisions in one commit; Log::limits() caps their keys and bytes
  static constexpr int conflict_limit = 100;  // how often a group may conflict with other writers before it fails
  static constexpr std::chrono::milliseconds group_commit_delay{2};
  static constexpr std::chrono::seconds news_wait{10};  // how long the watch may take to deliver the writes that caused a conflict

  // `replica` must outlive the writer and have no other writer.
  Writer(Replica& replica, const Clock& clock, Random& random);
  ~Writer();

  // Throws Overloaded (and then calls nothing) if queue_limit decisions wait or the writer was stopped.
  void submit(Decision decision, Settled settled, Urgency urgency = Urgency::now);
  // Submits and waits. Rethrows what the decision threw; LogFailure if it could not be made durable.
  void transact(const Decision& decision, Urgency urgency = Urgency::now);

  // Finishes what is queued, then ends the thread. Later submits fail with Overloaded.
  void stop();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace brume::state
