// Where a VPC meets the world, with real packets: public names, and public addresses of a network that the host is in. The first process
// of a private world: its namespace is the host, "test-outside" is a neighbour on the same network.
#include <gtest/gtest.h>

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "engine_suite.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/names/resolver.hpp"

namespace brume::network::test {
namespace {

const std::string folder = "/run/brume-edge-test";
const std::string outside = "test-outside";
const std::string ours = "vpc-0a000000000000001";
const std::string theirs = "vpc-0b000000000000002";
const std::string dns = "10.0.0.2";
const std::string domain = "compute-1.amazonaws.com";

class Edge : public EngineSuite {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(host::make_namespace(outside));
    ASSERT_TRUE(run_in("", {"ip", "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", outside}));
    ASSERT_TRUE(run_in("", {"ip", "addr", "add", "203.0.113.2/24", "dev", "wan"}));
    ASSERT_TRUE(run_in("", {"ip", "addr", "add", "203.0.113.20/32", "dev", "wan"}));
    ASSERT_TRUE(run_in("", {"ip", "link", "set", "wan", "up"}));
    ASSERT_TRUE(run_in("", {"ip", "link", "set", "lo", "up"}));
    ASSERT_TRUE(run_in("", {"ip", "neigh", "add", "proxy", "203.0.113.99", "dev", "wan"}));  // somebody else's
    ASSERT_TRUE(run_in(outside, {"ip", "addr", "add", "203.0.113.1/24", "dev", "eth0"}));
    ASSERT_TRUE(run_in(outside, {"ip", "link", "set", "eth0", "up"}));
    ASSERT_TRUE(run_in("", {"ip", "route", "add", "default", "via", "203.0.113.1"}));
    engine = open_engine();
  }
  static void TearDownTestSuite() {
    web.reset(), hidden.reset(), other.reset();
    if (engine) {
      EXPECT_TRUE(engine->remove_everything());
      EXPECT_EQ(proxies(), (std::set<std::string>{"203.0.113.99"}));
      EXPECT_EQ(run_in("", {"ip", "route", "show", "proto", "66"}).value_or("?"), "");
    }
    engine.reset();
  }

  static std::unique_ptr<NetworkEngine> open_engine() {
    HostNetworkConfiguration configuration{folder, "203.0.113.16/29, 10.99.0.0/30", ""};
    configuration.uplink = "wan";
    return opened(configuration);
  }

  static VpcSpec vpc(const std::string& id = ours) {
    VpcSpec spec{id, "10.0.0.0/16", {{"10.0.0.0/24", "rtb-1"}}, "ec2.internal"};
    spec.internet_gateway = true;
    spec.route_tables = {{"rtb-1", {{"0.0.0.0/0", RouteSpec::Target::internet, ""}}}};
    spec.names.public_domain = domain;
    return spec;
  }

  static InterfaceSpec interface(unsigned number, const std::string& public_ip = "", const std::string& vpc_id = ours) {
    auto spec = interface_spec(number, vpc_id, "10.0.0." + std::to_string(number), public_ip);
    spec.host_name = "ip-10-0-0-" + std::to_string(number);
    return spec;
  }

  // web has a public address, hidden has none, other is of another VPC and has one of another range.
  void SetUp() override {
    ASSERT_TRUE(engine);
    const std::vector<Permission> everything = {{"-1", -1, -1, "0.0.0.0/0", ""}};
    for (const auto& id : {ours, theirs}) {
      good(engine->ensure_vpc(vpc(id)));
      good(engine->ensure_group({"sg-all", id, everything, everything}));
    }
    plug(web, interface(5, "203.0.113.17"), "guest-web");
    plug(hidden, interface(6), "guest-hidden");
    plug(other, interface(7, "10.99.0.1", theirs), "guest-other");
  }

  static std::set<std::string> proxies() {
    std::set<std::string> addresses;
    const auto listing = run_in("", {"ip", "neigh", "show", "proxy", "dev", "wan"}).value_or("");
    for (const auto line : split(listing, '\n'))
      if (!line.empty()) addresses.emplace(line.substr(0, line.find(' ')));
    return addresses;
  }

  static std::string public_name_of(const std::string& address) { return public_name(address, domain); }
  static std::string asked(const std::string& space, const std::string& question, const std::string& server = dns) {
    return ask_name(space, question, server);
  }

  static std::optional<int> dnsmasq_of(const std::string& vpc_id) {
    const auto pid = read_file(runtime_folder(read_file(folder + "/mark")->substr(0, 6)) + "/" + vpc_id + "/dnsmasq.pid");
    return pid ? parse_integer(trim(*pid)) : std::nullopt;
  }
  static std::string namespace_of(const std::string& vpc_id) { return namespace_name(read_file(folder + "/mark")->substr(0, 6), vpc_id); }

  static std::unique_ptr<Guest> web, hidden, other;
};
std::unique_ptr<Guest> Edge::web, Edge::hidden, Edge::other;

// --- public addresses ---

TEST_F(Edge, TheUplinkAnswersForAddressesInUse) {
  EXPECT_EQ(engine->public_pool(), "203.0.113.16/29,10.99.0.0/30");
  EXPECT_EQ(engine->kept_addresses(), (std::vector<std::string>{"203.0.113.20"}));
  EXPECT_EQ(proxies(), (std::set<std::string>{"203.0.113.17", "10.99.0.1", "203.0.113.99"}));
  const EchoServer server(web->space(), 80);
  EXPECT_EQ(try_from(outside, "203.0.113.17", 80, 3000), Outcome::connected);  // the kernel may wait 0.8 s with its answer
  EXPECT_TRUE(pings(outside, "203.0.113.17"));
  EXPECT_FALSE(run_in(outside, {"ping", "-c", "1", "-W", "2", "203.0.113.18"}));
  EXPECT_EQ(run_in(outside, {"ip", "neigh", "show", "203.0.113.18"}).value_or("").find("lladdr"), std::string::npos);
  // It goes with its interface.
  auto moved = web->interface();
  moved.public_ip = "203.0.113.18";
  good(engine->ensure_interface(moved));
  EXPECT_EQ(proxies(), (std::set<std::string>{"203.0.113.18", "10.99.0.1", "203.0.113.99"}));
  EXPECT_TRUE(run_in(outside, {"ip", "neigh", "flush", "dev", "eth0"}));
  EXPECT_EQ(try_from(outside, "203.0.113.18", 80, 3000), Outcome::connected);
  EXPECT_EQ(try_from(outside, "203.0.113.17", 80, 300), Outcome::silent);
}

// With an address of the uplink's network a guest is seen as itself there; of the other range nobody there knows.
TEST_F(Edge, OnlyWhoHasAPublicAddressGetsOut) {
  const EchoServer there(outside, 8080);
  EXPECT_TRUE(run_in(outside, {"ping", "-c", "1", "-W", "3", "203.0.113.17"}));  // the kernel may wait 0.8 s before it answers for it
  EXPECT_EQ(seen_as(web->space(), "203.0.113.1", 8080), "203.0.113.17");
  EXPECT_EQ(try_from(hidden->space(), "203.0.113.1", 8080, 400), Outcome::silent);
  ASSERT_TRUE(run_in(outside, {"ip", "route", "add", "10.99.0.0/30", "via", "203.0.113.2"}));
  EXPECT_EQ(seen_as(other->space(), "203.0.113.1", 8080), "10.99.0.1");
  ASSERT_TRUE(run_in(outside, {"ip", "route", "del", "10.99.0.0/30"}));
}

TEST_F(Edge, ANewEngineKnowsItsRangesAndNoOthers) {
  engine = open_engine();
  ASSERT_TRUE(engine);
  EXPECT_EQ(proxies().count("203.0.113.17"), 1u);
  for (const auto& [pool, uplink] : {std::pair("203.0.113.16/29", "none0"), std::pair("", "wan"), std::pair("203.0.0.0/8", "wan"),
                                     std::pair("203.0.113.16/29,203.0.113.16/30", "wan"), std::pair("203.0.113.16/29,x", "")}) {
    HostNetworkConfiguration configuration{"/run/brume-edge-wrong", pool, ""};
    configuration.uplink = uplink;
    EXPECT_FALSE(make_host_network_engine(configuration)) << pool << " " << uplink;
  }
}

// --- names ---

// OPS-121. Neither question is one for others: nobody else is there, and who asks is not kept waiting.
TEST_F(Edge, APublicNameIsThePrivateAddressInsideAndThePublicOneOutside) {
  const std::map<std::string, std::string> reverse = {{"203.0.113.21", "mail.example.com"}};
  good(engine->ensure_names({domain, reverse}));
  auto told = vpc(theirs);
  told.names.reverse = reverse;
  good(engine->ensure_vpc(told));
  const auto name = public_name_of("203.0.113.17");
  const auto began = std::chrono::steady_clock::now();
  const auto inside = asked(hidden->space(), name);
  EXPECT_TRUE(says(inside, "10.0.0.5")) << inside;
  EXPECT_FALSE(says(inside, "203.0.113.17")) << inside;
  for (const auto& [space, server] : {std::pair(other->space(), dns), std::pair(std::string(), engine->resolver())}) {
    EXPECT_TRUE(says(asked(space, name, server), "203.0.113.17")) << asked(space, name, server);
    EXPECT_NE(asked(space, "203.0.113.17", server).find(name), std::string::npos);
    EXPECT_NE(asked(space, "203.0.113.21", server).find("mail.example.com"), std::string::npos);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  // It goes with the address.
  auto moved = web->interface();
  moved.public_ip = "203.0.113.18";
  good(engine->ensure_interface(moved));
  const auto is_web = [&](const std::string& address) { return says(asked(hidden->space(), public_name_of(address)), "10.0.0.5"); };
  for (int tries = 0; tries < 100 && !is_web("203.0.113.18"); ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(is_web("203.0.113.18"));
  EXPECT_FALSE(is_web("203.0.113.17"));
}

TEST_F(Edge, AVpcWithoutPublicNamesHasNone) {
  auto plain = vpc();
  plain.names_public_addresses = false;
  good(engine->ensure_vpc(plain));
  good(engine->ensure_interface(web->interface()));
  EXPECT_FALSE(says(asked(hidden->space(), public_name_of("203.0.113.17")), "10.0.0.5"));
  EXPECT_TRUE(says(asked(hidden->space(), "ip-10-0-0-5.ec2.internal"), "10.0.0.5"));
  plain.dns = false;
  good(engine->ensure_vpc(plain));
  EXPECT_FALSE(run_in(hidden->space(), {"timeout", "1", "busybox", "nslookup", "ip-10-0-0-5.ec2.internal", dns}));
}

// A set says all that guests are told.
TEST_F(Edge, ADhcpOptionSetGivesWhatItSays) {
  auto told = vpc();
  told.dhcp.is_own = false;
  told.dhcp.domain = "corp.example";
  good(engine->ensure_vpc(told));
  const auto fresh = interface(9);
  good(engine->ensure_interface(fresh));
  Guest guest(*engine, fresh, "guest-options", false);
  const std::string script = folder + "/udhcpc";
  ASSERT_TRUE(write_file(script, "#!/bin/sh\nenv\n", 0755));
  const std::vector<std::string> client = {"busybox", "udhcpc", "-i", "eth0", "-n",   "-q", "-f",    "-t",
                                           "5",       "-T",     "1",  "-s",   script, "-O", "domain"};
  auto said = run_in(guest.space(), client).value_or("");
  EXPECT_NE(said.find("ip=10.0.0.9\n"), std::string::npos) << said;
  EXPECT_NE(said.find("domain=corp.example\n"), std::string::npos) << said;
  EXPECT_EQ(said.find("\ndns="), std::string::npos) << said;
  told.dhcp.domain.clear();
  told.dhcp.name_servers = {"192.0.2.53"};
  good(engine->ensure_vpc(told));
  said = run_in(guest.space(), client).value_or("");
  EXPECT_NE(said.find("\ndns=192.0.2.53\n"), std::string::npos) << said;
  EXPECT_EQ(said.find("\ndomain="), std::string::npos) << said;
  good(engine->remove_interface(ours, fresh.id));
}

// --- VPN ---

// The other end: a customer's gateway with strongSwan of its own, and a network of one host behind it.
class Site {
 public:
  Site(const std::string& ours_ip, const std::string& key) {
    const std::string place = folder + "/site";
    std::filesystem::create_directories(place);
    const auto uri = "unix://" + place + "/vici";
    EXPECT_TRUE(
        write_file(place + "/strongswan.conf",
                   "charon-systemd {\n load = random nonce aes sha1 sha2 hmac kdf gmp kernel-libipsec kernel-netlink socket-default vici\n"
                   " filelog {\n  file {\n   path = " +
                       place +
                       "/log\n   default = 1\n   flush_line = yes\n  }\n }\n"
                       " plugins {\n  vici {\n   socket = " +
                       uri + "\n  }\n }\n}\nswanctl {\n load = random\n}\n",
                   0600));
    EXPECT_TRUE(write_file(place + "/swanctl.conf",
                           "connections {\n gw {\n  version = 2\n  local_addrs = 203.0.113.1\n  remote_addrs = " + ours_ip +
                               "\n  encap = yes\n  proposals = aes128-sha1-modp1024\n  local {\n   auth = psk\n   id = 203.0.113.1\n  }\n"
                               "  remote {\n   auth = psk\n   id = " +
                               ours_ip +
                               "\n  }\n  children {\n   net {\n    local_ts = 192.168.7.0/24\n    remote_ts = 10.0.0.0/16\n"
                               "    esp_proposals = aes128-sha1-modp1024\n   }\n  }\n }\n}\nsecrets {\n ike-1 {\n  secret = \"" +
                               key + "\"\n }\n}\n",
                           0600));
    Command command;
    command.program = "charon-systemd";
    command.environment = {{"STRONGSWAN_CONF", place + "/strongswan.conf"}};
    command.network_namespace = host::namespace_path(outside);
    process_ = start_detached(command).value_or(0);
    for (int tries = 0; tries < 250 && !path_exists(place + "/vici"); ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    uri_ = uri;
    EXPECT_TRUE(ask({"--load-all", "--noprompt", "--file", place + "/swanctl.conf"}));
  }
  ~Site() {
    if (process_ > 0) ::kill(process_, SIGKILL);
  }
  bool ask(std::vector<std::string> question) {
    question.insert(question.begin(), "swanctl");
    question.insert(question.end(), {"--uri", uri_});
    return run_in("", question, 20).has_value();
  }
  bool connect() { return ask({"--initiate", "--child", "net", "--timeout", "10"}); }

 private:
  std::string uri_;
  pid_t process_ = 0;
};

TEST_F(Edge, AVpnConnectionLeadsToTheCustomersNetworkAndNowhereElse) {
  if (const auto why = engine->why_no_tunnels(); !why.empty()) GTEST_SKIP() << why;
  auto told = vpc();
  told.vpns = {{"vpn-0one", "203.0.113.1", "0.0.0.0/0", "0.0.0.0/0", {{"203.0.113.21", "first.key"}, {"203.0.113.22", "second.key"}}}};
  told.route_tables[0].routes.push_back({"192.168.7.0/24", RouteSpec::Target::vpn, "vgw-1"});
  good(engine->ensure_vpc(told));
  const auto up = [&](const std::string& address) {
    const auto tunnels = engine->tunnels(ours);
    if (!tunnels) return false;
    for (const auto& one : *tunnels)
      if (one.outside_ip == address) return one.up;
    return false;
  };
  EXPECT_FALSE(up("203.0.113.21"));
  ASSERT_TRUE(run_in(outside, {"ip", "addr", "add", "192.168.7.1/32", "dev", "lo"}));
  const EchoServer there(outside, 8080);
  EXPECT_EQ(try_from(hidden->space(), "192.168.7.1", 8080, 400), Outcome::silent);
  {
    Site wrong("203.0.113.21", "another.key");
    EXPECT_FALSE(wrong.connect());
    EXPECT_FALSE(up("203.0.113.21"));
  }
  std::filesystem::remove_all(folder + "/site");
  {
    Site site("203.0.113.21", "first.key");
    ASSERT_TRUE(site.connect()) << read_file(folder + "/site/log").value_or("");
    EXPECT_TRUE(up("203.0.113.21"));
    EXPECT_FALSE(up("203.0.113.22"));
    // Both ways, with their own addresses, and also for a guest without a public one.
    const EchoServer here(hidden->space(), 80);
    EXPECT_EQ(seen_as(hidden->space(), "192.168.7.1", 8080), "10.0.0.6");
    EXPECT_TRUE(run_in(outside, {"ping", "-c", "1", "-W", "2", "-I", "192.168.7.1", "10.0.0.6"}));
    EXPECT_TRUE(run_in(outside, {"ping", "-c", "1", "-W", "2", "-I", "192.168.7.1", "10.0.0.5"}));
    // Groups hold for it; the router and other VPCs are not its.
    good(engine->ensure_group({"sg-all", ours, {{"tcp", 80, 80, "192.168.7.0/24", ""}}, {{"-1", -1, -1, "0.0.0.0/0", ""}}}));
    EXPECT_FALSE(run_in(outside, {"ping", "-c", "1", "-W", "1", "-I", "192.168.7.1", "10.0.0.6"}));
    EXPECT_FALSE(run_in(outside, {"ping", "-c", "1", "-W", "1", "-I", "192.168.7.1", "10.0.0.2"}));
    // A new engine finds the tunnel and lets it be.
    engine = open_engine();
    ASSERT_TRUE(engine);
    good(engine->ensure_vpc(told));
    EXPECT_TRUE(up("203.0.113.21"));
    EXPECT_EQ(seen_as(hidden->space(), "192.168.7.1", 8080), "10.0.0.6");
    // Without its route nothing goes there, whatever the tunnel would take.
    told.route_tables[0].routes.pop_back();
    good(engine->ensure_vpc(told));
    EXPECT_EQ(try_from(hidden->space(), "192.168.7.1", 8080, 400), Outcome::silent);
  }
  told.vpns.clear();
  good(engine->ensure_vpc(told));
  EXPECT_TRUE(engine->tunnels(ours)->empty());
  EXPECT_EQ(proxies().count("203.0.113.21"), 0u);
  ASSERT_TRUE(run_in(outside, {"ip", "addr", "del", "192.168.7.1/32", "dev", "lo"}));
}

// --- what a daemon finds ---

TEST_F(Edge, WhatANamespaceLeftBehindIsFound) {
  const auto dnsmasq = dnsmasq_of(theirs);
  ASSERT_TRUE(dnsmasq && process_start_time(*dnsmasq));
  other.reset();
  engine.reset();
  ASSERT_TRUE(run_in("", {"ip", "netns", "delete", namespace_of(theirs)}));
  engine = open_engine();
  ASSERT_TRUE(engine);
  const auto found = engine->found();
  good(found);
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(found->back().vpc_id, theirs);
  good(engine->remove_vpc(theirs));
  EXPECT_FALSE(process_start_time(*dnsmasq));
  EXPECT_EQ(engine->found()->size(), 1u);
  // Or it is wanted still: then another takes its place.
  const auto first = dnsmasq_of(ours);
  ASSERT_TRUE(first && process_start_time(*first));
  web.reset(), hidden.reset();
  engine.reset();
  ASSERT_TRUE(run_in("", {"ip", "netns", "delete", namespace_of(ours)}));
  engine = open_engine();
  ASSERT_TRUE(engine);
  good(engine->ensure_vpc(vpc()));
  EXPECT_FALSE(process_start_time(*first));
  plug(hidden, interface(6), "guest-hidden");
  EXPECT_TRUE(says(asked(hidden->space(), "ip-10-0-0-5.ec2.internal"), "10.0.0.5"));
}

}  // namespace
}  // namespace brume::network::test

int main(int count, char** arguments) {
  testing::InitGoogleTest(&count, arguments);
  return brume::network::test::in_private_world([] { return RUN_ALL_TESTS(); });
}
