"""VPCs, subnets, internet gateways and route tables, as boto3 sees them (OPS-035 ff.)."""
import botocore.exceptions
import pytest

from conftest import NEW


@pytest.fixture
def vpc(ec2):
    """vpc("10.20.0.0/16"): makes one."""
    return lambda cidr="10.20.0.0/16", **more: ec2.create_vpc(CidrBlock=cidr, **more)["Vpc"]["VpcId"]


@pytest.fixture
def subnet(ec2):
    return lambda vpc, cidr="10.20.1.0/24", **more: ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, **more)["Subnet"]["SubnetId"]


@pytest.fixture
def gateway(ec2):
    def make(vpc):
        made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=vpc)
        return made

    return make


@pytest.fixture
def table(ec2):
    return lambda vpc: ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]


@pytest.fixture
def routes(ec2):
    """routes(table): what it leads to, by destination."""
    def look(table):
        (found,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
        return {route["DestinationCidrBlock"]: route for route in found["Routes"]}

    return look


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


def test_a_vpc_has_its_parts(ec2, vpc, refused):
    made = vpc("10.20.0.5/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}])
    (shown,) = ec2.describe_vpcs(VpcIds=[made])["Vpcs"]
    assert shown["CidrBlock"] == "10.20.0.0/16" and shown["IsDefault"] is False and shown["State"] == "available" and shown["Tags"] == [{"Key": "a", "Value": "b"}]
    (table,) = ec2.describe_route_tables(**by("vpc-id", made))["RouteTables"]
    assert table["Associations"][0]["Main"] is True and [(route["DestinationCidrBlock"], route["GatewayId"]) for route in table["Routes"]] == [("10.20.0.0/16", "local")]
    (group,) = ec2.describe_security_groups(**by("vpc-id", made))["SecurityGroups"]
    assert group["GroupName"] == "default"
    assert ec2.describe_internet_gateways(**by("attachment.vpc-id", made))["InternetGateways"] == []
    ec2.delete_vpc(VpcId=made)
    for call in (lambda: ec2.delete_vpc(VpcId=made), lambda: ec2.describe_vpcs(VpcIds=[made])):
        with refused("InvalidVpcID.NotFound"):
            call()
    assert ec2.describe_security_groups(**by("vpc-id", made))["SecurityGroups"] == [] and ec2.describe_route_tables(**by("vpc-id", made))["RouteTables"] == []


def test_the_default_vpc_leads_to_the_internet(ec2):
    (default,) = ec2.describe_vpcs()["Vpcs"]
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    assert gateway["Attachments"] == [{"State": "available", "VpcId": default["VpcId"]}]
    (table,) = ec2.describe_route_tables()["RouteTables"]
    assert {(route["DestinationCidrBlock"], route["GatewayId"], route["State"]) for route in table["Routes"]} == {
        ("172.31.0.0/16", "local", "active"), ("0.0.0.0/0", gateway["InternetGatewayId"], "active")}


@pytest.mark.parametrize("cidr, code", [("10.0.0.0/15", "InvalidVpc.Range"), ("10.0.0.0/29", "InvalidVpc.Range"), ("169.254.0.0/16", "InvalidVpc.Range"),
                                        ("127.0.0.0/16", "InvalidVpc.Range"), ("10.0.0.0", "InvalidParameterValue"), ("10.0.0/16", "InvalidParameterValue"),
                                        ("10.0.0.256/16", "InvalidParameterValue"), ("ten", "InvalidParameterValue")])
def test_ranges_that_cannot_be(vpc, refused, cidr, code):
    with refused(code):
        vpc(cidr)


def test_limits(ec2, vpc, refused):
    for number in range(4):
        vpc(f"10.{number}.0.0/16")
    with refused("VpcLimitExceeded"):
        vpc("10.9.0.0/16")
    for _ in range(4):
        ec2.create_internet_gateway()
    with refused("InternetGatewayLimitExceeded"):
        ec2.create_internet_gateway()
    with refused("UnsupportedOperation"):
        vpc(InstanceTenancy="dedicated")


def test_attributes(ec2, vpc, launch, refused):
    made = vpc()

    def attribute(name, key):
        return ec2.describe_vpc_attribute(VpcId=made, Attribute=name)[key]["Value"]

    assert attribute("enableDnsSupport", "EnableDnsSupport") is True and attribute("enableDnsHostnames", "EnableDnsHostnames") is False
    ec2.modify_vpc_attribute(VpcId=made, EnableDnsHostnames={"Value": True})
    ec2.modify_vpc_attribute(VpcId=made, EnableDnsSupport={"Value": False})
    assert attribute("enableDnsSupport", "EnableDnsSupport") is False and attribute("enableDnsHostnames", "EnableDnsHostnames") is True
    with refused("InvalidParameterValue"):
        ec2.describe_vpc_attribute(VpcId=made, Attribute="colour")
    with refused("InvalidParameterCombination"):
        ec2.modify_vpc_attribute(VpcId=made, EnableDnsHostnames={"Value": True}, EnableDnsSupport={"Value": True})
    with refused("MissingParameter"):
        ec2.modify_vpc_attribute(VpcId=made)


def test_further_ranges(ec2, vpc, subnet, refused):
    made = vpc()
    association = ec2.associate_vpc_cidr_block(VpcId=made, CidrBlock="10.30.0.0/16")["CidrBlockAssociation"]
    assert association["CidrBlockState"]["State"] == "associating"
    (shown,) = ec2.describe_vpcs(**by("cidr-block-association.cidr-block", "10.30.0.0/16"))["Vpcs"]
    assert [each["CidrBlock"] for each in shown["CidrBlockAssociationSet"]] == ["10.20.0.0/16", "10.30.0.0/16"]
    with refused("CidrConflict"):
        ec2.associate_vpc_cidr_block(VpcId=made, CidrBlock="10.30.1.0/24")
    held = subnet(made, "10.30.1.0/24")
    with refused("DependencyViolation"):
        ec2.disassociate_vpc_cidr_block(AssociationId=association["AssociationId"])
    ec2.delete_subnet(SubnetId=held)
    ec2.disassociate_vpc_cidr_block(AssociationId=association["AssociationId"])
    with refused("InvalidVpcCidrBlockAssociationID.NotFound"):
        ec2.disassociate_vpc_cidr_block(AssociationId=association["AssociationId"])
    with refused("OperationNotPermitted"):
        ec2.disassociate_vpc_cidr_block(AssociationId=shown["CidrBlockAssociationSet"][0]["AssociationId"])
    for number in range(4):
        ec2.associate_vpc_cidr_block(VpcId=made, CidrBlock=f"10.4{number}.0.0/16")
    with refused("CidrLimitExceeded"):
        ec2.associate_vpc_cidr_block(VpcId=made, CidrBlock="10.50.0.0/16")


def test_subnets(ec2, vpc, subnet, launch, refused):
    made = vpc()
    one = subnet(made, AvailabilityZone="us-east-1b")
    (shown,) = ec2.describe_subnets(SubnetIds=[one])["Subnets"]
    assert shown["AvailabilityZone"] == "us-east-1b" and shown["AvailableIpAddressCount"] == 251 and shown["MapPublicIpOnLaunch"] is False
    assert shown["DefaultForAz"] is False
    for wrong, code in (({"cidr": "10.20.1.128/25"}, "InvalidSubnet.Conflict"), ({"cidr": "10.21.0.0/24"}, "InvalidSubnet.Range"),
                        ({"cidr": "10.20.2.0/29"}, "InvalidSubnet.Range"), ({"cidr": "10.20.0.0/15"}, "InvalidSubnet.Range"), ({"cidr": "x"}, "InvalidParameterValue"),
                        ({"cidr": "10.20.2.0/24", "AvailabilityZone": "us-east-1z"}, "InvalidParameterValue")):
        with refused(code):
            subnet(made, **wrong)
    with refused("InvalidVpcID.NotFound"):
        subnet("vpc-0123456789abcdef0")
    with refused("DependencyViolation"):
        ec2.delete_vpc(VpcId=made)
    instance = launch(SubnetId=one)
    assert "PublicIpAddress" not in instance
    with refused("DependencyViolation"):
        ec2.delete_subnet(SubnetId=one)
    ec2.modify_subnet_attribute(SubnetId=one, MapPublicIpOnLaunch={"Value": True})
    assert ec2.describe_subnets(**by("map-public-ip-on-launch", "true") | {"SubnetIds": [one]})["Subnets"]
    assert "PublicIpAddress" in launch(SubnetId=one)
    with refused("InvalidParameterValue"):
        ec2.modify_subnet_attribute(SubnetId=one, AssignIpv6AddressOnCreation={"Value": True})
    two = subnet(made, "10.20.2.0/24")
    ec2.delete_subnet(SubnetId=two)
    with refused("InvalidSubnetID.NotFound"):
        ec2.delete_subnet(SubnetId=two)


def test_internet_gateways(ec2, vpc, subnet, launch, refused):
    made, other_vpc = vpc(), vpc("10.21.0.0/16")
    one = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    with refused("Gateway.NotAttached"):
        ec2.detach_internet_gateway(InternetGatewayId=one, VpcId=made)
    ec2.attach_internet_gateway(InternetGatewayId=one, VpcId=made)
    with refused("Resource.AlreadyAssociated"):
        ec2.attach_internet_gateway(InternetGatewayId=one, VpcId=other_vpc)
    two = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    with refused("InvalidParameterValue"):
        ec2.attach_internet_gateway(InternetGatewayId=two, VpcId=made)
    with refused("DependencyViolation"):
        ec2.delete_internet_gateway(InternetGatewayId=one)
    with refused("DependencyViolation"):
        ec2.delete_vpc(VpcId=made)
    address = ec2.allocate_address()
    interface = ec2.create_network_interface(SubnetId=subnet(made))["NetworkInterface"]["NetworkInterfaceId"]
    ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface)
    with refused("DependencyViolation"):
        ec2.detach_internet_gateway(InternetGatewayId=one, VpcId=made)
    ec2.disassociate_address(PublicIp=address["PublicIp"])
    ec2.detach_internet_gateway(InternetGatewayId=one, VpcId=made)
    with refused("Gateway.NotAttached"):
        ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface)
    ec2.delete_internet_gateway(InternetGatewayId=one)
    with refused("InvalidInternetGatewayID.NotFound"):
        ec2.delete_internet_gateway(InternetGatewayId=one)


def test_routes(ec2, vpc, subnet, gateway, table, routes, launch, in_state, refused):
    made = vpc()
    igw, rtb, foreign = gateway(made), table(made), gateway(vpc("10.21.0.0/16"))
    ec2.create_route(RouteTableId=rtb, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    for wrong, code in (({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": igw}, "RouteAlreadyExists"), ({"DestinationCidrBlock": "10.20.0.0/16", "GatewayId": igw}, "RouteAlreadyExists"),
                        ({"DestinationCidrBlock": "10.20.5.0/24", "GatewayId": igw}, "InvalidParameterValue"), ({"DestinationCidrBlock": "10.99.0.0/16", "GatewayId": foreign}, "InvalidParameterValue"),
                        ({"DestinationCidrBlock": "x", "GatewayId": igw}, "InvalidParameterValue"), ({"DestinationCidrBlock": "10.99.0.0/16"}, "MissingParameter"),
                        ({"DestinationCidrBlock": "10.99.0.0/16", "GatewayId": igw, "InstanceId": "i-0123456789abcdef0"}, "InvalidParameterCombination"),
                        ({"DestinationCidrBlock": "10.99.0.0/16", "InstanceId": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
                        ({"DestinationCidrBlock": "10.99.0.0/16", "VpcPeeringConnectionId": "pcx-0123456789abcdef0"}, "InvalidVpcPeeringConnectionID.NotFound"),
                        ({"DestinationIpv6CidrBlock": "::", "GatewayId": igw}, "InvalidParameterValue"), ({"GatewayId": igw}, "MissingParameter")):
        with refused(code):
            ec2.create_route(RouteTableId=rtb, **wrong)
    instance = launch(SubnetId=subnet(made))
    ec2.create_route(RouteTableId=rtb, DestinationCidrBlock="192.168.0.9/16", InstanceId=instance["InstanceId"])
    route = routes(rtb)["192.168.0.0/16"]
    assert (route["InstanceId"], route["State"], route["Origin"]) == (instance["InstanceId"], "active", "CreateRoute")
    assert route["NetworkInterfaceId"] == instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert ec2.describe_route_tables(**by("route.instance-id", instance["InstanceId"]))["RouteTables"][0]["RouteTableId"] == rtb
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    in_state("stopped", instance["InstanceId"])
    assert routes(rtb)["192.168.0.0/16"]["State"] == "blackhole"
    ec2.replace_route(RouteTableId=rtb, DestinationCidrBlock="192.168.0.0/16", GatewayId=igw)
    assert routes(rtb)["192.168.0.0/16"]["GatewayId"] == igw and "InstanceId" not in routes(rtb)["192.168.0.0/16"]
    with refused("InvalidParameterValue"):
        ec2.replace_route(RouteTableId=rtb, DestinationCidrBlock="10.99.0.0/16", GatewayId=igw)
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=made)
    assert routes(rtb)["0.0.0.0/0"]["State"] == "blackhole"
    assert ec2.describe_route_tables(**by("route.state", "blackhole"))["RouteTables"][0]["RouteTableId"] == rtb
    ec2.delete_route(RouteTableId=rtb, DestinationCidrBlock="192.168.0.0/16")
    with refused("InvalidRoute.NotFound"):
        ec2.delete_route(RouteTableId=rtb, DestinationCidrBlock="192.168.0.0/16")
    with refused("InvalidParameterValue"):
        ec2.delete_route(RouteTableId=rtb, DestinationCidrBlock="10.20.0.0/16")
    for number in range(49):
        ec2.create_route(RouteTableId=rtb, DestinationCidrBlock=f"192.168.{number}.0/24", InstanceId=instance["InstanceId"])
    with refused("RouteLimitExceeded"):
        ec2.create_route(RouteTableId=rtb, DestinationCidrBlock="192.169.0.0/24", InstanceId=instance["InstanceId"])


def test_which_table_rules(ec2, vpc, subnet, table, refused):
    made = vpc()
    one, rtb, other_table = subnet(made), table(made), table(made)
    (main,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [made]}, {"Name": "association.main", "Values": ["true"]}])["RouteTables"]
    association = ec2.associate_route_table(RouteTableId=rtb, SubnetId=one)["AssociationId"]
    assert ec2.associate_route_table(RouteTableId=rtb, SubnetId=one)["AssociationId"] == association
    (shown,) = ec2.describe_route_tables(**by("association.subnet-id", one))["RouteTables"]
    assert shown["RouteTableId"] == rtb and shown["Associations"][0]["Main"] is False
    with refused("Resource.AlreadyAssociated"):
        ec2.associate_route_table(RouteTableId=other_table, SubnetId=one)
    with refused("InvalidParameterValue"):
        ec2.associate_route_table(RouteTableId=rtb, SubnetId=ec2.describe_subnets(**by("default-for-az", "true"))["Subnets"][0]["SubnetId"])
    with refused("DependencyViolation"):
        ec2.delete_route_table(RouteTableId=rtb)
    moved = ec2.replace_route_table_association(AssociationId=association, RouteTableId=other_table)["NewAssociationId"]
    ec2.delete_route_table(RouteTableId=rtb)
    with refused("InvalidRouteTableID.NotFound"):
        ec2.delete_route_table(RouteTableId=rtb)
    main_association = main["Associations"][0]["RouteTableAssociationId"]
    with refused("InvalidParameterValue"):
        ec2.disassociate_route_table(AssociationId=main_association)
    with refused("DependencyViolation"):
        ec2.delete_route_table(RouteTableId=main["RouteTableId"])
    ec2.disassociate_route_table(AssociationId=moved)
    with refused("InvalidAssociationID.NotFound"):
        ec2.disassociate_route_table(AssociationId=moved)
    # Another table becomes the main one; the old one can go then.
    ec2.replace_route_table_association(AssociationId=main_association, RouteTableId=other_table)
    ec2.delete_route_table(RouteTableId=main["RouteTableId"])
    (shown,) = ec2.describe_route_tables(**by("vpc-id", made))["RouteTables"]
    assert shown["RouteTableId"] == other_table and shown["Associations"][0]["Main"] is True


def test_networks_are_one_accounts_own(ec2, other, vpc, subnet, gateway, table, refused):
    theirs = other.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    mine = vpc()  # the same range, in another account
    their_table = other.create_route_table(VpcId=theirs)["RouteTable"]["RouteTableId"]
    their_gateway = other.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    for call, code in ((lambda: ec2.delete_vpc(VpcId=theirs), "InvalidVpcID.NotFound"), (lambda: subnet(theirs), "InvalidVpcID.NotFound"),
                       (lambda: ec2.delete_route_table(RouteTableId=their_table), "InvalidRouteTableID.NotFound"),
                       (lambda: ec2.attach_internet_gateway(InternetGatewayId=their_gateway, VpcId=mine), "InvalidInternetGatewayID.NotFound"),
                       (lambda: ec2.create_route(RouteTableId=table(mine), DestinationCidrBlock="0.0.0.0/0", GatewayId=their_gateway), "InvalidGatewayID.NotFound")):
        with refused(code):
            call()
    assert theirs not in [one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]]


def test_no_vpc_is_linked_to_classic(ec2):
    """What every region without EC2-Classic says; Ansible looks for the sentence."""
    with pytest.raises(botocore.exceptions.ClientError, match="not available in this region") as told:
        ec2.describe_vpc_classic_link()
    assert told.value.response["Error"]["Code"] == "UnsupportedOperation"


# --- the default VPC


def drop_default(ec2, vpc):
    """Deletes the default VPC in the order that its parts ask for."""
    (gateway,) = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])["InternetGateways"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    for subnet in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=vpc)


def test_the_default_vpc_is_deleted_and_made_again(ec2, ami, launch, refused):
    with refused("DefaultVpcAlreadyExists"):
        ec2.create_default_vpc()
    (first,) = ec2.describe_vpcs()["Vpcs"]
    with refused("DependencyViolation"):
        ec2.delete_vpc(VpcId=first["VpcId"])
    drop_default(ec2, first["VpcId"])
    assert ec2.describe_vpcs()["Vpcs"] == ec2.describe_subnets()["Subnets"] == ec2.describe_security_groups()["SecurityGroups"] == []
    assert ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"][0]["AttributeValues"] == [{"AttributeValue": "none"}]
    with refused("VPCIdNotSpecified"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1)
    with refused("DefaultVpcDoesNotExist"):
        ec2.create_default_subnet(AvailabilityZone="us-east-1a")
    made = ec2.create_default_vpc()["Vpc"]
    assert made["IsDefault"] is True and made["CidrBlock"] == "172.31.0.0/16" and made["State"] == "pending" and made["VpcId"] != first["VpcId"]
    # The DHCP options of the account are those of before.
    assert made["DhcpOptionsId"] == first["DhcpOptionsId"] != "default"
    subnets = ec2.describe_subnets()["Subnets"]
    assert sorted(one["AvailabilityZone"] for one in subnets) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert all(one["DefaultForAz"] and one["MapPublicIpOnLaunch"] and one["VpcId"] == made["VpcId"] for one in subnets)
    assert launch()["PublicIpAddress"]


def test_a_default_subnet_is_made_again(ec2, refused, launch, query):
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    before = {one["AvailabilityZone"]: one for one in ec2.describe_subnets()["Subnets"]}
    with refused("DefaultSubnetAlreadyExistsInAvailabilityZone"):
        ec2.create_default_subnet(AvailabilityZone="us-east-1b")
    assert query("CreateDefaultSubnet", NEW).code == "MissingParameter"
    with refused("InvalidParameterValue"):
        ec2.create_default_subnet(AvailabilityZone="us-east-1z")
    ec2.delete_subnet(SubnetId=before["us-east-1b"]["SubnetId"])
    with refused("UnsupportedOperation"):
        ec2.create_default_subnet(AvailabilityZone="us-east-1b", Ipv6Native=True)
    # Somebody took a part of the range meanwhile: the next one that is whole is used.
    ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock=before["us-east-1b"]["CidrBlock"].replace("/20", "/28"))
    made = ec2.create_default_subnet(AvailabilityZone="us-east-1b")["Subnet"]
    assert made["DefaultForAz"] is True and made["MapPublicIpOnLaunch"] is True and made["CidrBlock"] == "172.31.48.0/20"
    (acl,) = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [made["SubnetId"]]}])["NetworkAcls"]
    assert acl["IsDefault"] is True
    assert launch(Placement={"AvailabilityZone": "us-east-1b"})["SubnetId"] == made["SubnetId"]


def test_the_dhcp_options_of_a_new_vpc(ec2, vpc, refused):
    """Those that EC2 gives every account: its own names and name server."""
    (default,) = ec2.describe_vpcs()["Vpcs"]
    made = vpc()
    assert ec2.describe_vpcs(VpcIds=[made])["Vpcs"][0]["DhcpOptionsId"] == default["DhcpOptionsId"]
    (options,) = ec2.describe_dhcp_options()["DhcpOptions"]
    assert options["DhcpOptionsId"] == default["DhcpOptionsId"]
    assert {one["Key"]: [value["Value"] for value in one["Values"]] for one in options["DhcpConfigurations"]} == {
        "domain-name": ["ec2.internal"], "domain-name-servers": ["AmazonProvidedDNS"]}
    with refused("DependencyViolation"):
        ec2.delete_dhcp_options(DhcpOptionsId=options["DhcpOptionsId"])
    ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=made)
    assert ec2.describe_vpcs(VpcIds=[made])["Vpcs"][0]["DhcpOptionsId"] == "default"
