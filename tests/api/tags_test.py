"""Tags as boto3 and boto 2 see them (NET-017 to NET-024)."""
import re
import urllib.parse

import botocore.exceptions
import pytest

from conftest import ROOT
from signing import FORM, send


@pytest.fixture
def groups(ec2):
    """Two things to tag."""
    return [ec2.create_security_group(GroupName=name, Description="d")["GroupId"] for name in ("one", "two")]


def tag(key, value=""):
    return {"Key": key, "Value": value}


def listed(ec2, *filters):
    parameters = {"Filters": [{"Name": name, "Values": list(values)} for name, *values in filters]} if filters else {}
    return sorted((one["ResourceId"], one["Key"], one["Value"]) for one in ec2.describe_tags(**parameters)["Tags"])


def test_several_tags_on_several_resources(ec2, groups):
    ec2.create_tags(Resources=groups, Tags=[tag("webserver"), tag("stack", "Production")])
    tags = ec2.describe_tags()["Tags"]
    assert len(tags) == 4 and {one["ResourceType"] for one in tags} == {"security-group"}
    assert listed(ec2, ("resource-id", groups[0])) == [(groups[0], "stack", "Production"), (groups[0], "webserver", "")]
    described = ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"]
    assert all(one["Tags"] == [tag("stack", "Production"), tag("webserver")] for one in described)


def test_a_tag_again_changes_its_value(ec2, groups):
    ec2.create_tags(Resources=groups[:1], Tags=[tag("Owner", "TeamA")])
    ec2.create_tags(Resources=groups[:1], Tags=[tag("Owner", "TeamB"), tag("owner", "x")])
    assert listed(ec2) == [(groups[0], "Owner", "TeamB"), (groups[0], "owner", "x")]


@pytest.mark.parametrize("wrong", [tag("", "x"), tag("aws:x", "x"), tag("AWS:x", "x"), tag("k" * 129, "x"), tag("k", "v" * 257), {"Key": "k"}], ids=str)
def test_what_a_tag_may_not_be(ec2, groups, refused, wrong):
    with refused("InvalidParameterValue"):
        ec2.create_tags(Resources=groups, Tags=[tag("good", "x"), wrong])
    assert listed(ec2) == []


def test_lengths_count_characters(ec2, groups):
    ec2.create_tags(Resources=groups[:1], Tags=[tag("é" * 128, "日" * 256)])
    assert listed(ec2) == [(groups[0], "é" * 128, "日" * 256)]


def test_markup_and_spaces_stay_as_they_are(ec2, groups):
    ec2.create_tags(Resources=groups[:1], Tags=[tag("a <b> & \"c\" ", " 1\t2 + 'x' ")])
    assert listed(ec2) == [(groups[0], "a <b> & \"c\" ", " 1\t2 + 'x' ")]


def test_fifty_tags(ec2, groups, refused):
    ec2.create_tags(Resources=groups[:1], Tags=[tag(f"k{i}", "v") for i in range(50)])
    with refused("TagLimitExceeded"):
        ec2.create_tags(Resources=groups, Tags=[tag("more")])
    assert len(listed(ec2)) == 50
    ec2.create_tags(Resources=groups[:1], Tags=[tag("k1", "changed")])


@pytest.mark.parametrize(
    "missing, code",
    [
        ("i-0123456789abcdef0", "InvalidInstanceID.NotFound"), ("vol-0123456789abcdef0", "InvalidVolume.NotFound"),
        ("snap-0123456789abcdef0", "InvalidSnapshot.NotFound"), ("ami-0123456789abcdef0", "InvalidAMIID.NotFound"),
        ("sg-0123456789abcdef0", "InvalidGroup.NotFound"), ("key-0123456789abcdef0", "InvalidKeyPair.NotFound"),
        ("vpc-0123456789abcdef0", "InvalidVpcID.NotFound"), ("subnet-0123456789abcdef0", "InvalidSubnetID.NotFound"),
        ("i-xyz", "InvalidID"), ("nonsense", "InvalidID"),
    ],
)
def test_all_or_nothing(ec2, groups, refused, missing, code):
    with refused(code):
        ec2.create_tags(Resources=[groups[0], missing], Tags=[tag("a", "b")])
    with refused(code):
        ec2.delete_tags(Resources=[missing], Tags=[tag("a", "b")])
    assert listed(ec2) == []


# Every kind of id that there is: (prefix, type, code when malformed, code when not there). In no other place are all of them asked for.
KINDS = re.findall(r'^  \{"(\w+)", "([\w-]+)", "([\w.]+)", "([\w.]+)",', (ROOT / "src/ec2/common/resource_ids.cpp").read_text(), re.MULTILINE)


@pytest.mark.parametrize("prefix, _, malformed, unknown", KINDS)
def test_every_kind_of_id(ec2, refused, prefix, _, malformed, unknown):
    for missing in (prefix + "-0123456789abcdef0", prefix + "-01234567"):
        with refused(unknown):
            ec2.create_tags(Resources=[missing], Tags=[tag("a", "b")])
    assert malformed.endswith("Malformed")
    for wrong in (prefix + "-1", prefix + "-0123456789ABCDEF0", prefix):
        for call in (ec2.create_tags, ec2.delete_tags):
            with pytest.raises(botocore.exceptions.ClientError, match=re.escape(f"The ID '{wrong}' is not valid")) as caught:
                call(Resources=[wrong], Tags=[tag("a", "b")])
            assert caught.value.response["Error"]["Code"] == "InvalidID"


def test_no_resource_and_no_tag(ec2, groups):
    for call, parameters, name in ((ec2.create_tags, {"Resources": [], "Tags": [tag("a", "b")]}, "resourceIdSet"), (ec2.create_tags, {"Resources": [], "Tags": []}, "resourceIdSet"),
                                   (ec2.delete_tags, {"Resources": [], "Tags": [tag("a", "b")]}, "resourceIdSet"), (ec2.create_tags, {"Resources": groups[:1], "Tags": []}, "tagSet")):
        with pytest.raises(botocore.exceptions.ClientError, match=f"The request must contain the parameter {name}$") as caught:
            call(**parameters)
        assert caught.value.response["Error"]["Code"] == "MissingParameter"


def test_there_are_kinds():
    assert len(KINDS) >= 20 and ("i", "instance", "InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound") in KINDS


def test_delete(ec2, groups):
    ec2.create_tags(Resources=groups, Tags=[tag("a", "1"), tag("b", "2"), tag("c", "")])
    ec2.delete_tags(Resources=groups, Tags=[{"Key": "a"}, tag("b", "other"), tag("c", "")])
    assert listed(ec2) == sorted((one, "b", "2") for one in groups)
    ec2.delete_tags(Resources=groups, Tags=[tag("b", "")])  # only an empty value
    assert len(listed(ec2)) == 2
    ec2.delete_tags(Resources=groups[:1])
    assert listed(ec2) == [(groups[1], "b", "2")]
    ec2.delete_tags(Resources=groups, Tags=[{"Key": "never there"}])


def test_filters(ec2, groups, refused):
    one, two = groups
    ec2.create_tags(Resources=[one], Tags=[tag("stack", "Test"), tag("Owner", "TeamA"), tag("empty")])
    ec2.create_tags(Resources=[two], Tags=[tag("stack", "Production")])
    assert listed(ec2, ("key", "stack"), ("value", "Test", "Production")) == sorted([(one, "stack", "Test"), (two, "stack", "Production")])
    assert listed(ec2, ("value", "")) == [(one, "empty", "")]
    assert listed(ec2, ("value", "Team?")) == [(one, "Owner", "TeamA")]
    assert listed(ec2, ("resource-type", "instance")) == []
    assert listed(ec2, ("tag:Owner", "*")) == [(one, "Owner", "TeamA")]
    with refused("InvalidParameterValue"):
        listed(ec2, ("colour", "red"))


def test_filters_of_other_lists(ec2, groups):
    one, two = groups
    ec2.create_tags(Resources=[one], Tags=[tag("Owner", "TeamA"), tag("Purpose", "RawLogData")])
    ec2.create_tags(Resources=[two], Tags=[tag("Owner", "TeamB"), tag("Other", "RawLogData")])

    def found(*filters):
        asked = [{"Name": name, "Values": list(values)} for name, *values in filters]
        return [group["GroupId"] for group in ec2.describe_security_groups(Filters=asked)["SecurityGroups"]]

    assert sorted(found(("tag:Owner", "TeamA", "TeamB"))) == sorted(groups)
    assert found(("tag:Owner", "TeamA", "TeamB"), ("tag:Purpose", "*Log*")) == [one]
    assert found(("tag:owner", "*")) == []
    assert found(("tag-key", "Other")) == [two]
    assert found(("tag-key", "Owner"), ("tag-value", "RawLogData"), ("tag-key", "Purpose")) == [one]


def test_pages(ec2, groups):
    for one in groups:
        ec2.create_tags(Resources=[one], Tags=[tag(f"k{i}") for i in range(8)])
    pages = list(ec2.get_paginator("describe_tags").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Tags"]) for page in pages] == [5, 5, 5, 1]
    assert len({(one["ResourceId"], one["Key"]) for page in pages for one in page["Tags"]}) == 16


def test_tags_go_with_the_resource(ec2, groups):
    ec2.create_tags(Resources=groups, Tags=[tag("a")])
    ec2.delete_security_group(GroupId=groups[0])
    assert listed(ec2) == [(groups[1], "a", "")]


def test_every_kind_that_there_is(ec2):
    image = ec2.describe_images()["Images"][0]["ImageId"]
    tags = [tag("Name", "x")]
    run = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}, {"ResourceType": "volume", "Tags": tags}],
    )
    instance = run["Instances"][0]["InstanceId"]
    assert run["Instances"][0]["Tags"] == tags
    kinds = {one["ResourceType"] for one in ec2.describe_tags()["Tags"]}
    assert kinds == {"instance", "volume"}
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    key = ec2.create_key_pair(KeyName="k", KeyType="ed25519")["KeyPairId"]
    ec2.create_tags(Resources=[image, vpc, subnet, key, instance], Tags=[tag("all")])
    kinds = {one["ResourceType"] for one in ec2.describe_tags(Filters=[{"Name": "key", "Values": ["all"]}])["Tags"]}
    assert kinds == {"image", "vpc", "subnet", "key-pair", "instance"}
    assert ec2.describe_vpcs(Filters=[{"Name": "tag-key", "Values": ["all"]}])["Vpcs"][0]["Tags"] == [tag("all")]


def test_accounts_are_apart(ec2, groups, other, refused):
    ec2.create_tags(Resources=groups, Tags=[tag("a", "mine")])
    assert listed(other) == []
    with refused("InvalidGroup.NotFound"):
        other.create_tags(Resources=groups[:1], Tags=[tag("a", "theirs")])
    with refused("InvalidGroup.NotFound"):
        other.delete_tags(Resources=groups[:1], Tags=[tag("a")])
    # What both may see has tags of each, which only each sees (NET-020).
    image = ec2.describe_images()["Images"][0]["ImageId"]
    other.create_tags(Resources=[image], Tags=[tag("b", "theirs")])
    assert listed(other) == [(image, "b", "theirs")]
    assert listed(ec2, ("resource-type", "image")) == []


# ----- 2011-12-01


def test_boto2(old, refused):
    group = old.create_security_group("one", "d")
    assert old.create_tags([group.id], {"webserver": "", "stack": "Production"})
    assert sorted((one.res_id, one.res_type, one.name, one.value) for one in old.get_all_tags()) == [
        (group.id, "security-group", "stack", "Production"), (group.id, "security-group", "webserver", "")]
    assert [one.name for one in old.get_all_tags(filters={"key": "stack", "value": ["Test", "Production"]})] == ["stack"]
    (described,) = old.get_all_security_groups(filters={"tag:stack": "P*"})
    assert described.tags == {"webserver": "", "stack": "Production"}
    assert old.delete_tags([group.id], {"stack": "Test", "webserver": None})
    assert [one.name for one in old.get_all_tags()] == ["stack"]
    with refused("InvalidParameterValue"):
        old.create_tags([group.id], {"key": "aws:value"})


def test_the_guides_answers(query, groups):
    made = query("CreateTags", parameters={"ResourceId.1": groups[0], "Tag.1.Key": "Owner", "Tag.1.Value": "TeamA"})
    assert made.texts("return") == ["true"]
    answer = query("DescribeTags", parameters={"Filter.1.Name": "resource-id", "Filter.1.Value.1": groups[0]})
    item = answer.tree.find("tagSet/item")
    assert {child.tag: child.text for child in item} == {"resourceId": groups[0], "resourceType": "security-group", "key": "Owner", "value": "TeamA"}
    assert query("DeleteTags", parameters={"ResourceId.1": groups[0], "Tag.1.Key": "Owner"}).texts("return") == ["true"]


def test_a_token_is_one_accounts_and_one_lists(ec2, other, refused):
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": f"k{i}", "Value": "v"} for i in range(7)])
    first = ec2.describe_tags(MaxResults=5)
    assert len(first["Tags"]) == 5
    for somebody, list_of in ((other, "describe_tags"), (ec2, "describe_vpcs")):
        with refused("InvalidNextToken"):
            getattr(somebody, list_of)(MaxResults=5, NextToken=first["NextToken"])
    assert [tag["Key"] for tag in ec2.describe_tags(NextToken=first["NextToken"])["Tags"]] == ["k5", "k6"]


@pytest.mark.parametrize("odd", [b"\xff\xfe", b"\0", b"\x0b", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbf\xbf"], ids=repr)
def test_what_is_kept_is_text(daemon, ec2, odd):
    """What could not be shown as it came is not taken: not in tags, and not in any other name or description."""
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    coded = urllib.parse.quote_from_bytes(odd)
    for call in (f"CreateTags&ResourceId.1={vpc}&Tag.1.Key=k{coded}&Tag.1.Value=v", f"CreateTags&ResourceId.1={vpc}&Tag.1.Key=k&Tag.1.Value={coded}",
                 f"CreateSecurityGroup&GroupName=n&VpcId={vpc}&GroupDescription=d{coded}", f"CreateKeyPair&KeyName=k{coded}",
                 f"CreateVolume&Size=1&AvailabilityZone=us-east-1a&TagSpecification.1.ResourceType=volume&TagSpecification.1.Tag.1.Key={coded}"):
        answer = send(daemon.endpoint, "POST", "/", f"Version=2016-11-15&Action={call}".encode(), {"Content-Type": FORM})
        assert (answer.status, answer.code) == (400, "InvalidParameterValue"), call
    assert ec2.describe_tags()["Tags"] == [] and ec2.describe_volumes()["Volumes"] == []


def test_all_that_is_text_is_kept(ec2):
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    tags = [{"Key": "tab\tand line\nbreak", "Value": "<&>\"'"}, {"Key": "\u00e9\u4e2d\U0001f600", "Value": "\x7f\x85"}]
    ec2.create_tags(Resources=[vpc], Tags=tags)
    assert sorted(ec2.describe_tags()["Tags"], key=lambda tag: tag["Key"]) == [{"ResourceId": vpc, "ResourceType": "vpc", **tag} for tag in tags]
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": tag["Key"]} for tag in tags])
    assert ec2.describe_tags()["Tags"] == []
# Each action that takes a TagSpecification, with what it needs besides, and the type that it makes.
def specified(ec2, ami):
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    return [
        (ec2.run_instances, "volume", {"ImageId": ami, "MinCount": 1, "MaxCount": 1}), (ec2.run_instances, "instance", {"ImageId": ami, "MinCount": 1, "MaxCount": 1}),
        (ec2.run_instances, "network-interface", {"ImageId": ami, "MinCount": 1, "MaxCount": 1}), (ec2.create_volume, "volume", {"AvailabilityZone": "us-east-1a", "Size": 1}),
        (ec2.create_snapshot, "snapshot", {"VolumeId": volume}), (ec2.create_launch_template, "launch-template", {"LaunchTemplateName": "web", "LaunchTemplateData": {"KeyName": "k"}}),
        (ec2.create_vpc, "vpc", {"CidrBlock": "10.1.0.0/16"}), (ec2.create_subnet, "subnet", {"VpcId": vpc, "CidrBlock": "172.31.200.0/24"}),
        (ec2.create_security_group, "security-group", {"GroupName": "web", "Description": "d"}), (ec2.create_key_pair, "key-pair", {"KeyName": "k", "KeyType": "ed25519"}),
        (ec2.allocate_address, "elastic-ip", {}), (ec2.create_internet_gateway, "internet-gateway", {}), (ec2.create_route_table, "route-table", {"VpcId": vpc}),
        (ec2.create_placement_group, "placement-group", {"GroupName": "near", "Strategy": "cluster"}),
    ]


def test_one_rule_for_every_tag_specification(ec2, ami, refused):
    before = {call.__name__ for call, _, _ in specified(ec2, ami)}
    assert len(before) > 10
    fifty_one = [tag(f"k{number}") for number in range(51)]
    for call, kind, parameters in specified(ec2, ami):
        for code, given in (
            ("InvalidParameterValue", [{"ResourceType": kind, "Tags": []}]), ("InvalidParameterValue", [{"Tags": [tag("a")]}]),
            ("InvalidParameterValue", [{"ResourceType": "spot-fleet-request", "Tags": [tag("a")]}]), ("InvalidParameterValue", [{"ResourceType": kind, "Tags": [tag("aws:a")]}]),
            ("InvalidParameterValue", [{"ResourceType": kind, "Tags": [tag("")]}]), ("InvalidParameterValue", [{"ResourceType": kind, "Tags": [tag("k" * 129)]}]),
            ("InvalidParameterValue", [{"ResourceType": kind, "Tags": [tag("a", "v" * 257)]}]), ("InvalidParameterValue", [{"ResourceType": kind, "Tags": [tag("a"), tag("a")]}]),
            ("InvalidParameterValue", [{"ResourceType": kind, "Tags": [tag("a")]}, {"ResourceType": kind, "Tags": [tag("a")]}]),
            ("TagLimitExceeded", [{"ResourceType": kind, "Tags": fifty_one}]),
        ):
            with refused(code):
                call(**parameters, TagSpecifications=given)
    assert listed(ec2) == []
