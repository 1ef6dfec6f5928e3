#include <gtest/gtest.h>

#include "engines/network/names/dnsmasq.hpp"
#include "engines/network/names/resolver.hpp"
#include "golden_file.hpp"

namespace brume::network {
namespace {

const VpcSpec vpc = {"vpc-0123456789abcdef0", "172.31.0.0/16", {{"172.31.0.0/20"}, {"172.31.16.0/20"}}, "ec2.internal"};
const DnsmasqPlace place = {"/run/brume-3fa2c1/vpc-0123456789abcdef0", "dnsmasq", "nogroup", {"192.0.2.53"}};

TEST(Dnsmasq, Configuration) { expect_golden("network/dnsmasq.conf", dnsmasq_configuration(vpc, place)); }

TEST(Dnsmasq, OptionSet) {
  auto told = vpc;
  told.dhcp = {false, "corp.example", {"10.2.5.1", "172.31.0.2"}, {"10.2.5.3"}, {"10.2.5.4"}, "2"};
  expect_golden("network/dnsmasq_options.conf", dnsmasq_configuration(told, place));
}

TEST(Dnsmasq, Ipv6) {
  auto told = vpc;
  told.cidrs6 = {"2001:db8:1200::/56"};
  told.subnets[1].cidr6 = "2001:db8:1200:1::/64";
  expect_golden("network/dnsmasq_ipv6.conf", dnsmasq_configuration(told, place));
  InterfaceSpec interface;
  interface.mac = "02:00:00:00:00:01";
  interface.private_ip = "172.31.16.5";
  interface.host_name = "ip-172-31-16-5";
  interface.ipv6 = {"2001:db8:1200:1::5", "2001:db8:1200:1::6"};
  EXPECT_EQ(lease_line(interface), "02:00:00:00:00:01,172.31.16.5,[2001:db8:1200:1::5],ip-172-31-16-5\n");
}

TEST(Dnsmasq, LeaseAndName) {
  InterfaceSpec interface;
  interface.mac = "02:00:00:00:00:01";
  interface.private_ip = "172.31.0.5";
  interface.host_name = "ip-172-31-0-5";
  EXPECT_EQ(lease_line(interface), "02:00:00:00:00:01,172.31.0.5,ip-172-31-0-5\n");
  EXPECT_EQ(name_lines(interface, vpc), "172.31.0.5 ip-172-31-0-5.ec2.internal ip-172-31-0-5\n");
  interface.host_name.clear();
  EXPECT_EQ(lease_line(interface), "02:00:00:00:00:01,172.31.0.5\n");
}

// EC2 hands out the text as it is; what takes that for one name asks for the search list of RFC 3397.
TEST(Dnsmasq, SeveralDomainNames) {
  auto told = vpc;
  told.dhcp.is_own = false;
  told.dhcp.domain = "one.example two.example  ec2.internal";
  const auto text = dnsmasq_configuration(told, place);
  EXPECT_NE(text.find("dhcp-option=option:domain-name,one.example two.example  ec2.internal\n"), std::string::npos) << text;
  EXPECT_NE(text.find("dhcp-option=option:domain-search,one.example,two.example,ec2.internal\n"), std::string::npos) << text;
  told.dhcp.domain = "one.example";
  EXPECT_EQ(dnsmasq_configuration(told, place).find("domain-search"), std::string::npos);
}

TEST(Dnsmasq, NameServersOfBothFamilies) {
  auto told = vpc;
  told.cidrs6 = {"2001:db8:1200::/56"};
  told.subnets[1].cidr6 = "2001:db8:1200:1::/64";
  told.dhcp.is_own = false;
  told.dhcp.name_servers = {"10.2.5.1", "2001:db8::53", "10.2.5.2", "2001:db8::54"};
  const auto text = dnsmasq_configuration(told, place);
  EXPECT_NE(text.find("dhcp-option=option:dns-server,10.2.5.1,10.2.5.2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("dhcp-option=option6:dns-server,[2001:db8::53],[2001:db8::54]\n"), std::string::npos) << text;
}

// A set says all that guests are told: what is not in it, they are not told.
TEST(Dnsmasq, EmptyOptionSet) {
  auto told = vpc;
  told.dhcp.is_own = false;
  const auto text = dnsmasq_configuration(told, place);
  EXPECT_NE(text.find("dhcp-option=option:dns-server\n"), std::string::npos) << text;
  EXPECT_NE(text.find("dhcp-option=option:domain-name\n"), std::string::npos) << text;
}

TEST(Dnsmasq, PublicNames) {
  auto named = vpc;
  named.names = {"compute-1.amazonaws.com", {{"198.18.5.2", "mail.example.com"}}};
  auto at = place;
  at.pools = {"198.18.5.0/30", "203.0.113.9/32"};
  expect_golden("network/dnsmasq_public.conf", dnsmasq_configuration(named, at));
  expect_golden("network/resolver.conf", resolver_configuration(named.names, at, "127.66.1.2", "/etc/resolv.conf"));
}

// Split horizon (OPS-121): inside, the public name of an address is the private one.
TEST(Dnsmasq, PublicNamesInside) {
  auto named = vpc;
  named.names.public_domain = "compute-1.amazonaws.com";
  named.internet_gateway = true;
  InterfaceSpec interface;
  interface.private_ip = "172.31.0.5";
  interface.public_ip = "198.18.5.2";
  interface.host_name = "ip-172-31-0-5";
  interface.more = {{"172.31.0.6", "198.18.5.3"}, {"172.31.0.7"}};
  const std::string privates =
      "172.31.0.5 ip-172-31-0-5.ec2.internal ip-172-31-0-5\n"
      "172.31.0.6 ip-172-31-0-6.ec2.internal\n"
      "172.31.0.7 ip-172-31-0-7.ec2.internal\n";
  EXPECT_EQ(name_lines(interface, named), privates +
                                              "172.31.0.5 ec2-198-18-5-2.compute-1.amazonaws.com\n"
                                              "172.31.0.6 ec2-198-18-5-3.compute-1.amazonaws.com\n");
  named.names_public_addresses = false;
  EXPECT_EQ(name_lines(interface, named), privates);
}

// A peer's too, where it shows them.
TEST(Dnsmasq, PublicNamesOfAPeer) {
  auto named = vpc;
  named.names.public_domain = "compute-1.amazonaws.com";
  const PeeringSpec peering{"pcx-1", "vpc-2", {"10.2.0.0/16"}, {{"10.2.0.5", "198.18.5.2"}, {"10.2.0.6", "198.18.5.3"}}};
  EXPECT_EQ(name_lines(peering, named),
            "# of vpc-2\n"
            "10.2.0.5 ec2-198-18-5-2.compute-1.amazonaws.com\n"
            "10.2.0.6 ec2-198-18-5-3.compute-1.amazonaws.com\n");
  EXPECT_EQ(name_lines(PeeringSpec{"pcx-1", "vpc-2", {}}, named), "# of vpc-2\n");
}

TEST(Dnsmasq, ResolversOfTheHost) {
  EXPECT_EQ(reachable_resolvers("# x\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver\t9.9.9.9\nnameserver fe80::1\nsearch lan\n"),
            (std::vector<std::string>{"192.0.2.53", "9.9.9.9"}));
  EXPECT_TRUE(reachable_resolvers("nameserver 127.0.0.1\n").empty());
}

}  // namespace
}  // namespace brume::network
