// What volumes are held to by type, size and choice; and what is said of the room on a disk.
#include <gtest/gtest.h>

#include "daemon/disk_room.hpp"
#include "daemon/volume_limits.hpp"

namespace brume::daemon {
namespace {

constexpr std::int64_t mib = 1 << 20;

compute::DiskLimits limits_of(const char* type, std::int64_t gib, std::int64_t iops = 0, std::int64_t throughput = 0,
                              VolumeLimits which = VolumeLimits::all) {
  state::Volume volume;
  volume.type = type, volume.size_gib = gib, volume.iops = iops, volume.throughput = throughput;
  return limit_volume(volume, which);
}

TEST(VolumeLimits, WhatIsProvisioned) {
  const auto slow = limits_of("io1", 4, 100, 0, VolumeLimits::provisioned);
  EXPECT_EQ(slow.requests, 100);
  EXPECT_EQ(slow.request_bytes, 256 * 1024);
  EXPECT_EQ(slow.bytes, 25 * mib);
  EXPECT_EQ(limits_of("io1", 1000, 20'000).bytes, 500 * mib);
  EXPECT_EQ(limits_of("io1", 1280, 64'000).bytes, 1000 * mib);
  EXPECT_EQ(limits_of("io2", 1280, 64'000).bytes, 4000 * mib);
  const auto plain = limits_of("gp3", 8, 0, 0, VolumeLimits::provisioned);
  EXPECT_EQ(plain.requests, 3000);
  EXPECT_EQ(plain.bytes, 125 * mib);
  EXPECT_EQ(limits_of("gp3", 8, 4000, 500).bytes, 500 * mib);
  EXPECT_EQ(plain.burst_requests, 0);
}

TEST(VolumeLimits, WhatFollowsFromTheSize) {
  const auto small = limits_of("gp2", 8);
  EXPECT_EQ(small.requests, 100);
  EXPECT_EQ(small.burst_requests, 3000);
  EXPECT_EQ(small.burst_requests * small.burst_seconds, 5'400'000) << "EC2's full bucket of I/O credits";
  EXPECT_EQ(small.bytes, 128 * mib);
  EXPECT_EQ(limits_of("gp2", 2000).burst_requests, 0) << "6,000 all the time is more than a burst";
  EXPECT_EQ(limits_of("gp2", 2000).bytes, 250 * mib);
  const auto cold = limits_of("sc1", 1024);
  EXPECT_EQ(cold.bytes, 12 * mib);
  EXPECT_EQ(cold.burst_bytes, 80 * mib);
  EXPECT_EQ(limits_of("st1", 16'384).bytes, 500 * mib);
  EXPECT_EQ(limits_of("st1", 2048).burst_bytes, 500 * mib);
  EXPECT_EQ(limits_of("standard", 8).requests, 200);
}

TEST(VolumeLimits, OnlyThoseThatAreMeant) {
  for (const auto* type : {"gp2", "st1", "sc1", "standard"}) EXPECT_FALSE(limits_of(type, 500, 0, 0, VolumeLimits::provisioned).any());
  for (const auto* type : {"gp2", "gp3", "io1"}) EXPECT_FALSE(limits_of(type, 500, 200, 0, VolumeLimits::off).any());
  EXPECT_EQ(volume_limits_named("all"), VolumeLimits::all);
  EXPECT_FALSE(volume_limits_named("some"));
}

TEST(DiskRoom, IsJudged) {
  constexpr std::uint64_t gib = 1ULL << 30;
  EXPECT_EQ(judge_room(255ULL << 20, 1000 * gib), "full");
  EXPECT_EQ(judge_room(900ULL << 20, 2 * gib), "low");
  EXPECT_EQ(judge_room(4 * gib, 100 * gib), "low");
  EXPECT_EQ(judge_room(6 * gib, 100 * gib), "ok");
  EXPECT_EQ(judge_room(21 * gib, 10'000 * gib), "ok") << "a large disk is not nearly full with 21 GiB left";
}

TEST(DiskRoom, OfOneDiskIsSaidOnce) {
  const auto disks = look_at_disks("/tmp");
  ASSERT_EQ(disks.size(), 1U);
  EXPECT_EQ(disks[0].holds, "state and volumes");
  EXPECT_GT(disks[0].total_bytes, disks[0].free_bytes);
  EXPECT_TRUE(look_at_disks("/there/is/no/such/folder").empty());
}

}  // namespace
}  // namespace brume::daemon
