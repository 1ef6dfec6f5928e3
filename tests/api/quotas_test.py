"""How much an account may have: nothing is counted in simulation unless somebody asks for it, by account or for all, with EC2's own errors."""
import subprocess

import boto3
import pytest

from conftest import started_daemon, wait_until


def limits(daemon, account):
    """{quota: (limit, default or None)} as the operator is shown them."""
    rows = [line.split("\t") for line in daemon.brume("account", "limit", account).splitlines()]
    return {name: (value, rest[0].removeprefix("default: ") if rest else None) for name, value, *rest in rows}


@pytest.fixture
def vpc(ec2):
    return ec2.describe_vpcs()["Vpcs"][0]["VpcId"]


@pytest.fixture
def subnet(ec2):
    return ec2.describe_subnets()["Subnets"][0]["SubnetId"]


def test_a_simulation_counts_nothing(daemon, ec2):
    for number in range(7):
        ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")
        ec2.allocate_address(Domain="vpc")
        ec2.create_internet_gateway()
    shown = limits(daemon, daemon.keys.account)
    assert shown["vpcs"] == ("none", None) and shown["addresses"] == ("none", None)
    assert shown["rules-per-group"] == ("60", None)  # what one group may hold is no question of how many one has
    attributes = {one["AttributeName"]: one["AttributeValues"][0]["AttributeValue"] for one in ec2.describe_account_attributes()["AccountAttributes"]}
    assert attributes["max-elastic-ips"] == attributes["max-instances"] == "1000000"


def make_volume(ec2):
    return ec2.create_volume(AvailabilityZone="us-east-1a", Size=2)["VolumeId"]


def make_snapshot(ec2):
    volume = make_volume(ec2)
    wait_until(lambda: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available")
    return ec2.create_snapshot(VolumeId=volume)["SnapshotId"]


COUNT = iter(range(1, 250))
# Quota: (how many there are already, error, what makes one more).
MAKING = {
    "addresses": (0, "AddressLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.allocate_address(Domain="vpc")),
    "vpcs": (1, "VpcLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_vpc(CidrBlock="10.7.0.0/16")),
    "subnets-per-vpc": (3, "SubnetLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_subnet(VpcId=vpc, CidrBlock=f"172.31.250.{16 * (next(COUNT) % 16)}/28")),
    "internet-gateways": (1, "InternetGatewayLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_internet_gateway()),
    "route-tables-per-vpc": (1, "RouteTableLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_route_table(VpcId=vpc)),
    "network-acls-per-vpc": (1, "NetworkAclLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_network_acl(VpcId=vpc)),
    "groups-per-vpc": (1, "SecurityGroupLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_security_group(GroupName=f"g{next(COUNT)}", Description="d", VpcId=vpc)),
    "network-interfaces": (0, "NetworkInterfaceLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_network_interface(SubnetId=subnet)),
    "vpn-gateways": (0, "VpnGatewayLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_vpn_gateway(Type="ipsec.1")),
    "customer-gateways": (0, "CustomerGatewayLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_customer_gateway(Type="ipsec.1", PublicIp=f"192.0.2.{next(COUNT)}", BgpAsn=65000)),
    "vpc-endpoints": (0, "VpcEndpointLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3")),
    "prefix-lists": (0, "ResourceLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_managed_prefix_list(PrefixListName="n", MaxEntries=1, AddressFamily="IPv4")),
    "key-pairs": (0, "ResourceLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_key_pair(KeyName=f"k{next(COUNT)}", KeyType="ed25519")),
    "placement-groups": (0, "PlacementGroupLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_placement_group(GroupName=f"g{next(COUNT)}", Strategy="spread")),
    "launch-templates": (0, "ResourceLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.create_launch_template(LaunchTemplateName=f"lt{next(COUNT)}", LaunchTemplateData={"InstanceType": "t2.micro"})),
    "volumes": (0, "VolumeLimitExceeded", lambda ec2, vpc, subnet, ami: make_volume(ec2)),
    "snapshots": (0, "SnapshotLimitExceeded", lambda ec2, vpc, subnet, ami: make_snapshot(ec2)),
    "images": (0, "ResourceLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.copy_image(SourceImageId=ami, SourceRegion="us-east-1", Name=f"copy{next(COUNT)}")),
    "instances": (0, "InstanceLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t2.micro")),
    "vcpus": (0, "VcpuLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t2.micro")),
    "memory-gib": (0, "InstanceLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t2.micro")),
    "gpu-instances": (0, "InstanceLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="cg1.4xlarge")),
    "cluster-instances": (0, "InstanceLimitExceeded", lambda ec2, vpc, subnet, ami: ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="cc2.8xlarge")),
}


@pytest.mark.parametrize("name", sorted(MAKING))
def test_one_too_many(ec2, vpc, subnet, ami, refused, quota, name):
    there, error, make = MAKING[name]
    quota(name, there + 2)
    make(ec2, vpc, subnet, ami)
    make(ec2, vpc, subnet, ami)
    with refused(error):
        make(ec2, vpc, subnet, ami)
    quota(name, "none")
    make(ec2, vpc, subnet, ami)


def test_what_is_counted_by_its_size(ec2, vpc, refused, quota):
    quota("volume-gib", 5)
    volume = make_volume(ec2)
    make_volume(ec2)
    with refused("VolumeLimitExceeded"):
        make_volume(ec2)
    with refused("VolumeLimitExceeded"):
        ec2.modify_volume(VolumeId=volume, Size=4)
    quota("rules-per-group", 2)
    group = ec2.create_security_group(GroupName="two", Description="d", VpcId=vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1}
    with refused("RulesPerSecurityGroupLimitExceeded"):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**rule, "IpRanges": [{"CidrIp": f"192.0.2.{host}/32"} for host in range(3)]}])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**rule, "IpRanges": [{"CidrIp": f"192.0.2.{host}/32"} for host in range(2)]}])


def test_a_launch_of_many_takes_what_is_left(ec2, ami, quota, refused):
    quota("vcpus", 5)
    assert len(ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=20, InstanceType="t2.medium")["Instances"]) == 2  # of two each
    with refused("VcpuLimitExceeded"):
        ec2.run_instances(ImageId=ami, MinCount=2, MaxCount=2, InstanceType="t2.micro")


def test_a_stopped_instance_needs_room_to_start(ec2, ami, quota, refused, launch, in_state):
    which = launch()["InstanceId"]
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    quota("vcpus", 1)
    other = launch()["InstanceId"]
    with refused("VcpuLimitExceeded"):
        ec2.start_instances(InstanceIds=[which])
    ec2.terminate_instances(InstanceIds=[other])
    in_state("terminated", other)
    wait_until(lambda: ec2.start_instances(InstanceIds=[which]))


def test_one_account_and_not_another(ec2, other, other_account, quota, refused):
    quota("addresses", 1, other_account)
    other.allocate_address(Domain="vpc")
    with refused("AddressLimitExceeded"):
        other.allocate_address(Domain="vpc")
    ec2.allocate_address(Domain="vpc")
    ec2.allocate_address(Domain="vpc")
    attributes = {one["AttributeName"]: one["AttributeValues"][0]["AttributeValue"] for one in other.describe_account_attributes()["AccountAttributes"]}
    assert attributes["max-elastic-ips"] == attributes["vpc-max-elastic-ips"] == "1"


@pytest.mark.parametrize("arguments", [("addresses", "0"), ("addresses", "many"), ("moons", "3"), ("addresses", "-5")], ids=" ".join)
def test_what_is_no_limit(daemon, arguments):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        daemon.brume("account", "limit", daemon.keys.account, *arguments)
    assert caught.value.stderr.strip()
    with pytest.raises(subprocess.CalledProcessError):
        daemon.brume("account", "limit", "999999999999")


def test_quotas_of_every_account_in_every_region(refused):
    with started_daemon("--quota", "vpcs=2", "--quota", "rules-per-group=none", "--region", "us-east-1", "--region", "eu-west-1") as daemon:
        keys = daemon.create_account("one more")
        assert limits(daemon, keys.account)["vpcs"] == ("2", "none") and limits(daemon, keys.account)["rules-per-group"] == ("none", "60")
        for region in ("us-east-1", "eu-west-1"):
            ec2 = daemon.client(keys=keys)
            if region != "us-east-1":
                ec2 = boto3.client("ec2", endpoint_url=daemon.endpoint, region_name=region, aws_access_key_id=keys.key_id, aws_secret_access_key=keys.secret)
            ec2.create_vpc(CidrBlock="10.1.0.0/16")
            with refused("VpcLimitExceeded"):
                ec2.create_vpc(CidrBlock="10.2.0.0/16")
        daemon.brume("account", "limit", keys.account, "vpcs", "3")
        ec2.create_vpc(CidrBlock="10.2.0.0/16")  # in the other region, which has heard of it
        with refused("VpcLimitExceeded"):
            ec2.create_vpc(CidrBlock="10.3.0.0/16")


def test_a_quota_that_is_none_is_not_started():
    for wrong in ("vpcs", "vpcs=many", "moons=3", "vpcs=0"):
        with pytest.raises(RuntimeError, match="quota"):
            with started_daemon("--quota", wrong):
                pass
