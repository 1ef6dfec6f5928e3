// What one account may take of the front door at once, so that another's calls never wait for all of them.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace brume::service {

// Counts requests of accounts. Threads: any.
class AccountCounts {
 public:
  explicit AccountCounts(unsigned limit) : limit_(limit) {}

  // Counts one more of the account for as long as the result lives; null: it has as many as it may. The counts outlive what is counted.
  std::shared_ptr<void> enter(const std::string& account);

 private:
  const unsigned limit_;
  std::mutex mutex_;  // counts_
  std::map<std::string, unsigned> counts_;
};

// Lets through so many of an account's changes at a time to the state, which takes them one after another: a change of another account
// then waits for these only, however many there are. The others wait here, in their order. Threads: any.
class AccountTurns {
 public:
  explicit AccountTurns(unsigned at_once) : at_once_(at_once) {}

  // Runs `work` now or, when it is the account's turn, on the thread that calls leave. It must not throw, and ends in a call of leave.
  void enter(const std::string& account, std::function<void()> work);
  void leave(const std::string& account);

 private:
  struct Queue {
    unsigned inside = 0;
    std::deque<std::function<void()>> waiting;
  };
  const unsigned at_once_;
  std::mutex mutex_;  // queues_; not held while work runs
  std::map<std::string, Queue> queues_;
};

}  // namespace brume::service
