"""IPv6 of VPCs: ranges, addresses, routes, ACLs, egress-only internet gateways, as boto3 sees them."""
import ipaddress

import pytest

from conftest import instances_of


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


@pytest.fixture
def vpc(ec2):
    """vpc(): one with IPv6."""
    return lambda cidr="10.20.0.0/16", **more: ec2.create_vpc(CidrBlock=cidr, **{"AmazonProvidedIpv6CidrBlock": True, **more})["Vpc"]["VpcId"]


@pytest.fixture
def range6(ec2):
    return lambda vpc: ipaddress.ip_network(ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"])


@pytest.fixture
def subnet(ec2, range6):
    """subnet(vpc, 1): the subnet 10.20.1.0/24 with the /64 number 1."""
    def make(vpc, number=1):
        block = list(range6(vpc).subnets(new_prefix=64))[number]
        return ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{number}.0/24", Ipv6CidrBlock=str(block))["Subnet"]["SubnetId"], block

    return make


def test_ranges_of_vpcs(ec2, vpc, range6, subnet, refused):
    made = vpc()
    (shown,) = ec2.describe_vpcs(VpcIds=[made])["Vpcs"]
    (association,) = shown["Ipv6CidrBlockAssociationSet"]
    block = ipaddress.ip_network(association["Ipv6CidrBlock"])
    assert block.prefixlen == 56 and block.subnet_of(ipaddress.ip_network("2001:db8::/40"))
    assert association["Ipv6CidrBlockState"]["State"] == "associated" and association["Ipv6Pool"] == "Amazon" and association["NetworkBorderGroup"] == "us-east-1"
    for name, value in (("ipv6-cidr-block", str(block)), ("association-id", association["AssociationId"]), ("ipv6-pool", "Amazon"), ("state", "associated")):
        assert [one["VpcId"] for one in ec2.describe_vpcs(**by(f"ipv6-cidr-block-association.{name}", value))["Vpcs"]] == [made]
    # The tables lead there, the default group and ACL let it pass.
    (table,) = ec2.describe_route_tables(**by("route.destination-ipv6-cidr-block", str(block)))["RouteTables"]
    assert [(route["DestinationIpv6CidrBlock"], route["GatewayId"]) for route in table["Routes"] if "DestinationIpv6CidrBlock" in route] == [(str(block), "local")]
    (acl,) = ec2.describe_network_acls(**by("vpc-id", made))["NetworkAcls"]
    assert [(entry["RuleNumber"], entry["RuleAction"], entry["Egress"]) for entry in acl["Entries"] if entry.get("Ipv6CidrBlock") == "::/0"] == [
        (101, "allow", True), (32768, "deny", True), (101, "allow", False), (32768, "deny", False)]
    (group,) = ec2.describe_security_groups(**by("vpc-id", made))["SecurityGroups"]
    assert group["IpPermissionsEgress"][0]["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]
    fresh = ec2.create_security_group(GroupName="fresh", Description="d", VpcId=made)["GroupId"]
    assert ec2.describe_security_groups(GroupIds=[fresh])["SecurityGroups"][0]["IpPermissionsEgress"][0]["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]
    # One more, and no other is like it.
    more = ec2.associate_vpc_cidr_block(VpcId=made, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]
    assert more["Ipv6CidrBlockState"]["State"] == "associating" and not ipaddress.ip_network(more["Ipv6CidrBlock"]).overlaps(block)
    gone = ec2.disassociate_vpc_cidr_block(AssociationId=more["AssociationId"])["Ipv6CidrBlockAssociation"]
    assert gone["AssociationId"] == more["AssociationId"] and gone["Ipv6CidrBlockState"]["State"] == "disassociating"
    with refused("InvalidVpcCidrBlockAssociationID.NotFound"):
        ec2.disassociate_vpc_cidr_block(AssociationId=more["AssociationId"])
    one, _ = subnet(made)
    with refused("DependencyViolation"):
        ec2.disassociate_vpc_cidr_block(AssociationId=association["AssociationId"])
    ec2.delete_subnet(SubnetId=one)
    ec2.disassociate_vpc_cidr_block(AssociationId=association["AssociationId"])
    assert ec2.describe_vpcs(VpcIds=[made])["Vpcs"][0].get("Ipv6CidrBlockAssociationSet", []) == []


def test_what_a_vpc_cannot_have(ec2, vpc, refused):
    for wrong in ({"Ipv6Pool": "ipv6pool-ec2-0123456789abcdef0", "Ipv6CidrBlock": "2001:db8::/56"}, {"Ipv6IpamPoolId": "ipam-pool-1", "Ipv6NetmaskLength": 56},
                  {"Ipv6CidrBlockNetworkBorderGroup": "us-east-1-wl1"}):
        with refused("UnsupportedOperation"):
            vpc(AmazonProvidedIpv6CidrBlock=False, **wrong)
    made = vpc()
    with refused("InvalidParameterCombination"):
        ec2.associate_vpc_cidr_block(VpcId=made, AmazonProvidedIpv6CidrBlock=True, CidrBlock="10.30.0.0/16")
    for _ in range(4):
        ec2.associate_vpc_cidr_block(VpcId=made, AmazonProvidedIpv6CidrBlock=True)
    with refused("CidrLimitExceeded"):
        ec2.associate_vpc_cidr_block(VpcId=made, AmazonProvidedIpv6CidrBlock=True)


def test_ranges_of_subnets(ec2, vpc, range6, subnet, refused):
    made = vpc()
    one, block = subnet(made)
    (shown,) = ec2.describe_subnets(SubnetIds=[one])["Subnets"]
    (association,) = shown["Ipv6CidrBlockAssociationSet"]
    assert association["Ipv6CidrBlock"] == str(block) and association["Ipv6CidrBlockState"]["State"] == "associated" and shown["AssignIpv6AddressOnCreation"] is False
    for name, value in (("ipv6-cidr-block", str(block)), ("association-id", association["AssociationId"]), ("state", "associated")):
        assert [found["SubnetId"] for found in ec2.describe_subnets(**by(f"ipv6-cidr-block-association.{name}", value))["Subnets"]] == [one]
    two = ec2.create_subnet(VpcId=made, CidrBlock="10.20.2.0/24")["Subnet"]["SubnetId"]
    for wrong, code in ((str(block), "InvalidSubnet.Conflict"), ("2001:db9::/64", "InvalidSubnet.Range"), (str(range6(made)), "InvalidSubnet.Range"), ("10.0.0.0/8", "InvalidParameterValue")):
        with refused(code):
            ec2.associate_subnet_cidr_block(SubnetId=two, Ipv6CidrBlock=wrong)
    with refused("CidrLimitExceeded"):
        ec2.associate_subnet_cidr_block(SubnetId=one, Ipv6CidrBlock=str(list(range6(made).subnets(new_prefix=64))[9]))
    with refused("InvalidParameterValue"):
        ec2.modify_subnet_attribute(SubnetId=two, AssignIpv6AddressOnCreation={"Value": True})
    second = ec2.associate_subnet_cidr_block(SubnetId=two, Ipv6CidrBlock=str(list(range6(made).subnets(new_prefix=64))[2]))
    assert second["SubnetId"] == two and second["Ipv6CidrBlockAssociation"]["Ipv6CidrBlockState"]["State"] == "associating"
    ec2.modify_subnet_attribute(SubnetId=two, AssignIpv6AddressOnCreation={"Value": True})
    interface = ec2.create_network_interface(SubnetId=two)["NetworkInterface"]
    assert len(interface["Ipv6Addresses"]) == 1
    assert ec2.create_network_interface(SubnetId=two, Ipv6AddressCount=0)["NetworkInterface"]["Ipv6Addresses"] == []
    which = second["Ipv6CidrBlockAssociation"]["AssociationId"]
    with refused("DependencyViolation"):
        ec2.disassociate_subnet_cidr_block(AssociationId=which)
    ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    assert ec2.disassociate_subnet_cidr_block(AssociationId=which)["SubnetId"] == two
    with refused("InvalidSubnetCidrBlockAssociationID.NotFound"):
        ec2.disassociate_subnet_cidr_block(AssociationId=which)
    (shown,) = ec2.describe_subnets(SubnetIds=[two])["Subnets"]
    assert shown.get("Ipv6CidrBlockAssociationSet", []) == [] and shown["AssignIpv6AddressOnCreation"] is False


def test_addresses(ec2, vpc, subnet, refused):
    one, block = subnet(vpc())
    chosen = str(block[0x99])
    made = ec2.create_network_interface(SubnetId=one, Ipv6Addresses=[{"Ipv6Address": ipaddress.ip_address(chosen).exploded}])["NetworkInterface"]
    which = made["NetworkInterfaceId"]
    assert [address["Ipv6Address"] for address in made["Ipv6Addresses"]] == [chosen]
    more = ec2.assign_ipv6_addresses(NetworkInterfaceId=which, Ipv6AddressCount=2)["AssignedIpv6Addresses"]
    assert len(set(more)) == 2 and all(ipaddress.ip_address(address) in block for address in more)
    assert ec2.assign_ipv6_addresses(NetworkInterfaceId=which, Ipv6Addresses=[str(block[0x77])])["AssignedIpv6Addresses"] == [str(block[0x77])]
    (shown,) = ec2.describe_network_interfaces(**by("ipv6-addresses.ipv6-address", more[1]))["NetworkInterfaces"]
    assert [address["Ipv6Address"] for address in shown["Ipv6Addresses"]] == [chosen, *more, str(block[0x77])]
    for wrong, code in (({"Ipv6Addresses": [chosen]}, "InvalidIPAddress.InUse"), ({"Ipv6Addresses": ["2001:db9::5"]}, "InvalidParameterValue"),
                        ({"Ipv6Addresses": [str(block[1])]}, "InvalidParameterValue"), ({"Ipv6Addresses": ["10.0.0.1"]}, "InvalidParameterValue"),
                        ({"Ipv6Addresses": [str(block[0x66])] * 2}, "InvalidParameterValue"), ({}, "MissingParameter"), ({"Ipv6AddressCount": -1}, "InvalidParameterValue"),
                        ({"Ipv6Addresses": [str(block[0x66])], "Ipv6AddressCount": 1}, "InvalidParameterCombination"),
                        ({"Ipv6AddressCount": 50}, "PrivateIpAddressLimitExceeded"), ({"Ipv6PrefixCount": 1}, "UnsupportedOperation")):
        with refused(code):
            ec2.assign_ipv6_addresses(NetworkInterfaceId=which, **wrong)
    gone = ec2.unassign_ipv6_addresses(NetworkInterfaceId=which, Ipv6Addresses=[chosen, more[0]])
    assert gone["UnassignedIpv6Addresses"] == [chosen, more[0]]
    for wrong, code in (({"Ipv6Addresses": [chosen]}, "InvalidParameterValue"), ({"Ipv6Addresses": []}, "MissingParameter"), ({"Ipv6Prefixes": [f"{block[0]}/80"]}, "UnsupportedOperation")):
        with refused(code):
            ec2.unassign_ipv6_addresses(NetworkInterfaceId=which, **wrong)
    (shown,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[which])["NetworkInterfaces"]
    assert [address["Ipv6Address"] for address in shown["Ipv6Addresses"]] == [more[1], str(block[0x77])]


def test_instances(ec2, ami, launch, vpc, subnet, refused):
    one, block = subnet(vpc())
    chosen = str(block[0x99])
    instance = launch(SubnetId=one, InstanceType="t2.micro", Ipv6Addresses=[{"Ipv6Address": chosen}])
    assert [one["Ipv6Address"] for one in instance["NetworkInterfaces"][0]["Ipv6Addresses"]] == [chosen]
    for name in ("ipv6-address", "network-interface.ipv6-addresses.ipv6-address", "network-interface.ipv6-address"):
        assert [found["InstanceId"] for found in instances_of(ec2.describe_instances(**by(name, chosen)))] == [instance["InstanceId"]]
    assert [found["InstanceId"] for found in instances_of(ec2.describe_instances(**by("network-interface.ipv6-addresses.is-primary-ipv6", "false")))] == [instance["InstanceId"]]
    counted = launch(SubnetId=one, InstanceType="t2.micro", Ipv6AddressCount=2)
    assert len(counted["NetworkInterfaces"][0]["Ipv6Addresses"]) == 2
    given = launch(InstanceType="t2.micro", NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": one, "Ipv6AddressCount": 1}])
    assert ipaddress.ip_address(given["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"]) in block
    ec2.modify_subnet_attribute(SubnetId=one, AssignIpv6AddressOnCreation={"Value": True})
    assert len(launch(SubnetId=one, InstanceType="t2.micro")["NetworkInterfaces"][0]["Ipv6Addresses"]) == 1
    asked = {"ImageId": ami, "MinCount": 1, "MaxCount": 1, "SubnetId": one, "InstanceType": "t2.micro"}
    for wrong, code in (({"Ipv6AddressCount": 3}, "PrivateIpAddressLimitExceeded"), ({"InstanceType": "m1.small"}, "InvalidParameterCombination"),
                        ({"MaxCount": 2, "Ipv6Addresses": [{"Ipv6Address": str(block[0x55])}]}, "InvalidParameterCombination"),
                        ({"Ipv6Addresses": [{"Ipv6Address": chosen}]}, "InvalidIPAddress.InUse")):
        with refused(code):
            ec2.run_instances(**{**asked, **wrong})
    template = ec2.create_launch_template(LaunchTemplateName="six", LaunchTemplateData={"ImageId": ami, "InstanceType": "t2.micro", "NetworkInterfaces": [
        {"DeviceIndex": 0, "SubnetId": one, "Ipv6Addresses": [{"Ipv6Address": str(block[0x44])}]}]})["LaunchTemplate"]
    made = ec2.run_instances(MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"]})["Instances"][0]
    assert made["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"] == str(block[0x44])


def test_routes(ec2, vpc, range6, refused):
    made = vpc()
    egress = ec2.create_egress_only_internet_gateway(VpcId=made)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=made)
    table = ec2.create_route_table(VpcId=made)["RouteTable"]["RouteTableId"]
    foreign = vpc("10.21.0.0/16")
    other = ec2.create_egress_only_internet_gateway(VpcId=foreign)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]

    def routes():
        (found,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
        return {route["DestinationIpv6CidrBlock"]: route for route in found["Routes"] if "DestinationIpv6CidrBlock" in route}

    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=egress)
    assert routes()["::/0"] == {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": egress, "Origin": "CreateRoute", "State": "active"}
    assert [found["RouteTableId"] for found in ec2.describe_route_tables(**by("route.egress-only-internet-gateway-id", egress))["RouteTables"]] == [table]
    peer = ec2.describe_vpcs(**by("is-default", "true"))["Vpcs"][0]["VpcId"]
    peering = ec2.create_vpc_peering_connection(VpcId=made, PeerVpcId=peer)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    local = str(range6(made))
    inside = str(next(range6(made).subnets(new_prefix=64)))
    for wrong, code in (({"DestinationIpv6CidrBlock": "::/0", "GatewayId": igw}, "RouteAlreadyExists"), ({"DestinationIpv6CidrBlock": local, "GatewayId": igw}, "RouteAlreadyExists"),
                        ({"DestinationIpv6CidrBlock": inside, "GatewayId": igw}, "InvalidParameterValue"),
                        ({"DestinationCidrBlock": "10.99.0.0/16", "EgressOnlyInternetGatewayId": egress}, "InvalidParameterCombination"),
                        ({"DestinationIpv6CidrBlock": "2001:db9::/32", "EgressOnlyInternetGatewayId": other}, "InvalidParameterValue"),
                        ({"DestinationIpv6CidrBlock": "2001:db9::/32", "EgressOnlyInternetGatewayId": "eigw-0123456789abcdef0"}, "InvalidEgressOnlyInternetGatewayId.NotFound"),
                        ({"DestinationIpv6CidrBlock": "2001:db9::/32", "DestinationCidrBlock": "10.99.0.0/16", "GatewayId": igw}, "InvalidParameterCombination"),
                        ({"DestinationIpv6CidrBlock": "64:ff9b::/96", "NatGatewayId": "nat-0123456789abcdef0"}, "InvalidNatGatewayID.NotFound"),
                        ({"DestinationIpv6CidrBlock": "2001:db9::/32", "VpcPeeringConnectionId": "pcx-0123456789abcdef0"}, "InvalidVpcPeeringConnectionID.NotFound"),
                        ({"DestinationIpv6CidrBlock": "2001:db9::/32", "VpcPeeringConnectionId": peering}, "UnsupportedOperation"),
                        ({"DestinationIpv6CidrBlock": "x", "GatewayId": igw}, "InvalidParameterValue")):
        with refused(code):
            ec2.create_route(RouteTableId=table, **wrong)
    ec2.replace_route(RouteTableId=table, DestinationIpv6CidrBlock="0::0/0", GatewayId=igw)
    assert routes()["::/0"]["GatewayId"] == igw and "EgressOnlyInternetGatewayId" not in routes()["::/0"]
    ec2.replace_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=egress)
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=egress)
    assert routes()["::/0"]["State"] == "blackhole"
    with refused("InvalidParameterValue"):
        ec2.delete_route(RouteTableId=table, DestinationIpv6CidrBlock=local)
    ec2.delete_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0")
    with refused("InvalidRoute.NotFound"):
        ec2.delete_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0")


def test_acl_entries(ec2, vpc, refused):
    made = vpc()
    acl = ec2.create_network_acl(VpcId=made)["NetworkAcl"]["NetworkAclId"]
    entry = {"NetworkAclId": acl, "Egress": False, "RuleAction": "allow"}
    ec2.create_network_acl_entry(RuleNumber=10, Protocol="58", Ipv6CidrBlock="2001:DB8::1/32", IcmpTypeCode={"Type": 128, "Code": -1}, **entry)
    ec2.create_network_acl_entry(RuleNumber=20, Protocol="6", Ipv6CidrBlock="::/0", PortRange={"From": 80, "To": 80}, **entry)
    (shown,) = ec2.describe_network_acls(**by("entry.ipv6-cidr", "2001:db8::/32"))["NetworkAcls"]
    assert shown["NetworkAclId"] == acl
    first = next(one for one in shown["Entries"] if one["RuleNumber"] == 10)
    assert first == {"RuleNumber": 10, "Protocol": "58", "RuleAction": "allow", "Egress": False, "Ipv6CidrBlock": "2001:db8::/32", "IcmpTypeCode": {"Type": 128, "Code": -1}}
    for wrong, code in (({"CidrBlock": "0.0.0.0/0", "Ipv6CidrBlock": "::/0"}, "InvalidParameterCombination"), ({"Ipv6CidrBlock": "x"}, "InvalidParameterValue"), ({}, "MissingParameter")):
        with refused(code):
            ec2.create_network_acl_entry(RuleNumber=30, Protocol="-1", **entry, **wrong)
    ec2.replace_network_acl_entry(RuleNumber=20, Protocol="-1", CidrBlock="10.0.0.0/8", **entry)
    second = next(one for one in ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"] if one["RuleNumber"] == 20)
    assert second["CidrBlock"] == "10.0.0.0/8" and "Ipv6CidrBlock" not in second


def test_egress_only_gateways(ec2, other, vpc, refused):
    made = vpc()
    tags = [{"ResourceType": "egress-only-internet-gateway", "Tags": [{"Key": "a", "Value": "b"}]}]
    answer = ec2.create_egress_only_internet_gateway(VpcId=made, ClientToken="once", TagSpecifications=tags)
    gateway = answer["EgressOnlyInternetGateway"]
    assert answer["ClientToken"] == "once" and gateway["Attachments"] == [{"State": "attached", "VpcId": made}] and gateway["Tags"] == tags[0]["Tags"]
    assert ec2.create_egress_only_internet_gateway(VpcId=made, ClientToken="once", TagSpecifications=tags)["EgressOnlyInternetGateway"] == gateway
    which = gateway["EgressOnlyInternetGatewayId"]
    with refused("InvalidParameterValue"):
        ec2.create_egress_only_internet_gateway(VpcId=made)
    with refused("DryRunOperation", 412):
        ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=which, DryRun=True)
    assert ec2.describe_egress_only_internet_gateways(EgressOnlyInternetGatewayIds=[which])["EgressOnlyInternetGateways"] == [gateway]
    assert ec2.describe_egress_only_internet_gateways(**by("tag:a", "b"))["EgressOnlyInternetGateways"] == [gateway]
    assert ec2.describe_tags(**by("resource-type", "egress-only-internet-gateway"))["Tags"][0]["ResourceId"] == which
    assert other.describe_egress_only_internet_gateways()["EgressOnlyInternetGateways"] == []
    with refused("InvalidEgressOnlyInternetGatewayId.NotFound"):
        other.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=which)
    with refused("DependencyViolation"):
        ec2.delete_vpc(VpcId=made)
    assert ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=which)["ReturnCode"] is True
    assert ec2.describe_egress_only_internet_gateways()["EgressOnlyInternetGateways"] == []
    ec2.delete_vpc(VpcId=made)
