"""Managed prefix lists: their versions, and the routes and rules that name them."""
import botocore.exceptions
import pytest

from conftest import NEW



def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


@pytest.fixture
def make(ec2):
    """make("10.0.0.0/8", …): a list of these ranges, with room for ten."""
    return lambda *ranges, **more: ec2.create_managed_prefix_list(**{
        "PrefixListName": "offices", "AddressFamily": "IPv4", "MaxEntries": 10, "Entries": [{"Cidr": one} for one in ranges], **more})["PrefixList"]


@pytest.fixture
def shown(ec2):
    return lambda which: ec2.describe_managed_prefix_lists(PrefixListIds=[which])["PrefixLists"][0]


@pytest.fixture
def entries(ec2):
    return lambda which, **more: [one["Cidr"] for one in ec2.get_managed_prefix_list_entries(PrefixListId=which, **more)["Entries"]]


def test_create_describe_delete(ec2, other, make, shown, entries, refused):
    made = make(Entries=[{"Cidr": "10.2.0.0/16", "Description": "b"}, {"Cidr": "10.1.3.4/16", "Description": "a"}],
                TagSpecifications=[{"ResourceType": "prefix-list", "Tags": [{"Key": "k", "Value": "v"}]}])
    which = made["PrefixListId"]
    assert made["State"] == "create-in-progress" and which.startswith("pl-")
    assert shown(which) == {"PrefixListId": which, "AddressFamily": "IPv4", "State": "create-complete", "PrefixListName": "offices", "MaxEntries": 10, "Version": 1,
                            "PrefixListArn": f"arn:aws:ec2:us-east-1:123456789012:prefix-list/{which}", "OwnerId": "123456789012", "Tags": [{"Key": "k", "Value": "v"}]}
    # Host bits are cut off, as of every range.
    assert ec2.get_managed_prefix_list_entries(PrefixListId=which)["Entries"] == [
        {"Cidr": "10.1.0.0/16", "Description": "a"}, {"Cidr": "10.2.0.0/16", "Description": "b"}]
    for name, value in {"prefix-list-id": which, "prefix-list-name": "off*", "owner-id": "123456789012", "tag:k": "v"}.items():
        assert [one["PrefixListId"] for one in ec2.describe_managed_prefix_lists(**by(name, value))["PrefixLists"]] == [which], name
    assert {one["OwnerId"] for one in other.describe_managed_prefix_lists()["PrefixLists"]} == {"AWS"}
    for ask in (other.delete_managed_prefix_list, other.get_managed_prefix_list_entries, other.get_managed_prefix_list_associations):
        with refused("InvalidPrefixListID.NotFound"):
            ask(PrefixListId=which)
    assert ec2.delete_managed_prefix_list(PrefixListId=which)["PrefixList"]["State"] == "delete-in-progress"
    with refused("InvalidPrefixListID.NotFound"):
        shown(which)
    with refused("InvalidPrefixListId.Malformed"):
        shown("pl-x")


def test_pages_of_entries(ec2, make, entries):
    which = make(*(f"10.{n}.0.0/16" for n in range(9)))["PrefixListId"]
    first = ec2.get_managed_prefix_list_entries(PrefixListId=which, MaxResults=5)
    rest = ec2.get_managed_prefix_list_entries(PrefixListId=which, MaxResults=5, NextToken=first["NextToken"])
    assert [one["Cidr"] for one in first["Entries"] + rest["Entries"]] == entries(which) == [f"10.{n}.0.0/16" for n in range(9)]
    assert "NextToken" not in rest


def test_a_token_makes_one(make, refused):
    first, second = make("10.0.0.0/8", ClientToken="t"), make("10.0.0.0/8", ClientToken="t")
    assert first["PrefixListId"] == second["PrefixListId"]
    with refused("IdempotentParameterMismatch"):
        make("10.0.0.0/9", ClientToken="t")


def test_what_cannot_be_created(ec2, make, query, refused, quota):
    quota("prefix-lists", 100)
    for wrong, code in (({"AddressFamily": "IPv6"}, "UnsupportedOperation"), ({"AddressFamily": "IPX"}, "InvalidParameterValue"), ({"MaxEntries": 0}, "InvalidParameterValue"),
                        ({"MaxEntries": 1001}, "InvalidParameterValue"), ({"PrefixListName": "com.amazonaws.here.s3"}, "InvalidParameterValue"),
                        ({"PrefixListName": "x" * 256}, "InvalidParameterValue"), ({"Entries": [{"Cidr": "ten"}]}, "InvalidParameterValue"),
                        ({"Entries": [{"Cidr": "10.0.0.0/8"}, {"Cidr": "10.0.0.1/8"}]}, "InvalidParameterValue"),
                        ({"Entries": [{"Cidr": "10.0.0.0/8", "Description": "d" * 256}]}, "InvalidParameterValue"),
                        ({"MaxEntries": 1, "Entries": [{"Cidr": "10.0.0.0/8"}, {"Cidr": "11.0.0.0/8"}]}, "PrefixListMaxEntriesExceeded")):
        with refused(code):
            make(**wrong)
    for missing in ("PrefixListName", "AddressFamily", "MaxEntries"):
        given = {"PrefixListName": "n", "AddressFamily": "IPv4", "MaxEntries": "1"}
        del given[missing]
        assert query("CreateManagedPrefixList", NEW, **given).code == "MissingParameter", missing
    assert make(PrefixListName="com.amazonaws-mine")["PrefixListName"] == "com.amazonaws-mine"
    for _ in range(99):
        make()
    with refused("ResourceLimitExceeded"):
        make()


def test_versions(ec2, make, shown, entries, refused):
    which = make("10.1.0.0/16", "10.2.0.0/16")["PrefixListId"]
    changed = ec2.modify_managed_prefix_list(PrefixListId=which, CurrentVersion=1, AddEntries=[{"Cidr": "10.3.0.0/16"}], RemoveEntries=[{"Cidr": "10.1.0.0/16"}])
    assert changed["PrefixList"]["State"] == "modify-in-progress" and changed["PrefixList"]["Version"] == 2
    assert shown(which)["State"] == "modify-complete" and entries(which) == ["10.2.0.0/16", "10.3.0.0/16"]
    assert entries(which, TargetVersion=1) == ["10.1.0.0/16", "10.2.0.0/16"] and entries(which, TargetVersion=2) == entries(which)
    for wrong, code in (({"CurrentVersion": 1, "AddEntries": [{"Cidr": "10.4.0.0/16"}]}, "PrefixListVersionMismatch"), ({"RemoveEntries": [{"Cidr": "10.1.0.0/16"}]}, "InvalidParameterValue"),
                        ({"AddEntries": [{"Cidr": "10.2.0.0/16"}]}, "InvalidParameterValue"), ({}, "MissingParameter"), ({"MaxEntries": 1}, "InvalidParameterValue"),
                        ({"MaxEntries": 20, "AddEntries": [{"Cidr": "10.4.0.0/16"}]}, "InvalidParameterCombination"),
                        ({"AddEntries": [{"Cidr": f"11.{n}.0.0/16"} for n in range(9)]}, "PrefixListMaxEntriesExceeded")):
        with refused(code):
            ec2.modify_managed_prefix_list(PrefixListId=which, **wrong)
    # A description is replaced by removing and adding in one request; a name and a size are no version.
    ec2.modify_managed_prefix_list(PrefixListId=which, AddEntries=[{"Cidr": "10.2.0.0/16", "Description": "new"}], RemoveEntries=[{"Cidr": "10.2.0.0/16"}])
    ec2.modify_managed_prefix_list(PrefixListId=which, PrefixListName="renamed")
    ec2.modify_managed_prefix_list(PrefixListId=which, MaxEntries=2)
    assert (shown(which)["Version"], shown(which)["PrefixListName"], shown(which)["MaxEntries"]) == (3, "renamed", 2)
    assert ec2.get_managed_prefix_list_entries(PrefixListId=which)["Entries"][0] == {"Cidr": "10.2.0.0/16", "Description": "new"}
    with refused("PrefixListVersionMismatch"):
        ec2.restore_managed_prefix_list_version(PrefixListId=which, PreviousVersion=1, CurrentVersion=2)
    with refused("InvalidParameterValue"):
        ec2.restore_managed_prefix_list_version(PrefixListId=which, PreviousVersion=9, CurrentVersion=3)
    assert ec2.restore_managed_prefix_list_version(PrefixListId=which, PreviousVersion=1, CurrentVersion=3)["PrefixList"]["Version"] == 4
    assert entries(which) == ["10.1.0.0/16", "10.2.0.0/16"] and shown(which)["State"] == "restore-complete"


def test_routes_and_rules_that_name_it(ec2, other, make, shown, refused):
    which = make("10.1.0.0/16", MaxEntries=30)["PrefixListId"]
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    table = ec2.create_route_table(VpcId=vpc["VpcId"])["RouteTable"]["RouteTableId"]
    group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    route = {"RouteTableId": table, "DestinationPrefixListId": which}
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": which, "Description": "offices"}]}
    ec2.create_route(GatewayId=gateway["InternetGatewayId"], **route)
    (rule,) = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])["SecurityGroupRules"]
    assert rule["PrefixListId"] == which and "CidrIpv4" not in rule and rule["Description"] == "offices"
    (described,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert described["IpPermissions"] == [{**permission, "IpRanges": [], "Ipv6Ranges": [], "UserIdGroupPairs": []}]
    assert [one["GroupId"] for one in ec2.describe_security_groups(**by("ip-permission.prefix-list-id", which))["SecurityGroups"]] == [group]
    assert ec2.describe_security_groups(**by("egress.ip-permission.prefix-list-id", which))["SecurityGroups"] == []
    (shown_route,) = [one for one in ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"] if "DestinationPrefixListId" in one]
    assert shown_route["DestinationPrefixListId"] == which and shown_route["GatewayId"] == gateway["InternetGatewayId"]
    assert ec2.get_managed_prefix_list_associations(PrefixListId=which)["PrefixListAssociations"] == [
        {"ResourceId": one, "ResourceOwner": "123456789012"} for one in sorted([table, group])]
    # A list counts for as many as it may have entries: 60 rules of a group, 50 routes of a table.
    second, third = make(MaxEntries=30)["PrefixListId"], make(MaxEntries=1)["PrefixListId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**permission, "PrefixListIds": [{"PrefixListId": second}]}])
    with refused("RulesPerSecurityGroupLimitExceeded"):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**permission, "PrefixListIds": [{"PrefixListId": third}]}])
    with refused("RouteLimitExceeded"):
        ec2.create_route(RouteTableId=table, DestinationPrefixListId=second, GatewayId=gateway["InternetGatewayId"])
    with refused("InvalidPermission.Duplicate"):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    # As long as it is named it stays, and says by whom.
    ec2.delete_managed_prefix_list(PrefixListId=which)
    kept = shown(which)
    assert kept["State"] == "delete-failed" and table in kept["StateMessage"] and group in kept["StateMessage"]
    ec2.delete_route(**route)
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])
    assert ec2.get_managed_prefix_list_associations(PrefixListId=which)["PrefixListAssociations"] == []
    ec2.delete_managed_prefix_list(PrefixListId=which)
    assert ec2.describe_managed_prefix_lists(**by("prefix-list-id", which))["PrefixLists"] == []
    for ask in (lambda: ec2.create_route(GatewayId=gateway["InternetGatewayId"], **route), lambda: ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])):
        with refused("InvalidPrefixListID.NotFound"):
            ask()


def test_the_lists_of_another_account(ec2, other, refused):
    theirs = other.create_managed_prefix_list(PrefixListName="theirs", AddressFamily="IPv4", MaxEntries=1)["PrefixList"]["PrefixListId"]
    group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    with refused("InvalidPrefixListID.NotFound"):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": theirs}]}])
    with pytest.raises(botocore.exceptions.ClientError, match="does not exist"):
        ec2.modify_managed_prefix_list(PrefixListId=theirs, PrefixListName="mine")


# --- EC2's own


def test_the_lists_of_services_are_everybodys(ec2, other, make, refused):
    mine = make("10.0.0.0/8")["PrefixListId"]
    lists = {one["PrefixListName"]: one for one in ec2.describe_managed_prefix_lists(**by("owner-id", "AWS"))["PrefixLists"]}
    s3 = lists["com.amazonaws.us-east-1.s3"]
    assert {"com.amazonaws.us-east-1.dynamodb", "com.amazonaws.global.cloudfront.origin-facing"} < set(lists)
    assert s3 == {"PrefixListId": s3["PrefixListId"], "AddressFamily": "IPv4", "State": "create-complete", "PrefixListName": "com.amazonaws.us-east-1.s3",
                  "PrefixListArn": f"arn:aws:ec2:us-east-1:aws:prefix-list/{s3['PrefixListId']}", "OwnerId": "AWS", "Tags": []}
    assert other.describe_managed_prefix_lists(PrefixListIds=[s3["PrefixListId"]])["PrefixLists"] == [s3]
    # The older call names the same ones.
    assert {one["PrefixListId"] for one in ec2.describe_prefix_lists()["PrefixLists"]} == {one["PrefixListId"] for one in lists.values()}
    pages = ec2.get_paginator("describe_managed_prefix_lists").paginate(PaginationConfig={"PageSize": 2})
    seen = [one["PrefixListId"] for page in pages for one in page["PrefixLists"]]
    assert sorted(seen) == seen and set(seen) == {mine, *(one["PrefixListId"] for one in lists.values())}
    assert ec2.get_managed_prefix_list_entries(PrefixListId=s3["PrefixListId"])["Entries"] == []
    for call, more in ((ec2.delete_managed_prefix_list, {}), (ec2.modify_managed_prefix_list, {"MaxEntries": 5}), (ec2.get_managed_prefix_list_associations, {}),
                       (ec2.restore_managed_prefix_list_version, {"PreviousVersion": 1, "CurrentVersion": 1})):
        with refused("OperationNotPermitted"):
            call(PrefixListId=s3["PrefixListId"], **more)
    with refused("InvalidPrefixListID.NotFound"):
        ec2.describe_managed_prefix_lists(PrefixListIds=[s3["PrefixListId"], "pl-00000000"])


def test_rules_and_routes_name_the_lists_of_services(ec2, refused):
    lists = {one["PrefixListName"].rpartition(".")[2]: one["PrefixListId"] for one in ec2.describe_managed_prefix_lists()["PrefixLists"]}
    group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": lists["origin-facing"]}]}
    (rule,) = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])["SecurityGroupRules"]
    assert rule["PrefixListId"] == lists["origin-facing"]
    # It counts as 55 rules of 60, as EC2 publishes it.
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": n, "ToPort": n, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]} for n in range(1, 6)])
    with refused("RulesPerSecurityGroupLimitExceeded"):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 6, "ToPort": 6, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}])
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    table = ec2.create_route_table(VpcId=vpc["VpcId"])["RouteTable"]["RouteTableId"]
    route = {"RouteTableId": table, "GatewayId": gateway["InternetGatewayId"]}
    with refused("RouteLimitExceeded"):
        ec2.create_route(DestinationPrefixListId=lists["origin-facing"], **route)
    ec2.create_route(DestinationPrefixListId=lists["dynamodb"], **route)
    # An endpoint's route is in the way of another to the same list.
    ec2.create_vpc_endpoint(VpcId=vpc["VpcId"], ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table])
    with refused("RouteAlreadyExists"):
        ec2.create_route(DestinationPrefixListId=lists["s3"], **route)
