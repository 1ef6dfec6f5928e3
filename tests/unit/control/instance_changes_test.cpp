// Calls for many instances that a crash interrupted.
#include "domain/instance_changes.hpp"
#include "control_world.hpp"

namespace brume::control {
namespace {

using InterruptedChange = ControlTest;

TEST_F(InterruptedChange, IsTakenUpAtTheNextStart) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  controller_.reset();
  // The first part of a call: durable, and nothing else of it was done.
  store_->transact([](state::Transaction& transaction) {
    state::InstanceChange left;
    left.account = "a", left.id = "change-1", left.verb = state::InstanceVerb::stop, left.instance_ids = {"i-1"};
    transaction.put(left);
  });
  build();
  EXPECT_TRUE(reaches(InstanceState::stopped));
  EXPECT_EQ(store_->world()->size<state::InstanceChange>(), 0U);
  EXPECT_EQ(instance().state_reason_code, "Client.UserInitiatedShutdown");
}

}  // namespace
}  // namespace brume::control
