// Who may do what: what is asked, what is found in a request, and that nothing runs unasked.
#include "service/authorization.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/random.hpp"
#include "state/records.hpp"
#include "wire/ec2/instances.hpp"
#include "wire/ec2/key_pairs.hpp"
#include "wire/ec2/tags.hpp"

namespace brume::service {
namespace {

constexpr const char* owner = "111122223333";

// Says yes or no, and keeps what it was asked.
class Recorder final : public Evaluator {
 public:
  bool allows(const Question& question) const override {
    asked.push_back(std::string(question.row().action));
    arns.clear();
    for (const auto& each : question.resources()) arns.push_back(each.arn);
    world = &question.world();
    if (on_ask) on_ask();
    return answer;
  }
  bool answer = true;
  std::function<void()> on_ask;
  mutable std::vector<std::string> asked, arns;
  mutable const state::World* world = nullptr;
};

wire::ec2::RunInstancesResponse no_launch(state::Transaction& transaction, const Context&, const wire::ec2::RunInstancesRequest&) {
  transaction.put(state::Setting{"launched", "yes"});
  return {};
}
const state::World* read_in = nullptr;
wire::ec2::DescribeInstancesResponse look(const state::World& world, const Context&, const wire::ec2::DescribeInstancesRequest&) {
  read_in = &world;
  return {};
}
wire::ec2::CreateKeyPairResponse make_key(const Context& context, const wire::ec2::CreateKeyPairRequest&) {
  context.transact([](state::Transaction& transaction) { transaction.put(state::Setting{"key", "made"}); });
  return {};
}
wire::ec2::CreateTagsResponse tag(state::Transaction&, const Context&, const wire::ec2::CreateTagsRequest&) { return {}; }

class AuthorizationTest : public testing::Test {
 protected:
  AuthorizationTest() {
    caller_.account_id = owner;
    caller_.user_arn = "arn:aws:iam::111122223333:root";
  }
  ~AuthorizationTest() override { store_->stop(); }

  // The error's code; empty when there is none.
  std::string run(std::string_view name, std::string_view parameters) {
    const auto& actions = table_.actions;
    const auto action = std::find_if(actions.begin(), actions.end(), [&](const auto& row) { return row.name == name; });
    const wire::QueryTree tree(parameters);
    const auto invocation = action->decode(*action, tree.root());
    const Context context{caller_, *services_, 20161115, {}};
    try {
      if (action->lane == Lane::read) invocation->read(*store_->world(), context);
      if (action->lane == Lane::work) invocation->work(context);
      if (action->lane == Lane::write) store_->transact([&](state::Transaction& each) { invocation->write(each, context); });
    } catch (const wire::ApiError& error) {
      return error.code;
    }
    return "";
  }
  bool is_set(std::string_view name) const { return store_->world()->find<state::Setting>(name) != nullptr; }
  void use(const Evaluator& evaluator) {
    services_ = std::make_unique<Services>(Services{*store_, clock_, random_, settings_, {}, "a key", {}, {}, {}, {}, evaluator});
  }

  SystemClock clock_;
  SeededRandom random_{1};
  Settings settings_;
  wire::Caller caller_;
  Recorder recorder_;
  std::unique_ptr<state::Store> store_ = state::Store::open(state::make_memory_log(), clock_, random_).value();
  std::unique_ptr<Services> services_ = std::make_unique<Services>(Services{*store_, clock_, random_, settings_, {}, "a key"});
  ServiceTable table_ = make_table("ec2", {write_action<wire::ec2::RunInstancesRequest>("RunInstances", no_launch),
                                           read_action<wire::ec2::DescribeInstancesRequest>("DescribeInstances", look),
                                           work_action<wire::ec2::CreateKeyPairRequest>("CreateKeyPair", make_key),
                                           write_action<wire::ec2::CreateTagsRequest>("CreateTags", tag)});
};

constexpr auto launch = "ImageId=ami-1&MinCount=1&MaxCount=1";

TEST_F(AuthorizationTest, TheRootOfAnAccountMayDoAllInIt) {
  EXPECT_EQ(run("RunInstances", launch), "");
  EXPECT_EQ(run("DescribeInstances", ""), "");
  EXPECT_EQ(run("CreateKeyPair", "KeyName=k"), "");
}

TEST_F(AuthorizationTest, NobodyElseMayDoAnything) {
  for (const auto* arn : {"arn:aws:iam::111122223333:user/alice", "arn:aws:iam::999988887777:root", "arn:aws:sts::111122223333:root",
                          "arn:aws-cn:iam::111122223333:root", "arn:aws:iam::111122223333:root/x", ""}) {
    caller_.user_arn = arn;
    EXPECT_EQ(run("RunInstances", launch), "UnauthorizedOperation") << arn;
    EXPECT_EQ(run("DescribeInstances", ""), "UnauthorizedOperation") << arn;
    EXPECT_EQ(run("CreateKeyPair", "KeyName=k"), "UnauthorizedOperation") << arn;
  }
  EXPECT_FALSE(is_set("launched"));
  EXPECT_FALSE(is_set("key"));
}

TEST_F(AuthorizationTest, IsAskedInTheSameWorldAsTheDecision) {
  use(recorder_);
  EXPECT_EQ(run("DescribeInstances", ""), "");
  EXPECT_EQ(recorder_.world, read_in);
  // In a transaction: with what earlier decisions of the group did.
  const state::World* in_transaction = nullptr;
  store_->transact([&](state::Transaction& transaction) {
    in_transaction = &transaction.world();
    const auto& action = table_.actions.front();
    const wire::QueryTree tree(launch);
    action.decode(action, tree.root())->write(transaction, Context{caller_, *services_, 20161115, {}});
  });
  EXPECT_EQ(recorder_.world, in_transaction);
}

TEST_F(AuthorizationTest, WorkIsAskedAgainInTheTransactionThatChangesSomething) {
  use(recorder_);
  EXPECT_EQ(run("CreateKeyPair", "KeyName=k"), "");
  EXPECT_EQ(recorder_.asked, (std::vector<std::string>{"ec2:CreateKeyPair", "ec2:CreateKeyPair"}));
  // The right went away while the work was being done.
  store_->transact([](state::Transaction& transaction) { transaction.erase<state::Setting>("key"); });
  recorder_.on_ask = [&] { recorder_.answer = recorder_.asked.size() < 4; };
  EXPECT_EQ(run("CreateKeyPair", "KeyName=k"), "UnauthorizedOperation");
  EXPECT_EQ(recorder_.asked.size(), 4U);
  EXPECT_FALSE(is_set("key"));
}

TEST_F(AuthorizationTest, FindsTheResourcesOfALaunch) {
  use(recorder_);
  store_->transact([](state::Transaction& transaction) {
    state::SecurityGroup group;
    group.account = owner;
    group.id = "sg-1";
    group.name = "web";
    transaction.put(group);
  });
  EXPECT_EQ(run("RunInstances",
                "ImageId=ami-1&MinCount=1&MaxCount=1&SubnetId=subnet-1&KeyName=k&SecurityGroup.1=web&SecurityGroup.2=none"
                "&BlockDeviceMapping.1.DeviceName=/dev/sdb&BlockDeviceMapping.1.Ebs.SnapshotId=snap-1"),
            "");
  std::sort(recorder_.arns.begin(), recorder_.arns.end());
  EXPECT_EQ(recorder_.arns,
            (std::vector<std::string>{
                "arn:aws:ec2:us-east-1:111122223333:instance/*", "arn:aws:ec2:us-east-1:111122223333:key-pair/k",
                "arn:aws:ec2:us-east-1:111122223333:network-interface/*", "arn:aws:ec2:us-east-1:111122223333:security-group/*",
                "arn:aws:ec2:us-east-1:111122223333:security-group/sg-1", "arn:aws:ec2:us-east-1:111122223333:subnet/subnet-1",
                "arn:aws:ec2:us-east-1::image/ami-1", "arn:aws:ec2:us-east-1::snapshot/snap-1"}));
}

TEST_F(AuthorizationTest, TellsTheTypeOfATaggedResourceByItsId) {
  use(recorder_);
  EXPECT_EQ(run("CreateTags", "ResourceId.1=vol-1&ResourceId.2=ami-2&ResourceId.3=strange&Tag.1.Key=k"), "");
  EXPECT_EQ(recorder_.arns,
            (std::vector<std::string>{"arn:aws:ec2:us-east-1:111122223333:volume/vol-1", "arn:aws:ec2:us-east-1::image/ami-2",
                                      "arn:aws:ec2:us-east-1:111122223333:*/strange"}));
}

TEST_F(AuthorizationTest, AnActionWithoutARowIsInNoTableAndForNobody) {
  const auto unknown = write_action<wire::ec2::CreateTagsRequest>("CreateCastles", tag);
  EXPECT_THROW(make_table("ec2", {unknown}), std::logic_error);
  EXPECT_THROW(make_table("no_service", {unknown}), std::logic_error);
  const wire::QueryTree tree(std::string_view("ResourceId.1=vol-1&Tag.1.Key=k"));
  const auto invocation = unknown.decode(unknown, tree.root());
  store_->transact([&](state::Transaction& transaction) {
    EXPECT_THROW(invocation->write(transaction, Context{caller_, *services_, 20161115, {}}), std::logic_error);
  });
}

}  // namespace
}  // namespace brume::service
