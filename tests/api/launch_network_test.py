"""Where instances are launched: several interfaces, interfaces that are there, groups and addresses."""
import pytest

from conftest import OLD, instances_of, wait_until

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
        ("InvalidNetworkInterfaceId.Malformed", [interface(0, NetworkInterfaceId="eni-1")]),
        ("InvalidSubnetID.NotFound", [interface(0, SubnetId="subnet-0123456789abcdef0")]),
        ("InvalidSubnetID.Malformed", [interface(0, SubnetId="subnet")]),
        ("InvalidGroup.NotFound", [interface(0, Groups=["sg-0123456789abcdef0"])]),
        ("InvalidGroupId.Malformed", [interface(0, Groups=["web"])]),
        ("PrivateIpAddressLimitExceeded", [interface(0, SecondaryPrivateIpAddressCount=2)]),
        ("InvalidParameterValue", [interface(0, SecondaryPrivateIpAddressCount=-1)]),
        ("InvalidParameterCombination", [interface(0, SecondaryPrivateIpAddressCount=1, PrivateIpAddresses=[{"PrivateIpAddress": "172.31.0.9"}])]),
        ("InvalidParameterCombination", [interface(0, PrivateIpAddress="172.31.0.9", PrivateIpAddresses=[{"PrivateIpAddress": "172.31.0.10", "Primary": True}])]),
        ("InvalidParameterValue", [interface(0, PrivateIpAddress="10.0.0.1")]),
        ("InvalidParameterValue", [interface(0, Ipv6AddressCount=1)]),  # the subnet has none
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


def free(subnet, last):
    return subnet["CidrBlock"].rpartition(".")[0] + f".{last}"


@pytest.fixture
def subnet(ec2):
    return min(ec2.describe_subnets()["Subnets"], key=lambda one: one["AvailabilityZone"])


def test_secondary_addresses(ec2, launch, subnet, refused):
    """Chosen and counted ones; each is the interface's own for as long as it is there."""
    where = subnet["SubnetId"]
    one = launch(InstanceType="m5.large", NetworkInterfaces=[
        interface(0, SubnetId=where, PrivateIpAddresses=[{"PrivateIpAddress": free(subnet, 40)}, {"PrivateIpAddress": free(subnet, 41), "Primary": True}]),
        interface(1, SubnetId=where, SecondaryPrivateIpAddressCount=3)])
    first, second = one["NetworkInterfaces"]
    assert [(each["PrivateIpAddress"], each["Primary"]) for each in first["PrivateIpAddresses"]] == [(free(subnet, 41), True), (free(subnet, 40), False)]
    assert one["PrivateIpAddress"] == first["PrivateIpAddress"] == free(subnet, 41)
    addresses = [each["PrivateIpAddress"] for each in second["PrivateIpAddresses"]]
    assert len(set(addresses)) == 4 and [each["Primary"] for each in second["PrivateIpAddresses"]] == [True, False, False, False]
    assert second["PrivateIpAddresses"][3]["PrivateDnsName"] == "ip-" + addresses[3].replace(".", "-") + ".ec2.internal"
    for taken in (free(subnet, 40), addresses[2]):
        with refused("InvalidIPAddress.InUse"):
            ec2.create_network_interface(SubnetId=where, PrivateIpAddress=taken)
    before = ec2.describe_subnets(SubnetIds=[where])["Subnets"][0]["AvailableIpAddressCount"]
    assert before == 4091 - 6


def test_how_many_a_type_takes(ec2, ami, launch, subnet, in_state, refused):
    """Interfaces and addresses are the type's: at launch, when one is attached, when one gets more addresses, when the type changes."""
    where = subnet["SubnetId"]
    made = ec2.create_network_interface(SubnetId=where, SecondaryPrivateIpAddressCount=2)["NetworkInterface"]["NetworkInterfaceId"]
    with refused("PrivateIpAddressLimitExceeded"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t2.micro", NetworkInterfaces=[interface(0, NetworkInterfaceId=made)])
    one = launch(InstanceType="t2.small", SubnetId=where)
    with refused("PrivateIpAddressLimitExceeded"):
        ec2.assign_private_ip_addresses(NetworkInterfaceId=one["NetworkInterfaces"][0]["NetworkInterfaceId"], SecondaryPrivateIpAddressCount=4)
    ec2.assign_private_ip_addresses(NetworkInterfaceId=one["NetworkInterfaces"][0]["NetworkInterfaceId"], SecondaryPrivateIpAddressCount=3)
    ec2.attach_network_interface(NetworkInterfaceId=made, InstanceId=one["InstanceId"], DeviceIndex=1)
    ec2.stop_instances(InstanceIds=[one["InstanceId"]])
    in_state("stopped", one["InstanceId"])
    with refused("PrivateIpAddressLimitExceeded"):
        ec2.modify_instance_attribute(InstanceId=one["InstanceId"], InstanceType={"Value": "t2.micro"})
    third = ec2.create_network_interface(SubnetId=where)["NetworkInterface"]["NetworkInterfaceId"]
    ec2.attach_network_interface(NetworkInterfaceId=third, InstanceId=one["InstanceId"], DeviceIndex=2)
    with refused("AttachmentLimitExceeded"):
        ec2.modify_instance_attribute(InstanceId=one["InstanceId"], InstanceType={"Value": "t2.micro"})
    with refused("AttachmentLimitExceeded"):
        ec2.attach_network_interface(NetworkInterfaceId=ec2.create_network_interface(SubnetId=where)["NetworkInterface"]["NetworkInterfaceId"],
                                     InstanceId=one["InstanceId"], DeviceIndex=3)
    ec2.modify_instance_attribute(InstanceId=one["InstanceId"], InstanceType={"Value": "m5.large"})


def test_an_interface_that_is_there(ec2, launch, subnet, in_state, refused, ami):
    """It brings its addresses, its Elastic IP, groups and MAC, and stays when the instance ends."""
    group = ec2.create_security_group(GroupName="kept", Description="d")["GroupId"]
    kept = ec2.create_network_interface(SubnetId=subnet["SubnetId"], Groups=[group], SecondaryPrivateIpAddressCount=1)["NetworkInterface"]
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=kept["NetworkInterfaceId"])
    with refused("InvalidParameterCombination"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=2, NetworkInterfaces=[interface(0, NetworkInterfaceId=kept["NetworkInterfaceId"])])
    for more in ({"SubnetId": subnet["SubnetId"]}, {"Groups": [group]}, {"SecondaryPrivateIpAddressCount": 1}, {"DeleteOnTermination": True},
                 {"PrivateIpAddress": kept["PrivateIpAddress"]}, {"Description": "d"}, {"AssociatePublicIpAddress": True}):
        with refused("InvalidParameterCombination"):
            ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, NetworkInterfaces=[interface(0, NetworkInterfaceId=kept["NetworkInterfaceId"], **more)])
    one = launch(InstanceType="m5.large", NetworkInterfaces=[interface(0, NetworkInterfaceId=kept["NetworkInterfaceId"]), interface(1, SubnetId=subnet["SubnetId"])])
    assert one["PublicIpAddress"] == address["PublicIp"] and one["PrivateIpAddress"] == kept["PrivateIpAddress"] and one["SubnetId"] == subnet["SubnetId"]
    first, second = one["NetworkInterfaces"]
    assert (first["NetworkInterfaceId"], first["MacAddress"]) == (kept["NetworkInterfaceId"], kept["MacAddress"]) and len(first["PrivateIpAddresses"]) == 2
    assert [each["GroupId"] for each in one["SecurityGroups"]] == [group] and first["Attachment"]["DeleteOnTermination"] is False
    with refused("InvalidNetworkInterface.InUse"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, NetworkInterfaces=[interface(0, NetworkInterfaceId=kept["NetworkInterfaceId"])])
    # Stopped and started: the same, and no address of the pool beside the Elastic IP.
    ec2.stop_instances(InstanceIds=[one["InstanceId"]])
    assert in_state("stopped", one["InstanceId"])[0]["PublicIpAddress"] == address["PublicIp"]
    ec2.start_instances(InstanceIds=[one["InstanceId"]])
    assert in_state("running", one["InstanceId"])[0]["PublicIpAddress"] == address["PublicIp"]
    ec2.terminate_instances(InstanceIds=[one["InstanceId"]])
    in_state("terminated", one["InstanceId"])
    wait_until(lambda: [each["NetworkInterfaceId"] for each in ec2.describe_network_interfaces()["NetworkInterfaces"]] == [kept["NetworkInterfaceId"]])
    (left,) = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert left["Status"] == "available" and left["Association"]["PublicIp"] == address["PublicIp"]
    # The next instance takes it over.
    assert launch(NetworkInterfaces=[interface(0, NetworkInterfaceId=kept["NetworkInterfaceId"])])["PublicIpAddress"] == address["PublicIp"]


def test_an_interface_of_another_zone_or_account(ec2, other, ami, refused):
    a, b = (ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1" + zone]}])["Subnets"][0]["SubnetId"] for zone in "ab")
    there = ec2.create_network_interface(SubnetId=b)["NetworkInterface"]["NetworkInterfaceId"]
    with refused("InvalidParameterCombination"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, NetworkInterfaces=[interface(0, SubnetId=a), interface(1, NetworkInterfaceId=there)])
    with refused("InvalidParameterValue"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, Placement={"AvailabilityZone": "us-east-1a"}, NetworkInterfaces=[interface(0, NetworkInterfaceId=there)])
    with refused("InvalidNetworkInterfaceID.NotFound"):
        other.run_instances(ImageId=ami, MinCount=1, MaxCount=1, NetworkInterfaces=[interface(0, NetworkInterfaceId=there)])


def test_clients_of_then(ec2, ami, subnet, query, in_state):
    """The API got interfaces in launches with the version after the guide's."""
    made = ec2.create_network_interface(SubnetId=subnet["SubnetId"])["NetworkInterface"]
    asked = {"ImageId": ami, "MinCount": "1", "MaxCount": "1", "InstanceType": "m1.large", "NetworkInterface.1.DeviceIndex": "0",
             "NetworkInterface.1.NetworkInterfaceId": made["NetworkInterfaceId"], "NetworkInterface.2.DeviceIndex": "1",
             "NetworkInterface.2.SubnetId": subnet["SubnetId"], "NetworkInterface.2.SecondaryPrivateIpAddressCount": "1"}
    assert query("RunInstances", OLD, **asked).code == "UnknownParameter"
    answer = query("RunInstances", "2012-07-20", **asked)
    assert answer.status == 200, answer.body
    first, second = in_state("running", *answer.texts("instancesSet/item/instanceId"))[0]["NetworkInterfaces"]
    assert first["NetworkInterfaceId"] == made["NetworkInterfaceId"] and len(second["PrivateIpAddresses"]) == 2


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
