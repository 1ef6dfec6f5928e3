// Client tokens of callers from inside, which have no parameters of a request.
#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

class ClientTokensTest : public ActionsTest {
 protected:
  ClientTokensTest() {
    add(route_table_actions());
    add(network_acl_actions());
  }
  std::string vpc() {
    std::string id;
    world()->each_of<state::Vpc>(account, [&](const state::Vpc& one) { id = one.id; });
    return id;
  }
};

TEST_F(ClientTokensTest, ATokenAloneNamesTheRequestOfACallerFromInside) {
  const auto table = "VpcId=" + vpc() + "&ClientToken=t";
  const auto made = first(call("CreateRouteTable", table), "routeTableId");
  EXPECT_EQ(made.substr(0, 4), "rtb-");
  EXPECT_EQ(first(call("CreateRouteTable", table), "routeTableId"), made);
  EXPECT_NE(first(call("CreateRouteTable", table + "2"), "routeTableId"), made);
  // Of another action it is another one.
  EXPECT_EQ(first(call("CreateNetworkAcl", table), "networkAclId").substr(0, 4), "acl-");
}

}  // namespace
}  // namespace brume::ec2
