#include <map>

#include "state/store.hpp"

namespace brume::state {
namespace {

class MemoryLog final : public Log {
 public:
  Result<void> load(const std::function<void(std::string_view key, std::string_view value)>& entry) override {
    for (const auto& [key, value] : entries_) entry(key, value);
    return {};
  }
  Result<std::uint64_t> append(const std::vector<LogWrite>& writes) override {
    for (const auto& write : writes) {
      if (write.value)
        entries_[write.key] = *write.value;
      else
        entries_.erase(write.key);
    }
    return ++version_;
  }
  std::uint64_t version() const override { return version_; }

 private:
  std::map<std::string, std::string> entries_;
  std::uint64_t version_ = 0;
};

}  // namespace

std::unique_ptr<Log> make_memory_log() { return std::make_unique<MemoryLog>(); }

}  // namespace brume::state
