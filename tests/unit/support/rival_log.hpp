// A log in memory that other writers append to as well: at random moments somebody is quicker, so that decisions have to run again.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "state/log.hpp"

namespace brume::state {

class RivalLog final : public Log {
 public:
  // Of `of` appends about `beaten` find that somebody was quicker.
  explicit RivalLog(std::shared_ptr<Log> inside, unsigned beaten = 1, unsigned of = 3, LogLimits limits = {})
      : inside_(std::move(inside)), beaten_(beaten), of_(of), limits_(limits) {}

  Result<std::uint64_t> load(const std::function<void(std::string_view, std::string_view)>& entry) override { return inside_->load(entry); }
  Result<std::uint64_t> append(std::vector<LogWrite> writes, std::uint64_t expected) override {
    if (writes.size() > limits_.keys) return fail(ErrorKind::exhausted, "too many keys in one transaction");
    if (is_beaten()) {
      ++conflicts;
      const auto name = "rival-" + std::to_string(conflicts % 7);
      inside_->append({{"setting/" + name, R"({"name":")" + name + R"(","value":")" + std::to_string(conflicts) + R"("})"}},
                      inside_->version());
    }
    return inside_->append(std::move(writes), expected);
  }
  std::uint64_t version() const override { return inside_->version(); }
  Result<std::unique_ptr<LogWatch>> watch(std::uint64_t from, LogSink sink) override { return inside_->watch(from, std::move(sink)); }
  LogLimits limits() const override { return limits_; }

  std::atomic<unsigned> conflicts{0};  // that were made

 private:
  bool is_beaten() {
    const std::lock_guard lock(mutex_);
    return chance_() % of_ < beaten_;
  }

  std::shared_ptr<Log> inside_;
  unsigned beaten_;
  unsigned of_;
  LogLimits limits_;
  std::mutex mutex_;
  std::mt19937 chance_{20111201};  // guarded by mutex_
};

}  // namespace brume::state
