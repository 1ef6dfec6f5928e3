// No two machines of a host run as one user.
#include "engines/compute/user_numbers.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <unordered_map>

#include "base/files.hpp"

namespace brume::compute {
namespace {

constexpr unsigned base = 0x60000000;

// Two ids whose hashes have the same 24 bits.
std::array<std::string, 2> colliding() {
  std::unordered_map<std::uint64_t, std::string> seen;
  for (int n = 0;; ++n) {
    const auto id = "i-" + std::to_string(100'000'000 + n);
    if (const auto [at, added] = seen.emplace(stable_hash(id) % UserNumbers::count, id); !added) return {at->second, id};
  }
}

class UserNumbersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "numbers-XXXXXX";
    top_ = ::mkdtemp(pattern.data());
    for (const auto* name : {"machines", "disk-servers"}) ASSERT_TRUE(make_folders(top_ + "/" + name));
  }
  void TearDown() override { std::filesystem::remove_all(top_); }

  // Another daemon over the same home.
  UserNumbers make() {
    return {{top_ + "/machines", top_ + "/disk-servers"}, base, [this](unsigned number) { return foreign_.contains(number); }};
  }
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(top_ + "/machines"))
      if (!entry.is_directory()) names.insert(entry.path().filename().string());
    return names;
  }

  std::string top_;
  std::set<unsigned> foreign_;  // numbers that other processes of the host run as
};

TEST_F(UserNumbersTest, AreMadeOfTheId) {
  auto numbers = make();
  const auto number = numbers.take("i-0123456789abcdef0");
  EXPECT_EQ(number, base + stable_hash("i-0123456789abcdef0") % UserNumbers::count);
  EXPECT_EQ(numbers.take("i-0123456789abcdef0"), number);
  EXPECT_EQ(make().find("i-0123456789abcdef0"), number);
  EXPECT_TRUE(files().empty()) << "nothing has to be kept";
}

TEST_F(UserNumbersTest, AtACollisionTheNextOneIsTakenAndKept) {
  const auto ids = colliding();
  unsigned second = 0;
  {
    auto numbers = make();
    const auto first = numbers.take(ids[0]);
    second = numbers.take(ids[1]);
    EXPECT_EQ(second, base + (first - base + 1) % UserNumbers::count);
    EXPECT_EQ(numbers.find(ids[1]), second);
    EXPECT_EQ(files(), std::set<std::string>{ids[1] + ".user"});
  }
  // The first is gone after a restart, the second is asked for before it: it keeps its own, for its files have it.
  auto numbers = make();
  EXPECT_EQ(numbers.take(ids[1]), second);
  numbers.give_back(ids[1]);
  EXPECT_TRUE(files().empty());
  EXPECT_EQ(numbers.find(ids[1]), base + stable_hash(ids[1]) % UserNumbers::count);
}

TEST_F(UserNumbersTest, WhatRunsSinceBeforeKeepsItsNumberFromOthers) {
  const auto ids = colliding();
  for (const auto* folder : {"/machines/", "/disk-servers/"}) {
    ASSERT_TRUE(make_folders(top_ + folder + ids[0]));
    auto numbers = make();
    EXPECT_NE(numbers.take(ids[1]), numbers.take(ids[0])) << folder;
    numbers.give_back(ids[1]);
    std::filesystem::remove(top_ + folder + ids[0]);
  }
}

TEST_F(UserNumbersTest, ANumberOfAnotherHomesMachineIsNotTaken) {
  const auto number = make().find("i-1");
  foreign_ = {number, number + 1};
  EXPECT_EQ(make().take("i-1"), number + 2);
  EXPECT_EQ(make().take("i-1"), number + 2) << "and kept";
}

TEST(RunsProcesses, SeesThisOne) {
  EXPECT_TRUE(runs_processes(::geteuid()));
  EXPECT_FALSE(runs_processes(0x7fff0001));
}

}  // namespace
}  // namespace brume::compute
