// The table of instance types: what a line promises, and what is no line.
#include <gtest/gtest.h>

#include "ec2/instance_types.hpp"

namespace brume::ec2 {
namespace {

constexpr std::string_view head = "own.small\t2\t512\tx86_64,arm64\tcurrent\t";
constexpr std::string_view tail = "\t1\t20\tLow\tyes\t3\t5\n";

Result<InstanceType> with_compute(std::string_view compute) {
  std::vector<InstanceType> types;
  if (auto added = add_instance_types(types, std::string(head) + std::string(compute) + std::string(tail)); !added)
    return fail(added.error());
  return types.at(0);
}

TEST(InstanceTypeTable, SaysWhatIsPromisedOfTheProcessors) {
  const auto full = with_compute("full");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->compute_units, 0);
  EXPECT_FALSE(full->burstable);
  EXPECT_EQ(full->storage_gb_each, 20);
  EXPECT_TRUE(full->cluster);
  EXPECT_EQ(with_compute("ecu=2.5")->compute_units, 2.5);
  EXPECT_EQ(with_compute("ecu=2/0.1")->units_between_bursts, 0.1);
  const auto credits = with_compute("credits=6");
  EXPECT_EQ(credits->credits_an_hour, 6);
  EXPECT_TRUE(credits->burstable);
}

TEST(InstanceTypeTable, RefusesWhatIsNoPromise) {
  for (const auto* const wrong :
       {"", "no", "ecu", "ecu=", "ecu=0", "ecu=-1", "ecu=nan", "ecu=2/", "ecu=2/1/3", "ecu=2x", "credits=6/2", "cores=2", "=2"})
    EXPECT_FALSE(with_compute(wrong)) << wrong;
}

TEST(InstanceTypeTable, ALaterLineReplacesTheTypeOfItsName) {
  std::vector<InstanceType> types;
  const std::string line = std::string(head) + "full" + std::string(tail);
  ASSERT_TRUE(add_instance_types(types, "# comment\n\n" + line + "b.one\t1\t64\ti386\tprevious\tfull\t0\t0\tLow\n"));
  ASSERT_TRUE(add_instance_types(types, "b.one\t1\t128\ti386\tprevious\tfull\t0\t0\tLow\n"));
  ASSERT_EQ(types.size(), 2U);
  EXPECT_EQ(types[0].name, "b.one");
  EXPECT_EQ(types[0].memory_mib, 128);
  EXPECT_EQ(types[0].interfaces, 2);
  EXPECT_FALSE(add_instance_types(types, "b.one\t0\t128\ti386\tprevious\tfull\t0\t0\tLow\n"));
}

}  // namespace
}  // namespace brume::ec2
