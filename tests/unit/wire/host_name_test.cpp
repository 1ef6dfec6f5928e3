#include "wire/http/host_name.hpp"

#include <gtest/gtest.h>

namespace brume::wire {
namespace {

TEST(HostName, BucketsAndEndpoints) {
  struct Case {
    const char* host;
    const char* bucket;
    const char* first_label;
  };
  for (const auto& [host, bucket, first] : {Case{"bucket.s3.example.com", "bucket", "s3"},
                                            {"my.bucket.S3.eu-west-1.example.com:8773", "my.bucket", "s3"},
                                            {"bucket.s3-eu-west-1.amazonaws.com", "bucket", "s3"},
                                            {"a.s3.b.s3.example.com", "a.s3.b", "s3"},
                                            {"s3.eu-west-1.example.com", "", "s3"},
                                            {"bucket.s3.localhost:8773", "bucket", "s3"},
                                            {"ec2.eu-west-1.example.com", "", "ec2"},
                                            {"ec2.s3-labs.org", "", "ec2"},
                                            {"localhost:8773", "", "localhost"},
                                            {"127.0.0.1:8773", "", "127.0.0.1"},
                                            {"[::1]:8773", "", "[::1]"}}) {
    const auto name = read_host(host);
    EXPECT_EQ(name.bucket, bucket) << host;
    ASSERT_FALSE(name.labels.empty()) << host;
    EXPECT_EQ(name.labels.front(), first) << host;
  }
  for (const auto* odd : {"", ".", "..", "s3", ".s3", "[", "a..s3"}) read_host(odd);
}

TEST(HostName, ABucketThatIsCalledLikeARegionIsNone) {
  EXPECT_TRUE(read_host("ec2.eu-west-1.example.com").names_region("eu-west-1"));
  EXPECT_TRUE(read_host("b.s3.eu-west-1.example.com").names_region("eu-west-1"));
  EXPECT_TRUE(read_host("b.s3-eu-west-1.example.com").names_region("eu-west-1"));
  EXPECT_FALSE(read_host("eu-west-1.s3.example.com").names_region("eu-west-1"));
  const auto both = read_host("eu-west-1.s3.us-east-1.example.com");
  EXPECT_FALSE(both.names_region("eu-west-1"));
  EXPECT_TRUE(both.names_region("us-east-1"));
}

}  // namespace
}  // namespace brume::wire
