// The host network engine with real packets. "Silent" below means dropped: neither an answer nor a refusal.
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/files.hpp"
#include "base/ipv4.hpp"
#include "base/text.hpp"
#include "engine_suite.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/vpc/model.hpp"

namespace brume::network::test {
namespace {

const std::string folder = "/run/brume-network-test";
const std::string internet = "test-internet";
const std::string vpc_a = "vpc-0a000000000000001";
const std::string vpc_b = "vpc-0b000000000000002";

Permission any_to(const std::string& protocol, int from, int to, const std::string& cidr = "0.0.0.0/0") {
  return {protocol, from, to, cidr, ""};
}
Permission all_from_group(const std::string& group) { return {"-1", -1, -1, "", group}; }
const std::vector<Permission> everything = {any_to("-1", -1, -1)};

// As EC2 makes a default VPC: every subnet's routes lead to the internet gateway.
VpcSpec vpc(const std::string& id) {
  VpcSpec spec{id, "172.31.0.0/16", {{"172.31.0.0/20", "rtb-1"}, {"172.31.16.0/20", "rtb-1"}}, "ec2.internal"};
  spec.internet_gateway = true;
  spec.route_tables = {{"rtb-1", {{"0.0.0.0/0", RouteSpec::Target::internet, ""}}}};
  return spec;
}

GroupSpec group(const std::string& id, const std::vector<Permission>& ingress, const std::string& vpc_id = vpc_a,
                const std::vector<Permission>& egress = everything) {
  return {id, vpc_id, ingress, egress};
}

std::string public_address(unsigned number);

InterfaceSpec interface(unsigned number, const std::string& private_ip, const std::vector<std::string>& groups, unsigned public_number = 0,
                        const std::string& vpc_id = vpc_a) {
  auto spec = interface_spec(number, vpc_id, private_ip, public_number != 0 ? public_address(public_number) : "");
  spec.subnet_cidr = parse_ipv4_block("172.31.16.0/20")->contains(*parse_ipv4(private_ip)) ? "172.31.16.0/20" : "172.31.0.0/20";
  spec.group_ids = groups;
  spec.host_name = "ip-" + private_ip;
  for (auto& c : spec.host_name)
    if (c == '.') c = '-';
  return spec;
}

class Network : public EngineSuite {
 protected:
  static void SetUpTestSuite() {
    // The world outside: one server behind a router.
    ASSERT_TRUE(host::make_namespace(internet));
    ASSERT_TRUE(run_in("", {"ip", "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", internet}));
    ASSERT_TRUE(run_in("", {"ip", "addr", "add", "203.0.113.2/24", "dev", "wan"}));
    ASSERT_TRUE(run_in("", {"ip", "link", "set", "wan", "up"}));
    ASSERT_TRUE(run_in(internet, {"ip", "addr", "add", "203.0.113.1/24", "dev", "eth0"}));
    ASSERT_TRUE(run_in(internet, {"ip", "link", "set", "eth0", "up"}));
    ASSERT_TRUE(run_in("", {"ip", "route", "add", "default", "via", "203.0.113.1"}));
    // What belongs to others and must stay as it is.
    ASSERT_TRUE(run_in("", {"nft", "add", "table", "inet", "foreign"}));
    ASSERT_TRUE(run_in("", {"ip", "link", "add", "bv-foreign", "type", "veth", "peer", "name", "bt-foreign"}));
    ASSERT_TRUE(host::make_namespace("brume-foreign"));
    engine = open_engine();
    ASSERT_TRUE(engine);
  }

  static void TearDownTestSuite() {
    a1.reset(), a2.reset(), a3.reset(), b1.reset();
    close();
    for (const auto& name : host::list_namespaces("")) [[maybe_unused]] const auto removed = host::remove_namespace(name);
  }

  static std::unique_ptr<NetworkEngine> open_engine(const std::string& where = folder) { return opened({where, "", "us-east-1"}); }

  // Three guests in one VPC: a1 (public 1), a2 (no public address), a3 (other subnet, public 3); one in another, with a1's private address.
  void SetUp() override {
    ASSERT_TRUE(engine);
    good(engine->ensure_vpc(vpc(vpc_a)));
    good(engine->ensure_vpc(vpc(vpc_b)));
    good(engine->ensure_group(group("sg-self", {all_from_group("sg-self")})));
    good(engine->ensure_group(group("sg-web", {any_to("tcp", 80, 81), any_to("icmp", 8, -1)})));
    good(engine->ensure_group(group("sg-b", {any_to("tcp", 80, 80)}, vpc_b)));
    plug(a1, interface(1, "172.31.0.5", {"sg-web"}, 1), "guest-a1");
    plug(a2, interface(2, "172.31.0.6", {"sg-web"}), "guest-a2");
    plug(a3, interface(3, "172.31.16.7", {"sg-self"}, 3), "guest-a3");
    plug(b1, interface(4, "172.31.0.5", {"sg-b"}, 4, vpc_b), "guest-b1");
  }

  static std::string namespace_of(const std::string& vpc_id) {
    const auto mark = *read_file(folder + "/mark");
    return "brume-" + mark.substr(0, 6) + "-" + vpc_id;
  }

  static std::unique_ptr<Guest> a1, a2, a3, b1;

 public:
  static std::string pool() { return engine->public_pool(); }
};
std::unique_ptr<Guest> Network::a1, Network::a2, Network::a3, Network::b1;

class NetworkAccess : public Network {
 public:
  static std::string pool_of_engine() { return pool(); }
};
std::string public_address(unsigned number) { return format_ipv4(parse_ipv4_block(NetworkAccess::pool_of_engine())->base + number); }

// --- groups ---

TEST_F(Network, AllowedPortAnswersAndClosedPortIsSilent) {
  const EchoServer open(a2->space(), 80);
  const EchoServer closed(a2->space(), 82);
  EXPECT_EQ(seen_as(a1->space(), "172.31.0.6", 80), "172.31.0.5");
  EXPECT_EQ(try_from(a1->space(), "172.31.0.6", 81), Outcome::refused);  // allowed, nobody listens: the guest itself answers
  EXPECT_EQ(try_from(a1->space(), "172.31.0.6", 82, 300), Outcome::silent);
  EXPECT_TRUE(pings(a1->space(), "172.31.0.6"));
  EXPECT_EQ(seen_as(a3->space(), "172.31.0.6", 80), "172.31.16.7");  // from another subnet
  EXPECT_EQ(try_from(a1->space(), "172.31.16.7", 80, 300), Outcome::silent);
  EXPECT_EQ(try_from(a1->space(), "172.31.0.99", 80, 300), Outcome::silent);  // nobody's address
}

TEST_F(Network, GroupAsPeerFollowsItsMembers) {
  const EchoServer server(a3->space(), 5000);
  EXPECT_EQ(try_from(a2->space(), "172.31.16.7", 5000, 300), Outcome::silent);
  auto member = a2->interface();
  member.group_ids = {"sg-web", "sg-self"};
  good(engine->ensure_interface(member));
  auto connection = connect_from(a2->space(), "172.31.16.7", 5000);
  ASSERT_EQ(connection.outcome, Outcome::connected);
  EXPECT_TRUE(talks(connection.socket));
  good(engine->ensure_interface(a2->interface()));
  EXPECT_FALSE(talks(connection.socket, 500));
  EXPECT_EQ(try_from(a2->space(), "172.31.16.7", 5000, 300), Outcome::silent);
}

TEST_F(Network, RevokedRuleEndsItsConnectionsAndNoOther) {
  const EchoServer first(a2->space(), 80);
  const EchoServer second(a2->space(), 81);
  auto kept = connect_from(a1->space(), "172.31.0.6", 80);
  auto revoked = connect_from(a1->space(), "172.31.0.6", 81);
  ASSERT_TRUE(talks(kept.socket));
  ASSERT_TRUE(talks(revoked.socket));
  good(engine->ensure_group(group("sg-web", {any_to("tcp", 80, 80), any_to("icmp", 8, -1)})));
  EXPECT_FALSE(talks(revoked.socket, 600));
  EXPECT_TRUE(talks(kept.socket));
  EXPECT_EQ(try_from(a1->space(), "172.31.0.6", 81, 300), Outcome::silent);
  good(engine->ensure_group(group("sg-web", {any_to("tcp", 80, 81), any_to("icmp", 8, -1)})));
  EXPECT_EQ(try_from(a1->space(), "172.31.0.6", 81), Outcome::connected);
  EXPECT_TRUE(talks(kept.socket));
}

// The server's side must not revive what was revoked: its packets would look like a new, allowed connection of its own.
TEST_F(Network, RevokedConnectionIsNotRevivedByTheServer) {
  const EchoServer server(a1->space(), 81);
  auto connection = connect_from("", a1->interface().public_ip, 81);
  ASSERT_TRUE(talks(connection.socket));
  good(engine->ensure_group(group("sg-web", {any_to("tcp", 80, 80)})));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(talks(connection.socket, 400));
  EXPECT_EQ(try_from("", a1->interface().public_ip, 80), Outcome::refused);
}

TEST_F(Network, EgressRulesHoldByPrivateAndPublicAddress) {
  const EchoServer server(a1->space(), 80);
  good(engine->ensure_group(group("sg-narrow", {}, vpc_a, {any_to("tcp", 80, 80, "172.31.0.5/32"), any_to("udp", 53, 53)})));
  auto narrow = a3->interface();
  narrow.group_ids = {"sg-narrow"};
  good(engine->ensure_interface(narrow));
  EXPECT_EQ(try_from(a3->space(), "172.31.0.5", 80), Outcome::connected);
  EXPECT_EQ(try_from(a3->space(), "172.31.0.6", 80, 300), Outcome::silent);
  EXPECT_EQ(try_from(a3->space(), a1->interface().public_ip, 80, 300), Outcome::silent);
  good(engine->ensure_interface(a3->interface()));
  good(engine->remove_group(vpc_a, "sg-narrow"));
}

TEST_F(Network, UdpAnswersComeBackThroughClosedGroup) {
  UdpSocket server(a2->space(), 7000);
  UdpSocket client(a3->space(), 7001);
  client.send("172.31.0.6", 7000, "closed");
  EXPECT_FALSE(server.receive());
  good(engine->ensure_group(group("sg-web", {any_to("udp", 7000, 7000)})));
  client.send("172.31.0.6", 7000, "open");
  EXPECT_EQ(server.receive(), "open");
  server.send("172.31.16.7", 7001, "answer");
  EXPECT_EQ(client.receive(), "answer");
  server.send("172.31.16.7", 7002, "unasked");
  UdpSocket other(a3->space(), 7002);
  server.send("172.31.16.7", 7002, "unasked");
  EXPECT_FALSE(other.receive());
}

// --- public addresses ---

TEST_F(Network, PublicAddressWorksFromHostInternetAndOtherTenants) {
  const EchoServer server(a1->space(), 80);
  const EchoServer outside(internet, 8080);
  const EchoServer of_host("", 9090);
  EXPECT_NE(seen_as("", a1->interface().public_ip, 80), "");
  EXPECT_EQ(seen_as(a1->space(), "203.0.113.1", 8080), "203.0.113.2");          // masqueraded by the host
  EXPECT_EQ(try_from(a2->space(), "203.0.113.1", 8080, 400), Outcome::silent);  // no public address: no way out
  EXPECT_EQ(seen_as(b1->space(), a1->interface().public_ip, 80), b1->interface().public_ip);
  EXPECT_EQ(try_from("", b1->interface().public_ip, 80), Outcome::refused);
  EXPECT_EQ(try_from("", b1->interface().public_ip, 81, 300), Outcome::silent);
  EXPECT_TRUE(pings("", a1->interface().public_ip));
  // The host's own services are not for guests.
  EXPECT_EQ(try_from(a1->space(), "203.0.113.2", 9090, 300), Outcome::silent);
  EXPECT_EQ(try_from(a1->space(), "172.31.0.1", 9090, 300), Outcome::silent);
}

TEST_F(Network, OwnVpcByPublicAddressIsAPublicPeer) {
  const EchoServer web(a1->space(), 80);
  const EchoServer grouped(a3->space(), 5000);
  EXPECT_EQ(seen_as(a3->space(), a1->interface().public_ip, 80), a3->interface().public_ip);
  auto member = a1->interface();
  member.group_ids = {"sg-self", "sg-web"};
  good(engine->ensure_interface(member));
  EXPECT_EQ(seen_as(a1->space(), "172.31.16.7", 5000), "172.31.0.5");
  EXPECT_EQ(try_from(a1->space(), a3->interface().public_ip, 5000, 300), Outcome::silent);  // the group is a peer by private address only
  EXPECT_EQ(try_from(a2->space(), a1->interface().public_ip, 80, 300), Outcome::silent);    // no public address of its own
}

TEST_F(Network, MovedPublicAddressEndsItsConnections) {
  const EchoServer one(a1->space(), 80);
  const EchoServer two(a2->space(), 80);
  const auto address = a1->interface().public_ip;
  auto connection = connect_from("", address, 80);
  ASSERT_TRUE(talks(connection.socket));
  auto without = a1->interface();
  without.public_ip.clear();
  auto with = a2->interface();
  with.public_ip = address;
  good(engine->ensure_interface(without));
  EXPECT_FALSE(talks(connection.socket, 400));
  EXPECT_EQ(try_from("", address, 80, 300), Outcome::silent);
  good(engine->ensure_interface(with));
  EXPECT_NE(seen_as("", address, 80), "");
  EXPECT_EQ(seen_as(b1->space(), address, 80), b1->interface().public_ip);
  good(engine->ensure_interface(a2->interface()));
}

TEST_F(Network, TenantsWithTheSameAddressesDoNotSeeEachOther) {
  const EchoServer mine(a2->space(), 80);
  EXPECT_EQ(try_from(b1->space(), "172.31.0.6", 80, 300), Outcome::silent);
  EXPECT_EQ(seen_as(a1->space(), "172.31.0.6", 80), "172.31.0.5");
  // Nor does the host get in by the private address.
  run_in("", {"ip", "route", "add", "172.31.0.6/32", "dev", link_name(namespace_of(vpc_a).substr(6, 6), vpc_a)});
  EXPECT_EQ(try_from("", "172.31.0.6", 80, 300), Outcome::silent);
  run_in("", {"ip", "route", "del", "172.31.0.6/32"});
}

// --- spoofing ---

TEST_F(Network, MadeUpSourcesAreDropped) {
  good(engine->ensure_group(group("sg-web", {any_to("udp", 7000, 7000)})));
  UdpSocket server(a2->space(), 7000);
  const auto router = router_mac(vpc_a);
  const auto& mine = a1->interface();
  a1->send_frame(udp_frame(mine.mac, router, mine.private_ip, "172.31.0.6", 1, 7000, "honest"));
  EXPECT_EQ(server.receive(), "honest");
  a1->send_frame(udp_frame(mine.mac, router, "172.31.16.7", "172.31.0.6", 1, 7000, "address"));
  a1->send_frame(udp_frame(mine.mac, router, "8.8.8.8", "172.31.0.6", 1, 7000, "foreign address"));
  a1->send_frame(udp_frame("02:00:00:00:00:03", router, mine.private_ip, "172.31.0.6", 2, 7000, "card"));
  EXPECT_FALSE(server.receive());
  auto unchecked = mine;
  unchecked.source_dest_check = false;
  good(engine->ensure_interface(unchecked));
  a1->send_frame(udp_frame(mine.mac, router, "8.8.8.8", "172.31.0.6", 3, 7000, "router"));
  EXPECT_EQ(server.receive(), "router");
  a1->send_frame(udp_frame("02:00:00:00:00:03", router, mine.private_ip, "172.31.0.6", 4, 7000, "card"));
  EXPECT_FALSE(server.receive());
  good(engine->ensure_interface(mine));
}

TEST_F(Network, MadeUpArpIsNotHeard) {
  const auto& mine = a1->interface();
  EXPECT_NE(a1->ask_arp(mine.mac, mine.private_ip, "172.31.0.1"), "");
  EXPECT_NE(a1->ask_arp(mine.mac, mine.private_ip, "172.31.0.6"), "");  // a peer on the same subnet, by proxy
  EXPECT_EQ(a1->ask_arp(mine.mac, "172.31.0.6", "172.31.0.1"), "");
  EXPECT_EQ(a1->ask_arp("02:00:00:00:00:02", mine.private_ip, "172.31.0.1"), "");
  EXPECT_EQ(a1->ask_arp(mine.mac, "0.0.0.0", mine.private_ip), "");  // duplicate detection of its own address finds none
}

TEST_F(Network, GuestIsNoDhcpServer) {
  good(engine->ensure_group(group("sg-web", everything)));
  UdpSocket client(a2->space(), 68);
  const auto& mine = a1->interface();
  a1->send_frame(udp_frame(mine.mac, router_mac(vpc_a), mine.private_ip, "172.31.0.6", 67, 68, "offer"));
  EXPECT_FALSE(client.receive());
}

// --- services ---

TEST_F(Network, MetadataSeesTheGuest) {
  auto listener = engine->listen_metadata(vpc_a);
  good(listener);
  good(engine->ensure_group(group("sg-web", {}, vpc_a, {})));  // whatever the groups say
  auto connection = connect_from(a1->space(), "169.254.169.254", 80);
  ASSERT_EQ(connection.outcome, Outcome::connected);
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  const Descriptor accepted(::accept(listener->get(), reinterpret_cast<sockaddr*>(&peer), &size));
  ASSERT_TRUE(accepted);
  EXPECT_EQ(format_ipv4(ntohl(peer.sin_addr.s_addr)), "172.31.0.5");
  EXPECT_EQ(try_from("", "169.254.169.254", 80, 200), Outcome::silent);
}

TEST_F(Network, DhcpGivesAddressRouterNamesAndMtu) {
  auto fresh = interface(9, "172.31.16.9", {"sg-self"});
  good(engine->ensure_interface(fresh));
  Guest guest(*engine, fresh, "guest-dhcp", false);
  const std::string script = folder + "/udhcpc";
  ASSERT_TRUE(write_file(script, "#!/bin/sh\nenv\n", 0755));
  const auto said = run_in(guest.space(), {"busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "5", "-T", "1", "-s", script, "-O",
                                           "hostname", "-O", "mtu", "-O", "domain"});
  ASSERT_TRUE(said);
  for (const auto* expected : {"ip=172.31.16.9\n", "mask=20\n", "router=172.31.16.1\n", "dns=172.31.0.2\n", "hostname=ip-172-31-16-9\n",
                               "domain=ec2.internal\n", "mtu=1500\n", "lease=3600\n"})
    EXPECT_NE(said->find(expected), std::string::npos) << expected << *said;
  good(engine->remove_interface(vpc_a, fresh.id));
  // The address goes to another machine at once.
  auto next = fresh;
  next.id = "eni-0000000000000000a";
  next.mac = "02:00:00:00:00:0a";
  good(engine->ensure_interface(next));
  Guest other(*engine, next, "guest-dhcp2", false);
  const auto again = run_in(other.space(), {"busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "5", "-T", "1", "-s", script});
  EXPECT_TRUE(again && again->find("ip=172.31.16.9\n") != std::string::npos);
  good(engine->remove_interface(vpc_a, next.id));
}

TEST_F(Network, NamesResolve) {
  const auto forward = run_in(a1->space(), {"busybox", "nslookup", "ip-172-31-16-7.ec2.internal", "172.31.0.2"});
  ASSERT_TRUE(forward);
  EXPECT_NE(forward->find("172.31.16.7"), std::string::npos) << *forward;
  const auto reverse = run_in(a1->space(), {"busybox", "nslookup", "172.31.0.6", "172.31.0.2"});
  ASSERT_TRUE(reverse);
  EXPECT_NE(reverse->find("ip-172-31-0-6.ec2.internal"), std::string::npos) << *reverse;
  good(engine->remove_interface(vpc_a, "eni-00000000000000063"));
  good(engine->ensure_interface(interface(0x63, "172.31.0.99", {"sg-web"})));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(run_in(a1->space(), {"busybox", "nslookup", "ip-172-31-0-99.ec2.internal", "172.31.0.2"}));
  good(engine->remove_interface(vpc_a, "eni-00000000000000063"));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  // The name is made of the address, and as on EC2 every address of the VPC has one, also one that nobody has.
  for (const auto* address : {"172.31.0.99", "172.31.77.7"}) {
    const auto name = "ip-" + dashed(address) + ".ec2.internal";
    EXPECT_NE(run_in(a1->space(), {"busybox", "nslookup", name, "172.31.0.2"}).value_or("").find(address), std::string::npos) << name;
    EXPECT_NE(run_in(a1->space(), {"busybox", "nslookup", address, "172.31.0.2"}).value_or("").find(name), std::string::npos) << address;
  }
  EXPECT_FALSE(run_in(a1->space(), {"busybox", "nslookup", "ip-10-9-9-9.ec2.internal", "172.31.0.2"}));
}

// --- life ---

TEST_F(Network, NewEngineDisturbsNothing) {
  const EchoServer server(a1->space(), 80);
  auto inner = connect_from(a2->space(), "172.31.0.5", 80);
  auto outer = connect_from("", a1->interface().public_ip, 80);
  ASSERT_TRUE(talks(inner.socket));
  ASSERT_TRUE(talks(outer.socket));
  engine = open_engine();
  ASSERT_TRUE(engine);
  const auto found = engine->found();
  good(found);
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(found->front().vpc_id, vpc_a);
  EXPECT_EQ(found->front().interface_ids, (std::vector{a1->interface().id, a2->interface().id, a3->interface().id}));
  good(engine->ensure_group(group("sg-late", {})));  // one thing changed, before all is told again: the rest stays
  EXPECT_TRUE(talks(inner.socket));
  good(engine->ensure_all(vpc(vpc_a), {group("sg-self", {all_from_group("sg-self")}), group("sg-web", {any_to("tcp", 80, 81)})},
                          {a1->interface(), a2->interface(), a3->interface()}));
  EXPECT_TRUE(talks(inner.socket));
  EXPECT_TRUE(talks(outer.socket));
  EXPECT_EQ(try_from(a2->space(), "172.31.0.5", 82, 300), Outcome::silent);
}

TEST_F(Network, WhatOthersBrokeIsRepaired) {
  const EchoServer server(a1->space(), 80);
  ASSERT_TRUE(run_in(namespace_of(vpc_a), {"nft", "flush", "ruleset"}));
  const auto pid = read_file(runtime_folder(namespace_of(vpc_a).substr(6, 6)) + "/" + vpc_a + "/dnsmasq.pid");
  ASSERT_TRUE(pid);
  ASSERT_TRUE(run_in("", {"kill", std::string(trim(*pid))}));
  good(engine->ensure_vpc(vpc(vpc_a)));
  EXPECT_EQ(try_from(a2->space(), "172.31.0.5", 82, 300), Outcome::silent);
  EXPECT_EQ(try_from(a2->space(), "172.31.0.5", 80), Outcome::connected);
  EXPECT_TRUE(run_in(a1->space(), {"busybox", "nslookup", "ip-172-31-16-7.ec2.internal", "172.31.0.2"}));
}

TEST_F(Network, DeletedNamespaceIsMadeAnew) {
  b1.reset();
  ASSERT_TRUE(run_in("", {"ip", "netns", "delete", namespace_of(vpc_b)}));
  EXPECT_FALSE(engine->ensure_interface(interface(4, "172.31.0.5", {"sg-b"}, 4, vpc_b)));
  good(engine->ensure_vpc(vpc(vpc_b)));
  b1 = std::make_unique<Guest>(*engine, interface(4, "172.31.0.5", {"sg-b"}, 4, vpc_b), "guest-b1");
  const EchoServer server(b1->space(), 80);
  EXPECT_EQ(try_from("", b1->interface().public_ip, 80), Outcome::connected);
  EXPECT_EQ(try_from("", b1->interface().public_ip, 81, 300), Outcome::silent);
}

TEST_F(Network, FlushedRulesAreToldOfAndPutBack) {
  const EchoServer closed(a1->space(), 82);
  Disturbances told(*engine);
  good(engine->ensure_group(group("sg-web", {any_to("tcp", 80, 82)})));
  good(engine->ensure_group(group("sg-web", {any_to("tcp", 80, 81), any_to("icmp", 8, -1)})));
  EXPECT_FALSE(told.of(vpc_a, 300));  // our own changes
  ASSERT_TRUE(run_in(namespace_of(vpc_a), {"nft", "add", "table", "inet", "foreign"}));
  EXPECT_FALSE(told.of(vpc_a, 300));  // not ours
  ASSERT_TRUE(run_in(namespace_of(vpc_a), {"nft", "flush", "table", "inet", "brume"}));
  EXPECT_TRUE(told.of(vpc_a));
  EXPECT_FALSE(told.of(vpc_b, 0));
  good(engine->ensure_vpc(vpc(vpc_a)));
  EXPECT_EQ(try_from(a2->space(), "172.31.0.5", 82, 300), Outcome::silent);
  EXPECT_FALSE(told.of(vpc_a, 300));  // the repair is ours
  EXPECT_TRUE(run_in(namespace_of(vpc_a), {"nft", "list", "table", "inet", "foreign"}));
  ASSERT_TRUE(run_in(namespace_of(vpc_a), {"nft", "delete", "table", "inet", "foreign"}));
}

TEST_F(Network, AHostsTableIsToldOfAndPutBack) {
  const auto table = "brume_" + read_file(folder + "/mark")->substr(0, 6);
  const auto rules = run_in("", {"nft", "list", "table", "inet", table});
  ASSERT_TRUE(rules);
  Disturbances told(*engine);
  ASSERT_TRUE(run_in("", {"nft", "add", "chain", "inet", "foreign", "theirs"}));
  EXPECT_FALSE(told.of(vpc_a, 300));
  ASSERT_TRUE(run_in("", {"nft", "delete", "table", "inet", table}));
  EXPECT_TRUE(told.of(vpc_a));
  good(engine->ensure_vpc(vpc(vpc_a)));
  EXPECT_EQ(run_in("", {"nft", "list", "table", "inet", table}), rules);
  EXPECT_TRUE(run_in("", {"nft", "delete", "chain", "inet", "foreign", "theirs"}));
}

TEST_F(Network, ANamespaceWhoseNameIsRemovedGoesOn) {
  const EchoServer server(a1->space(), 80);
  auto connection = connect_from(a2->space(), "172.31.0.5", 80);
  ASSERT_TRUE(talks(connection.socket));
  Disturbances told(*engine);
  ASSERT_TRUE(run_in("", {"ip", "netns", "delete", namespace_of(vpc_a)}));
  EXPECT_TRUE(told.of(vpc_a));
  good(engine->ensure_vpc(vpc(vpc_a)));
  EXPECT_TRUE(run_in(namespace_of(vpc_a), {"nft", "list", "table", "inet", "brume"}));
  EXPECT_TRUE(talks(connection.socket));
  EXPECT_EQ(try_from(a3->space(), "172.31.0.5", 80), Outcome::connected);
  EXPECT_EQ(try_from("", a1->interface().public_ip, 80), Outcome::connected);
  EXPECT_FALSE(told.of(vpc_a, 300));
}

TEST_F(Network, RemovedInterfaceIsSilentAtOnce) {
  auto spec = interface(0x20, "172.31.0.32", {"sg-web"}, 32);
  std::unique_ptr<Guest> guest;
  plug(guest, spec, "guest-short");
  const EchoServer server(guest->space(), 80);
  auto connection = connect_from("", spec.public_ip, 80);
  ASSERT_TRUE(talks(connection.socket));
  good(engine->remove_interface(vpc_a, spec.id));
  good(engine->remove_interface(vpc_a, spec.id));
  EXPECT_FALSE(talks(connection.socket, 300));
  EXPECT_EQ(try_from("", spec.public_ip, 80, 300), Outcome::silent);
  EXPECT_FALSE(engine->open_tap(vpc_a, spec.id));
}

TEST_F(Network, TwoInstallationsLiveSideBySide) {
  auto other = open_engine(folder + "-other");
  ASSERT_TRUE(other);
  EXPECT_NE(other->public_pool(), engine->public_pool());
  good(other->ensure_vpc(vpc(vpc_a)));
  good(other->ensure_group(group("sg-web", everything)));
  auto spec = interface(1, "172.31.0.5", {"sg-web"});
  spec.public_ip = format_ipv4(parse_ipv4_block(other->public_pool())->base + 1);
  good(other->ensure_interface(spec));
  {
    Guest guest(*other, spec, "guest-other");
    const EchoServer server(guest.space(), 80);
    EXPECT_NE(seen_as("", spec.public_ip, 80), "");
    EXPECT_EQ(seen_as(a1->space(), spec.public_ip, 80), a1->interface().public_ip);
    EXPECT_EQ(try_from(a2->space(), "172.31.0.5", 80), Outcome::refused);  // ours, where nobody listens
  }
  good(other->remove_everything());
  EXPECT_TRUE(pings("", a1->interface().public_ip));
}

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

TEST_F(Network, SingleChangesAreQuick) {
  constexpr int rounds = 10;
  auto start = std::chrono::steady_clock::now();
  for (unsigned i = 0; i < rounds; ++i)
    good(engine->ensure_interface(interface(0x100 + i, "172.31.1." + std::to_string(i), {"sg-web"}, 100 + i)));
  const auto ensured = ms_since(start) / rounds;
  start = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i) good(engine->ensure_group(group("sg-web", {any_to("tcp", 100 + i, 100 + i)})));
  const auto changed = ms_since(start) / rounds;
  start = std::chrono::steady_clock::now();
  for (unsigned i = 0; i < rounds; ++i) good(engine->remove_interface(vpc_a, interface(0x100 + i, "172.31.1.1", {}).id));
  std::printf("ensure_interface %.1f ms, ensure_group %.1f ms, remove_interface %.1f ms\n", ensured, changed, ms_since(start) / rounds);
  EXPECT_LT(ensured, 150);
  EXPECT_LT(changed, 150);
}

TEST_F(Network, AThousandInterfacesInSeconds) {
  const std::string big = "vpc-0c000000000000003";
  std::vector<GroupSpec> groups;
  for (int i = 0; i < 200; ++i) {
    std::vector<Permission> rules = {all_from_group("sg-" + std::to_string(i))};
    for (int port = 0; port < 5; ++port) rules.push_back(any_to("tcp", 1000 + port * 10, 1000 + port * 10));
    groups.push_back(group("sg-" + std::to_string(i), rules, big));
  }
  std::vector<InterfaceSpec> interfaces;
  for (unsigned i = 0; i < 1000; ++i)
    interfaces.push_back(interface(0x1000 + i, "172.31." + std::to_string(1 + i / 250) + "." + std::to_string(i % 250),
                                   {"sg-" + std::to_string(i % 200)}, 0, big));
  auto start = std::chrono::steady_clock::now();
  good(engine->ensure_all(vpc(big), groups, interfaces));
  const auto first = ms_since(start);
  start = std::chrono::steady_clock::now();
  good(engine->ensure_all(vpc(big), groups, interfaces));
  const auto again = ms_since(start);
  start = std::chrono::steady_clock::now();
  good(engine->ensure_interface(interface(0x9000, "172.31.9.9", {"sg-1"}, 0, big)));
  const auto one = ms_since(start);
  start = std::chrono::steady_clock::now();
  groups[7].ingress.pop_back();
  good(engine->ensure_group(groups[7]));
  const auto rule = ms_since(start);
  start = std::chrono::steady_clock::now();
  good(engine->remove_vpc(big));
  std::printf("1,000 interfaces, 200 groups: first %.0f ms, again %.0f ms, one more interface %.0f ms, one rule %.0f ms, removed %.0f ms\n",
              first, again, one, rule, ms_since(start));
  EXPECT_LT(first, 15000);
  EXPECT_LT(again, 5000);
}

// Runs last: nothing of ours is left, everything of others is.
TEST_F(Network, ZRemovingLeavesTheHostClean) {
  a1.reset(), a2.reset(), a3.reset(), b1.reset();
  good(engine->remove_vpc(vpc_b));
  good(engine->remove_everything());
  const auto links = *run_in("", {"ip", "-o", "link"});
  EXPECT_EQ(links.find("bv" + namespace_of("").substr(6, 6)), std::string::npos) << links;
  EXPECT_NE(links.find("bv-foreign"), std::string::npos);
  EXPECT_NE(links.find("bt-foreign"), std::string::npos);
  EXPECT_EQ(*run_in("", {"nft", "list", "tables"}), "table inet foreign\n");
  EXPECT_EQ(host::list_namespaces(""), (std::vector<std::string>{"brume-foreign", internet}));
  EXPECT_EQ(run_in("", {"ip", "route"})->find("198.1"), std::string::npos);
  EXPECT_FALSE(run_in("", {"pgrep", "-f", runtime_folder(namespace_of("").substr(6, 6))}));
}

}  // namespace
}  // namespace brume::network::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return brume::network::test::in_private_world([] { return RUN_ALL_TESTS(); });
}
