// Files of older and newer forms: upgraded, or refused by name; killed at any moment, the next start finds one or the other.
#include "state/forms.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "state/codec.hpp"
#include "state/kinds.hpp"
#include "state/log.hpp"
#include "state/replica.hpp"

namespace brume::state {
namespace {

// Two steps of an invented future: "a" records become "b" records, then they are numbered.
Result<void> rename_records(StoredEntries& entries) {
  entries.each("a/", [&](std::string_view key, std::string_view value) {
    if (value == "wrong") return;
    entries.put("b/" + std::string(key.substr(2)), value);
    entries.erase(key);
  });
  if (entries.get("a/bad")) return fail(ErrorKind::broken, "the entry a/bad is wrong");
  return {};
}
Result<void> number_records(StoredEntries& entries) {
  int count = 0;
  entries.each("b/", [&](std::string_view, std::string_view) { ++count; });
  entries.put("count/b", std::to_string(count));
  return {};
}
constexpr FormStep future_steps[] = {{2, "renamed records", rename_records}, {3, "numbered records", number_records}};

class Forms : public testing::Test {
 protected:
  Forms() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~Forms() override { std::filesystem::remove_all(folder_); }

  std::string file() const { return folder_ + "/state.db"; }
  static std::map<std::string, std::string> entries(Log& log) {
    std::map<std::string, std::string> all;
    EXPECT_TRUE(log.load([&](std::string_view key, std::string_view value) { all.emplace(key, value); }));
    return all;
  }
  std::map<std::string, std::string> entries_of(const std::string& path, const Upgrade& upgrade) const {
    const auto log = open_sqlite_log(path, upgrade);
    EXPECT_TRUE(log) << log.error().message;
    return log ? entries(**log) : std::map<std::string, std::string>();
  }
  // Of form 1, with a write-ahead log that a kill left.
  void make_old_file(bool with_a_bad_entry = false) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
    const auto log = open_sqlite_log(file(), {.steps = {}});
    ASSERT_TRUE(log);
    std::vector<LogWrite> writes;
    for (int i = 0; i < 500; ++i) writes.push_back({"a/" + std::to_string(i), std::string(300, 'x')});
    if (with_a_bad_entry) writes.push_back({"a/bad", "wrong"});
    ASSERT_TRUE((*log)->append(writes, 0));
    ASSERT_TRUE((*log)->append({{"other/1", "stays"}}, 1));
    std::filesystem::copy(folder_, folder_ + ".old");
  }
  void put_old_file() const {
    std::filesystem::remove_all(folder_);
    std::filesystem::copy(folder_ + ".old", folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_ + ".old"); }

  static bool is_old(const std::map<std::string, std::string>& all) {
    return all.size() == 501 && all.count("a/0") == 1 && all.count("other/1") == 1 && all.count("count/b") == 0;
  }
  static bool is_new(const std::map<std::string, std::string>& all) {
    return all.size() == 502 && all.count("b/0") == 1 && all.count("other/1") == 1 && all.count("count/b") == 1 &&
           all.at("count/b") == "500";
  }

  std::string folder_ = "/tmp/brume-forms-XXXXXX";
  const Upgrade future_{.steps = future_steps};
  const Upgrade old_{.steps = {}};
};

TEST_F(Forms, AnOlderFileIsUpgradedAfterACopy) {
  make_old_file();
  put_old_file();
  const auto log = open_sqlite_log(file(), future_);
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_TRUE(is_new(entries(**log)));
  EXPECT_EQ((*log)->version(), 3U);  // an upgrade is a change
  ASSERT_TRUE((*log)->append({{"b/new", "x"}}, 3));
  const auto copy = file() + ".form-1";
  struct stat info {};
  ASSERT_EQ(::stat(copy.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_TRUE(is_old(entries_of(copy, old_)));
  EXPECT_FALSE(path_exists(copy + ".part"));
}

TEST_F(Forms, ANewerFileIsRefusedByItsNameAndUntouched) {
  make_old_file();
  put_old_file();
  EXPECT_TRUE(is_new(entries_of(file(), future_)));
  const auto before = read_file(file(), 1 << 24);
  const auto refused = open_sqlite_log(file(), old_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::broken);
  EXPECT_NE(refused.error().message.find("form 3 (numbered records), which a newer Brume wrote; this one knows forms up to 1"),
            std::string::npos)
      << refused.error().message;
  EXPECT_TRUE(is_new(entries_of(file(), future_)));
  EXPECT_EQ(read_file(file(), 1 << 24).value(), before.value());
}

TEST_F(Forms, AStepThatFailsLeavesTheFileAsItWas) {
  make_old_file(true);
  put_old_file();
  const auto refused = open_sqlite_log(file(), future_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("a/bad is wrong"), std::string::npos) << refused.error().message;
  const auto all = entries_of(file(), old_);
  EXPECT_EQ(all.size(), 502U);
  EXPECT_EQ(all.count("a/0"), 1U);
}

// kill -9 at each step of the upgrade. What is found then is the old file or the new one, and the next start ends with the new one.
TEST_F(Forms, KilledAtAnyStep) {
  make_old_file();
  int steps = 0;
  bool over = false;
  for (int at = 1; !over; ++at) {
    put_old_file();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int reached = 0;
      auto upgrade = future_;
      upgrade.hook = [&](std::string_view) {
        if (++reached == at) ::kill(::getpid(), SIGKILL);
      };
      const auto log = open_sqlite_log(file(), upgrade);
      ::_exit(log ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    over = WIFEXITED(status);
    if (over) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
    } else {
      ++steps;
    }
    // As an older daemon would find it, if it is still the older form.
    const auto found = folder_ + ".found";
    std::filesystem::copy(folder_, found);
    if (const auto old = open_sqlite_log(found + "/state.db", old_))
      EXPECT_TRUE(is_old(entries(**old))) << at;
    else
      EXPECT_NE(old.error().message.find("form 3"), std::string::npos) << old.error().message;
    std::filesystem::remove_all(found);
    EXPECT_TRUE(is_new(entries_of(file(), future_))) << at;
    EXPECT_TRUE(is_old(entries_of(file() + ".form-1", old_))) << at;
    EXPECT_FALSE(path_exists(file() + ".form-1.part"));
    ASSERT_LT(at, 100);
  }
  EXPECT_GE(steps, 7);
}

TEST_F(Forms, ANewFileIsOfTheCurrentForm) {
  ASSERT_TRUE(open_sqlite_log(file()));
  EXPECT_FALSE(path_exists(file() + ".form-1"));
  const auto older = open_sqlite_log(file(), old_);
  EXPECT_EQ(older.has_value(), form_steps().empty());
}

// tests/unit/state/homes/form-1 was written by the state library of commit a25bcd5: two regions, a record of every kind, two accounts with
// their keys and quotas.
TEST_F(Forms, TheHomeOfForm1Opens) {
  for (const auto* region : {"", "/regions/eu-west-1"}) {
    SCOPED_TRACE(region);
    const auto kept = std::string(BRUME_HOMES) + "/form-1" + region + "/state.db";
    std::filesystem::copy_file(kept, file() + ".read");
    const auto before = entries_of(file() + ".read", old_);
    std::filesystem::copy_file(kept, file());
    auto log = open_sqlite_log(file());
    ASSERT_TRUE(log) << log.error().message;
    EXPECT_EQ(path_exists(file() + ".form-1"), !form_steps().empty());
    const auto after = entries(**log);
    const auto replica = Replica::open(std::move(*log));
    ASSERT_TRUE(replica) << replica.error().message;
    const auto world = (*replica)->world();
    size_t kinds = 0;
    size_t records = 0;
    for (size_t i = 0; i < static_cast<size_t>(Kind::count); ++i)
      with_record_type(static_cast<Kind>(i), [&]<class R>(std::type_identity<R>) {
        kinds += world->size<R>() > 0;
        records += world->size<R>();
        // What no upgrade has touched reads and is written as it was.
        world->each<R>("", [&](const R& record) { EXPECT_EQ(encode(record), after.at(log_key(R::kind, record.key()))); });
      });
    EXPECT_EQ(records, after.size());
    EXPECT_GE(kinds, 35U);
    const auto unchanged = std::count_if(before.begin(), before.end(), [&](const auto& entry) {
      const auto found = after.find(entry.first);
      return found != after.end() && found->second == entry.second;
    });
    EXPECT_GE(unchanged, 38);
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
  }
}

}  // namespace
}  // namespace brume::state
