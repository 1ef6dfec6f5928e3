// The times at which keys are to be woken: one per key, the earliest that was asked for. A reconciler that needs a later time too asks
// again when it is woken, as every waiting reconciler does. So however often a wake is requested, the key is woken once.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace brume::control {

// Threads: one at a time; the work queue's lock guards it.
class Timers {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  void set(const std::string& key, Moment at) {
    const auto [found, added] = by_key_.try_emplace(key, at);
    if (!added) {
      if (found->second <= at) return;
      by_time_.erase({found->second, key});
      found->second = at;
    }
    by_time_.emplace(at, key);
  }

  // Takes a key whose time has come; nullopt: none.
  std::optional<std::string> take_due(Moment now) {
    if (by_time_.empty() || by_time_.begin()->first > now) return std::nullopt;
    auto key = by_time_.begin()->second;
    by_time_.erase(by_time_.begin());
    by_key_.erase(key);
    return key;
  }

  std::optional<Moment> next() const { return by_time_.empty() ? std::nullopt : std::optional(by_time_.begin()->first); }
  size_t size() const { return by_time_.size(); }

 private:
  std::unordered_map<std::string, Moment> by_key_;
  std::set<std::pair<Moment, std::string>> by_time_;
};

}  // namespace brume::control
