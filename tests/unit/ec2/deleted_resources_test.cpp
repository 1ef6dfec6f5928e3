// What stays described for an hour after its deletion, and no longer, whether or not anybody deletes another.
#include "ec2/actions.hpp"
#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

class DeletedResources : public ActionsTest {
 protected:
  DeletedResources() {
    for (const auto& list : {nat_gateway_actions, vpn_gateway_actions, customer_gateway_actions, vpn_connection_actions}) add(list());
  }

  template <class R>
  void expect_an_hour(const std::string& id, decltype(R::state) state, const char* action, const std::string& parameter,
                      const std::string& tag, const std::string& not_found) {
    const auto delete_before = [&](std::chrono::minutes ago) {
      put<R>(id, [&](R& record) {
        record.state = state;
        record.deleted = clock_.now() - ago;
      });
    };
    const auto by_id = parameter + ".1=" + id;
    delete_before(std::chrono::minutes(58));
    EXPECT_EQ(first(call(action), tag), id);
    EXPECT_EQ(first(call(action, by_id), tag), id);
    delete_before(std::chrono::minutes(60));
    EXPECT_EQ(count(call(action), tag), 0U);
    EXPECT_EQ(code(action, by_id), not_found);
  }
};

TEST_F(DeletedResources, NatGateways) {
  expect_an_hour<state::NatGateway>("nat-0123456789abcdef0", state::NatState::deleted, "DescribeNatGateways", "NatGatewayId",
                                    "natGatewayId", "NatGatewayNotFound");
}

TEST_F(DeletedResources, NatGatewaysThatFailed) {
  expect_an_hour<state::NatGateway>("nat-0123456789abcdef0", state::NatState::failed, "DescribeNatGateways", "NatGatewayId", "natGatewayId",
                                    "NatGatewayNotFound");
  EXPECT_EQ(code("DeleteNatGateway", "NatGatewayId=nat-0123456789abcdef0"), "NatGatewayNotFound");
}

TEST_F(DeletedResources, VpnGateways) {
  expect_an_hour<state::VpnGateway>("vgw-0123456789abcdef0", state::VpnState::deleted, "DescribeVpnGateways", "VpnGatewayId",
                                    "vpnGatewayId", "InvalidVpnGatewayID.NotFound");
}

TEST_F(DeletedResources, CustomerGateways) {
  expect_an_hour<state::CustomerGateway>("cgw-0123456789abcdef0", state::VpnState::deleted, "DescribeCustomerGateways", "CustomerGatewayId",
                                         "customerGatewayId", "InvalidCustomerGatewayID.NotFound");
}

TEST_F(DeletedResources, VpnConnections) {
  expect_an_hour<state::VpnConnection>("vpn-0123456789abcdef0", state::VpnState::deleted, "DescribeVpnConnections", "VpnConnectionId",
                                       "vpnConnectionId", "InvalidVpnConnectionID.NotFound");
}

}  // namespace
}  // namespace brume::ec2
