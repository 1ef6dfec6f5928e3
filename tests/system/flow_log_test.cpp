// Flow logs of real packets: what is counted of them, and what stands in the file in the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>

#include "base/ipv4.hpp"
#include "base/process.hpp"
#include "base/random.hpp"
#include "control/flow_logs.hpp"
#include "engine_suite.hpp"

namespace brume::network::test {
namespace {

using testing::Contains;
using testing::Pair;

const std::string vpc_id = "vpc-0a000000000000001";
const std::string far_id = "vpc-0b000000000000002";
const std::vector<Permission> everything = {{"-1", -1, -1, "0.0.0.0/0", ""}};
using Target = RouteSpec::Target;

class SetClock final : public Clock {
 public:
  Time now() const override { return time; }
  Time time = Time(seconds(1'700'000'000));
};

// gate (eni 1) and server (2) are in one subnet, hidden (3) in another with an ACL; outside (4) is in another VPC.
class FlowLog : public EngineSuite {
 protected:
  static void SetUpTestSuite() { open({"/run/brume-flow-log-test", "", "us-east-1"}); }
  static void TearDownTestSuite() {
    gate.reset(), server.reset(), hidden.reset(), outside.reset();
    close();
  }

  static VpcSpec vpc(bool flow_logs) {
    VpcSpec spec{vpc_id, "10.0.0.0/16", {{"10.0.0.0/24", "rtb-1"}, {"10.0.1.0/24", "rtb-1", "acl-1"}}, "ec2.internal"};
    spec.internet_gateway = true;
    spec.route_tables = {{"rtb-1", {{"0.0.0.0/0", Target::internet, ""}}}};
    // Nothing may come to port 83, and no answer goes out to port 6000.
    spec.acls = {{"acl-1",
                  {{false, false, "17", 83, 83, "0.0.0.0/0"},
                   {false, true, "-1", -1, -1, "0.0.0.0/0"},
                   {true, false, "17", 6000, 6000, "0.0.0.0/0"},
                   {true, true, "-1", -1, -1, "0.0.0.0/0"}}}};
    spec.flow_logs = flow_logs;
    return spec;
  }

  static InterfaceSpec interface(unsigned number, const std::string& private_ip, const std::string& given, const std::string& group,
                                 const std::string& vpc = vpc_id) {
    return interface_spec(number, vpc, private_ip, given, group);
  }

  void SetUp() override {
    ASSERT_TRUE(engine);
    good(engine->ensure_vpc(vpc(true)));
    VpcSpec other{far_id, "10.0.0.0/16", {{"10.0.0.0/24", "rtb-1"}}, "ec2.internal"};
    other.internet_gateway = true;
    other.route_tables = {{"rtb-1", {{"0.0.0.0/0", Target::internet, ""}}}};
    good(engine->ensure_vpc(other));
    good(engine->ensure_group({"sg-all", vpc_id, everything, everything}));
    good(engine->ensure_group({"sg-web", vpc_id, {{"tcp", 80, 80, "0.0.0.0/0", ""}, {"udp", 80, 80, "0.0.0.0/0", ""}}, everything}));
    good(engine->ensure_group({"sg-all", far_id, everything, everything}));
    plug(gate, interface(1, "10.0.0.5", public_ip(1), "sg-all"), "guest-gate");
    plug(server, interface(2, "10.0.0.6", public_ip(2), "sg-web"), "guest-server");
    plug(hidden, interface(3, "10.0.1.7", "", "sg-all"), "guest-hidden");
    plug(outside, interface(4, "10.0.0.5", public_ip(4), "sg-all", far_id), "guest-outside");
    seen.clear();
    good(engine->take_flows(vpc_id));
  }

  // "2 in 10.0.0.5:6000 > 10.0.0.6:80 ACCEPT" → {packets, bytes}, of all that was taken since the test began. Until it is as wanted: the
  // kernel may keep what it dropped for a tenth of a second.
  using Seen = std::map<std::string, std::pair<std::int64_t, std::int64_t>>;
  template <class Matcher>
  void expect_flows(const Matcher& wanted) {
    for (int times = 0; times < 50; ++times) {
      auto taken = engine->take_flows(vpc_id);
      good(taken);
      EXPECT_TRUE(taken->complete);
      for (const auto& flow : taken->flows) {
        const auto& one = flow.addresses;
        auto& sum = seen[std::string(1, flow.interface_id.back()) + (flow.egress ? " out " : " in ") + format_ipv4(one.source) + ":" +
                         std::to_string(one.source_port) + " > " + format_ipv4(one.destination) + ":" +
                         std::to_string(one.destination_port) + (flow.accepted ? " ACCEPT" : " REJECT")];
        sum.first += flow.packets;
        sum.second += flow.bytes;
      }
      std::erase_if(seen, [](const auto& one) { return one.second.first == 0; });
      if (testing::Value(seen, wanted)) return;
      UdpSocket(gate->space(), 9999).receive(50);  // nobody sends to it
    }
    EXPECT_THAT(seen, wanted);
  }

  static std::unique_ptr<Guest> gate, server, hidden, outside;
  Seen seen;
};
std::unique_ptr<Guest> FlowLog::gate, FlowLog::server, FlowLog::hidden, FlowLog::outside;

constexpr std::int64_t headers = 28;  // of a UDP datagram

TEST_F(FlowLog, WhatPassesIsCountedAtBothEnds) {
  UdpSocket near(gate->space(), 6000), there(server->space(), 80);
  for (const auto* text : {"one", "three", "seven"}) {
    near.send("10.0.0.6", 80, text);
    ASSERT_EQ(there.receive(1000), text);
  }
  there.send("10.0.0.5", 6000, "answer");
  ASSERT_EQ(near.receive(1000), "answer");
  const std::pair<std::int64_t, std::int64_t> sent{3, 3 * headers + 13}, answered{1, headers + 6};
  expect_flows(Seen{{"1 out 10.0.0.5:6000 > 10.0.0.6:80 ACCEPT", sent},
                    {"2 in 10.0.0.5:6000 > 10.0.0.6:80 ACCEPT", sent},
                    {"2 out 10.0.0.6:80 > 10.0.0.5:6000 ACCEPT", answered},
                    {"1 in 10.0.0.6:80 > 10.0.0.5:6000 ACCEPT", answered}});
  // Each packet once: what goes on in the connection, and nothing of what was.
  seen.clear();
  near.send("10.0.0.6", 80, "more");
  ASSERT_EQ(there.receive(1000), "more");
  expect_flows(
      Seen{{"1 out 10.0.0.5:6000 > 10.0.0.6:80 ACCEPT", {1, headers + 4}}, {"2 in 10.0.0.5:6000 > 10.0.0.6:80 ACCEPT", {1, headers + 4}}});
  seen.clear();
  expect_flows(Seen{});
}

TEST_F(FlowLog, WhatAGroupRefusesIsRefusedThereAndWasLetOutHere) {
  UdpSocket near(gate->space(), 6001);
  for (int times = 0; times < 4; ++times) near.send("10.0.0.6", 81, "no");
  expect_flows(Seen{{"1 out 10.0.0.5:6001 > 10.0.0.6:81 ACCEPT", {4, 4 * (headers + 2)}},
                    {"2 in 10.0.0.5:6001 > 10.0.0.6:81 REJECT", {4, 4 * (headers + 2)}}});
}

TEST_F(FlowLog, WhatAnAclRefusesIsNotAcceptedToo) {
  UdpSocket near(gate->space(), 6000), also(gate->space(), 6002), there(hidden->space(), 7000);
  also.send("10.0.1.7", 83, "no");
  near.send("10.0.1.7", 7000, "ask");
  ASSERT_EQ(there.receive(1000), "ask");
  there.send("10.0.0.5", 6000, "answer");  // which does not get out
  expect_flows(Seen{{"1 out 10.0.0.5:6002 > 10.0.1.7:83 ACCEPT", {1, headers + 2}},
                    {"3 in 10.0.0.5:6002 > 10.0.1.7:83 REJECT", {1, headers + 2}},
                    {"1 out 10.0.0.5:6000 > 10.0.1.7:7000 ACCEPT", {1, headers + 3}},
                    {"3 in 10.0.0.5:6000 > 10.0.1.7:7000 ACCEPT", {1, headers + 3}},
                    {"3 out 10.0.1.7:7000 > 10.0.0.5:6000 REJECT", {1, headers + 6}}});
}

TEST_F(FlowLog, FromOutsideItsAddressIsThePrivateOne) {
  const auto outer = outside->interface().public_ip;
  UdpSocket far(outside->space(), 6003), there(server->space(), 80);
  far.send(public_ip(2), 80, "in");
  ASSERT_EQ(there.receive(1000), "in");
  far.send(public_ip(2), 81, "no");
  expect_flows(Seen{{"2 in " + outer + ":6003 > 10.0.0.6:80 ACCEPT", {1, headers + 2}},
                    {"2 in " + outer + ":6003 > 10.0.0.6:81 REJECT", {1, headers + 2}}});
}

TEST_F(FlowLog, AnInterfaceThatGoesLeavesItsLastWords) {
  const auto spec = interface(5, "10.0.0.9", "", "sg-all");
  good(engine->ensure_interface(spec));
  {
    const Guest guest(*engine, spec, "guest-short");
    UdpSocket near(guest.space(), 6004), there(server->space(), 80);
    near.send("10.0.0.6", 80, "bye");
    ASSERT_EQ(there.receive(1000), "bye");
  }
  good(engine->remove_interface(vpc_id, spec.id));
  expect_flows(
      Seen{{"5 out 10.0.0.9:6004 > 10.0.0.6:80 ACCEPT", {1, headers + 3}}, {"2 in 10.0.0.9:6004 > 10.0.0.6:80 ACCEPT", {1, headers + 3}}});
}

TEST_F(FlowLog, NothingIsCountedWithoutALog) {
  good(engine->ensure_vpc(vpc(false)));
  UdpSocket near(gate->space(), 6005), there(server->space(), 80);
  near.send("10.0.0.6", 80, "one");
  ASSERT_EQ(there.receive(1000), "one");
  near.send("10.0.0.6", 81, "no");
  EXPECT_TRUE(engine->take_flows(vpc_id)->flows.empty());
  // Nor later.
  good(engine->ensure_vpc(vpc(true)));
  near.send("10.0.0.6", 80, "two");
  ASSERT_EQ(there.receive(1000), "two");
  expect_flows(
      Seen{{"1 out 10.0.0.5:6005 > 10.0.0.6:80 ACCEPT", {1, headers + 3}}, {"2 in 10.0.0.5:6005 > 10.0.0.6:80 ACCEPT", {1, headers + 3}}});
}

// The whole way: packets, the engine, and the file that control writes.
TEST_F(FlowLog, TheFileHasThem) {
  const std::string account = "123456789012";
  const auto folder = testing::TempDir() + "flow-log-system-test";
  std::filesystem::remove_all(folder);
  SetClock clock;
  SeededRandom random{1};
  const auto store = state::Store::open(state::make_memory_log(), clock, random).value();
  store->transact([&](state::Transaction& transaction) {
    state::Vpc vpc;
    vpc.account = account, vpc.id = vpc_id;
    transaction.put(vpc);
    for (const auto* guest : {gate.get(), server.get()}) {
      state::NetworkInterface interface;
      interface.account = account, interface.id = guest->interface().id, interface.vpc_id = vpc_id, interface.instance_id = "i-1";
      interface.private_ip = guest->interface().private_ip;
      transaction.put(interface);
    }
    state::FlowLog log;
    log.account = account, log.id = "fl-1", log.resource_id = vpc_id, log.traffic = "ALL", log.interval = 60;
    log.destination = "arn:aws:s3:::flows";
    log.format = "${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${action} ${log-status}";
    transaction.put(log);
  });
  const control::Ownership ownership("", {});
  control::FlowLogWriter writer(*store, *engine, ownership, clock, {folder, "us-east-1"}, [](const std::string&, milliseconds) {});
  writer.reconcile();
  UdpSocket near(gate->space(), 6006), there(server->space(), 80);
  near.send("10.0.0.6", 80, "yes");
  ASSERT_EQ(there.receive(1000), "yes");
  near.send("10.0.0.6", 82, "no");
  UdpSocket(gate->space(), 9999).receive(300);  // nobody sends to it; the kernel has shown what it dropped by then
  clock.time += seconds(60);
  writer.reconcile();
  Command unpack;
  unpack.program = "sh";
  unpack.arguments = {"-c", "gzip -dc $(find " + folder + " -name '*.log.gz')"};
  const auto text = run_checked(unpack);
  ASSERT_TRUE(text);
  const auto& one = gate->interface().id;
  const auto& two = server->interface().id;
  EXPECT_EQ(text->output, "interface-id srcaddr dstaddr srcport dstport protocol packets bytes action log-status\n" +  //
                              one + " 10.0.0.5 10.0.0.6 6006 80 17 1 31 ACCEPT OK\n" +                                 //
                              one + " 10.0.0.5 10.0.0.6 6006 82 17 1 30 ACCEPT OK\n" +                                 //
                              two + " 10.0.0.5 10.0.0.6 6006 80 17 1 31 ACCEPT OK\n" +                                 //
                              two + " 10.0.0.5 10.0.0.6 6006 82 17 1 30 REJECT OK\n");
  std::filesystem::remove_all(folder);
}

// The last: its client goes on trying for a while.
TEST_F(FlowLog, OfAConnectionThatIsCutOff) {
  const EchoServer web(server->space(), 80);
  auto connection = connect_from(outside->space(), public_ip(2), 80);
  ASSERT_TRUE(talks(connection.socket));
  good(engine->ensure_group({"sg-web", vpc_id, {}, everything}));
  EXPECT_FALSE(talks(connection.socket, 300));
  expect_flows(Contains(Pair(testing::EndsWith("> 10.0.0.6:80 REJECT"), testing::_)));
}

}  // namespace
}  // namespace brume::network::test

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  return brume::network::test::in_private_world([] { return RUN_ALL_TESTS(); });
}
