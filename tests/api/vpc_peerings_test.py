"""VPC peering connections: their states, across two accounts, and the routes and rules of groups that name them."""
import datetime

import pytest

ACCOUNT = "123456789012"


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


@pytest.fixture
def vpc():
    """vpc(client, cidr): a new VPC's id."""
    return lambda client, cidr="10.7.0.0/16": client.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]


@pytest.fixture
def default_vpc(ec2):
    return ec2.describe_vpcs(**by("is-default", "true"))["Vpcs"][0]["VpcId"]


@pytest.fixture
def ask(ec2, default_vpc):
    """ask(peer): the id of a request from the default VPC."""
    return lambda peer, **more: ec2.create_vpc_peering_connection(
        VpcId=default_vpc, PeerVpcId=peer, **more)["VpcPeeringConnection"]["VpcPeeringConnectionId"]


@pytest.fixture
def peered(ec2, other, other_account, vpc, ask):
    """An active peering with a VPC of another account: its id and that VPC."""
    def make(cidr="10.7.0.0/16"):
        there = vpc(other, cidr)
        which = ask(there, PeerOwnerId=other_account.account)
        other.accept_vpc_peering_connection(VpcPeeringConnectionId=which)
        return which, there
    return make


def shown(client, which):
    return client.describe_vpc_peering_connections(VpcPeeringConnectionIds=[which])["VpcPeeringConnections"][0]


def status(client, which):
    return shown(client, which)["Status"]["Code"]


def test_from_request_to_deletion_across_accounts(ec2, other, other_account, vpc, default_vpc, refused):
    there = vpc(other)
    made = ec2.create_vpc_peering_connection(
        VpcId=default_vpc, PeerVpcId=there, PeerOwnerId=other_account.account, PeerRegion="us-east-1",
        TagSpecifications=[{"ResourceType": "vpc-peering-connection", "Tags": [{"Key": "mine", "Value": "yes"}]}])["VpcPeeringConnection"]
    which = made["VpcPeeringConnectionId"]
    assert which.startswith("pcx-") and made["Status"] == {"Code": "initiating-request", "Message": f"Initiating Request to {other_account.account}"}
    asked = shown(other, which)
    assert asked["Status"] == {"Code": "pending-acceptance", "Message": f"Pending Acceptance by {other_account.account}"}
    assert asked["RequesterVpcInfo"] == {"CidrBlock": "172.31.0.0/16", "CidrBlockSet": [{"CidrBlock": "172.31.0.0/16"}], "OwnerId": ACCOUNT,
                                         "VpcId": default_vpc, "Region": "us-east-1", "Ipv6CidrBlockSet": []}
    assert asked["AccepterVpcInfo"] == {"OwnerId": other_account.account, "VpcId": there, "Region": "us-east-1", "CidrBlockSet": [], "Ipv6CidrBlockSet": []}
    week = asked["ExpirationTime"] - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(days=6, hours=23) < week < datetime.timedelta(days=7, hours=1)
    assert asked["Tags"] == [] and shown(ec2, which)["Tags"] == [{"Key": "mine", "Value": "yes"}]  # each side has its own
    other.create_tags(Resources=[which], Tags=[{"Key": "theirs", "Value": "too"}])
    assert shown(other, which)["Tags"] == [{"Key": "theirs", "Value": "too"}] and len(shown(ec2, which)["Tags"]) == 1
    # Only who was asked answers, and nobody may delete what another asked for.
    for call in (ec2.accept_vpc_peering_connection, ec2.reject_vpc_peering_connection, other.delete_vpc_peering_connection):
        with refused("OperationNotPermitted"):
            call(VpcPeeringConnectionId=which)
    accepted = other.accept_vpc_peering_connection(VpcPeeringConnectionId=which)["VpcPeeringConnection"]
    assert accepted["Status"]["Code"] == "provisioning"
    now = shown(ec2, which)
    assert now["Status"] == {"Code": "active", "Message": "Active"} and "ExpirationTime" not in now
    assert now["AccepterVpcInfo"]["CidrBlockSet"] == [{"CidrBlock": "10.7.0.0/16"}]
    assert set(now["AccepterVpcInfo"]["PeeringOptions"].values()) == {False}
    with refused("VpcPeeringConnectionAlreadyExists"):
        ec2.create_vpc_peering_connection(VpcId=default_vpc, PeerVpcId=there, PeerOwnerId=other_account.account)
    for call in (other.accept_vpc_peering_connection, other.reject_vpc_peering_connection):
        with refused("InvalidStateTransition"):
            call(VpcPeeringConnectionId=which)
    with refused("DependencyViolation"):
        other.delete_vpc(VpcId=there)
    assert other.delete_vpc_peering_connection(VpcPeeringConnectionId=which)["Return"] is True
    assert shown(ec2, which)["Status"] == {"Code": "deleted", "Message": f"Deleted by {other_account.account}"}
    other.delete_vpc(VpcId=there)


def test_rejected(ec2, vpc, ask, refused):
    which = ask(vpc(ec2))
    assert ec2.reject_vpc_peering_connection(VpcPeeringConnectionId=which)["Return"] is True
    assert status(ec2, which) == "rejected"
    for call in (ec2.accept_vpc_peering_connection, ec2.reject_vpc_peering_connection, ec2.delete_vpc_peering_connection):
        with refused("InvalidStateTransition"):
            call(VpcPeeringConnectionId=which)


def test_failed(ec2, other, other_account, vpc, ask, default_vpc, refused):
    overlapping = vpc(ec2, "172.31.64.0/20")
    nobodys = "vpc-0123456789abcdef0"
    for which in (ask(overlapping), ask(nobodys), ask(overlapping, PeerOwnerId=other_account.account)):
        assert shown(ec2, which)["Status"] == {"Code": "failed", "Message": "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"}
        with refused("InvalidStateTransition"):
            ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=which)
        with refused("InvalidVpcPeeringConnectionID.NotFound"):
            shown(other, which)  # was never told of it
    # A range that came after the request.
    which = ask(vpc(ec2, "172.20.0.0/16"))
    ec2.associate_vpc_cidr_block(VpcId=default_vpc, CidrBlock="172.20.0.0/20")
    assert ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=which)["VpcPeeringConnection"]["Status"]["Code"] == "failed"


def test_ranges_of_peers_do_not_come_to_overlap(ec2, other, peered, default_vpc, refused):
    peered("172.20.0.0/16")
    with refused("InvalidVpc.Range"):
        ec2.associate_vpc_cidr_block(VpcId=default_vpc, CidrBlock="172.20.128.0/20")
    ec2.associate_vpc_cidr_block(VpcId=default_vpc, CidrBlock="172.21.0.0/20")


def test_a_vpc_is_deleted_once_requests_of_others_are_answered(ec2, other, other_account, vpc, ask, refused):
    there = vpc(other)
    which = ask(there, PeerOwnerId=other_account.account)
    with refused("DependencyViolation"):
        other.delete_vpc(VpcId=there)
    other.reject_vpc_peering_connection(VpcPeeringConnectionId=which)
    other.delete_vpc(VpcId=there)
    # What its owner asked for goes with it.
    here, there = vpc(ec2), vpc(other, "10.8.0.0/16")
    which = ec2.create_vpc_peering_connection(VpcId=here, PeerVpcId=there, PeerOwnerId=other_account.account)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.delete_vpc(VpcId=here)
    assert status(ec2, which) == status(other, which) == "deleted"
    other.delete_vpc(VpcId=there)


def test_filters_and_pages(ec2, other_account, peered, vpc, ask, default_vpc):
    which, there = peered()
    waiting = ask(vpc(ec2, "10.8.0.0/16"))
    def found(name, value):
        return {one["VpcPeeringConnectionId"] for one in ec2.describe_vpc_peering_connections(**by(name, value))["VpcPeeringConnections"]}
    for name, value in {"accepter-vpc-info.cidr-block": "10.7.0.0/16", "accepter-vpc-info.owner-id": other_account.account, "accepter-vpc-info.vpc-id": there,
                        "status-code": "active", "status-message": "Active", "vpc-peering-connection-id": which}.items():
        assert found(name, value) == {which}, name
    for name, value in {"requester-vpc-info.cidr-block": "172.31.0.0/16", "requester-vpc-info.owner-id": ACCOUNT, "requester-vpc-info.vpc-id": default_vpc}.items():
        assert found(name, value) == {which, waiting}, name
    assert found("expiration-time", "20*") == {waiting}
    for number in range(5):
        ask(f"vpc-0000000{number}")
    pages = list(ec2.get_paginator("describe_vpc_peering_connections").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["VpcPeeringConnections"]) for page in pages] == [5, 2]


def test_bad_requests(ec2, other, vpc, ask, default_vpc, refused):
    with refused("InvalidVpcPeeringConnectionId.Malformed"):
        shown(ec2, "pcx-x")
    with refused("InvalidVpcPeeringConnectionID.NotFound"):
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId="pcx-0123456789abcdef0")
    with refused("InvalidVpcID.NotFound"):
        ec2.create_vpc_peering_connection(VpcId="vpc-0123456789abcdef0", PeerVpcId=default_vpc)
    with refused("InvalidVpcID.Malformed"):
        ec2.create_vpc_peering_connection(VpcId=default_vpc, PeerVpcId="there")
    with refused("UnsupportedOperation"):
        ask(vpc(ec2), PeerRegion="eu-west-1")


def test_each_owner_says_what_names_of_its_side_are(ec2, other, peered, default_vpc, refused):
    which, there = peered()
    def modify(client, side, **options):
        return client.modify_vpc_peering_connection_options(**{"VpcPeeringConnectionId": which, side + "PeeringConnectionOptions": options})
    def answers(client):
        one = shown(client, which)
        return [one[side]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] for side in ("RequesterVpcInfo", "AccepterVpcInfo")]
    assert answers(ec2) == [False, False]
    # Both VPCs have to have names: the other's has none yet.
    for client, side in ((ec2, "Requester"), (other, "Accepter")):
        with refused("OperationNotPermitted"):
            modify(client, side, AllowDnsResolutionFromRemoteVpc=True)
    assert modify(ec2, "Requester", AllowDnsResolutionFromRemoteVpc=False)["RequesterPeeringConnectionOptions"] == {"AllowDnsResolutionFromRemoteVpc": False}
    other.modify_vpc_attribute(VpcId=there, EnableDnsHostnames={"Value": True})
    assert modify(other, "Accepter", AllowDnsResolutionFromRemoteVpc=True)["AccepterPeeringConnectionOptions"] == {"AllowDnsResolutionFromRemoteVpc": True}
    assert answers(ec2) == answers(other) == [False, True]
    modify(ec2, "Requester", AllowDnsResolutionFromRemoteVpc=True, AllowEgressFromLocalClassicLinkToRemoteVpc=False)
    modify(ec2, "Requester", AllowEgressFromLocalVpcToRemoteClassicLink=False)  # of names it says nothing
    assert answers(other) == [True, True]
    modify(other, "Accepter", AllowDnsResolutionFromRemoteVpc=False)
    assert answers(ec2) == [True, False]
    with refused("OperationNotPermitted"):
        modify(ec2, "Accepter", AllowDnsResolutionFromRemoteVpc=True)
    with refused("OperationNotPermitted"):
        modify(other, "Requester", AllowDnsResolutionFromRemoteVpc=False)
    for option in ("AllowEgressFromLocalClassicLinkToRemoteVpc", "AllowEgressFromLocalVpcToRemoteClassicLink"):
        with refused("UnsupportedOperation"):
            modify(ec2, "Requester", AllowDnsResolutionFromRemoteVpc=False, **{option: True})
    assert answers(ec2) == [True, False]
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=which)
    with refused("OperationNotPermitted"):
        modify(ec2, "Requester", AllowDnsResolutionFromRemoteVpc=False)


def test_one_owner_of_both_sides_sets_both_at_once(ec2, vpc, ask, refused):
    there = vpc(ec2)
    ec2.modify_vpc_attribute(VpcId=there, EnableDnsHostnames={"Value": True})
    which = ask(there)
    both = {side: {"AllowDnsResolutionFromRemoteVpc": True} for side in ("RequesterPeeringConnectionOptions", "AccepterPeeringConnectionOptions")}
    with refused("OperationNotPermitted"):  # before it is accepted
        ec2.modify_vpc_peering_connection_options(VpcPeeringConnectionId=which, **both)
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=which)
    ec2.modify_vpc_peering_connection_options(VpcPeeringConnectionId=which, **both)
    assert all(shown(ec2, which)[side]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] for side in ("RequesterVpcInfo", "AccepterVpcInfo"))
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=which)
    with refused("MissingParameter"):
        ec2.modify_vpc_peering_connection_options(VpcPeeringConnectionId=ask(there))


def test_routes(ec2, other, other_account, vpc, ask, default_vpc, refused):
    there = vpc(other)
    which = ask(there, PeerOwnerId=other_account.account)
    table = ec2.describe_route_tables(**by("vpc-id", default_vpc))["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.7.0.0/16", VpcPeeringConnectionId=which)
    def route():
        routes = ec2.describe_route_tables(**by("route.vpc-peering-connection-id", which))["RouteTables"][0]["Routes"]
        return next(one for one in routes if one["DestinationCidrBlock"] == "10.7.0.0/16")
    assert route() == {"DestinationCidrBlock": "10.7.0.0/16", "VpcPeeringConnectionId": which, "Origin": "CreateRoute", "State": "blackhole"}
    other.accept_vpc_peering_connection(VpcPeeringConnectionId=which)
    assert route()["State"] == "active"
    # Of another VPC of the account's, and of nobody's.
    stranger = ec2.create_route_table(VpcId=vpc(ec2, "10.9.0.0/16"))["RouteTable"]["RouteTableId"]
    with refused("InvalidParameterValue"):
        ec2.create_route(RouteTableId=stranger, DestinationCidrBlock="10.7.0.0/16", VpcPeeringConnectionId=which)
    with refused("InvalidVpcPeeringConnectionID.NotFound"):
        ec2.replace_route(RouteTableId=table, DestinationCidrBlock="10.7.0.0/16", VpcPeeringConnectionId="pcx-0123456789abcdef0")
    other.delete_vpc_peering_connection(VpcPeeringConnectionId=which)
    assert route()["State"] == "blackhole"
    with refused("InvalidVpcPeeringConnectionID.NotFound"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.6.0.0/16", VpcPeeringConnectionId=which)
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="10.7.0.0/16")


def test_groups_of_the_peer(ec2, other, other_account, peered, default_vpc, refused):
    which, there = peered()
    theirs = other.create_security_group(GroupName="clients", Description="d", VpcId=there)["GroupId"]
    ours = ec2.create_security_group(GroupName="server", Description="d")["GroupId"]
    def permission(**pair):
        return {"GroupId": ours, "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [pair]}]}
    with refused("InvalidGroup.NotFound"):
        ec2.authorize_security_group_ingress(**permission(GroupId=theirs))  # of this account?
    with refused("InvalidVpcPeeringConnectionID.NotFound"):
        ec2.authorize_security_group_ingress(**permission(GroupId=theirs, UserId=other_account.account, VpcPeeringConnectionId="pcx-0123456789abcdef0"))
    rule = ec2.authorize_security_group_ingress(**permission(GroupId=theirs, UserId=other_account.account))["SecurityGroupRules"][0]
    assert rule["ReferencedGroupInfo"] == {"GroupId": theirs, "UserId": other_account.account, "VpcId": there, "VpcPeeringConnectionId": which, "PeeringStatus": "active"}
    def pair():
        return ec2.describe_security_groups(GroupIds=[ours])["SecurityGroups"][0]["IpPermissions"][0]["UserIdGroupPairs"][0]
    assert pair() == {"GroupId": theirs, "UserId": other_account.account, "VpcId": there, "VpcPeeringConnectionId": which, "PeeringStatus": "active"}
    assert other.describe_security_group_references(GroupId=[theirs])["SecurityGroupReferenceSet"] == [
        {"GroupId": theirs, "ReferencingVpcId": default_vpc, "VpcPeeringConnectionId": which}]
    assert ec2.describe_security_group_references(GroupId=[ours])["SecurityGroupReferenceSet"] == []
    assert ec2.describe_stale_security_groups(VpcId=default_vpc)["StaleSecurityGroupSet"] == []
    # Their group may go; the rule is stale then, and can be revoked as it was made.
    other.delete_security_group(GroupId=theirs)
    stale = ec2.describe_stale_security_groups(VpcId=default_vpc)["StaleSecurityGroupSet"]
    assert [one["GroupId"] for one in stale] == [ours]
    assert stale[0]["StaleIpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == theirs and stale[0]["StaleIpPermissions"][0]["FromPort"] == 80
    with refused("InvalidPermission.Duplicate"):
        ec2.authorize_security_group_ingress(**permission(GroupId=theirs, UserId=other_account.account))
    ec2.revoke_security_group_ingress(**permission(GroupId=theirs, UserId=other_account.account))
    assert ec2.describe_stale_security_groups(VpcId=default_vpc)["StaleSecurityGroupSet"] == []


def test_rules_over_a_deleted_peering_are_stale(ec2, vpc, ask, default_vpc, refused):
    there = vpc(ec2)
    which = ask(there)
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=which)
    group = ec2.describe_security_groups(**by("vpc-id", there))["SecurityGroups"][0]["GroupId"]
    ours = ec2.create_security_group(GroupName="server", Description="d")["GroupId"]
    ec2.authorize_security_group_egress(GroupId=ours, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}])
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=which)
    stale = ec2.describe_stale_security_groups(VpcId=default_vpc)["StaleSecurityGroupSet"][0]
    assert stale["StaleIpPermissionsEgress"][0]["UserIdGroupPairs"] == [
        {"GroupId": group, "UserId": ACCOUNT, "VpcId": there, "VpcPeeringConnectionId": which, "PeeringStatus": "deleted"}]
    assert stale["StaleIpPermissions"] == [] and stale["VpcId"] == default_vpc and stale["GroupName"] == "server"
    with refused("InvalidGroup.NotFound"):
        ec2.authorize_security_group_ingress(GroupId=ours, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}])
