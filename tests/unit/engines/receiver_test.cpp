// When a callback has been taken back, nobody is being told any more (base/receiver.hpp), by the engines too.
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "base/receiver.hpp"
#include "engines/compute/hypervisor.hpp"

namespace brume {
namespace {

class ReceiverClock final : public Clock {
 public:
  Time now() const override { return Time(milliseconds(1'700'000'000'000)); }
};

// A callback that is under way until it is let go.
struct Held {
  std::promise<void> began, may_end;
  std::atomic<bool> ended{false};
  void run() {
    began.set_value();
    may_end.get_future().wait();
    ended = true;
  }
};

TEST(Receiver, TakingItBackWaitsForTheCallThatIsUnderWay) {
  Receiver<int> receiver;
  Held held;
  receiver.set([&](int) { held.run(); });
  const auto telling = std::async(std::launch::async, [&] { receiver.tell(1); });
  held.began.get_future().wait();
  auto taking_back = std::async(std::launch::async, [&] {
    receiver.set({});
    return held.ended.load();
  });
  EXPECT_EQ(taking_back.wait_for(milliseconds(50)), std::future_status::timeout) << "it is being told";
  held.may_end.set_value();
  EXPECT_TRUE(taking_back.get());
  EXPECT_FALSE(receiver.tell(2));
}

TEST(Receiver, ACallbackMayTakeItselfBack) {
  Receiver<int> receiver;
  int told = 0;
  receiver.set([&, alive = std::make_shared<int>(7)](int) {
    receiver.set({});
    told += *alive;  // what it holds lives until it returns
  });
  EXPECT_TRUE(receiver.tell(1));
  EXPECT_FALSE(receiver.tell(2));
  EXPECT_EQ(told, 7);
}

TEST(SimulatedHypervisor, NobodyIsBeingToldWhenTheReceiverHasBeenTakenBack) {
  const ReceiverClock clock;
  const auto hypervisor = compute::make_simulated_hypervisor(clock);
  Held held;
  hypervisor->on_report([&](const compute::MachineReport&) { held.run(); });
  compute::MachineSpec spec;
  spec.id = "i-1";
  ASSERT_TRUE(hypervisor->start(std::move(spec)));
  ASSERT_TRUE(hypervisor->press_power_button("i-1"));
  held.began.get_future().wait();
  auto taking_back = std::async(std::launch::async, [&] {
    hypervisor->on_report({});
    return held.ended.load();
  });
  EXPECT_EQ(taking_back.wait_for(milliseconds(50)), std::future_status::timeout) << "it is being told";
  held.may_end.set_value();
  EXPECT_TRUE(taking_back.get());
}

}  // namespace
}  // namespace brume
