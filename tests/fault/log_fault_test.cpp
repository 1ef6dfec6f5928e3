// The log and the store over it, with one call of the system after another failing: SQLite's own calls too.
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>

#include "base/random.hpp"
#include "base/time.hpp"
#include "gtest/gtest.h"
#include "state/store.hpp"
#include "system_calls.hpp"

namespace brume::faults {
namespace {

using state::Log;
using state::LogWrite;

class LogFault : public ::testing::Test {
 protected:
  void SetUp() override { folder_ = make_test_folder(); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file() const { return folder_ + "/state.db"; }
  void clear() const {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
  }
  static std::map<std::string, std::string> entries(Log& log) {
    std::map<std::string, std::string> all;
    const auto loaded = log.load([&](std::string_view key, std::string_view value) { all.emplace(key, value); });
    EXPECT_TRUE(loaded) << loaded.error().message;
    return all;
  }
  // Several entries, so that half of them would be seen.
  static std::vector<LogWrite> writes(const std::string& name, size_t bytes = 10) {
    std::vector<LogWrite> all;
    for (int i = 0; i < 3; ++i) all.push_back({name + "/" + std::to_string(i), std::string(bytes, 'v')});
    return all;
  }
  static int count(const std::map<std::string, std::string>& all, const std::string& name) {
    int found = 0;
    for (const auto& [key, value] : all) found += key.starts_with(name + "/") ? 1 : 0;
    return found;
  }
  // What a power cut or a kill leaves is at most what the files are now: the process has nothing that they lack.
  std::map<std::string, std::string> entries_of_a_copy() const {
    const auto copy = folder_ + ".copy";
    std::filesystem::remove_all(copy);
    std::filesystem::copy(folder_, copy);
    std::map<std::string, std::string> all;
    {
      auto log = state::open_sqlite_log(copy + "/state.db");
      EXPECT_TRUE(log) << log.error().message;
      if (log) all = entries(**log);
    }
    std::filesystem::remove_all(copy);
    return all;
  }

  std::string folder_;
};

TEST_F(LogFault, Append) {
  int points = 0;
  for (const size_t bytes : {size_t{10}, size_t{20'000}})
    for (const int error : {EMFILE, EIO, ENOSPC})
      for (int at = 1, struck = 1; struck != 0; ++at) {
        clear();
        auto log = state::open_sqlite_log(file());
        ASSERT_TRUE(log);
        ASSERT_TRUE((*log)->append(writes("before"), (*log)->version()));
        const auto version = (*log)->version();
        Result<std::uint64_t> done;
        std::string where;
        {
          const Injection injection(folder_, at, error);
          done = (*log)->append(writes("tried", bytes), (*log)->version());
          where = injection.where();
        }
        SCOPED_TRACE("call " + std::to_string(at) + " fails: " + where);
        struck = where.empty() ? 0 : 1;
        points += struck;
        EXPECT_EQ((*log)->version(), done ? version + 1 : version);
        EXPECT_TRUE(done || struck != 0);
        auto now = entries_of_a_copy();
        EXPECT_EQ(count(now, "before"), 3);
        // Not answered: there whole or not at all.
        EXPECT_TRUE(count(now, "tried") == 3 || (!done && count(now, "tried") == 0));
        EXPECT_EQ(count(entries(**log), "tried"), done ? 3 : 0);
        // The next ones go on as if nothing had been.
        const auto again = (*log)->append(writes("tried", bytes), (*log)->version());
        ASSERT_TRUE(again) << again.error().message;
        ASSERT_TRUE((*log)->append(writes("after"), (*log)->version()));
        for (const auto& all : {entries_of_a_copy(), entries(**log)}) {
          EXPECT_EQ(count(all, "before"), 3);
          EXPECT_EQ(count(all, "tried"), 3);
          EXPECT_EQ(count(all, "after"), 3);
          EXPECT_EQ(all.size(), 9U);
        }
        ASSERT_LT(at, 2000);
      }
  std::printf("append: %d calls failed\n", points);
  EXPECT_GT(points, 0);
}

TEST_F(LogFault, OpenAndLoad) {
  int points = 0;
  for (const bool is_new : {false, true})
    for (const int error : {EMFILE, EIO, ENOSPC})
      for (int at = 1, struck = 1; struck != 0; ++at) {
        clear();
        if (!is_new) {
          auto log = state::open_sqlite_log(file());
          ASSERT_TRUE(log);
          ASSERT_TRUE((*log)->append(writes("before"), (*log)->version()));
          // Left by a process that was killed: with its write-ahead log.
          std::filesystem::copy(folder_, folder_ + ".killed");
          log->reset();
          clear();
          std::filesystem::copy(folder_ + ".killed", folder_);
          std::filesystem::remove_all(folder_ + ".killed");
        }
        std::string where;
        {
          const Injection injection(folder_, at, error);
          auto log = state::open_sqlite_log(file());
          std::map<std::string, std::string> found;
          if (log) {
            const auto loaded = (*log)->load([&](std::string_view key, std::string_view value) { found.emplace(key, value); });
            // All of it, or an error.
            EXPECT_TRUE(!loaded || found.size() == (is_new ? 0U : 3U));
          }
          const bool appended = log && (*log)->append(writes("during"), (*log)->version());
          EXPECT_TRUE(!log || appended || injection.struck());
          where = injection.where();
        }
        SCOPED_TRACE("call " + std::to_string(at) + " fails: " + where);
        struck = where.empty() ? 0 : 1;
        points += struck;
        auto log = state::open_sqlite_log(file());
        ASSERT_TRUE(log) << log.error().message;
        EXPECT_EQ(count(entries(**log), "before"), is_new ? 0 : 3);
        EXPECT_TRUE((*log)->append(writes("after"), (*log)->version()));
        ASSERT_LT(at, 2000);
      }
  std::printf("open and load: %d calls failed\n", points);
  EXPECT_GT(points, 0);
}

TEST_F(LogFault, TheStoreShowsWhatTheLogHas) {
  int points = 0;
  SystemClock clock;
  SystemRandom random;
  const auto put = [](const std::string& name) {
    return [name](state::Transaction& transaction) {
      state::Setting setting;
      setting.name = name;
      setting.value = std::string(5000, 'x');
      transaction.put(std::move(setting));
    };
  };
  for (const int error : {EMFILE, EIO, ENOSPC})
    for (int at = 1, struck = 1; struck != 0; ++at) {
      clear();
      const auto open = [&] {
        auto log = state::open_sqlite_log(file());
        EXPECT_TRUE(log);
        auto store = state::Store::open(std::move(*log), clock, random);
        EXPECT_TRUE(store);
        return std::move(*store);
      };
      auto store = open();
      std::string last;  // of what the watcher was told
      store->watch([&](const state::Commit& commit) {
        for (const auto& change : commit.changes) last = change.key;
      });
      store->transact(put("before"));
      bool done = true;
      std::string where;
      {
        const Injection injection(folder_, at, error);
        try {
          store->transact(put("tried"));
        } catch (const state::LogFailure&) {
          done = false;
        }
        where = injection.where();
      }
      SCOPED_TRACE("call " + std::to_string(at) + " fails: " + where);
      struck = where.empty() ? 0 : 1;
      points += struck;
      EXPECT_EQ(store->world()->find<state::Setting>("tried") != nullptr, done);
      EXPECT_EQ(last, done ? "tried" : "before");
      store->transact(put("tried"));
      store->transact(put("after"));
      store.reset();
      store = open();
      for (const auto* name : {"before", "tried", "after"}) EXPECT_NE(store->world()->find<state::Setting>(name), nullptr) << name;
      ASSERT_LT(at, 2000);
    }
  std::printf("store: %d calls failed\n", points);
  EXPECT_GT(points, 0);
}

}  // namespace
}  // namespace brume::faults
