// The reconcilers with engines that do what a test tells them: what happens when a start fails, a guest does not listen, a machine dies.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <set>
#include <thread>

#include "control/controller.hpp"
#include "control/work_queue.hpp"

namespace brume::control {
namespace {

using state::InstanceState;

// Remembers what runs; fails and stays deaf as told.
class FakeHypervisor final : public compute::Hypervisor {
 public:
  Description describe() const override { return {"fake", "for tests"}; }
  void on_report(std::function<void(compute::MachineReport)> receiver) override { receiver_ = std::move(receiver); }
  Result<std::vector<std::string>> recover() override { return std::vector<std::string>(running.begin(), running.end()); }
  Result<void> start(compute::MachineSpec spec) override {
    const std::lock_guard lock(mutex);
    if (!start_failure.empty()) return fail(ErrorKind::broken, start_failure);
    running.insert(spec.id);
    ++starts;
    started.notify_all();
    last_spec_disks = spec.disks.size();
    plans[spec.id] = spec.cpu;
    return {};
  }
  Result<void> press_power_button(const std::string& id) override {
    if (!deaf) end(id, compute::MachineEvent::guest_shutdown);
    return {};
  }
  Result<void> reset(const std::string&) override {
    ++resets;
    return {};
  }
  Result<void> kill(const std::string& id) override {
    const std::lock_guard lock(mutex);
    kills += running.erase(id) > 0;
    return {};
  }
  Result<compute::MachineState> state(const std::string&) override { return compute::MachineState::running; }
  Result<void> resume(const std::string&) override { return {}; }
  void change_cpu(const std::string& id, const compute::CpuPlan& plan) override {
    const std::lock_guard lock(mutex);
    plans[id] = plan;
    started.notify_all();
  }
  Result<void> attach_disk(const std::string&, const compute::Disk&) override { return {}; }
  Result<void> detach_disk(const std::string&, const std::string&, bool, milliseconds) override { return {}; }
  Result<milliseconds> switch_disks(const std::string&, const std::vector<compute::Disk>&) override { return milliseconds(0); }
  Result<std::int64_t> disk_generation(const std::string&, const std::string&) override {
    return fail(ErrorKind::not_found, "not running");
  }
  Result<void> fold_disk(const std::string&, const std::string&, const std::string&, const std::string&, std::uint64_t) override {
    return {};
  }
  Result<void> resize_disk(const std::string&, const std::string&, std::uint64_t) override { return {}; }
  Result<void> attach_nic(const std::string&, compute::Nic) override { return {}; }
  Result<void> detach_nic(const std::string&, const std::string&, bool, milliseconds) override { return {}; }
  Result<Console> console(const std::string&, size_t) override { return fail(ErrorKind::not_found, "no console"); }
  Result<Picture> screenshot(const std::string&) override { return Picture{1, 1, "abc"}; }
  Result<void> press_key(const std::string&) override {
    ++keys;
    return {};
  }
  Result<void> forget(const std::string&) override { return {}; }
  unsigned user_of(const std::string&) const override { return 1; }

  void report(const std::string& id, compute::MachineEvent event, const std::string& detail) { receiver_({id, event, detail}); }
  void end(const std::string& id, compute::MachineEvent event, const std::string& detail = {}) {
    {
      const std::lock_guard lock(mutex);
      running.erase(id);
    }
    receiver_({id, event, detail});
  }

  std::mutex mutex;
  std::condition_variable started;
  std::set<std::string> running;
  std::map<std::string, compute::CpuPlan> plans;
  std::string start_failure;
  std::atomic<bool> deaf{false};
  std::atomic<int> starts{0}, kills{0}, resets{0}, keys{0};
  std::atomic<size_t> last_spec_disks{0};

 private:
  std::function<void(compute::MachineReport)> receiver_;
};

class ControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = *state::Store::open(state::make_memory_log(), clock_, random_);
    block_ = block::make_simulated_block_engine();
    network_ = network::make_simulated_network_engine("198.18.0.0/24");
    store_->watch([this](const state::Commit&) {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    build();
    ASSERT_TRUE(block_->import_snapshot("snap-1", "file", {}));
  }
  void TearDown() override { controller_.reset(); }

  void build() {
    ControllerSettings settings;
    settings.threads = 2;
    settings.patience = {milliseconds(200), milliseconds(100), milliseconds(200), std::chrono::minutes(60)};
    settings.cpu_plan = [limit = limit_](const state::Instance&) {
      compute::CpuPlan plan;
      plan.most = limit;
      return plan;
    };
    controller_ = std::make_unique<Controller>(*store_, Engines{hypervisor_, *block_, *network_}, clock_, settings,
                                               MetadataDoor{[](const std::string&, Descriptor) {}, [](const std::string&) {}});
    ASSERT_TRUE(controller_->start());
  }

  // What RunInstances puts: an instance with one interface and one volume, and all it depends on.
  void launch(bool terminate_on_shutdown = false) {
    store_->transact([&](state::Transaction& transaction) {
      state::Vpc vpc;
      vpc.account = "a", vpc.id = "vpc-1", vpc.cidr = "172.31.0.0/16";
      transaction.put(vpc);
      state::Subnet subnet;
      subnet.account = "a", subnet.id = "subnet-1", subnet.vpc_id = "vpc-1", subnet.cidr = "172.31.0.0/20";
      transaction.put(subnet);
      state::NetworkInterface interface;
      interface.account = "a", interface.id = "eni-1", interface.vpc_id = "vpc-1", interface.subnet_id = "subnet-1";
      interface.mac = "02:00:00:00:00:01", interface.private_ip = "172.31.0.4", interface.public_ip = "198.18.0.1",
      interface.instance_id = "i-1";
      transaction.put(interface);
      state::Volume volume;
      volume.account = "a", volume.id = "vol-1", volume.size_gib = 1, volume.snapshot_id = "snap-1", volume.instance_id = "i-1";
      volume.delete_on_termination = true;
      transaction.put(volume);
      state::Dependents dependents;
      dependents.account = "a", dependents.instance_id = "i-1", dependents.machine = true, dependents.taps = {"eni-1"},
      dependents.volumes = {"vol-1"};
      transaction.put(dependents);
      state::Instance instance;
      instance.account = "a", instance.id = "i-1", instance.vpc_id = "vpc-1", instance.interface_ids = {"eni-1"},
      instance.volume_ids = {"vol-1"};
      instance.terminate_on_shutdown = terminate_on_shutdown;
      instance.state_since = transaction.now();
      transaction.put(instance);
    });
  }

  void ask(InstanceState state) {
    store_->transact([&](state::Transaction& transaction) {
      auto instance = *transaction.find<state::Instance>("a/i-1");
      instance.state = static_cast<std::int64_t>(state);
      transaction.put(instance);
      if (state != InstanceState::pending) return;
      // As StartInstances does: the tap is wanted again.
      auto dependents = *transaction.find<state::Dependents>("a/i-1");
      dependents.machine = true, dependents.taps = {"eni-1"};
      transaction.put(dependents);
    });
  }

  template <class Condition>
  ::testing::AssertionResult reaches(Condition&& condition) {
    std::unique_lock lock(mutex_);
    const bool done = changed_.wait_for(lock, seconds(10), [&] { return condition(*store_->world()); });
    return done ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "not within 10 s";
  }
  ::testing::AssertionResult reaches(InstanceState state) {
    return reaches([&](const state::World& world) {
      const auto* instance = world.find<state::Instance>("a/i-1");
      return instance != nullptr && instance->current_state() == state;
    });
  }
  state::Instance instance() const { return *store_->world()->find<state::Instance>("a/i-1"); }

  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_;
  FakeHypervisor hypervisor_;
  std::unique_ptr<block::BlockEngine> block_;
  std::unique_ptr<network::NetworkEngine> network_;
  std::unique_ptr<Controller> controller_;
  std::mutex mutex_;
  std::condition_variable changed_;
  double limit_ = 0.5;  // of every machine, in processors
};

TEST_F(ControlTest, ALaunchRunsAndItsVolumeIsAttached) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  const auto world = store_->world();
  EXPECT_EQ(world->find<state::Volume>("a/vol-1")->state, "in-use");
  EXPECT_EQ(hypervisor_.last_spec_disks, 1U);
  EXPECT_TRUE(block_->usage("vol-1"));
}

TEST_F(ControlTest, ALaunchThatFailsEndsTerminatedWithAReasonAndNothingLeft) {
  hypervisor_.start_failure = "no such processor";
  launch();
  ASSERT_TRUE(reaches([](const state::World& world) { return world.find<state::Dependents>("a/i-1") == nullptr; }));
  EXPECT_EQ(instance().current_state(), InstanceState::terminated);
  EXPECT_EQ(instance().state_reason_code, "Server.InternalError");
  EXPECT_NE(instance().state_reason_message.find("no such processor"), std::string::npos);
  EXPECT_FALSE(block_->usage("vol-1"));
  EXPECT_EQ(store_->world()->find<state::Volume>("a/vol-1"), nullptr);
  EXPECT_EQ(store_->world()->find<state::NetworkInterface>("a/eni-1"), nullptr);
}

TEST_F(ControlTest, AStartThatFailsEndsStoppedAndKeepsTheVolume) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  ask(InstanceState::stopping);
  ASSERT_TRUE(reaches(InstanceState::stopped));
  {
    const std::lock_guard lock(hypervisor_.mutex);
    hypervisor_.start_failure = "no kernel";
  }
  ask(InstanceState::pending);
  ASSERT_TRUE(reaches([&](const state::World& world) { return !world.find<state::Instance>("a/i-1")->state_reason_message.empty(); }));
  EXPECT_EQ(instance().current_state(), InstanceState::stopped);
  EXPECT_NE(instance().state_reason_message.find("no kernel"), std::string::npos);
  EXPECT_TRUE(block_->usage("vol-1"));
}

TEST_F(ControlTest, StoppingGivesThePublicAddressBackAndKeepsThePrivateOne) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  ask(InstanceState::stopping);
  ASSERT_TRUE(reaches(InstanceState::stopped));
  const auto world = store_->world();
  EXPECT_EQ(world->find<state::NetworkInterface>("a/eni-1")->public_ip, "");
  EXPECT_EQ(world->find<state::NetworkInterface>("a/eni-1")->private_ip, "172.31.0.4");
  EXPECT_EQ(hypervisor_.kills, 0) << "the guest obeyed";
}

TEST_F(ControlTest, AGuestThatDoesNotListenIsCutOff) {
  hypervisor_.deaf = true;
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  ask(InstanceState::stopping);
  ASSERT_TRUE(reaches(InstanceState::stopped));
  EXPECT_EQ(hypervisor_.kills, 1);
}

TEST_F(ControlTest, AGuestThatEndsItselfStopsOrTerminates) {
  launch(true);
  ASSERT_TRUE(reaches(InstanceState::running));
  hypervisor_.end("i-1", compute::MachineEvent::guest_shutdown);
  ASSERT_TRUE(reaches(InstanceState::terminated));
  EXPECT_EQ(instance().state_reason_code, "Client.InstanceInitiatedShutdown");
}

TEST_F(ControlTest, AMachineThatDiesStopsTheInstanceWithItsLastWords) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  hypervisor_.end("i-1", compute::MachineEvent::died, "killed by signal 9");
  ASSERT_TRUE(reaches(InstanceState::stopped));
  EXPECT_NE(instance().state_reason_message.find("signal 9"), std::string::npos);
}

TEST_F(ControlTest, AMachineThatStandsStillIsImpairedUntilItRuns) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  hypervisor_.report("i-1", compute::MachineEvent::io_error, "no room");
  ASSERT_TRUE(reaches([](const state::World& world) { return world.find<state::Instance>("a/i-1")->impairment == "no room"; }));
  EXPECT_GT(instance().impaired_since, Time{});
  ASSERT_TRUE(reaches([](const state::World& world) { return world.find<state::Instance>("a/i-1")->impairment.empty(); }));
  EXPECT_EQ(instance().impaired_since, Time{});
  EXPECT_EQ(instance().current_state(), InstanceState::running);
}

TEST_F(ControlTest, AStoppedMachineIsNotImpaired) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  hypervisor_.report("i-1", compute::MachineEvent::io_error, "no room");
  ASSERT_TRUE(reaches([](const state::World& world) { return !world.find<state::Instance>("a/i-1")->impairment.empty(); }));
  ask(InstanceState::stopping);
  ASSERT_TRUE(reaches(InstanceState::stopped));
  EXPECT_EQ(instance().impairment, "");
}

TEST_F(ControlTest, APostedPasswordIsKept) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  hypervisor_.report("i-1", compute::MachineEvent::password_posted, "QUJD");
  ASSERT_TRUE(reaches([](const state::World& world) { return world.find<state::Instance>("a/i-1")->password_data == "QUJD"; }));
  const auto posted = instance().password_posted;
  EXPECT_GT(posted, Time{});
  ask(InstanceState::stopping);
  ASSERT_TRUE(reaches(InstanceState::stopped));
  EXPECT_EQ(instance().password_data, "QUJD");
  EXPECT_EQ(instance().password_posted, posted);
}

TEST_F(ControlTest, AScreenshotIsAJpegAndMayWakeTheScreen) {
  const auto plain = controller_->screenshot("i-1", false);
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->substr(0, 3), "\xff\xd8\xff");
  EXPECT_EQ(hypervisor_.keys, 0);
  EXPECT_TRUE(controller_->screenshot("i-1", true));
  EXPECT_EQ(hypervisor_.keys, 1);
}

TEST_F(ControlTest, ARebootStartsTheMachineAgain) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  store_->transact([](state::Transaction& transaction) {
    auto instance = *transaction.find<state::Instance>("a/i-1");
    ++instance.reboots_asked;
    transaction.put(instance);
  });
  ASSERT_TRUE(reaches([](const state::World& world) { return world.find<state::Instance>("a/i-1")->reboots_done == 1; }));
  EXPECT_EQ(hypervisor_.starts, 2);
  EXPECT_EQ(instance().current_state(), InstanceState::running);
}

TEST_F(ControlTest, AGuestThatIgnoresTheRebootIsReset) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  hypervisor_.deaf = true;
  store_->transact([](state::Transaction& transaction) {
    auto instance = *transaction.find<state::Instance>("a/i-1");
    ++instance.reboots_asked;
    transaction.put(instance);
  });
  ASSERT_TRUE(reaches([](const state::World& world) { return world.find<state::Instance>("a/i-1")->reboots_done == 1; }));
  EXPECT_EQ(hypervisor_.resets, 1);
  EXPECT_EQ(hypervisor_.starts, 1);
}

TEST_F(ControlTest, ARestartTakesUpWhatRunsAndBringsBackWhatDoesNot) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  controller_.reset();
  build();
  EXPECT_EQ(hypervisor_.starts, 1) << "it runs: nothing to start";
  controller_.reset();
  hypervisor_.running.clear();  // the host was down
  build();
  std::unique_lock lock(hypervisor_.mutex);
  EXPECT_TRUE(hypervisor_.started.wait_for(lock, seconds(10), [&] { return hypervisor_.starts == 2; }));
}

TEST_F(ControlTest, MachinesAreHeldToTheirPlanAndAfterARestartToTheNewOne) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  EXPECT_EQ(hypervisor_.plans["i-1"].most, 0.5);
  controller_.reset();
  limit_ = 0.25;
  build();
  std::unique_lock lock(hypervisor_.mutex);
  EXPECT_TRUE(hypervisor_.started.wait_for(lock, seconds(10), [&] { return hypervisor_.plans["i-1"].most == 0.25; }));
}

TEST_F(ControlTest, AMachineOfNoInstanceIsEnded) {
  controller_.reset();
  hypervisor_.running.insert("i-nobody");
  build();
  EXPECT_TRUE(hypervisor_.running.empty());
}

TEST(WorkQueueTest, OneKeyNeverRunsTwiceAtOnceAndAWakeWhileItRunsRunsItAgain) {
  std::mutex mutex;
  std::condition_variable changed;
  int inside = 0, most = 0, runs = 0;
  bool hold = true;
  WorkQueue queue(4, [&](const std::string&) {
    std::unique_lock lock(mutex);
    most = std::max(most, ++inside);
    ++runs;
    changed.notify_all();
    changed.wait(lock, [&] { return !hold; });
    --inside;
    changed.notify_all();
  });
  queue.wake("one");
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, seconds(5), [&] { return runs == 1; }));
  }
  for (int i = 0; i < 10; ++i) queue.wake("one");
  {
    std::unique_lock lock(mutex);
    hold = false;
    changed.notify_all();
    ASSERT_TRUE(changed.wait_for(lock, seconds(5), [&] { return runs == 2 && inside == 0; }));
  }
  queue.stop();
  EXPECT_EQ(runs, 2) << "ten wakes while it ran are one run";
  EXPECT_EQ(most, 1);
}

TEST(WorkQueueTest, WorkThatThrowsIsTriedAgain) {
  std::mutex mutex;
  std::condition_variable changed;
  int runs = 0;
  WorkQueue queue(1, [&](const std::string&) {
    const std::lock_guard lock(mutex);
    changed.notify_all();
    if (++runs == 1) throw std::runtime_error("the first time");
  });
  queue.wake("one");
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, seconds(5), [&] { return runs == 2; }));
}

}  // namespace
}  // namespace brume::control
