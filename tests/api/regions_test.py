"""Regions, zones and account attributes as boto3 sees them."""
import pytest

from conftest import NEW, started_daemon


def zones(ec2, **parameters):
    return [zone["ZoneName"] for zone in ec2.describe_availability_zones(**parameters)["AvailabilityZones"]]


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


def test_the_one_region(ec2, daemon, refused):
    (region,) = ec2.describe_regions()["Regions"]
    assert region["RegionName"] == "us-east-1" and daemon.endpoint == "http://" + region["Endpoint"]
    assert region["OptInStatus"] == "opt-in-not-required"
    assert ec2.describe_regions(RegionNames=["us-east-1"])["Regions"] == [region]
    assert ec2.describe_regions(**by("region-name", "us-*"))["Regions"] == [region]
    assert ec2.describe_regions(**by("region-name", "eu-*"))["Regions"] == []
    with refused("InvalidParameterValue"):
        ec2.describe_regions(RegionNames=["mars-1"])


def test_zones(ec2, refused):
    assert zones(ec2) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    (zone,) = ec2.describe_availability_zones(ZoneNames=["us-east-1b"])["AvailabilityZones"]
    assert zone["State"] == "available" and zone["RegionName"] == "us-east-1" and zone["ZoneId"] == "use1-az2" and zone["Messages"] == []
    assert zones(ec2, ZoneIds=["use1-az3"]) == ["us-east-1c"] and zones(ec2, **by("zone-name", "*a")) == ["us-east-1a"]
    assert zones(ec2, **by("state", "impaired")) == [] and zones(ec2, **by("zone-id", "use1-az1")) == ["us-east-1a"]
    for wrong in ({"ZoneNames": ["us-east-1z"]}, {"ZoneIds": ["use1-az9"]}, by("colour", "red")):
        with refused("InvalidParameterValue"):
            zones(ec2, **wrong)


def test_another_region_with_fewer_zones():
    with started_daemon("--region", "ap-southeast-2", "--zones", "2") as daemon:
        ec2 = daemon.client()
        assert zones(ec2) == ["ap-southeast-2a", "ap-southeast-2b"]
        assert ec2.describe_regions()["Regions"][0]["RegionName"] == "ap-southeast-2"
        assert ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneId"] == "apse2-az1"
        assert len(ec2.describe_subnets()["Subnets"]) == 2


def test_account_attributes(ec2, refused):
    def values(**parameters):
        return {one["AttributeName"]: [each["AttributeValue"] for each in one["AttributeValues"]] for one in ec2.describe_account_attributes(**parameters)["AccountAttributes"]}

    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    everything = values()
    assert everything["supported-platforms"] == ["VPC"] and everything["default-vpc"] == [vpc["VpcId"]]
    assert values(AttributeNames=["default-vpc"]) == {"default-vpc": [vpc["VpcId"]]}
    with refused("InvalidParameterValue"):
        values(AttributeNames=["colour"])


def test_instance_types(ec2, refused, query):
    def types(**parameters):
        return ec2.describe_instance_types(**parameters)["InstanceTypes"]

    (small,) = types(InstanceTypes=["m1.small"])
    assert small["VCpuInfo"]["DefaultVCpus"] == 1 and small["MemoryInfo"]["SizeInMiB"] == 1740 and small["CurrentGeneration"] is False
    assert small["ProcessorInfo"]["SupportedArchitectures"] == ["i386", "x86_64"] and small["SupportedRootDeviceTypes"] == ["ebs"]
    names = [one["InstanceType"] for page in ec2.get_paginator("describe_instance_types").paginate(PaginationConfig={"PageSize": 5}) for one in page["InstanceTypes"]]
    assert names == sorted(names) and len(set(names)) == len(names) == len(types()) and {"t1.micro", "m5.large"} <= set(names)
    assert {one["InstanceType"] for one in types(**by("memory-info.size-in-mib", "613"))} == {"t1.micro"}
    assert all(one["CurrentGeneration"] for one in types(**by("current-generation", "true")))
    assert "m1.small" in {one["InstanceType"] for one in types(**by("instance-storage-supported", "true"))}
    with refused("InvalidInstanceType"):
        types(InstanceTypes=["m1.small", "z9.huge"])
    for wrong in ("4", "101", "many"):
        assert query("DescribeInstanceTypes", version=NEW, MaxResults=wrong).code == "InvalidParameterValue"
    with refused("InvalidParameterValue"):
        types(**by("colour", "red"))


@pytest.mark.parametrize("kind", ["m1.small", "t3.2xlarge", "cc2.8xlarge"])
def test_every_shown_type_can_be_launched(launch, kind):
    assert launch(InstanceType=kind)["InstanceType"] == kind


def test_dry_run(ec2, refused):
    for action in (ec2.describe_regions, ec2.describe_availability_zones, ec2.describe_account_attributes, ec2.describe_instance_types):
        with refused("DryRunOperation", 412):
            action(DryRun=True)


def test_versions(query):
    assert query("DescribeRegions").texts(".//optInStatus") == []
    assert query("DescribeRegions", version=NEW).texts(".//optInStatus") == ["opt-in-not-required"]
