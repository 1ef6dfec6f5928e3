// Nothing hangs (OPS-108): what is pending, stopping or shutting-down for too long is failed or forced, and said.
#include "control_world.hpp"
#include "network_engine_over.hpp"

namespace brume::control {
namespace {

// A network whose calls do not return until they are let go, as those of a host that hangs.
class HangingNetwork : public network::NetworkEngineOver {
 public:
  using NetworkEngineOver::NetworkEngineOver;
  Result<void> ensure_all(const network::VpcSpec& vpc, const std::vector<network::GroupSpec>& groups,
                          const std::vector<network::InterfaceSpec>& interfaces) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !hangs_; });
    lock.unlock();
    return NetworkEngineOver::ensure_all(vpc, groups, interfaces);
  }
  void go_on() {
    const std::lock_guard lock(mutex_);
    hangs_ = false;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hangs_ = true;
};

class StuckStart : public ControlTest {
 protected:
  std::unique_ptr<network::NetworkEngine> make_network() override {
    auto made = std::make_unique<HangingNetwork>(ControlTest::make_network());
    hanging_ = made.get();
    return made;
  }
  ControllerSettings make_settings() override {
    auto settings = ControlTest::make_settings();
    settings.patience.pending = milliseconds(300);
    settings.patience.watch = milliseconds(20);
    return settings;
  }
  void TearDown() override {
    hanging_->go_on();
    ControlTest::TearDown();
  }
  HangingNetwork* hanging_ = nullptr;
};

TEST_F(StuckStart, ALaunchThatHangsFailsWithAReason) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::terminated));
  EXPECT_EQ(instance().state_reason_code, "Server.InternalError");
  EXPECT_NE(instance().state_reason_message.find("pending for"), std::string::npos) << instance().state_reason_message;
  EXPECT_NE(instance().state_reason_message.find("eni-1"), std::string::npos) << "and what it waited for";
  EXPECT_EQ(hypervisor_.starts, 0);
}

// A machine that cannot be ended: its process hangs in the host's disk.
class Undying : public FakeHypervisor {
 public:
  Result<void> kill(const std::string& id) override {
    if (undying) return fail(ErrorKind::timed_out, "the process of " + id + " does not end");
    return FakeHypervisor::kill(id);
  }
  std::atomic<bool> undying{true};
};

class StuckStop : public ControlTest {
 protected:
  compute::Hypervisor& machines() override { return undying_; }
  ControllerSettings make_settings() override {
    auto settings = ControlTest::make_settings();
    settings.patience.ending = milliseconds(100);
    settings.patience.watch = milliseconds(20);
    return settings;
  }
  Undying undying_;
};

TEST_F(StuckStop, AStopThatHangsSaysWhyAndEndsWhenItCan) {
  undying_.deaf = true;
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  EXPECT_TRUE(controller_->stuck().empty());
  ask(InstanceState::stopping);
  ASSERT_TRUE(reaches([](const state::World& world) {
    return world.find<state::Instance>("a/i-1")->state_reason_message.find("does not end") != std::string::npos;
  }));
  EXPECT_EQ(instance().state, InstanceState::stopping) << "its machine may still write to the disks";
  EXPECT_EQ(instance().state_reason_code, "Server.InternalError");
  const auto stuck = controller_->stuck();
  ASSERT_EQ(stuck.size(), 1U);
  EXPECT_EQ(stuck[0].id, "i-1");
  EXPECT_EQ(stuck[0].state, "stopping");
  undying_.undying = false;
  ASSERT_TRUE(reaches(InstanceState::stopped));
  EXPECT_TRUE(controller_->stuck().empty());
}

}  // namespace
}  // namespace brume::control
