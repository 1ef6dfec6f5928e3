"""Rules of security groups one by one: listed, changed, described and tagged by their ids. What they let through is tested in tests/system."""
import pytest

ANYONE = [{"CidrIp": "0.0.0.0/0"}]


def tcp(port, **peers):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **(peers or {"IpRanges": ANYONE})}


@pytest.fixture
def web(ec2):
    return ec2.create_security_group(GroupName="web", Description="My Web")["GroupId"]


def authorize(ec2, group, *permissions, **more):
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=list(permissions), **more)["SecurityGroupRules"]
    return [rule["SecurityGroupRuleId"] for rule in made]


def listed(ec2, *filters, **parameters):
    if filters:
        parameters["Filters"] = [{"Name": name, "Values": list(values)} for name, *values in filters]
    return ec2.describe_security_group_rules(**parameters)["SecurityGroupRules"]


def one(ec2, rule_id):
    (rule,) = listed(ec2, SecurityGroupRuleIds=[rule_id])
    return rule


def modify(ec2, group, rule_id, **rule):
    return ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": rule_id, "SecurityGroupRule": rule}])["Return"]


def test_each_rule_is_shown_by_itself(ec2, daemon, web):
    tags = [{"Key": "team", "Value": "a"}]
    made = ec2.authorize_security_group_ingress(
        GroupId=web, TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": tags}],
        IpPermissions=[tcp(80, IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "inside"}], Ipv6Ranges=[{"CidrIpv6": "2001:DB8::1/32"}],
                           UserIdGroupPairs=[{"GroupId": web}])])["SecurityGroupRules"]
    rules = listed(ec2, ("group-id", web))
    assert len(rules) == 4 and len({rule["SecurityGroupRuleId"] for rule in rules}) == 4
    assert all(rule["GroupId"] == web and rule["GroupOwnerId"] == daemon.keys.account for rule in rules)
    (out,) = [rule for rule in rules if rule["IsEgress"]]
    assert (out["IpProtocol"], out["FromPort"], out["ToPort"], out["CidrIpv4"]) == ("-1", -1, -1, "0.0.0.0/0") and out["Tags"] == []
    assert sorted((rule["SecurityGroupRuleId"] for rule in made)) == sorted(rule["SecurityGroupRuleId"] for rule in rules if not rule["IsEgress"])
    assert all(rule["Tags"] == tags for rule in rules if not rule["IsEgress"])
    by_range, by_range6, by_group = (one(ec2, rule["SecurityGroupRuleId"]) for rule in made)
    assert by_range["CidrIpv4"] == "10.0.0.0/8" and by_range["Description"] == "inside" and "ReferencedGroupInfo" not in by_range
    assert by_range6["CidrIpv6"] == "2001:db8::/32" and "CidrIpv4" not in by_range6 and "Description" not in by_range6
    assert by_group["ReferencedGroupInfo"] == {"GroupId": web, "UserId": daemon.keys.account}


def test_filters_and_tags(ec2, web, refused):
    first, second = authorize(ec2, web, tcp(80), tcp(81))
    ec2.create_tags(Resources=[first], Tags=[{"Key": "team", "Value": "a"}])
    assert [rule["SecurityGroupRuleId"] for rule in listed(ec2, ("tag:team", "a"))] == [first]
    assert [rule["SecurityGroupRuleId"] for rule in listed(ec2, ("tag-key", "team"))] == [first]
    assert [rule["SecurityGroupRuleId"] for rule in listed(ec2, ("security-group-rule-id", second))] == [second]
    assert listed(ec2, ("security-group-rule-id", first), ("security-group-rule-id", second)) == []
    assert len(listed(ec2)) == 2 + 1 + 2  # and the default group's
    with refused("InvalidParameterValue"):
        listed(ec2, ("ip-protocol", "tcp"))
    with refused("InvalidSecurityGroupRuleId.Malformed"):
        listed(ec2, SecurityGroupRuleIds=["sg-0123456789abcdef0"])
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        listed(ec2, SecurityGroupRuleIds=[first, "sgr-0123456789abcdef0"])
    ec2.revoke_security_group_ingress(GroupId=web, SecurityGroupRuleIds=[first])
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [first]}])["Tags"] == []
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        one(ec2, first)


def test_pages_go_on_where_a_rule_was(ec2, query, web, refused):
    rules = authorize(ec2, web, *(tcp(port) for port in range(1, 18)))
    pages = ec2.get_paginator("describe_security_group_rules").paginate(PaginationConfig={"PageSize": 5})
    ids = [rule["SecurityGroupRuleId"] for page in pages for rule in page["SecurityGroupRules"]]
    assert len(ids) == 20 and len(set(ids)) == 20 and set(rules) < set(ids)
    page = ec2.describe_security_group_rules(MaxResults=5, Filters=[{"Name": "group-id", "Values": [web]}])
    last = page["SecurityGroupRules"][-1]
    way = "egress" if last["IsEgress"] else "ingress"
    getattr(ec2, f"revoke_security_group_{way}")(GroupId=web, SecurityGroupRuleIds=[last["SecurityGroupRuleId"]])
    rest = ec2.describe_security_group_rules(MaxResults=1000, NextToken=page["NextToken"], Filters=[{"Name": "group-id", "Values": [web]}])
    seen = [rule["SecurityGroupRuleId"] for rule in page["SecurityGroupRules"] + rest["SecurityGroupRules"]]
    assert len(seen) == len(set(seen)) == 18
    assert query("DescribeSecurityGroupRules", version="2016-11-15", MaxResults="4").code == "InvalidParameterValue"
    with refused("InvalidNextToken"):
        ec2.describe_security_group_rules(MaxResults=5, NextToken="nonsense")


def test_a_rule_becomes_another_and_keeps_id_and_tags(ec2, web):
    first, second = authorize(ec2, web, tcp(80, IpRanges=[{"CidrIp": "0.0.0.0/0", "Description": "all"}]), tcp(81))
    ec2.create_tags(Resources=[first], Tags=[{"Key": "team", "Value": "a"}])
    assert modify(ec2, web, first, IpProtocol="udp", FromPort=53, ToPort=54, CidrIpv4="10.0.0.0/8") is True
    rule = one(ec2, first)
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"], rule["CidrIpv4"]) == ("udp", 53, 54, "10.0.0.0/8")
    assert rule["Tags"] == [{"Key": "team", "Value": "a"}] and "Description" not in rule
    assert one(ec2, second)["FromPort"] == 81
    (out,) = [rule["SecurityGroupRuleId"] for rule in listed(ec2, ("group-id", web)) if rule["IsEgress"]]
    modify(ec2, web, out, IpProtocol="icmp", FromPort=8, ToPort=0, CidrIpv4="0.0.0.0/0", Description="pings")
    assert one(ec2, out)["IsEgress"] is True and one(ec2, out)["Description"] == "pings"
    (seen,) = ec2.describe_security_groups(GroupIds=[web])["SecurityGroups"][0]["IpPermissionsEgress"]
    assert (seen["IpProtocol"], seen["FromPort"], seen["ToPort"]) == ("icmp", 8, 0)


def test_two_rules_may_change_places(ec2, web):
    first, second = authorize(ec2, web, tcp(80), tcp(81))
    as_rule = {"IpProtocol": "tcp", "CidrIpv4": "0.0.0.0/0"}
    ec2.modify_security_group_rules(GroupId=web, SecurityGroupRules=[
        {"SecurityGroupRuleId": first, "SecurityGroupRule": {**as_rule, "FromPort": 81, "ToPort": 81}},
        {"SecurityGroupRuleId": second, "SecurityGroupRule": {**as_rule, "FromPort": 80, "ToPort": 80}}])
    assert one(ec2, first)["FromPort"] == 81 and one(ec2, second)["FromPort"] == 80


def test_what_a_rule_may_not_become(ec2, web, refused):
    by_range, by_group = authorize(ec2, web, tcp(80), tcp(80, UserIdGroupPairs=[{"GroupId": web}]))
    (elsewhere,) = authorize(ec2, ec2.create_security_group(GroupName="app", Description="d")["GroupId"], tcp(80))
    (other,) = authorize(ec2, web, tcp(81))
    before = listed(ec2)
    ports = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    with refused("InvalidPermission.Duplicate"):
        modify(ec2, web, other, **ports, CidrIpv4="0.0.0.0/0")
    with refused("InvalidParameterValue"):  # of another type
        modify(ec2, web, by_range, **ports, CidrIpv6="::/0")
    with refused("InvalidParameterValue"):
        modify(ec2, web, by_range, **ports, ReferencedGroupId=web)
    with refused("InvalidParameterValue"):
        modify(ec2, web, by_group, **ports, CidrIpv4="0.0.0.0/0")
    with refused("InvalidParameterValue"):  # of two, of none
        modify(ec2, web, by_range, **ports, CidrIpv4="0.0.0.0/0", CidrIpv6="::/0")
    with refused("InvalidParameterValue"):
        modify(ec2, web, by_range, **ports)
    with refused("InvalidParameterValue"):
        modify(ec2, web, by_range, IpProtocol="-1", FromPort=80, ToPort=80, CidrIpv4="0.0.0.0/0")
    with refused("InvalidParameterValue"):
        modify(ec2, web, by_range, **ports, CidrIpv4="10.1.2.3/8")
    with refused("InvalidParameterValue"):
        modify(ec2, web, by_range, FromPort=80, ToPort=80, CidrIpv4="0.0.0.0/0")
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        modify(ec2, web, elsewhere, **ports, CidrIpv4="0.0.0.0/0")
    with refused("InvalidSecurityGroupRuleId.Malformed"):
        modify(ec2, web, web, **ports, CidrIpv4="0.0.0.0/0")
    with refused("InvalidParameterValue"):  # twice
        ec2.modify_security_group_rules(GroupId=web, SecurityGroupRules=[
            {"SecurityGroupRuleId": other, "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIpv4": "0.0.0.0/0"}} for port in (90, 91)])
    # The first of two is good: none is changed.
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        ec2.modify_security_group_rules(GroupId=web, SecurityGroupRules=[
            {"SecurityGroupRuleId": rule, "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 99, "ToPort": 99, "CidrIpv4": "0.0.0.0/0"}}
            for rule in (other, "sgr-0123456789abcdef0")])
    assert listed(ec2) == before


def test_descriptions(ec2, web, refused):
    first, second = authorize(ec2, web, tcp(80), tcp(81, IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "old"}]))
    ec2.update_security_group_rule_descriptions_ingress(GroupId=web, IpPermissions=[tcp(80, IpRanges=[{"CidrIp": "0.0.0.0/0", "Description": "web"}])])
    ec2.update_security_group_rule_descriptions_ingress(GroupName="web", SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": second}])
    assert one(ec2, first)["Description"] == "web" and "Description" not in one(ec2, second)
    (out,) = [rule["SecurityGroupRuleId"] for rule in listed(ec2, ("group-id", web)) if rule["IsEgress"]]
    ec2.update_security_group_rule_descriptions_egress(GroupId=web, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": out, "Description": "out"}])
    assert one(ec2, out)["Description"] == "out"
    ec2.update_security_group_rule_descriptions_egress(GroupId=web, IpPermissions=[{"IpProtocol": "-1", "IpRanges": ANYONE}])
    assert "Description" not in one(ec2, out)
    with refused("InvalidPermission.NotFound"):
        ec2.update_security_group_rule_descriptions_ingress(GroupId=web, IpPermissions=[tcp(82)])
    with refused("InvalidSecurityGroupRuleId.NotFound"):  # it is of the other direction
        ec2.update_security_group_rule_descriptions_ingress(GroupId=web, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": out}])
    with refused("InvalidParameterCombination"):
        ec2.update_security_group_rule_descriptions_ingress(GroupId=web)
    with refused("InvalidParameterValue"):
        ec2.update_security_group_rule_descriptions_ingress(GroupId=web, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": first, "Description": "a|b"}])
    assert one(ec2, first)["Description"] == "web"


def test_accounts_are_apart(ec2, web, other, refused):
    (rule,) = authorize(ec2, web, tcp(80))
    assert all(shown["GroupId"] != web for shown in listed(other))
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        one(other, rule)
    with refused("InvalidGroup.NotFound"):
        modify(other, web, rule, IpProtocol="tcp", FromPort=1, ToPort=1, CidrIpv4="0.0.0.0/0")
    with refused("InvalidGroup.NotFound"):
        other.update_security_group_rule_descriptions_ingress(GroupId=web, IpPermissions=[tcp(80)])


def test_groups_for_a_vpc(ec2, query, web):
    """Debian's boto3 does not know this action."""
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    there = ec2.create_security_group(GroupName="there", Description="over there", VpcId=vpc,
                                      TagSpecifications=[{"ResourceType": "security-group", "Tags": [{"Key": "k", "Value": "v"}]}])["GroupId"]

    def groups(**filters):
        parameters = {"VpcId": vpc}
        for place, (name, value) in enumerate(filters.items(), 1):
            parameters |= {f"Filter.{place}.Name": name.replace("_", "-"), f"Filter.{place}.Value.1": value}
        answer = query("GetSecurityGroupsForVpc", version="2016-11-15", parameters=parameters)
        assert answer.status == 200
        return answer

    item = "securityGroupForVpcSet/item/"
    assert sorted(groups().texts(item + "groupName")) == ["default", "there"]
    found = groups(group_name="th*", primary_vpc_id=vpc)
    assert found.texts(item + "groupId") == [there] and found.texts(item + "primaryVpcId") == [vpc] and found.texts(item + "tagSet/item/value") == ["v"]
    assert groups(group_name="web").texts(item + "groupId") == []
    assert query("GetSecurityGroupsForVpc", version="2016-11-15", VpcId="vpc-0123456789abcdef0").code == "InvalidVpcID.NotFound"
    assert query("GetSecurityGroupsForVpc", version="2016-11-15").code == "MissingParameter"


# ----- 2011-12-01


def test_the_guides_limit_of_rules(query, ec2):
    group = ec2.create_security_group(GroupName="many", Description="d")["GroupId"]

    def add(first, count):
        return {f"IpPermissions.{i + 1}.{name}": value for i in range(count) for name, value in
                (("IpProtocol", "tcp"), ("FromPort", str(first + i)), ("ToPort", str(first + i)), ("IpRanges.1.CidrIp", "0.0.0.0/0"))}

    assert query("AuthorizeSecurityGroupIngress", parameters=add(1, 100), GroupId=group).texts("return") == ["true"]
    assert query("AuthorizeSecurityGroupIngress", parameters=add(101, 1), GroupId=group).code == "RulesPerSecurityGroupLimitExceeded"


def test_a_rule_without_a_protocol(ec2, web, refused):
    text = "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly."
    (rule,) = authorize(ec2, web, tcp(22))
    bare = {"FromPort": 80, "ToPort": 80, "IpRanges": ANYONE}
    flat = {"FromPort": 80, "ToPort": 80, "CidrIp": "192.0.2.0/24"}
    for call, asked in ((ec2.authorize_security_group_ingress, {"IpPermissions": [bare]}), (ec2.authorize_security_group_egress, {"IpPermissions": [bare]}),
                        (ec2.authorize_security_group_ingress, flat), (ec2.authorize_security_group_egress, flat),
                        (ec2.revoke_security_group_ingress, {"IpPermissions": [bare]}), (ec2.revoke_security_group_egress, {"IpPermissions": [bare]}),
                        (ec2.update_security_group_rule_descriptions_ingress, {"IpPermissions": [bare]}), (ec2.update_security_group_rule_descriptions_egress, {"IpPermissions": [bare]}),
                        (ec2.modify_security_group_rules, {"SecurityGroupRules": [{"SecurityGroupRuleId": rule, "SecurityGroupRule": {"FromPort": 80, "ToPort": 80, "CidrIpv4": "192.0.2.2/32"}}]})):
        with pytest.raises(Exception) as told:
            call(GroupId=web, **asked)
        error = told.value.response["Error"]
        assert (error["Code"], error["Message"]) == ("InvalidParameterValue", text), asked
    # A protocol that is there and empty is none either.
    with refused("InvalidParameterValue"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[{**bare, "IpProtocol": ""}])
    assert one(ec2, rule)["IpProtocol"] == "tcp"


def test_values_of_filters_are_read(ec2, web, refused):
    (rule,) = authorize(ec2, web, tcp(22))
    for name, value, code, text in (("group-id", "no-group", "InvalidGroupId.Malformed", "The security group ID 'no-group' is malformed"),
                                    ("group-id", "sg-*", "InvalidGroupId.Malformed", "The security group ID 'sg-*' is malformed"),
                                    ("security-group-rule-id", rule[:-1], "InvalidSecurityGroupRuleId.Malformed", f"The security group rule ID '{rule[:-1]}' is malformed")):
        with pytest.raises(Exception) as told:
            listed(ec2, (name, value))
        assert (told.value.response["Error"]["Code"], told.value.response["Error"]["Message"]) == (code, text)
    assert listed(ec2, ("group-id", "sg-0123456789abcdef0")) == listed(ec2, ("security-group-rule-id", "sgr-0123456789abcdef0")) == []
    assert [each["SecurityGroupRuleId"] for each in listed(ec2, ("group-id", web), ("security-group-rule-id", rule))] == [rule]
    # Those of other calls may be any text.
    assert ec2.describe_security_groups(Filters=[{"Name": "group-id", "Values": ["no-group"]}])["SecurityGroups"] == []
