// Changes that are too large for one decision, and are carried out in parts (Transaction::then).
#include <stdexcept>

#include "store_fixture.hpp"

namespace brume::state {
namespace {

// Puts 1, 2 … `count` into the setting, each by a decision of its own.
void put_parts(Transaction& transaction, int part, int count, const std::string& name = "part") {
  transaction.put(setting(name, std::to_string(part)));
  if (part < count) transaction.then([=](Transaction& next) { put_parts(next, part + 1, count, name); });
}

TEST_F(StoreTest, TheRestOfAChangeLetsOthersInBetween) {
  open_controlled();
  hold_writer();
  std::vector<std::string> seen;
  std::vector<std::string> settled;
  store->watch([&](const Commit& commit) { seen.push_back(value_of(*commit.world, "part") + value_of(*commit.world, "other")); });
  store->submit([](Transaction& transaction) { put_parts(transaction, 1, 3); },
                [&](std::exception_ptr failure) { settled.push_back(failure ? "failed" : "all"); });
  // While its first part is appended another one comes.
  control->waits = true;
  release_writer();
  control->reached.acquire();
  control->waits = false;
  store->submit([](Transaction& transaction) { transaction.put(setting("other", "x")); },
                [&](std::exception_ptr) { settled.push_back("other"); });
  control->released.release();
  held.get();
  store->transact([](Transaction&) {});
  store->stop();  // does what is queued, with all further parts
  EXPECT_EQ(settled, (std::vector<std::string>{"other", "all"}));
  EXPECT_EQ(seen, (std::vector<std::string>{"", "1", "2x", "3x"}));
  EXPECT_EQ(value_of(*store->world(), "part"), "3");
}

TEST_F(StoreTest, EveryRestOfADecisionRuns) {
  open_controlled();
  store->transact([](Transaction& transaction) {
    put_parts(transaction, 1, 2, "short");
    put_parts(transaction, 1, 4, "long");
  });
  EXPECT_EQ(value_of(*store->world(), "short"), "2");
  EXPECT_EQ(value_of(*store->world(), "long"), "4");
}

TEST_F(StoreTest, TheRestOfADecisionThatFailsNeverRuns) {
  open_controlled();
  EXPECT_THROW(store->transact([](Transaction& transaction) {
    put_parts(transaction, 1, 2);
    throw std::runtime_error("no");
  }),
               std::runtime_error);
  control->fails = true;
  EXPECT_THROW(store->transact([](Transaction& transaction) { put_parts(transaction, 1, 2); }), LogFailure);
  control->fails = false;
  store->stop();
  EXPECT_EQ(value_of(*store->world(), "part"), "");
}

TEST_F(StoreTest, WhoseRestFailsIsToldOfWhatIsDurable) {
  open_controlled();
  store->transact([&](Transaction& transaction) {
    transaction.put(setting("part", "1"));
    transaction.then([](Transaction& next) {
      next.put(setting("part", "2"));
      throw std::runtime_error("later");
    });
  });
  EXPECT_EQ(value_of(*store->world(), "part"), "1");
}

}  // namespace
}  // namespace brume::state
