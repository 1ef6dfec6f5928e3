"""Gateway endpoints: records, the routes that they make, and the services behind them."""
import pytest

S3, DYNAMODB = "com.amazonaws.us-east-1.s3", "com.amazonaws.us-east-1.dynamodb"


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


@pytest.fixture
def vpc(ec2):
    return ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def table(ec2, vpc):
    return lambda: ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]


def routes(ec2, table):
    return [one for one in ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"] if one.get("GatewayId") != "local"]


def test_create_modify_delete(ec2, other, vpc, table, refused):
    first, second = table(), table()
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=S3, RouteTableIds=[first], ClientToken="once",
                                   TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "k", "Value": "v"}]}])["VpcEndpoint"]
    which = made["VpcEndpointId"]
    assert ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=S3, RouteTableIds=[first], ClientToken="once",
                                   TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "k", "Value": "v"}]}])["VpcEndpoint"]["VpcEndpointId"] == which
    assert (made["VpcEndpointType"], made["ServiceName"], made["State"], made["RouteTableIds"]) == ("Gateway", S3, "available", [first])
    assert '"Action":"*"' in made["PolicyDocument"] and made["PrivateDnsEnabled"] is False and made["RequesterManaged"] is False
    lists = {one["PrefixListName"]: one["PrefixListId"] for one in ec2.describe_prefix_lists()["PrefixLists"]}
    assert routes(ec2, first) == [{"DestinationPrefixListId": lists[S3], "GatewayId": which, "Origin": "CreateRoute", "State": "active"}]
    for name, value in {"route.gateway-id": which, "route.destination-prefix-list-id": lists[S3]}.items():
        assert [one["RouteTableId"] for one in ec2.describe_route_tables(**by(name, value))["RouteTables"]] == [first], name
    for name, value in {"vpc-id": vpc, "service-name": S3, "vpc-endpoint-type": "Gateway", "vpc-endpoint-state": "available", "tag:k": "v"}.items():
        assert [one["VpcEndpointId"] for one in ec2.describe_vpc_endpoints(**by(name, value))["VpcEndpoints"]] == [which], name
    with refused("RouteAlreadyExists"):
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=S3, RouteTableIds=[first])
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=DYNAMODB, RouteTableIds=[first])
    policy = '{"Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}'
    ec2.modify_vpc_endpoint(VpcEndpointId=which, AddRouteTableIds=[second], RemoveRouteTableIds=[first], PolicyDocument=policy)
    now = ec2.describe_vpc_endpoints(VpcEndpointIds=[which])["VpcEndpoints"][0]
    assert now["RouteTableIds"] == [second] and now["PolicyDocument"] == policy and len(routes(ec2, first)) == 1
    ec2.modify_vpc_endpoint(VpcEndpointId=which, ResetPolicy=True)
    assert ec2.describe_vpc_endpoints(VpcEndpointIds=[which])["VpcEndpoints"][0]["PolicyDocument"] == made["PolicyDocument"]
    with refused("InvalidVpcEndpointId.NotFound"):
        other.modify_vpc_endpoint(VpcEndpointId=which, ResetPolicy=True)
    with refused("DependencyViolation"):
        ec2.delete_vpc(VpcId=vpc)
    gone = ec2.delete_vpc_endpoints(VpcEndpointIds=[which, "vpce-0123456789abcdef0"])["Unsuccessful"]
    assert [(one["ResourceId"], one["Error"]["Code"]) for one in gone] == [("vpce-0123456789abcdef0", "InvalidVpcEndpoint.NotFound")]
    assert routes(ec2, second) == []


def test_a_route_table_that_goes_leaves_its_endpoints(ec2, vpc, table):
    first = table()
    which = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=S3, RouteTableIds=[first])["VpcEndpoint"]["VpcEndpointId"]
    ec2.delete_route_table(RouteTableId=first)
    assert ec2.describe_vpc_endpoints(VpcEndpointIds=[which])["VpcEndpoints"][0]["RouteTableIds"] == []


def test_what_is_refused(ec2, vpc, refused):
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/24")["Subnet"]["SubnetId"]
    elsewhere = ec2.describe_route_tables(**by("association.main", "true"))["RouteTables"]
    foreign = next(one["RouteTableId"] for one in elsewhere if one["VpcId"] != vpc)
    group = ec2.describe_security_groups(**by("vpc-id", vpc))["SecurityGroups"][0]["GroupId"]
    other_group = next(one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"] if one["VpcId"] != vpc)
    interface = {"VpcEndpointType": "Interface", "ServiceName": "com.amazonaws.us-east-1.ec2"}
    for code, asked in [("UnsupportedOperation", {**interface, "SubnetIds": [subnet], "SecurityGroupIds": [group], "PrivateDnsEnabled": True}),
                        ("InvalidParameterValue", {"VpcEndpointType": "Window"}), ("InvalidSubnetID.NotFound", {**interface, "SubnetIds": ["subnet-0123456789abcdef0"]}),
                        ("InvalidGroup.NotFound", {**interface, "SecurityGroupIds": [other_group]}), ("InvalidVpcID.NotFound", {**interface, "VpcId": "vpc-0123456789abcdef0"}),
                        ("InvalidServiceName", {"ServiceName": "com.amazonaws.us-east-1.sqs"}),
                        ("InvalidParameter", {"SubnetIds": [subnet]}), ("InvalidParameter", {"PrivateDnsEnabled": True}),
                        ("InvalidParameter", {"RouteTableIds": [foreign]}), ("InvalidRouteTableID.NotFound", {"RouteTableIds": ["rtb-0123456789abcdef0"]}),
                        ("InvalidPolicyDocument", {"PolicyDocument": "allow"})]:
        with refused(code):
            ec2.create_vpc_endpoint(**{"VpcId": vpc, "ServiceName": S3, **asked})


def test_services_and_their_lists(ec2, refused):
    answer = ec2.describe_vpc_endpoint_services()
    assert answer["ServiceNames"] == [DYNAMODB, S3]
    detail = answer["ServiceDetails"][1]
    assert detail["ServiceType"] == [{"ServiceType": "Gateway"}] and detail["Owner"] == "amazon" and detail["AvailabilityZones"][0] == "us-east-1a"
    assert ec2.describe_vpc_endpoint_services(**by("service-type", "Interface"))["ServiceNames"] == []
    with refused("InvalidServiceName"):
        ec2.describe_vpc_endpoint_services(ServiceNames=["com.amazonaws.us-east-1.nothing"])
    lists = ec2.describe_prefix_lists(**by("prefix-list-name", "*.s3"))["PrefixLists"]
    # No such service is inside a VPC here: the list has no addresses.
    assert [(one["PrefixListName"], one["Cidrs"]) for one in lists] == [(S3, [])]
    assert ec2.describe_prefix_lists(PrefixListIds=[lists[0]["PrefixListId"]])["PrefixLists"] == lists
    with refused("InvalidPrefixListID.NotFound"):
        ec2.describe_prefix_lists(PrefixListIds=["pl-00000000"])
