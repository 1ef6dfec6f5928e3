// Peered VPCs, with real packets: left and right are both peered with middle. "Silent" means dropped.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/ipv4.hpp"
#include "engine_suite.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/names/resolver.hpp"

namespace brume::network::test {
namespace {

const std::string left_id = "vpc-0a000000000000001";
const std::string middle_id = "vpc-0b000000000000002";
const std::string right_id = "vpc-0c000000000000003";
const std::string one = "pcx-01000000000000001";  // left and middle
const std::string two = "pcx-02000000000000002";  // middle and right
const std::vector<Permission> everything = {{"-1", -1, -1, "0.0.0.0/0", ""}};
constexpr int short_limit = 300;
using Target = RouteSpec::Target;

class Peering : public EngineSuite {
 protected:
  static void SetUpTestSuite() { start(); }
  static void TearDownTestSuite() {
    here.reset(), there.reset(), other.reset(), far.reset();
    close();
  }
  static void start() { open({"/run/brume-peering-test", "", "us-east-1"}); }

  // "10.1.0.0/16" of the number 1, with these routes and a way to the internet.
  static VpcSpec vpc(const std::string& id, int number, std::vector<RouteSpec> routes, std::vector<PeeringSpec> peerings) {
    const auto net = "10." + std::to_string(number);
    VpcSpec spec{id, net + ".0.0/16", {{net + ".0.0/24", "rtb-1"}}, "ec2.internal"};
    spec.internet_gateway = true;
    routes.push_back({"0.0.0.0/0", Target::internet, ""});
    spec.route_tables = {{"rtb-1", std::move(routes)}};
    spec.peerings = std::move(peerings);
    spec.names.public_domain = "compute-1.amazonaws.com";
    return spec;
  }
  static VpcSpec left(std::vector<RouteSpec> routes = {{"10.2.0.0/16", Target::peering, one}}) {
    return vpc(left_id, 1, std::move(routes), {{one, middle_id, {"10.2.0.0/16"}}});
  }
  static VpcSpec middle(std::vector<RouteSpec> routes = {{"10.1.0.0/16", Target::peering, one}, {"10.3.0.0/16", Target::peering, two}}) {
    return vpc(middle_id, 2, std::move(routes), {{one, left_id, {"10.1.0.0/16"}}, {two, right_id, {"10.3.0.0/16"}}});
  }
  static VpcSpec right(std::vector<RouteSpec> routes = {{"10.2.0.0/16", Target::peering, two}}) {
    return vpc(right_id, 3, std::move(routes), {{two, middle_id, {"10.2.0.0/16"}}});
  }

  // here is in left, there and other in middle, far in right.
  void SetUp() override {
    ASSERT_TRUE(engine);
    for (const auto& spec : {left(), middle(), right()}) {
      good(engine->ensure_vpc(spec));
      good(engine->ensure_group({"sg-all", spec.id, everything, everything}));
    }
    plug(here, interface_spec(1, left_id, "10.1.0.5", public_ip(1)), "guest-here");
    plug(there, interface_spec(2, middle_id, "10.2.0.5", public_ip(2)), "guest-there");
    plug(other, interface_spec(3, middle_id, "10.2.0.6"), "guest-other");
    plug(far, interface_spec(4, right_id, "10.3.0.5"), "guest-far");
  }

  static std::string links_in(const std::string& vpc_id) {
    for (const auto& name : host::list_namespaces("brume-"))
      if (name.ends_with(vpc_id)) return run_in(name, {"ip", "-o", "link"}).value_or("");
    return "no namespace";
  }

  static std::unique_ptr<Guest> here, there, other, far;
};
std::unique_ptr<Guest> Peering::here, Peering::there, Peering::other, Peering::far;

TEST_F(Peering, RoutesOnBothSidesLeadOver) {
  const EchoServer server(there->space(), 80);
  EXPECT_EQ(seen_as(here->space(), "10.2.0.5", 80), "10.1.0.5");  // nothing is translated
  EXPECT_TRUE(pings(here->space(), "10.2.0.5"));
  const EchoServer back(here->space(), 81);
  EXPECT_EQ(seen_as(other->space(), "10.1.0.5", 81), "10.2.0.6");
  auto connection = connect_from(here->space(), "10.2.0.5", 80);
  ASSERT_TRUE(talks(connection.socket));
  // Without the way back no answer comes, and without the way there nothing does.
  good(engine->ensure_vpc(middle({})));
  EXPECT_FALSE(talks(connection.socket, short_limit));
  EXPECT_EQ(try_from(here->space(), "10.2.0.5", 80, short_limit), Outcome::silent);
  good(engine->ensure_vpc(middle()));
  EXPECT_EQ(try_from(here->space(), "10.2.0.5", 80), Outcome::connected);
  good(engine->ensure_vpc(left({})));
  EXPECT_EQ(try_from(here->space(), "10.2.0.5", 80, short_limit), Outcome::silent);
}

TEST_F(Peering, NobodyPassesThrough) {
  const EchoServer end(far->space(), 80);
  const EchoServer near(there->space(), 80);
  EXPECT_EQ(try_from(there->space(), "10.3.0.5", 80), Outcome::connected);
  good(engine->ensure_vpc(left({{"10.2.0.0/16", Target::peering, one}, {"10.3.0.0/16", Target::peering, one}})));
  good(engine->ensure_vpc(right({{"10.2.0.0/16", Target::peering, two}, {"10.1.0.0/16", Target::peering, two}})));
  EXPECT_EQ(try_from(here->space(), "10.3.0.5", 80, short_limit), Outcome::silent);
  // Nor to the internet by the other's gateway, nor to a public address over there.
  good(engine->ensure_vpc(left({{engine->public_pool(), Target::peering, one}})));
  EXPECT_EQ(try_from(here->space(), public_ip(2), 80, short_limit), Outcome::silent);
}

TEST_F(Peering, AForwarderMaySendOnlyAsItsVpc) {
  auto unchecked = here->interface();
  unchecked.source_dest_check = false;
  good(engine->ensure_interface(unchecked));
  UdpSocket listener(there->space(), 9000);
  const auto send_as = [&](const std::string& source) {
    here->send_frame(udp_frame(unchecked.mac, router_mac(left_id), source, "10.2.0.5", 1234, 9000, "as " + source));
  };
  send_as("10.3.0.5");  // of right
  send_as("10.2.0.6");  // of middle itself
  EXPECT_EQ(listener.receive(), std::nullopt);
  send_as("10.1.0.5");
  EXPECT_EQ(listener.receive(1000), "as 10.1.0.5");
}

// The name leads over the peering where the other side shows it, and else to the public address: for all but the VPC that it is of.
TEST_F(Peering, APublicNameIsThePrivateAddressForAPeerThatItIsShownTo) {
  const auto name = public_name(public_ip(2), "compute-1.amazonaws.com");
  const auto is_private = [&](const Guest& guest, const std::string& server) {
    const auto answer = ask_name(guest.space(), name, server);
    EXPECT_NE(says(answer, "10.2.0.5"), says(answer, public_ip(2))) << answer;
    return says(answer, "10.2.0.5");
  };
  EXPECT_TRUE(is_private(*other, "10.2.0.2"));
  EXPECT_FALSE(is_private(*here, "10.1.0.2"));
  auto told = left();
  told.peerings[0].names = {{"10.2.0.5", public_ip(2)}};
  good(engine->ensure_vpc(told));
  const auto comes_to_be = [&](bool wanted) {
    for (int tries = 0; tries < 200 && is_private(*here, "10.1.0.2") != wanted; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return is_private(*here, "10.1.0.2") == wanted;
  };
  EXPECT_TRUE(comes_to_be(true));
  EXPECT_FALSE(is_private(*far, "10.3.0.2"));
  // A new daemon finds it so.
  start();
  good(engine->ensure_interface(here->interface()));
  EXPECT_TRUE(comes_to_be(true));
  told.peerings[0].names.clear();
  good(engine->ensure_vpc(told));
  EXPECT_TRUE(comes_to_be(false));
}

TEST_F(Peering, GroupsOfBothSidesDecide) {
  const EchoServer server(there->space(), 80);
  // The server's group lets in members of a group over there.
  good(engine->ensure_group({"sg-server", middle_id, {{"tcp", 80, 80, "", "sg-clients"}}, everything}));
  auto guarded = there->interface();
  guarded.group_ids = {"sg-server"};
  good(engine->ensure_interface(guarded));
  EXPECT_EQ(try_from(here->space(), "10.2.0.5", 80, short_limit), Outcome::silent);
  auto spec = middle();
  spec.peer_groups = {{"sg-clients", {"10.1.0.5"}, one}};
  good(engine->ensure_vpc(spec));
  auto connection = connect_from(here->space(), "10.2.0.5", 80);
  EXPECT_TRUE(talks(connection.socket));
  EXPECT_EQ(try_from(other->space(), "10.2.0.5", 80, short_limit), Outcome::silent);
  // Who leaves the group loses what it let in.
  spec.peer_groups = {{"sg-clients", {}, one}};
  good(engine->ensure_vpc(spec));
  EXPECT_FALSE(talks(connection.socket, short_limit));
  // And what the sender's own group does not let out does not come.
  good(engine->ensure_vpc(middle()));
  good(engine->ensure_interface(there->interface()));
  EXPECT_EQ(try_from(here->space(), "10.2.0.5", 80), Outcome::connected);
  good(engine->ensure_group({"sg-all", left_id, everything, {{"tcp", 80, 80, "10.1.0.0/16", ""}}}));
  EXPECT_EQ(try_from(here->space(), "10.2.0.5", 80, short_limit), Outcome::silent);
}

TEST_F(Peering, AclsOfBothSidesDecide) {
  const EchoServer server(there->space(), 80);
  const std::vector<AclEntrySpec> no_left = {
      {false, false, "-1", -1, -1, "10.1.0.0/16"}, {false, true, "-1", -1, -1, "0.0.0.0/0"}, {true, true, "-1", -1, -1, "0.0.0.0/0"}};
  auto closed = middle();
  closed.acls = {{"acl-1", no_left}};
  closed.subnets[0].acl_id = "acl-1";
  good(engine->ensure_vpc(closed));
  EXPECT_EQ(try_from(here->space(), "10.2.0.5", 80, short_limit), Outcome::silent);
  EXPECT_EQ(try_from(far->space(), "10.2.0.5", 80), Outcome::connected);
  good(engine->ensure_vpc(middle()));
  auto kept_in = left();
  kept_in.acls = {
      {"acl-2",
       {{true, false, "-1", -1, -1, "10.2.0.0/16"}, {true, true, "-1", -1, -1, "0.0.0.0/0"}, {false, true, "-1", -1, -1, "0.0.0.0/0"}}}};
  kept_in.subnets[0].acl_id = "acl-2";
  good(engine->ensure_vpc(kept_in));
  EXPECT_EQ(try_from(here->space(), "10.2.0.5", 80, short_limit), Outcome::silent);
}

TEST_F(Peering, WhatWasDeletedLeadsNowhere) {
  const EchoServer server(there->space(), 80);
  auto connection = connect_from(here->space(), "10.2.0.5", 80);
  ASSERT_TRUE(talks(connection.socket));
  auto alone = left({{"10.2.0.0/16", Target::nowhere, one}});
  alone.peerings.clear();
  good(engine->ensure_vpc(alone));
  EXPECT_FALSE(talks(connection.socket, short_limit));
  EXPECT_EQ(try_from(here->space(), "10.2.0.5", 80, short_limit), Outcome::silent);
  // The route holds its packets back although another leads everything to the internet: also where the other side was not told yet.
  EXPECT_EQ(links_in(left_id).find(peering_name(one)), std::string::npos);
  auto other_side = middle();
  other_side.peerings.erase(other_side.peerings.begin());
  good(engine->ensure_vpc(other_side));
  EXPECT_EQ(links_in(middle_id).find(peering_name(one)), std::string::npos);
  EXPECT_NE(links_in(middle_id).find(peering_name(two)), std::string::npos);
  EXPECT_EQ(try_from(far->space(), "10.2.0.5", 80), Outcome::connected);
}

TEST_F(Peering, ConnectionsEndWithIt) {
  const EchoServer server(there->space(), 80);
  const EchoServer back(here->space(), 81);
  auto going = connect_from(here->space(), "10.2.0.5", 80);
  auto coming = connect_from(there->space(), "10.1.0.5", 81);
  auto third = connect_from(far->space(), "10.2.0.5", 80);
  ASSERT_TRUE(talks(going.socket) && talks(coming.socket) && talks(third.socket));
  auto alone = left({{"10.2.0.0/16", Target::nowhere, one}});
  alone.peerings.clear();
  auto other_side = middle({{"10.1.0.0/16", Target::nowhere, one}, {"10.3.0.0/16", Target::peering, two}});
  other_side.peerings.erase(other_side.peerings.begin());
  good(engine->ensure_vpc(alone));
  good(engine->ensure_vpc(other_side));
  // Another peering between the two begins anew.
  good(engine->ensure_vpc(left()));
  good(engine->ensure_vpc(middle()));
  EXPECT_EQ(try_from(here->space(), "10.2.0.5", 80), Outcome::connected);
  EXPECT_FALSE(talks(going.socket, short_limit));
  EXPECT_FALSE(talks(coming.socket, short_limit));
  EXPECT_TRUE(talks(third.socket));
}

// As in EC2: peers may have the same range, and the routes of each subnet say who is meant.
TEST_F(Peering, TwoPeersWithTheSameRange) {
  far.reset();
  good(engine->remove_vpc(right_id));
  auto same = left();  // in all but its id and its peering
  same.id = right_id;
  same.peerings = {{two, middle_id, {"10.2.0.0/16"}}};
  same.route_tables[0].routes = {{"10.2.0.0/16", Target::peering, two}};
  good(engine->ensure_vpc(same));
  good(engine->ensure_group({"sg-all", right_id, everything, everything}));
  plug(far, interface_spec(4, right_id, "10.1.0.5"), "guest-far");
  auto hub = middle();
  hub.peerings[1].peer_cidrs = {"10.1.0.0/16"};
  hub.subnets.push_back({"10.2.1.0/24", "rtb-2"});
  hub.route_tables = {{"rtb-1", {{"10.1.0.0/16", Target::peering, one}}}, {"rtb-2", {{"10.1.0.0/16", Target::peering, two}}}};
  good(engine->ensure_vpc(hub));
  const auto spec = interface_spec(5, middle_id, "10.2.1.5");
  good(engine->ensure_interface(spec));
  const Guest second(*engine, spec, "guest-second");
  {
    const EchoServer first_port(here->space(), 81);
    const EchoServer second_port(far->space(), 82);
    EXPECT_EQ(try_from(there->space(), "10.1.0.5", 81), Outcome::connected);
    EXPECT_EQ(try_from(there->space(), "10.1.0.5", 82), Outcome::refused);
    EXPECT_EQ(try_from(second.space(), "10.1.0.5", 82), Outcome::connected);
    EXPECT_EQ(try_from(second.space(), "10.1.0.5", 81), Outcome::refused);
    // Only the connections of the one that goes end.
    auto first = connect_from(there->space(), "10.1.0.5", 81);
    auto other_one = connect_from(second.space(), "10.1.0.5", 82);
    ASSERT_TRUE(talks(first.socket) && talks(other_one.socket));
    auto less = hub;
    less.peerings.pop_back();
    less.route_tables[1].routes = {{"10.1.0.0/16", Target::nowhere, two}};
    good(engine->ensure_vpc(less));
    EXPECT_TRUE(talks(first.socket));
    good(engine->ensure_vpc(hub));
    EXPECT_EQ(try_from(second.space(), "10.1.0.5", 82), Outcome::connected);
    EXPECT_FALSE(talks(other_one.socket, short_limit));
  }
  // A group over one of them lets in nobody who has its members' addresses over the other.
  good(engine->ensure_group({"sg-server", middle_id, {{"udp", 9000, 9000, "", "sg-clients"}}, everything}));
  auto guarded = there->interface();
  guarded.group_ids = {"sg-server"};
  good(engine->ensure_interface(guarded));
  hub.peer_groups = {{"sg-clients", {"10.1.0.5"}, one}};
  good(engine->ensure_vpc(hub));
  UdpSocket listener(there->space(), 9000);
  UdpSocket(far->space(), 1234).send("10.2.0.5", 9000, "another");
  EXPECT_EQ(listener.receive(), std::nullopt);
  UdpSocket(here->space(), 1235).send("10.2.0.5", 9000, "a member");
  EXPECT_EQ(listener.receive(1000), "a member");
  far.reset();
  good(engine->remove_interface(middle_id, spec.id));
  good(engine->remove_vpc(right_id));
}

TEST_F(Peering, AVpcThatComesBackIsLinkedAgain) {
  far.reset();
  good(engine->remove_vpc(right_id));
  EXPECT_EQ(links_in(middle_id).find(peering_name(two)), std::string::npos);
  good(engine->ensure_vpc(right()));
  good(engine->ensure_group({"sg-all", right_id, everything, everything}));
  plug(far, interface_spec(4, right_id, "10.3.0.5"), "guest-far");
  const EchoServer server(there->space(), 80);
  EXPECT_EQ(try_from(far->space(), "10.2.0.5", 80), Outcome::connected);
  const EchoServer back(far->space(), 80);
  EXPECT_EQ(try_from(there->space(), "10.3.0.5", 80), Outcome::connected);
}

TEST_F(Peering, ARestartKeepsWhatIsWantedAndRemovesWhatIsNot) {
  const EchoServer server(there->space(), 80);
  auto connection = connect_from(here->space(), "10.2.0.5", 80);
  ASSERT_TRUE(talks(connection.socket));
  std::string space;
  for (const auto& name : host::list_namespaces("brume-"))
    if (name.ends_with(left_id)) space = name;
  // As a daemon that was killed left it, and something of somebody else's.
  ASSERT_TRUE(run_in(space, {"ip", "link", "add", peering_name("pcx-0dead000000000000"), "type", "veth", "peer", "name", "stranger"}));
  ASSERT_TRUE(run_in(space, {"ip", "link", "add", "foreign0", "type", "veth", "peer", "name", "foreign1"}));
  start();
  for (const auto& spec : {left(), middle(), right()}) good(engine->ensure_vpc(spec));
  EXPECT_TRUE(talks(connection.socket));
  const auto links = links_in(left_id);
  EXPECT_EQ(links.find(peering_name("pcx-0dead000000000000")), std::string::npos);
  EXPECT_NE(links.find(peering_name(one)), std::string::npos);
  EXPECT_NE(links.find("foreign0"), std::string::npos);
  // Deleted while no daemon ran.
  auto alone = left({});
  alone.peerings.clear();
  auto other_side = middle();
  other_side.peerings.erase(other_side.peerings.begin());
  start();
  good(engine->ensure_vpc(alone));
  good(engine->ensure_vpc(other_side));
  EXPECT_EQ(links_in(left_id).find(peering_name(one)), std::string::npos);
  EXPECT_EQ(try_from(here->space(), "10.2.0.5", 80, short_limit), Outcome::silent);
}

}  // namespace
}  // namespace brume::network::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return brume::network::test::in_private_world([] { return RUN_ALL_TESTS(); });
}
