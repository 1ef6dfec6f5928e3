// Whose word counts about how many there may be: the account's, the installation's, EC2's (NET-046, NET-080, NET-095).
#include "ec2/accounts/quotas.hpp"

#include "domain/classic.hpp"
#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

class Quotas : public ActionsTest {
 protected:
  std::int64_t limit(Quota quota, bool of_guide = false) { return quota_of(*world(), settings_, account, quota, of_guide); }
  void say(const std::string& of, Quota quota, std::int64_t number) {
    transact([&](state::Transaction& transaction) { set_quota(transaction, of, quota, number); });
  }
  void make_account(const std::string& platform) {
    transact([&](state::Transaction& transaction) {
      state::Account made;
      made.id = account;
      made.platform = platform;
      transaction.put(std::move(made));
    });
  }
};

TEST_F(Quotas, AreThoseOfEc2) {
  EXPECT_EQ(limit(Quota::addresses), 5);
  EXPECT_EQ(limit(Quota::vpcs), 5);
  EXPECT_EQ(limit(Quota::snapshots), 100'000);
  EXPECT_EQ(limit(Quota::instances), unlimited);
  EXPECT_EQ(limit(Quota::rules_per_group), 60);
  EXPECT_EQ(limit(Quota::groups_per_vpc), 2500);
  EXPECT_EQ(limit(Quota::rules_per_group, true), 100) << "the guide's API counts as it counted";
  EXPECT_EQ(limit(Quota::groups_per_vpc, true), 500);
}

TEST_F(Quotas, OfAccountsOfClassicAreTheGuides) {
  make_account("classic");
  EXPECT_EQ(limit(Quota::instances), 20);
  EXPECT_EQ(limit(Quota::gpu_instances), 8);
  settings_.instance_limit = 3;
  EXPECT_EQ(limit(Quota::instances), 3) << "what the installation says goes first";
  settings_.instance_limit = 0;
  settings_.simulated = true;
  EXPECT_EQ(limit(Quota::instances), unlimited);
}

TEST_F(Quotas, AreNoneInSimulationButOfOneParent) {
  settings_.simulated = true;
  settings_.storage = {0, 0, 0};
  for (const auto& row : quota_rows()) EXPECT_EQ(limit(row.quota), row.of_one_parent ? row.today : unlimited) << row.name;
}

TEST_F(Quotas, OfTheAccountGoBeforeThoseOfAll) {
  say("*", Quota::addresses, 7);
  EXPECT_EQ(limit(Quota::addresses), 7);
  say(account, Quota::addresses, 9);
  EXPECT_EQ(limit(Quota::addresses), 9);
  EXPECT_EQ(quota_of(*world(), settings_, stranger, Quota::addresses), 7);
  say(account, Quota::addresses, 0);
  EXPECT_EQ(limit(Quota::addresses), unlimited);
  say(account, Quota::addresses, -1);
  EXPECT_EQ(limit(Quota::addresses), 7);
  transact([&](state::Transaction& transaction) { forget_quotas(transaction, "*"); });
  EXPECT_EQ(limit(Quota::addresses), 5);
  EXPECT_EQ(default_quota(*world(), settings_, account, Quota::addresses), 5);
}

TEST_F(Quotas, HaveNamesOfTheirOwn) {
  for (const auto& row : quota_rows()) {
    EXPECT_EQ(find_quota(row.name), &row);
    EXPECT_EQ(row.service.empty(), row.code.empty()) << row.name;
    EXPECT_TRUE(row.error.ends_with("LimitExceeded")) << row.name;
  }
  EXPECT_EQ(find_quota("moons"), nullptr);
}

TEST_F(Quotas, OfAnotherRegionAreFollowed) {
  say(account, Quota::vpcs, 3);
  const auto first = world();
  say(account, Quota::vpcs, -1);
  say(account, Quota::addresses, 4);
  transact([&](state::Transaction& transaction) { follow_quotas(transaction, *first); });
  EXPECT_EQ(limit(Quota::vpcs), 3);
  EXPECT_EQ(limit(Quota::addresses), 5) << "the first region says nothing of it any more";
}

}  // namespace
}  // namespace brume::ec2
