// The managed policies of models/managed_policies: all are taken, within IAM's quota, and allow what their names say.
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "policy/document_text.hpp"
#include "policy_cases.hpp"

namespace brume::policy {
namespace {

std::string managed_text(const std::string& name) {
  std::ifstream file(std::filesystem::path(BRUME_MANAGED_POLICIES) / (name + ".json"));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ManagedPolicies, AreAllTaken) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(BRUME_MANAGED_POLICIES)) {
    ASSERT_EQ(entry.path().extension(), ".json") << entry.path();
    const auto name = entry.path().stem().string();
    names.insert(name);
    const auto text = managed_text(name);
    EXPECT_EQ(refusal(text), "taken") << name;
    EXPECT_LE(counted_size(text), 6'144U) << name;
    EXPECT_EQ(statement_places(text).size(), parsed(text)->statements().size()) << name;
  }
  EXPECT_EQ(names,
            (std::set<std::string>{"AdministratorAccess", "AmazonEC2FullAccess", "AmazonEC2ReadOnlyAccess", "AmazonS3FullAccess",
                                   "AmazonS3ReadOnlyAccess", "AutoScalingFullAccess", "CloudWatchFullAccess", "CloudWatchReadOnlyAccess",
                                   "IAMFullAccess", "IAMReadOnlyAccess", "PowerUserAccess", "ReadOnlyAccess"}));
}

TEST(ManagedPolicies, AllowWhatTheirNamesSay) {
  struct Case {
    const char* policy;
    std::vector<const char*> allowed, refused;
  };
  const Case cases[] = {
      {"AdministratorAccess", {"ec2:RunInstances", "iam:CreateUser", "s3:DeleteBucket"}, {}},
      {"PowerUserAccess",
       {"ec2:RunInstances", "s3:DeleteBucket", "iam:ListRoles"},
       {"iam:CreateUser", "iam:ListUsers", "account:CloseAccount"}},
      {"ReadOnlyAccess",
       {"ec2:DescribeInstances", "ec2:GetConsoleOutput", "s3:GetObject", "iam:ListUsers", "cloudwatch:GetMetricData",
        "sts:GetCallerIdentity", "autoscaling:DescribeAutoScalingGroups", "elasticloadbalancing:DescribeLoadBalancers", "ssm:GetParameter",
        "servicequotas:ListServices"},
       {"ec2:RunInstances", "ec2:CreateTags", "s3:PutObject", "iam:CreateUser", "sts:AssumeRole", "sns:Publish", "sqs:DeleteMessage"}},
      {"AmazonEC2FullAccess",
       {"ec2:TerminateInstances", "elasticloadbalancing:CreateLoadBalancer", "cloudwatch:PutMetricAlarm"},
       {"s3:GetObject", "iam:PassRole"}},
      {"AmazonEC2ReadOnlyAccess",
       {"ec2:DescribeInstances", "cloudwatch:ListMetrics"},
       {"ec2:GetPasswordData", "ec2:StopInstances", "cloudwatch:PutMetricData"}},
      {"IAMFullAccess", {"iam:CreateUser", "iam:PassRole"}, {"ec2:DescribeInstances", "sts:AssumeRole"}},
      {"IAMReadOnlyAccess", {"iam:ListUsers", "iam:GetPolicy", "iam:SimulatePrincipalPolicy"}, {"iam:CreateUser", "iam:PassRole"}},
      {"AmazonS3FullAccess", {"s3:PutObject", "s3:DeleteBucket"}, {"ec2:DescribeInstances"}},
      {"AmazonS3ReadOnlyAccess", {"s3:GetObject", "s3:ListAllMyBuckets"}, {"s3:PutObject", "s3:DeleteObject"}},
      {"CloudWatchFullAccess",
       {"cloudwatch:PutMetricAlarm", "sns:CreateTopic", "autoscaling:DescribePolicies"},
       {"autoscaling:PutScalingPolicy", "ec2:StopInstances"}},
      {"CloudWatchReadOnlyAccess", {"cloudwatch:GetMetricData", "sns:ListTopics"}, {"cloudwatch:PutMetricData", "sns:Publish"}},
      {"AutoScalingFullAccess",
       {"autoscaling:CreateAutoScalingGroup", "cloudwatch:PutMetricAlarm", "ec2:DescribeSubnets"},
       {"ec2:RunInstances", "cloudwatch:DeleteAlarms"}},
  };
  for (const auto& each : cases) {
    const auto text = managed_text(each.policy);
    for (const auto* action : each.allowed) EXPECT_TRUE(allows(text, action)) << each.policy << " " << action;
    for (const auto* action : each.refused) EXPECT_FALSE(allows(text, action)) << each.policy << " " << action;
  }
  const auto linked = [](const char* policy, const char* service) {
    return allows(managed_text(policy), "iam:CreateServiceLinkedRole", "arn:aws:iam::111111111111:role/aws-service-role/x",
                  {{"iam:awsservicename", {service}}});
  };
  EXPECT_TRUE(linked("AmazonEC2FullAccess", "spot.amazonaws.com"));
  EXPECT_FALSE(linked("AmazonEC2FullAccess", "rds.amazonaws.com"));
  EXPECT_TRUE(linked("AutoScalingFullAccess", "autoscaling.amazonaws.com"));
  EXPECT_FALSE(linked("AutoScalingFullAccess", "spot.amazonaws.com"));
}

}  // namespace
}  // namespace brume::policy
