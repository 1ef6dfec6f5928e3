// Several writers over one log, and replicas that follow it.
#include "state/replica.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "rival_log.hpp"
#include "state/codec.hpp"
#include "state/kinds.hpp"
#include "state/store.hpp"

namespace brume::state {
namespace {

int stored_number(const World& world, const std::string& name) {
  const auto* found = world.find<Setting>(name);
  return found == nullptr ? 0 : std::stoi(found->value);
}

void add_one(Transaction& transaction, const std::string& name) {
  transaction.put(Setting{name, std::to_string(stored_number(transaction.world(), name) + 1)});
}

// All records as the log has them, without what rivals wrote for the sake of a conflict.
std::map<std::string, std::string> contents(const World& world) {
  std::map<std::string, std::string> all;
  for (size_t i = 0; i < static_cast<size_t>(Kind::count); ++i)
    with_record_type(static_cast<Kind>(i), [&]<class R>(std::type_identity<R>) {
      world.each<R>("", [&](const R& record) { all[log_key(R::kind, record.key())] = encode(record); });
    });
  return all;
}
std::map<std::string, std::string> contents(Log& log) {
  std::map<std::string, std::string> all;
  EXPECT_TRUE(log.load([&](std::string_view key, std::string_view value) { all.emplace(key, value); }));
  return all;
}

// Waits until the replica is as far as `version`.
class Progress {
 public:
  template <class Watched>
  explicit Progress(Watched& watched) {
    watched.watch([this](const Commit& commit) {
      const std::lock_guard lock(mutex_);
      version_ = commit.world->version();
      changed_.notify_all();
    });
  }
  [[nodiscard]] bool reaches(std::uint64_t version, const WorldPointer& world) {
    std::unique_lock lock(mutex_);
    version_ = std::max(version_, world->version());
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return version_ >= version; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t version_ = 0;
};

class Writers : public testing::Test {
 protected:
  ~Writers() override { std::filesystem::remove_all(folder_); }
  std::shared_ptr<Log> sqlite() {
    EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    auto log = open_sqlite_log(folder_ + "/state.db");
    EXPECT_TRUE(log);
    return std::move(*log);
  }
  std::unique_ptr<Store> open(std::shared_ptr<Log> log) {
    auto store = Store::open(std::move(log), clock_, random_);
    EXPECT_TRUE(store);
    return std::move(*store);
  }
  void race(const std::shared_ptr<Log>& log);

  SystemClock clock_;
  SystemRandom random_;
  std::string folder_ = "/tmp/brume-replica-XXXXXX";
};

// Two writers with four threads each. Every decision adds one to a count that all share and puts a pair of records that belong
// together; some throw after they have put them.
void Writers::race(const std::shared_ptr<Log>& log) {
  constexpr int threads = 4;
  constexpr int each = 60;
  const std::vector<std::shared_ptr<Store>> stores = {open(log), open(log)};
  std::vector<std::unique_ptr<Progress>> progress;
  for (const auto& store : stores) progress.push_back(std::make_unique<Progress>(*store));
  std::mutex mutex;
  std::set<std::string> acknowledged;
  int effects = 0;
  std::vector<std::future<void>> work;
  for (size_t side = 0; side < stores.size(); ++side)
    for (int thread = 0; thread < threads; ++thread)
      work.push_back(std::async(std::launch::async, [&, side, thread] {
        for (int i = 0; i < each; ++i) {
          const auto name = std::to_string(side) + "-" + std::to_string(thread) + "-" + std::to_string(i);
          const bool throws = i % 5 == 4;
          const auto decide = [&](Transaction& transaction) {
            add_one(transaction, "count");
            transaction.put(Setting{"left-" + name, name});
            transaction.when_durable([&] {
              const std::lock_guard lock(mutex);
              ++effects;
            });
            if (throws) throw std::runtime_error("on purpose");
            transaction.put(Setting{"right-" + name, name});
          };
          if (throws) {
            EXPECT_THROW(stores[side]->transact(decide), std::runtime_error);
            continue;
          }
          stores[side]->transact(decide);
          // What was answered is seen here at once.
          EXPECT_NE(stores[side]->world()->find<Setting>("right-" + name), nullptr);
          const std::lock_guard lock(mutex);
          acknowledged.insert(name);
        }
      }));
  for (auto& one : work) one.get();
  const int expected = 2 * threads * each * 4 / 5;
  EXPECT_EQ(acknowledged.size(), static_cast<size_t>(expected));
  EXPECT_EQ(effects, expected);
  const auto kept = contents(*log);
  for (size_t side = 0; side < stores.size(); ++side) {
    EXPECT_TRUE(progress[side]->reaches(log->version(), stores[side]->world()));
    const auto world = stores[side]->world();
    EXPECT_EQ(contents(*world), kept);
    EXPECT_EQ(stored_number(*world, "count"), expected);  // none was lost, none counted twice
    for (const auto& name : acknowledged) {
      EXPECT_NE(world->find<Setting>("left-" + name), nullptr) << name;
      EXPECT_NE(world->find<Setting>("right-" + name), nullptr) << name;
    }
    size_t halves = 0;
    world->each<Setting>("left-", [&](const Setting& left) { halves += world->find<Setting>("right-" + left.value) == nullptr; });
    EXPECT_EQ(halves, 0U);
    stores[side]->stop();
  }
}

TEST_F(Writers, RaceOverOneLogInMemory) { race(make_memory_log()); }

TEST_F(Writers, RaceOverOneSqliteLog) {
  const auto log = sqlite();
  race(log);
  EXPECT_EQ(contents(*open(log)->world()), contents(*log));
}

TEST_F(Writers, RaceOverALogThatConflictsAtRandomAndTakesFewKeys) {
  const auto log = std::make_shared<RivalLog>(make_memory_log(), 1, 3, LogLimits{8, 100'000});
  race(log);
  EXPECT_GT(log->conflicts, 10U);
}

TEST_F(Writers, ADecisionRunsAgainOnWhatTheOtherWrote) {
  const std::shared_ptr<Log> log = make_memory_log();
  const auto first = open(log);
  const auto second = open(log);
  int runs = 0;
  std::string seen;
  first->transact([&](Transaction& transaction) {
    // Between this decision and its append somebody else is quicker, once.
    if (++runs == 1) std::async(std::launch::async, [&] { second->transact([](Transaction& other) { add_one(other, "n"); }); }).get();
    seen = std::to_string(stored_number(transaction.world(), "n"));
    add_one(transaction, "n");
  });
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(seen, "1");
  EXPECT_EQ(stored_number(*first->world(), "n"), 2);
}

// What it complained of in its first run may be true no more in the second, and the other way round.
TEST_F(Writers, OnlyTheLastRunOfADecisionThrows) {
  const std::shared_ptr<Log> log = make_memory_log();
  const auto first = open(log);
  const auto second = open(log);
  int runs = 0;
  int effects = 0;
  std::vector<int> settled;
  const auto take_the_name = [&](Transaction& transaction) {
    if (++runs == 1) std::async(std::launch::async, [&] { second->transact([](Transaction& other) { add_one(other, "name"); }); }).get();
    transaction.when_durable([&] { ++effects; });
    transaction.when_settled([&, run = runs] { settled.push_back(run); });
    if (transaction.find<Setting>("name") != nullptr) throw std::runtime_error("taken");
    add_one(transaction, "name");
  };
  EXPECT_THROW(first->transact(take_the_name), std::runtime_error);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(effects, 0);
  EXPECT_EQ(settled, std::vector<int>{2});
  EXPECT_EQ(stored_number(*first->world(), "name"), 1);
}

TEST_F(Writers, AWriterThatAlwaysLosesFailsInTheEndAndChangesNothing) {
  const auto log = std::make_shared<RivalLog>(make_memory_log(), 1, 1);
  const auto store = open(log);
  int runs = 0;
  EXPECT_THROW(store->transact([&](Transaction& transaction) {
    ++runs;
    transaction.put(Setting{"mine", "1"});
  }),
               LogFailure);
  EXPECT_EQ(runs, Writer::conflict_limit + 1);
  EXPECT_EQ(store->world()->find<Setting>("mine"), nullptr);
}

TEST_F(Writers, AFollowerSeesWhatOthersWriteInOrder) {
  const std::shared_ptr<Log> log = make_memory_log();
  const auto store = open(log);
  store->transact([](Transaction& transaction) { transaction.put(Setting{"before", "1"}); });
  const auto replica = std::move(*Replica::open(log));
  EXPECT_EQ(stored_number(*replica->world(), "before"), 1);
  std::vector<std::pair<std::string, std::string>> told;  // only the replica's thread, then we
  replica->watch([&](const Commit& commit) {
    for (const auto& change : commit.changes) {
      const auto* old = change.old<Setting>();
      const auto* now = change.now<Setting>();
      told.emplace_back(old == nullptr ? "" : old->value, now == nullptr ? "" : now->value);
    }
  });
  Progress progress(*replica);
  replica->follow();
  for (int i = 1; i <= 50; ++i) store->transact([](Transaction& transaction) { add_one(transaction, "n"); });
  store->transact([](Transaction& transaction) { transaction.erase<Setting>("n"); });
  ASSERT_TRUE(progress.reaches(log->version(), replica->world()));
  EXPECT_EQ(contents(*replica->world()), contents(*log));
  ASSERT_EQ(told.size(), 51U);
  for (size_t i = 0; i < told.size(); ++i)
    EXPECT_EQ(told[i], std::pair(i == 0 ? std::string() : std::to_string(i), i == 50 ? std::string() : std::to_string(i + 1)));
}

// A log whose watch can be interrupted, and that tells so.
class GapLog final : public Log {
 public:
  Result<std::uint64_t> load(const std::function<void(std::string_view, std::string_view)>& entry) override { return inside_->load(entry); }
  Result<std::uint64_t> append(std::vector<LogWrite> writes, std::uint64_t expected) override {
    return inside_->append(std::move(writes), expected);
  }
  std::uint64_t version() const override { return inside_->version(); }
  Result<std::unique_ptr<LogWatch>> watch(std::uint64_t from, LogSink sink) override {
    return inside_->watch(from, [this, sink](const LogBatchPointer& batch) {
      if (!lost) return sink(batch);
      if (lost.exchange(false)) sink(nullptr);
    });
  }
  std::atomic<bool> lost{false};

 private:
  std::shared_ptr<Log> inside_ = make_memory_log();
};

TEST_F(Writers, AReplicaThatMissedSomethingReadsTheLogAgain) {
  const auto log = std::make_shared<GapLog>();
  const auto put = [&](const std::string& name, const std::string& value) {
    ASSERT_TRUE(log->append({{"setting/" + name, R"({"name":")" + name + R"(","value":")" + value + R"("})"}}, log->version()));
  };
  put("stays", "1");
  put("goes", "1");
  put("changes", "1");
  const auto replica = std::move(*Replica::open(log));
  std::set<std::string> told;
  replica->watch([&](const Commit& commit) {
    for (const auto& change : commit.changes) told.insert(change.key + (change.before ? "-" : "") + (change.after ? "+" : ""));
  });
  Progress progress(*replica);
  ASSERT_TRUE(log->append({{"setting/goes", std::nullopt},
                           {"setting/changes", R"({"name":"changes","value":"2"})"},
                           {"setting/comes", R"({"name":"comes","value":"1"})"}},
                          log->version()));
  log->lost = true;
  put("last", "1");
  replica->follow();
  ASSERT_TRUE(progress.reaches(log->version(), replica->world()));
  EXPECT_EQ(contents(*replica->world()), contents(*log));
  EXPECT_EQ(told, (std::set<std::string>{"goes-", "changes-+", "comes+", "last+"}));
}

TEST_F(Writers, AWriterGoesOnAfterAGap) {
  const auto log = std::make_shared<GapLog>();
  const auto store = open(log);
  log->lost = true;
  ASSERT_TRUE(log->append({{"setting/n", R"({"name":"n","value":"41"})"}}, log->version()));
  store->transact([](Transaction& transaction) { add_one(transaction, "n"); });
  EXPECT_EQ(stored_number(*store->world(), "n"), 42);
}

TEST_F(Writers, AnEntryThatCannotBeUnderstoodStopsTheWriterAndSaysWhich) {
  const std::shared_ptr<Log> log = make_memory_log();
  const auto store = open(log);
  ASSERT_TRUE(log->append({{"setting/x", "{"}}, log->version()));
  try {
    store->transact([](Transaction& transaction) { add_one(transaction, "n"); });
    FAIL();
  } catch (const LogFailure& failure) {
    EXPECT_EQ(failure.error.kind, ErrorKind::broken);
    EXPECT_NE(failure.error.message.find("setting/x"), std::string::npos) << failure.error.message;
  }
  EXPECT_EQ(stored_number(*store->world(), "n"), 0);
}

// Etcd takes 128 operations and 1.5 MB in a transaction.
TEST_F(Writers, AGroupHoldsAsManyKeysAndBytesAsTheLogTakes) {
  for (const auto& limits : {LogLimits{8, 1'000'000}, LogLimits{1000, 3'000}}) {
    const auto inside = std::shared_ptr<Log>(make_memory_log());
    const auto log = std::make_shared<RivalLog>(inside, 0, 1, limits);
    const auto store = open(log);
    size_t most_keys = 0;
    size_t most_bytes = 0;
    const auto watch = inside->watch(inside->version(), [&](const LogBatchPointer& batch) {
      size_t bytes = 0;
      for (const auto& write : batch->writes) bytes += write.key.size() + write.value->size();
      most_keys = std::max(most_keys, batch->writes.size());
      most_bytes = std::max(most_bytes, bytes);
    });
    ASSERT_TRUE(watch);
    std::atomic<int> settled{0};
    std::promise<void> all;
    // The first holds the writer until the others wait.
    std::promise<void> released;
    store->submit([&](Transaction&) { released.get_future().wait(); }, {});
    constexpr int decisions = 200;
    for (int i = 0; i < decisions; ++i)
      store->submit(
          [i](Transaction& transaction) {
            for (int key = 0; key < 3; ++key)
              transaction.put(Setting{std::to_string(i) + "." + std::to_string(key), std::string(200, 'x')});
            add_one(transaction, "count");
          },
          [&](std::exception_ptr failure) {
            EXPECT_EQ(failure, nullptr);
            if (++settled == decisions) all.set_value();
          });
    released.set_value();
    ASSERT_EQ(all.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_LE(most_keys, limits.keys);
    EXPECT_LE(most_bytes, limits.bytes);
    EXPECT_GT(most_keys, 4U) << "several decisions share an append";
    EXPECT_EQ(stored_number(*store->world(), "count"), decisions);
    EXPECT_EQ(store->world()->size<Setting>(), 3U * decisions + 1);
  }
}

TEST_F(Writers, ASingleDecisionThatIsTooLargeForTheLogFailsAlone) {
  const auto log = std::make_shared<RivalLog>(make_memory_log(), 0, 1, LogLimits{8, 1'000'000});
  const auto store = open(log);
  EXPECT_THROW(store->transact([](Transaction& transaction) {
    for (int i = 0; i < 9; ++i) transaction.put(Setting{std::to_string(i), "x"});
  }),
               LogFailure);
  EXPECT_EQ(store->world()->size<Setting>(), 0U);
  store->transact([](Transaction& transaction) { add_one(transaction, "n"); });
  EXPECT_EQ(stored_number(*store->world(), "n"), 1);
}

TEST_F(Writers, ALogRefusesWhatWasDecidedOnAnotherVersion) {
  for (const auto& log : {std::shared_ptr<Log>(make_memory_log()), sqlite()}) {
    const auto version = log->append({{"a/1", "x"}}, log->version());
    ASSERT_TRUE(version);
    const auto late = log->append({{"a/1", "late"}}, *version - 1);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::conflict);
    EXPECT_EQ(contents(*log).at("a/1"), "x");
    EXPECT_EQ(log->version(), *version);
    EXPECT_EQ(log->watch(*version - 1, {}).error().kind, ErrorKind::not_found);
    std::vector<std::uint64_t> told;
    {
      const auto watch = log->watch(*version, [&](const LogBatchPointer& batch) { told.push_back(batch->version); });
      ASSERT_TRUE(watch);
      ASSERT_TRUE(log->append({{"a/2", "y"}}, *version));
    }
    ASSERT_TRUE(log->append({{"a/3", "z"}}, *version + 1));
    EXPECT_EQ(told, (std::vector<std::uint64_t>{*version + 1}));
  }
}

}  // namespace
}  // namespace brume::state
