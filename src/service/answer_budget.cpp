#include "service/answer_budget.hpp"

#include <map>
#include <mutex>

#include "wire/api_error.hpp"

namespace brume::service {

struct AnswerBudget::Books {
  explicit Books(AnswerLimits given) : limits(given) {}

  // Throws unless `bytes` more fit. Call with the mutex held.
  void require(const std::string& account, size_t bytes) const {
    const auto at = accounts.find(account);
    // One answer is always accepted, else an answer larger than the limit could never be read.
    if (at != accounts.end() && at->second + bytes > limits.of_account)
      throw wire::ApiError(503, "RequestLimitExceeded", "Request limit exceeded: too many of your answers have not been read yet.");
    if (total > 0 && total + bytes > limits.in_all)
      throw wire::service_unavailable("The server is overloaded and can't handle the request.");
  }
  void release(const std::string& account, size_t bytes) {
    const std::lock_guard lock(mutex);
    total -= bytes;
    const auto at = accounts.find(account);
    if ((at->second -= bytes) == 0) accounts.erase(at);
  }

  const AnswerLimits limits;
  std::mutex mutex;  // guards what follows
  size_t total = 0;
  std::map<std::string, size_t> accounts;  // accounts with unread bytes
};

AnswerBudget::AnswerBudget(AnswerLimits limits) : books_(std::make_shared<Books>(limits)) {}

void AnswerBudget::require_room(const std::string& account) const {
  const std::lock_guard lock(books_->mutex);
  books_->require(account, 1);
}

std::shared_ptr<void> AnswerBudget::count(const std::string& account, size_t bytes, bool due) {
  if (bytes <= books_->limits.small) return nullptr;
  struct Counted {
    Counted() = default;
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() {
      if (books) books->release(account, bytes);
    }
    std::shared_ptr<Books> books;  // null until it is counted
    std::string account;
    size_t bytes = 0;
  };
  const auto counted = std::make_shared<Counted>();
  counted->account = account;
  counted->bytes = bytes;
  const std::lock_guard lock(books_->mutex);
  if (!due) books_->require(account, bytes);
  books_->accounts[account] += bytes;
  books_->total += bytes;
  counted->books = books_;
  return counted;
}

size_t AnswerBudget::unread() const {
  const std::lock_guard lock(books_->mutex);
  return books_->total;
}

}  // namespace brume::service
