// The table of instance types: what a line promises, and what is no line.
#include <gtest/gtest.h>

#include "domain/instance_types.hpp"

namespace brume::domain {
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

TEST(InstanceTypeTable, SaysHowManyThreadsAndCores) {
  const auto with = [](std::string_view more) {
    std::vector<InstanceType> types;
    const auto added = add_instance_types(types, "own.big\t8\t512\tx86_64\tcurrent\tfull\t0\t0\tLow\tno\t2\t4" + std::string(more) + "\n");
    return added ? types.at(0) : InstanceType{};
  };
  const auto plain = with("");
  EXPECT_EQ(plain.threads_per_core, 1);
  EXPECT_EQ(plain.valid_cores, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  const auto two = with("\t2\t2-4/2");
  EXPECT_EQ(two.threads_per_core, 2);
  EXPECT_EQ(two.cores(), 4);
  EXPECT_EQ(two.valid_cores, (std::vector<std::int64_t>{2, 4}));
  EXPECT_TRUE(two.may_have_cores(2));
  EXPECT_FALSE(two.may_have_cores(3));
  EXPECT_EQ(with("\t2\t1,4").valid_cores, (std::vector<std::int64_t>{1, 4}));
  for (const auto* const wrong :
       {"\t2", "\t0\t4", "\t3\t4", "\t2\t", "\t2\t8", "\t2\t0-4", "\t2\t4,2", "\t2\t2-4/0", "\t2\t4-2", "\t2\tfour", "\tx\t4"})
    EXPECT_TRUE(with(wrong).name.empty()) << wrong;
}

TEST(InstanceTypeTable, TypesOfThreadsAreEvenlyMade) {
  for (const auto& type : instance_types()) {
    EXPECT_EQ(type.processors % type.threads_per_core, 0) << type.name;
    EXPECT_TRUE(type.may_have_cores(type.cores())) << type.name;
    EXPECT_EQ(type.threads_per_core, type.current_generation && !type.name.starts_with("t2.") ? 2 : 1) << type.name;
  }
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
}  // namespace brume::domain
