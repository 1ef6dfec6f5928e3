// Bursts, clamps and credits over hours, in no time; and the loop that measures and limits, with a meter that says what a test wants.
#include "engines/compute/cpu_plan.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/files.hpp"
#include "daemon/processor_shares.hpp"
#include "engines/compute/control_groups.hpp"
#include "engines/compute/cpu_governor.hpp"

namespace brume::compute {
namespace {

CpuPlan micro() {
  CpuPlan plan;
  plan.kind = CpuPlan::Kind::micro;
  plan.most = 2, plan.base = 0.1, plan.allotment = 30, plan.at_start = 120;
  return plan;
}

CpuPlan credits(bool unlimited = false) {
  CpuPlan plan;
  plan.kind = CpuPlan::Kind::credits;
  plan.base = 0.1, plan.allotment = 144 * 60, plan.may_overdraw = unlimited;
  return plan;
}

// A guest that wants `wanted` processors and gets what the limit leaves, second by second. Returns what it used.
double run(CpuBudget& budget, int seconds, double wanted) {
  double used = 0;
  for (int i = 0; i < seconds; ++i) {
    const double got = budget.limit() > 0 ? std::min(wanted, budget.limit()) : wanted;
    used += got;
    budget.spend(1, got);
  }
  return used;
}

// Seconds until it is clamped (or is not any more).
int seconds_until(CpuBudget& budget, bool clamped, double wanted) {
  for (int i = 0; i < 100'000; ++i) {
    if (budget.is_clamped() == clamped) return i;
    run(budget, 1, wanted);
  }
  return -1;
}

TEST(MicroBudget, BurstsAtFullThenFallsToTheBackground) {
  CpuBudget budget(micro());
  EXPECT_EQ(budget.limit(), 2);
  // 120 at 1.9 a second beyond the background.
  EXPECT_EQ(seconds_until(budget, true, 2), 64);
  EXPECT_EQ(budget.limit(), 0.1);
  EXPECT_NEAR(run(budget, 20, 2), 2, 1e-9) << "clamped, and never to nothing";
}

TEST(MicroBudget, ClampsGetLongerWithPersistence) {
  CpuBudget budget(micro());
  std::vector<int> clamps;
  for (int i = 0; i < 8; ++i) {
    seconds_until(budget, true, 2);
    clamps.push_back(seconds_until(budget, false, 2));
  }
  EXPECT_EQ(clamps, (std::vector<int>{30, 60, 120, 240, 480, 960, 960, 960}));
}

TEST(MicroBudget, PatienceComesBackWithTimeAtTheBackground) {
  CpuBudget budget(micro());
  for (int i = 0; i < 3; ++i) seconds_until(budget, true, 2), seconds_until(budget, false, 2);
  run(budget, 600, 0);
  seconds_until(budget, true, 2);
  EXPECT_EQ(seconds_until(budget, false, 2), 30);
}

TEST(MicroBudget, BriefSpacedSpikesAreNeverClamped) {
  CpuBudget budget(micro());
  for (int hour = 0; hour < 200; ++hour) {
    EXPECT_NEAR(run(budget, 5, 2), 10, 1e-9);
    run(budget, 115, 0.01);
    ASSERT_FALSE(budget.is_clamped());
  }
}

TEST(MicroBudget, ALongPlateauFarBelowTheMaximumIsClampedToo) {
  CpuBudget budget(micro());
  const int seconds = seconds_until(budget, true, 0.3);
  EXPECT_GT(seconds, 100);
  EXPECT_LT(seconds, 700);
  CpuBudget quiet(micro());
  EXPECT_EQ(seconds_until(quiet, true, 0.1), -1) << "the background itself may be used for ever";
}

TEST(CreditBudget, StandardSpendsWhatItHasThenGetsWhatItEarns) {
  auto plan = credits();
  plan.at_start = 30 * 60;
  CpuBudget budget(plan);
  EXPECT_EQ(budget.limit(), 0) << "as many processors as it has";
  EXPECT_NEAR(seconds_until(budget, true, 1), 2000, 1);  // 30 minutes, and a tenth earned on the way
  EXPECT_EQ(budget.limit(), 0.1);
  EXPECT_NEAR(run(budget, 1000, 1), 100, 2);
}

TEST(CreditBudget, WhatIsEarnedIsSavedUpToADay) {
  CpuBudget budget(credits());
  run(budget, 10 * 86400, 0);
  EXPECT_DOUBLE_EQ(budget.left(), 144 * 60);
  EXPECT_NEAR(seconds_until(budget, true, 1), 9600, 1);
}

TEST(CreditBudget, WithoutLaunchCreditsItBeginsWithNothing) {
  CpuBudget budget(credits());
  EXPECT_LE(seconds_until(budget, true, 1), 2);
  EXPECT_GT(seconds_until(budget, false, 0.01), 0);
}

TEST(CreditBudget, OnTheWholeItUsesNoMoreThanItWasGiven) {
  CpuBudget budget(credits());
  double used = 0;
  for (int i = 0; i < 500; ++i) used += run(budget, 1 + i % 7, 2) + run(budget, i % 11, 0);
  int seconds = 0;
  for (int i = 0; i < 500; ++i) seconds += 1 + i % 7 + i % 11;
  EXPECT_LE(used, 0.1 * seconds + 2.01);
  EXPECT_GE(used, 0.1 * seconds - 2.01);
}

TEST(CreditBudget, UnlimitedIsNeverClampedAndCanBeTakenBack) {
  CpuBudget budget(credits(true));
  EXPECT_EQ(seconds_until(budget, true, 2), -1);
  budget.change(credits(false));
  EXPECT_LE(seconds_until(budget, true, 2), 1);
  budget.change(credits(true));
  run(budget, 1, 2);
  EXPECT_FALSE(budget.is_clamped());
}

TEST(CpuBudget, GoesThroughTextUnchanged) {
  CpuBudget budget(micro());
  seconds_until(budget, true, 2);
  run(budget, 11, 2);
  auto again = CpuBudget::from_text(budget.to_text());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->to_text(), budget.to_text());
  EXPECT_EQ(seconds_until(*again, false, 2), seconds_until(budget, false, 2));
  for (const std::string broken : {"", "x", "1 2 3", "9 1 1 1 1 1 0 1 1 0 1 1"}) EXPECT_FALSE(CpuBudget::from_text(broken)) << broken;
}

class CpuGovernorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "governor-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::remove(folder_ + ".cpu");
  }

  std::unique_ptr<CpuGovernor> make() {
    return std::make_unique<CpuGovernor>([this](const std::string& id, double processors) { said_.emplace_back(id, processors); },
                                         [this](pid_t) { return used_; });
  }
  void second(CpuGovernor& governor, double used) {
    now_ += std::chrono::seconds(1);
    if (used_) *used_ += used;
    governor.tick(now_);
  }

  std::string folder_;
  CpuGovernor::Moment now_{std::chrono::hours(1)};
  std::optional<double> used_ = 0;
  std::vector<std::pair<std::string, double>> said_;
};

using Said = std::vector<std::pair<std::string, double>>;

TEST_F(CpuGovernorTest, LimitsAMachineOnlyWhenItsLimitChanges) {
  const auto governor = make();
  governor->begin("i-1", 7, micro(), folder_ + ".cpu", now_, SystemClock().now());
  for (int i = 0; i < 63; ++i) second(*governor, 2);
  EXPECT_EQ(said_, (Said{{"i-1", 2}}));
  second(*governor, 2);
  second(*governor, 0.1);
  EXPECT_EQ(said_, (Said{{"i-1", 2}, {"i-1", 0.1}}));
  governor->end("i-1");
  second(*governor, 0);
  EXPECT_EQ(said_.size(), 2u);
}

TEST_F(CpuGovernorTest, ARestartOfTheDaemonGivesNothingAway) {
  {
    const auto governor = make();
    governor->begin("i-1", 7, micro(), folder_ + ".cpu", now_, SystemClock().now());
    for (int i = 0; i < 60; ++i) second(*governor, 2);
  }
  said_.clear();
  const auto governor = make();
  governor->resume("i-1", 7, folder_ + ".cpu", now_);
  for (int i = 0; i < 4; ++i) second(*governor, 2);
  EXPECT_EQ(said_, (Said{{"i-1", 2}, {"i-1", 0.1}}));
}

// T3 and T4g have their credits for a week after a stop, T2 does not.
TEST_F(CpuGovernorTest, CreditsWaitForTheNextRunAsLongAsThePlanSays) {
  auto plan = credits(false);
  plan.kept_stopped = 7 * 24 * 3600;
  const auto begun = SystemClock().now();
  const auto seconds_of_burst = [&](const CpuPlan& next, std::chrono::hours stopped) {
    const auto governor = make();
    governor->begin("i-1", 7, plan, folder_ + ".cpu", now_, begun);
    for (int i = 0; i < 100; ++i) second(*governor, 0);  // saves ten
    governor->end("i-1");
    used_ = 0;
    governor->begin("i-1", 8, next, folder_ + ".cpu", now_, SystemClock().now() + stopped);
    said_.clear();
    int seconds = 0;
    while (said_.empty() && seconds < 1000) second(*governor, 1), ++seconds;
    governor->end("i-1");
    std::filesystem::remove(folder_ + ".cpu");
    used_ = 0;
    return seconds;
  };
  const auto fresh = seconds_of_burst(credits(false), std::chrono::hours(1));
  EXPECT_GE(seconds_of_burst(plan, std::chrono::hours(1)), fresh + 9);
  EXPECT_GE(seconds_of_burst(plan, std::chrono::hours(7 * 24 - 1)), fresh + 9);
  EXPECT_EQ(seconds_of_burst(plan, std::chrono::hours(7 * 24 + 1)), fresh);
  EXPECT_EQ(seconds_of_burst(credits(false), std::chrono::hours(0)), fresh) << "a plan that keeps nothing";
  EXPECT_EQ(seconds_of_burst(micro(), std::chrono::hours(1)), seconds_of_burst(micro(), std::chrono::hours(200))) << "another kind";
}

TEST_F(CpuGovernorTest, WhatWasOverdrawnIsNotOwedAfterAStop) {
  auto plan = credits(true);
  plan.kept_stopped = 100;
  const CpuBudget before = [&] {
    CpuBudget budget(plan);
    for (int i = 0; i < 1000; ++i) budget.spend(1, 2);
    return budget;
  }();
  EXPECT_LT(before.left(), 0);
  EXPECT_EQ(before.after_stop(plan, 1).left(), 0);
}

TEST_F(CpuGovernorTest, SteadyMachinesAreToldTheirLimitOnce) {
  const auto governor = make();
  CpuPlan plan;
  plan.most = 0.5;
  governor->begin("i-1", 7, plan, folder_ + ".cpu", now_, SystemClock().now());
  governor->begin("i-2", 8, CpuPlan{}, folder_ + ".cpu", now_, SystemClock().now());
  second(*governor, 5);
  EXPECT_EQ(said_, (Said{{"i-1", 0.5}}));
  EXPECT_FALSE(path_exists(folder_ + ".cpu"));
}

TEST_F(CpuGovernorTest, AnotherPlanHoldsAtOnceAndTheSameSaysNothing) {
  const auto governor = make();
  auto plan = credits(true);
  governor->begin("i-1", 7, plan, folder_ + ".cpu", now_, SystemClock().now());
  for (int i = 0; i < 100; ++i) second(*governor, 1);
  governor->change("i-1", plan);
  governor->change("i-none", plan);
  EXPECT_EQ(said_, Said{});
  governor->change("i-1", credits(false));
  second(*governor, 1);
  EXPECT_EQ(said_, (Said{{"i-1", 0}, {"i-1", 0.1}})) << "it had overdrawn";
}

TEST_F(CpuGovernorTest, ASteadyMachineOfAnEarlierDaemonIsHeldByTodaysPlan) {
  const auto governor = make();
  governor->resume("i-1", 7, folder_ + ".cpu", now_);
  EXPECT_EQ(said_, Said{}) << "its group still has the limit of then";
  CpuPlan plan;
  plan.most = 0.5;
  governor->change("i-1", plan);
  governor->change("i-1", plan);
  EXPECT_EQ(said_, (Said{{"i-1", 0.5}}));
}

TEST_F(CpuGovernorTest, AProcessThatIsGoneIsLeftAlone) {
  const auto governor = make();
  governor->begin("i-1", 7, micro(), folder_ + ".cpu", now_, SystemClock().now());
  used_.reset();
  for (int i = 0; i < 100; ++i) second(*governor, 0);
  EXPECT_EQ(said_.size(), 1u);
}

TEST(ProcessorSeconds, OfThisProcessGrowAndOfNoneAreNone) {
  const auto before = processor_seconds(::getpid());
  ASSERT_TRUE(before);
  const auto until = std::clock() + CLOCKS_PER_SEC / 20;
  while (std::clock() < until) {
  }
  EXPECT_GT(*processor_seconds(::getpid()), *before);
  EXPECT_FALSE(processor_seconds(-1));
}

// The files of a hierarchy, as plain ones: what is written is what the kernel would be told.
class ControlGroupsTest : public CpuGovernorTest {
 protected:
  void make_files(const std::string& group, const std::vector<std::string>& names) {
    ASSERT_TRUE(make_folders(folder_ + "/" + group));
    for (const auto& name : names) ASSERT_TRUE(write_file(folder_ + "/" + group + "/" + name, ""));
  }
  std::string told(const std::string& file) { return read_file(folder_ + "/" + file).value_or("[none]"); }
};

TEST_F(ControlGroupsTest, TellsVersion2) {
  make_files("", {"cgroup.controllers"});
  make_files("mark", {"cgroup.subtree_control"});
  make_files("mark/trial", {"cpu.max"});
  make_files("mark/i-1", {"cpu.weight", "cpu.max", "cgroup.procs"});
  ControlGroups groups("mark", folder_);
  EXPECT_EQ(groups.trouble(), "");
  EXPECT_EQ(groups.version(), 2);
  groups.enter("i-1", 7, 2.5);
  groups.limit("i-1", 0.25);
  EXPECT_EQ(told("mark/i-1/cpu.weight"), "250");
  EXPECT_EQ(told("mark/i-1/cpu.max"), "25000 100000");
  EXPECT_EQ(told("mark/i-1/cgroup.procs"), "7");
}

TEST_F(ControlGroupsTest, TellsTheOldHierarchies) {
  make_files("cpu", {"cgroup.procs"});
  make_files("cpu/mark/trial", {"cpu.cfs_quota_us"});
  make_files("cpu/mark/i-1", {"cpu.shares", "cpu.cfs_quota_us", "cgroup.procs"});
  make_files("cpu/mark/i-2", {"cpu.shares", "cpu.cfs_quota_us", "cgroup.procs"});
  ControlGroups groups("mark", folder_);
  EXPECT_EQ(groups.trouble(), "");
  groups.enter("i-1", 7, 0.0001);
  groups.limit("i-1", 0.001);
  EXPECT_EQ(told("cpu/mark/i-1/cpu.shares"), "2");
  EXPECT_EQ(told("cpu/mark/i-1/cpu.cfs_quota_us"), "1000");
  groups.limit("i-2", 0);
  EXPECT_EQ(told("cpu/mark/i-2/cpu.cfs_quota_us"), "-1");
}

TEST_F(ControlGroupsTest, SaysWhyThereAreNone) {
  EXPECT_EQ(ControlGroups("mark", folder_).trouble(), "this host has no control groups for processors");
  make_files("", {"cgroup.controllers"});
  EXPECT_EQ(ControlGroups("mark", folder_).trouble(), "the processor controller is not passed on to " + folder_ + "/mark");
}

TEST(ProcessorShares, FollowTheTypesFigures) {
  const auto plan = [](const std::string& type, std::int64_t processors, double units, const std::string& credits = "") {
    state::Instance instance;
    instance.type = type, instance.processors = processors, instance.cpu_credits = credits;
    return daemon::plan_processors(instance, units);
  };
  EXPECT_EQ(plan("m1.small", 1, 4).most, 0.25);
  EXPECT_EQ(plan("m1.small", 1, 4).kind, CpuPlan::Kind::steady);
  EXPECT_EQ(plan("m1.small", 1, 1).most, 0) << "a whole processor is no limit";
  EXPECT_EQ(plan("c1.xlarge", 8, 4).most, 5);
  EXPECT_EQ(plan("m2.xlarge", 2, 4).most, 1.625);
  const auto small = plan("t1.micro", 1, 4);
  EXPECT_EQ(small.kind, CpuPlan::Kind::micro);
  EXPECT_EQ(small.most, 0.5);
  EXPECT_EQ(small.base, 0.025);
  EXPECT_LT(small.weight, plan("m1.small", 1, 4).weight);
  const auto t2 = plan("t2.micro", 1, 4, "standard");
  EXPECT_EQ(t2.kind, CpuPlan::Kind::credits);
  EXPECT_DOUBLE_EQ(t2.base, 0.1);
  EXPECT_DOUBLE_EQ(t2.at_start, 1800);
  EXPECT_FALSE(t2.may_overdraw);
  EXPECT_TRUE(plan("t3.micro", 2, 4, "unlimited").may_overdraw);
  EXPECT_EQ(plan("t3.micro", 2, 4).kept_stopped, 7 * 24 * 3600);
  EXPECT_EQ(plan("t2.micro", 1, 4).kept_stopped, 0);
  EXPECT_EQ(plan("m5.large", 2, 4), CpuPlan{.weight = 2});
  EXPECT_EQ(plan("gone.large", 3, 4), CpuPlan{.weight = 3});
}

}  // namespace
}  // namespace brume::compute
