// IPv6: blocks and their parts, what records become for the network engine, and which connections may go on.
#include "base/ipv6.hpp"

#include "base/files.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "control/vpc_specs.hpp"
#include "engines/network/flows/flows.hpp"

namespace brume {
namespace {

using network::RouteSpec;
using testing::ElementsAre;

std::string block(std::string_view text) {
  const auto parsed = parse_ipv6_block(text);
  return parsed ? format_ipv6_block(*parsed) : "none";
}

TEST(Ipv6, BlocksAreCutToTheirPrefix) {
  EXPECT_EQ(block("2001:DB8:0:1::7/64"), "2001:db8:0:1::/64");
  EXPECT_EQ(block("2001:db8:12ff::/39"), "2001:db8:1200::/39");
  EXPECT_EQ(block("::1/0"), "::/0");
  EXPECT_EQ(block("fe80::1/128"), "fe80::1/128");
  for (const auto* wrong : {"2001:db8::", "2001:db8::/129", "2001:db8::/-1", "10.0.0.0/8", "/64", "", "x/64", "2001:db8::/"})
    EXPECT_EQ(block(wrong), "none") << wrong;
  EXPECT_FALSE(parse_ipv6("2001:db8::1 "));
  EXPECT_FALSE(parse_ipv6_blocks("2001:db8::/40,x"));
  EXPECT_EQ(parse_ipv6_blocks("2001:db8::/40, fd00::/48")->size(), 2u);
}

TEST(Ipv6, PartsAndHostsAreCounted) {
  const auto whole = *parse_ipv6_block("2001:db8::/40");
  EXPECT_EQ(format_ipv6_block(ipv6_part(whole, 56, 0)), "2001:db8::/56");
  EXPECT_EQ(format_ipv6_block(ipv6_part(whole, 56, 1)), "2001:db8:0:100::/56");
  EXPECT_EQ(format_ipv6_block(ipv6_part(whole, 56, 0xABCD)), "2001:db8:ab:cd00::/56");
  EXPECT_EQ(format_ipv6_block(ipv6_part(*parse_ipv6_block("2001:db8::/39"), 57, 0x3FFFF)), "2001:db8:1ff:ff80::/57");
  EXPECT_EQ(format_ipv6(ipv6_host(*parse_ipv6_block("2001:db8::/64"), 0x100000001)), "2001:db8::1:0:1");
  EXPECT_EQ(format_ipv6(ipv6_host(*parse_ipv6_block("2001:db8::/64"), ~std::uint64_t{0})), "2001:db8::ffff:ffff:ffff:ffff");
  EXPECT_TRUE(overlap(whole, *parse_ipv6_block("2001:db8:1::/64")));
  EXPECT_TRUE(overlap(*parse_ipv6_block("2001:db8:1::/64"), whole));
  EXPECT_FALSE(overlap(whole, *parse_ipv6_block("2001:db8:100::/40")));
  EXPECT_TRUE(lies_in(*parse_ipv6_block("2001:db8:1::/64"), whole));
  EXPECT_FALSE(lies_in(*parse_ipv6_block("2001:db8::/32"), whole));
}

// --- connections

network::Model model() {
  network::Model model;
  model.vpc = {"vpc-1", "10.0.0.0/16", {{"10.0.0.0/24", "rtb-open"}, {"10.0.1.0/24", "rtb-out"}}, "ec2.internal"};
  model.vpc.cidrs6 = {"2001:db8::/56"};
  model.vpc.route_tables = {
      {"rtb-open", {}, {{"::/0", RouteSpec::Target::internet, ""}, {"2001:db8:ff::/48", RouteSpec::Target::nowhere, ""}}},
      {"rtb-out", {}, {{"::/0", RouteSpec::Target::egress_only, ""}}}};
  model.groups["sg-web"] = {"sg-web",
                            "vpc-1",
                            {{"tcp", 80, 80, "::/0", ""}, {"icmpv6", 128, -1, "2001:db8::/56", ""}, {"-1", -1, -1, "", "sg-web"}},
                            {{"-1", -1, -1, "::/0", ""}}};
  model.groups["sg-old"] = {"sg-old", "vpc-1", {{"-1", -1, -1, "0.0.0.0/0", ""}}, {{"-1", -1, -1, "0.0.0.0/0", ""}}};
  const auto add = [&](const std::string& id, const std::string& subnet, const std::string& group, const std::string& address) {
    network::InterfaceSpec spec;
    spec.id = id;
    spec.vpc_id = "vpc-1";
    spec.subnet_cidr = subnet;
    spec.mac = "02:00:00:00:00:01";
    spec.private_ip = "10.0.0.5";
    spec.group_ids = {group};
    spec.ipv6 = {address};
    model.interfaces[id] = spec;
  };
  add("eni-web", "10.0.0.0/24", "sg-web", "2001:db8::5");
  add("eni-out", "10.0.1.0/24", "sg-web", "2001:db8:0:1::6");
  add("eni-old", "10.0.0.0/24", "sg-old", "2001:db8::7");
  return model;
}

bool allowed(const std::string& from, const std::string& to, std::uint8_t protocol, std::uint16_t port, std::uint8_t type = 0) {
  const auto now = model();
  network::Flow6 flow;
  flow.protocol = protocol;
  flow.source = flow.reply_destination = *parse_ipv6(from);
  flow.destination = flow.reply_source = *parse_ipv6(to);
  flow.destination_port = port;
  flow.icmp_type = type;
  return network::FlowRules6(now).allow(flow);
}

TEST(Ipv6, ConnectionsLiveByTheRulesOfIpv6) {
  const std::string web = "2001:db8::5";
  const std::string out = "2001:db8:0:1::6";
  const std::string old = "2001:db8::7";
  const std::string there = "2001:db8:abc::1";
  EXPECT_TRUE(allowed(out, web, 17, 5000));  // of one group
  EXPECT_FALSE(allowed(old, web, 6, 80));    // nothing of IPv6 may leave it
  EXPECT_FALSE(allowed(web, old, 6, 80));
  EXPECT_TRUE(allowed(there, web, 6, 80));
  EXPECT_FALSE(allowed(there, web, 6, 81));
  EXPECT_FALSE(allowed(there, web, 58, 0, 128));
  EXPECT_TRUE(allowed(web, there, 6, 443));
  EXPECT_FALSE(allowed("2001:db8:ff::1", web, 6, 80));  // the way back leads nowhere
  EXPECT_FALSE(allowed(web, "2001:db8:ff::1", 6, 80));
  EXPECT_TRUE(allowed(out, there, 6, 80));
  EXPECT_FALSE(allowed(there, out, 6, 80));           // in by an egress-only gateway
  EXPECT_FALSE(allowed("2001:db8::99", web, 6, 80));  // nobody's
  EXPECT_FALSE(allowed(web, "2001:db8::99", 6, 80));
  EXPECT_TRUE(allowed("fe80::1", "ff02::1:2", 17, 547));
}

TEST(Ipv6, TheMostSpecificRouteIsTaken) {
  const auto now = model();
  EXPECT_EQ(network::route_to<network::Ipv6>(now.vpc.route_tables[0], *parse_ipv6("2001:db8:ff::1"))->target, RouteSpec::Target::nowhere);
  EXPECT_EQ(network::route_to<network::Ipv6>(now.vpc.route_tables[0], *parse_ipv6("2001:db8:fe::1"))->target, RouteSpec::Target::internet);
  EXPECT_EQ(network::sorted_routes<network::Ipv6>(now.vpc.route_tables[0]).front().cidr, "2001:db8:ff::/48");
}

// What is kept of a VPC and of an interface is found again.
TEST(Ipv6, TheModelIsKept) {
  const std::string folder = testing::TempDir() + "/brume-ipv6-model";
  const network::ModelFiles files(folder);
  auto before = model();
  before.vpc.subnets[1].cidr6 = "2001:db8:0:1::/64";
  ASSERT_TRUE(network::check(before.vpc));
  ASSERT_TRUE(files.keep(before.vpc));
  ASSERT_TRUE(files.keep(before.interfaces["eni-web"]));
  auto after = files.load();
  ASSERT_TRUE(after);
  EXPECT_EQ(after->vpc.subnets[0].cidr6, "");
  EXPECT_EQ(after->vpc.subnets[1].cidr6, "2001:db8:0:1::/64");
  EXPECT_TRUE(network::same_ways6(after->vpc, before.vpc));
  after->vpc.route_tables[1].routes6[0].target = RouteSpec::Target::internet;
  EXPECT_FALSE(network::same_ways6(after->vpc, before.vpc));
  EXPECT_THAT(after->interfaces["eni-web"].ipv6, ElementsAre("2001:db8::5"));
  // A VPC without has nothing of it in its file.
  ASSERT_TRUE(files.keep(network::VpcSpec{"vpc-2", "10.1.0.0/16", {{"10.1.0.0/24"}}, ""}));
  EXPECT_EQ(read_file(folder + "/vpc.json")->find("6\":"), std::string::npos);
  files.forget_all();
}

TEST(Ipv6, WhatIsNoRangeOfTheVpcIsRefused) {
  auto wrong = model();
  wrong.vpc.subnets[0].cidr6 = "2001:db9::/64";
  EXPECT_FALSE(network::check(wrong.vpc));
  wrong.vpc.subnets[0].cidr6 = "2001:db8::/65";
  EXPECT_FALSE(network::check(wrong.vpc));
  wrong.vpc.subnets[0].cidr6.clear();
  wrong.vpc.route_tables[0].routes6[0].cidr = "x";
  EXPECT_FALSE(network::check(wrong.vpc));
  EXPECT_TRUE(network::check(wrong.interfaces["eni-web"]));
  wrong.interfaces["eni-web"].ipv6 = {"10.0.0.1"};
  EXPECT_FALSE(network::check(wrong.interfaces["eni-web"]));
}

// --- from records

class Ipv6Clock final : public Clock {
 public:
  Time now() const override { return Time(milliseconds(1'700'000'000'000)); }
};

class Ipv6Specs : public testing::Test {
 protected:
  Ipv6Specs() {
    vpc_.account = subnet_.account = table_.account = acl_.account = gateway_.account = "123456789012";
    vpc_.id = subnet_.vpc_id = table_.vpc_id = acl_.vpc_id = gateway_.vpc_id = "vpc-1";
    vpc_.cidr = "10.0.0.0/16";
    vpc_.ipv6 = {{"vpc-cidr-assoc-1", "2001:db8::/56"}};
    subnet_.id = "subnet-1";
    subnet_.cidr = "10.0.0.0/24";
    subnet_.ipv6_cidr = "2001:db8::/64";
    gateway_.id = "eigw-1";
    table_.id = "rtb-1";
    table_.associations = {{"rtbassoc-1", ""}};
    state::RouteEntry route;
    route.cidr6 = "::/0";
    route.egress_only_id = "eigw-1";
    table_.routes = {route};
    acl_.id = "acl-1";
    acl_.associations = {{"aclassoc-1", "subnet-1"}};
    for (const bool egress : {false, true}) {
      state::AclEntry entry;
      entry.egress = egress;
      entry.allow = true;
      entry.cidr = "0.0.0.0/0";
      acl_.entries.push_back(entry);
    }
    put(vpc_), put(subnet_), put(table_), put(acl_), put(gateway_);
  }
  template <class Record>
  void put(const Record& record) {
    store_->transact([&](state::Transaction& transaction) { transaction.put(record); });
  }
  network::VpcSpec spec() const { return control::specify(*store_->world(), vpc_, control::Domains{}); }

  Ipv6Clock clock_;
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_ = state::Store::open(state::make_memory_log(), clock_, random_).value();
  state::Vpc vpc_;
  state::Subnet subnet_;
  state::RouteTable table_;
  state::NetworkAcl acl_;
  state::EgressOnlyGateway gateway_;
};

TEST_F(Ipv6Specs, RangesAndRoutes) {
  EXPECT_THAT(spec().cidrs6, ElementsAre("2001:db8::/56"));
  EXPECT_EQ(spec().subnets.front().cidr6, "2001:db8::/64");
  ASSERT_EQ(spec().route_tables.front().routes6.size(), 1u);
  EXPECT_TRUE(spec().route_tables.front().routes.empty());
  EXPECT_EQ(spec().route_tables.front().routes6.front().target, RouteSpec::Target::egress_only);
  store_->transact([&](state::Transaction& transaction) { transaction.erase<state::EgressOnlyGateway>(gateway_.key()); });
  EXPECT_EQ(spec().route_tables.front().routes6.front().target, RouteSpec::Target::nowhere);
}

// An ACL that lets all of IPv4 pass says nothing of IPv6, and denies it so.
TEST_F(Ipv6Specs, AnAclIsOfBothKinds) {
  EXPECT_EQ(spec().subnets.front().acl_id, "acl-1");
  for (const bool egress : {false, true}) {
    state::AclEntry entry;
    entry.egress = egress;
    entry.allow = true;
    entry.number = 101;
    entry.cidr6 = "::/0";
    acl_.entries.push_back(entry);
  }
  put(acl_);
  EXPECT_EQ(spec().subnets.front().acl_id, "");
  acl_.entries.pop_back();
  put(acl_);
  EXPECT_EQ(spec().acls.front().entries.size(), 3u);
  EXPECT_EQ(spec().acls.front().entries.back().cidr, "::/0");
  vpc_.ipv6.clear();
  put(vpc_);
  EXPECT_EQ(spec().subnets.front().acl_id, "");
}

TEST_F(Ipv6Specs, AddressesAndRules) {
  state::NetworkInterface interface;
  interface.account = vpc_.account;
  interface.id = "eni-1";
  interface.vpc_id = "vpc-1";
  interface.subnet_id = "subnet-1";
  interface.ipv6 = {"2001:db8::5"};
  put(interface);
  EXPECT_THAT(control::specify(*store_->world(), interface, 0).ipv6, ElementsAre("2001:db8::5"));
  auto other = interface;
  other.ipv6.push_back("2001:db8::6");
  EXPECT_FALSE(control::specifies_the_same(interface, other));
  EXPECT_NE(store_->world()->find_indexed<state::NetworkInterface>(state::Index::interface_by_ipv6, "vpc-1/2001:db8::5"), nullptr);
  state::SecurityGroup group;
  group.account = vpc_.account;
  group.id = "sg-1";
  group.vpc_id = "vpc-1";
  state::SecurityRule rule;
  rule.protocol = "icmpv6";
  rule.cidr6 = "2001:db8::/32";
  group.ingress = {rule};
  EXPECT_EQ(control::specify(*store_->world(), group).ingress.front().cidr, "2001:db8::/32");
}

}  // namespace
}  // namespace brume
