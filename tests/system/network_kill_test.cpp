// The daemon is killed between any two steps of making, changing and removing networks; what it left is then taken over as a new daemon
// does it, and has to become the very network that is there when nobody is killed, with all that is somebody else's as it was.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <set>
#include <thread>

#include "base/ipv4.hpp"
#include "base/log.hpp"
#include "engine_suite.hpp"
#include "engines/host/namespaces.hpp"
#include "kernel_picture.hpp"
#include "step_killer.hpp"

namespace brume::network::test {
namespace {

using Target = RouteSpec::Target;

const std::string folder = "/run/brume-network-kill-test";
const std::string vpc_a = "vpc-0a000000000000001";
const std::string vpc_b = "vpc-0b000000000000002";
const std::string peering = "pcx-0c000000000000003";
const std::vector<Permission> everything = {{"-1", -1, -1, "0.0.0.0/0", ""}};

struct Part {
  VpcSpec vpc;
  std::vector<GroupSpec> groups;
  std::vector<InterfaceSpec> interfaces;
};
using Wanted = std::vector<Part>;

class NetworkKill : public EngineSuite {
 protected:
  static void SetUpTestSuite() {
    log::set_level(log::Level::error);
    // What belongs to others and must stay as it is.
    ASSERT_TRUE(run_in("", {"nft", "add", "table", "inet", "foreign"}));
    ASSERT_TRUE(run_in("", {"nft", "add", "chain", "inet", "foreign", "theirs"}));
    ASSERT_TRUE(run_in("", {"ip", "link", "add", "bv-foreign", "type", "veth", "peer", "name", "bt-foreign"}));
    ASSERT_TRUE(run_in("", {"ip", "route", "add", "192.0.2.0/24", "via", "127.0.0.1", "dev", "lo"}));
    ASSERT_TRUE(host::make_namespace("brume-foreign"));
    open();
    ASSERT_TRUE(engine);
    // Once all of it, so that what the host keeps for good (forwarding) is there.
    program(first());
    good(engine->remove_everything());
    open();
  }

  static void TearDownTestSuite() {
    one.reset(), other.reset();
    close();
  }

  static std::unique_ptr<NetworkEngine> open_engine() {
    HostNetworkConfiguration configuration{folder, "", "us-east-1"};
    configuration.ipv6_pool = "2001:db8:1200::/48";
    return opened(configuration);
  }

  static void open() {
    engine.reset();
    engine = open_engine();
    ASSERT_TRUE(engine);
    pool = parse_ipv4_block(engine->public_pool())->base;
    engine->on_disturbance([](const std::string& id) {
      const std::lock_guard lock(mutex);
      told.insert(id);
    });
  }

  static std::string public_ip(unsigned number) { return format_ipv4(pool + number); }

  static InterfaceSpec interface(unsigned number, const std::string& vpc_id, const std::string& private_ip, const std::string& group,
                                 unsigned public_number = 0) {
    auto spec = interface_spec(number, vpc_id, private_ip, public_number == 0 ? "" : public_ip(public_number), group);
    spec.host_name = "host-" + std::to_string(number);
    return spec;
  }

  static Part left() {
    VpcSpec vpc{
        vpc_a, "10.1.0.0/16", {{"10.1.0.0/24", "rtb-1", "", "2001:db8:1200::/64"}, {"10.1.1.0/24", "rtb-2", "acl-1"}}, "ec2.internal"};
    vpc.internet_gateway = true;
    vpc.cidrs6 = {"2001:db8:1200::/56"};
    vpc.route_tables = {{"rtb-1",
                         {{"0.0.0.0/0", Target::internet, ""},
                          {"10.2.0.0/16", Target::peering, peering},
                          {"192.168.1.0/24", Target::interface, "eni-00000000000000002"}},
                         {{"::/0", Target::internet, ""}}},
                        {"rtb-2", {{"0.0.0.0/0", Target::nat, "nat-1"}}}};
    vpc.acls = {{"acl-1", {{false, true, "6", 80, 80, "0.0.0.0/0"}, {true, true, "-1", -1, -1, "0.0.0.0/0"}}}};
    vpc.nats = {{"nat-1", public_ip(20)}};
    vpc.peerings = {{peering, vpc_b, {"10.2.0.0/16"}}};
    vpc.names = {"compute-1.amazonaws.com", {{public_ip(1), "before.example.com"}}};
    auto server = interface(1, vpc_a, "10.1.0.5", "sg-a", 1);
    server.ipv6 = {"2001:db8:1200::5"};
    return {vpc,
            {{"sg-a", vpc_a, {{"tcp", 80, 80, "0.0.0.0/0", ""}, {"icmp", 8, -1, "0.0.0.0/0", ""}}, everything}},
            {server, interface(2, vpc_a, "10.1.0.6", "sg-a"), interface(3, vpc_a, "10.1.1.7", "sg-a")}};
  }

  static Part right() {
    VpcSpec vpc{vpc_b, "10.2.0.0/16", {{"10.2.0.0/24", "rtb-3"}}, "ec2.internal"};
    vpc.internet_gateway = true;
    vpc.route_tables = {{"rtb-3", {{"10.1.0.0/16", Target::peering, peering}}}};
    vpc.peerings = {{peering, vpc_a, {"10.1.0.0/16"}}};
    return {vpc, {{"sg-b", vpc_b, {{"-1", -1, -1, "", "sg-b"}}, everything}}, {interface(4, vpc_b, "10.2.0.5", "sg-b", 4)}};
  }

  static Wanted first() { return {left(), right()}; }

  // Of everything something: routes, ACL, gateways, names, options of DHCP; a group; addresses that move, interfaces that come and go.
  static Wanted second() {
    auto changed = left();
    auto& vpc = changed.vpc;
    vpc.route_tables[0].routes = {{"0.0.0.0/0", Target::internet, ""}, {"192.168.0.0/16", Target::interface, changed.interfaces[1].id}};
    vpc.route_tables[0].routes6.clear();
    vpc.route_tables[1].routes.clear();
    vpc.acls[0].entries.erase(vpc.acls[0].entries.begin());
    vpc.nats.clear();
    vpc.peerings.clear();
    vpc.names.reverse = {{public_ip(1), "after.example.com"}};
    vpc.dhcp = {false, "corp.example.com", {"10.1.0.2"}, {"10.1.0.9"}, {}, ""};
    changed.groups[0].ingress = {{"tcp", 80, 81, "0.0.0.0/0", ""}, {"-1", -1, -1, "", "sg-a"}};
    auto& interfaces = changed.interfaces;
    interfaces[0].public_ip.clear();
    interfaces[0].more = {{"10.1.0.15", public_ip(5)}};
    interfaces[0].ipv6 = {"2001:db8:1200::6"};
    interfaces[1].public_ip = public_ip(1);
    interfaces[1].host_name = "renamed";
    interfaces[2] = interface(5, vpc_a, "10.1.1.8", "sg-a");
    auto peer = right();
    peer.vpc.peerings.clear();
    peer.vpc.route_tables[0].routes.clear();
    return {changed, peer};
  }

  // As control does it for a VPC of which it knows nothing yet.
  static void program(const Part& part) {
    good(engine->ensure_vpc(part.vpc));
    good(engine->ensure_all(part.vpc, part.groups, part.interfaces));
  }
  static void program(const Wanted& wanted) {
    for (const auto& part : wanted) program(part);
  }

  // As a new daemon does it.
  static void take_over(const Wanted& wanted) {
    open();
    ASSERT_TRUE(engine);
    const auto found = engine->found();
    good(found);
    for (const auto& there : *found) {
      const auto is_it = [&](const Part& part) { return part.vpc.id == there.vpc_id; };
      if (std::any_of(wanted.begin(), wanted.end(), is_it)) continue;
      for (const auto& id : there.interface_ids) good(engine->remove_interface(there.vpc_id, id));
      good(engine->remove_vpc(there.vpc_id));
    }
    program(wanted);
  }

  static std::string picture() {
    reap_orphans();
    return kernel_picture({folder, "/run/brume-" + run_in("", {"cat", folder + "/mark"}).value_or("").substr(0, 6)});
  }

  // Now or, where a program that the killed one had started was still at work, once the engine has told of it and control has repaired it.
  static std::string comes_to_be(const Wanted& wanted, const std::string& reference) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
      std::set<std::string> disturbed;
      {
        const std::lock_guard lock(mutex);
        disturbed.swap(told);
      }
      for (const auto& part : wanted)
        if (disturbed.contains(part.vpc.id)) good(engine->ensure_vpc(part.vpc));
      auto wrong = difference(reference, picture());
      if (wrong.empty() || std::chrono::steady_clock::now() > end) return wrong;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  // Each step takes a second or so, and there are hundreds: unless told otherwise, some are chosen.
  static int chosen_stride() {
    const auto* told = std::getenv("BRUME_KILL_STRIDE");
    return std::max(1, told == nullptr ? 9 : std::atoi(told));
  }

  // `before` is there; `work` makes `after` of it, as a daemon that had made `before` itself.
  static void kill_at_every_step(const char* what, const Wanted& before, const Wanted& after, const std::function<void()>& work,
                                 const std::function<void()>& check = {}, int stride = chosen_stride()) {
    const auto in_process = [&] {
      open();
      program(before);
      steps_begin();
      work();
      const bool failed = HasFailure();
      engine.reset();
      return failed ? 1 : 0;
    };
    const auto begin = [&] {
      take_over(before);
      engine.reset();
    };
    begin();
    ASSERT_EQ(run_and_kill(0, in_process).status, 0);
    const auto reference = picture();
    take_over(after);
    ASSERT_EQ(comes_to_be(after, reference), "") << "a restart without a crash changed this";
    if (check) check();
    int step = 1;
    int kills = 0;
    const auto start = std::chrono::steady_clock::now();
    for (;; step += stride, ++kills) {
      begin();
      const auto run = run_and_kill(step, in_process);
      if (!run.was_killed) {
        EXPECT_EQ(run.status, 0);
        break;
      }
      SCOPED_TRACE(std::string(what) + ": killed before step " + std::to_string(step) + ", " + run.before);
      take_over(after);
      EXPECT_EQ(comes_to_be(after, reference), "");
      if (check) check();
      if (HasFailure()) break;
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    std::printf("%s: killed %d times, %d steps apart, %.0f s\n", what, kills, stride, taken.count());
    EXPECT_GT(kills, 3);
    take_over(after);
  }

  static std::unique_ptr<Guest> one, other;
  static std::uint32_t pool;
  static std::mutex mutex;
  static std::set<std::string> told;
};
std::unique_ptr<Guest> NetworkKill::one, NetworkKill::other;
std::uint32_t NetworkKill::pool = 0;
std::mutex NetworkKill::mutex;
std::set<std::string> NetworkKill::told;

TEST_F(NetworkKill, Making) {
  const auto wanted = first();
  kill_at_every_step("making", {}, wanted, [&] { program(wanted); });
}

// What the name server tells a guest, now or soon.
bool comes_to_tell(const std::string& space, const std::string& name, const std::string& answer) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (;;) {
    const auto said = run_in(space, {"busybox", "nslookup", name, "10.1.0.2"});
    if (answer.empty() ? !said : said && said->find(answer) != std::string::npos) return true;
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// Guests that speak meanwhile go on speaking, and are told the new names.
TEST_F(NetworkKill, Changing) {
  const auto wanted = second();
  take_over(first());
  one = std::make_unique<Guest>(*engine, first()[0].interfaces[0], "guest-one");
  other = std::make_unique<Guest>(*engine, first()[0].interfaces[1], "guest-other");
  const EchoServer server(one->space(), 80);
  const auto connection = connect_from(other->space(), "10.1.0.5", 80);
  ASSERT_TRUE(talks(connection.socket));
  const auto change = [&] {
    const auto& changed = wanted[0];
    good(engine->ensure_vpc(changed.vpc));
    good(engine->ensure_vpc(wanted[1].vpc));
    good(engine->ensure_group(changed.groups[0]));
    good(engine->remove_interface(vpc_a, first()[0].interfaces[2].id));
    for (const auto& spec : changed.interfaces) good(engine->ensure_interface(spec));
  };
  kill_at_every_step("changing", first(), wanted, change, [&] {
    EXPECT_TRUE(talks(connection.socket));
    EXPECT_TRUE(comes_to_tell(other->space(), public_ip(1), "after.example.com"));
    EXPECT_TRUE(comes_to_tell(other->space(), "renamed.ec2.internal", "10.1.0.6"));
    EXPECT_TRUE(comes_to_tell(other->space(), "host-5.ec2.internal", "10.1.1.8"));
    for (const auto* gone : {"host-2.ec2.internal", "host-3.ec2.internal"}) EXPECT_TRUE(comes_to_tell(other->space(), gone, "")) << gone;
  });
  one.reset(), other.reset();
}

// Changes that concern the name server alone: it is told of them even where its files were written and it was not told any more.
TEST_F(NetworkKill, Telling) {
  const Wanted named = {left()};
  auto wanted = named;
  wanted[0].vpc.names.reverse = {{public_ip(1), "after.example.com"}};
  take_over(named);
  other = std::make_unique<Guest>(*engine, named[0].interfaces[1], "guest-other");
  const auto rename = [&] { good(engine->ensure_vpc(wanted[0].vpc)); };
  kill_at_every_step(
      "renaming", named, wanted, rename, [&] { EXPECT_TRUE(comes_to_tell(other->space(), public_ip(1), "after.example.com")); }, 1);
  const auto before = wanted;
  const auto gone = wanted[0].interfaces.back();
  wanted[0].interfaces.pop_back();
  const auto remove = [&] { good(engine->remove_interface(vpc_a, gone.id)); };
  kill_at_every_step(
      "forgetting", before, wanted, remove, [&] { EXPECT_TRUE(comes_to_tell(other->space(), gone.host_name + ".ec2.internal", "")); }, 1);
  other.reset();
}

TEST_F(NetworkKill, Removing) {
  auto wanted = Wanted{second()[1]};
  kill_at_every_step("removing", first(), wanted, [&] {
    for (const auto& spec : first()[0].interfaces) good(engine->remove_interface(vpc_a, spec.id));
    good(engine->remove_group(vpc_a, "sg-a"));
    good(engine->remove_vpc(vpc_a));
    good(engine->ensure_vpc(wanted[0].vpc));
  });
}

}  // namespace
}  // namespace brume::network::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return brume::network::test::in_private_world([] { return RUN_ALL_TESTS(); });
}
