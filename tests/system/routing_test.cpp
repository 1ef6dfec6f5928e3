// Route tables, NAT, network ACLs and further addresses, with real packets. "Silent" means dropped.
#include <gtest/gtest.h>

#include "base/ipv4.hpp"
#include "engine_suite.hpp"
#include "engines/host/namespaces.hpp"

namespace brume::network::test {
namespace {

const std::string ours = "vpc-0a000000000000001";
const std::string theirs = "vpc-0b000000000000002";
const std::vector<Permission> everything = {{"-1", -1, -1, "0.0.0.0/0", ""}};
using Target = RouteSpec::Target;

class Routing : public EngineSuite {
 protected:
  static void SetUpTestSuite() { open({"/run/brume-routing-test", "", "us-east-1"}); }
  static void TearDownTestSuite() {
    gate.reset(), server.reset(), hidden.reset(), outside.reset();
    close();
  }

  // A public subnet, a hidden one, and one more range.
  static VpcSpec vpc(std::vector<RouteSpec> hidden_routes = {}) {
    VpcSpec spec{ours, "10.0.0.0/16", {{"10.0.0.0/24", "rtb-open"}, {"10.0.1.0/24", "rtb-hidden"}}, "ec2.internal"};
    spec.internet_gateway = true;
    spec.route_tables = {{"rtb-open", {{"0.0.0.0/0", Target::internet, ""}}}, {"rtb-hidden", std::move(hidden_routes)}};
    return spec;
  }

  static InterfaceSpec interface(unsigned number, const std::string& private_ip, const std::string& given = "",
                                 const std::string& vpc_id = ours) {
    return interface_spec(number, vpc_id, private_ip, given);
  }

  // gate and server have public addresses, hidden has none; outside is somebody else.
  void SetUp() override {
    ASSERT_TRUE(engine);
    good(engine->ensure_vpc(vpc()));
    VpcSpec other{theirs, "10.0.0.0/16", {{"10.0.0.0/24", "rtb-1"}}, "ec2.internal"};
    other.internet_gateway = true;
    other.route_tables = {{"rtb-1", {{"0.0.0.0/0", Target::internet, ""}}}};
    good(engine->ensure_vpc(other));
    good(engine->ensure_group({"sg-all", ours, everything, everything}));
    good(engine->ensure_group({"sg-all", theirs, everything, everything}));
    plug(gate, interface(1, "10.0.0.5", public_ip(1)), "guest-gate");
    plug(server, interface(2, "10.0.0.6", public_ip(2)), "guest-server");
    plug(hidden, interface(3, "10.0.1.7"), "guest-hidden");
    plug(outside, interface(4, "10.0.0.5", public_ip(4), theirs), "guest-outside");
  }

  static std::string outer() { return outside->interface().public_ip; }

  static std::unique_ptr<Guest> gate, server, hidden, outside;
};
std::unique_ptr<Guest> Routing::gate, Routing::server, Routing::hidden, Routing::outside;

// --- internet gateways ---

TEST_F(Routing, APublicAddressIsNothingWithoutARoute) {
  const EchoServer there(outside->space(), 80);
  EXPECT_EQ(seen_as(gate->space(), outer(), 80), public_ip(1));
  auto known = interface(3, "10.0.1.7", public_ip(3));
  good(engine->ensure_interface(known));
  EXPECT_EQ(try_from(hidden->space(), outer(), 80, 300), Outcome::silent);
  EXPECT_EQ(try_from(hidden->space(), public_ip(2), 80, 300), Outcome::silent);  // a public address of its own VPC
  const EchoServer inside(hidden->space(), 80);
  EXPECT_EQ(try_from(outside->space(), public_ip(3), 80, 300), Outcome::silent);  // the answer finds no way
  EXPECT_EQ(try_from(gate->space(), "10.0.1.7", 80), Outcome::connected);         // the VPC itself is always reached
  good(engine->ensure_vpc(vpc({{"0.0.0.0/0", Target::internet, ""}})));
  EXPECT_EQ(seen_as(hidden->space(), outer(), 80), public_ip(3));
  auto connection = connect_from(outside->space(), public_ip(3), 80);
  EXPECT_TRUE(talks(connection.socket));
  // Connections that are under way follow the routes as they are.
  good(engine->ensure_vpc(vpc({{"198.51.100.0/24", Target::internet, ""}})));
  EXPECT_FALSE(talks(connection.socket, 400));
  EXPECT_EQ(try_from(hidden->space(), outer(), 80, 300), Outcome::silent);
}

TEST_F(Routing, ADetachedGatewayLetsNothingThrough) {
  const EchoServer here(gate->space(), 80);
  auto connection = connect_from(outside->space(), public_ip(1), 80);
  ASSERT_TRUE(talks(connection.socket));
  auto detached = vpc();
  detached.internet_gateway = false;
  good(engine->ensure_vpc(detached));
  EXPECT_FALSE(talks(connection.socket, 400));
  EXPECT_EQ(try_from(outside->space(), public_ip(1), 80, 300), Outcome::silent);
  EXPECT_EQ(try_from(gate->space(), outer(), 80, 300), Outcome::silent);
  EXPECT_EQ(try_from(server->space(), "10.0.0.5", 80), Outcome::connected);
  good(engine->ensure_vpc(vpc()));
  EXPECT_EQ(try_from(outside->space(), public_ip(1), 80), Outcome::connected);
}

TEST_F(Routing, TheMostSpecificRouteDecides) {
  const EchoServer there(outside->space(), 80);
  auto split = vpc();
  split.route_tables[0].routes = {{"0.0.0.0/0", Target::internet, ""}, {outer() + "/32", Target::nowhere, ""}};
  good(engine->ensure_vpc(split));
  EXPECT_EQ(try_from(gate->space(), outer(), 80, 300), Outcome::silent);
  good(engine->ensure_vpc(vpc()));
  EXPECT_EQ(try_from(gate->space(), outer(), 80), Outcome::connected);
}

// --- NAT ---

TEST_F(Routing, ANatInstanceForwardsOnceItsCheckIsOff) {
  const EchoServer there(outside->space(), 80);
  good(engine->ensure_vpc(vpc({{"0.0.0.0/0", Target::interface, gate->interface().id}})));
  ASSERT_TRUE(run_in(gate->space(), {"sysctl", "-w", "net.ipv4.ip_forward=1"}));
  ASSERT_TRUE(run_in(gate->space(), {"nft",
                                     "add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; }; "
                                     "add rule ip nat out ip saddr 10.0.1.0/24 masquerade"}));
  EXPECT_EQ(try_from(hidden->space(), outer(), 80, 300), Outcome::silent);  // its check is on
  auto forwarding = gate->interface();
  forwarding.source_dest_check = false;
  good(engine->ensure_interface(forwarding));
  EXPECT_EQ(seen_as(hidden->space(), outer(), 80), public_ip(1));
  auto connection = connect_from(hidden->space(), outer(), 80);
  EXPECT_TRUE(talks(connection.socket));
  // What it forwards is judged by its groups, too.
  good(engine->ensure_group({"sg-none", ours, {}, everything}));
  forwarding.group_ids = {"sg-none"};
  good(engine->ensure_interface(forwarding));
  EXPECT_EQ(try_from(hidden->space(), outer(), 80, 300), Outcome::silent);
}

TEST_F(Routing, ANatGatewayHidesMany) {
  const EchoServer there(outside->space(), 80);
  auto spec = vpc({{"0.0.0.0/0", Target::nat, "nat-0one"}});
  spec.nats = {{"nat-0one", public_ip(9)}};
  good(engine->ensure_vpc(spec));
  EXPECT_EQ(seen_as(hidden->space(), outer(), 80), public_ip(9));
  EXPECT_EQ(seen_as(gate->space(), outer(), 80), public_ip(1));
  auto connection = connect_from(hidden->space(), outer(), 80);
  ASSERT_TRUE(talks(connection.socket));
  // A rule that changes does not end what is translated and allowed.
  good(engine->ensure_group({"sg-none", ours, {}, everything}));
  auto again = hidden->interface();
  again.group_ids = {"sg-all", "sg-none"};
  good(engine->ensure_interface(again));
  EXPECT_TRUE(talks(connection.socket));
  // A neighbour's public address is reached through it as from outside, and nobody gets in by it.
  const EchoServer near(server->space(), 81);
  EXPECT_EQ(seen_as(hidden->space(), public_ip(2), 81), public_ip(9));
  const EchoServer inside(hidden->space(), 82);
  EXPECT_EQ(try_from(outside->space(), public_ip(9), 82, 300), Outcome::silent);
  good(engine->ensure_vpc(vpc()));
  EXPECT_FALSE(talks(connection.socket, 400));
  EXPECT_EQ(try_from(hidden->space(), outer(), 80, 300), Outcome::silent);
}

// --- network ACLs ---

TEST_F(Routing, AclsAreOrderedAndForgetful) {
  const EchoServer here(server->space(), 80);
  const EchoServer also(server->space(), 81);
  auto spec = vpc();
  const auto with = [&](const std::vector<AclEntrySpec>& entries) {
    spec.acls = {{"acl-0one", entries}};
    spec.subnets[0].acl_id = "acl-0one";
    return spec;
  };
  const AclEntrySpec web_in{false, true, "6", 80, 80, "0.0.0.0/0"};
  const AclEntrySpec all_out{true, true, "-1", -1, -1, "0.0.0.0/0"};
  good(engine->ensure_vpc(with({web_in, all_out})));
  auto connection = connect_from(hidden->space(), "10.0.0.6", 80);
  EXPECT_TRUE(talks(connection.socket));
  EXPECT_EQ(try_from(hidden->space(), "10.0.0.6", 81, 300), Outcome::silent);
  EXPECT_EQ(try_from(gate->space(), "10.0.0.6", 81), Outcome::connected);  // within the subnet
  EXPECT_EQ(try_from(outside->space(), public_ip(2), 80), Outcome::connected);
  EXPECT_EQ(try_from(outside->space(), public_ip(2), 81, 300), Outcome::silent);
  // An earlier line decides.
  good(engine->ensure_vpc(with({{false, false, "6", 80, 80, "10.0.1.0/24"}, web_in, all_out})));
  EXPECT_FALSE(talks(connection.socket, 400));  // also what is under way
  EXPECT_EQ(try_from(hidden->space(), "10.0.0.6", 80, 300), Outcome::silent);
  EXPECT_EQ(try_from(outside->space(), public_ip(2), 80), Outcome::connected);
  // Answers need a line of their own.
  good(engine->ensure_vpc(with({web_in, {true, true, "6", 443, 443, "0.0.0.0/0"}})));
  EXPECT_EQ(try_from(hidden->space(), "10.0.0.6", 80, 300), Outcome::silent);
  good(engine->ensure_vpc(with({web_in, {true, true, "6", 1024, 65535, "0.0.0.0/0"}})));
  EXPECT_EQ(try_from(hidden->space(), "10.0.0.6", 80), Outcome::connected);
}

// --- addresses ---

TEST_F(Routing, FurtherAddressesAreTheInterfacesOwn) {
  ASSERT_TRUE(run_in(server->space(), {"ip", "addr", "add", "10.0.0.66/24", "dev", "eth0"}));
  const EchoServer here(server->space(), 80);
  EXPECT_EQ(try_from(gate->space(), "10.0.0.66", 80, 300), Outcome::silent);  // not given to it
  auto two = server->interface();
  two.more = {{"10.0.0.66", public_ip(66)}};
  good(engine->ensure_interface(two));
  EXPECT_EQ(try_from(gate->space(), "10.0.0.66", 80), Outcome::connected);
  EXPECT_EQ(try_from(outside->space(), public_ip(66), 80), Outcome::connected);
  EXPECT_EQ(try_from(outside->space(), public_ip(2), 80), Outcome::connected);
  auto connection = connect_from(outside->space(), public_ip(66), 80);
  ASSERT_TRUE(talks(connection.socket));
  good(engine->ensure_interface(server->interface()));
  EXPECT_FALSE(talks(connection.socket, 400));
  EXPECT_EQ(try_from(gate->space(), "10.0.0.66", 80, 300), Outcome::silent);
  EXPECT_EQ(try_from(outside->space(), public_ip(66), 80, 300), Outcome::silent);
}

TEST_F(Routing, AnElasticIpMovesWithItsPackets) {
  const EchoServer first(gate->space(), 80);
  const EchoServer second(server->space(), 81);
  auto connection = connect_from(outside->space(), public_ip(1), 80);
  ASSERT_TRUE(talks(connection.socket));
  auto without = gate->interface();
  without.public_ip = public_ip(50);
  good(engine->ensure_interface(without));
  auto with = server->interface();
  with.public_ip = public_ip(1);
  good(engine->ensure_interface(with));
  EXPECT_FALSE(talks(connection.socket, 400));
  EXPECT_EQ(try_from(outside->space(), public_ip(1), 81), Outcome::connected);
  EXPECT_EQ(try_from(outside->space(), public_ip(50), 80), Outcome::connected);
  EXPECT_EQ(try_from(outside->space(), public_ip(2), 81, 300), Outcome::silent);
}

// Told in the other order: the new owner first.
TEST_F(Routing, AnElasticIpArrivesBeforeItLeaves) {
  const EchoServer second(server->space(), 81);
  auto with = server->interface();
  with.public_ip = public_ip(1);
  good(engine->ensure_interface(with));
  auto without = gate->interface();
  without.public_ip.clear();
  good(engine->ensure_interface(without));
  EXPECT_EQ(try_from(outside->space(), public_ip(1), 81), Outcome::connected);
}

TEST_F(Routing, ARestartDisturbsNothing) {
  const EchoServer there(outside->space(), 80);
  auto spec = vpc({{"0.0.0.0/0", Target::nat, "nat-0one"}});
  spec.nats = {{"nat-0one", public_ip(9)}};
  good(engine->ensure_vpc(spec));
  auto connection = connect_from(hidden->space(), outer(), 80);
  ASSERT_TRUE(talks(connection.socket));
  auto made = make_host_network_engine({"/run/brume-routing-test", "", "us-east-1"});
  ASSERT_TRUE(made);
  engine = std::move(*made);
  good(engine->ensure_vpc(spec));
  EXPECT_TRUE(talks(connection.socket));
}

}  // namespace
}  // namespace brume::network::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return brume::network::test::in_private_world([] { return RUN_ALL_TESTS(); });
}
