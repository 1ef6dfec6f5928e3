#include "service/fair_shares.hpp"

namespace brume::service {

std::shared_ptr<void> AccountCounts::enter(const std::string& account) {
  struct Entered {
    explicit Entered(AccountCounts& all, const std::string& name) : counts(all), account(name) {}
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;
    ~Entered() {
      if (!is_counted) return;
      const std::lock_guard lock(counts.mutex_);
      const auto at = counts.counts_.find(account);
      if (--at->second == 0) counts.counts_.erase(at);
    }
    AccountCounts& counts;
    std::string account;
    bool is_counted = false;
  };
  const auto entered = std::make_shared<Entered>(*this, account);
  const std::lock_guard lock(mutex_);
  auto& count = counts_[account];
  if (count >= limit_) return nullptr;
  ++count;
  entered->is_counted = true;
  return entered;
}

void AccountTurns::enter(const std::string& account, std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    auto& queue = queues_[account];
    if (queue.inside >= at_once_) {
      queue.waiting.push_back(std::move(work));
      return;
    }
    ++queue.inside;
  }
  work();
}

void AccountTurns::leave(const std::string& account) {
  std::function<void()> next;
  {
    const std::lock_guard lock(mutex_);
    const auto at = queues_.find(account);
    auto& queue = at->second;
    if (queue.waiting.empty()) {
      if (--queue.inside == 0) queues_.erase(at);
      return;
    }
    next = std::move(queue.waiting.front());
    queue.waiting.pop_front();
  }
  next();
}

}  // namespace brume::service
