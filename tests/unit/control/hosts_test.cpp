// Two hosts over one state, each with its own controller, machines, files and networks: each works on what is its own, whatever happens
// to the other; and a host whose records may not be the newest removes nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <string>

#include "control/host_services.hpp"
#include "crash_world.hpp"

namespace brume::control {
namespace {

using state::InstanceState;

// A host as it is without its daemon, and the daemon's part while there is one.
struct HostUnderTest {
  explicit HostUnderTest(std::string name) : id(std::move(name)) {}

  std::string id;
  std::string folder;
  Life life;
  std::atomic<bool> current{true};
  std::atomic<int> asked{0};  // whether it is
  std::unique_ptr<MachinesWithDisks> machines;
  std::unique_ptr<block::BlockEngine> block;
  std::unique_ptr<network::NetworkEngine> network;
  std::unique_ptr<Controller> controller;

  std::set<std::string> disks() const {
    std::set<std::string> ids;
    const auto holdings = block->holdings();
    for (const auto& held : *holdings) ids.insert(held.id);
    return ids;
  }
  std::set<std::string> running() const {
    const std::lock_guard lock(machines->mutex);
    return machines->running;
  }
  std::set<std::string> taps() const {
    std::set<std::string> ids;
    const auto found = network->found();
    for (const auto& vpc : *found) ids.insert(vpc.interface_ids.begin(), vpc.interface_ids.end());
    return ids;
  }
};

class HostsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/brume-hosts-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    store_ = *state::Store::open(state::make_memory_log(), clock_, random_);
    store_->watch([this](const state::Commit&) {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    store_->transact([](state::Transaction& transaction) {
      state::Vpc vpc;
      vpc.account = "a", vpc.id = "vpc-1", vpc.cidr = "172.31.0.0/16";
      transaction.put(vpc);
      state::Subnet subnet;
      subnet.account = "a", subnet.id = "subnet-1", subnet.vpc_id = "vpc-1", subnet.cidr = "172.31.0.0/20";
      transaction.put(subnet);
    });
    for (auto* host : {&first_, &second_}) {
      host->folder = folder_ + "/" + host->id;
      host->machines = std::make_unique<MachinesWithDisks>(host->life);
      host->network = network::make_simulated_network_engine("198.18.0.0/24");
      open_files(*host);
    }
  }
  void TearDown() override {
    for (auto* host : {&first_, &second_}) {
      host->controller.reset();
      host->block.reset();
    }
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void open_files(HostUnderTest& host) {
    auto made = block::make_file_block_engine(host.folder, [&host](std::string_view step) { host.life.step(step); });
    ASSERT_TRUE(made) << made.error().message;
    host.block = std::move(*made);
  }
  void begin(HostUnderTest& host) {
    ControllerSettings settings;
    settings.host = host.id;
    settings.threads = 1;  // the same order of steps each time
    settings.is_current = [&host](const state::World&) {
      ++host.asked;
      return host.current.load();
    };
    settings.freshness_pause = milliseconds(5);
    settings.patience = {milliseconds(200), milliseconds(100), milliseconds(200), std::chrono::minutes(60)};
    settings.volume_key = std::string(sealing_key_size, 'h');
    settings.keep_aside = milliseconds(0);
    host.controller = std::make_unique<Controller>(*store_, Engines{*host.machines, *host.block, *host.network}, clock_, settings,
                                                   MetadataDoor{[](const std::string&, Descriptor) {}, [](const std::string&) {}});
    const auto started = host.controller->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  // As when the daemon was killed: over what is left of the host.
  void begin_anew(HostUnderTest& host) {
    host.controller.reset();
    host.block.reset();
    host.life.disarm();
    open_files(host);
    begin(host);
  }

  // What RunInstances puts, on the host: an instance with one interface and one blank volume.
  void launch(int number, const std::string& host) {
    const auto n = std::to_string(number);
    store_->transact([&](state::Transaction& transaction) {
      state::NetworkInterface interface;
      interface.account = "a", interface.id = "eni-" + n, interface.vpc_id = "vpc-1", interface.subnet_id = "subnet-1";
      interface.mac = "02:00:00:00:00:0" + n, interface.private_ip = "172.31.0.1" + n, interface.instance_id = "i-" + n;
      transaction.put(interface);
      state::Volume volume;
      volume.account = "a", volume.id = "vol-" + n, volume.size_gib = 1, volume.instance_id = "i-" + n, volume.host = host;
      volume.delete_on_termination = true;
      transaction.put(volume);
      state::Dependents dependents;
      dependents.account = "a", dependents.instance_id = "i-" + n, dependents.machine = true, dependents.taps = {"eni-" + n},
      dependents.volumes = {"vol-" + n};
      transaction.put(dependents);
      state::Instance instance;
      instance.account = "a", instance.id = "i-" + n, instance.vpc_id = "vpc-1", instance.interface_ids = {"eni-" + n},
      instance.volume_ids = {"vol-" + n}, instance.host = host, instance.state_since = transaction.now();
      transaction.put(instance);
    });
  }
  void terminate(const std::string& id) {
    store_->transact([&](state::Transaction& transaction) {
      auto instance = *transaction.find<state::Instance>("a/" + id);
      instance.state = InstanceState::shutting_down;
      instance.state_since = transaction.now();
      transaction.put(instance);
    });
  }
  void make_volume(const std::string& id, const std::string& host) {
    store_->transact([&](state::Transaction& transaction) {
      state::Volume volume;
      volume.account = "a", volume.id = id, volume.size_gib = 1, volume.host = host;
      transaction.put(volume);
    });
  }
  bool has_file(const HostUnderTest& host, const std::string& id) const { return host.disks().contains(id); }
  bool is_in(const std::string& id, InstanceState state) const {
    const auto world = store_->world();
    const auto* instance = world->find<state::Instance>("a/" + id);
    return instance != nullptr && instance->state == state;
  }
  // Terminated, and nothing is left of what it held.
  bool is_gone(const std::string& id) const {
    return is_in(id, InstanceState::terminated) && store_->world()->find<state::Dependents>("a/" + id) == nullptr;
  }
  // Looks again: not all that is waited for is told by a commit.
  bool comes(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + seconds(20);
    while (!condition()) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, milliseconds(5));
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }

  SystemClock clock_;
  SeededRandom random_{1};
  std::string folder_;
  std::unique_ptr<state::Store> store_;
  HostUnderTest first_{"host-1"};
  HostUnderTest second_{"host-2"};
  std::mutex mutex_;
  std::condition_variable changed_;
};

using Ids = std::set<std::string>;

TEST_F(HostsTest, EachWorksOnItsOwn) {
  begin(first_), begin(second_);
  launch(1, "host-1"), launch(2, "host-2"), launch(3, "host-2");
  make_volume("vol-8", "host-1"), make_volume("vol-9", "host-2");
  ASSERT_TRUE(comes([&] {
    return is_in("i-1", InstanceState::running) && is_in("i-2", InstanceState::running) && is_in("i-3", InstanceState::running);
  }));
  ASSERT_TRUE(comes([&] { return has_file(first_, "vol-8") && has_file(second_, "vol-9"); }));
  EXPECT_EQ(first_.running(), (Ids{"i-1"}));
  EXPECT_EQ(second_.running(), (Ids{"i-2", "i-3"}));
  EXPECT_EQ(first_.disks(), (Ids{"vol-1", "vol-8"}));
  EXPECT_EQ(second_.disks(), (Ids{"vol-2", "vol-3", "vol-9"}));
  EXPECT_EQ(first_.taps(), (Ids{"eni-1"}));
  EXPECT_EQ(second_.taps(), (Ids{"eni-2", "eni-3"}));
  terminate("i-2");
  ASSERT_TRUE(comes([&] { return is_in("i-2", InstanceState::terminated) && !has_file(second_, "vol-2"); }));
  EXPECT_EQ(first_.running(), (Ids{"i-1"}));
  EXPECT_EQ(second_.running(), (Ids{"i-3"}));
  EXPECT_EQ(first_.machines->kills, 0);
}

TEST_F(HostsTest, AnInstanceOfAHostThatIsAwayWaitsForIt) {
  begin(first_);
  launch(1, "host-1"), launch(2, "host-2");
  ASSERT_TRUE(comes([&] { return is_in("i-1", InstanceState::running); }));
  EXPECT_TRUE(is_in("i-2", InstanceState::pending));
  EXPECT_TRUE(second_.running().empty());
  begin(second_);
  ASSERT_TRUE(comes([&] { return is_in("i-2", InstanceState::running); }));
  EXPECT_EQ(first_.running(), (Ids{"i-1"}));
}

// The first host's daemon dies before each change of its files and its machines, and begins anew; the second one's goes on.
TEST_F(HostsTest, AKillAtEachStepLeavesTheOtherHostAlone) {
  begin(first_), begin(second_);
  launch(2, "host-2");
  make_volume("vol-9", "host-2");
  ASSERT_TRUE(comes([&] { return is_in("i-2", InstanceState::running) && has_file(second_, "vol-9"); }));
  const auto untouched = [&] {
    EXPECT_EQ(second_.running(), (Ids{"i-2"}));
    EXPECT_EQ(second_.disks(), (Ids{"vol-2", "vol-9"}));
    EXPECT_EQ(second_.taps(), (Ids{"eni-2"}));
    EXPECT_EQ(second_.machines->kills, 0);
    EXPECT_EQ(second_.machines->starts, 1);
  };
  std::set<std::string> steps;
  bool came_through = false;
  for (int at = 0; !came_through; ++at) {
    ASSERT_LT(at, 60) << "it does not end";
    first_.life.arm(at);
    launch(1, "host-1");
    ASSERT_TRUE(comes([&] { return first_.life.ended() || is_in("i-1", InstanceState::running); }));
    if (!first_.life.ended()) {
      terminate("i-1");
      ASSERT_TRUE(comes([&] { return first_.life.ended() || (is_in("i-1", InstanceState::terminated) && !has_file(first_, "vol-1")); }));
    }
    // Closed while it is dead still, so that what is under way in its threads comes to nothing.
    if (first_.life.ended()) first_.controller.reset();
    const auto step = first_.life.disarm();
    came_through = step.empty();
    if (!came_through) {
      steps.insert(step);
      begin_anew(first_);
      if (!is_in("i-1", InstanceState::shutting_down) && !is_in("i-1", InstanceState::terminated)) {
        ASSERT_TRUE(comes([&] { return is_in("i-1", InstanceState::running); })) << step;
        EXPECT_EQ(first_.running(), (Ids{"i-1"})) << step;
        terminate("i-1");
      }
    }
    ASSERT_TRUE(comes([&] { return is_gone("i-1") && first_.disks().empty() && first_.taps().empty(); })) << step;
    EXPECT_TRUE(first_.running().empty()) << step;
    store_->transact([](state::Transaction& transaction) { transaction.erase<state::Instance>("a/i-1"); });
    untouched();
    if (HasFailure()) FAIL() << "with the first host's daemon dead before step " << at << ", " << step;
  }
  EXPECT_TRUE(steps.contains("machine.start"));
  EXPECT_TRUE(steps.contains("machine.kill"));
  EXPECT_GE(steps.size(), 4U);
  // And its restart, which looks for what is nobody's, finds that the other's things are not its own to judge.
  begin_anew(second_);
  ASSERT_TRUE(comes([&] { return second_.controller->is_at_work(seconds(1)); }));
  untouched();
}

TEST_F(HostsTest, AMachineOfAnInstanceThatIsPlacedElsewhereIsEnded) {
  launch(1, "host-2");
  compute::MachineSpec spec;
  spec.id = "i-1";
  ASSERT_TRUE(first_.machines->start(std::move(spec)));
  begin(first_);
  EXPECT_TRUE(comes([&] { return first_.running().empty(); }));
  EXPECT_TRUE(is_in("i-1", InstanceState::pending));
}

TEST_F(HostsTest, AStaleWorldMakesAndRemovesNothingAtTheStart) {
  // What the records that this host has do not know, and newer ones would.
  ASSERT_TRUE(first_.block->create("vol-7", 1 << 20, ""));
  compute::MachineSpec spec;
  spec.id = "i-7";
  ASSERT_TRUE(first_.machines->start(std::move(spec)));
  network::VpcSpec vpc;
  vpc.id = "vpc-7", vpc.cidr = "10.7.0.0/16";
  ASSERT_TRUE(first_.network->ensure_vpc(vpc));
  first_.current = false;
  begin(first_);
  launch(1, "host-1");
  // Several looks later it is still so.
  ASSERT_TRUE(comes([&] { return first_.asked > 5; }));
  EXPECT_EQ(first_.disks(), (Ids{"vol-7"}));
  EXPECT_EQ(first_.running(), (Ids{"i-7"}));
  EXPECT_EQ((*first_.network->found()).size(), 1U);
  EXPECT_TRUE(is_in("i-1", InstanceState::pending));
  first_.current = true;
  EXPECT_TRUE(comes([&] { return is_in("i-1", InstanceState::running); }));
  EXPECT_TRUE(comes([&] { return first_.running() == Ids{"i-1"} && first_.disks() == Ids{"vol-1"}; }));
}

TEST_F(HostsTest, WhatNoRecordHasStaysUntilTheWorldIsCurrent) {
  begin(first_);
  make_volume("vol-8", "host-1");
  ASSERT_TRUE(comes([&] {
    const auto world = store_->world();
    return has_file(first_, "vol-8") && world->find<state::Volume>("a/vol-8")->state == state::VolumeState::available;
  }));
  first_.current = false;
  store_->transact([](state::Transaction& transaction) { transaction.erase<state::Volume>("a/vol-8"); });
  // Work that was woken after it is done by now, on the only thread.
  make_volume("vol-9", "host-1");
  ASSERT_TRUE(comes([&] { return has_file(first_, "vol-9"); }));
  EXPECT_TRUE(has_file(first_, "vol-8"));
  first_.current = true;
  EXPECT_TRUE(comes([&] { return !has_file(first_, "vol-8"); }));
  EXPECT_TRUE(has_file(first_, "vol-9"));
}

TEST_F(HostsTest, ClientsAreAnsweredByTheHostThatHasTheThing) {
  begin(first_), begin(second_);
  launch(1, "host-1"), launch(2, "host-2");
  ASSERT_TRUE(comes([&] { return is_in("i-1", InstanceState::running) && is_in("i-2", InstanceState::running); }));
  LocalHost one(*first_.controller), two(*second_.controller);
  bool reachable = true;
  HostRouter router(*store_, "host-1", [&](const std::string& id) -> HostServices* {
    if (id == "host-1") return &one;
    return reachable ? &two : nullptr;
  });
  ASSERT_TRUE(router.screenshot("i-2", true));
  EXPECT_EQ(second_.machines->keys, 1);
  EXPECT_EQ(first_.machines->keys, 0);
  store_->transact([](state::Transaction& transaction) {
    state::Snapshot snapshot;
    snapshot.account = "a", snapshot.id = "snap-2", snapshot.volume_id = "vol-2", snapshot.size_gib = 1,
    snapshot.state = state::SnapshotState::pending;
    snapshot.host = "host-2";
    transaction.put(snapshot);
  });
  ASSERT_TRUE(comes([&] { return has_file(second_, "snap-2"); }));
  EXPECT_FALSE(has_file(first_, "snap-2"));
  EXPECT_TRUE(router.blocks("snap-2"));
  EXPECT_TRUE(router.tunnels("vpc-1").empty());
  reachable = false;
  EXPECT_EQ(router.blocks("snap-2").error().kind, ErrorKind::timed_out);
  EXPECT_EQ(router.screenshot("i-2", false).error().kind, ErrorKind::timed_out);
  EXPECT_FALSE(router.console("i-2", 1));
  EXPECT_TRUE(router.screenshot("i-1", false));
  EXPECT_EQ(router.screenshot("i-3", false).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace brume::control
