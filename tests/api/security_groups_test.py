"""Security groups as boto3 and boto 2 see them (NET-048 to NET-064). What they let through is tested in tests/system."""
import pytest

ANYONE = [{"CidrIp": "0.0.0.0/0"}]


def tcp(port, to=None, **peers):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port if to is None else to, **(peers or {"IpRanges": ANYONE})}


@pytest.fixture
def web(ec2):
    return ec2.create_security_group(GroupName="web", Description="My Web")["GroupId"]


def group(ec2, group_id):
    (one,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    return one


def names(ec2, *filters, **parameters):
    if filters:
        parameters["Filters"] = [{"Name": name, "Values": list(values)} for name, *values in filters]
    return sorted(one["GroupName"] for one in ec2.describe_security_groups(**parameters)["SecurityGroups"])


def test_an_account_has_a_default_group(ec2):
    (default,) = ec2.describe_security_groups()["SecurityGroups"]
    assert default["GroupName"] == "default"
    (rule,) = default["IpPermissions"]
    assert rule["IpProtocol"] == "-1" and "FromPort" not in rule
    assert [peer["GroupId"] for peer in rule["UserIdGroupPairs"]] == [default["GroupId"]]
    (out,) = default["IpPermissionsEgress"]
    assert out["IpProtocol"] == "-1" and out["IpRanges"] == ANYONE


def test_create(ec2, daemon, web):
    one = group(ec2, web)
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    assert one["GroupName"] == "web" and one["Description"] == "My Web"
    assert one["OwnerId"] == daemon.keys.account and one["VpcId"] == vpc["VpcId"]
    assert one["IpPermissions"] == []
    (out,) = one["IpPermissionsEgress"]
    assert out == {"IpProtocol": "-1", "IpRanges": ANYONE, "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}


def test_create_refuses(ec2, web, refused):
    with refused("InvalidGroup.Duplicate"):
        ec2.create_security_group(GroupName="web", Description="d")
    for name in ("default", "sg-12345678", "a|b", "é", "x" * 256):
        with refused("InvalidParameterValue"):
            ec2.create_security_group(GroupName=name, Description="d")
    with refused("InvalidParameterValue"):
        ec2.create_security_group(GroupName="x", Description="d" * 256)
    with refused("MissingParameter"):
        ec2.create_security_group(GroupName="x", Description="")
    with refused("InvalidVpcID.NotFound"):
        ec2.create_security_group(GroupName="x", Description="d", VpcId="vpc-0123456789abcdef0")
    with refused("DryRunOperation", 412):
        ec2.create_security_group(GroupName="x", Description="d", DryRun=True)
    assert names(ec2) == ["default", "web"]


def test_create_with_tags(ec2):
    tags = [{"Key": "Name", "Value": "w"}]
    made = ec2.create_security_group(GroupName="web", Description="d", TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}])
    assert made["Tags"] == tags
    assert group(ec2, made["GroupId"])["Tags"] == tags
    assert names(ec2, ("tag:Name", "w")) == ["web"]


def test_authorize_and_describe(ec2, daemon, web):
    answer = ec2.authorize_security_group_ingress(
        GroupId=web,
        IpPermissions=[
            tcp(80, IpRanges=[{"CidrIp": "10.0.0.5/8", "Description": "the office"}, {"CidrIp": "192.0.2.1/32"}], UserIdGroupPairs=[{"GroupId": web}]),
            tcp(8000, 8080, Ipv6Ranges=[{"CidrIpv6": "2001:DB8::/32"}]),
            {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": ANYONE},
        ],
    )
    assert answer["Return"] is True
    rules = answer["SecurityGroupRules"]
    assert len(rules) == 5 and all(rule["SecurityGroupRuleId"].startswith("sgr-") for rule in rules)
    assert all(rule["GroupId"] == web and rule["IsEgress"] is False and rule["GroupOwnerId"] == daemon.keys.account for rule in rules)
    assert rules[0]["CidrIpv4"] == "10.0.0.0/8" and rules[0]["Description"] == "the office"
    assert rules[2]["ReferencedGroupInfo"]["GroupId"] == web
    http, range_, icmp = group(ec2, web)["IpPermissions"]
    assert http["IpRanges"] == [{"CidrIp": "10.0.0.0/8", "Description": "the office"}, {"CidrIp": "192.0.2.1/32"}]
    assert http["UserIdGroupPairs"] == [{"GroupId": web, "UserId": daemon.keys.account}]
    assert (range_["FromPort"], range_["ToPort"]) == (8000, 8080)
    assert range_["Ipv6Ranges"] == [{"CidrIpv6": "2001:db8::/32"}]
    assert (icmp["IpProtocol"], icmp["FromPort"], icmp["ToPort"]) == ("icmp", 8, -1)


def test_later_rules_of_a_range_join_the_earlier(ec2, web):
    for cidr in ("10.0.0.0/8", "192.0.2.0/24"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(80, IpRanges=[{"CidrIp": cidr}])])
    (http,) = group(ec2, web)["IpPermissions"]
    assert [one["CidrIp"] for one in http["IpRanges"]] == ["10.0.0.0/8", "192.0.2.0/24"]


def test_what_is_described_can_be_revoked_as_it_is(ec2, web):
    ec2.authorize_security_group_ingress(
        GroupId=web,
        IpPermissions=[tcp(80), tcp(22, UserIdGroupPairs=[{"GroupId": web}]), {"IpProtocol": "-1", "IpRanges": ANYONE},
                       {"IpProtocol": "50", "IpRanges": ANYONE}, {"IpProtocol": "icmpv6", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}],
    )
    permissions = group(ec2, web)["IpPermissions"]
    answer = ec2.revoke_security_group_ingress(GroupId=web, IpPermissions=permissions)
    assert answer["Return"] is True
    assert group(ec2, web)["IpPermissions"] == []


def test_flat_parameters(ec2, web):
    ec2.authorize_security_group_ingress(GroupName="web", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    ec2.authorize_security_group_ingress(GroupName="web", SourceSecurityGroupName="default")
    assert [(one["IpProtocol"], one["FromPort"], one["ToPort"]) for one in group(ec2, web)["IpPermissions"]] == [
        ("tcp", 22, 22), ("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1)]
    ec2.revoke_security_group_ingress(GroupName="web", SourceSecurityGroupName="default")
    ec2.revoke_security_group_ingress(GroupName="web", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    assert group(ec2, web)["IpPermissions"] == []


def test_a_rule_twice(ec2, web, refused):
    ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(80)])
    with refused("InvalidPermission.Duplicate"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(81), tcp(80)])
    with refused("InvalidParameterValue"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(81), tcp(81)])
    assert len(group(ec2, web)["IpPermissions"]) == 1


def test_a_rule_that_is_not_there(ec2, web, refused):
    ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(80)])
    with refused("InvalidPermission.NotFound"):
        ec2.revoke_security_group_ingress(GroupId=web, IpPermissions=[tcp(80), tcp(81)])
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        ec2.revoke_security_group_ingress(GroupId=web, SecurityGroupRuleIds=["sgr-0123456789abcdef0"])
    assert len(group(ec2, web)["IpPermissions"]) == 1


def test_revoke_by_rule_id(ec2, web):
    made = ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(80), tcp(81)])["SecurityGroupRules"]
    ec2.revoke_security_group_ingress(GroupId=web, SecurityGroupRuleIds=[made[0]["SecurityGroupRuleId"]])
    assert [one["FromPort"] for one in group(ec2, web)["IpPermissions"]] == [81]


@pytest.mark.parametrize(
    "permission",
    [
        tcp(70000), tcp(-1), tcp(90, 80), {"IpProtocol": "tcp", "IpRanges": ANYONE}, {**tcp(1), "IpProtocol": "foo"}, {**tcp(1), "IpProtocol": "300"},
        tcp(80, IpRanges=[{"CidrIp": "10.0.0.0"}]), tcp(80, IpRanges=[{"CidrIp": "10.0.0.0/33"}]), tcp(80, IpRanges=[{"CidrIp": "300.0.0.0/8"}]),
        tcp(80, Ipv6Ranges=[{"CidrIpv6": "10.0.0.0/8"}]), {"IpProtocol": "icmp", "FromPort": 300, "ToPort": 0, "IpRanges": ANYONE},
        tcp(80, IpRanges=[{"CidrIp": "0.0.0.0/0", "Description": "a|b"}]),
    ],
    ids=str,
)
def test_malformed_rules(ec2, web, refused, permission):
    with refused("InvalidParameterValue"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[permission])
    assert group(ec2, web)["IpPermissions"] == []


def test_incomplete_requests(ec2, web, refused):
    with refused("MissingParameter"):
        ec2.authorize_security_group_ingress(GroupId=web)
    with refused("MissingParameter"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(80, IpRanges=[])])
    with refused("MissingParameter"):
        ec2.authorize_security_group_ingress(IpPermissions=[tcp(80)])
    with refused("InvalidParameterCombination"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(80)], CidrIp="0.0.0.0/0")
    with refused("InvalidGroup.NotFound"):
        ec2.authorize_security_group_ingress(GroupId="sg-0123456789abcdef0", IpPermissions=[tcp(80)])
    with refused("InvalidGroupId.Malformed"):
        ec2.authorize_security_group_ingress(GroupId="web", IpPermissions=[tcp(80)])
    with refused("InvalidPrefixListID.NotFound"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(80, PrefixListIds=[{"PrefixListId": "pl-0123456789abcdef0"}])])


def test_sixty_rules(ec2, web, refused):
    ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(port) for port in range(1, 61)])
    with refused("RulesPerSecurityGroupLimitExceeded"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(61)])


def test_egress_as_terraform_sets_it(ec2, web, refused):
    everything = {"IpProtocol": "-1", "IpRanges": ANYONE}
    gone = ec2.revoke_security_group_egress(GroupId=web, IpPermissions=[everything])
    assert gone["Return"] is True
    with refused("InvalidPermission.NotFound"):
        ec2.revoke_security_group_egress(GroupId=web, IpPermissions=[{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}])
    assert group(ec2, web)["IpPermissionsEgress"] == []
    (rule,) = ec2.authorize_security_group_egress(GroupId=web, IpPermissions=[tcp(443)])["SecurityGroupRules"]
    assert rule["IsEgress"] is True
    assert [one["ToPort"] for one in group(ec2, web)["IpPermissionsEgress"]] == [443]
    assert group(ec2, web)["IpPermissions"] == []
    ec2.revoke_security_group_egress(GroupId=web, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    assert group(ec2, web)["IpPermissionsEgress"] == []


def test_delete(ec2, web, refused):
    app = ec2.create_security_group(GroupName="app", Description="d")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=app, IpPermissions=[tcp(80, UserIdGroupPairs=[{"GroupId": web}])])
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=web)
    ec2.delete_security_group(GroupName="app")
    ec2.delete_security_group(GroupId=web)
    with refused("InvalidGroup.NotFound"):
        ec2.delete_security_group(GroupId=web)
    with refused("CannotDelete"):
        ec2.delete_security_group(GroupName="default")
    assert names(ec2) == ["default"]


def test_a_group_in_use_stays(ec2, web, refused):
    image = ec2.describe_images()["Images"][0]["ImageId"]
    run = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SecurityGroupIds=[web])
    instance = run["Instances"][0]["InstanceId"]
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=web)
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    ec2.delete_security_group(GroupId=web)


def test_filters(ec2, web, refused):
    ec2.create_security_group(GroupName="app", Description="d")
    ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(80), {"IpProtocol": "udp", "FromPort": 53, "ToPort": 54, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
    assert names(ec2, ("group-name", "web", "app")) == ["app", "web"]
    assert names(ec2, ("description", "My*")) == ["web"]
    assert names(ec2, ("ip-permission.protocol", "udp"), ("ip-permission.from-port", "80")) == ["web"]  # not of one rule
    assert names(ec2, ("ip-permission.cidr", "10.*")) == ["web"]
    assert names(ec2, ("ip-permission.to-port", "53")) == []
    assert names(ec2, ("egress.ip-permission.protocol", "-1")) == ["app", "default", "web"]
    assert names(ec2, ("group-id", web)) == ["web"]
    assert names(ec2, GroupNames=["app", "web"]) == ["app", "web"]
    with refused("InvalidParameterValue"):
        names(ec2, ("colour", "red"))
    with refused("InvalidGroup.NotFound"):
        names(ec2, GroupNames=["web", "nobody"])


def test_pages(ec2, refused):
    for i in range(12):
        ec2.create_security_group(GroupName=f"g{i}", Description="d")
    pages = list(ec2.get_paginator("describe_security_groups").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["SecurityGroups"]) for page in pages] == [5, 5, 3]
    assert len({one["GroupId"] for page in pages for one in page["SecurityGroups"]}) == 13
    with refused("InvalidNextToken"):
        ec2.describe_security_groups(MaxResults=5, NextToken="nonsense")
    with refused("InvalidParameterValue"):
        ec2.describe_security_groups(MaxResults=1001)


def test_accounts_are_apart(ec2, web, other, other_account, refused):
    assert names(other) == ["default"]
    with refused("InvalidGroup.NotFound"):
        other.describe_security_groups(GroupIds=[web])
    with refused("InvalidGroup.NotFound"):
        other.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(80)])
    with refused("InvalidGroup.NotFound"):
        other.delete_security_group(GroupId=web)
    theirs = other.create_security_group(GroupName="web", Description="d")["GroupId"]
    with refused("InvalidGroup.NotFound"):
        ec2.authorize_security_group_ingress(
            GroupId=web, IpPermissions=[tcp(80, UserIdGroupPairs=[{"GroupId": theirs, "UserId": other_account.account}])])


# ----- 2011-12-01


def test_boto2_group_with_rules(old, refused):
    web = old.create_security_group("webservers", "My Web Server Group")
    assert web.id.startswith("sg-")
    assert web.authorize("tcp", 80, 80, "0.0.0.0/0")
    assert web.authorize(src_group=old.get_all_security_groups(groupnames=["default"])[0])
    with refused("InvalidPermission.Duplicate"):
        web.authorize("tcp", 80, 80, "0.0.0.0/0")
    (web,) = old.get_all_security_groups(groupnames=["webservers"])
    assert [(rule.ip_protocol, rule.from_port, rule.to_port) for rule in web.rules] == [
        ("tcp", "80", "80"), ("tcp", "0", "65535"), ("udp", "0", "65535"), ("icmp", "-1", "-1")]
    assert web.rules[0].grants[0].cidr_ip == "0.0.0.0/0"
    assert web.rules[1].grants[0].name == "default"
    assert web.revoke("tcp", 80, 80, "0.0.0.0/0")
    assert old.delete_security_group("webservers")
    with refused("InvalidGroup.NotFound"):
        old.get_all_security_groups(groupnames=["webservers"])


def test_boto2_errors_of_the_time(old, refused):
    with refused("InvalidGroup.Reserved"):
        old.create_security_group("default", "d")
    old.create_security_group("other", "d")
    with refused("InvalidGroup.Reserved"):
        old.delete_security_group("default")
    with refused("InvalidPermission.Malformed"):
        old.authorize_security_group("other", ip_protocol="tcp", from_port=80, to_port=80, cidr_ip="10.0.0.0/99")


def test_the_guides_requests(query):
    made = query("CreateSecurityGroup", GroupName="WebServers", GroupDescription="Web")
    (group_id,) = made.texts("groupId")
    assert made.texts("return") == ["true"]
    rule = {"IpPermissions.1.IpProtocol": "tcp", "IpPermissions.1.FromPort": "80", "IpPermissions.1.ToPort": "80",
            "IpPermissions.1.IpRanges.1.CidrIp": "0.0.0.0/0"}
    assert query("AuthorizeSecurityGroupIngress", parameters=rule, GroupName="WebServers").texts("return") == ["true"]
    listed = query("DescribeSecurityGroups", parameters={"GroupName.1": "WebServers"})
    item = "securityGroupInfo/item/"
    assert listed.texts(item + "groupId") == [group_id]
    assert listed.texts(item + "groupDescription") == ["Web"]
    assert listed.texts(item + "ipPermissions/item/ipRanges/item/cidrIp") == ["0.0.0.0/0"]
    assert listed.texts(item + "ipPermissions/item/groups/item") == []
    assert query("RevokeSecurityGroupIngress", parameters=rule, GroupId=group_id).texts("return") == ["true"]
    assert query("DeleteSecurityGroup", GroupId=group_id).texts("return") == ["true"]
