"""Subnets: attributes, one a call; how their hosts are named; where they can be."""
import pytest

from conftest import NEW


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


@pytest.fixture
def vpc(ec2):
    return ec2.create_vpc(CidrBlock="10.45.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]


@pytest.fixture
def subnet(ec2, vpc):
    whole = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    return ec2.create_subnet(VpcId=vpc, CidrBlock="10.45.1.0/24", Ipv6CidrBlock=whole.replace("/56", "/64"))["Subnet"]["SubnetId"]


ON, OFF = {"Value": True}, {"Value": False}
ATTRIBUTES = {"AssignIpv6AddressOnCreation": ON, "MapPublicIpOnLaunch": ON, "MapCustomerOwnedIpOnLaunch": OFF, "EnableDns64": OFF, "PrivateDnsHostnameTypeOnLaunch": "ip-name",
              "EnableResourceNameDnsARecordOnLaunch": OFF, "EnableResourceNameDnsAAAARecordOnLaunch": OFF, "DisableLniAtDeviceIndex": OFF}


def test_one_attribute_a_call(ec2, subnet, refused):
    def shown():
        return ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]

    before = shown()
    names = list(ATTRIBUTES)
    for first, second in zip(names, names[1:] + names[:1]):
        with refused("InvalidParameterCombination"):
            ec2.modify_subnet_attribute(SubnetId=subnet, **{name: ATTRIBUTES[name] for name in (first, second)})
    with pytest.raises(Exception, match=r"Only one subnet attribute can be modified at a time. Provided attributes: \[assignIpv6AddressOnCreation, mapPublicIpOnLaunch\]"):
        ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation=ON, MapPublicIpOnLaunch=ON)
    with refused("InvalidParameterCombination"):
        ec2.modify_subnet_attribute(SubnetId=subnet)
    assert shown() == before
    for name, value in ATTRIBUTES.items():
        ec2.modify_subnet_attribute(SubnetId=subnet, **{name: value})
    assert shown() == {**before, "AssignIpv6AddressOnCreation": True, "MapPublicIpOnLaunch": True}


def test_one_attribute_of_an_interface_a_call(ec2, query, subnet, refused):
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    with refused("InvalidParameterCombination"):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface)
    with pytest.raises(Exception, match="Fields for multiple attribute types specified: description, sourceDestCheck$"):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Description={"Value": "d"}, SourceDestCheck=OFF)
    # What is not built counts too.
    asked = {"NetworkInterfaceId": interface, "EnablePrimaryIpv6": "true"}
    assert query("ModifyNetworkInterfaceAttribute", NEW, {**asked, "Description.Value": "d"}).code == "InvalidParameterCombination"
    assert query("ModifyNetworkInterfaceAttribute", NEW, asked).code == "UnsupportedOperation"
    assert ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]["Description"] == ""


NAMES = {"HostnameType": "ip-name", "EnableResourceNameDnsARecord": False, "EnableResourceNameDnsAAAARecord": False}


def test_hosts_are_named_after_addresses(ec2, vpc, launch, refused):
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.45.2.0/24")["Subnet"]
    assert made["PrivateDnsNameOptionsOnLaunch"] == NAMES
    assert {tuple(each["PrivateDnsNameOptionsOnLaunch"].items()) for each in ec2.describe_subnets()["Subnets"]} == {tuple(NAMES.items())}
    which = made["SubnetId"]
    for name, value in {"hostname-type": "ip-name", "enable-resource-name-dns-a-record": "false", "enable-resource-name-dns-aaaa-record": "false"}.items():
        assert which in [each["SubnetId"] for each in ec2.describe_subnets(**by(f"private-dns-name-options-on-launch.{name}", value))["Subnets"]], name
    for asked, code in (({"PrivateDnsHostnameTypeOnLaunch": "colour"}, "InvalidParameterValue"), ({"PrivateDnsHostnameTypeOnLaunch": "resource-name"}, "UnsupportedOperation"),
                        ({"EnableResourceNameDnsARecordOnLaunch": ON}, "UnsupportedOperation"), ({"EnableResourceNameDnsAAAARecordOnLaunch": ON}, "UnsupportedOperation")):
        with refused(code):
            ec2.modify_subnet_attribute(SubnetId=which, **asked)
    # As the launch has it.
    assert launch(SubnetId=which)["PrivateDnsNameOptions"] == NAMES


def test_a_zone_that_is_none(ec2, vpc):
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    for parameter, member in (("AvailabilityZone", "ZoneName"), ("AvailabilityZoneId", "ZoneId")):
        names = ", ".join(each[member] for each in zones)
        with pytest.raises(Exception, match=f"Subnets can currently only be created in the following availability zones: {names}."):
            ec2.create_subnet(VpcId=vpc, CidrBlock="10.45.3.0/24", **{parameter: "us-none-1a"})


def test_what_is_wrong_is_said_before_what_is_not_built(ec2, query, vpc):
    for code, asked in (("InvalidVpcID.NotFound", {"VpcId": "vpc-0123456789abcdef0", "Ipv6Native": True}), ("InvalidSubnet.Range", {"CidrBlock": "10.46.0.0/24", "Ipv6Native": True}),
                        ("InvalidParameterValue", {"AvailabilityZone": "nowhere", "Ipv4NetmaskLength": 24}), ("MissingParameter", {}),
                        ("UnsupportedOperation", {"Ipv4IpamPoolId": "ipam-pool-1"}), ("UnsupportedOperation", {"Ipv6Native": True}), ("UnsupportedOperation", {"CidrBlock": "10.45.3.0/24", "OutpostArn": "arn:aws:outposts:us-east-1:123456789012:outpost/op-1"})):
        answer = query("CreateSubnet", NEW, {"VpcId": vpc, **{name: str(value).lower() if value is True else value for name, value in asked.items()}})
        assert (answer.status, answer.code) == (400, code), asked
    assert ec2.describe_subnets(**by("vpc-id", vpc))["Subnets"] == []
