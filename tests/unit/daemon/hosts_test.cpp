// The record of the host, and what a home from before there were hosts becomes at its first start.
#include "daemon/hosts.hpp"

#include <gtest/gtest.h>

namespace brume::daemon {
namespace {

class HostRecordTest : public testing::Test {
 protected:
  std::string take(const std::string& name, const Capacity& capacity) {
    std::string id;
    store_->transact([&](state::Transaction& transaction) { id = take_host(transaction, name, capacity); });
    return id;
  }
  template <class Record>
  void put(const std::string& id, const std::string& host) {
    store_->transact([&](state::Transaction& transaction) {
      Record record;
      record.account = "a", record.id = id, record.host = host;
      transaction.put(std::move(record));
    });
  }

  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_ = *state::Store::open(state::make_memory_log(), clock_, random_);
};

TEST_F(HostRecordTest, StaysTheSameWhenTheMachineIsRenamedOrGrows) {
  const auto id = take("rack-1", {1000, 16});
  EXPECT_EQ(take("rack-2", {2000, 32}), id);
  const auto world = store_->world();
  EXPECT_EQ(world->size<state::Host>(), 1U);
  const auto* host = world->find<state::Host>(id);
  ASSERT_NE(host, nullptr);
  EXPECT_EQ(host->name, "rack-2");
  EXPECT_EQ(host->memory_mib, 2000);
  EXPECT_EQ(host->processors, 32);
  EXPECT_TRUE(host->takes_launches);
}

TEST_F(HostRecordTest, TakesInWhatAHomeOfAnEarlierFormHas) {
  put<state::Instance>("i-1", "old-name");  // that ran: it named the machine
  put<state::Instance>("i-2", "");          // that was pending still
  put<state::Volume>("vol-1", "");
  put<state::Snapshot>("snap-1", "");
  put<state::Image>("aki-1", "");
  store_->transact([](state::Transaction& transaction) {
    auto instance = *transaction.find<state::Instance>("a/i-1");
    instance.state = state::InstanceState::running, instance.memory_mib = 512;
    transaction.put(std::move(instance));
  });
  const auto id = take("new-name", {1000, 16});
  const auto world = store_->world();
  EXPECT_EQ(world->find<state::Instance>("a/i-1")->host, id);
  EXPECT_EQ(world->find<state::Instance>("a/i-2")->host, id);
  EXPECT_EQ(world->find<state::Volume>("a/vol-1")->host, id);
  EXPECT_EQ(world->find<state::Snapshot>("a/snap-1")->host, id);
  EXPECT_EQ(world->find<state::Image>("a/aki-1")->host, id);
  EXPECT_EQ(world->usage_on(id).memory_mib, 512);
}

}  // namespace
}  // namespace brume::daemon
