// Token buckets: so many requests at once, so many more each second, for each account and group of actions by itself (INS-047).
#include "service/throttle.hpp"

#include <gtest/gtest.h>

#include "wire/api_error.hpp"

namespace brume::service {
namespace {

class SetClock final : public Clock {
 public:
  Time now() const override { return now_; }
  void pass(milliseconds time) { now_ += time; }

 private:
  Time now_{seconds(1'300'000'000)};
};

class Throttled : public testing::Test {
 protected:
  // The error's status and code; empty: the request may go on.
  std::string ask(std::string_view action, const std::string& account = "111122223333", std::string_view service = "ec2") {
    try {
      throttle_.admit(account, wire::schema::find_service(service)->protocols.front(), action);
    } catch (const wire::ApiError& error) {
      return std::to_string(error.status) + " " + error.code;
    }
    return "";
  }
  int ask_until_refused(std::string_view action) {
    int admitted = 0;
    while (admitted < 1000 && ask(action).empty()) ++admitted;
    return admitted;
  }

  SetClock clock_;
  Throttle throttle_{clock_, 1};
};

TEST_F(Throttled, GroupsAndAccountsAreApart) {
  EXPECT_EQ(ask_until_refused("RunInstances"), 5);
  EXPECT_EQ(ask("RunInstances"), "503 RequestLimitExceeded");
  EXPECT_EQ(ask("RunInstances", "444455556666"), "") << "another account has its own";
  EXPECT_EQ(ask_until_refused("CreateVpc"), 50);
  EXPECT_EQ(ask("DeleteVpc"), "503 RequestLimitExceeded") << "all that change something share one bucket";
  EXPECT_EQ(ask_until_refused("DescribeInstances"), 100);
  EXPECT_EQ(ask("GetConsoleOutput"), "503 RequestLimitExceeded");
}

TEST_F(Throttled, BucketsFillWithTime) {
  EXPECT_EQ(ask_until_refused("RunInstances"), 5);
  clock_.pass(milliseconds(499));
  EXPECT_NE(ask("RunInstances"), "");
  clock_.pass(milliseconds(1));
  EXPECT_EQ(ask("RunInstances"), "") << "two a second";
  EXPECT_NE(ask("RunInstances"), "");
  clock_.pass(seconds(3600));
  EXPECT_EQ(ask_until_refused("RunInstances"), 5) << "and no more than it holds";
}

TEST_F(Throttled, AClockThatIsSetBackFillsNothing) {
  EXPECT_EQ(ask_until_refused("RunInstances"), 5);
  clock_.pass(seconds(-10));
  EXPECT_NE(ask("RunInstances"), "");
  clock_.pass(milliseconds(500));
  EXPECT_EQ(ask("RunInstances"), "");
}

TEST_F(Throttled, EachServiceSaysItInItsWords) {
  EXPECT_EQ(ask_until_refused("GetParameter"), 100);
  EXPECT_EQ(ask("GetParameter", "111122223333", "ssm"), "400 ThrottlingException");
  EXPECT_EQ(ask("GetCallerIdentity", "111122223333", "sts"), "400 Throttling");
}

TEST_F(Throttled, InstancesAreCountedByThemselves) {
  constexpr auto ec2 = wire::schema::Protocol::ec2;
  const auto ask_for = [&](std::string_view action, std::int64_t instances) {
    try {
      throttle_.admit("111122223333", ec2, action, instances);
    } catch (const wire::ApiError& error) {
      return error.code;
    }
    return std::string();
  };
  EXPECT_EQ(ask_for("TerminateInstances", 900), "");
  EXPECT_EQ(ask_for("TerminateInstances", 101), "RequestLimitExceeded");
  EXPECT_EQ(ask_for("TerminateInstances", 100), "") << "what is refused takes nothing";
  EXPECT_EQ(ask_for("TerminateInstances", 1), "RequestLimitExceeded");
  EXPECT_EQ(ask_for("StopInstances", 1000), "") << "each action has its own";
  clock_.pass(seconds(1));
  EXPECT_EQ(ask_for("TerminateInstances", 21), "RequestLimitExceeded");
  EXPECT_EQ(ask_for("TerminateInstances", 20), "") << "twenty a second";
  EXPECT_EQ(ask_for("RunInstances", 5000), "") << "more than it holds goes when it is full";
  EXPECT_EQ(ask_for("RunInstances", 1), "RequestLimitExceeded");
  clock_.pass(seconds(1));
  EXPECT_EQ(ask_for("RunInstances", 3), "RequestLimitExceeded");
  EXPECT_EQ(ask_for("RunInstances", 2), "") << "two a second";
  EXPECT_EQ(ask_for("CreateVpc", 5000), "") << "others have no such bucket";
}

TEST_F(Throttled, InstancesOfARequest) {
  EXPECT_EQ(instances_asked(wire::QueryTree("InstanceId.1=i-1&InstanceId.2=i-2&InstanceId.10=i-3&Force=true")), 3);
  EXPECT_EQ(instances_asked(wire::QueryTree("MinCount=1&MaxCount=17")), 17);
  EXPECT_EQ(instances_asked(wire::QueryTree("MinCount=1&MaxCount=many")), 1);
  EXPECT_EQ(instances_asked(wire::QueryTree("MaxCount=-5")), 1);
}

TEST_F(Throttled, AFactorMakesBucketsLargerOrSmaller) {
  Throttle twice(clock_, 2);
  constexpr auto ec2 = wire::schema::Protocol::ec2;
  for (int i = 0; i < 10; ++i) EXPECT_NO_THROW(twice.admit("111122223333", ec2, "RunInstances"));
  EXPECT_THROW(twice.admit("111122223333", ec2, "RunInstances"), wire::ApiError);
  Throttle little(clock_, 0.01);
  EXPECT_NO_THROW(little.admit("111122223333", ec2, "RunInstances")) << "one at a time always";
  EXPECT_THROW(little.admit("111122223333", ec2, "RunInstances"), wire::ApiError);
}

}  // namespace
}  // namespace brume::service
