"""boto3's waiters of networks: they end as soon as what they wait for is there or gone."""
import pytest

quickly = {"Delay": 1, "MaxAttempts": 20}


@pytest.fixture
def vpc(ec2):
    return ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def subnet(ec2, vpc):
    return ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/24")["Subnet"]["SubnetId"]


def test_what_was_made(ec2, vpc, subnet):
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    group = ec2.create_security_group(GroupName="waited-for", Description="x", VpcId=vpc)["GroupId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    ec2.get_waiter("vpc_exists").wait(VpcIds=[vpc], WaiterConfig=quickly)
    ec2.get_waiter("vpc_available").wait(VpcIds=[vpc], WaiterConfig=quickly)
    ec2.get_waiter("subnet_available").wait(SubnetIds=[subnet], WaiterConfig=quickly)
    ec2.get_waiter("internet_gateway_exists").wait(InternetGatewayIds=[gateway], WaiterConfig=quickly)
    ec2.get_waiter("security_group_exists").wait(GroupIds=[group], WaiterConfig=quickly)
    ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[interface], WaiterConfig=quickly)


def test_an_interface_that_is_detached(ec2, launch):
    instance = launch()
    interface = ec2.create_network_interface(SubnetId=instance["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
    attachment = ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=instance["InstanceId"], DeviceIndex=1)["AttachmentId"]
    ec2.detach_network_interface(AttachmentId=attachment, Force=True)
    ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[interface], WaiterConfig=quickly)
    assert "Attachment" not in ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]


def test_a_peering(ec2, vpc):
    peer = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    peering = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.get_waiter("vpc_peering_connection_exists").wait(VpcPeeringConnectionIds=[peering], WaiterConfig=quickly)
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    ec2.get_waiter("vpc_peering_connection_deleted").wait(VpcPeeringConnectionIds=[peering], WaiterConfig=quickly)


def test_a_nat_gateway(ec2, subnet):
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat], WaiterConfig=quickly)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[nat], WaiterConfig=quickly)
