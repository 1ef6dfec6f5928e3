// How many of a thing there may be, where there may be so many that a client would take long to make them.
#include <fmt/format.h>

#include <functional>

#include "ec2/actions.hpp"
#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

class Limits : public ActionsTest {
 protected:
  Limits() {
    for (const auto& list : {security_group_actions, subnet_actions, route_table_actions, network_acl_actions, network_interface_actions,
                             nat_gateway_actions, address_actions, vpc_actions, vpc_peering_actions, vpc_endpoint_actions})
      add(list());
    world()->each_of<state::Subnet>(account, [&](const state::Subnet& subnet) { subnet_ = subnet; });
  }

  // `number` records of the account's in its VPC.
  template <class R>
  void fill(
      int number, const std::function<void(R&, int)>& more = [](R&, int) {}) {
    transact([&](state::Transaction& transaction) {
      for (int i = 0; i < number; ++i) {
        R record;
        record.account = account;
        record.id = fmt::format("filled-{:08x}", i);
        record.vpc_id = subnet_.vpc_id;
        more(record, i);
        transaction.put(std::move(record));
      }
    });
  }
  void set_pool(const std::string& block) {
    transact([&](state::Transaction& transaction) { transaction.put(state::Setting{"public-pool", block}); });
  }
  std::string in_vpc(const std::string& more = {}) const { return "VpcId=" + subnet_.vpc_id + more; }

  state::Subnet subnet_;
};

TEST_F(Limits, SecurityGroupsOfAVpc) {
  const auto make = [&](const char* name) {
    return code("CreateSecurityGroup", in_vpc(std::string("&GroupDescription=d&GroupName=") + name));
  };
  fill<state::SecurityGroup>(2498, [](state::SecurityGroup& group, int i) { group.name = fmt::format("group-{}", i); });
  EXPECT_EQ(make("last"), "") << "with the default group there are 2,500";
  EXPECT_EQ(make("more"), "SecurityGroupLimitExceeded");
}

TEST_F(Limits, SubnetsOfAVpc) {
  fill<state::Subnet>(197, [](state::Subnet& subnet, int i) { subnet.cidr = fmt::format("172.31.{}.0/28", 48 + i); });
  EXPECT_EQ(code("CreateSubnet", in_vpc("&CidrBlock=172.31.250.0/28")), "") << "with the two default ones there are 200";
  EXPECT_EQ(code("CreateSubnet", in_vpc("&CidrBlock=172.31.251.0/28")), "SubnetLimitExceeded");
}

TEST_F(Limits, RouteTablesAndNetworkAclsOfAVpc) {
  fill<state::RouteTable>(198);
  fill<state::NetworkAcl>(198);
  EXPECT_EQ(code("CreateRouteTable", in_vpc()), "");
  EXPECT_EQ(code("CreateRouteTable", in_vpc()), "RouteTableLimitExceeded");
  EXPECT_EQ(code("CreateNetworkAcl", in_vpc()), "");
  EXPECT_EQ(code("CreateNetworkAcl", in_vpc()), "NetworkAclLimitExceeded");
}

TEST_F(Limits, NetworkInterfacesOfAnAccount) {
  fill<state::NetworkInterface>(4999);
  EXPECT_EQ(code("CreateNetworkInterface", "SubnetId=" + subnet_.id), "");
  EXPECT_EQ(code("CreateNetworkInterface", "SubnetId=" + subnet_.id), "NetworkInterfaceLimitExceeded");
}

TEST_F(Limits, NatGatewaysOfAZone) {
  set_pool("198.18.0.0/24");
  const auto make = [&] {
    const auto address = first(call("AllocateAddress", "Domain=vpc"), "allocationId");
    return code("CreateNatGateway", fmt::format("SubnetId={}&AllocationId={}", subnet_.id, address));
  };
  fill<state::NatGateway>(4, [&](state::NatGateway& gateway, int) { gateway.subnet_id = subnet_.id; });
  EXPECT_EQ(make(), "");
  EXPECT_EQ(make(), "NatGatewayLimitExceeded");
}

TEST_F(Limits, PublicAddressesOfTheInstallation) {
  set_pool("198.18.0.0/30");
  std::string said;
  int given = 0;
  while (given < 5 && (said = code("AllocateAddress", "Domain=vpc")).empty()) ++given;
  EXPECT_EQ(said, "InsufficientAddressCapacity");
  EXPECT_GE(given, 2);
}

TEST_F(Limits, PeeringsOfAVpc) {
  ASSERT_EQ(code("CreateVpc", "CidrBlock=10.7.0.0/16"), "");
  std::string peer;
  world()->each_of<state::Vpc>(account, [&](const state::Vpc& vpc) { peer = vpc.id == subnet_.vpc_id ? peer : vpc.id; });
  const auto ask = [&] { return code("CreateVpcPeeringConnection", in_vpc("&PeerVpcId=" + peer)); };
  const auto fill_with = [&](int number, state::PeeringState state, Time expires) {
    fill<state::VpcPeering>(number, [&](state::VpcPeering& peering, int i) {
      peering.peer_account = stranger;
      peering.peer_vpc_id = fmt::format("vpc-{:08x}", i);
      peering.state = state;
      peering.expires = expires;
    });
  };
  const auto later = clock_.now() + std::chrono::hours(1);
  fill_with(25, state::PeeringState::pending_acceptance, later);
  EXPECT_EQ(ask(), "OutstandingVpcPeeringConnectionLimitExceeded");
  // Those that nobody accepted in time do not count.
  fill_with(25, state::PeeringState::pending_acceptance, clock_.now());
  EXPECT_EQ(ask(), "");
  std::string asked;
  world()->each_of<state::VpcPeering>(account, [&](const state::VpcPeering& one) { asked = one.peer_vpc_id == peer ? one.id : asked; });
  fill_with(50, state::PeeringState::active, later);
  const auto accept = "VpcPeeringConnectionId=" + asked;
  EXPECT_EQ(code("AcceptVpcPeeringConnection", accept), "ActiveVpcPeeringConnectionPerVpcLimitExceeded");
  fill_with(50, state::PeeringState::deleted, later);
  auto expired = *world()->find<state::VpcPeering>(account, asked);
  const auto waiting = expired;
  expired.expires = clock_.now();
  transact([&](state::Transaction& transaction) { transaction.put(expired); });
  EXPECT_EQ(code("AcceptVpcPeeringConnection", accept), "InvalidStateTransition");
  EXPECT_NE(call("DescribeVpcPeeringConnections", "Filter.1.Name=status-code&Filter.1.Value.1=expired").find(asked), std::string::npos);
  transact([&](state::Transaction& transaction) { transaction.put(waiting); });
  EXPECT_EQ(code("AcceptVpcPeeringConnection", accept), "");
}

TEST_F(Limits, VpcEndpointsOfAnAccount) {
  const auto make = [&] { return code("CreateVpcEndpoint", in_vpc("&ServiceName=com.amazonaws." + settings_.region + ".s3")); };
  fill<state::VpcEndpoint>(19);
  EXPECT_EQ(make(), "");
  EXPECT_EQ(make(), "VpcEndpointLimitExceeded");
}

}  // namespace
}  // namespace brume::ec2
