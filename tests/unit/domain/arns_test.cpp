#include "domain/arns.hpp"

#include <gtest/gtest.h>

namespace brume::domain {
namespace {

TEST(Arns, ARootIsThatOfTheVeryAccount) {
  EXPECT_EQ(root_arn("aws", "111122223333"), "arn:aws:iam::111122223333:root");
  EXPECT_TRUE(is_root_arn(root_arn("aws", "111122223333"), "aws", "111122223333"));
  EXPECT_FALSE(is_root_arn(root_arn("aws-cn", "111122223333"), "aws", "111122223333"));
  EXPECT_FALSE(is_root_arn("arn:aws:iam::111122223333:root", "aws", "11112222333"));
  EXPECT_FALSE(is_root_arn("arn:aws:iam::11112222333:root", "aws", "111122223333"));
  EXPECT_FALSE(is_root_arn("arn:aws:iam::111122223333:root/x", "aws", "111122223333"));
  EXPECT_FALSE(is_root_arn("arn:aws:iam:::root", "aws", ""));
}

}  // namespace
}  // namespace brume::domain
