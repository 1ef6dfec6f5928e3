// What the reconciler of networks does when the host does not do as it is told.
#include "control_world.hpp"

namespace brume::control {
namespace {

// Simulated, but the first removals of a tap fail as they do while a machine on its way out still holds it.
class HeldTaps final : public network::NetworkEngine {
 public:
  HeldTaps(std::unique_ptr<network::NetworkEngine> under, int failures) : under_(std::move(under)), failures_(failures) {}

  Result<void> remove_interface(const std::string& vpc_id, const std::string& interface_id) override {
    if (failures_.fetch_sub(1) > 0) return fail(ErrorKind::broken, "the tap is held");
    return under_->remove_interface(vpc_id, interface_id);
  }

  std::string public_pool() const override { return under_->public_pool(); }
  std::vector<std::string> kept_addresses() const override { return under_->kept_addresses(); }
  Result<std::vector<network::TunnelState>> tunnels(const std::string& vpc_id) override { return under_->tunnels(vpc_id); }
  std::string why_no_tunnels() const override { return under_->why_no_tunnels(); }
  Result<void> ensure_names(const network::NamesSpec& names) override { return under_->ensure_names(names); }
  std::string resolver() const override { return under_->resolver(); }
  std::string ipv6_pool() const override { return under_->ipv6_pool(); }
  Result<void> ensure_vpc(const network::VpcSpec& vpc) override { return under_->ensure_vpc(vpc); }
  Result<void> remove_vpc(const std::string& vpc_id) override { return under_->remove_vpc(vpc_id); }
  Result<void> ensure_interface(const network::InterfaceSpec& interface) override { return under_->ensure_interface(interface); }
  Result<Descriptor> open_tap(const std::string& vpc_id, const std::string& interface_id) override {
    return under_->open_tap(vpc_id, interface_id);
  }
  Result<void> ensure_group(const network::GroupSpec& group) override { return under_->ensure_group(group); }
  Result<void> remove_group(const std::string& vpc_id, const std::string& group_id) override {
    return under_->remove_group(vpc_id, group_id);
  }
  Result<std::vector<Found>> found() override { return under_->found(); }
  Result<Descriptor> listen_metadata(const std::string& vpc_id) override { return under_->listen_metadata(vpc_id); }
  void on_disturbance(std::function<void(const std::string& vpc_id)> tell) override { under_->on_disturbance(std::move(tell)); }
  Result<void> ensure_all(const network::VpcSpec& vpc, const std::vector<network::GroupSpec>& groups,
                          const std::vector<network::InterfaceSpec>& interfaces) override {
    return under_->ensure_all(vpc, groups, interfaces);
  }
  Result<void> remove_everything() override { return under_->remove_everything(); }

 private:
  std::unique_ptr<network::NetworkEngine> under_;
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
