// Access that is taken away ends, whatever fails meanwhile. Each step of each change (a request to netlink, a file, the start of nft) fails
// once and the change is repeated, as control repeats it; or the daemon is killed there and a new one takes over. The connection that lived
// by what was taken away must be gone then.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/files.hpp"
#include "base/ipv4.hpp"
#include "base/log.hpp"
#include "engine_suite.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/netlink/connections.hpp"
#include "step_killer.hpp"

namespace brume::network::test {
namespace {

using Target = RouteSpec::Target;

const std::string folder = "/run/brume-network-failure-test";
const std::string here_id = "vpc-0a000000000000001";
const std::string there_id = "vpc-0b000000000000002";
const std::string peering = "pcx-0c000000000000003";
const std::vector<Permission> everything = {{"-1", -1, -1, "0.0.0.0/0", ""}};

class NetworkFailure : public EngineSuite {
 protected:
  static void SetUpTestSuite() {
    log::set_level(log::Level::error);
    start();
    ASSERT_TRUE(engine);
    restore();
    server_ = std::make_unique<Guest>(*engine, server(), "guest-server");
    client_ = std::make_unique<Guest>(*engine, client(), "guest-client");
    inner_ = std::make_unique<Guest>(*engine, inner(), "guest-inner");
    peer_ = std::make_unique<Guest>(*engine, peer(), "guest-peer");
    echo_ = std::make_unique<EchoServer>("guest-server", 80);
    peer_echo_ = std::make_unique<EchoServer>("guest-peer", 80);
  }
  static void TearDownTestSuite() {
    echo_.reset(), peer_echo_.reset();
    server_.reset(), client_.reset(), inner_.reset(), peer_.reset();
    start();
    close();
  }
  static void start() {
    open({folder, "", "us-east-1"});
    pool_ = parse_ipv4_block(engine->public_pool())->base;
  }
  static std::string address(unsigned number) { return format_ipv4(pool_ + number); }

  // --- what is there before each change ---

  static VpcSpec here() {
    VpcSpec vpc{here_id, "10.1.0.0/16", {{"10.1.0.0/24", "rtb-1"}, {"10.1.1.0/24", "rtb-2"}}, "ec2.internal"};
    vpc.internet_gateway = true;
    vpc.route_tables = {{"rtb-1", {{"0.0.0.0/0", Target::internet, ""}, {"10.2.0.0/16", Target::peering, peering}}},
                        {"rtb-2", {{"0.0.0.0/0", Target::nat, "nat-1"}}}};
    vpc.nats = {{"nat-1", address(20)}};
    vpc.peerings = {{peering, there_id, {"10.2.0.0/16"}}};
    vpc.peer_groups = {{"sg-peer", {"10.2.0.5"}, peering}};
    return vpc;
  }
  static VpcSpec there() {
    VpcSpec vpc{there_id, "10.2.0.0/16", {{"10.2.0.0/24", "rtb-3"}}, "ec2.internal"};
    vpc.internet_gateway = true;
    vpc.route_tables = {{"rtb-3", {{"10.1.0.0/16", Target::peering, peering}, {"0.0.0.0/0", Target::internet, ""}}}};
    vpc.peerings = {{peering, here_id, {"10.1.0.0/16"}}};
    return vpc;
  }
  static InterfaceSpec server() {
    auto spec = interface_spec(1, here_id, "10.1.0.5", address(1), "sg-web");
    spec.group_ids.emplace_back("sg-peers");
    spec.more = {{"10.1.0.15", address(2)}};
    return spec;
  }
  static InterfaceSpec client() { return interface_spec(2, here_id, "10.1.0.6", "", "sg-client"); }
  static InterfaceSpec inner() { return interface_spec(3, here_id, "10.1.1.7", "", "sg-client"); }
  static InterfaceSpec peer() { return interface_spec(4, there_id, "10.2.0.5", address(3), "sg-peer"); }
  static GroupSpec web(const std::string& cidr = "0.0.0.0/0") { return {"sg-web", here_id, {{"tcp", 80, 80, cidr, ""}}, everything}; }
  static std::vector<GroupSpec> groups() {
    return {web(), {"sg-peers", here_id, {{"tcp", 81, 81, "", "sg-peer"}}, {}}, {"sg-client", here_id, {}, everything}};
  }
  static void restore() {
    good(engine->ensure_vpc(here()));
    good(engine->ensure_all(there(), {{"sg-peer", there_id, everything, everything}}, {peer()}));
    good(engine->ensure_all(here(), groups(), {server(), client(), inner()}));
    good(engine->ensure_vpc(there()));
  }

  // --- one connection, and what takes it away ---

  struct Case {
    const char* what;
    std::string from;  // guest
    std::string to;
    int port;
    std::function<Result<void>()> change;
    std::function<void()> prepare{};  // what else there is before
  };

  // Each step takes up to a second or so where the machine is busy: unless told otherwise, some are chosen.
  static int chosen_stride(int otherwise) {
    const auto* told = std::getenv("BRUME_KILL_STRIDE");
    return std::max(1, told == nullptr ? otherwise : std::atoi(told));
  }

  // Conntrack of the VPC knows a connection from the source to the port.
  static bool lives(const Case& one, const std::string& source) {
    bool found = false;
    for (const auto& name : host::list_namespaces("brume-")) {
      if (!name.ends_with(here_id)) continue;
      good(host::in_namespace(name, [&] {
        return count_connections([&](const CountedFlow& flow) {
          found |= flow.flow.destination == parse_ipv4(one.to) && flow.flow.destination_port == one.port &&
                   (source.empty() || flow.flow.source == parse_ipv4(source));
        });
      }));
    }
    return found;
  }
  static bool leads_somewhere(const std::string& public_address) {
    return run_in("", {"ip", "route", "show", public_address}).value_or("").find("via") != std::string::npos;
  }

  static Connection connect(const Case& one) {
    restore();
    if (one.prepare) one.prepare();
    auto connection = connect_from(one.from, one.to, one.port);
    EXPECT_TRUE(talks(connection.socket)) << one.what;
    EXPECT_TRUE(lives(one, "")) << one.what;
    return connection;
  }

  // In a process of its own. Every step (or one in `otherwise`) fails once, the first time that the change is made.
  static void fail_every_step(const Case& one, int otherwise = 2, const std::function<void()>& check = {}) {
    const auto work = [&] {
      start();
      int failures = 0;
      const int stride = chosen_stride(otherwise);
      for (int step = 1;; step += stride) {
        const auto connection = connect(one);
        fail_step(step);
        auto done = one.change();
        const auto failed = failed_step();
        const bool told = !done;
        for (int tries = 0; !done && tries < 3; ++tries) done = one.change();
        SCOPED_TRACE(std::string(one.what) + ": step " + std::to_string(step) + " failed, " + failed + (told ? ", which was told" : ""));
        EXPECT_TRUE(done) << done.error().message;
        EXPECT_FALSE(lives(one, "")) << "the connection lives on";
        if (check) check();
        if (failed.empty() || HasFailure()) break;
        ++failures;
      }
      std::printf("%s: %d steps failed once, %d apart\n", one.what, failures, stride);
      std::fflush(stdout);
      engine.reset();
      return HasFailure() ? 1 : 0;
    };
    engine.reset();
    EXPECT_EQ(run_with_failures(work), 0) << one.what;
  }

  // The daemon is killed at a step, and the next one makes it `after` as control does after a start.
  static void kill_at_steps(const Case& one, const std::function<void()>& after) {
    const int stride = chosen_stride(4);
    int kills = 0;
    for (int step = 1;; step += stride, ++kills) {
      start();
      const auto connection = connect(one);
      engine.reset();
      const auto run = run_and_kill(step, [&] {
        start();
        good(engine->ensure_vpc(here()));
        steps_begin();
        good(one.change());
        engine.reset();
        return HasFailure() ? 1 : 0;
      });
      reap_orphans();
      start();
      SCOPED_TRACE(std::string(one.what) + ": killed before step " + std::to_string(step) + ", " + run.before);
      after();
      EXPECT_FALSE(lives(one, "")) << "the connection lives on";
      if (!run.was_killed || HasFailure()) break;
    }
    std::printf("%s: killed %d times, %d steps apart\n", one.what, kills, stride);
    EXPECT_GT(kills, 2);
  }

  static std::unique_ptr<Guest> server_, client_, inner_, peer_;
  static std::unique_ptr<EchoServer> echo_, peer_echo_;
  static std::uint32_t pool_;
};
std::unique_ptr<Guest> NetworkFailure::server_, NetworkFailure::client_, NetworkFailure::inner_, NetworkFailure::peer_;
std::unique_ptr<EchoServer> NetworkFailure::echo_, NetworkFailure::peer_echo_;
std::uint32_t NetworkFailure::pool_ = 0;

TEST_F(NetworkFailure, ARevokedRule) {
  fail_every_step({"a rule revoked", "guest-client", "10.1.0.5", 80, [] { return engine->ensure_group(web("10.1.0.9/32")); }}, 1);
}

TEST_F(NetworkFailure, ARemovedGroup) {
  fail_every_step({"a group removed", "guest-client", "10.1.0.5", 80, [] { return engine->remove_group(here_id, "sg-web"); }});
}

TEST_F(NetworkFailure, AnInterfaceThatLeavesItsGroup) {
  fail_every_step({"a group left", "guest-client", "10.1.0.5", 80, [] {
                     auto spec = server();
                     spec.group_ids = {"sg-client"};
                     return engine->ensure_interface(spec);
                   }});
}

TEST_F(NetworkFailure, APublicAddressThatIsTakenAway) {
  const auto gone = address(1);
  const Case one{"a public address taken", "", gone, 80, [] {
                   auto spec = server();
                   spec.public_ip.clear();
                   return engine->ensure_interface(spec);
                 }};
  fail_every_step(one, 3, [&] { EXPECT_FALSE(leads_somewhere(gone)); });
}

TEST_F(NetworkFailure, ASecondaryAddressThatIsTakenAway) {
  ASSERT_TRUE(run_in("guest-server", {"ip", "address", "add", "10.1.0.15/32", "dev", "eth0"}));
  const Case one{"a secondary address taken", "guest-client", "10.1.0.15", 80, [] {
                   auto spec = server();
                   spec.more.clear();
                   return engine->ensure_interface(spec);
                 }};
  fail_every_step(one, 3, [] {
    EXPECT_FALSE(leads_somewhere(address(2)));
    for (const auto& name : host::list_namespaces("brume-"))
      if (name.ends_with(here_id)) {
        EXPECT_EQ(run_in(name, {"ip", "route", "show", "10.1.0.15"}).value_or("?"), "");
      }
  });
}

TEST_F(NetworkFailure, AnInterfaceThatIsRemoved) {
  static std::unique_ptr<Guest> leaver;
  const auto spec = interface_spec(5, here_id, "10.1.0.9", address(5), "sg-client");
  const Case one{"an interface removed",
                 "guest-leaver",
                 "10.1.0.5",
                 80,
                 [&] { return engine->remove_interface(here_id, spec.id); },
                 [&] {
                   good(engine->ensure_interface(spec));
                   leaver = std::make_unique<Guest>(*engine, spec, "guest-leaver");
                 }};
  fail_every_step(one, 3, [&] {
    leaver.reset();
    EXPECT_FALSE(leads_somewhere(spec.public_ip));
    EXPECT_FALSE(path_exists(folder + "/vpcs/" + here_id + "/interfaces/" + spec.id + ".json"));
  });
}

TEST_F(NetworkFailure, AnInternetGatewayThatIsDetached) {
  fail_every_step({"an internet gateway detached", "", address(1), 80,
                   [] {
                     auto vpc = here();
                     vpc.internet_gateway = false;
                     return engine->ensure_vpc(vpc);
                   }},
                  4);
}

TEST_F(NetworkFailure, ANatGatewayThatIsRemoved) {
  const auto gone = address(20);
  const Case one{"a NAT gateway removed", "guest-inner", address(3), 80, [] {
                   auto vpc = here();
                   vpc.nats.clear();
                   return engine->ensure_vpc(vpc);
                 }};
  fail_every_step(one, 3, [&] { EXPECT_FALSE(leads_somewhere(gone)); });
}

Result<void> unpeer(NetworkEngine& engine, VpcSpec here, bool all_at_once, const std::vector<GroupSpec>& groups,
                    const std::vector<InterfaceSpec>& interfaces) {
  here.peerings.clear();
  here.peer_groups.clear();
  here.route_tables[0].routes.pop_back();
  return all_at_once ? engine.ensure_all(here, groups, interfaces) : engine.ensure_vpc(here);
}

TEST_F(NetworkFailure, APeeringThatIsDeleted) {
  fail_every_step({"a peering deleted", "guest-client", "10.2.0.5", 80, [] { return unpeer(*engine, here(), false, {}, {}); }}, 3);
}

TEST_F(NetworkFailure, APeeringThatIsDeletedWithAllElseMadeAnew) {
  fail_every_step({"a peering deleted, all made anew", "guest-client", "10.2.0.5", 80,
                   [] {
                     return unpeer(*engine, here(), true, groups(), {server(), client(), inner()});
                   }},
                  6);
}

TEST_F(NetworkFailure, AMemberLessOfAPeersGroup) {
  const EchoServer echo("guest-server", 81);
  fail_every_step({"a member less of a peer's group", "guest-peer", "10.1.0.5", 81,
                   [] {
                     auto vpc = here();
                     vpc.peer_groups[0].addresses.clear();
                     return engine->ensure_vpc(vpc);
                   }},
                  4);
}

TEST_F(NetworkFailure, ADaemonThatDiesWhenAPeeringIsDeleted) {
  const Case one{"a peering deleted", "guest-client", "10.2.0.5", 80, [] { return unpeer(*engine, here(), false, {}, {}); }};
  kill_at_steps(one, [] {
    good(unpeer(*engine, here(), false, {}, {}));
    good(unpeer(*engine, here(), true, groups(), {server(), client(), inner()}));
  });
}

TEST_F(NetworkFailure, ADaemonThatDiesWhenARuleIsRevoked) {
  const Case one{"a rule revoked", "guest-client", "10.1.0.5", 80, [] { return engine->ensure_group(web("10.1.0.9/32")); }};
  // Nothing but what a new daemon does first of all.
  kill_at_steps(one, [] { good(engine->ensure_group(web("10.1.0.9/32"))); });
}

}  // namespace
}  // namespace brume::network::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return brume::network::test::in_private_world([] { return RUN_ALL_TESTS(); });
}
