// What disks did, added up over restarts of machines and of the daemon.
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "base/files.hpp"
#include "control/disk_meter.hpp"

namespace brume::control {
namespace {

using compute::DiskCounters;
using compute::DiskReading;

constexpr std::uint64_t second = 1'000'000'000;

class TurnedClock final : public Clock {
 public:
  Time now() const override { return time; }
  Time time = Time(std::chrono::hours(100)) + seconds(10);
};

class DiskMeterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("brume-meter-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    anew();
  }
  void TearDown() override {
    meter_.reset();
    std::filesystem::remove_all(folder_);
  }

  // As a daemon that starts.
  void anew() {
    meter_ = std::make_unique<DiskMeter>(DiskMeter::Parts{[this](const std::string& id) -> Result<DiskReading> {
                                                            if (const auto found = machines_.find(id); found != machines_.end())
                                                              return found->second;
                                                            return fail(ErrorKind::not_found, "does not run");
                                                          },
                                                          [this] {
                                                            std::vector<std::string> ids;
                                                            for (const auto& [id, reading] : machines_) ids.push_back(id);
                                                            return ids;
                                                          },
                                                          [this] { return known_; }, clock_, (folder_ / "counters").string()});
    meter_->begin(std::chrono::hours(1));
  }

  static DiskCounters disk(const std::string& id, std::uint64_t writes, std::uint64_t write_ns = 0, std::uint64_t idle_ns = 0) {
    DiskCounters counters;
    counters.volume_id = id;
    counters.writes = writes, counters.write_bytes = writes * 4096, counters.write_ns = write_ns;
    counters.idle_ns = idle_ns;
    return counters;
  }

  // The machine's counters `after` its last reading.
  void says(const std::string& run, std::vector<DiskCounters> disks, seconds after = seconds(10)) {
    taken_ += after;
    machines_["i-1"] = {run, taken_, std::move(disks)};
    meter_->collect("i-1");
  }

  DiskTotals totals(const std::string& id = "vol-1") const {
    for (const auto& measure : meter_->measures())
      if (measure.id == id) return measure.totals;
    return {};
  }

  std::filesystem::path folder_;
  TurnedClock clock_;
  std::chrono::steady_clock::time_point taken_{seconds(1000)};
  std::map<std::string, DiskReading> machines_;
  std::unordered_set<std::string> known_ = {"vol-1", "vol-2", "i-1-ephemeral0"};
  std::unique_ptr<DiskMeter> meter_;
};

TEST_F(DiskMeterTest, AddsWhatCameSinceTheLastReading) {
  says("a", {disk("vol-1", 10)});
  EXPECT_EQ(totals().writes, 10U) << "all of it: it was counted from zero since the machine's start";
  EXPECT_EQ(totals().watched_ns, 0U);
  says("a", {disk("vol-1", 15)});
  EXPECT_EQ(totals().writes, 15U);
  EXPECT_EQ(totals().write_bytes, 15U * 4096);
  EXPECT_EQ(totals().watched_ns, 10 * second);
}

TEST_F(DiskMeterTest, AStartAgainCountsFromZeroEvenIfItHasMoreAlready) {
  says("a", {disk("vol-1", 10)});
  says("b", {disk("vol-1", 40)});
  EXPECT_EQ(totals().writes, 50U);
  EXPECT_EQ(totals().watched_ns, 0U) << "when it came up nobody saw";
}

TEST_F(DiskMeterTest, AVolumeThatWasAwayCountsFromZeroAgain) {
  says("a", {disk("vol-1", 10), disk("vol-2", 1)});
  says("a", {disk("vol-2", 2)});
  says("a", {disk("vol-1", 30), disk("vol-2", 3)});
  EXPECT_EQ(totals().writes, 40U);
  EXPECT_EQ(totals("vol-2").writes, 3U);
}

// With Multi-Attach: each machine counts what it did itself.
TEST_F(DiskMeterTest, WhatSeveralMachinesDoIsAddedAlsoByTheNextDaemon) {
  const auto other_says = [&](std::uint64_t writes) {
    machines_["i-2"] = {"b", taken_, {disk("vol-1", writes)}};
    meter_->collect("i-2");
  };
  says("a", {disk("vol-1", 10)});
  other_says(3);
  EXPECT_EQ(totals().writes, 13U);
  says("a", {disk("vol-1", 11)});
  other_says(5);
  EXPECT_EQ(totals().writes, 16U);
  meter_->stop();
  anew();
  EXPECT_EQ(totals().writes, 16U);
  says("a", {disk("vol-1", 12)});
  other_says(5);
  EXPECT_EQ(totals().writes, 17U);
  says("a", {});
  other_says(6);
  EXPECT_EQ(totals().writes, 18U) << "one lets go, the other goes on";
}

TEST_F(DiskMeterTest, AnInstanceStoreIsItsInstances) {
  says("a", {disk("ephemeral0", 7)});
  EXPECT_EQ(totals("i-1-ephemeral0").writes, 7U);
}

TEST_F(DiskMeterTest, AnAnswerThatWasOvertakenIsLeftOut) {
  says("a", {disk("vol-1", 10)});
  const auto before = taken_;
  says("a", {disk("vol-1", 20)});
  meter_->note("i-1", {"a", before + seconds(1), {disk("vol-1", 12)}});
  EXPECT_EQ(totals().writes, 20U);
}

TEST_F(DiskMeterTest, IdleIsWhatRequestsLeaveOfTheTime) {
  says("a", {disk("vol-1", 0)});
  says("a", {disk("vol-1", 0)});
  EXPECT_EQ(totals().idle_ns, 10 * second) << "nothing happened";
  says("a", {disk("vol-1", 5, 4 * second, second)});
  EXPECT_EQ(totals().idle_ns, 16 * second) << "one after another they took four of the ten";
  says("a", {disk("vol-1", 99, 4 * second + 80 * second, 3 * second)});
  EXPECT_EQ(totals().idle_ns, 19 * second) << "eight at a time, and nothing for the last three";
}

TEST_F(DiskMeterTest, PeriodsOfFiveMinutesAreBounded) {
  std::uint64_t writes = 0;
  for (int i = 0; i < 100; ++i) {
    says("a", {disk("vol-1", ++writes)});
    says("a", {disk("vol-1", ++writes)});
    clock_.time += std::chrono::minutes(5);
  }
  const auto measure = meter_->measures().front();
  ASSERT_EQ(measure.periods.size(), 36U);
  EXPECT_EQ(measure.periods.back().begin, clock_.time - std::chrono::minutes(5) - seconds(10));
  EXPECT_EQ(measure.periods.back().sums.writes, 2U);
  EXPECT_EQ(measure.totals.writes, 200U);
}

TEST_F(DiskMeterTest, TotalsOutliveTheDaemonAndNothingIsCountedTwice) {
  says("a", {disk("vol-1", 10)});
  meter_->stop();
  anew();
  EXPECT_EQ(totals().writes, 10U);
  says("a", {disk("vol-1", 25)});
  EXPECT_EQ(totals().writes, 25U) << "the machine went on";
  meter_->stop();
  machines_.clear();
  anew();
  says("b", {disk("vol-1", 5)});
  EXPECT_EQ(totals().writes, 30U);
}

TEST_F(DiskMeterTest, AFileThatIsNoneOfOursBeginsAnew) {
  ASSERT_TRUE(write_file((folder_ / "counters").string(), "nonsense\nvol-1\ti-1"));
  anew();
  EXPECT_TRUE(meter_->measures().empty());
  says("a", {disk("vol-1", 1)});
  EXPECT_EQ(totals().writes, 1U);
}

TEST_F(DiskMeterTest, WhatIsGoneIsForgotten) {
  says("a", {disk("vol-1", 10), disk("vol-2", 1)});
  known_.erase("vol-1");
  EXPECT_EQ(meter_->measures().size(), 1U);
  meter_->stop();
  EXPECT_EQ(read_file((folder_ / "counters").string())->find("vol-1\t"), std::string::npos);
}

TEST_F(DiskMeterTest, ReadsByItself) {
  meter_.reset();
  machines_["i-1"] = {"a", taken_, {disk("vol-1", 3)}};
  anew();
  meter_->stop();
  EXPECT_EQ(totals().writes, 3U);
}

TEST(BlockStats, AreReadByVolumeAndNothingElseIs) {
  // As QEMU 7.2 answers, shortened: a volume on a file, an instance store, a disk that was taken away, a drive without a device.
  const auto disks = compute::parse_block_stats(R"([
    {"device":"","qdev":"/machine/peripheral/vol0a1/virtio-backend","node-name":"vol0a1-2",
     "stats":{"rd_operations":3,"rd_bytes":1536,"rd_total_time_ns":900,"wr_operations":2,"wr_bytes":8192,"wr_total_time_ns":70,
              "flush_operations":1,"flush_total_time_ns":5,"unmap_operations":4,"unmap_bytes":4096,"failed_rd_operations":1,
              "failed_wr_operations":2,"idle_time_ns":77},
     "backing":{"stats":{"rd_operations":99}},"parent":{"stats":{"rd_operations":98}}},
    {"device":"","qdev":"/machine/peripheral/ephemeral0/virtio-backend","node-name":"ephemeral0","stats":{"wr_bytes":18446744073709551615}},
    {"device":"","qdev":"/machine/peripheral/vol0a2/virtio-backend","node-name":"vol0a2gone","stats":{"rd_operations":5}},
    {"device":"floppy0","stats":{"rd_operations":5}}])");
  ASSERT_TRUE(disks);
  ASSERT_EQ(disks->size(), 2U);
  const auto& volume = disks->front();
  EXPECT_EQ(volume.volume_id, "vol-0a1");
  EXPECT_EQ(volume.reads, 3U);
  EXPECT_EQ(volume.read_bytes, 1536U);
  EXPECT_EQ(volume.read_ns, 900U);
  EXPECT_EQ(volume.writes, 2U);
  EXPECT_EQ(volume.write_ns, 70U);
  EXPECT_EQ(volume.flushes, 1U);
  EXPECT_EQ(volume.discard_bytes, 4096U);
  EXPECT_EQ(volume.failures, 3U);
  EXPECT_EQ(volume.idle_ns, 77U);
  EXPECT_EQ(disks->back().volume_id, "ephemeral0");
  EXPECT_EQ(disks->back().write_bytes, 18446744073709551615U);
  EXPECT_FALSE(disks->back().idle_ns);
  for (const auto* nonsense : {"", "{}", "[", "7"}) EXPECT_FALSE(compute::parse_block_stats(nonsense)) << nonsense;
  EXPECT_TRUE(compute::parse_block_stats(R"([1,{"qdev":3},{"stats":[]}])")->empty());
}

}  // namespace
}  // namespace brume::control
