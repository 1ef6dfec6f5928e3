// A store over a log that a test can hold up and let fail.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "state/codec.hpp"
#include "state/kinds.hpp"
#include "state/store.hpp"

namespace brume::state {

class FixedClock final : public Clock {
 public:
  Time now() const override { return Time(milliseconds(1'322'000'000'000)); }
};

// A log that can be told to fail or to wait, and that tells how often it was appended to.
class TestLog final : public Log {
 public:
  struct Control {
    std::atomic<bool> fails{false};
    std::atomic<bool> waits{false};
    std::counting_semaphore<> reached{0};
    std::counting_semaphore<> released{0};
    std::atomic<int> appends{0};
    std::atomic<size_t> last_size{0};
    LogLimits limits;
  };
  TestLog(std::shared_ptr<Control> control, std::map<std::string, std::string> entries = {})
      : control_(std::move(control)), entries_(std::move(entries)) {}

  Result<std::uint64_t> load(const std::function<void(std::string_view, std::string_view)>& entry) override {
    for (const auto& [key, value] : entries_) entry(key, value);
    return version_;
  }
  Result<std::uint64_t> append(std::vector<LogWrite> writes, std::uint64_t) override {
    if (control_->waits) {
      control_->reached.release();
      control_->released.acquire();
    }
    if (control_->fails) return fail(ErrorKind::exhausted, "the disk is full");
    ++control_->appends;
    control_->last_size = writes.size();
    return ++version_;
  }
  std::uint64_t version() const override { return version_; }
  Result<std::unique_ptr<LogWatch>> watch(std::uint64_t, LogSink sink) override { return watchers_.add(std::move(sink)); }
  LogLimits limits() const override { return control_->limits; }

 private:
  LogWatchers watchers_;
  std::shared_ptr<Control> control_;
  std::map<std::string, std::string> entries_;
  std::uint64_t version_ = 7;
};

inline Setting setting(std::string name, std::string value) { return {std::move(name), std::move(value)}; }

inline std::string value_of(const World& world, std::string_view name) {
  const auto* found = world.find<Setting>(name);
  return found == nullptr ? "" : found->value;
}

class StoreTest : public testing::Test {
 protected:
  StoreTest() { open(make_memory_log()); }

  void open(std::unique_ptr<Log> log) {
    store.reset();
    auto opened = Store::open(std::move(log), clock, random);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    store = std::move(*opened);
  }
  void open_controlled() {
    control = std::make_shared<TestLog::Control>();
    open(std::make_unique<TestLog>(control));
  }
  void put(std::string name, std::string value) {
    store->transact([&](Transaction& transaction) { transaction.put(setting(name, value)); });
  }
  // Holds the writer in the log's append, so that what is submitted meanwhile makes one group.
  void hold_writer() {
    control->waits = true;
    held = std::async(std::launch::async, [this] { put("held", "1"); });
    control->reached.acquire();
    control->waits = false;
  }
  void release_writer() { control->released.release(); }

  FixedClock clock;
  SeededRandom random{1};
  std::shared_ptr<TestLog::Control> control;
  std::unique_ptr<Store> store;
  std::future<void> held;
};

}  // namespace brume::state
