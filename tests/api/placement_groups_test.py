"""Placement groups: making, listing, deleting, and what they refuse at launch."""
import pytest

from conftest import NEW, OLD, instances_of
from capacity_test import cloud


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


def names(ec2, **parameters):
    return [one["GroupName"] for one in ec2.describe_placement_groups(**parameters)["PlacementGroups"]]


def test_make_list_delete(ec2, refused, other):
    tags = [{"ResourceType": "placement-group", "Tags": [{"Key": "team", "Value": "a"}]}]
    made = ec2.create_placement_group(GroupName="near", Strategy="cluster", TagSpecifications=tags)["PlacementGroup"]
    assert made["GroupId"].startswith("pg-") and made["State"] == "available" and made["Strategy"] == "cluster"
    assert made["GroupArn"] == "arn:aws:ec2:us-east-1:123456789012:placement-group/near"
    ec2.create_placement_group(GroupName="apart", Strategy="spread")
    ec2.create_placement_group(GroupName="parts", Strategy="partition", PartitionCount=3)
    assert names(ec2) == ["apart", "near", "parts"] and names(other) == []
    shown = {one["GroupName"]: one for one in ec2.describe_placement_groups()["PlacementGroups"]}
    assert shown["apart"]["SpreadLevel"] == "rack" and shown["parts"]["PartitionCount"] == 3 and shown["near"]["Tags"] == tags[0]["Tags"]
    assert names(ec2, GroupNames=["near"]) == ["near"] == names(ec2, GroupIds=[made["GroupId"]])
    for name, value, expected in [
        ("group-name", "a*", ["apart"]), ("strategy", "cluster", ["near"]), ("spread-level", "rack", ["apart"]), ("state", "deleted", []),
        ("group-arn", "*/parts", ["parts"]), ("tag:team", "a", ["near"]), ("tag-key", "team", ["near"]), ("state", "available", ["apart", "near", "parts"]),
    ]:
        assert names(ec2, **by(name, value)) == expected, name
    ec2.create_tags(Resources=[made["GroupId"]], Tags=[{"Key": "b", "Value": "c"}])
    ec2.delete_placement_group(GroupName="near")
    assert names(ec2) == ["apart", "parts"] and ec2.describe_tags()["Tags"] == []
    with refused("InvalidPlacementGroup.Unknown"):
        ec2.delete_placement_group(GroupName="near")


@pytest.mark.parametrize(
    "code, parameters",
    [
        ("InvalidPlacementGroup.Duplicate", {"GroupName": "near"}),
        ("InvalidParameterValue", {"GroupName": "x" * 256}),
        ("InvalidParameterValue", {"GroupName": "n\u00e9ar"}),
        ("InvalidParameterValue", {"GroupName": "x", "Strategy": "heap"}),
        ("InvalidParameterCombination", {"GroupName": "x", "Strategy": "cluster", "PartitionCount": 2}),
        ("InvalidParameterCombination", {"GroupName": "x", "Strategy": "cluster", "SpreadLevel": "rack"}),
        ("InvalidParameterValue", {"GroupName": "x", "Strategy": "partition", "PartitionCount": 8}),
        ("InvalidParameterValue", {"GroupName": "x", "Strategy": "spread", "SpreadLevel": "shelf"}),
        ("UnsupportedOperation", {"GroupName": "x", "Strategy": "spread", "SpreadLevel": "host"}),
        ("InvalidParameterValue", {"GroupName": "x", "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]}),
    ],
    ids=str,
)
def test_what_a_group_may_not_be(ec2, refused, code, parameters):
    ec2.create_placement_group(GroupName="near", Strategy="cluster")
    with refused(code):
        ec2.create_placement_group(**parameters)
    assert names(ec2) == ["near"]


def test_what_nobody_has(ec2, refused, query):
    for parameters in ({"GroupNames": ["gone"]}, {"GroupIds": ["pg-0123456789abcdef0"]}):
        with refused("InvalidPlacementGroup.Unknown"):
            names(ec2, **parameters)
    with refused("InvalidPlacementGroupId.Malformed"):
        names(ec2, GroupIds=["pg-1"])
    with refused("InvalidParameterValue"):
        names(ec2, **by("colour", "red"))
    assert query("CreatePlacementGroup", Strategy="cluster").code == "MissingParameter"
    assert query("CreatePlacementGroup", GroupName="x").code == "MissingParameter"  # 2011 wants the strategy, too
    assert query("CreatePlacementGroup", version=NEW, GroupName="x").status == 200
    assert query("DeletePlacementGroup", version=OLD).code == "MissingParameter"


def test_in_2011(old):
    assert old.create_placement_group("XYZ-cluster") is True
    (group,) = old.get_all_placement_groups()
    assert (group.name, group.strategy, group.state) == ("XYZ-cluster", "cluster", "available")
    assert old.delete_placement_group("XYZ-cluster") is True and old.get_all_placement_groups() == []


def test_there_are_so_many(ec2, refused, quota):
    quota("placement-groups", 500)
    for number in range(500):
        ec2.create_placement_group(GroupName=f"g{number}", Strategy="spread")
    with refused("PlacementGroupLimitExceeded"):
        ec2.create_placement_group(GroupName="g500", Strategy="spread")
