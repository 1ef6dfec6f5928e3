// Flow logs from what the engine counted to the file that is written: lines, folders, intervals, what is told of failures.
#include "control/flow_logs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/process.hpp"
#include "base/random.hpp"
#include "domain/flow_log_fields.hpp"
#include "network_engine_over.hpp"

namespace brume::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SetClock final : public Clock {
 public:
  Time now() const override { return time; }
  Time time = Time(seconds(1'700'000'000));  // 2023-11-14T22:13:20Z
};

// The standard output of a program that succeeds.
std::string output_of(const std::string& program, const std::vector<std::string>& arguments) {
  Command command;
  command.program = program;
  command.arguments = arguments;
  return run_checked(command).value().output;
}

// Says what a test wants it to say of flows.
class CountingEngine final : public network::NetworkEngineOver {
 public:
  CountingEngine() : NetworkEngineOver(network::make_simulated_network_engine("198.18.0.0/24")) {}
  network::TakenFlows next;
  std::vector<std::string> asked;
  Result<network::TakenFlows> take_flows(const std::string& vpc_id) override {
    asked.push_back(vpc_id);
    return std::exchange(next, {});
  }
};

class FlowLogs : public testing::Test {
 protected:
  FlowLogs() {
    std::filesystem::remove_all(folder_);
    state::Vpc vpc;
    vpc.account = account_, vpc.id = "vpc-1", vpc.cidr = "10.0.0.0/16";
    put(vpc);
    for (const auto* id : {"eni-1", "eni-2"}) {
      state::NetworkInterface interface;
      interface.account = account_, interface.id = id, interface.vpc_id = "vpc-1", interface.instance_id = "i-1";
      interface.subnet_id = id == std::string("eni-1") ? "subnet-1" : "subnet-2";
      interface.private_ip = id == std::string("eni-1") ? "10.0.0.5" : "10.0.0.6";
      put(interface);
    }
    log_.account = account_, log_.id = "fl-1", log_.resource_id = "vpc-1", log_.traffic = "ALL";
    log_.destination = "arn:aws:s3:::flows/team/";
    log_.format =
        "${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} "
        "${log-status}";
    log_.interval = 60;
  }
  ~FlowLogs() override { std::filesystem::remove_all(folder_); }

  template <class Record>
  void put(const Record& record) {
    store_->transact([&](state::Transaction& transaction) { transaction.put(record); });
  }
  template <class Record>
  void erase(const std::string& id) {
    store_->transact([&](state::Transaction& transaction) { transaction.erase<Record>(state::owned_key(account_, id)); });
  }
  state::Pointer<state::FlowLog> kept() const { return store_->world()->get<state::FlowLog>(log_.key()); }

  // eni-1 sends to eni-2, or eni-2 gets it.
  static network::FlowRecord flow(const std::string& interface, bool accepted, std::int64_t packets = 1) {
    return {interface, {0x0A000005, 0x0A000006, 40000, 80, 6}, interface == "eni-1", accepted, packets, packets * 60};
  }
  void pass(int count) { clock_.time += seconds(count); }

  // The lines of all files, the headers apart.
  std::vector<std::string> lines() {
    std::vector<std::string> found;
    std::error_code none;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_, none)) {
      if (!entry.is_regular_file()) continue;
      path_ = entry.path().string().substr(folder_.size() + 1);
      const auto text = output_of("gzip", {"-dc", entry.path().string()});
      size_t at = text.find('\n');
      header_ = text.substr(0, at);
      for (++at; at < text.size();) {
        const auto end = text.find('\n', at);
        found.push_back(text.substr(at, end - at));
        at = end + 1;
      }
    }
    return found;
  }

  const std::string account_ = "123456789012";
  SetClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_ = state::Store::open(state::make_memory_log(), clock_, random_).value();
  CountingEngine engine_;
  state::FlowLog log_;
  std::string folder_ = testing::TempDir() + "flow-logs-test-" + std::to_string(::getpid());
  std::vector<milliseconds> wakes_;
  std::string path_;    // of the file that was read last
  std::string header_;  // its first line
  const Ownership ownership_{"", {}};
  FlowLogWriter writer_{*store_,
                        engine_,
                        ownership_,
                        clock_,
                        {folder_, "us-east-1"},
                        [this](const std::string&, milliseconds delay) { wakes_.push_back(delay); }};
};

TEST_F(FlowLogs, NothingIsAskedWithoutALog) {
  writer_.reconcile();
  EXPECT_TRUE(engine_.asked.empty());
  EXPECT_TRUE(wakes_.empty());
}

TEST_F(FlowLogs, WhatWasCountedIsAddedUpAndWrittenWhenItsTimeIsOver) {
  put(log_);
  writer_.reconcile();  // 22:13:20
  EXPECT_THAT(engine_.asked, ElementsAre("vpc-1"));
  pass(10);
  engine_.next.flows = {flow("eni-1", true, 3), flow("eni-2", false)};
  writer_.reconcile();
  pass(10);
  engine_.next.flows = {flow("eni-1", true, 2)};
  writer_.reconcile();
  EXPECT_TRUE(lines().empty());
  pass(20);  // 22:14:00
  writer_.reconcile();
  EXPECT_THAT(lines(), ElementsAre("eni-1 10.0.0.5 10.0.0.6 40000 80 6 5 300 1700000000 1700000020 ACCEPT OK",
                                   "eni-2 10.0.0.5 10.0.0.6 40000 80 6 1 60 1700000000 1700000010 REJECT OK"));
  EXPECT_EQ(header_, "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status");
  EXPECT_THAT(path_,
              testing::MatchesRegex(
                  "flows/team/AWSLogs/123456789012/vpcflowlogs/us-east-1/2023/11/14/123456789012_vpcflowlogs_us-east-1_fl-1_20231114T2214Z_"
                  "[0-9a-f]{8}.log.gz"));
  for (const auto delay : wakes_) EXPECT_LE(delay, seconds(10));
}

TEST_F(FlowLogs, FoldersByHourAndAsHiveWantsThem) {
  log_.hive = log_.hourly = true;
  put(log_);
  writer_.reconcile();
  pass(40);
  writer_.reconcile();
  lines();
  EXPECT_THAT(path_, testing::StartsWith("flows/team/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/"
                                         "year=2023/month=11/day=14/hour=22/"));
}

TEST_F(FlowLogs, FurtherFields) {
  log_.format =
      "${version} ${account-id} ${vpc-id} ${subnet-id} ${instance-id} ${type} ${srcaddr} ${pkt-srcaddr} ${dstaddr} ${pkt-dstaddr} "
      "${region} ${flow-direction}";
  put(log_);
  writer_.reconcile();
  pass(40);
  auto second = flow("eni-1", true);  // from another address of the interface
  second.addresses.source = 0x0A000009;
  engine_.next.flows = {second};
  writer_.reconcile();
  EXPECT_THAT(lines(), ElementsAre("5 123456789012 vpc-1 subnet-1 i-1 IPv4 10.0.0.5 10.0.0.9 10.0.0.6 10.0.0.6 us-east-1 egress",
                                   "5 123456789012 vpc-1 subnet-2 i-1 - - - - - us-east-1 -"));
}

TEST_F(FlowLogs, EachLogSeesItsOwn) {
  log_.traffic = "REJECT";
  log_.resource_id = "eni-1";
  put(log_);
  writer_.reconcile();
  engine_.next.flows = {flow("eni-1", true), flow("eni-1", false), flow("eni-2", false)};
  pass(40);
  writer_.reconcile();
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("REJECT OK")));
}

TEST_F(FlowLogs, WhatWasAcceptedTooSoonIsTakenBack) {
  put(log_);
  writer_.reconcile();
  pass(10);
  engine_.next.flows = {flow("eni-1", true, 4), flow("eni-2", true)};
  writer_.reconcile();
  pass(30);
  engine_.next.flows = {flow("eni-1", true, -1), flow("eni-2", true, -1), flow("eni-2", false)};
  writer_.reconcile();
  EXPECT_THAT(lines(),
              ElementsAre(HasSubstr(" 3 180 1700000000 1700000040 ACCEPT OK"), HasSubstr(" 1 60 1700000010 1700000040 REJECT OK")));
}

TEST_F(FlowLogs, SilenceAndLossAreSaid) {
  put(log_);
  writer_.reconcile();
  pass(40);
  engine_.next.flows = {flow("eni-1", true)};
  engine_.next.complete = false;
  writer_.reconcile();
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("eni-1 10.0.0.5"), "eni-1 - - - - - - - 1700000000 1700000040 - SKIPDATA",
                                   "eni-2 - - - - - - - 1700000000 1700000040 - SKIPDATA"));
  std::filesystem::remove_all(folder_);
  pass(60);
  writer_.reconcile();
  EXPECT_THAT(lines(), ElementsAre("eni-1 - - - - - - - 1700000040 1700000100 - NODATA", HasSubstr("NODATA")));
}

TEST_F(FlowLogs, AFloodIsCutOffAndSaidToBe) {
  put(log_);
  writer_.reconcile();
  pass(40);
  for (std::uint32_t number = 0; number <= 20'000; ++number) {
    engine_.next.flows.push_back(flow("eni-1", true));
    engine_.next.flows.back().addresses.destination += number;
  }
  writer_.reconcile();
  const auto statuses = "gzip -dc $(find " + folder_ + " -name '*.gz') | cut -d' ' -f12 | sort | uniq -c | tr -s ' '";
  EXPECT_EQ(output_of("sh", {"-c", statuses}), " 20000 OK\n 2 SKIPDATA\n 1 log-status\n");
}

TEST_F(FlowLogs, AfterAStartItIsSaidThatSomethingIsMissing) {
  put(log_);
  writer_.recover();
  writer_.reconcile();
  pass(40);
  writer_.reconcile();
  EXPECT_THAT(lines(), ElementsAre("eni-1 - - - - - - - 1699999980 1700000040 - SKIPDATA", HasSubstr("SKIPDATA")));
}

TEST_F(FlowLogs, TheEndWritesWhatThereIs) {
  put(log_);
  writer_.reconcile();
  pass(5);
  engine_.next.flows = {flow("eni-1", true)};
  writer_.finish();
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("ACCEPT OK"), HasSubstr("NODATA")));
}

// A file lies where the folder should be: nothing can be written until it is gone.
TEST_F(FlowLogs, WhatCannotBeWrittenIsWrittenLater) {
  put(log_);
  writer_.reconcile();
  pass(10);
  engine_.next.flows = {flow("eni-1", true, 3)};
  std::ofstream(folder_).put('x');
  pass(30);
  writer_.reconcile();
  EXPECT_EQ(kept()->error, "Unknown error");
  pass(60);
  engine_.next.flows = {flow("eni-1", true, 7)};
  writer_.reconcile();
  std::filesystem::remove(folder_);
  pass(10);
  writer_.reconcile();
  EXPECT_THAT(lines(), testing::IsSupersetOf({HasSubstr(" 3 180 1700000000"), HasSubstr(" 7 420 ")}));
  // One of a log that is gone by then is written too.
  std::filesystem::remove_all(folder_);
  std::ofstream(folder_).put('x');
  engine_.next.flows = {flow("eni-1", true, 9)};
  writer_.reconcile();
  erase<state::FlowLog>("fl-1");
  writer_.reconcile();
  std::filesystem::remove(folder_);
  wakes_.clear();
  writer_.reconcile();
  EXPECT_THAT(lines(), testing::Contains(HasSubstr(" 9 540 ")));
  EXPECT_TRUE(wakes_.empty()) << "nothing is left to do";
}

TEST_F(FlowLogs, ALogThatIsDeletedIsWrittenALastTime) {
  put(log_);
  writer_.reconcile();
  pass(5);
  engine_.next.flows = {flow("eni-1", true)};
  writer_.reconcile();
  erase<state::FlowLog>("fl-1");
  writer_.reconcile();
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("ACCEPT OK"), HasSubstr("NODATA")));
}

TEST_F(FlowLogs, WhatAnInterfaceDidBeforeItWentIsWritten) {
  put(log_);
  writer_.reconcile();
  erase<state::NetworkInterface>("eni-1");
  pass(40);
  engine_.next.flows = {flow("eni-1", true)};
  writer_.reconcile();
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("eni-1 10.0.0.5"), HasSubstr("eni-2 - ")));
}

TEST_F(FlowLogs, ALogGoesWithItsResource) {
  log_.resource_id = "eni-1";
  put(log_);
  put(state::TagSet{account_, "fl-1", "vpc-flow-log", {{"k", "v"}}});
  writer_.reconcile();
  erase<state::NetworkInterface>("eni-1");
  writer_.reconcile();
  EXPECT_EQ(kept(), nullptr);
  EXPECT_EQ(store_->world()->find<state::TagSet>(log_.key()), nullptr);
}

TEST_F(FlowLogs, AFailureIsToldUntilItIsOver) {
  put(log_);
  output_of("touch", {folder_});  // a file where the folder should be
  writer_.reconcile();
  pass(40);
  writer_.reconcile();
  EXPECT_EQ(kept()->error, "Unknown error");
  std::filesystem::remove(folder_);
  pass(60);
  writer_.reconcile();
  EXPECT_EQ(kept()->error, "");
}

TEST(FlowLogFields, AreNamedOneByOne) {
  EXPECT_THAT(domain::flow_log_fields("${srcaddr} ${dstaddr}"), testing::Optional(ElementsAre("srcaddr", "dstaddr")));
  for (const auto* wrong :
       {"", "srcaddr", "${srcaddr} ", " ${srcaddr}", "${srcaddr}${dstaddr}", "${srcaddr", "${}", "${srcaddr},${dstaddr}"})
    EXPECT_EQ(domain::flow_log_fields(wrong), std::nullopt) << wrong;
  EXPECT_EQ(domain::flow_log_field_version("log-status"), 2);
  EXPECT_EQ(domain::flow_log_field_version("pkt-srcaddr"), 3);
  EXPECT_EQ(domain::flow_log_field_version("tcp-flags"), 0);
}

}  // namespace
}  // namespace brume::control
