// A place for one callback that a part gives to another: the giver sets it, the other part's threads call it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace brume {

// The promise: when set() returns, the callback that was there before is not running on any other thread and never runs again. So a
// part that takes its callback back may be destroyed at once.
//
// Threads: all functions may be called from any thread. Calls come one at a time, with the lock held: a callback must not wait, and
// set() must not be called with a lock held that a callback takes. A callback may set another one, or none; it then finishes first.
template <class... What>
class Receiver {
 public:
  using Callback = std::function<void(What...)>;

  // Empty: nobody is told from now on.
  void set(Callback callback) {
    auto next = callback ? std::make_shared<const Callback>(std::move(callback)) : nullptr;
    const std::lock_guard lock(mutex_);
    callback_.swap(next);
  }

  // False: there is nobody to tell.
  bool tell(What... what) {
    const std::lock_guard lock(mutex_);
    const auto callback = callback_;  // lives until it returns, also when it sets another one
    if (callback == nullptr) return false;
    (*callback)(std::move(what)...);
    return true;
  }

 private:
  std::recursive_mutex mutex_;  // held while a callback runs
  std::shared_ptr<const Callback> callback_;
};

}  // namespace brume
