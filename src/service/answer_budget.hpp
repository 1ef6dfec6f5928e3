// How many bytes of answers may wait for clients to read them, in total and per account. An answer of megabytes costs its client little;
// without a bound a few hundred clients that read nothing would use up the host's memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace brume::service {

struct AnswerLimits {
  size_t small = 16 << 10;        // smaller ones are not counted: the number of connections bounds them
  size_t in_all = 256 << 20;      // bytes
  size_t of_account = 128 << 20;  // so that one account alone cannot take what others need
};

// Threads: all functions may be called from any thread. The result of `count` may outlive the budget.
class AnswerBudget {
 public:
  explicit AnswerBudget(AnswerLimits limits);

  // Throws ApiError 503 while the account (RequestLimitExceeded) or all together (Unavailable) have as much unread as they may. Called
  // before an answer is made, so that no work is spent on one that cannot be kept.
  void require_room(const std::string& account) const;
  // Counts an answer until the last copy of the result is gone, that is, until its connection has written it or has ended. Throws like
  // require_room if it does not fit, unless it is `due` in any case: a client must be told about a change that was made.
  std::shared_ptr<void> count(const std::string& account, size_t bytes, bool due);

  size_t unread() const;

 private:
  struct Books;
  std::shared_ptr<Books> books_;
};

}  // namespace brume::service
