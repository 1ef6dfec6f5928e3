// IPv6 of VPCs, with real packets: addresses by router advertisement and DHCP, groups, ACLs, routes to an internet gateway and to an
// egress-only one. "Silent" means dropped. "test-internet" is a host behind ours, to which our pool is routed by way of us.
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "base/files.hpp"
#include "base/ipv6.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "engine_suite.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"

namespace brume::network::test {
namespace {

const std::string folder = "/run/brume-ipv6-test";
const std::string internet = "test-internet";
const std::string internet_ip = "2001:db8:ffff::2";
const std::string ours = "vpc-0a000000000000001";
const std::vector<Permission> everything = {{"-1", -1, -1, "0.0.0.0/0", ""}, {"-1", -1, -1, "::/0", ""}};
using Target = RouteSpec::Target;

sockaddr_in6 at(const std::string& address, int port) {
  sockaddr_in6 result{};
  result.sin6_family = AF_INET6;
  result.sin6_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET6, address.c_str(), &result.sin6_addr);
  return result;
}

// Waits for what a program's output comes to say.
bool comes_to_say(const std::string& space, const std::vector<std::string>& line, const std::string& text, int seconds_limit = 10) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds_limit);
  do {
    if (run_in(space, line).value_or("").find(text) != std::string::npos) return true;
    std::this_thread::sleep_for(milliseconds(50));
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

// The router's link-local address follows from its hardware address (RFC 4291, appendix A), and so does a guest's.
std::string link_local_of(const std::string& mac) {
  Ipv6Address address;
  address.bytes = {0xFE, 0x80};
  std::array<unsigned, 6> part{};
  std::sscanf(mac.c_str(), "%x:%x:%x:%x:%x:%x", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5]);
  const std::array<unsigned, 8> host = {part[0] ^ 2, part[1], part[2], 0xFF, 0xFE, part[3], part[4], part[5]};
  for (size_t i = 0; i < host.size(); ++i) address.bytes[8 + i] = static_cast<std::uint8_t>(host[i]);
  return format_ipv6(address);
}

// One exchange of DHCPv6 (RFC 8415: a solicitation with rapid commit): the addresses that a guest is given.
class Dhcp6 {
 public:
  explicit Dhcp6(const Guest& guest) : guest_(guest) {
    inside(guest.space(), [&] {
      socket_ = Descriptor(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      index_ = ::if_nametoindex("eth0");
      auto address = at(link_local_of(guest.interface().mac), 546);
      address.sin6_scope_id = index_;
      if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("bind dhcp");
    });
  }
  std::vector<std::string> ask(int tries = 10) {
    for (int i = 0; i < tries; ++i) {
      send();
      if (readable(socket_.get(), 1000)) return read();
    }
    return {"no answer"};
  }

 private:
  void send() {
    std::vector<std::uint8_t> message = {1, 0x42, 0x42, 0x42};
    const auto option = [&](std::uint8_t code, const std::vector<std::uint8_t>& value) {
      message.insert(message.end(), {0, code, 0, static_cast<std::uint8_t>(value.size())});
      message.insert(message.end(), value.begin(), value.end());
    };
    std::vector<std::uint8_t> duid = {0, 3, 0, 1};
    for (size_t i = 0; i < 6; ++i)
      duid.push_back(static_cast<std::uint8_t>(std::strtoul(guest_.interface().mac.substr(i * 3, 2).c_str(), nullptr, 16)));
    option(1, duid);
    option(3, {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0});
    option(8, {0, 0});
    option(14, {});
    auto target = at("ff02::1:2", 547);
    target.sin6_scope_id = index_;
    ::sendto(socket_.get(), message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&target), sizeof target);
  }
  std::vector<std::string> read() {
    std::array<std::uint8_t, 2048> buffer{};
    const auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    std::vector<std::string> addresses;
    if (got > 4) take(std::span(buffer).subspan(4, static_cast<size_t>(got) - 4), addresses);
    return addresses;
  }
  static void take(std::span<const std::uint8_t> options, std::vector<std::string>& addresses) {
    while (options.size() >= 4) {
      const unsigned code = options[0] << 8 | options[1];
      const size_t size = std::min<size_t>(static_cast<size_t>(options[2] << 8 | options[3]), options.size() - 4);
      const auto value = options.subspan(4, size);
      if (code == 3 && size > 12) take(value.subspan(12), addresses);
      if (code == 5 && size >= 16) {
        Ipv6Address address;
        std::copy_n(value.begin(), 16, address.bytes.begin());
        addresses.push_back(format_ipv6(address));
      }
      options = options.subspan(4 + size);
    }
  }

  const Guest& guest_;
  Descriptor socket_;
  unsigned index_ = 0;
};

class Ipv6 : public EngineSuite {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(host::make_namespace(internet));
    ASSERT_TRUE(run_in("", {"ip", "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", internet}));
    for (const auto& [space, link, own] : {std::tuple(std::string(), "wan", "1"), std::tuple(internet, "eth0", "2")}) {
      ASSERT_TRUE(run_in(space, {"ip", "link", "set", link, "up"}));
      ASSERT_TRUE(run_in(space, {"ip", "addr", "add", std::string("2001:db8:ffff::") + own + "/64", "dev", link, "nodad"}));
    }
    ASSERT_TRUE(run_in(internet, {"ip", "route", "add", "2001:db8:1200::/40", "via", "2001:db8:ffff::1"}));
    ASSERT_TRUE(run_in("", {"sysctl", "-qw", "net.ipv6.conf.wan.accept_ra=1"}));
    engine = open_engine();
  }
  static void TearDownTestSuite() {
    web.reset(), other.reset(), hidden.reset();
    if (engine) {
      EXPECT_TRUE(engine->remove_everything());
      EXPECT_EQ(run_in("", {"ip", "-6", "route", "show", "proto", "66"}).value_or("?"), "");
    }
    engine.reset();
  }

  static std::unique_ptr<NetworkEngine> open_engine(const std::string& pool = "2001:db8:1200::/40") {
    HostNetworkConfiguration configuration{folder, "", "us-east-1"};
    configuration.resolver = "none";
    configuration.ipv6_pool = pool;
    return opened(configuration);
  }

  // An open subnet and a hidden one.
  static VpcSpec vpc(std::vector<RouteSpec> open_routes = {{"::/0", Target::internet, ""}}, std::vector<RouteSpec> hidden_routes = {}) {
    VpcSpec spec{ours, "10.0.0.0/16", {{"10.0.0.0/24", "rtb-open"}, {"10.0.1.0/24", "rtb-hidden"}}, "ec2.internal"};
    spec.internet_gateway = true;
    spec.cidrs6 = {"2001:db8:1200::/56"};
    spec.subnets[0].cidr6 = "2001:db8:1200::/64";
    spec.subnets[1].cidr6 = "2001:db8:1200:1::/64";
    spec.route_tables = {{"rtb-open", {}, std::move(open_routes)}, {"rtb-hidden", {}, std::move(hidden_routes)}};
    return spec;
  }

  static InterfaceSpec interface(unsigned number, const std::string& private_ip, const std::vector<std::string>& ipv6) {
    auto spec = interface_spec(number, ours, private_ip);
    spec.host_name = "ip-" + std::to_string(number);
    spec.ipv6 = ipv6;
    return spec;
  }

  void SetUp() override {
    ASSERT_TRUE(engine);
    good(engine->ensure_vpc(vpc()));
    good(engine->ensure_group({"sg-all", ours, everything, everything}));
    plug(web, interface(1, "10.0.0.5", {web_ip}), "guest-web");
    plug(other, interface(2, "10.0.0.6", {other_ip}), "guest-other");
    plug(hidden, interface(3, "10.0.1.7", {hidden_ip}), "guest-hidden");
  }

  static void plug(std::unique_ptr<Guest>& guest, const InterfaceSpec& spec, const std::string& name) {
    good(engine->ensure_interface(spec));
    if (guest) return;
    guest = std::make_unique<Guest>(*engine, spec, name);
    ASSERT_TRUE(run_in(name, {"sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0"}));
    ASSERT_TRUE(run_in(name, {"ip", "addr", "add", spec.ipv6.front() + "/128", "dev", "eth0", "nodad"}));
    ASSERT_TRUE(
        run_in(name, {"ip", "-6", "route", "add", "default", "via", link_local_of(router_mac(ours)), "dev", "eth0", "metric", "5"}));
    ASSERT_TRUE(comes_to_say(name, {"ip", "-6", "addr", "show", "dev", "eth0", "scope", "link", "-tentative"}, "fe80::"));
  }

  static std::string namespace_of_vpc() { return namespace_name(read_file(folder + "/mark")->substr(0, 6), ours); }

  static constexpr const char* web_ip = "2001:db8:1200::5:1";
  static constexpr const char* other_ip = "2001:db8:1200::6:1";
  static constexpr const char* hidden_ip = "2001:db8:1200:1::7";
  static std::unique_ptr<Guest> web, other, hidden;
};
std::unique_ptr<Guest> Ipv6::web, Ipv6::other, Ipv6::hidden;

// --- addresses ---

TEST_F(Ipv6, TheRouterAdvertisesItselfAndDhcpGivesTheAddress) {
  EXPECT_EQ(engine->ipv6_pool(), "2001:db8:1200::/40");
  // Managed, and nothing is said to be on the link but the router.
  ASSERT_TRUE(comes_to_say(web->space(), {"ip", "-6", "route", "show", "default"}, "proto ra"));
  EXPECT_NE(run_in(web->space(), {"ip", "-6", "route", "show", "default"})->find(link_local_of(router_mac(ours))), std::string::npos);
  EXPECT_EQ(run_in(web->space(), {"ip", "-6", "route"})->find("2001:db8:1200::/64"), std::string::npos);
  EXPECT_EQ(run_in(web->space(), {"ip", "-6", "addr", "show", "dev", "eth0"})->find("dynamic"), std::string::npos);
  EXPECT_EQ(Dhcp6(*web).ask(), (std::vector<std::string>{web_ip}));
  EXPECT_EQ(Dhcp6(*hidden).ask(), (std::vector<std::string>{hidden_ip}));
  // A private name is the private address still.
  const auto named = run_in(web->space(), {"busybox", "nslookup", "-type=aaaa", "ip-3.ec2.internal", "10.0.0.2"}).value_or("");
  EXPECT_EQ(named.find("2001:"), std::string::npos) << named;
  EXPECT_NE(run_in(web->space(), {"busybox", "nslookup", "-type=a", "ip-3.ec2.internal", "10.0.0.2"}).value_or("").find("10.0.1.7"),
            std::string::npos);
  // Another one from now on.
  auto moved = interface(2, "10.0.0.6", {"2001:db8:1200::6:2"});
  good(engine->ensure_interface(moved));
  EXPECT_EQ(Dhcp6(*other).ask(), (std::vector<std::string>{"2001:db8:1200::6:2"}));
  good(engine->ensure_interface(interface(2, "10.0.0.6", {})));
  EXPECT_NE(Dhcp6(*other).ask(1), (std::vector<std::string>{"2001:db8:1200::6:2"}));
}

TEST_F(Ipv6, AGuestSpeaksOnlyAsItself) {
  const EchoServer server(web->space(), 80, "::");
  EXPECT_EQ(try_from(other->space(), web_ip, 80), Outcome::connected);
  ASSERT_TRUE(run_in(other->space(), {"ip", "addr", "add", std::string(hidden_ip) + "/128", "dev", "eth0", "nodad"}));
  EXPECT_FALSE(run_in(other->space(), {"busybox", "ping6", "-c", "1", "-W", "1", "-I", hidden_ip, web_ip}, 5));
  EXPECT_TRUE(run_in(other->space(), {"busybox", "ping6", "-c", "1", "-W", "1", "-I", other_ip, web_ip}, 5));
  // Nor does it take what is another's: that goes where it belongs.
  EXPECT_TRUE(pings(web->space(), hidden_ip));
  ASSERT_TRUE(run_in(other->space(), {"ip", "addr", "del", std::string(hidden_ip) + "/128", "dev", "eth0"}));
  // An address that it has no more.
  good(engine->ensure_interface(interface(2, "10.0.0.6", {"2001:db8:1200::6:2"})));
  EXPECT_EQ(try_from(other->space(), web_ip, 80, 300), Outcome::silent);
  EXPECT_FALSE(pings(web->space(), other_ip));
}

// --- groups, ACLs ---

TEST_F(Ipv6, GroupsAreEnforcedAndRevokedRulesEndConnections) {
  const EchoServer server(web->space(), 80, "::");
  auto guarded = interface(1, "10.0.0.5", {web_ip});
  guarded.group_ids = {"sg-web"};
  const Permission by_range{"tcp", 80, 80, "2001:db8:1200::/64", ""};
  const Permission by_group{"tcp", 80, 80, "", "sg-all"};
  good(engine->ensure_group({"sg-web", ours, {{"tcp", 80, 80, "0.0.0.0/0", ""}}, everything}));
  good(engine->ensure_interface(guarded));
  EXPECT_EQ(try_from(other->space(), web_ip, 80, 300), Outcome::silent);  // the rule is of IPv4
  good(engine->ensure_group({"sg-web", ours, {by_range}, everything}));
  auto connection = connect_from(other->space(), web_ip, 80);
  ASSERT_TRUE(talks(connection.socket));
  EXPECT_EQ(try_from(other->space(), web_ip, 81, 300), Outcome::silent);
  EXPECT_EQ(try_from(hidden->space(), web_ip, 80, 300), Outcome::silent);
  EXPECT_EQ(try_from(other->space(), "10.0.0.5", 80, 300), Outcome::silent);
  EXPECT_FALSE(pings(other->space(), web_ip));
  good(engine->ensure_group({"sg-web", ours, {by_group, {"icmpv6", 128, -1, "::/0", ""}}, everything}));
  EXPECT_EQ(try_from(hidden->space(), web_ip, 80), Outcome::connected);
  EXPECT_TRUE(pings(other->space(), web_ip));
  EXPECT_TRUE(talks(connection.socket));
  good(engine->ensure_group({"sg-web", ours, {}, {}}));
  EXPECT_FALSE(talks(connection.socket, 400));
  EXPECT_EQ(try_from(web->space(), other_ip, 80, 300), Outcome::silent);  // nor out
  EXPECT_FALSE(pings(web->space(), other_ip));
}

TEST_F(Ipv6, AclsSeeEachPacket) {
  const EchoServer server(hidden->space(), 80, "::");
  auto spec = vpc();
  const std::vector<AclEntrySpec> open = {{false, true, "-1", -1, -1, "::/0"}, {true, true, "-1", -1, -1, "::/0"}};
  spec.acls = {{"acl-one", open}};
  spec.subnets[1].acl_id = "acl-one";
  good(engine->ensure_vpc(spec));
  auto connection = connect_from(web->space(), hidden_ip, 80);
  ASSERT_TRUE(talks(connection.socket));
  EXPECT_EQ(try_from(web->space(), "10.0.1.7", 80, 300), Outcome::silent);  // of IPv4 it says nothing
  spec.acls[0].entries.insert(spec.acls[0].entries.begin(), {true, false, "6", 1024, 65535, "2001:db8:1200::5:0/112"});
  good(engine->ensure_vpc(spec));
  EXPECT_FALSE(talks(connection.socket, 400));
  EXPECT_EQ(try_from(web->space(), hidden_ip, 80, 300), Outcome::silent);
  EXPECT_EQ(try_from(other->space(), hidden_ip, 80), Outcome::connected);
  EXPECT_TRUE(pings(web->space(), hidden_ip));
}

// --- routes ---

TEST_F(Ipv6, AnInternetGatewayLetsBothSidesBegin) {
  const EchoServer there(internet, 80, "::");
  const EchoServer here(web->space(), 80, "::");
  EXPECT_EQ(seen_as(web->space(), internet_ip, 80), web_ip);  // nothing is translated
  EXPECT_EQ(seen_as(internet, web_ip, 80), internet_ip);
  auto connection = connect_from(internet, web_ip, 80);
  ASSERT_TRUE(talks(connection.socket));
  // This host itself, by an address of the pool that no VPC has.
  EXPECT_EQ(seen_as("", web_ip, 80), "2001:db8:12ff:ff00::1");
  // The hidden subnet has no way there.
  EXPECT_EQ(try_from(hidden->space(), internet_ip, 80, 300), Outcome::silent);
  EXPECT_FALSE(pings(internet, hidden_ip));
  // Groups say who may.
  good(engine->ensure_group({"sg-all", ours, {{"-1", -1, -1, "2001:db8:1200::/56", ""}}, everything}));
  EXPECT_FALSE(talks(connection.socket, 400));
  EXPECT_EQ(try_from(internet, web_ip, 80, 300), Outcome::silent);
  EXPECT_EQ(try_from(web->space(), internet_ip, 80), Outcome::connected);
  // The host forwards now, and still hears its own routers.
  EXPECT_EQ(trim(run_in("", {"sysctl", "-n", "net.ipv6.conf.wan.accept_ra"}).value_or("")), "2");
}

TEST_F(Ipv6, AnEgressOnlyGatewayLetsNobodyIn) {
  const EchoServer there(internet, 80, "::");
  const EchoServer here(web->space(), 80, "::");
  auto came_in = connect_from(internet, web_ip, 80);
  auto went_out = connect_from(web->space(), internet_ip, 80);
  ASSERT_TRUE(talks(came_in.socket));
  ASSERT_TRUE(talks(went_out.socket));
  good(engine->ensure_vpc(vpc({{"::/0", Target::egress_only, ""}})));
  EXPECT_EQ(seen_as(web->space(), internet_ip, 80), web_ip);
  EXPECT_TRUE(talks(went_out.socket));
  EXPECT_FALSE(talks(came_in.socket, 400));
  EXPECT_EQ(try_from(internet, web_ip, 80, 300), Outcome::silent);
  EXPECT_FALSE(pings(internet, web_ip));
  // The most specific route decides.
  good(engine->ensure_vpc(vpc({{"::/0", Target::egress_only, ""}, {"2001:db8:ffff::/48", Target::internet, ""}})));
  EXPECT_EQ(try_from(internet, web_ip, 80), Outcome::connected);
  good(engine->ensure_vpc(vpc({{"::/0", Target::internet, ""}, {"2001:db8:ffff::/48", Target::nowhere, ""}})));
  EXPECT_EQ(try_from(internet, web_ip, 80, 300), Outcome::silent);
  EXPECT_EQ(try_from(web->space(), internet_ip, 80, 300), Outcome::silent);
}

TEST_F(Ipv6, ARouteLeadsThroughAnInstance) {
  const EchoServer there(internet, 80, "::");
  good(engine->ensure_vpc(vpc({{"::/0", Target::internet, ""}}, {{"::/0", Target::interface, web->interface().id}})));
  auto gate = web->interface();
  gate.source_dest_check = false;
  good(engine->ensure_interface(gate));
  ASSERT_TRUE(run_in(web->space(), {"sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"}));
  ASSERT_TRUE(run_in(web->space(), {"sh", "-c",
                                    "nft add table ip6 t && nft 'add chain ip6 t c { type nat hook postrouting priority 100; }' && "
                                    "nft add rule ip6 t c oifname eth0 ip6 daddr 2001:db8:ffff::/48 masquerade"}));
  EXPECT_EQ(seen_as(hidden->space(), internet_ip, 80), web_ip);
  ASSERT_TRUE(run_in(web->space(), {"nft", "delete", "table", "ip6", "t"}));
  ASSERT_TRUE(run_in(web->space(), {"sysctl", "-qw", "net.ipv6.conf.all.forwarding=0"}));
}

// --- on and off ---

TEST_F(Ipv6, AVpcWithoutARangeDropsAllOfIt) {
  const EchoServer server(web->space(), 80, "::");
  auto connection = connect_from(other->space(), web_ip, 80);
  ASSERT_TRUE(talks(connection.socket));
  auto without = vpc({}, {});
  without.cidrs6.clear();
  for (auto& subnet : without.subnets) subnet.cidr6.clear();
  good(engine->ensure_vpc(without));
  EXPECT_FALSE(talks(connection.socket, 400));
  EXPECT_EQ(try_from(other->space(), web_ip, 80, 300), Outcome::silent);
  EXPECT_EQ(run_in(namespace_of_vpc(), {"ip", "-6", "addr"}).value_or("?"), "");
  EXPECT_EQ(run_in("", {"ip", "-6", "route", "show", "2001:db8:1200::/56"}).value_or("?"), "");
  EXPECT_TRUE(pings(other->space(), "10.0.0.5"));
  // And back, with machines that run.
  good(engine->ensure_vpc(vpc()));
  EXPECT_EQ(try_from(other->space(), web_ip, 80), Outcome::connected);
  EXPECT_EQ(try_from(internet, web_ip, 80), Outcome::connected);
}

TEST_F(Ipv6, ARestartDisturbsNothing) {
  const EchoServer there(internet, 80, "::");
  auto connection = connect_from(web->space(), internet_ip, 80);
  ASSERT_TRUE(talks(connection.socket));
  const auto before = run_in(namespace_of_vpc(), {"ip", "-6", "route", "show", "table", "all", "proto", "66"});
  engine = open_engine();
  ASSERT_TRUE(engine);
  good(engine->ensure_all(
      vpc(), {{"sg-all", ours, everything, everything}},
      {interface(1, "10.0.0.5", {web_ip}), interface(2, "10.0.0.6", {other_ip}), interface(3, "10.0.1.7", {hidden_ip})}));
  EXPECT_TRUE(talks(connection.socket));
  EXPECT_EQ(run_in(namespace_of_vpc(), {"ip", "-6", "route", "show", "table", "all", "proto", "66"}), before);
}

TEST_F(Ipv6, APoolOfTheInstallationsOwn) {
  HostNetworkConfiguration configuration{"/run/brume-ipv6-own", "", "us-east-1"};
  configuration.resolver = "none";
  auto made = make_host_network_engine(configuration);
  ASSERT_TRUE(made) << made.error().message;
  const auto pool = parse_ipv6_block((*made)->ipv6_pool());
  ASSERT_TRUE(pool);
  EXPECT_EQ(pool->prefix, 48);
  EXPECT_EQ(pool->base.bytes[0], 0xFD);
  good((*made)->remove_everything());
  auto again = make_host_network_engine(configuration);
  ASSERT_TRUE(again);
  EXPECT_EQ(parse_ipv6_block((*again)->ipv6_pool()), pool);
  good((*again)->remove_everything());
  configuration.ipv6_pool = "none";
  auto without = make_host_network_engine(configuration);
  ASSERT_TRUE(without);
  EXPECT_EQ((*without)->ipv6_pool(), "");
  good((*without)->remove_everything());
  for (const auto* wrong : {"2001:db8::/64", "10.0.0.0/8", "2001:db8::/40,2001:db8::/48"}) {
    configuration.ipv6_pool = wrong;
    EXPECT_FALSE(make_host_network_engine(configuration)) << wrong;
  }
}

}  // namespace
}  // namespace brume::network::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return brume::network::test::in_private_world([] { return RUN_ALL_TESTS(); });
}
