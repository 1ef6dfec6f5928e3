// What happens when a start fails, a guest does not listen, a machine dies.
#include "control_world.hpp"

namespace brume::control {
namespace {

TEST_F(ControlTest, ALaunchRunsAndItsVolumeIsAttached) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  const auto world = store_->world();
  EXPECT_EQ(world->find<state::Volume>("a/vol-1")->state, state::VolumeState::in_use);
  EXPECT_EQ(hypervisor_.last_spec_disks, 1U);
  EXPECT_TRUE(block_->usage("vol-1"));
}

TEST_F(ControlTest, ALaunchThatFailsEndsTerminatedWithAReasonAndNothingLeft) {
  hypervisor_.start_failure = "no such processor";
  launch();
  ASSERT_TRUE(reaches([](const state::World& world) { return world.find<state::Dependents>("a/i-1") == nullptr; }));
  EXPECT_EQ(instance().state, InstanceState::terminated);
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
  EXPECT_EQ(instance().state, InstanceState::stopped);
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
  EXPECT_EQ(instance().state, InstanceState::running);
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
  EXPECT_EQ(instance().state, InstanceState::running);
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

// The records of another day, or of another home, know nothing of what runs and lies here.
TEST_F(ControlTest, WhatNoRecordKnowsGoesOnlyWithProof) {
  for (const bool proven : {false, true}) {
    controller_.reset();
    hypervisor_.running.insert("i-strange");
    [[maybe_unused]] const auto made = block_->create("vol-strange", 1 << 20, "");
    network::VpcSpec vpc;
    vpc.id = "vpc-strange", vpc.cidr = "10.1.0.0/16";
    ASSERT_TRUE(network_->ensure_vpc(vpc));
    records_are_proven_ = proven;
    build();
    const auto network_is_there = [&] {
      const auto found = network_->found();
      return std::any_of(found->begin(), found->end(), [](const auto& each) { return each.vpc_id == "vpc-strange"; });
    };
    EXPECT_EQ(hypervisor_.running.count("i-strange"), proven ? 0U : 1U);
    EXPECT_EQ(block_->usage("vol-strange").has_value(), !proven);
    // Not told of by any change of the records.
    for (int i = 0; proven && i < 2000 && network_is_there(); ++i) std::this_thread::sleep_for(milliseconds(5));
    EXPECT_EQ(network_is_there(), !proven);
  }
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

TEST_F(ControlTest, InstanceStoresOutliveARebootAndNothingElse) {
  state::BlockDevice store;
  store.device = "/dev/sdb", store.virtual_name = "ephemeral0", store.size_gib = 150;
  launch(false, {store});
  ASSERT_TRUE(reaches(InstanceState::running));
  const auto id = instance_store_id("i-1", "ephemeral0");
  ASSERT_TRUE(block_->usage(id));
  EXPECT_EQ(block_->usage(id)->virtual_bytes, 150ULL << 30);
  EXPECT_EQ(hypervisor_.last_spec_disks, 2U);
  // What would be wiped is told by its size.
  ASSERT_TRUE(block_->resize(id, 151ULL << 30, ""));
  store_->transact([](state::Transaction& transaction) {
    auto instance = *transaction.find<state::Instance>("a/i-1");
    ++instance.reboots_asked;
    transaction.put(instance);
  });
  ASSERT_TRUE(reaches([](const state::World& world) { return world.find<state::Instance>("a/i-1")->reboots_done == 1; }));
  EXPECT_EQ(block_->usage(id)->virtual_bytes, 151ULL << 30);
  ask(InstanceState::stopping);
  ASSERT_TRUE(reaches(InstanceState::stopped));
  EXPECT_FALSE(block_->usage(id));
  ask(InstanceState::pending);
  ASSERT_TRUE(reaches(InstanceState::running));
  EXPECT_EQ(block_->usage(id)->virtual_bytes, 150ULL << 30) << "an empty one";
  ask(InstanceState::shutting_down);
  ASSERT_TRUE(reaches(InstanceState::terminated));
  EXPECT_FALSE(block_->usage(id));
}

TEST_F(ControlTest, AnInstanceStoreThatACrashLeftIsMadeAnew) {
  state::BlockDevice store;
  store.device = "/dev/sdb", store.virtual_name = "ephemeral0", store.size_gib = 150;
  const auto id = instance_store_id("i-1", "ephemeral0");
  ASSERT_TRUE(block_->create(id, 999, ""));
  launch(false, {store});
  ASSERT_TRUE(reaches(InstanceState::running));
  EXPECT_EQ(block_->usage(id)->virtual_bytes, 150ULL << 30);
}

// A task to give i-1 the root vol-2, of the same snapshot.
void ask_for_another_root(state::Store& store, bool delete_replaced) {
  store.transact([&](state::Transaction& transaction) {
    state::Volume volume;
    volume.account = "a", volume.id = "vol-2", volume.size_gib = 1, volume.snapshot_id = "snap-1";
    transaction.put(volume);
    state::RootReplacement task;
    task.account = "a", task.id = "replacevol-1", task.instance_id = "i-1", task.volume_id = "vol-2", task.replaced_volume_id = "vol-1";
    task.delete_replaced = delete_replaced;
    transaction.put(task);
  });
}

bool task_is(const state::World& world, state::RootReplacementState state) {
  return world.find<state::RootReplacement>("a/replacevol-1")->state == state;
}

TEST_F(ControlTest, AnotherRootComesWithARestartOfTheGuest) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  ask_for_another_root(*store_, false);
  ASSERT_TRUE(reaches([](const state::World& world) { return task_is(world, state::RootReplacementState::succeeded); }));
  const auto world = store_->world();
  EXPECT_EQ(hypervisor_.starts, 2);
  EXPECT_EQ(hypervisor_.kills, 0) << "the guest obeyed";
  EXPECT_EQ(instance().volume_ids, std::vector<std::string>{"vol-2"});
  EXPECT_EQ(world->find<state::Volume>("a/vol-2")->instance_id, "i-1");
  EXPECT_EQ(world->find<state::Volume>("a/vol-2")->state, state::VolumeState::in_use);
  EXPECT_TRUE(world->find<state::Volume>("a/vol-2")->delete_on_termination);
  EXPECT_EQ(world->find<state::Volume>("a/vol-1")->state, state::VolumeState::available);
  EXPECT_EQ(world->find<state::Volume>("a/vol-1")->instance_id, "");
  EXPECT_TRUE(block_->usage("vol-1"));
}

TEST_F(ControlTest, AGuestThatDoesNotListenGetsAnotherRootAllTheSameAndTheOldOneGoes) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  hypervisor_.deaf = true;
  ask_for_another_root(*store_, true);
  ASSERT_TRUE(reaches([](const state::World& world) {
    return task_is(world, state::RootReplacementState::succeeded) && world.find<state::Volume>("a/vol-1") == nullptr;
  }));
  EXPECT_EQ(hypervisor_.kills, 1);
  EXPECT_FALSE(block_->usage("vol-1"));
}

TEST_F(ControlTest, AnInstanceThatStopsKeepsItsRootAndTheOtherGoes) {
  hypervisor_.deaf = true;
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  ask_for_another_root(*store_, true);
  ask(InstanceState::stopping);
  ASSERT_TRUE(reaches([](const state::World& world) {
    return task_is(world, state::RootReplacementState::failed) && world.find<state::Volume>("a/vol-2") == nullptr;
  }));
  EXPECT_EQ(instance().volume_ids, std::vector<std::string>{"vol-1"});
  EXPECT_FALSE(block_->usage("vol-2"));
}

TEST_F(ControlTest, ADaemonThatDiesInTheMidstOfItGoesOnWithTheOtherRoot) {
  hypervisor_.deaf = true;
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  ask_for_another_root(*store_, false);
  ASSERT_TRUE(reaches([](const state::World& world) { return task_is(world, state::RootReplacementState::in_progress); }));
  controller_.reset();
  build();
  ASSERT_TRUE(reaches([](const state::World& world) { return task_is(world, state::RootReplacementState::succeeded); }));
  EXPECT_EQ(instance().volume_ids, std::vector<std::string>{"vol-2"});
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

TEST_F(ControlTest, AVolumeIsHeldToWhatItsTypePromises) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  const auto held_to = [&](std::int64_t requests) {
    std::unique_lock lock(hypervisor_.mutex);
    return hypervisor_.started.wait_for(lock, seconds(10), [&] {
      const auto& seen = hypervisor_.limits["vol-1"];
      return !seen.empty() && seen.back().requests == requests;
    });
  };
  EXPECT_TRUE(held_to(0));
  // ModifyVolume.
  store_->transact([&](state::Transaction& transaction) {
    state::VolumeModification modification;
    modification.account = "a", modification.volume_id = "vol-1", modification.target_type = "io1", modification.target_iops = 500;
    modification.target_size_gib = 10;
    transaction.put(modification);
  });
  EXPECT_TRUE(held_to(500));
  EXPECT_TRUE(reaches([](const state::World& world) {
    const auto* modification = world.find<state::VolumeModification>("a/vol-1");
    return modification->state == state::ModificationState::completed && world.find<state::Volume>("a/vol-1")->type == "io1";
  }));
  // Another daemon, which may have been told something else of what volumes are held to.
  controller_.reset();
  {
    const std::lock_guard lock(hypervisor_.mutex);
    hypervisor_.limits.clear();
  }
  build();
  EXPECT_TRUE(held_to(500));
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
