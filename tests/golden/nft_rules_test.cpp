// Whole transactions of nftables, as `nft -j -f -` takes them.
#include <gtest/gtest.h>

#include "engines/network/nft/nft_rules.hpp"
#include "golden_file.hpp"

namespace brume::network {
namespace {

InterfaceSpec interface(const std::string& id, const std::string& mac, const std::string& address, const std::string& given,
                        const std::vector<std::string>& groups) {
  InterfaceSpec spec;
  spec.id = id;
  spec.vpc_id = "vpc-0123456789abcdef0";
  spec.subnet_cidr = "172.31.0.0/20";
  spec.mac = mac;
  spec.private_ip = address;
  spec.public_ip = given;
  spec.group_ids = groups;
  return spec;
}

Model small_model() {
  Model model;
  model.vpc = {"vpc-0123456789abcdef0", "172.31.0.0/16", {{"172.31.0.0/20"}, {"172.31.16.0/20"}}, "ec2.internal"};
  model.vpc.internet_gateway = true;
  model.groups["sg-0web"] = {"sg-0web",
                             model.vpc.id,
                             {{"tcp", 22, 22, "203.0.113.7/32", ""},
                              {"tcp", 8000, 8080, "10.0.0.0/8", ""},
                              {"udp", -1, -1, "0.0.0.0/0", ""},
                              {"icmp", 8, 0, "0.0.0.0/0", ""},
                              {"icmp", -1, -1, "172.31.0.0/16", ""},
                              {"47", -1, -1, "0.0.0.0/0", ""},
                              {"-1", -1, -1, "", "sg-0app"},
                              {"tcp", 80, 80, "2001:db8::/32", ""}},
                             {{"-1", -1, -1, "0.0.0.0/0", ""}}};
  model.groups["sg-0app"] = {"sg-0app", model.vpc.id, {}, {{"6", 0, 65535, "", "sg-0web"}}};
  model.interfaces["eni-0123456789abcdef0"] =
      interface("eni-0123456789abcdef0", "02:00:00:00:00:01", "172.31.0.5", "198.18.5.1", {"sg-0web", "sg-0app"});
  auto router = interface("eni-0123456789abcdef1", "02:00:00:00:00:02", "172.31.0.6", "", {"sg-0app"});
  router.source_dest_check = false;
  model.interfaces[router.id] = router;
  return model;
}

TEST(NftRules, WholeVpc) { expect_golden("network/vpc.nft.json", replace_transaction(vpc_tables(small_model()))); }

// Routes, a NAT gateway, an ACL, a second range, and an interface with a second address.
TEST(NftRules, RoutedVpc) {
  auto model = small_model();
  model.vpc.subnets = {{"172.31.0.0/20", "rtb-0nat", "acl-0strict"}, {"172.31.16.0/20", "rtb-0open"}};
  model.vpc.more_cidrs = {"10.9.0.0/16"};
  model.vpc.dns = false;
  model.vpc.route_tables = {
      {"rtb-0nat", {{"0.0.0.0/0", RouteSpec::Target::nat, "nat-0one"}, {"203.0.113.0/24", RouteSpec::Target::internet, ""}}},
      {"rtb-0open", {{"0.0.0.0/0", RouteSpec::Target::internet, ""}}}};
  model.vpc.nats = {{"nat-0one", "198.18.5.9"}};
  model.vpc.acls = {
      {"acl-0strict",
       {{false, true, "6", 80, 80, "0.0.0.0/0"}, {true, false, "17", -1, -1, "10.0.0.0/8"}, {true, true, "-1", -1, -1, "0.0.0.0/0"}}}};
  model.interfaces.begin()->second.more = {{"172.31.0.99", "198.18.5.2"}};
  expect_golden("network/vpc_routed.nft.json", replace_transaction(vpc_tables(model)));
}

// The same with IPv6 in one of the subnets: routes to both kinds of gateway, an ACL, two members of a group.
TEST(NftRules, VpcWithIpv6) {
  auto model = small_model();
  model.vpc.cidrs6 = {"2001:db8:1200::/56"};
  model.vpc.subnets = {{"172.31.0.0/20", "rtb-0open", "acl-0strict", "2001:db8:1200:1::/64"}, {"172.31.16.0/20"}};
  model.vpc.route_tables = {
      {"rtb-0open", {}, {{"::/0", RouteSpec::Target::egress_only, ""}, {"2001:db8:abc::/48", RouteSpec::Target::internet, ""}}}};
  model.vpc.acls = {
      {"acl-0strict",
       {{false, true, "58", 128, -1, "::/0"}, {true, false, "6", 25, 25, "2001:db8::/32"}, {true, true, "-1", -1, -1, "::/0"}}}};
  model.groups["sg-0app"].ingress = {{"icmpv6", 128, 0, "::/0", ""}, {"58", -1, -1, "2001:db8::/32", ""}};
  model.interfaces.begin()->second.ipv6 = {"2001:db8:1200:1::5", "2001:db8:1200:1::99"};
  expect_golden("network/vpc_ipv6.nft.json", replace_transaction(vpc_tables(model)));
}

TEST(NftRules, Host) {
  expect_golden("network/host.nft.json",
                replace_transaction(host_tables({"3fa2c1", {"198.18.5.0/24"}, "198.19.0.0/17", {"198.18.5.0/24"}})));
  expect_golden("network/host-routed-pool.nft.json", replace_transaction(host_tables({"3fa2c1", {"203.0.113.0/24"}, "198.19.0.0/17", {}})));
  // On the uplink the host answers for them, elsewhere nobody knows them.
  expect_golden(
      "network/host-uplink.nft.json",
      replace_transaction(host_tables({"3fa2c1", {"10.9.0.16/28", "203.0.113.0/28"}, "198.19.0.0/17", {"10.9.0.16/28"}, "eth0"})));
}

TEST(NftRules, HostWithIpv6) {
  HostTableSpec spec{"3fa2c1", {"198.18.5.0/24"}, "198.19.0.0/17", {"198.18.5.0/24"}};
  spec.pools6 = {"fd6e:1c00:2::/48", "2001:db8:1200::/40"};
  expect_golden("network/host-ipv6.nft.json", replace_transaction(host_tables(spec)));
}

TEST(NftRules, NoChangeIsNoTransaction) { EXPECT_EQ(change_transaction(vpc_tables(small_model()), vpc_tables(small_model())), ""); }

TEST(NftRules, NewMemberTouchesSetsOnly) {
  auto model = small_model();
  const auto before = vpc_tables(model);
  auto one = interface("eni-0123456789abcdef2", "02:00:00:00:00:03", "172.31.0.7", "198.18.5.2", {"sg-0web"});
  model.interfaces[one.id] = one;
  const auto change = change_transaction(before, vpc_tables(model));
  expect_golden("network/new-member.nft.json", change);
  EXPECT_EQ(change.find("flush"), std::string::npos);
}

TEST(NftRules, MemberGoes) {
  auto model = small_model();
  const auto before = vpc_tables(model);
  model.interfaces.erase("eni-0123456789abcdef1");
  expect_golden("network/member-gone.nft.json", change_transaction(before, vpc_tables(model)));
}

TEST(NftRules, RuleChangeTouchesItsChainOnly) {
  auto model = small_model();
  const auto before = vpc_tables(model);
  model.groups["sg-0web"].ingress = {{"tcp", 443, 443, "0.0.0.0/0", ""}};
  expect_golden("network/rule-change.nft.json", change_transaction(before, vpc_tables(model)));
}

TEST(NftRules, PublicAddressMoves) {
  auto model = small_model();
  const auto before = vpc_tables(model);
  model.interfaces["eni-0123456789abcdef0"].public_ip = "";
  model.interfaces["eni-0123456789abcdef1"].public_ip = "198.18.5.1";
  expect_golden("network/address-moves.nft.json", change_transaction(before, vpc_tables(model)));
}

// A group without rules, or one that nobody has told us yet, lets nothing through, and its name is there to be jumped to.
TEST(NftRules, UnknownGroupIsEmpty) {
  Model model;
  model.vpc = small_model().vpc;
  model.interfaces["eni-1"] = interface("eni-1", "02:00:00:00:00:01", "172.31.0.5", "", {"sg-late"});
  const auto tables = vpc_tables(model);
  ASSERT_TRUE(tables.front().chains.contains("in_sg_late"));
  EXPECT_TRUE(tables.front().chains.at("in_sg_late").rules.empty());
}

}  // namespace
}  // namespace brume::network
