// A place for one callback: one part sets it, and the threads of another part call it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace brume {

// The promise: when set() returns, the previous callback is not running on any other thread and will never run again. So a part that
// unregisters its callback may be destroyed at once.
//
// Threads: all functions may be called from any thread. Calls are made one at a time, with the lock held: a callback must not wait, and
// set() must not be called while holding a lock that a callback takes. A callback may set another callback or none; it then runs to its
// end.
template <class... What>
class Receiver {
 public:
  using Callback = std::function<void(What...)>;

  // Empty: nobody is called from now on.
  void set(Callback callback) {
    auto next = callback ? std::make_shared<const Callback>(std::move(callback)) : nullptr;
    const std::lock_guard lock(mutex_);
    callback_.swap(next);
  }

  // False: no callback is set.
  bool tell(What... what) {
    const std::lock_guard lock(mutex_);
    const auto callback = callback_;  // keeps the callback alive until it returns, even if it sets another one
    if (callback == nullptr) return false;
    (*callback)(std::move(what)...);
    return true;
  }

 private:
  std::recursive_mutex mutex_;  // held while a callback runs
  std::shared_ptr<const Callback> callback_;
};

}  // namespace brume
