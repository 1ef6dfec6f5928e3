// Which reads are likely to take long, judging by the last ones: these do not run on the threads that serve all connections.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>

namespace brume::service {

// Threads: all functions may be called from any thread at once.
class LargeReads {
 public:
  using Clock = std::chrono::steady_clock;

  bool expects(std::string_view account, std::string_view action, Clock::time_point now) const {
    return now.time_since_epoch().count() < until_[place(account, action)].load(std::memory_order_relaxed);
  }
  void note(std::string_view account, std::string_view action, Clock::duration took, size_t answer_bytes, Clock::time_point now) {
    if (took < long_read && answer_bytes < large_answer) return;
    until_[place(account, action)].store((now + remembered).time_since_epoch().count(), std::memory_order_relaxed);
  }

 private:
  static constexpr std::chrono::milliseconds long_read{5};
  static constexpr size_t large_answer = 256 << 10;
  static constexpr std::chrono::seconds remembered{60};

  // A table of fixed size: two reads that share a slot only take the longer way unnecessarily.
  static constexpr size_t places = 1024;
  static size_t place(std::string_view account, std::string_view action) {
    const auto hash = std::hash<std::string_view>{};
    return (hash(account) * 31 + hash(action)) % places;
  }
  std::array<std::atomic<std::int64_t>, places> until_{};
};

}  // namespace brume::service
