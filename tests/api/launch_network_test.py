"""Where instances are launched: several interfaces, interfaces that are there, groups and addresses."""
import pytest

from conftest import OLD, instances_of

MISSING = "eni-0123456789abcdef0"


def interface(index, **more):
    return {"DeviceIndex": index, **more}


def test_several_interfaces(ec2, launch):
    (group,) = [one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"]]
    web = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    subnet = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1b"]}])["Subnets"][0]["SubnetId"]
    one = launch(InstanceType="m5.xlarge", NetworkInterfaces=[
        interface(2, SubnetId=subnet, Groups=[web], DeleteOnTermination=False, Description="third"),
        interface(0, SubnetId=subnet), interface(1, SubnetId=subnet, Groups=[web, group])])
    shown = sorted(one["NetworkInterfaces"], key=lambda each: each["Attachment"]["DeviceIndex"])
    assert [each["Attachment"]["DeviceIndex"] for each in shown] == [0, 1, 2]
    assert [[g["GroupId"] for g in each["Groups"]] for each in shown] == [[group], [web, group], [web]]
    assert [each["Attachment"]["DeleteOnTermination"] for each in shown] == [True, True, False]
    assert shown[2]["Description"] == "third" and len({each["PrivateIpAddress"] for each in shown}) == 3
    # Only the first has a public address.
    assert one["PublicIpAddress"] == shown[0]["Association"]["PublicIp"] and not any("Association" in each for each in shown[1:])
    assert one["PrivateIpAddress"] == shown[0]["PrivateIpAddress"] and one["SubnetId"] == subnet


def test_tags_of_every_interface(ec2, launch):
    tags = [{"ResourceType": "network-interface", "Tags": [{"Key": "a", "Value": "b"}]}]
    one = launch(NetworkInterfaces=[interface(0), interface(1)], TagSpecifications=tags)
    ids = {each["NetworkInterfaceId"] for each in one["NetworkInterfaces"]}
    assert {tag["ResourceId"] for tag in ec2.describe_tags()["Tags"]} == ids


@pytest.mark.parametrize(
    "code, interfaces",
    [
        ("AttachmentLimitExceeded", [interface(index) for index in range(3)]),  # of a t2.micro, which has two
        ("InvalidParameterValue", [interface(1)]),
        ("InvalidParameterValue", [interface(0), interface(0)]),
        ("InvalidParameterValue", [interface(0), interface(-1)]),
        ("MissingParameter", [interface(0), {"Description": "no index"}]),
        ("InvalidParameterCombination", [interface(0, AssociatePublicIpAddress=True), interface(1)]),
        ("InvalidNetworkInterfaceID.NotFound", [interface(0, NetworkInterfaceId=MISSING)]),
        ("InvalidNetworkInterfaceID.Malformed", [interface(0, NetworkInterfaceId="eni-1")]),
        ("InvalidSubnetID.NotFound", [interface(0, SubnetId="subnet-0123456789abcdef0")]),
        ("InvalidSubnetID.Malformed", [interface(0, SubnetId="subnet")]),
        ("InvalidGroup.NotFound", [interface(0, Groups=["sg-0123456789abcdef0"])]),
        ("InvalidGroupId.Malformed", [interface(0, Groups=["web"])]),
        ("PrivateIpAddressLimitExceeded", [interface(0, SecondaryPrivateIpAddressCount=2)]),
        ("InvalidParameterValue", [interface(0, SecondaryPrivateIpAddressCount=-1)]),
        ("InvalidParameterCombination", [interface(0, SecondaryPrivateIpAddressCount=1, PrivateIpAddresses=[{"PrivateIpAddress": "172.31.0.9"}])]),
        ("InvalidParameterCombination", [interface(0, PrivateIpAddress="172.31.0.9", PrivateIpAddresses=[{"PrivateIpAddress": "172.31.0.10", "Primary": True}])]),
        ("InvalidParameterValue", [interface(0, PrivateIpAddress="10.0.0.1")]),
        ("UnsupportedOperation", [interface(0, Ipv6AddressCount=1)]),
        ("UnsupportedOperation", [interface(0, Ipv4PrefixCount=1)]),
        ("UnsupportedOperation", [interface(0, InterfaceType="efa")]),
        ("UnsupportedOperation", [interface(0, AssociateCarrierIpAddress=True)]),
        ("UnsupportedOperation", [interface(0, NetworkCardIndex=1)]),
    ],
    ids=str,
)
def test_what_interfaces_may_not_be(ec2, ami, refused, code, interfaces):
    with refused(code):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t2.micro", NetworkInterfaces=interfaces)
    assert instances_of(ec2.describe_instances()) == []


def test_all_in_one_zone(ec2, ami, refused):
    a, b = (ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1" + zone]}])["Subnets"][0]["SubnetId"] for zone in "ab")
    with refused("InvalidParameterCombination"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, NetworkInterfaces=[interface(0, SubnetId=a), interface(1, SubnetId=b)])
    with refused("InvalidParameterValue"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, SubnetId=a, Placement={"AvailabilityZone": "us-east-1b"})
    with refused("InvalidParameterValue"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, Placement={"AvailabilityZone": "us-east-1z"})


def test_groups_too_many_or_of_another_network(ec2, ami, refused):
    groups = [ec2.create_security_group(GroupName=f"g{number}", Description="d")["GroupId"] for number in range(6)]
    with refused("SecurityGroupsPerInterfaceLimitExceeded"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, SecurityGroupIds=groups)
    assert ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, SecurityGroupIds=groups[:5])


def test_names_of_groups_and_a_subnet(ec2, ami, refused, query):
    """Today's API wants ids where a subnet is named; the guide's takes names."""
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    with refused("InvalidParameterCombination"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroups=["default"])
    then = query("RunInstances", OLD, ImageId=ami, MinCount="1", MaxCount="1", SubnetId=subnet, **{"SecurityGroup.1": "default"})
    assert then.status == 200
    with refused("InvalidGroup.NotFound"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, SecurityGroups=["nobody"])
    with refused("InvalidParameterCombination"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, SubnetId=subnet, NetworkInterfaces=[interface(0)])


def test_addresses_run_out(ec2, ami, refused):
    """A /20 has 4091 addresses: the fifth thousand does not fit into one subnet, and nothing of it is left."""
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    for _ in range(4):
        assert len(ec2.run_instances(ImageId=ami, MinCount=1000, MaxCount=1000, SubnetId=subnet)["Instances"]) == 1000
    with refused("InsufficientFreeAddressesInSubnet"):
        ec2.run_instances(ImageId=ami, MinCount=1000, MaxCount=1000, SubnetId=subnet)
    assert len(ec2.run_instances(ImageId=ami, MinCount=91, MaxCount=91, SubnetId=subnet)["Instances"]) == 91


def test_where_no_network_is_given(ec2, ami, refused):
    """The default VPC, as long as it has a subnet and its account has it."""
    one = {"ImageId": ami, "MinCount": 1, "MaxCount": 1}
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    with refused("MissingInput"):
        ec2.run_instances(**one)
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc["VpcId"])
    ec2.delete_vpc(VpcId=vpc["VpcId"])
    with refused("VPCIdNotSpecified"):
        ec2.create_security_group(GroupName="web", Description="d")


def test_a_group_of_another_vpc(ec2, ami, refused):
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc)["GroupId"]
    with refused("InvalidParameter"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, SubnetId=ec2.describe_subnets()["Subnets"][0]["SubnetId"], SecurityGroupIds=[group])
