// What the reconciler of networks does when the host does not do as it is told.
#include <future>
#include <thread>
#include <utility>

#include "control/vpcs.hpp"
#include "control_world.hpp"
#include "network_engine_over.hpp"

namespace brume::control {
namespace {

// Simulated, but the first removals of a tap fail as they do while a machine on its way out still holds it.
class HeldTaps final : public network::NetworkEngineOver {
 public:
  HeldTaps(std::unique_ptr<network::NetworkEngine> under, int failures) : NetworkEngineOver(std::move(under)), failures_(failures) {}
  Result<void> remove_interface(const std::string& vpc_id, const std::string& id) override {
    if (failures_.fetch_sub(1) > 0) return fail(ErrorKind::broken, "the tap is held");
    return NetworkEngineOver::remove_interface(vpc_id, id);
  }

 private:
  std::atomic<int> failures_;
};

class HeldTapsTest : public ControlTest {
 protected:
  std::unique_ptr<network::NetworkEngine> make_network() override { return std::make_unique<HeldTaps>(ControlTest::make_network(), 1); }
};

// Nothing else changes afterwards: the reconciler has to come back by itself.
TEST_F(HeldTapsTest, ATapThatCouldNotBeRemovedIsTriedAgain) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  ASSERT_EQ(network_->found()->size(), 1U);
  ask(InstanceState::shutting_down);
  ASSERT_TRUE(reaches(InstanceState::terminated));
  for (const auto end = std::chrono::steady_clock::now() + seconds(10); !network_->found()->empty();) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "the tap stayed";
    std::this_thread::sleep_for(milliseconds(5));
  }
}

// Simulated, but as often as told it cannot do what it shall.
class ShortOfAll final : public network::NetworkEngineOver {
 public:
  using NetworkEngineOver::NetworkEngineOver;
  Result<void> ensure_vpc(const network::VpcSpec& vpc) override {
    return tried([&] { return NetworkEngineOver::ensure_vpc(vpc); });
  }
  Result<void> ensure_group(const network::GroupSpec& group) override {
    return tried([&] { return NetworkEngineOver::ensure_group(group); });
  }
  Result<void> ensure_all(const network::VpcSpec& vpc, const std::vector<network::GroupSpec>& groups,
                          const std::vector<network::InterfaceSpec>& interfaces) override {
    return tried([&] { return NetworkEngineOver::ensure_all(vpc, groups, interfaces); });
  }

  std::atomic<int> failures{0}, successes{0};

 private:
  template <class Call>
  Result<void> tried(Call&& call) {
    if (failures.load() > 0) {
      --failures;
      return fail(ErrorKind::exhausted, "no processes are left");
    }
    auto done = call();
    successes += done ? 1 : 0;
    return done;
  }
};

class ShortOfAllTest : public ControlTest {
 protected:
  std::unique_ptr<network::NetworkEngine> make_network() override { return std::make_unique<ShortOfAll>(ControlTest::make_network()); }
  ShortOfAll& engine() { return static_cast<ShortOfAll&>(*network_); }
  // Nothing else changes meanwhile.
  void expect_success() {
    for (const auto end = std::chrono::steady_clock::now() + seconds(10); engine().failures > 0 || engine().successes == 0;) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "it was not tried again";
      std::this_thread::sleep_for(milliseconds(5));
    }
  }
};

TEST_F(ShortOfAllTest, WhatAStartCouldNotPutBackIsTriedAgain) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  controller_.reset();
  engine().failures = 2;
  engine().successes = 0;
  build();
  expect_success();
  EXPECT_EQ(instance().state, InstanceState::running);
}

TEST_F(ShortOfAllTest, AGroupThatCouldNotBePutIntoForceIsTriedAgain) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  engine().failures = 1;
  engine().successes = 0;
  store_->transact([&](state::Transaction& transaction) {
    state::SecurityGroup group;
    group.account = "a", group.id = "sg-1", group.vpc_id = "vpc-1", group.name = "one";
    transaction.put(group);
    auto interface = *transaction.find<state::NetworkInterface>("a/eni-1");
    interface.group_ids = {"sg-1"};
    transaction.put(interface);
  });
  expect_success();
  // And once more it is in force by itself when its rules change.
  engine().failures = 2;
  engine().successes = 0;
  store_->transact([&](state::Transaction& transaction) {
    auto group = *transaction.find<state::SecurityGroup>("a/sg-1");
    group.ingress.emplace_back();
    group.ingress.back().protocol = "-1", group.ingress.back().cidr = "0.0.0.0/0";
    transaction.put(group);
  });
  expect_success();
}

// Simulated, and remembers of how many interfaces it was told each time that it was told of all.
class Counting final : public network::NetworkEngineOver {
 public:
  using NetworkEngineOver::NetworkEngineOver;
  Result<void> ensure_all(const network::VpcSpec& vpc, const std::vector<network::GroupSpec>& groups,
                          const std::vector<network::InterfaceSpec>& interfaces) override {
    {
      const std::lock_guard lock(mutex);
      told.insert(interfaces.size());
      changed.notify_all();
    }
    return NetworkEngineOver::ensure_all(vpc, groups, interfaces);
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::set<size_t> told;
};

class RestartTest : public ControlTest {
 protected:
  std::unique_ptr<network::NetworkEngine> make_network() override { return std::make_unique<Counting>(ControlTest::make_network()); }
};

// Whoever is left out loses its tap, and its machine the network for good.
TEST_F(RestartTest, NoInterfaceIsLeftOutAtFirst) {
  constexpr size_t count = 500;
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  controller_.reset();
  store_->transact([&](state::Transaction& transaction) {
    const auto first = *transaction.find<state::NetworkInterface>("a/eni-1");
    for (size_t i = 1; i < count; ++i) {
      auto interface = first;
      interface.id = "eni-more-" + std::to_string(i), interface.public_ip.clear(), interface.instance_id = "i-more-" + std::to_string(i);
      interface.private_ip = "172.31.1." + std::to_string(i % 250 + 4);
      transaction.put(interface);
      state::Dependents dependents;
      dependents.account = "a", dependents.instance_id = interface.instance_id, dependents.taps = {interface.id};
      transaction.put(dependents);
    }
  });
  auto& engine = static_cast<Counting&>(*network_);
  {
    const std::lock_guard lock(engine.mutex);
    engine.told.clear();
  }
  build();
  std::unique_lock lock(engine.mutex);
  ASSERT_TRUE(engine.changed.wait_for(lock, seconds(10), [&] { return engine.told.contains(count); }));
  EXPECT_EQ(engine.told, std::set<size_t>{count});
}

// Simulated, but each call that makes or removes something fails the first time.
class FailsAtFirst final : public network::NetworkEngineOver {
 public:
  using NetworkEngineOver::NetworkEngineOver;
  Result<void> ensure_vpc(const network::VpcSpec& vpc) override {
    return tried("ensure_vpc", [&] { return NetworkEngineOver::ensure_vpc(vpc); });
  }
  Result<void> remove_interface(const std::string& vpc_id, const std::string& id) override {
    return tried("remove_interface", [&] { return NetworkEngineOver::remove_interface(vpc_id, id); });
  }
  Result<void> remove_group(const std::string& vpc_id, const std::string& id) override {
    return tried("remove_group", [&] { return NetworkEngineOver::remove_group(vpc_id, id); });
  }
  Result<void> remove_vpc(const std::string& vpc_id) override {
    return tried("remove_vpc", [&] { return NetworkEngineOver::remove_vpc(vpc_id); });
  }
  Result<void> ensure_names(const network::NamesSpec& names) override {
    return tried("ensure_names", [&] { return NetworkEngineOver::ensure_names(names); });
  }

  std::map<std::string, int> calls;

 private:
  template <class Call>
  Result<void> tried(const std::string& what, Call&& call) {
    return ++calls[what] == 1 ? Result<void>(fail(ErrorKind::broken, "it fails at first")) : call();
  }
};

// One reconciler without a queue: whom it wakes is written down, and whether its lock was free then.
class WakesTest : public ControlTest {
 protected:
  void SetUp() override {
    ControlTest::SetUp();
    controller_.reset();
    engine().calls.clear();
    vpcs_ = std::make_unique<VpcReconciler>(*store_, Engines{hypervisor_, *block_, *network_}, settings_, ownership_,
                                            MetadataDoor{[](const std::string&, Descriptor) {}, [](const std::string&) {}},
                                            [this](const std::string& key, milliseconds) { wake(key); });
    ASSERT_TRUE(vpcs_->recover());
    watcher_ = store_->watch([this](const state::Commit& commit) { vpcs_->follow(commit); });
  }
  void TearDown() override {
    store_->unwatch(watcher_);
    for (auto& thread : threads) thread.join();
  }
  std::unique_ptr<network::NetworkEngine> make_network() override { return std::make_unique<FailsAtFirst>(ControlTest::make_network()); }
  FailsAtFirst& engine() { return static_cast<FailsAtFirst&>(*network_); }

  // By another thread, as the queue's are.
  void wake(const std::string& key) {
    auto answered = std::make_shared<std::promise<void>>();
    const auto answer = answered->get_future();
    threads.emplace_back([this, answered] {
      vpcs_->ready("eni-1");
      answered->set_value();
    });
    if (answer.wait_for(seconds(5)) != std::future_status::ready) blocked.insert(key);
    ++woken[key];
  }
  int wakes_of(const std::string& key) { return std::exchange(woken[key], 0); }

  ControllerSettings settings_;
  const Ownership ownership_{"", {}};
  std::unique_ptr<VpcReconciler> vpcs_;
  std::uint64_t watcher_ = 0;
  std::vector<std::thread> threads;
  std::set<std::string> blocked;
  std::map<std::string, int> woken;
};

TEST_F(WakesTest, NobodyIsWokenWhileTheLockIsHeld) {
  EXPECT_EQ(wakes_of("names/all"), 1);
  vpcs_->reconcile_names();
  EXPECT_EQ(wakes_of("names/all"), 1);
  launch();
  EXPECT_EQ(wakes_of("vpc/vpc-1"), 1);
  vpcs_->reconcile("vpc-1");
  EXPECT_EQ(wakes_of("vpc/vpc-1"), 1) << "the VPC could not be made";
  EXPECT_EQ(wakes_of("instance/a/i-1"), 1);
  vpcs_->reconcile("vpc-1");
  EXPECT_TRUE(vpcs_->ready("eni-1"));
  // A name of any address is answered in every VPC.
  state::ElasticIp address;
  address.account = "b", address.allocation_id = "eipalloc-1", address.public_ip = "198.18.0.9", address.domain_name = "mail.example.com";
  store_->transact([&](state::Transaction& transaction) { transaction.put(address); });
  EXPECT_EQ(wakes_of("names/all"), 1);
  EXPECT_EQ(wakes_of("vpc/vpc-1"), 1);
  store_->transact([&](state::Transaction& transaction) { transaction.erase<state::Dependents>("a/i-1"); });
  EXPECT_EQ(wakes_of("vpc/vpc-1"), 1);
  vpcs_->reconcile("vpc-1");
  EXPECT_EQ(wakes_of("vpc/vpc-1"), 1) << "the tap could not be removed";
  vpcs_->reconcile("vpc-1");
  EXPECT_EQ(wakes_of("vpc/vpc-1"), 1) << "the VPC could not be removed";
  vpcs_->reconcile("vpc-1");
  EXPECT_EQ(engine().calls["remove_vpc"], 2);
  EXPECT_THAT(blocked, ::testing::IsEmpty());
}

// Else its rules would stay in force for as long as nothing else changes.
TEST_F(WakesTest, AGroupThatCouldNotBeRemovedIsTriedAgain) {
  launch();
  const auto put = [&](const std::vector<std::string>& groups) {
    store_->transact([&](state::Transaction& transaction) {
      state::SecurityGroup group;
      group.account = "a", group.id = "sg-1", group.vpc_id = "vpc-1", group.name = "one";
      groups.empty() ? transaction.erase<state::SecurityGroup>("a/sg-1") : transaction.put(group);
      auto interface = *transaction.find<state::NetworkInterface>("a/eni-1");
      interface.group_ids = groups;
      transaction.put(interface);
    });
  };
  put({"sg-1"});
  vpcs_->reconcile("vpc-1");
  vpcs_->reconcile("vpc-1");
  put({});
  wakes_of("vpc/vpc-1");
  vpcs_->reconcile("vpc-1");
  EXPECT_EQ(engine().calls["remove_group"], 1);
  EXPECT_EQ(wakes_of("vpc/vpc-1"), 1);
  vpcs_->reconcile("vpc-1");
  EXPECT_EQ(engine().calls["remove_group"], 2);
  EXPECT_EQ(wakes_of("vpc/vpc-1"), 0);
}

}  // namespace
}  // namespace brume::control
