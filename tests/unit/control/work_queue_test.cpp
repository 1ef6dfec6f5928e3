// Timers of keys: one each, the earliest; looks at a guest that a full disk paused do not multiply.
#include "control/work_queue.hpp"

#include "control/timers.hpp"
#include "control_world.hpp"

namespace brume::control {
namespace {

using Moment = Timers::Moment;

constexpr Moment at(int ms) { return Moment(milliseconds(1'000'000 + ms)); }

TEST(Timers, AKeyHasOneTheEarliest) {
  Timers timers;
  timers.set("a", at(30));
  timers.set("a", at(10));
  timers.set("a", at(20));
  timers.set("b", at(15));
  EXPECT_EQ(timers.size(), 2U);
  EXPECT_EQ(timers.next(), at(10));
  EXPECT_EQ(timers.take_due(at(9)), std::nullopt);
  EXPECT_EQ(timers.take_due(at(40)), "a");
  EXPECT_EQ(timers.take_due(at(40)), "b");
  EXPECT_EQ(timers.take_due(at(40)), std::nullopt);
  EXPECT_EQ(timers.next(), std::nullopt);
  timers.set("a", at(50));
  EXPECT_EQ(timers.next(), at(50)) << "once it has come, another may be set";
}

// What a look at a paused guest asks for: by itself, by the report that the guest goes on, by the report that it is paused again; each a
// little later.
TEST(Timers, LooksAtAPausedGuestStayOneAPause) {
  constexpr int pause = 3000;
  Timers timers;
  timers.set("instance/a/i-1", at(pause));
  std::vector<int> looks;
  for (int round = 1; round <= 40; ++round) {
    looks.push_back(0);
    for (int ms = round * pause; ms < (round + 1) * pause; ++ms)
      while (timers.take_due(at(ms))) {
        ++looks.back();
        timers.set("instance/a/i-1", at(ms + pause));
        timers.set("instance/a/i-1", at(ms + pause + 1));
        timers.set("instance/a/i-1", at(ms + pause + 7));
      }
  }
  EXPECT_EQ(std::set<int>(looks.begin(), looks.end()), std::set<int>{1});
  EXPECT_EQ(timers.size(), 1U);
}

TEST(WorkQueueTest, ManyTimersOfOneKeyAreOneRun) {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, int> runs;
  WorkQueue queue(2, [&](const std::string& key) {
    const std::lock_guard lock(mutex);
    ++runs[key];
    changed.notify_all();
  });
  // All of them due one after another, and then the last of all.
  for (int ms = 20; ms < 220; ms += 2) queue.wake_after("one", milliseconds(ms));
  queue.wake_after("last", milliseconds(400));
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, seconds(10), [&] { return runs["last"] == 1; }));
  }
  queue.stop();
  EXPECT_EQ(runs["one"], 1);
}

// A machine whose disk stays full: it pauses again as soon as it goes on, and says so.
class FullDisk : public FakeHypervisor {
 public:
  Result<void> resume(const std::string& id) override {
    {
      const std::lock_guard lock(mutex);
      ++resumes;
      started.notify_all();
    }
    if (!full) [[maybe_unused]]
      const auto runs = FakeHypervisor::resume(id);
    report(id, compute::MachineEvent::resumed, "");
    if (full) report(id, compute::MachineEvent::io_error, "no room");
    return {};
  }
  Result<void> press_power_button(const std::string& id) override {
    auto pressed = FakeHypervisor::press_power_button(id);
    const std::lock_guard lock(mutex);
    ++presses;
    started.notify_all();
    return pressed;
  }
  std::atomic<bool> full{true};
  int resumes = 0, presses = 0;  // guarded by mutex
};

class PausedGuest : public ControlTest {
 protected:
  compute::Hypervisor& machines() override { return full_; }
  ControllerSettings make_settings() override {
    auto settings = ControlTest::make_settings();
    settings.resume_pause = milliseconds(20);
    return settings;
  }
  FullDisk full_;
};

TEST_F(PausedGuest, IsLookedAtOnceAPause) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  const auto begun = std::chrono::steady_clock::now();
  full_.report("i-1", compute::MachineEvent::io_error, "no room");
  constexpr int looks = 40;
  {
    std::unique_lock lock(full_.mutex);
    ASSERT_TRUE(full_.started.wait_for(lock, seconds(30), [&] { return full_.resumes >= looks; }));
  }
  // Never more often than once in 20 ms, however long it lasts: on a busy host it is seldomer.
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(20) * (looks - 2));
}

TEST_F(PausedGuest, IsOneLineInTheLogAndOneMoreWhenItGoesOn) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  ::testing::internal::CaptureStderr();
  full_.report("i-1", compute::MachineEvent::io_error, "no room");
  {
    std::unique_lock lock(full_.mutex);
    EXPECT_TRUE(full_.started.wait_for(lock, seconds(30), [&] { return full_.resumes >= 5; }));
  }
  EXPECT_TRUE(reaches([](const state::World& world) { return !world.find<state::Instance>("a/i-1")->impairment.empty(); }));
  full_.full = false;
  EXPECT_TRUE(reaches([](const state::World& world) { return world.find<state::Instance>("a/i-1")->impairment.empty(); }));
  const auto log = ::testing::internal::GetCapturedStderr();
  const auto count = [&](std::string_view text) {
    int found = 0;
    for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("i-1 is paused"), 1) << log;
  EXPECT_EQ(count("i-1 goes on"), 1) << log;
}

// The reset button is pressed in time although something else woke the instance before.
TEST_F(PausedGuest, IsResetWhenItIgnoresARebootAndWasLookedAtMeanwhile) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  full_.deaf = true;
  store_->transact([](state::Transaction& transaction) {
    auto instance = *transaction.find<state::Instance>("a/i-1");
    ++instance.reboots_asked;
    transaction.put(instance);
  });
  {
    std::unique_lock lock(full_.mutex);
    ASSERT_TRUE(full_.started.wait_for(lock, seconds(10), [&] { return full_.presses == 1; }));
  }
  full_.report("i-1", compute::MachineEvent::resumed, "");
  ASSERT_TRUE(reaches([](const state::World& world) { return world.find<state::Instance>("a/i-1")->reboots_done == 1; }));
  EXPECT_EQ(full_.resets, 1);
}

}  // namespace
}  // namespace brume::control
