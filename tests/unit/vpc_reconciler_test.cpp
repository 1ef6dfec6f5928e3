// What the reconciler of networks does when the host does not do as it is told.
#include "control_world.hpp"
#include "network_engine_over.hpp"

namespace brume::control {
namespace {

// Simulated, but the first removals of a tap fail as they do while a machine on its way out still holds it.
class HeldTaps final : public network::NetworkEngineOver {
 public:
  HeldTaps(std::unique_ptr<network::NetworkEngine> under, int failures) : NetworkEngineOver(std::move(under)), failures_(failures) {}
  Result<void> remove_interface(const std::string& vpc_id, const std::string& id) override {
    if (failures_.fetch_sub(1) > 0) return fail(ErrorKind::broken, "the tap is held");
    return NetworkEngineOver::remove_interface(vpc_id, id);
  }

 private:
  std::atomic<int> failures_;
};

class HeldTapsTest : public ControlTest {
 protected:
  std::unique_ptr<network::NetworkEngine> make_network() override { return std::make_unique<HeldTaps>(ControlTest::make_network(), 1); }
};

// Nothing else changes afterwards: the reconciler has to come back by itself.
TEST_F(HeldTapsTest, ATapThatCouldNotBeRemovedIsTriedAgain) {
  launch();
  ASSERT_TRUE(reaches(InstanceState::running));
  ASSERT_EQ(network_->found()->size(), 1U);
  ask(InstanceState::shutting_down);
  ASSERT_TRUE(reaches(InstanceState::terminated));
  for (const auto end = std::chrono::steady_clock::now() + seconds(10); !network_->found()->empty();) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "the tap stayed";
    std::this_thread::sleep_for(milliseconds(5));
  }
}

}  // namespace
}  // namespace brume::control
