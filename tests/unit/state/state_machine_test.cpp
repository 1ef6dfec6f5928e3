#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/random.hpp"
#include "base/time.hpp"
#include "state/records.hpp"
#include "state/store.hpp"

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

// The moves of one kind, as "from to" by the names that clients see.
template <class State>
std::set<std::string> moves_of() {
  std::set<std::string> moves;
  const auto names = names_of<State>();
  for (size_t from = 0; from < names.size(); ++from)
    for (size_t to = 0; to < names.size(); ++to)
      if (may_become(static_cast<State>(from), static_cast<State>(to)))
        moves.insert(std::string(names[from]) + " " + std::string(names[to]));
  return moves;
}

TEST(States, OfVolumes) {
  EXPECT_EQ(moves_of<VolumeState>(),
            (std::set<std::string>{"creating available", "creating in-use", "creating deleting", "creating error", "available in-use",
                                   "available deleting", "in-use available", "in-use deleting", "error deleting"}));
}

TEST(States, OfSnapshots) {
  EXPECT_EQ(moves_of<SnapshotState>(),
            (std::set<std::string>{"pending completed", "pending error", "pending deleting", "completed deleting", "error deleting"}));
}

TEST(States, OfImages) {
  EXPECT_EQ(moves_of<ImageState>(),
            (std::set<std::string>{"pending available", "pending failed", "pending deregistered", "available disabled",
                                   "disabled available", "available deregistered", "disabled deregistered", "failed deregistered"}));
}

TEST(States, OfPeeringsWhoseEndIsFinal) {
  EXPECT_EQ(moves_of<PeeringState>(),
            (std::set<std::string>{" pending-acceptance", " failed", "pending-acceptance active", "pending-acceptance rejected",
                                   "pending-acceptance deleted", "pending-acceptance failed", "active deleted"}));
}

TEST(States, OfVpnsAndNatGateways) {
  EXPECT_EQ(moves_of<VpnState>(), (std::set<std::string>{"available deleted"}));
  EXPECT_EQ(moves_of<NatState>(), (std::set<std::string>{"available deleted", "failed deleted"}));
}

TEST(States, OfRootReplacementsAndModifications) {
  EXPECT_EQ(moves_of<RootReplacementState>(),
            (std::set<std::string>{"pending in-progress", "pending failed", "in-progress succeeded", "in-progress failed"}));
  // What is over may begin again: it is the volume's next modification. What runs never goes back.
  EXPECT_TRUE(may_become(ModificationState::completed, ModificationState::modifying));
  EXPECT_FALSE(may_become(ModificationState::optimizing, ModificationState::modifying));
}

TEST(States, OfAttachmentsEndWithNone) {
  for (const auto from : {AttachmentState::attaching, AttachmentState::attached, AttachmentState::detaching, AttachmentState::busy})
    EXPECT_TRUE(may_become(from, AttachmentState::none)) << name_of(from);
  EXPECT_FALSE(may_become(AttachmentState::detaching, AttachmentState::attached));
}

TEST(States, AChangeThatTheTableLacksEndsTheDecision) {
  SystemClock clock;
  SeededRandom random{1};
  auto store = *Store::open(make_memory_log(), clock, random);
  Volume volume;
  volume.account = "a", volume.id = "vol-1", volume.state = VolumeState::deleting;
  store->transact([&](Transaction& transaction) { transaction.put(volume); });
  volume.state = VolumeState::available;
  const auto revive = [&](Transaction& transaction) {
    Volume other = volume;
    other.id = "vol-2";
    transaction.put(other);
    transaction.put(volume);
  };
  EXPECT_THROW(store->transact(revive), std::logic_error);
  EXPECT_EQ(store->world()->find<Volume>("a/vol-1")->state, VolumeState::deleting);
  EXPECT_EQ(store->world()->find<Volume>("a/vol-2"), nullptr);
  store->stop();
}

}  // namespace
}  // namespace brume::state
