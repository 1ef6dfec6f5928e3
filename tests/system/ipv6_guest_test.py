"""IPv6 from the API to a guest: a VPC that has it, a real machine, packets between it and this host."""
import subprocess

import pytest

from cloud import wait_until


@pytest.fixture
def network(account):
    """A VPC with IPv6: its subnet, its route table, its group."""
    ec2 = account.ec2
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    whole = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.60.1.0/24", Ipv6CidrBlock=whole.replace("/56", "/64"))["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    egress_only = ec2.create_egress_only_internet_gateway(VpcId=vpc)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    inside = {"Filters": [{"Name": "vpc-id", "Values": [vpc]}]}
    table = ec2.describe_route_tables(**inside)["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
    yield subnet, table, egress_only, ec2.describe_security_groups(**inside)["SecurityGroups"][0]["GroupId"]
    account.terminate_all()
    wait_until(lambda: not ec2.describe_network_interfaces(**inside)["NetworkInterfaces"], 60, "the end of the VPC's instances")
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=egress_only)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_vpc(VpcId=vpc)


def host_pings(address):
    return subprocess.run(["busybox", "ping6", "-c", "1", "-W", "1", address], capture_output=True).returncode == 0


def test_a_guest_hears_of_its_router_and_is_reached_as_rules_and_routes_say(account, tiny, network):
    ec2 = account.ec2
    subnet, table, egress_only, group = network
    account.open_port(group, 22)
    guest = account.launch(tiny, SubnetId=subnet, Ipv6AddressCount=1, SecurityGroupIds=[group]).wait_ssh()
    (shown,) = guest.describe()["NetworkInterfaces"][0]["Ipv6Addresses"]
    address = shown["Ipv6Address"]
    assert guest.ssh("wget -qO- http://169.254.169.254/latest/meta-data/ipv6") == address
    wait_until(lambda: "via fe80::" in guest.ssh("ip -6 route show default"), 30, "a router's advertisement")
    # This image has no client of DHCPv6 (tests/system/ipv6_test.cpp asks as one).
    guest.ssh(f"sudo ip -6 addr add {address}/128 dev eth0")
    assert not host_pings(address)
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "icmpv6", "FromPort": -1, "ToPort": -1, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}])
    wait_until(lambda: host_pings(address), 30, f"an answer of {address}")
    ec2.replace_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=egress_only)
    wait_until(lambda: not host_pings(address), 30, "the route's change")
