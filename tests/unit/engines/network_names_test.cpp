#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <set>

#include "base/files.hpp"
#include "base/random.hpp"
#include "engines/network/flows/flows.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/nft/nft.hpp"

namespace brume::network {
namespace {

TEST(NetworkNames, FitTheKernel) {
  EXPECT_EQ(tap_name("eni-0123456789abcdef0"), "bt456789abcdef0");
  EXPECT_EQ(tap_name("eni-12345678"), "bt12345678");
  EXPECT_LE(tap_name("something else entirely, and long").size(), 15u);
  EXPECT_EQ(link_name("3fa2c1", "vpc-0123456789abcdef0").size(), 15u);
  EXPECT_TRUE(link_name("3fa2c1", "vpc-1").starts_with("bv3fa2c1"));
  EXPECT_EQ(namespace_name("3fa2c1", "vpc-1"), "brume-3fa2c1-vpc-1");
  EXPECT_EQ(table_name_part("sg-0a-b"), "sg_0a_b");
}

TEST(NetworkNames, DifferByVpcAndStayTheSame) {
  std::set<std::string> names;
  for (int i = 0; i < 2000; ++i) names.insert(link_name("3fa2c1", "vpc-" + std::to_string(i)));
  EXPECT_EQ(names.size(), 2000u);
  EXPECT_EQ(link_name("3fa2c1", "vpc-7"), link_name("3fa2c1", "vpc-7"));
  EXPECT_NE(router_mac("vpc-1"), router_mac("vpc-2"));
  EXPECT_TRUE(router_mac("vpc-1").starts_with("fe:"));  // local, one receiver, never a guest's
}

TEST(NetworkNames, OnlyOwnMarkIsOurs) {
  EXPECT_EQ(vpc_of_namespace("3fa2c1", "brume-3fa2c1-vpc-1"), "vpc-1");
  EXPECT_FALSE(vpc_of_namespace("3fa2c1", "brume-3fa2c2-vpc-1"));
  EXPECT_FALSE(vpc_of_namespace("3fa2c1", "brume-3fa2c1-"));
  EXPECT_FALSE(vpc_of_namespace("3fa2c1", "brume-foreign"));
  EXPECT_FALSE(vpc_of_namespace("3fa2c1", "other"));
}

TEST(NetworkNames, DangerousIdsAreRefused) {
  EXPECT_TRUE(is_safe_id("vpc-0123456789abcdef0"));
  for (const auto* id : {"", "../x", "a/b", "a\"b", "a b", "-rf", "a\nb"}) EXPECT_FALSE(is_safe_id(id)) << id;
  EXPECT_FALSE(is_safe_id(std::string(65, 'a')));
}

TEST(NetworkNames, MarkIsMadeOnceAndNeverGuessed) {
  char place[] = "/tmp/brume-names-XXXXXX";
  ASSERT_NE(::mkdtemp(place), nullptr);
  SeededRandom random(7);
  const auto mark = load_or_make_mark(place, random);
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->size(), 6u);
  EXPECT_EQ(load_or_make_mark(place, random).value_or(""), *mark);
  ASSERT_TRUE(write_file(std::string(place) + "/mark", "not hex\n"));
  EXPECT_FALSE(load_or_make_mark(place, random));
  std::filesystem::remove_all(place);
}

TEST(NetworkNames, ForwardPolicyOfOthersIsSeen) {
  const auto* listing = R"({"nftables":[{"metainfo":{"version":"1.0.6"}},
    {"chain":{"family":"ip","table":"filter","name":"FORWARD","handle":2,"type":"filter","hook":"forward","prio":0,"policy":"drop"}},
    {"chain":{"family":"ip","table":"filter","name":"INPUT","handle":1,"type":"filter","hook":"input","prio":0,"policy":"drop"}},
    {"chain":{"family":"ip","table":"filter","name":"DOCKER","handle":3}}]})";
  EXPECT_EQ(dropping_forward_chains(listing), std::vector<std::string>{"ip filter FORWARD"});
  EXPECT_TRUE(dropping_forward_chains("").empty());
}

// --- which known connections stay after a change ---

class Flows : public ::testing::Test {
 protected:
  Flows() {
    model_.vpc = {"vpc-1", "172.31.0.0/16", {{"172.31.0.0/20", "rtb-1"}}, "ec2.internal"};
    model_.vpc.internet_gateway = true;
    model_.vpc.route_tables = {{"rtb-1", {{"0.0.0.0/0", RouteSpec::Target::internet, ""}}}};
    model_.groups["sg-web"] = {
        "sg-web", "vpc-1", {{"tcp", 80, 81, "0.0.0.0/0", ""}, {"icmp", 8, -1, "0.0.0.0/0", ""}}, {{"-1", -1, -1, "0.0.0.0/0", ""}}};
    model_.groups["sg-self"] = {"sg-self", "vpc-1", {{"-1", -1, -1, "", "sg-self"}}, {{"udp", -1, -1, "172.31.0.0/16", ""}}};
    add("eni-1", "172.31.0.5", "sg-web", "198.18.0.5");
    add("eni-2", "172.31.0.6", "sg-self", "");
    add("eni-3", "172.31.0.7", "sg-self", "198.18.0.7");
  }

  void add(const std::string& id, const std::string& address, const std::string& group, const std::string& given) {
    InterfaceSpec interface;
    interface.id = id;
    interface.subnet_cidr = "172.31.0.0/20";
    interface.private_ip = address;
    interface.public_ip = given;
    interface.group_ids = {group};
    model_.interfaces[id] = interface;
  }

  bool allowed(std::uint8_t protocol, const std::string& source, const std::string& destination, std::uint16_t port,
               const std::string& reply_source = "", const std::string& reply_destination = "") const {
    Flow flow;
    flow.protocol = protocol;
    flow.source = *parse_ipv4(source);
    flow.destination = *parse_ipv4(destination);
    flow.reply_source = *parse_ipv4(reply_source.empty() ? destination : reply_source);
    flow.reply_destination = *parse_ipv4(reply_destination.empty() ? source : reply_destination);
    flow.destination_port = port;
    if (protocol == 1) flow.icmp_type = static_cast<std::uint8_t>(port);
    return FlowRules(model_).allow(flow);
  }

  Model model_;
};

TEST_F(Flows, FollowTheGroups) {
  EXPECT_TRUE(allowed(6, "8.8.8.8", "198.18.0.5", 80, "172.31.0.5"));
  EXPECT_TRUE(allowed(6, "8.8.8.8", "198.18.0.5", 81, "172.31.0.5"));
  EXPECT_FALSE(allowed(6, "8.8.8.8", "198.18.0.5", 82, "172.31.0.5"));
  EXPECT_FALSE(allowed(17, "8.8.8.8", "198.18.0.5", 80, "172.31.0.5"));
  EXPECT_TRUE(allowed(1, "8.8.8.8", "198.18.0.5", 8, "172.31.0.5"));
  EXPECT_FALSE(allowed(1, "8.8.8.8", "198.18.0.5", 13, "172.31.0.5"));
  EXPECT_TRUE(allowed(17, "172.31.0.6", "172.31.0.7", 9));
  EXPECT_FALSE(allowed(6, "172.31.0.6", "172.31.0.7", 9));   // egress is UDP only
  EXPECT_FALSE(allowed(17, "172.31.0.5", "172.31.0.7", 9));  // not a member
}

TEST_F(Flows, FollowTheTranslation) {
  EXPECT_TRUE(allowed(6, "172.31.0.5", "8.8.8.8", 443, "8.8.8.8", "198.18.0.5"));
  EXPECT_FALSE(allowed(6, "172.31.0.5", "8.8.8.8", 443, "8.8.8.8", "198.18.0.9"));  // the address it had before
  EXPECT_FALSE(allowed(6, "8.8.8.8", "198.18.0.9", 80, "172.31.0.5"));
  EXPECT_FALSE(allowed(17, "172.31.0.6", "198.18.0.7", 9, "172.31.0.7"));
}

TEST_F(Flows, FollowNatGateways) {
  EXPECT_FALSE(allowed(17, "172.31.0.6", "172.31.9.9", 9, "172.31.9.9", "198.18.0.50"));
  model_.groups["sg-self"].egress = {{"-1", -1, -1, "0.0.0.0/0", ""}};
  EXPECT_FALSE(allowed(17, "172.31.0.6", "8.8.8.8", 9, "8.8.8.8", "198.18.0.50"));
  model_.vpc.nats = {{"nat-1", "198.18.0.50"}};
  model_.vpc.route_tables = {{"rtb-1", {{"0.0.0.0/0", RouteSpec::Target::internet, ""}, {"8.0.0.0/8", RouteSpec::Target::nat, "nat-1"}}}};
  EXPECT_TRUE(allowed(17, "172.31.0.6", "8.8.8.8", 9, "8.8.8.8", "198.18.0.50"));
  EXPECT_FALSE(allowed(17, "172.31.0.6", "9.9.9.9", 9, "9.9.9.9", "198.18.0.50"));  // that route leads elsewhere
  model_.vpc.nats.clear();
  EXPECT_FALSE(allowed(17, "172.31.0.6", "8.8.8.8", 9, "8.8.8.8", "198.18.0.50"));
}

TEST_F(Flows, FollowEveryAddressOfAnInterface) {
  EXPECT_FALSE(allowed(6, "8.8.8.8", "198.18.0.66", 80, "172.31.0.66"));
  model_.interfaces["eni-1"].more = {{"172.31.0.66", "198.18.0.66"}};
  EXPECT_TRUE(allowed(6, "8.8.8.8", "198.18.0.66", 80, "172.31.0.66"));
  EXPECT_TRUE(allowed(6, "8.8.8.8", "198.18.0.5", 80, "172.31.0.5"));
  model_.vpc.internet_gateway = false;
  EXPECT_FALSE(allowed(6, "8.8.8.8", "198.18.0.66", 80, "172.31.0.66"));
}

TEST(Routes, TheMostSpecificDecides) {
  const RouteTableSpec table{"rtb-1",
                             {{"0.0.0.0/0", RouteSpec::Target::internet, ""},
                              {"10.0.0.0/8", RouteSpec::Target::nowhere, ""},
                              {"10.1.0.0/16", RouteSpec::Target::nat, "nat-1"}}};
  EXPECT_EQ(route_to<Ipv4>(table, *parse_ipv4("8.8.8.8"))->target, RouteSpec::Target::internet);
  EXPECT_EQ(route_to<Ipv4>(table, *parse_ipv4("10.2.0.1"))->target, RouteSpec::Target::nowhere);
  EXPECT_EQ(route_to<Ipv4>(table, *parse_ipv4("10.1.0.1"))->id, "nat-1");
  EXPECT_EQ(route_to<Ipv4>({"rtb-2", {}}, *parse_ipv4("8.8.8.8")), nullptr);
  EXPECT_NE(table_number("rtb-1"), table_number("rtb-2"));
  EXPECT_EQ(table_number("rtb-1") >> 28, 1u);
}

TEST_F(Flows, EndWithTheirInterface) {
  EXPECT_FALSE(allowed(6, "172.31.0.9", "172.31.0.5", 80));
  EXPECT_FALSE(allowed(6, "172.31.0.5", "172.31.0.9", 80));
  EXPECT_TRUE(allowed(17, "172.31.0.6", "172.31.0.2", 53));
  EXPECT_TRUE(allowed(6, "172.31.0.6", "169.254.169.254", 80));
  EXPECT_FALSE(allowed(6, "172.31.0.9", "169.254.169.254", 80));
  EXPECT_TRUE(allowed(17, "198.19.0.1", "9.9.9.9", 53));  // the forwarder's own question
}

}  // namespace
}  // namespace brume::network
