// Calls with a thousand ids: one decision for the caller, many small ones for the writer.
#include <fmt/format.h>

#include "domain/instance_changes.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2_actions.hpp"
#include "state/walk_count.hpp"

namespace brume::ec2 {
namespace {

using state::InstanceState;

class MassChanges : public ActionsTest {
 protected:
  static constexpr int number = 1'000;

  MassChanges() { add(instance_state_actions()); }

  static std::string id(int i) { return fmt::format("i-{:017x}", i); }
  void launch(
      int count, const std::function<void(state::Instance&, int)>& more = [](state::Instance&, int) {}) {
    transact([&](state::Transaction& transaction) {
      for (int i = 0; i < count; ++i) {
        state::Instance instance;
        instance.account = account, instance.id = id(i), instance.zone = "us-east-1a", instance.state = InstanceState::running;
        more(instance, i);
        transaction.put(std::move(instance));
      }
    });
  }
  static std::string ids(int from, int count) {
    std::string parameters;
    for (int i = 0; i < count; ++i) parameters += fmt::format("&InstanceId.{}={}", i + 1, id(from + i));
    return parameters.substr(1);
  }
  size_t in(InstanceState state) const {
    size_t count = 0;
    world()->each_of<state::Instance>(account, [&](const state::Instance& instance) { count += instance.state == state; });
    return count;
  }
  // The changes of the largest commit while `work` runs, and of how many.
  template <class Work>
  std::pair<size_t, int> commits_of(Work&& work) {
    size_t largest = 0;
    int commits = 0;
    const auto watcher = services().store.watch([&](const state::Commit& commit) {
      largest = std::max(largest, commit.changes.size());
      ++commits;
    });
    work();
    services().store.unwatch(watcher);
    return {largest, commits};
  }
};

TEST_F(MassChanges, NoDecisionChangesMoreThanAPart) {
  launch(number);
  for (const auto& [action, after] :
       {std::pair{"RebootInstances", InstanceState::running}, std::pair{"StopInstances", InstanceState::stopping},
        std::pair{"TerminateInstances", InstanceState::shutting_down}}) {
    std::string answer;
    const auto [largest, commits] = commits_of([&, name = action] { answer = call(name, ids(0, number)); });
    EXPECT_LE(largest, domain::instances_at_once + 1) << action;
    EXPECT_EQ(commits, 1 + (number + static_cast<int>(domain::instances_at_once) - 1) / static_cast<int>(domain::instances_at_once));
    // All of it is done when the caller is answered, and nothing is left to do.
    EXPECT_EQ(in(after), size_t{number}) << action;
    EXPECT_EQ(world()->size<state::InstanceChange>(), 0U);
    EXPECT_EQ(count(answer, "previousState"), after == InstanceState::running ? size_t{0} : size_t{number}) << action;
  }
  EXPECT_EQ(world()->find<state::Instance>(account, id(number - 1))->reboots_asked, 1);
}

TEST_F(MassChanges, AFewAreOneDecision) {
  launch(number);
  const auto few = static_cast<int>(domain::instances_at_once);
  EXPECT_EQ(commits_of([&] { call("TerminateInstances", ids(0, few)); }), (std::pair{size_t{domain::instances_at_once}, 1}));
}

TEST_F(MassChanges, ARefusalChangesNone) {
  launch(number, [](state::Instance& instance, int i) { instance.stop_protected = i == number - 1; });
  EXPECT_EQ(code("StopInstances", ids(0, number)), "OperationNotPermitted");
  EXPECT_EQ(code("TerminateInstances", ids(1, number)), "InvalidInstanceID.NotFound");
  EXPECT_EQ(code("StopInstances", ids(0, number - 1) + "&Hibernate=true"), "UnsupportedHibernationConfiguration");
  EXPECT_EQ(in(InstanceState::running), size_t{number});
  EXPECT_EQ(world()->size<state::InstanceChange>(), 0U);
}

TEST_F(MassChanges, AnsweredAsOneDecisionAndOthersGetTheirTurn) {
  launch(number, [](state::Instance& instance, int i) {
    if (i % 2 == 1) instance.state = InstanceState::stopped;
  });
  // Somebody starts the last one while the first ones are terminated.
  std::atomic<bool> started{false};
  const auto watcher = services().store.watch([&](const state::Commit& commit) {
    for (const auto& change : commit.changes)
      if (const auto* left = change.now<state::InstanceChange>(); left != nullptr && change.before == nullptr)
        services().store.submit(
            [&](state::Transaction& transaction) {
              auto last = *transaction.find<state::Instance>(account, id(number - 1));
              started = last.state == InstanceState::stopped;
              last.state = InstanceState::pending;
              transaction.put(std::move(last));
            },
            {});
  });
  const auto answer = call("TerminateInstances", ids(0, number));
  services().store.unwatch(watcher);
  EXPECT_TRUE(started);
  EXPECT_EQ(in(InstanceState::shutting_down), size_t{number});
  const auto names = all(answer, "name");
  EXPECT_EQ(std::count(names.begin(), names.end(), "stopped"), number / 2);
  EXPECT_EQ(std::count(names.begin(), names.end(), "shutting-down"), number);
}

TEST_F(MassChanges, WhatIsGoneMeanwhileIsPassedOver) {
  launch(3, [](state::Instance& instance, int i) {
    if (i == 1) instance.state = InstanceState::terminated;
  });
  transact([&](state::Transaction& transaction) {
    state::InstanceChange left;
    left.account = account, left.id = "change-1", left.verb = state::InstanceVerb::stop;
    left.instance_ids = {id(0), id(1), "i-gone", id(2)};
    transaction.put(left);
    domain::continue_change(transaction, left.key());
    domain::continue_change(transaction, left.key());
  });
  EXPECT_EQ(in(InstanceState::stopping), 2U);
  EXPECT_EQ(world()->size<state::InstanceChange>(), 0U);
}

// What a call walks over does not depend on how many others there are.
TEST_F(MassChanges, NothingIsWalkedOver) {
  launch(3 * number);
  std::uint64_t walked = 0;
  services().store.watch([&](const state::Commit&) { walked = state::entries_walked(); });
  call("TerminateInstances", ids(0, 100));
  const auto before = walked;
  call("TerminateInstances", ids(100, number));
  EXPECT_LE(walked - before, 11 * std::max<std::uint64_t>(before, 100));
}

}  // namespace
}  // namespace brume::ec2
