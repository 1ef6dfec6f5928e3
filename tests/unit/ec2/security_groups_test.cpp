#include "ec2/security_groups/security_groups.hpp"

#include <fmt/format.h>

#include "ec2/common/tags.hpp"
#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

class SecurityGroups : public ActionsTest {
 protected:
  SecurityGroups() {
    add(security_group_actions());
    add(tag_actions());
  }
  std::string create(const std::string& name) {
    return first(call("CreateSecurityGroup", "GroupDescription=d&GroupName=" + name), "groupId");
  }
  std::string describe(const std::string& id) { return call("DescribeSecurityGroups", "GroupId.1=" + id); }
  std::string ingress(const std::string& id) { return first(describe(id), "ipPermissions"); }
  std::string authorize(const std::string& id, const std::string& rest) {
    return code("AuthorizeSecurityGroupIngress", "GroupId=" + id + "&" + rest);
  }
  std::string revoke(const std::string& id, const std::string& rest) {
    return code("RevokeSecurityGroupIngress", "GroupId=" + id + "&" + rest);
  }
  static std::string permission(const std::string& protocol, int from, int to, const std::string& peer) {
    return fmt::format("IpPermissions.1.IpProtocol={}&IpPermissions.1.FromPort={}&IpPermissions.1.ToPort={}&IpPermissions.1.{}", protocol,
                       from, to, peer);
  }
  static std::string open(int port, const std::string& cidr = "0.0.0.0/0") {
    return permission("tcp", port, port, "IpRanges.1.CidrIp=" + cidr);
  }
  std::string default_group() { return first(call("DescribeSecurityGroups", "GroupName.1=default"), "groupId"); }
};

TEST_F(SecurityGroups, ANewOneLetsNothingInAndEverythingOut) {
  const auto answer = call("CreateSecurityGroup", "GroupName=web&GroupDescription=My%20Web");
  const auto id = first(answer, "groupId");
  const auto described = describe(id);
  EXPECT_EQ(first(described, "groupName"), "web");
  EXPECT_EQ(first(described, "groupDescription"), "My Web");
  EXPECT_EQ(first(described, "ownerId"), account);
  EXPECT_EQ(first(described, "vpcId"), default_vpc(*world(), account)->id);
  EXPECT_EQ(ingress(id), "");
  const auto out = first(described, "ipPermissionsEgress");
  EXPECT_EQ(all(out, "ipProtocol"), std::vector<std::string>{"-1"});
  EXPECT_EQ(all(out, "cidrIp"), std::vector<std::string>{"0.0.0.0/0"});
  EXPECT_EQ(count(out, "fromPort"), 0u);
}

TEST_F(SecurityGroups, NamesAreUniqueInAVpcAndHaveRules) {
  create("web");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=web&GroupDescription=d"), "InvalidGroup.Duplicate");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=web%20%20&GroupDescription=d"), "InvalidGroup.Duplicate");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=default&GroupDescription=d"), "InvalidParameterValue");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=sg-12345678&GroupDescription=d"), "InvalidParameterValue");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=a%7Cb&GroupDescription=d"), "InvalidParameterValue");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=%C3%A9&GroupDescription=d"), "InvalidParameterValue");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=x&GroupDescription=%C3%A9"), "InvalidParameterValue");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=x&GroupDescription=" + std::string(256, 'd')), "InvalidParameterValue");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=" + std::string(255, 'n') + "&GroupDescription=d"), "");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=x"), "MissingParameter");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=x&GroupDescription="), "MissingParameter");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupDescription=x"), "MissingParameter");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=x&GroupDescription=d&VpcId=vpc-00000000"), "InvalidVpcID.NotFound");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=x&GroupDescription=d&VpcId=net-1"), "InvalidVpcID.Malformed");
  version_ = 20111201;
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=default&GroupDescription=d"), "InvalidGroup.Reserved");
  EXPECT_EQ(code("CreateSecurityGroup", "GroupName=a%7Cb&GroupDescription=d"), "");
}

TEST_F(SecurityGroups, TagsComeWithIt) {
  const std::string tag =
      "TagSpecification.1.ResourceType=security-group&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=w";
  const auto answer = call("CreateSecurityGroup", "GroupName=web&GroupDescription=d&" + tag);
  EXPECT_EQ(first(answer, "key"), "Name");
  const auto id = first(answer, "groupId");
  EXPECT_EQ(first(first(describe(id), "tagSet"), "value"), "w");
  EXPECT_EQ(count(call("DescribeSecurityGroups", "Filter.1.Name=tag:Name&Filter.1.Value.1=w"), "groupId"), 1u);
  EXPECT_EQ(code("DeleteSecurityGroup", "GroupId=" + id), "");
  EXPECT_EQ(count(call("DescribeTags"), "item"), 0u);
  EXPECT_EQ(code("CreateSecurityGroup",
                 "GroupName=w2&GroupDescription=d&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a&"
                 "TagSpecification.1.Tag.1.Value=b"),
            "InvalidParameterValue");
}

TEST_F(SecurityGroups, RulesOfOneRangeAreShownTogether) {
  const auto id = create("web");
  EXPECT_EQ(authorize(id, open(80)), "");
  EXPECT_EQ(authorize(id, open(80, "10.0.0.5/8")), "");
  EXPECT_EQ(authorize(id, open(443)), "");
  EXPECT_EQ(authorize(id, permission("tcp", 80, 80, "Groups.1.GroupId=" + id)), "");
  EXPECT_EQ(authorize(id, permission("tcp", 80, 80, "Ipv6Ranges.1.CidrIpv6=2001:DB8:0:0::1/32")), "");
  const auto shown = ingress(id);
  EXPECT_EQ(all(shown, "ipProtocol"), (std::vector<std::string>{"tcp", "tcp"}));
  EXPECT_EQ(all(shown, "fromPort"), (std::vector<std::string>{"80", "443"}));
  EXPECT_EQ(all(shown, "cidrIp"), (std::vector<std::string>{"0.0.0.0/0", "10.0.0.0/8", "0.0.0.0/0"}));
  EXPECT_EQ(all(shown, "cidrIpv6"), std::vector<std::string>{"2001:db8::/32"});
  EXPECT_EQ(all(shown, "userId"), std::vector<std::string>{account});
  EXPECT_EQ(all(shown, "groupId"), std::vector<std::string>{id});
}

TEST_F(SecurityGroups, AuthorizeAnswersWithTheRulesAndTheirIds) {
  const auto id = create("web");
  const auto answer =
      call("AuthorizeSecurityGroupIngress",
           "GroupId=" + id + "&" + open(22) + "&IpPermissions.1.IpRanges.1.Description=all&IpPermissions.1.IpRanges.2.CidrIp=10.0.0.0/8");
  EXPECT_EQ(first(answer, "return"), "true");
  const auto ids = all(answer, "securityGroupRuleId");
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_TRUE(ids[0].starts_with("sgr-"));
  EXPECT_EQ(all(answer, "cidrIpv4"), (std::vector<std::string>{"0.0.0.0/0", "10.0.0.0/8"}));
  EXPECT_EQ(first(answer, "description"), "all");
  const auto revoked = call("RevokeSecurityGroupIngress", "GroupId=" + id + "&SecurityGroupRuleId.1=" + ids[0]);
  EXPECT_EQ(first(revoked, "securityGroupRuleId"), ids[0]);
  EXPECT_EQ(all(ingress(id), "cidrIp"), std::vector<std::string>{"10.0.0.0/8"});
  EXPECT_EQ(revoke(id, "SecurityGroupRuleId.1=" + ids[0]), "InvalidSecurityGroupRuleId.NotFound");
  EXPECT_EQ(revoke(id, "SecurityGroupRuleId.1=rule"), "InvalidSecurityGroupRuleId.Malformed");
}

TEST_F(SecurityGroups, OneRuleTwiceIsRefusedAndNothingOfTheRequestStays) {
  const auto id = create("web");
  EXPECT_EQ(authorize(id, open(22)), "");
  EXPECT_EQ(authorize(id, open(23) + "&IpPermissions.2.IpProtocol=6&IpPermissions.2.FromPort=22&IpPermissions.2.ToPort=22&IpPermissions.2."
                                     "IpRanges.1.CidrIp=0.0.0.0/0"),
            "InvalidPermission.Duplicate");
  EXPECT_EQ(message_, "the specified rule \"peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW\" already exists");
  EXPECT_EQ(all(ingress(id), "fromPort"), std::vector<std::string>{"22"});
  EXPECT_EQ(authorize(id, open(80, "10.0.0.1/8") + "&IpPermissions.1.IpRanges.2.CidrIp=10.0.0.0/8"), "InvalidParameterValue");
}

TEST_F(SecurityGroups, ProtocolsHaveOneSpelling) {
  const auto id = create("web");
  EXPECT_EQ(authorize(id, permission("6", 1, 2, "IpRanges.1.CidrIp=0.0.0.0/0")), "");
  EXPECT_EQ(authorize(id, permission("UDP", 1, 2, "IpRanges.1.CidrIp=0.0.0.0/0")), "");
  EXPECT_EQ(authorize(id, permission("1", 8, -1, "IpRanges.1.CidrIp=0.0.0.0/0")), "");
  EXPECT_EQ(authorize(id, "IpPermissions.1.IpProtocol=58&IpPermissions.1.Ipv6Ranges.1.CidrIpv6=::/0"), "");
  EXPECT_EQ(authorize(id, permission("50", 7, 9, "IpRanges.1.CidrIp=0.0.0.0/0")), "");
  EXPECT_EQ(authorize(id, "IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"), "");
  const auto shown = ingress(id);
  EXPECT_EQ(all(shown, "ipProtocol"), (std::vector<std::string>{"tcp", "udp", "icmp", "icmpv6", "50", "-1"}));
  EXPECT_EQ(all(shown, "fromPort"), (std::vector<std::string>{"1", "1", "8", "-1"}));
  EXPECT_EQ(revoke(id, permission("-1", 0, 0, "IpRanges.1.CidrIp=0.0.0.0/0")), "");
}

TEST_F(SecurityGroups, MalformedRules) {
  const auto id = create("web");
  const std::string anyone = "IpRanges.1.CidrIp=0.0.0.0/0";
  for (const auto& wrong :
       {permission("foo", 1, 2, anyone), permission("256", 1, 2, anyone), permission("-2", 1, 2, anyone), permission("tcp", -1, 2, anyone),
        permission("tcp", 1, 65536, anyone), permission("udp", 2, 1, anyone), permission("icmp", 256, 0, anyone),
        permission("icmp", -1, 3, anyone), open(22, "0.0.0.0"), open(22, "10.0.0.0/33"), open(22, "10.0.0/8"), open(22, "::/0"),
        open(22, ""), open(22, "10.0.0.0/"), open(22, "10.0.0.256/8"), permission("tcp", 1, 2, "Ipv6Ranges.1.CidrIpv6=10.0.0.0/8"),
        permission("tcp", 1, 2, "Ipv6Ranges.1.CidrIpv6=::/129"),
        std::string("IpPermissions.1.IpProtocol=tcp&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"),
        open(22) + "&IpPermissions.1.IpRanges.1.Description=a%7Cb"})
    EXPECT_EQ(authorize(id, wrong), "InvalidParameterValue") << wrong;
  EXPECT_EQ(authorize(id, "IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=1&IpPermissions.1.ToPort=1"), "MissingParameter");
  EXPECT_EQ(authorize(id, "IpPermissions.1.FromPort=1&IpPermissions.1.ToPort=1&IpPermissions.1." + anyone), "InvalidParameterValue");
  EXPECT_EQ(authorize(id, "DryRun=false"), "MissingParameter");
  EXPECT_EQ(authorize(id, open(22) + "&CidrIp=0.0.0.0/0"), "InvalidParameterCombination");
  EXPECT_EQ(authorize(id, permission("tcp", 1, 2, "PrefixListIds.1.PrefixListId=pl-12345678")), "InvalidPrefixListID.NotFound");
  version_ = 20111201;
  EXPECT_EQ(authorize(id, open(22, "10.0.0.0/33")), "InvalidPermission.Malformed");
  EXPECT_EQ(ingress(id), "");
}

TEST_F(SecurityGroups, GroupsAsPeers) {
  const auto web = create("web");
  const auto app = create("app");
  EXPECT_EQ(authorize(app, permission("tcp", 1, 2, "Groups.1.GroupName=web")), "");
  EXPECT_EQ(authorize(app, permission("tcp", 1, 2, "Groups.1.GroupId=" + web)), "InvalidPermission.Duplicate");
  EXPECT_EQ(authorize(app, permission("tcp", 3, 4, "Groups.1.GroupId=" + web + "&IpPermissions.1.Groups.1.UserId=" + account)), "");
  EXPECT_EQ(authorize(app, permission("tcp", 5, 6, "Groups.1.GroupId=sg-00000000")), "InvalidGroup.NotFound");
  EXPECT_EQ(authorize(app, permission("tcp", 5, 6, "Groups.1.GroupName=nobody")), "InvalidGroup.NotFound");
  EXPECT_EQ(authorize(app, permission("tcp", 5, 6, "Groups.1.GroupId=web")), "InvalidGroupId.Malformed");
  // Another VPC, another account.
  put<state::Vpc>("vpc-0000000a", [](state::Vpc& vpc) { vpc.cidr = "10.0.0.0/16"; });
  const auto far = first(call("CreateSecurityGroup", "GroupName=web&GroupDescription=d&VpcId=vpc-0000000a"), "groupId");
  EXPECT_EQ(authorize(app, permission("tcp", 5, 6, "Groups.1.GroupId=" + far)), "InvalidGroup.NotFound");
  as_ = stranger;
  const auto foreign = create("theirs");
  as_ = account;
  EXPECT_EQ(authorize(app, permission("tcp", 5, 6, "Groups.1.GroupId=" + foreign)), "InvalidGroup.NotFound");
  EXPECT_EQ(
      authorize(app, permission("tcp", 5, 6, std::string("Groups.1.GroupId=") + foreign + "&IpPermissions.1.Groups.1.UserId=" + stranger)),
      "InvalidGroup.NotFound");
  EXPECT_EQ(authorize(foreign, open(22)), "InvalidGroup.NotFound");
}

TEST_F(SecurityGroups, TheFlatFormOfTheFirstVersions) {
  version_ = 20111201;
  create("web");
  EXPECT_EQ(code("AuthorizeSecurityGroupIngress", "GroupName=web&IpProtocol=tcp&FromPort=22&ToPort=22&CidrIp=0.0.0.0/0"), "");
  EXPECT_EQ(code("AuthorizeSecurityGroupIngress", "GroupName=web&SourceSecurityGroupName=default&SourceSecurityGroupOwnerId=111122223333"),
            "");
  const auto shown = first(call("DescribeSecurityGroups", "GroupName.1=web"), "ipPermissions");
  EXPECT_EQ(all(shown, "ipProtocol"), (std::vector<std::string>{"tcp", "tcp", "udp", "icmp"}));
  EXPECT_EQ(all(shown, "toPort"), (std::vector<std::string>{"22", "65535", "65535", "-1"}));
  EXPECT_EQ(all(shown, "groupName"), (std::vector<std::string>{"default", "default", "default"}));
  EXPECT_EQ(code("RevokeSecurityGroupIngress", "GroupName=web&SourceSecurityGroupName=default&SourceSecurityGroupOwnerId=111122223333"),
            "");
  EXPECT_EQ(code("RevokeSecurityGroupIngress", "GroupName=web&IpProtocol=tcp&FromPort=22&ToPort=22&CidrIp=0.0.0.0/0"), "");
  EXPECT_EQ(first(call("DescribeSecurityGroups", "GroupName.1=web"), "ipPermissions"), "");
}

TEST_F(SecurityGroups, RevokeTakesAllOrNothing) {
  const auto id = create("web");
  EXPECT_EQ(authorize(id, open(22) + "&IpPermissions.1.IpRanges.1.Description=x"), "");
  EXPECT_EQ(revoke(id, open(22) + "&IpPermissions.1.IpRanges.2.CidrIp=10.0.0.0/8"), "InvalidPermission.NotFound");
  EXPECT_EQ(count(ingress(id), "cidrIp"), 1u);
  EXPECT_EQ(revoke(id, open(22)), "");
  EXPECT_EQ(revoke(id, open(22)), "InvalidPermission.NotFound");
}

TEST_F(SecurityGroups, SixtyRulesOfEachKind) {
  const auto id = create("web");
  std::string many;
  for (int i = 0; i < 60; ++i)
    many += fmt::format(
        "&IpPermissions.{0}.IpProtocol=tcp&IpPermissions.{0}.FromPort={0}&IpPermissions.{0}.ToPort={0}&IpPermissions.{0}.IpRanges.1.CidrIp="
        "0.0.0.0/0",
        i + 1);
  EXPECT_EQ(authorize(id, many.substr(1)), "");
  EXPECT_EQ(authorize(id, open(100)), "RulesPerSecurityGroupLimitExceeded");
  EXPECT_EQ(authorize(id, permission("tcp", 100, 100, "Ipv6Ranges.1.CidrIpv6=::/0")), "");
  EXPECT_EQ(count(ingress(id), "cidrIp"), 60u);
}

TEST_F(SecurityGroups, WhatGoesOutHasRulesToo) {
  const auto id = create("web");
  const auto all_out = "GroupId=" + id + "&IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0";
  EXPECT_EQ(code("AuthorizeSecurityGroupEgress", all_out), "InvalidPermission.Duplicate");
  const auto revoked = call("RevokeSecurityGroupEgress", all_out);
  EXPECT_EQ(first(revoked, "return"), "true");
  EXPECT_EQ(first(revoked, "isEgress"), "true");
  EXPECT_EQ(code("RevokeSecurityGroupEgress", all_out), "InvalidPermission.NotFound");
  EXPECT_EQ(first(describe(id), "ipPermissionsEgress"), "");
  const auto made = call("AuthorizeSecurityGroupEgress", "GroupId=" + id + "&" + open(443));
  EXPECT_EQ(first(made, "isEgress"), "true");
  EXPECT_EQ(all(first(describe(id), "ipPermissionsEgress"), "toPort"), std::vector<std::string>{"443"});
  EXPECT_EQ(ingress(id), "");
  EXPECT_EQ(code("RevokeSecurityGroupEgress", "GroupId=" + id + "&SecurityGroupRuleId.1=" + first(made, "securityGroupRuleId")), "");
}

TEST_F(SecurityGroups, RulesHaveTags) {
  const auto id = create("web");
  const auto answer =
      call("AuthorizeSecurityGroupIngress", "GroupId=" + id + "&" + open(22) +
                                                "&TagSpecification.1.ResourceType=security-group-rule&TagSpecification.1.Tag.1.Key=a&"
                                                "TagSpecification.1.Tag.1.Value=b");
  EXPECT_EQ(first(answer, "key"), "a");
  EXPECT_EQ(first(call("DescribeTags"), "resourceType"), "security-group-rule");
  EXPECT_EQ(code("CreateTags", "ResourceId.1=" + first(answer, "securityGroupRuleId") + "&Tag.1.Key=c&Tag.1.Value=d"), "");
  EXPECT_EQ(count(call("DescribeTags"), "item"), 2u);
  EXPECT_EQ(revoke(id, open(22)), "");
  EXPECT_EQ(count(call("DescribeTags"), "item"), 0u);
}

TEST_F(SecurityGroups, OnlyUnusedOnesAreDeleted) {
  const auto web = create("web");
  const auto app = create("app");
  EXPECT_EQ(authorize(app, permission("tcp", 1, 2, "Groups.1.GroupId=" + web)), "");
  EXPECT_EQ(authorize(web, permission("tcp", 1, 2, "Groups.1.GroupId=" + web)), "");
  EXPECT_EQ(code("DeleteSecurityGroup", "GroupId=" + web), "DependencyViolation");
  EXPECT_EQ(message_, "resource " + web + " has a dependent object");
  EXPECT_EQ(code("DeleteSecurityGroup", "GroupName=app"), "");
  put<state::NetworkInterface>("eni-00000001", [&](state::NetworkInterface& interface) { interface.group_ids = {web}; });
  EXPECT_EQ(code("DeleteSecurityGroup", "GroupId=" + web), "DependencyViolation");
  version_ = 20111201;
  EXPECT_EQ(code("DeleteSecurityGroup", "GroupName=web"), "InvalidGroup.InUse");
  EXPECT_EQ(code("DeleteSecurityGroup", "GroupName=default"), "InvalidGroup.Reserved");
  version_ = 20161115;
  EXPECT_EQ(code("DeleteSecurityGroup", "GroupId=" + default_group()), "CannotDelete");
  EXPECT_EQ(code("DeleteSecurityGroup", "GroupName=gone"), "InvalidGroup.NotFound");
  EXPECT_EQ(code("DeleteSecurityGroup", "GroupId=sg-00000000"), "InvalidGroup.NotFound");
  EXPECT_EQ(code("DeleteSecurityGroup"), "MissingParameter");
  EXPECT_EQ(code("DeleteSecurityGroup", "GroupId=" + web + "&GroupName=web"), "InvalidParameterCombination");
}

TEST_F(SecurityGroups, FiltersLookAtTheRules) {
  const auto web = create("web");
  create("app");
  authorize(web, open(80));
  authorize(web, permission("udp", 53, 54, "Groups.1.GroupName=app"));
  const auto names = [&](const std::string& filter, const std::string& value) {
    auto found = all(call("DescribeSecurityGroups", "Filter.1.Name=" + filter + "&Filter.1.Value.1=" + value), "groupDescription");
    return found.size();
  };
  EXPECT_EQ(names("ip-permission.cidr", "0.0.0.0/0"), 1u);
  EXPECT_EQ(names("egress.ip-permission.cidr", "0.0.0.0/0"), 3u);
  EXPECT_EQ(names("ip-permission.protocol", "udp"), 1u);
  EXPECT_EQ(names("ip-permission.from-port", "53"), 1u);
  EXPECT_EQ(names("ip-permission.to-port", "53"), 0u);
  EXPECT_EQ(names("ip-permission.group-name", "app"), 1u);
  EXPECT_EQ(names("ip-permission.group-name", "default"), 1u);  // its members may talk to each other
  EXPECT_EQ(names("ip-permission.user-id", account), 2u);
  EXPECT_EQ(names("group-name", "*e*"), 2u);
  EXPECT_EQ(names("owner-id", stranger), 0u);
  EXPECT_EQ(names("ip-permission.prefix-list-id", "*"), 0u);
  EXPECT_EQ(code("DescribeSecurityGroups", "Filter.1.Name=colour&Filter.1.Value.1=x"), "InvalidParameterValue");
}

TEST_F(SecurityGroups, PagesShowEachGroupOnce) {
  for (int i = 0; i < 12; ++i) create("g" + std::to_string(i));
  std::vector<std::string> seen;
  std::string token;
  int pages = 0;
  do {
    const auto answer = call("DescribeSecurityGroups", "MaxResults=5" + (token.empty() ? "" : "&NextToken=" + token));
    for (const auto& name : all(answer, "groupName")) seen.push_back(name);
    token = first(answer, "nextToken");
    for (size_t at; (at = token.find('+')) != std::string::npos;) token.replace(at, 1, "%2B");
    ++pages;
  } while (!token.empty() && pages < 10);
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(seen.size(), 13u);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
}

TEST_F(SecurityGroups, TenantsAreApart) {
  const auto mine = create("web");
  as_ = stranger;
  EXPECT_EQ(code("DescribeSecurityGroups", "GroupId.1=" + mine), "InvalidGroup.NotFound");
  EXPECT_EQ(code("DescribeSecurityGroups", "GroupName.1=web"), "InvalidGroup.NotFound");
  EXPECT_EQ(all(call("DescribeSecurityGroups"), "groupName"), std::vector<std::string>{"default"});
  EXPECT_EQ(code("DeleteSecurityGroup", "GroupId=" + mine), "InvalidGroup.NotFound");
}

}  // namespace
}  // namespace brume::ec2
