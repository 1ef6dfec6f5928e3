#include <map>

#include "state/log.hpp"

namespace brume::state {
namespace {

class MemoryLog final : public Log {
 public:
  Result<std::uint64_t> load(const std::function<void(std::string_view key, std::string_view value)>& entry) override {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, value] : entries_) entry(key, value);
    return version_;
  }
  Result<std::uint64_t> append(std::vector<LogWrite> writes, std::uint64_t expected) override {
    const std::lock_guard lock(mutex_);
    if (expected != version_) return fail(ErrorKind::conflict, "the log is at another version");
    for (const auto& write : writes) {
      if (write.value)
        entries_[write.key] = *write.value;
      else
        entries_.erase(write.key);
    }
    watchers_.tell(std::make_shared<const LogBatch>(LogBatch{++version_, std::move(writes)}));
    return version_;
  }
  std::uint64_t version() const override {
    const std::lock_guard lock(mutex_);
    return version_;
  }
  Result<std::unique_ptr<LogWatch>> watch(std::uint64_t from, LogSink sink) override {
    const std::lock_guard lock(mutex_);
    if (from != version_) return fail(ErrorKind::not_found, "a log in memory keeps no history");
    return watchers_.add(std::move(sink));
  }

 private:
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, std::string> entries_;
  std::uint64_t version_ = 0;
  LogWatchers watchers_;
};

}  // namespace

std::unique_ptr<Log> make_memory_log() { return std::make_unique<MemoryLog>(); }

}  // namespace brume::state
