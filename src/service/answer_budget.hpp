// How much of what was answered may wait for clients to read it, in all and for one account. An answer of megabytes costs its client
// little; without a bound a few hundred clients that read nothing take all of the host's memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace brume::service {

struct AnswerLimits {
  size_t small = 16 << 10;        // not counted: the number of connections bounds these
  size_t in_all = 256 << 20;      // bytes
  size_t of_account = 128 << 20;  // so one account alone cannot take what others need
};

// Threads: all functions may be called from any thread. What `count` returns may outlive the budget.
class AnswerBudget {
 public:
  explicit AnswerBudget(AnswerLimits limits);

  // Throws ApiError 503 while the account (RequestLimitExceeded) or all together (Unavailable) have as much unread as they may. Asked
  // before an answer is made, so that nobody pays for one that cannot be kept.
  void require_room(const std::string& account) const;
  // Counts an answer until the last copy of what this returns is gone: until its connection has written it or has ended. Throws like
  // require_room when it does not fit, unless it is `due` in any case: what was changed must be told.
  std::shared_ptr<void> count(const std::string& account, size_t bytes, bool due);

  size_t unread() const;

 private:
  struct Books;
  std::shared_ptr<Books> books_;
};

}  // namespace brume::service
