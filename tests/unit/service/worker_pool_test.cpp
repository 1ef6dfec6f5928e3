#include "service/worker_pool.hpp"

#include <gtest/gtest.h>

#include <future>

namespace brume::service {
namespace {

constexpr auto pool_patience = std::chrono::seconds(20);

// Work that begins, and ends when the test says so.
class Gate {
 public:
  std::function<void()> work() {
    return [this] {
      ++begun;
      opened_.wait();
    };
  }
  void open() { opening_.set_value(); }
  std::atomic<int> begun = 0;

 private:
  std::promise<void> opening_;
  std::shared_future<void> opened_ = opening_.get_future().share();
};

TEST(WorkerPool, OneOwnersWorkNeverTakesAllThreads) {
  Gate gate;
  WorkerPool pool(3, 100);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(pool.submit("greedy", gate.work()));
  // Each is done although the greedy one's first two stand still.
  for (int i = 0; i < 10; ++i) {
    const auto done = std::make_shared<std::promise<void>>();
    ASSERT_TRUE(pool.submit("other", [done] { done->set_value(); }));
    ASSERT_EQ(done->get_future().wait_for(pool_patience), std::future_status::ready);
  }
  EXPECT_LE(gate.begun, 2);
  gate.open();
  pool.stop();
}

TEST(WorkerPool, OwnersTakeTurns) {
  Gate gate;
  std::mutex mutex;
  std::string order;
  const auto done = std::make_shared<std::promise<void>>();
  const auto note = [&](char who) {
    return [&, who] {
      const std::lock_guard lock(mutex);
      order += who;
      if (order.size() == 9) done->set_value();
    };
  };
  WorkerPool pool(1, 100);
  ASSERT_TRUE(pool.submit("", gate.work()));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(pool.submit("a", note('a')));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(pool.submit("b", note('b')));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(pool.submit("c", note('c')));
  gate.open();
  ASSERT_EQ(done->get_future().wait_for(pool_patience), std::future_status::ready);
  EXPECT_EQ(order, "abcabcaaa");
}

TEST(WorkerPool, OneOwnerLeavesPlacesToOthers) {
  Gate gate;
  WorkerPool pool(1, 8);
  ASSERT_TRUE(pool.submit("", gate.work()));
  while (gate.begun == 0) std::this_thread::yield();
  int taken = 0;
  while (pool.submit("greedy", [] {})) ++taken;
  EXPECT_EQ(taken, 6);
  EXPECT_TRUE(pool.submit("other", [] {}));
  EXPECT_TRUE(pool.submit("other", [] {}));
  EXPECT_FALSE(pool.submit("other", [] {})) << "all places are taken";
  gate.open();
  pool.stop();
  EXPECT_FALSE(pool.submit("other", [] {}));
}

}  // namespace
}  // namespace brume::service
