"""Network ACLs, DHCP option sets and NAT gateways, as boto3 sees them."""
import pytest


@pytest.fixture
def vpc(ec2):
    return lambda cidr="10.20.0.0/16": ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]


@pytest.fixture
def subnet(ec2):
    return lambda vpc, cidr="10.20.1.0/24": ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


def entries(acl, egress):
    return [(one["RuleNumber"], one["RuleAction"], one["Protocol"], one["CidrBlock"]) for one in acl["Entries"] if one["Egress"] is egress]


# --- network ACLs


def test_every_subnet_is_in_an_acl(ec2, vpc, subnet):
    (default,) = ec2.describe_network_acls()["NetworkAcls"]
    assert default["IsDefault"] and len(default["Associations"]) == 3
    for egress in (True, False):
        assert entries(default, egress) == [(100, "allow", "-1", "0.0.0.0/0"), (32767, "deny", "-1", "0.0.0.0/0")]
    made = vpc()
    one = subnet(made)
    (acl,) = ec2.describe_network_acls(**by("association.subnet-id", one))["NetworkAcls"]
    assert acl["IsDefault"] and acl["VpcId"] == made
    for name, value in {"default": "true", "vpc-id": made, "network-acl-id": acl["NetworkAclId"], "entry.rule-action": "deny", "entry.cidr": "0.0.0.0/0",
                        "association.association-id": acl["Associations"][0]["NetworkAclAssociationId"], "entry.rule-number": "100", "owner-id": "123456789012"}.items():
        assert acl in ec2.describe_network_acls(**by(name, value))["NetworkAcls"], name


def test_acls_and_their_entries(ec2, vpc, subnet, refused):
    made = vpc()
    one = subnet(made)
    acl = ec2.create_network_acl(VpcId=made)["NetworkAcl"]
    assert entries(acl, True) == entries(acl, False) == [(32767, "deny", "-1", "0.0.0.0/0")] and acl["IsDefault"] is False
    web = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 120, "Protocol": "6", "RuleAction": "allow", "Egress": False, "CidrBlock": "0.0.0.0/0", "PortRange": {"From": 80, "To": 81}}
    ec2.create_network_acl_entry(**web)
    ec2.create_network_acl_entry(**{**web, "RuleNumber": 90, "RuleAction": "deny", "CidrBlock": "10.9.8.7/8"})
    ec2.create_network_acl_entry(NetworkAclId=acl["NetworkAclId"], RuleNumber=120, Protocol="1", RuleAction="allow", Egress=True, CidrBlock="0.0.0.0/0", IcmpTypeCode={"Type": 8, "Code": -1})
    (shown,) = ec2.describe_network_acls(NetworkAclIds=[acl["NetworkAclId"]])["NetworkAcls"]
    assert entries(shown, False)[:2] == [(90, "deny", "6", "10.0.0.0/8"), (120, "allow", "6", "0.0.0.0/0")]
    assert [one for one in shown["Entries"] if one["Egress"]][0]["IcmpTypeCode"] == {"Type": 8, "Code": -1}
    for wrong, code in (({}, "NetworkAclEntryAlreadyExists"), ({"RuleNumber": 0}, "InvalidParameterValue"), ({"RuleNumber": 32767}, "InvalidParameterValue"),
                        ({"RuleNumber": 7, "RuleAction": "perhaps"}, "InvalidParameterValue"), ({"RuleNumber": 7, "Protocol": "tcp"}, "InvalidParameterValue"), ({"RuleNumber": 7, "Protocol": "256"}, "InvalidParameterValue"),
                        ({"RuleNumber": 7, "CidrBlock": "x"}, "InvalidParameterValue"), ({"RuleNumber": 7, "PortRange": {"From": 9, "To": 8}}, "InvalidParameterValue"),
                        ({"NetworkAclId": "acl-0123456789abcdef0"}, "InvalidNetworkAclID.NotFound")):
        with refused(code):
            ec2.create_network_acl_entry(**{**web, **wrong})
    with refused("MissingParameter"):
        ec2.create_network_acl_entry(**{**{key: value for key, value in web.items() if key != "PortRange"}, "RuleNumber": 8})
    # ICMP for IPv6 with a range of IPv4 is all of it, and filters know protocols by name too.
    portless = {key: value for key, value in web.items() if key != "PortRange"}
    ec2.create_network_acl_entry(**{**portless, "RuleNumber": 130, "Protocol": "58"})
    assert [acl["NetworkAclId"]] == [one["NetworkAclId"] for one in ec2.describe_network_acls(Filters=[{"Name": "entry.protocol", "Values": ["tcp"]}, {"Name": "vpc-id", "Values": [made]}])["NetworkAcls"]]
    ec2.delete_network_acl_entry(NetworkAclId=acl["NetworkAclId"], RuleNumber=130, Egress=False)
    ec2.replace_network_acl_entry(**{**web, "RuleAction": "deny"})
    with refused("InvalidNetworkAclEntry.NotFound"):
        ec2.replace_network_acl_entry(**{**web, "RuleNumber": 8})
    ec2.delete_network_acl_entry(NetworkAclId=acl["NetworkAclId"], RuleNumber=120, Egress=False)
    with refused("InvalidNetworkAclEntry.NotFound"):
        ec2.delete_network_acl_entry(NetworkAclId=acl["NetworkAclId"], RuleNumber=120, Egress=False)
    for number in range(1, 20):
        ec2.create_network_acl_entry(**{**web, "RuleNumber": number})
    with refused("NetworkAclEntryLimitExceeded"):
        ec2.create_network_acl_entry(**{**web, "RuleNumber": 20})
    # Moving a subnet under it.
    (default,) = ec2.describe_network_acls(**by("association.subnet-id", one))["NetworkAcls"]
    association = default["Associations"][0]["NetworkAclAssociationId"]
    new = ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl["NetworkAclId"])["NewAssociationId"]
    assert ec2.describe_network_acls(**by("association.association-id", new))["NetworkAcls"][0]["NetworkAclId"] == acl["NetworkAclId"]
    with refused("InvalidAssociationID.NotFound"):
        ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl["NetworkAclId"])
    with refused("InvalidParameterValue"):
        ec2.replace_network_acl_association(AssociationId=new, NetworkAclId=ec2.describe_network_acls(**by("default", "true"))["NetworkAcls"][0]["NetworkAclId"]
                                            if ec2.describe_network_acls(**by("default", "true"))["NetworkAcls"][0]["VpcId"] != made
                                            else ec2.describe_network_acls(**by("default", "true"))["NetworkAcls"][1]["NetworkAclId"])
    with refused("DependencyViolation"):
        ec2.delete_network_acl(NetworkAclId=acl["NetworkAclId"])
    with refused("InvalidParameterValue"):
        ec2.delete_network_acl(NetworkAclId=default["NetworkAclId"])
    with refused("DependencyViolation"):
        ec2.delete_vpc(VpcId=made)
    ec2.delete_subnet(SubnetId=one)
    ec2.delete_network_acl(NetworkAclId=acl["NetworkAclId"])
    with refused("InvalidNetworkAclID.NotFound"):
        ec2.delete_network_acl(NetworkAclId=acl["NetworkAclId"])
    ec2.delete_vpc(VpcId=made)


# --- DHCP options


def test_dhcp_options(ec2, vpc, refused):
    made = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["corp.example"]}, {"Key": "domain-name-servers", "Values": ["10.2.5.1,AmazonProvidedDNS"]},
                                                       {"Key": "netbios-node-type", "Values": ["2"]}])["DhcpOptions"]
    shown = {one["Key"]: [value["Value"] for value in one["Values"]] for one in made["DhcpConfigurations"]}
    assert shown == {"domain-name": ["corp.example"], "domain-name-servers": ["10.2.5.1", "AmazonProvidedDNS"], "netbios-node-type": ["2"]}
    for name, value in {"key": "netbios-*", "value": "corp.*", "dhcp-options-id": made["DhcpOptionsId"]}.items():
        assert ec2.describe_dhcp_options(**by(name, value))["DhcpOptions"] == [made], name
    assert len(ec2.describe_dhcp_options(**by("owner-id", "123456789012"))["DhcpOptions"]) == 2  # and the one that every account begins with
    network = vpc()
    ec2.associate_dhcp_options(DhcpOptionsId=made["DhcpOptionsId"], VpcId=network)
    assert ec2.describe_vpcs(**by("dhcp-options-id", made["DhcpOptionsId"]))["Vpcs"][0]["VpcId"] == network
    with refused("DependencyViolation"):
        ec2.delete_dhcp_options(DhcpOptionsId=made["DhcpOptionsId"])
    ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=network)
    ec2.delete_dhcp_options(DhcpOptionsId=made["DhcpOptionsId"])
    with refused("InvalidDhcpOptionID.NotFound"):
        ec2.associate_dhcp_options(DhcpOptionsId=made["DhcpOptionsId"], VpcId=network)


@pytest.mark.parametrize("key, values", [("domain-name", ["one.example two.example ec2.internal"]), ("domain-name", ["Corp_1.Example"]),
                                         ("domain-name-servers", ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "2001:db8::1", "2001:db8::2"]), ("ntp-servers", ["169.254.169.123"])])
def test_dhcp_options_come_back_as_they_were_given(ec2, key, values):
    made = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": key, "Values": values}])["DhcpOptions"]
    (shown,) = ec2.describe_dhcp_options(DhcpOptionsIds=[made["DhcpOptionsId"]])["DhcpOptions"]
    assert shown["DhcpConfigurations"] == [{"Key": key, "Values": [{"Value": one} for one in values]}]


@pytest.mark.parametrize("key, values", [("domain-name", ["one.example", "two.example"]), ("domain-name", ["x\ndhcp-script=/bin/sh"]), ("domain-name", [" "]),
                                         ("domain-name", ["a.example\ttwo"]), ("domain-name", ["a" * 256]), ("ipv6-address-preferred-lease-time", ["soon"]),
                                         ("domain-name-servers", ["2001:db8::1"] * 5), ("netbios-name-servers", ["2001:db8::1"]),
                                         ("domain-name-servers", ["ten"]), ("ntp-servers", ["AmazonProvidedDNS"]), ("netbios-node-type", ["3"]), ("colour", ["red"]),
                                         ("domain-name-servers", ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"])])
def test_dhcp_options_that_cannot_be(ec2, refused, key, values):
    with refused("InvalidParameterValue"):
        ec2.create_dhcp_options(DhcpConfigurations=[{"Key": key, "Values": values}])


# --- NAT gateways


def test_nat_gateways(ec2, vpc, subnet, launch, refused):
    made = vpc()
    one = subnet(made)
    address = ec2.allocate_address()
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=made)
    nat = ec2.create_nat_gateway(SubnetId=one, AllocationId=address["AllocationId"], ClientToken="t")["NatGateway"]
    assert nat["State"] == "pending"
    assert ec2.create_nat_gateway(SubnetId=one, AllocationId=address["AllocationId"], ClientToken="t")["NatGateway"]["NatGatewayId"] == nat["NatGatewayId"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat["NatGatewayId"]])
    (shown,) = ec2.describe_nat_gateways(Filters=[{"Name": "vpc-id", "Values": [made]}, {"Name": "state", "Values": ["available"]}])["NatGateways"]
    (place,) = shown["NatGatewayAddresses"]
    assert place["PublicIp"] == address["PublicIp"] and place["AllocationId"] == address["AllocationId"]
    (interface,) = ec2.describe_network_interfaces(**by("interface-type", "nat_gateway"))["NetworkInterfaces"]
    assert interface["NetworkInterfaceId"] == place["NetworkInterfaceId"] and interface["RequesterManaged"] and interface["Status"] == "in-use"
    for call in (lambda: ec2.delete_network_interface(NetworkInterfaceId=place["NetworkInterfaceId"]),
                 lambda: ec2.modify_network_interface_attribute(NetworkInterfaceId=place["NetworkInterfaceId"], Description={"Value": "mine"})):
        with refused("OperationNotPermitted"):
            call()
    with refused("AuthFailure"):
        ec2.disassociate_address(PublicIp=address["PublicIp"])
    with refused("InvalidIPAddress.InUse"):
        ec2.release_address(AllocationId=address["AllocationId"])
    table = ec2.create_route_table(VpcId=made)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat["NatGatewayId"])
    assert ec2.describe_route_tables(**by("route.nat-gateway-id", nat["NatGatewayId"]))["RouteTables"][0]["Routes"][1]["State"] == "active"
    with refused("DependencyViolation"):
        ec2.delete_subnet(SubnetId=one)
    ec2.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
    assert ec2.describe_nat_gateways(NatGatewayIds=[nat["NatGatewayId"]])["NatGateways"][0]["State"] == "deleted"
    assert ec2.describe_route_tables(**by("route.state", "blackhole"))["RouteTables"][0]["RouteTableId"] == table
    ec2.release_address(AllocationId=address["AllocationId"])
    ec2.delete_subnet(SubnetId=one)
    with refused("NatGatewayNotFound"):
        ec2.delete_nat_gateway(NatGatewayId="nat-0123456789abcdef0")
    # No route may begin to lead to one that is gone, though it is described.
    with refused("InvalidNatGatewayID.NotFound"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="192.0.2.0/24", NatGatewayId=nat["NatGatewayId"])


def test_a_nat_gateway_says_why_it_failed(ec2, vpc, subnet, refused):
    made = vpc()
    one = subnet(made)
    address = ec2.allocate_address()["AllocationId"]

    def failed(**more):
        nat = ec2.create_nat_gateway(SubnetId=one, AllocationId=address, **more)["NatGateway"]
        assert nat["State"] == "pending" and "FailureCode" not in nat and "DeleteTime" not in nat
        (shown,) = ec2.describe_nat_gateways(NatGatewayIds=[nat["NatGatewayId"]])["NatGateways"]
        (place,) = shown["NatGatewayAddresses"]
        assert shown["State"] == "failed" and shown["DeleteTime"] and "NetworkInterfaceId" not in place and "PublicIp" not in place
        assert place["AllocationId"] == address
        return shown

    first = failed(ClientToken="once", TagSpecifications=[{"ResourceType": "natgateway", "Tags": [{"Key": "k", "Value": "v"}]}])
    assert first["FailureCode"] == "Gateway.NotAttached" and first["FailureMessage"] == f"Network {made} has no Internet gateway attached"
    # The same token answers with what became of it.
    assert ec2.create_nat_gateway(SubnetId=one, AllocationId=address, ClientToken="once",
                                  TagSpecifications=[{"ResourceType": "natgateway", "Tags": [{"Key": "k", "Value": "v"}]}])["NatGateway"]["State"] == "failed"
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=made)
    interface = ec2.create_network_interface(SubnetId=one)["NetworkInterface"]["NetworkInterfaceId"]
    association = ec2.associate_address(AllocationId=address, NetworkInterfaceId=interface)["AssociationId"]
    second = failed()
    assert second["FailureCode"] == "Resource.AlreadyAssociated" and second["FailureMessage"] == f"Elastic IP address [{address}] is already associated"
    ec2.disassociate_address(AssociationId=association)
    one = subnet(made, "10.20.2.0/28")
    full = ec2.create_network_interface(SubnetId=one, SecondaryPrivateIpAddressCount=10)["NetworkInterface"]["NetworkInterfaceId"]
    assert failed()["FailureCode"] == "InsufficientFreeAddressesInSubnet"
    assert {each["State"] for each in ec2.describe_nat_gateways(Filters=[{"Name": "vpc-id", "Values": [made]}])["NatGateways"]} == {"failed"}
    table = ec2.create_route_table(VpcId=made)["RouteTable"]["RouteTableId"]
    with refused("InvalidNatGatewayID.NotFound"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=first["NatGatewayId"])
    # Nothing of it is in anybody's way: the address is free, and so is the subnet.
    ec2.delete_nat_gateway(NatGatewayId=first["NatGatewayId"])
    assert ec2.describe_nat_gateways(NatGatewayIds=[first["NatGatewayId"]])["NatGateways"][0]["State"] == "deleted"
    for each in (interface, full):
        ec2.delete_network_interface(NetworkInterfaceId=each)
    ec2.release_address(AllocationId=address)
    ec2.delete_subnet(SubnetId=one)


def test_edges_are_one_accounts_own(ec2, other, vpc, refused):
    mine, theirs = vpc(), other.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    acl = other.create_network_acl(VpcId=theirs)["NetworkAcl"]["NetworkAclId"]
    options = other.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["theirs.example"]}])["DhcpOptions"]["DhcpOptionsId"]
    with refused("InvalidNetworkAclID.NotFound"):
        ec2.delete_network_acl(NetworkAclId=acl)
    with refused("InvalidDhcpOptionID.NotFound"):
        ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=mine)
    with refused("InvalidVpcID.NotFound"):
        ec2.create_network_acl(VpcId=theirs)
    assert options not in [one["DhcpOptionsId"] for one in ec2.describe_dhcp_options()["DhcpOptions"]]
