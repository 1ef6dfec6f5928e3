"""Regions, zones and account attributes as boto3 sees them."""
import re
import subprocess
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import pytest

from conftest import BIN, NEW, OLD, instances_of, started_daemon, wait_until


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


@pytest.fixture(scope="module")
def three_regions():
    with started_daemon("--region", "us-east-1", "--region", "eu-west-1:2", "--region", "ap-southeast-2:1") as daemon:
        yield daemon


def of_region(daemon, region, keys=None):
    keys = keys or daemon.keys
    return boto3.client("ec2", endpoint_url=daemon.endpoint, region_name=region, aws_access_key_id=keys.key_id, aws_secret_access_key=keys.secret,
                        config=botocore.config.Config(retries={"max_attempts": 0}))


def test_several_regions_and_their_zones(three_regions):
    for region, names, ids in (("us-east-1", "abc", "use1"), ("eu-west-1", "ab", "euw1"), ("ap-southeast-2", "a", "apse2")):
        ec2 = of_region(three_regions, region)
        assert zones(ec2) == [region + letter for letter in names]
        assert [zone["ZoneId"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]] == [f"{ids}-az{number + 1}" for number in range(len(names))]
        assert [one["RegionName"] for one in ec2.describe_regions()["Regions"]] == ["us-east-1", "eu-west-1", "ap-southeast-2"]
        assert [one["RegionName"] for one in ec2.describe_regions(RegionNames=["eu-west-1"])["Regions"]] == ["eu-west-1"]
        assert [one["RegionName"] for one in ec2.describe_regions(**by("region-name", "*-2"))["Regions"]] == ["ap-southeast-2"]
        endpoint = ec2.describe_regions(RegionNames=[region])["Regions"][0]["Endpoint"]
        assert [one["RegionName"] for one in ec2.describe_regions(**by("endpoint", endpoint))["Regions"]] == [region]
        with pytest.raises(botocore.exceptions.ClientError):
            zones(ec2, ZoneNames=["us-west-1a"])


def test_each_region_is_a_world_of_its_own(three_regions, refused):
    here, there = of_region(three_regions, "us-east-1"), of_region(three_regions, "eu-west-1")
    vpcs = {ec2.meta.region_name: ec2.describe_vpcs()["Vpcs"] for ec2 in (here, there)}
    assert all(len(found) == 1 and found[0]["IsDefault"] for found in vpcs.values()) and vpcs["us-east-1"] != vpcs["eu-west-1"]
    assert len(there.describe_subnets()["Subnets"]) == 2
    here.create_key_pair(KeyName="mine")
    assert there.describe_key_pairs()["KeyPairs"] == []
    group = here.create_security_group(GroupName="mine", Description="d")["GroupId"]
    with refused("InvalidGroup.NotFound"):
        there.describe_security_groups(GroupIds=[group])
    volume = here.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    with refused("InvalidVolume.NotFound"):
        there.describe_volumes(VolumeIds=[volume])
    with refused("InvalidZone.NotFound"):
        there.create_volume(AvailabilityZone="us-east-1a", Size=1)
    tiny = {ec2: wait_until(lambda: [one["ImageId"] for one in ec2.describe_images(**by("name", "tiny"))["Images"] if one["State"] == "available"])[0] for ec2 in (here, there)}
    with refused("InvalidAMIID.NotFound"):
        there.run_instances(ImageId=tiny[here], MinCount=1, MaxCount=1)
    made = there.run_instances(ImageId=tiny[there], MinCount=1, MaxCount=1, InstanceType="t2.micro")["Instances"][0]
    assert made["Placement"]["AvailabilityZone"] in ("eu-west-1a", "eu-west-1b")
    running = wait_until(lambda: [one for one in instances_of(there.describe_instances(InstanceIds=[made["InstanceId"]])) if one["State"]["Name"] == "running"])[0]
    assert running["PublicDnsName"].endswith(".eu-west-1.compute.amazonaws.com") and running["PrivateDnsName"].endswith(".eu-west-1.compute.internal")
    assert here.describe_instances()["Reservations"] == []
    # No bytes go from one to the other, and nobody says that they did.
    with pytest.raises(botocore.exceptions.ClientError):
        there.copy_image(Name="copy", SourceImageId=tiny[here], SourceRegion="us-east-1")


def test_a_region_by_its_port_and_by_its_host_name(three_regions):
    """Clients of the guide's days sign no region: the endpoint says it (NET-067)."""
    endpoints = {one["RegionName"]: one["Endpoint"] for one in of_region(three_regions, "us-east-1").describe_regions()["Regions"]}
    assert len(set(endpoints.values())) == 3 and three_regions.endpoint == "http://" + endpoints["us-east-1"]

    def zones_at(endpoint, host=None):
        request = urllib.request.Request(f"http://{endpoint}/?Action=DescribeAvailabilityZones&Version={OLD}&AWSAccessKeyId={three_regions.keys.key_id}")
        if host:
            request.add_header("Host", host)
        with urllib.request.urlopen(request, timeout=30) as response:
            return set(re.findall(r"<regionName>(.*?)</regionName>", response.read().decode()))

    for region, endpoint in endpoints.items():
        assert zones_at(endpoint) == {region}
        assert zones_at(endpoints["us-east-1"], f"ec2.{region}.example.test") == {region}
    # The signed region goes before the port.
    assert of_region(three_regions, "ap-southeast-2").meta.endpoint_url == three_regions.endpoint
    assert zones(of_region(three_regions, "ap-southeast-2")) == ["ap-southeast-2a"]


def test_accounts_and_keys_are_those_of_the_first_region(three_regions):
    keys = three_regions.create_account("travels")
    for region, subnets in (("us-east-1", 3), ("eu-west-1", 2), ("ap-southeast-2", 1)):
        ec2 = of_region(three_regions, region, keys)
        assert {one["OwnerId"] for one in ec2.describe_security_groups()["SecurityGroups"]} == {keys.account}
        assert len(ec2.describe_subnets()["Subnets"]) == subnets
        shown = three_regions.brume("--region", region, "env", "--account", keys.account)
        assert f"AWS_DEFAULT_REGION={region}\n" in shown and f"AWS_ACCESS_KEY_ID={keys.key_id}\n" in shown
        assert f"(region {region})" in three_regions.brume("--region", region, "status")
    with pytest.raises(subprocess.CalledProcessError):
        three_regions.brume("--region", "mars-1", "env")
    with pytest.raises(subprocess.CalledProcessError):
        three_regions.brume("--region", "eu-west-1", "down")


@pytest.mark.parametrize("wrong", [("--region", "Mars"), ("--region", "eu-west-1:0"), ("--region", "eu-west-1:many"),
                                   ("--region", "eu-west-1", "--region", "eu-west-1:2")])
def test_regions_that_cannot_be(wrong):
    done = subprocess.run([BIN / "brumed", "--simulate", "--port", "0", *wrong], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "region" in done.stderr
