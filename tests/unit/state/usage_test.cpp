// The sums of what instances take: in step with the records through changes, failures and a restart.
#include <gtest/gtest.h>
#include <unistd.h>

#include "state/store.hpp"

namespace brume::state {
namespace {

Instance instance(const std::string& account, const std::string& id, InstanceState state) {
  Instance made;
  made.account = account;
  made.id = id;
  made.state = state;
  made.memory_mib = 100;
  made.processors = 2;
  return made;
}

// What the sums ought to be, counted.
Usage counted(const World& world, std::string_view account) {
  Usage sum;
  world.each<Instance>("", [&](const Instance& each) {
    if (account.empty() || each.account == account) sum.add(each, 1);
  });
  world.each<Volume>("", [&](const Volume& each) {
    if (account.empty() || each.account == account) sum.add(each, 1);
  });
  return sum;
}

class UsageTest : public testing::Test {
 protected:
  void expect_in_step() const {
    const auto world = store_->world();
    for (const auto* account : {"", "a", "b"}) EXPECT_EQ(world->usage(account), counted(*world, account)) << account;
  }
  void put(Instance record) {
    store_->transact([&](Transaction& transaction) { transaction.put(std::move(record)); });
  }

  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Store> store_ = *Store::open(make_memory_log(), clock_, random_);
};

TEST_F(UsageTest, FollowsEveryState) {
  using enum InstanceState;
  for (const auto state : {pending, running, stopping, stopped, pending, running, shutting_down, terminated}) {
    put(instance("a", "i-1", state));
    expect_in_step();
  }
  store_->transact([](Transaction& transaction) { transaction.erase<Instance>(owned_key("a", "i-1")); });
  put(instance("a", "i-1", running));
  put(instance("b", "i-2", stopped));
  EXPECT_EQ(store_->world()->usage("a").running, 1);
  EXPECT_EQ(store_->world()->usage("b").running, 0);
  EXPECT_EQ(store_->world()->usage("").existing, 2);
  EXPECT_EQ(store_->world()->usage("").memory_mib, 100);
  store_->transact([](Transaction& transaction) { transaction.erase<Instance>(owned_key("a", "i-1")); });
  expect_in_step();
  EXPECT_EQ(store_->world()->usage("a"), Usage{});
}

TEST_F(UsageTest, OfEachHostAndAccountAlsoWhenAnInstanceMoves) {
  using enum InstanceState;
  const auto on = [&](const std::string& account, const std::string& id, InstanceState state, const std::string& host) {
    auto record = instance(account, id, state);
    record.host = host;
    put(std::move(record));
    expect_in_step();
  };
  on("a", "i-1", pending, "host-1"), on("a", "i-2", running, "host-1"), on("b", "i-3", running, "host-1"),
      on("b", "i-4", running, "host-2");
  const auto memory = [&](std::string_view host, std::string_view account = {}) {
    return store_->world()->usage_on(host, account).memory_mib;
  };
  EXPECT_EQ(memory("host-1"), 300);
  EXPECT_EQ(memory("host-1", "a"), 200);
  EXPECT_EQ(memory("host-1", "b"), 100);
  EXPECT_EQ(memory("host-2"), 100);
  EXPECT_EQ(memory("host-2", "a"), 0);
  on("a", "i-1", running, "host-2");
  EXPECT_EQ(memory("host-1"), 200);
  EXPECT_EQ(memory("host-2", "a"), 100);
  on("a", "i-1", stopping, "host-2");
  on("a", "i-1", stopped, "host-1");
  EXPECT_EQ(memory("host-2", "a"), 0);
  EXPECT_EQ(memory("host-1", "a"), 100);
  store_->transact([](Transaction& transaction) {
    for (const auto* key : {"a/i-1", "a/i-2", "b/i-3", "b/i-4"}) transaction.erase<Instance>(key);
  });
  for (const auto* host : {"host-1", "host-2"}) EXPECT_EQ(store_->world()->usage_on(host), Usage{}) << host;
}

TEST_F(UsageTest, ADecisionThatThrowsLeavesItAlone) {
  put(instance("a", "i-1", InstanceState::running));
  const auto refused = [](Transaction& transaction) {
    transaction.put(instance("a", "i-2", InstanceState::running));
    EXPECT_EQ(transaction.world().usage("a").running, 2);  // the decision itself sees it
    throw std::runtime_error("no");
  };
  EXPECT_THROW(store_->transact(refused), std::runtime_error);
  EXPECT_EQ(store_->world()->usage("a").running, 1);
  expect_in_step();
}

TEST_F(UsageTest, VolumesCountUntilTheyAreGone) {
  Volume volume;
  volume.account = "a", volume.id = "vol-1", volume.size_gib = 8;
  const auto change = [&](std::int64_t gib, VolumeState state) {
    volume.size_gib = gib, volume.state = state;
    store_->transact([&](Transaction& transaction) { transaction.put(volume); });
    expect_in_step();
  };
  change(8, VolumeState::creating);
  change(20, VolumeState::available);
  change(20, VolumeState::deleting);
  EXPECT_EQ(store_->world()->usage("a").volumes, 1);
  EXPECT_EQ(store_->world()->usage("").volume_gib, 20);
  store_->transact([](Transaction& transaction) { transaction.erase<Volume>(owned_key("a", "vol-1")); });
  EXPECT_EQ(store_->world()->usage("a"), Usage{});
}

TEST_F(UsageTest, DedicatedOnesAreToldApart) {
  auto made = instance("a", "i-1", InstanceState::running);
  made.tenancy = "dedicated";
  put(made);
  EXPECT_EQ(store_->world()->usage("").dedicated, 1);
  made.tenancy = "default";
  put(made);
  EXPECT_EQ(store_->world()->usage("").dedicated, 0);
  expect_in_step();
}

TEST(UsageAfterARestart, IsCountedAnew) {
  const std::string path = testing::TempDir() + "/usage-" + std::to_string(::getpid()) + ".db";
  SystemClock clock;
  SeededRandom random{1};
  {
    auto store = *Store::open(*open_sqlite_log(path), clock, random);
    store->transact([](Transaction& transaction) {
      transaction.put(instance("a", "i-1", InstanceState::running));
      transaction.put(instance("b", "i-2", InstanceState::stopped));
    });
    store->stop();
  }
  auto store = *Store::open(*open_sqlite_log(path), clock, random);
  EXPECT_EQ(store->world()->usage("a").running, 1);
  EXPECT_EQ(store->world()->usage("").existing, 2);
  store->stop();
  for (const auto* suffix : {"", "-wal", "-shm", ".lock"}) ::unlink((path + suffix).c_str());
}

}  // namespace
}  // namespace brume::state
