#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "state/records.hpp"

namespace brume::state {
namespace {

using enum InstanceState;
constexpr InstanceState all[] = {pending, running, shutting_down, terminated, stopping, stopped};

// The whole table, written down a second time: a change to either shows.
TEST(InstanceStates, OnlyTheseTransitionsAreAllowed) {
  const std::set<std::pair<InstanceState, InstanceState>> allowed = {
      {pending, running},  {pending, shutting_down}, {pending, terminated},      {pending, stopped},
      {running, stopping}, {running, shutting_down}, {stopping, stopped},        {stopping, shutting_down},
      {stopped, pending},  {stopped, shutting_down}, {shutting_down, terminated}};
  for (const auto from : all)
    for (const auto to : all) EXPECT_EQ(may_become(from, to), allowed.contains({from, to})) << name_of(from) << " to " << name_of(to);
}

TEST(InstanceStates, EveryStateCanEndAndTheEndIsFinal) {
  for (const auto state : all) {
    EXPECT_FALSE(may_become(terminated, state));
    if (state != terminated) {
      EXPECT_TRUE(may_become(state, shutting_down) || may_become(state, terminated)) << name_of(state);
    }
  }
}

TEST(InstanceStates, NamesAndCodesAreThoseOfEc2) {
  EXPECT_EQ(name_of(pending), "pending");
  EXPECT_EQ(name_of(running), "running");
  EXPECT_EQ(name_of(shutting_down), "shutting-down");
  EXPECT_EQ(name_of(terminated), "terminated");
  EXPECT_EQ(name_of(stopping), "stopping");
  EXPECT_EQ(name_of(stopped), "stopped");
  EXPECT_EQ(static_cast<int>(running), 16);
  EXPECT_EQ(static_cast<int>(shutting_down), 32);
  EXPECT_EQ(static_cast<int>(terminated), 48);
  EXPECT_EQ(static_cast<int>(stopping), 64);
  EXPECT_EQ(static_cast<int>(stopped), 80);
  EXPECT_EQ(name_of(static_cast<InstanceState>(7)), "unknown");
  EXPECT_FALSE(may_become(static_cast<InstanceState>(7), running));
}

}  // namespace
}  // namespace brume::state
