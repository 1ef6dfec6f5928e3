#include "domain/zones.hpp"

#include <gtest/gtest.h>

#include "state/store.hpp"

namespace brume::domain {
namespace {

using namespace state;

TEST(Zones, AreCalledByTheAccountsLetters) {
  SystemClock clock;
  SeededRandom random{1};
  auto store = *Store::open(make_memory_log(), clock, random);
  const std::vector<Zone> zones = {{"us-east-1a", "az1"}, {"us-east-1b", "az2"}, {"us-east-1c", "az3"}, {"us-east-1d", "az4"}};
  store->transact([](Transaction& transaction) {
    Account account;
    account.id = "b";
    account.zone_letters = "cab";  // made when there were three
    transaction.put(account);
  });
  const auto world = store->world();
  const auto seen = domain::zones_of(*world, "b", zones);
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[0].name + seen[0].id, "us-east-1aaz2");
  EXPECT_EQ(seen[1].name + seen[1].id, "us-east-1baz3");
  EXPECT_EQ(seen[2].name + seen[2].id, "us-east-1caz1");
  EXPECT_EQ(seen[3].name + seen[3].id, "us-east-1daz4");
  for (const auto& zone : seen) EXPECT_EQ(domain::zone_id_of(*world, "b", zones, zone.name), zone.id);
  EXPECT_EQ(domain::zone_id_of(*world, "nobody", zones, "us-east-1a"), "az1");
  EXPECT_EQ(domain::zone_id_of(*world, "b", zones, "us-east-1z"), "");
  store->stop();
}

}  // namespace
}  // namespace brume::domain
