// What one account may use of the front door at once, so that another account's calls never wait for all of its calls.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace brume::service {

// Counts the requests of accounts. Threads: any.
class AccountCounts {
 public:
  explicit AccountCounts(unsigned limit) : limit_(limit) {}

  // Counts one more for the account as long as the result lives; null: it has as many as it may. The counts outlive what is counted.
  std::shared_ptr<void> enter(const std::string& account);

 private:
  const unsigned limit_;
  std::mutex mutex_;  // guards counts_
  std::map<std::string, unsigned> counts_;
};

// Passes at most so many of an account's changes at a time to the state, which takes them one after another. So a change of another account
// waits only for these, however many there are. The others wait here, in their order. Threads: any.
class AccountTurns {
 public:
  explicit AccountTurns(unsigned at_once) : at_once_(at_once) {}

  // Runs `work` now or, when it is the account's turn, on the thread that calls leave. It must not throw, and must end with a call of
  // leave.
  void enter(const std::string& account, std::function<void()> work);
  void leave(const std::string& account);

 private:
  struct Queue {
    unsigned inside = 0;
    std::deque<std::function<void()>> waiting;
  };
  const unsigned at_once_;
  std::mutex mutex_;  // guards queues_; not held while work runs
  std::map<std::string, Queue> queues_;
};

}  // namespace brume::service
