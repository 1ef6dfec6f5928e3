// Ranges of public addresses: two installations of one host come to different ones, also while one of them is stopped.
#include <gtest/gtest.h>

#include <stdlib.h>

#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/files.hpp"
#include "engines/network/host/pools.hpp"

namespace brume::network {
namespace {

namespace fs = std::filesystem;

TEST(PoolCandidates, MarksOfTheSkippedRangeWantDifferentOnesFirst) {
  // Both fall on the links' half of 198.19.0.0/16, after which all of those wanted the same.
  EXPECT_NE(pool_candidates("8e3510").front().base, pool_candidates("47e949").front().base);
  std::map<std::uint32_t, int> wanted;
  constexpr int marks = 3840;
  for (int i = 0; i < marks; ++i) ++wanted[pool_candidates(fmt::format("{:06x}", i * 4099 % (1 << 24))).front().base];
  EXPECT_GT(wanted.size(), 370U);
  for (const auto& [base, count] : wanted) EXPECT_LT(count, 60) << format_ipv4(base);
}

TEST(PoolCandidates, AreAllThereIsButTheLinks) {
  std::set<std::uint32_t> seen;
  for (const auto& range : pool_candidates("abcdef")) {
    EXPECT_EQ(range.prefix, 24U);
    EXPECT_EQ(range.base >> 17, benchmark_base >> 17);
    EXPECT_FALSE(link_addresses.contains(range.base));
    seen.insert(range.base);
  }
  EXPECT_EQ(seen.size(), 384U);
}

class PoolRegistryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/brume-pools-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string home(const std::string& name, const std::string& mark) {
    fs::create_directories(folder_ + "/homes/" + name + "/network");
    EXPECT_TRUE(write_file(folder_ + "/homes/" + name + "/network/mark", mark + "\n"));
    return folder_ + "/homes/" + name;
  }
  std::vector<std::string> homes(std::vector<std::string>* freed = nullptr) {
    const auto registry = PoolRegistry::open(folder_ + "/registry");
    EXPECT_TRUE(registry);
    std::vector<std::string> gone;
    std::vector<std::string> found;
    for (const auto& one : registry->reservations(gone)) found.push_back(one.home + (one.is_certain ? "" : " perhaps"));
    if (freed != nullptr) *freed = gone;
    return found;
  }
  void keep(const std::string& mark, const std::string& of) {
    const auto registry = PoolRegistry::open(folder_ + "/registry");
    ASSERT_TRUE(registry);
    ASSERT_TRUE(registry->keep(mark, of + "/network", {"198.18.7.0/24", "203.0.113.0/28"}));
  }

  std::string folder_;
};

TEST_F(PoolRegistryTest, AReservationHoldsAsLongAsItsHome) {
  const auto first = home("first", "aaaaaa");
  keep("aaaaaa", first);
  {
    const auto registry = PoolRegistry::open(folder_ + "/registry");
    std::vector<std::string> gone;
    const auto all = registry->reservations(gone);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].mark, "aaaaaa");
    EXPECT_EQ(all[0].home, first);
    ASSERT_EQ(all[0].ranges.size(), 2U);
    EXPECT_EQ(format_ipv4_block(all[0].ranges[0]), "198.18.7.0/24");
  }
  EXPECT_EQ(PoolRegistry::home_of(folder_ + "/registry", "aaaaaa"), first);
  EXPECT_EQ(PoolRegistry::home_of(folder_ + "/registry", "bbbbbb"), "");
  fs::remove_all(first);
  std::vector<std::string> freed;
  EXPECT_TRUE(homes(&freed).empty());
  EXPECT_EQ(freed, std::vector<std::string>{"aaaaaa"});
  EXPECT_TRUE(homes(&freed).empty());
  EXPECT_TRUE(freed.empty()) << "told once";
}

TEST_F(PoolRegistryTest, AHomeOfAnotherMarkDoesNotHoldIt) {
  keep("aaaaaa", home("first", "aaaaaa"));
  home("first", "bbbbbb");
  EXPECT_TRUE(homes().empty());
}

TEST_F(PoolRegistryTest, AHomeWhoseDiskIsNotMountedPerhapsHoldsIt) {
  const auto first = home("first", "aaaaaa");
  keep("aaaaaa", first);
  // As if it had been written while another disk was mounted there.
  const auto entry = folder_ + "/registry/aaaaaa";
  ASSERT_TRUE(write_file(entry, "198.18.7.0/24\n7\n" + first + "/network\n"));
  EXPECT_EQ(homes(), std::vector<std::string>{first});
  fs::remove_all(folder_ + "/homes");
  EXPECT_EQ(homes(), std::vector<std::string>{first + " perhaps"});
}

TEST_F(PoolRegistryTest, AHomeIsAlsoGoneWithTheFoldersAroundIt) {
  keep("aaaaaa", home("first", "aaaaaa"));
  fs::remove_all(folder_ + "/homes");
  std::vector<std::string> freed;
  EXPECT_TRUE(homes(&freed).empty());
  EXPECT_EQ(freed.size(), 1U);
}

TEST_F(PoolRegistryTest, WhatIsNoReservationIsLeftAlone) {
  keep("aaaaaa", home("first", "aaaaaa"));
  ASSERT_TRUE(write_file(folder_ + "/registry/notes", "of the operator"));
  EXPECT_EQ(homes().size(), 1U);
  EXPECT_TRUE(path_exists(folder_ + "/registry/notes"));
}

}  // namespace
}  // namespace brume::network
