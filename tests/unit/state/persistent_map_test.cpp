#include "state/persistent_map.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace brume::state {
namespace {

using Model = std::map<std::string, int>;

PersistentMap::Value mapped_value(int number) { return std::make_shared<const int>(number); }
int number_of(const void* value) { return *static_cast<const int*>(value); }

Model content_of(const PersistentMap& map, std::string_view prefix = {}, std::string_view after = {}) {
  Model content;
  std::string last;
  for (auto at = map.seek(prefix, after); at.valid(); at.next()) {
    EXPECT_TRUE(content.empty() || last < at.key()) << "keys out of order";
    last = at.key();
    EXPECT_EQ(at.value(), at.shared_value().get());
    content.emplace(last, number_of(at.value()));
  }
  return content;
}

// A key out of few families, so that prefixes, equal keys and neighbours all happen; now and then empty, long or not text.
std::string some_key(std::mt19937& random, size_t spread) {
  static const std::vector<std::string> families = {"",         "123456789012/i-",     "123456789012/vol-", "999999999999/i-",
                                                    "\xff\xfe", std::string("a\0b", 3)};
  std::string key = families[random() % families.size()] + std::to_string(random() % spread);
  if (random() % 50 == 0) key += std::string(random() % 700, 'x');
  return key;
}

TEST(PersistentMap, EmptyMap) {
  PersistentMap map;
  EXPECT_EQ(map.find("a"), nullptr);
  EXPECT_EQ(map.get("a"), nullptr);
  EXPECT_FALSE(map.erase("a"));
  EXPECT_FALSE(map.seek({}, {}).valid());
  EXPECT_EQ(map.size(), 0U);
}

TEST(PersistentMap, PutReplacesAndEraseRemoves) {
  PersistentMap map;
  map.put("a", mapped_value(1));
  map.put("a", mapped_value(2));
  EXPECT_EQ(map.size(), 1U);
  EXPECT_EQ(number_of(map.find("a")), 2);
  EXPECT_TRUE(map.erase("a"));
  EXPECT_FALSE(map.erase("a"));
  EXPECT_EQ(map.size(), 0U);
  EXPECT_FALSE(map.seek({}, {}).valid());
}

TEST(PersistentMap, SeekStartsAtPrefixAndBehindAfter) {
  PersistentMap map;
  for (const char* key : {"a/1", "a/2", "b/1", "b/3", "c/1"}) map.put(key, mapped_value(0));
  EXPECT_EQ(map.seek("b/", {}).key(), "b/1");
  EXPECT_EQ(map.seek("b/", "b/1").key(), "b/3");
  EXPECT_EQ(map.seek("b/", "b/2").key(), "b/3");
  EXPECT_EQ(map.seek("b/", "a/1").key(), "b/1");  // before the prefix: no matter
  EXPECT_EQ(map.seek("b/", "b/3").key(), "c/1");  // the caller sees that the prefix ended
  EXPECT_FALSE(map.seek("c/", "c/1").valid());
  EXPECT_FALSE(map.seek("d", {}).valid());
}

// Random operations against std::map; every so often a version is kept, and all kept ones must stay what they were.
class RandomOperations : public testing::TestWithParam<int> {};

TEST_P(RandomOperations, AgreeWithStdMapAndOldVersionsStayWhole) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  const size_t spread = GetParam() % 2 == 0 ? 300 : 5000;
  PersistentMap map;
  Model model;
  std::vector<std::pair<PersistentMap, Model>> kept;
  for (int step = 0; step < 20000; ++step) {
    // Waves of growing and shrinking, so that nodes both split and join.
    const bool grows = (step / 4000) % 2 == 0;
    const std::string key = some_key(random, spread);
    if (random() % 10 < (grows ? 8U : 2U)) {
      map.put(key, mapped_value(step));
      model[key] = step;
    } else {
      // What is there is hit more often than by chance.
      const auto near = model.lower_bound(key);
      const std::string victim = near == model.end() ? key : near->first;
      EXPECT_EQ(map.erase(victim), model.erase(victim) == 1);
    }
    ASSERT_EQ(map.size(), model.size());
    const std::string probe = some_key(random, spread);
    const auto expected = model.find(probe);
    const void* found = map.find(probe);
    ASSERT_EQ(found != nullptr, expected != model.end());
    if (found != nullptr) {
      ASSERT_EQ(number_of(found), expected->second);
    }
    if (step % 1000 == 500) kept.emplace_back(map, model);
    if (step % 500 == 0) {
      const auto expected_behind = Model(model.upper_bound(probe), model.end());
      if (!probe.empty()) {
        ASSERT_EQ(content_of(map, {}, probe), expected_behind);
      }
      ASSERT_EQ(content_of(map, probe), Model(model.lower_bound(probe), model.end()));
    }
  }
  ASSERT_EQ(content_of(map), model);
  for (const auto& [version, content] : kept) ASSERT_EQ(content_of(version), content);
  map.clear();
  EXPECT_FALSE(map.seek({}, {}).valid());
  ASSERT_EQ(content_of(kept.back().first), kept.back().second);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomOperations, testing::Range(1, 9));

TEST(PersistentMap, ErasesDownToNothingInAnyOrder) {
  for (const int order : {0, 1, 2}) {
    PersistentMap map;
    std::vector<std::string> keys;
    for (int i = 0; i < 5000; ++i) keys.push_back(std::to_string(100000 + i));
    for (const auto& key : keys) map.put(key, mapped_value(1));
    const PersistentMap full = map;
    if (order == 1) std::reverse(keys.begin(), keys.end());
    if (order == 2) std::shuffle(keys.begin(), keys.end(), std::mt19937(7));
    size_t left = keys.size();
    for (const auto& key : keys) {
      ASSERT_TRUE(map.erase(key));
      ASSERT_EQ(map.size(), --left);
    }
    EXPECT_FALSE(map.seek({}, {}).valid());
    EXPECT_EQ(content_of(full).size(), 5000U);
  }
}

TEST(PersistentMap, ReleasesWhatIsNoLongerReached) {
  std::weak_ptr<const void> gone;
  PersistentMap map;
  {
    auto value = mapped_value(1);
    gone = value;
    map.put("a", std::move(value));
  }
  PersistentMap copy = map;
  map.put("a", mapped_value(2));
  EXPECT_FALSE(gone.expired());
  copy.clear();
  EXPECT_TRUE(gone.expired());
}

// The writer changes in place only what nobody else reaches: for the thread sanitizer.
TEST(PersistentMap, CopiesLiveAndDieOnOtherThreads) {
  PersistentMap map;
  for (int i = 0; i < 2000; ++i) map.put(std::to_string(i), mapped_value(i));
  std::atomic<bool> done{false};
  std::mutex mutex;
  PersistentMap shared = map;
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      while (!done) {
        PersistentMap mine;
        {
          const std::lock_guard lock(mutex);
          mine = shared;
        }
        size_t count = 0;
        for (auto at = mine.seek({}, {}); at.valid(); at.next()) ++count;
        EXPECT_EQ(count, mine.size());
      }
    });
  }
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 20; ++i) {
      const auto key = std::to_string(random() % 4000);
      if (random() % 2 == 0)
        map.put(key, mapped_value(round));
      else
        map.erase(key);
    }
    const std::lock_guard lock(mutex);
    shared = map;
  }
  done = true;
  for (auto& reader : readers) reader.join();
}

}  // namespace
}  // namespace brume::state
