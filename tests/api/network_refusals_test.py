"""Networks: an ordinary error is said before what is not built, and untagged things show an empty list of tags or none, as EC2 writes each."""
import pytest

import service_model
from conftest import NEW

NONE = "0123456789abcdef0"


@pytest.fixture
def vpc(ec2):
    return ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def subnet(ec2, vpc):
    return ec2.create_subnet(VpcId=vpc, CidrBlock="10.60.1.0/24")["Subnet"]["SubnetId"]


@pytest.fixture
def interface(ec2, subnet):
    return ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]


@pytest.fixture
def table(ec2, vpc):
    return ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]


@pytest.fixture
def answers(query):
    """answers("Action", {"Always": "so"}, ("Code", {"Now": "so"}), …): by the project's model, which is newer than Debian's boto3."""

    def check(action, common, *cases):
        model = service_model.own("ec2")
        for code, asked in cases:
            parameters = {key: value for key, value in {**common, **asked}.items() if value is not None}
            answer = query(action, NEW, service_model.write_parameters(model, model.operations[action]["input"], parameters))
            assert (answer.status, answer.code) == (400, code), f"{action} {parameters}: {answer.body.decode()}"

    return check


def test_nat_gateways(ec2, subnet, answers):
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    answers("CreateNatGateway", {"SubnetId": subnet, "AllocationId": address},
            ("InvalidSubnetID.NotFound", {"SubnetId": f"subnet-{NONE}", "AllocationId": None, "ConnectivityType": "private"}),
            ("InvalidParameterValue", {"ConnectivityType": "secret"}), ("InvalidParameterCombination", {"ConnectivityType": "private"}),
            ("InvalidAllocationID.NotFound", {"SecondaryAllocationIds": [f"eipalloc-{NONE}"]}), ("InvalidAllocationID.NotFound", {"AllocationId": f"eipalloc-{NONE}"}),
            ("MissingParameter", {"AllocationId": None}), ("UnsupportedOperation", {"AllocationId": None, "ConnectivityType": "private"}),
            ("UnsupportedOperation", {"SecondaryAllocationIds": [address]}))
    assert ec2.describe_nat_gateways(Filters=[{"Name": "subnet-id", "Values": [subnet]}])["NatGateways"] == []


def test_interfaces(ec2, subnet, interface, launch, answers):
    answers("CreateNetworkInterface", {"SubnetId": subnet},
            ("InvalidSubnetID.NotFound", {"SubnetId": f"subnet-{NONE}", "InterfaceType": "efa"}), ("InvalidParameterValue", {"InterfaceType": "natGateway"}),
            ("InvalidParameterValue", {"Ipv4PrefixCount": 1, "PrivateIpAddress": "10.61.0.9"}), ("InvalidGroup.NotFound", {"Groups": [f"sg-{NONE}"], "EnablePrimaryIpv6": True}),
            ("UnsupportedOperation", {"InterfaceType": "efa"}), ("UnsupportedOperation", {"Ipv4PrefixCount": 1}))
    answers("AttachNetworkInterface", {"NetworkInterfaceId": interface, "DeviceIndex": 1, "EnaSrdSpecification": {"EnaSrdEnabled": True}},
            ("InvalidInstanceID.NotFound", {"InstanceId": f"i-{NONE}"}), ("InvalidNetworkInterfaceID.NotFound", {"NetworkInterfaceId": f"eni-{NONE}", "InstanceId": f"i-{NONE}"}),
            ("UnsupportedOperation", {"InstanceId": launch(SubnetId=subnet)["InstanceId"]}))
    answers("AssignPrivateIpAddresses", {"NetworkInterfaceId": interface},
            ("InvalidNetworkInterfaceID.NotFound", {"NetworkInterfaceId": f"eni-{NONE}", "Ipv4PrefixCount": 1}), ("InvalidParameterValue", {"Ipv4Prefixes": ["10.60.1.0/29"]}),
            ("InvalidParameterCombination", {"Ipv4Prefixes": ["10.60.1.16/28"], "Ipv4PrefixCount": 1}), ("UnsupportedOperation", {"Ipv4Prefixes": ["10.60.1.16/28"]}))
    answers("AssignIpv6Addresses", {"NetworkInterfaceId": interface},
            ("InvalidNetworkInterfaceID.NotFound", {"NetworkInterfaceId": f"eni-{NONE}", "Ipv6PrefixCount": 1}), ("InvalidParameterValue", {"Ipv6Prefixes": ["2001:db8::/64"]}),
            ("UnsupportedOperation", {"Ipv6PrefixCount": 1}))


def test_routes(ec2, vpc, table, answers):
    endpoint = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3")["VpcEndpoint"]["VpcEndpointId"]
    for action in ("CreateRoute", "ReplaceRoute"):
        if action == "ReplaceRoute":
            gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
            ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
            ec2.create_route(RouteTableId=table, DestinationCidrBlock="192.0.2.0/24", GatewayId=gateway)
        answers(action, {"RouteTableId": table, "DestinationCidrBlock": "192.0.2.0/24"},
                ("InvalidTransitGatewayID.NotFound", {"TransitGatewayId": f"tgw-{NONE}"}), ("InvalidTransitGatewayID.Malformed", {"TransitGatewayId": "tgw"}),
                ("InvalidLocalGatewayID.NotFound", {"LocalGatewayId": f"lgw-{NONE}"}), ("InvalidCarrierGatewayID.NotFound", {"CarrierGatewayId": f"cagw-{NONE}"}),
                ("InvalidParameterCombination", {"TransitGatewayId": f"tgw-{NONE}", "GatewayId": f"igw-{NONE}"}), ("InvalidNatGatewayID.NotFound", {"NatGatewayId": f"nat-{NONE}"}),
                ("InvalidRouteTableID.NotFound", {"RouteTableId": f"rtb-{NONE}", "CoreNetworkArn": "arn"}), ("InvalidParameterValue", {"DestinationCidrBlock": "x", "CoreNetworkArn": "arn"}),
                ("UnsupportedOperation", {"CoreNetworkArn": "arn:aws:networkmanager::123456789012:core-network/core-network-0"}))
    answers("CreateRoute", {"RouteTableId": table, "DestinationCidrBlock": "198.51.100.0/24"},
            ("InvalidVpcEndpointId.NotFound", {"VpcEndpointId": f"vpce-{NONE}"}), ("InvalidParameterValue", {"VpcEndpointId": endpoint}))
    answers("AssociateRouteTable", {"RouteTableId": table},
            ("InvalidRouteTableID.NotFound", {"RouteTableId": f"rtb-{NONE}", "GatewayId": f"igw-{NONE}"}), ("InvalidGatewayID.NotFound", {"GatewayId": f"igw-{NONE}"}),
            ("InvalidParameterCombination", {"GatewayId": f"igw-{NONE}", "SubnetId": f"subnet-{NONE}"}), ("UnsupportedOperation", {"GatewayId": gateway}))


def test_vpn_connections(ec2, answers):
    answers("CreateCustomerGateway", {"Type": "ipsec.1", "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/0"},
            ("InvalidParameterValue", {"IpAddress": "127.0.0.1"}), ("UnsupportedOperation", {"IpAddress": "192.0.2.10"}), ("UnsupportedOperation", {}))
    customer = ec2.create_customer_gateway(Type="ipsec.1", PublicIp="192.0.2.10", BgpAsn=65001)["CustomerGateway"]["CustomerGatewayId"]
    gateway = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    dynamic = {"Options": {"StaticRoutesOnly": False}}
    answers("CreateVpnConnection", {"Type": "ipsec.1", "CustomerGatewayId": customer},
            ("InvalidCustomerGatewayID.NotFound", {"CustomerGatewayId": f"cgw-{NONE}", "TransitGatewayId": f"tgw-{NONE}"}), ("MissingParameter", {}),
            ("InvalidTransitGatewayID.NotFound", {"TransitGatewayId": f"tgw-{NONE}"}), ("InvalidParameterCombination", {"TransitGatewayId": f"tgw-{NONE}", "VpnGatewayId": gateway}),
            ("InvalidVpnGatewayID.NotFound", {"VpnGatewayId": f"vgw-{NONE}", **dynamic}),
            ("InvalidParameterValue", {"VpnGatewayId": gateway, "Options": {"StaticRoutesOnly": False, "TunnelOptions": [{"PreSharedKey": "short"}]}}),
            ("UnsupportedOperation", {"VpnGatewayId": gateway, **dynamic}))
    assert ec2.describe_vpn_connections()["VpnConnections"] == []


def test_others(ec2, subnet, answers):
    answers("AllocateAddress", {"Domain": "vpc", "Address": "203.0.113.1"},
            ("InvalidParameterValue", {"Address": "x"}), ("InvalidPublicIpv4PoolID.NotFound", {"PublicIpv4Pool": f"ipv4pool-ec2-{NONE}"}),
            ("InvalidParameterValue", {"NetworkBorderGroup": "moon"}), ("UnsupportedOperation", {}))
    answers("CreateManagedPrefixList", {"AddressFamily": "IPv6", "PrefixListName": "six", "MaxEntries": 1},
            ("InvalidParameterValue", {"MaxEntries": 0}), ("InvalidParameterValue", {"PrefixListName": "com.amazonaws.x"}), ("InvalidParameterValue", {"Entries": [{"Cidr": "10.0.0.0/8"}]}),
            ("UnsupportedOperation", {"Entries": [{"Cidr": "2001:db8::/32"}]}))
    answers("AssociateSubnetCidrBlock", {"SubnetId": subnet},
            ("InvalidSubnetID.NotFound", {"SubnetId": f"subnet-{NONE}", "Ipv6IpamPoolId": "ipam-pool-1"}), ("InvalidParameterValue", {"Ipv6CidrBlock": "x", "Ipv6NetmaskLength": 64}),
            ("UnsupportedOperation", {"Ipv6IpamPoolId": "ipam-pool-1"}))
    endpoint = {"VpcId": ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"], "ServiceName": "com.amazonaws.us-east-1.s3", "ServiceRegion": "eu-west-1"}
    answers("CreateVpcEndpoint", endpoint,
            ("InvalidServiceName", {"ServiceName": "com.amazonaws.us-east-1.sqs"}), ("InvalidRouteTableID.NotFound", {"RouteTableIds": [f"rtb-{NONE}"]}), ("UnsupportedOperation", {}))
    answers("CreateDhcpOptions", {},
            ("InvalidParameterValue", {"DhcpConfigurations": [{"Key": "ipv6-address-preferred-lease-time", "Values": ["9"]}]}),
            ("UnsupportedOperation", {"DhcpConfigurations": [{"Key": "ipv6-address-preferred-lease-time", "Values": ["600"]}]}),
            ("UnsupportedOperation", {"DhcpConfigurations": [{"Key": "ntp-servers", "Values": ["2001:db8::1"]}]}))


# --- absent and empty are two things


def test_tags_of_what_has_none(ec2, vpc, subnet, interface, table):
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)
    rules = ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}])["SecurityGroupRules"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]
    customer = ec2.create_customer_gateway(Type="ipsec.1", PublicIp="192.0.2.10", BgpAsn=65001)["CustomerGateway"]
    absent = {"subnet": ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0], "group": ec2.describe_security_groups(GroupIds=[group["GroupId"]])["SecurityGroups"][0],
              "vpc": ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0], "address": ec2.describe_addresses(AllocationIds=[address])["Addresses"][0], "new group": group, "new rule": rules[0],
              "new vpn gateway": gateway, "new customer gateway": customer}
    assert {name: "Tags" in each for name, each in absent.items()} == dict.fromkeys(absent, False)
    empty = {"rule": ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}])["SecurityGroupRules"][0],
             "route table": ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0],
             "vpn gateway": ec2.describe_vpn_gateways(VpnGatewayIds=[gateway["VpnGatewayId"]])["VpnGateways"][0],
             "customer gateway": ec2.describe_customer_gateways(CustomerGatewayIds=[customer["CustomerGatewayId"]])["CustomerGateways"][0],
             "internet gateway": ec2.create_internet_gateway()["InternetGateway"]}
    assert {name: each.get("Tags") for name, each in empty.items()} == dict.fromkeys(empty, [])
    (shown,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    assert shown["TagSet"] == shown["Ipv6Addresses"] == [] and not {"Ipv4Prefixes", "Ipv6Prefixes", "AssociatedSubnets"} & set(shown)
    # One attribute of many is shown alone.
    assert set(ec2.describe_network_interface_attribute(NetworkInterfaceId=interface, Attribute="description")) - {"ResponseMetadata"} == {"Description", "NetworkInterfaceId"}
    ec2.create_tags(Resources=[subnet, gateway["VpnGatewayId"]], Tags=[{"Key": "k", "Value": "v"}])
    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["Tags"] == [{"Key": "k", "Value": "v"}]
