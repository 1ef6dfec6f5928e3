#include <utility>

#include "state/log.hpp"

namespace brume::state {

class LogWatchers::Watch final : public LogWatch {
 public:
  Watch(std::shared_ptr<Sinks> sinks, std::uint64_t number) : sinks_(std::move(sinks)), number_(number) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() override {
    const std::lock_guard lock(sinks_->mutex);
    std::erase_if(sinks_->list, [this](const auto& sink) { return sink.first == number_; });
  }

 private:
  std::shared_ptr<Sinks> sinks_;
  std::uint64_t number_;
};

std::unique_ptr<LogWatch> LogWatchers::add(LogSink sink) {
  const std::lock_guard lock(sinks_->mutex);
  const auto number = sinks_->next++;
  sinks_->list.emplace_back(number, std::move(sink));
  return std::make_unique<Watch>(sinks_, number);
}

void LogWatchers::tell(const LogBatchPointer& batch) {
  const std::lock_guard lock(sinks_->mutex);
  for (const auto& [number, sink] : sinks_->list) sink(batch);
}

}  // namespace brume::state
