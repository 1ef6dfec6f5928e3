"""The default VPC and its subnets, and root volumes, as boto3 sees them."""
import ipaddress

import pytest


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


def test_the_default_vpc(ec2, refused):
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    assert vpc["CidrBlock"] == "172.31.0.0/16" and vpc["IsDefault"] is True and vpc["State"] == "available" and vpc["OwnerId"] == "123456789012"
    assert vpc["CidrBlockAssociationSet"][0]["CidrBlock"] == vpc["CidrBlock"] and vpc["InstanceTenancy"] == "default"
    for match in (by("vpc-id", vpc["VpcId"]), by("cidr", "172.31.*"), by("isDefault", "true"), by("is-default", "true"), {"VpcIds": [vpc["VpcId"]]}):
        assert ec2.describe_vpcs(**match)["Vpcs"] == [vpc]
    assert ec2.describe_vpcs(**by("is-default", "false"))["Vpcs"] == []
    with refused("InvalidVpcID.NotFound"):
        ec2.describe_vpcs(VpcIds=["vpc-0123456789abcdef0"])
    with refused("InvalidVpcID.Malformed"):
        ec2.describe_vpcs(VpcIds=["vpc-1"])
    with refused("InvalidParameterValue"):
        ec2.describe_vpcs(**by("colour", "red"))


def test_a_subnet_in_every_zone(ec2, refused):
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    subnets = ec2.describe_subnets()["Subnets"]
    assert sorted(subnet["AvailabilityZone"] for subnet in subnets) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    blocks = [ipaddress.ip_network(subnet["CidrBlock"]) for subnet in subnets]
    assert all(block.subnet_of(ipaddress.ip_network(vpc["CidrBlock"])) and block.prefixlen == 20 for block in blocks)
    assert not any(a.overlaps(b) for a in blocks for b in blocks if a is not b)
    for subnet in subnets:
        assert subnet["VpcId"] == vpc["VpcId"] and subnet["DefaultForAz"] and subnet["MapPublicIpOnLaunch"] and subnet["AvailableIpAddressCount"] == 4091
        assert subnet["SubnetArn"] == f"arn:aws:ec2:us-east-1:123456789012:subnet/{subnet['SubnetId']}"
        assert ec2.describe_subnets(SubnetIds=[subnet["SubnetId"]])["Subnets"] == [subnet]
        assert ec2.describe_subnets(**by("availability-zone", subnet["AvailabilityZone"]))["Subnets"] == [subnet]
        assert ec2.describe_subnets(**by("cidrBlock", subnet["CidrBlock"]))["Subnets"] == [subnet]
    assert len(ec2.describe_subnets(**by("vpc-id", vpc["VpcId"]))["Subnets"]) == 3
    with refused("InvalidSubnetID.NotFound"):
        ec2.describe_subnets(SubnetIds=["subnet-0123456789abcdef0"])
    with refused("InvalidSubnetID.Malformed"):
        ec2.describe_subnets(SubnetIds=["x"])


def test_instances_use_addresses_up(ec2, launch):
    one = launch()
    (subnet,) = ec2.describe_subnets(SubnetIds=[one["SubnetId"]])["Subnets"]
    assert subnet["AvailableIpAddressCount"] == 4090
    assert ipaddress.ip_address(one["PrivateIpAddress"]) in ipaddress.ip_network(subnet["CidrBlock"])


def test_each_account_has_its_own(ec2, other, refused):
    (mine,), (theirs,) = ec2.describe_vpcs()["Vpcs"], other.describe_vpcs()["Vpcs"]
    assert mine["VpcId"] != theirs["VpcId"]
    with refused("InvalidVpcID.NotFound"):
        ec2.describe_vpcs(VpcIds=[theirs["VpcId"]])
    subnet = other.describe_subnets()["Subnets"][0]["SubnetId"]
    with refused("InvalidSubnetID.NotFound"):
        ec2.describe_subnets(SubnetIds=[subnet])
    with refused("InvalidSubnetID.NotFound"):
        ec2.run_instances(ImageId=ec2.describe_images()["Images"][0]["ImageId"], MinCount=1, MaxCount=1, SubnetId=subnet)


def test_root_volumes(ec2, launch, refused):
    one = launch(TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}])
    (image,) = ec2.describe_images(ImageIds=[one["ImageId"]])["Images"]
    (volume,) = ec2.describe_volumes()["Volumes"]
    assert volume["VolumeId"] == one["BlockDeviceMappings"][0]["Ebs"]["VolumeId"] and volume["State"] == "in-use" and volume["Size"] == 1
    assert volume["SnapshotId"] == image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] and volume["VolumeType"] == "gp2"
    assert volume["AvailabilityZone"] == one["Placement"]["AvailabilityZone"] and volume["Encrypted"] is False
    (attachment,) = volume["Attachments"]
    assert attachment["InstanceId"] == one["InstanceId"] and attachment["Device"] == "/dev/sda1" and attachment["State"] == "attached"
    assert attachment["DeleteOnTermination"] is True and volume["Tags"] == [{"Key": "a", "Value": "b"}]
    second = launch()
    for name, value in [("attachment.instance-id", one["InstanceId"]), ("tag:a", "b"), ("volume-id", volume["VolumeId"])]:
        assert [each["VolumeId"] for each in ec2.describe_volumes(**by(name, value))["Volumes"]] == [volume["VolumeId"]]
    assert len(ec2.describe_volumes(**by("status", "in-use"))["Volumes"]) == 2 and ec2.describe_volumes(**by("size", "2"))["Volumes"] == []
    assert ec2.describe_volumes(VolumeIds=[second["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"][0]["Attachments"][0]["InstanceId"] == second["InstanceId"]
    with refused("InvalidVolume.NotFound"):
        ec2.describe_volumes(VolumeIds=["vol-0123456789abcdef0"])
    with refused("InvalidVolumeID.Malformed"):
        ec2.describe_volumes(VolumeIds=["vol-1"])
    with refused("InvalidParameterValue"):
        ec2.describe_volumes(**by("colour", "red"))


def test_pages_of_volumes(ec2, ami, in_state):
    in_state("running", *(one["InstanceId"] for one in ec2.run_instances(ImageId=ami, MinCount=7, MaxCount=7)["Instances"]))
    pages = list(ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Volumes"]) for page in pages] == [5, 2]


@pytest.mark.parametrize("action", ["describe_vpcs", "describe_subnets", "describe_volumes"])
def test_dry_run(ec2, refused, action):
    with refused("DryRunOperation", 412):
        getattr(ec2, action)(DryRun=True)
