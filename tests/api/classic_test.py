"""EC2-Classic (NET-029 to NET-063), as boto3 and boto 2 see it from accounts of the platform "classic"."""
import pytest

from conftest import instances_of, wait_until


@pytest.fixture(scope="module")
def classic_keys(daemon):
    return daemon.create_account("classic", "--platform", "classic")


@pytest.fixture(scope="module")
def neighbour_keys(daemon):
    return daemon.create_account("neighbour", "--platform", "classic")


@pytest.fixture
def classic(daemon, classic_keys):
    daemon.reset(classic_keys)
    return daemon.client(keys=classic_keys)


@pytest.fixture
def neighbour(daemon, neighbour_keys):
    daemon.reset(neighbour_keys)
    return daemon.client(keys=neighbour_keys)


@pytest.fixture
def old_classic(daemon, classic_keys, classic):
    return daemon.old_client(keys=classic_keys)


@pytest.fixture
def run(ami):
    """run(client, parameter=…): one instance that runs, described."""

    def launch(client, **parameters):
        made = client.run_instances(**{"ImageId": ami, "MinCount": 1, "MaxCount": 1, "InstanceType": "m1.small", **parameters})
        return in_state(client, made["Instances"][0]["InstanceId"], "running")

    return launch


def described(client, which):
    return instances_of(client.describe_instances(InstanceIds=[which]))[0]


def in_state(client, which, state):
    return wait_until(lambda: (found := described(client, which))["State"]["Name"] == state and found)


def standard_addresses(client):
    return {one["PublicIp"]: one.get("InstanceId", "") for one in client.describe_addresses()["Addresses"]}


def attribute(client, name):
    (found,) = client.describe_account_attributes(AttributeNames=[name])["AccountAttributes"]
    return [value["AttributeValue"] for value in found["AttributeValues"]]


def test_the_account_says_what_it_has(classic, ec2):
    assert attribute(classic, "supported-platforms") == ["EC2", "VPC"]
    assert attribute(classic, "default-vpc") == ["none"]
    assert attribute(ec2, "supported-platforms") == ["VPC"]
    assert classic.describe_vpcs()["Vpcs"] == [] and classic.describe_subnets()["Subnets"] == []
    assert classic.describe_internet_gateways()["InternetGateways"] == [] and classic.describe_route_tables()["RouteTables"] == []


def test_the_default_group_lets_its_own_members_in(classic, classic_keys, old_classic):
    (group,) = classic.describe_security_groups()["SecurityGroups"]
    assert (group["GroupName"], group["Description"], group["IpPermissionsEgress"]) == ("default", "default group", [])
    assert not group.get("VpcId")
    pair = {"UserId": classic_keys.account, "GroupName": "default", "GroupId": group["GroupId"]}
    assert [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"], rule["UserIdGroupPairs"]) for rule in group["IpPermissions"]] == [
        ("icmp", -1, -1, [pair]), ("tcp", 0, 65535, [pair]), ("udp", 0, 65535, [pair])]
    (old,) = old_classic.get_all_security_groups(["default"])
    assert not old.vpc_id and len(old.rules) == 3 and not old.rules_egress


def test_an_instance_of_classic_has_two_addresses_and_no_vpc(classic, run, old_classic, daemon):
    one = run(classic)
    assert one["PrivateIpAddress"].startswith("10.")
    assert one["PrivateDnsName"] == "ip-" + one["PrivateIpAddress"].replace(".", "-") + ".ec2.internal"
    assert one["PublicDnsName"] == "ec2-" + one["PublicIpAddress"].replace(".", "-") + ".compute-1.amazonaws.com"
    assert not one.get("VpcId") and not one.get("SubnetId") and one["NetworkInterfaces"] == [] and "SourceDestCheck" not in one
    assert [group["GroupName"] for group in one["SecurityGroups"]] == ["default"]
    (reservation,) = classic.describe_instances()["Reservations"]
    assert [group["GroupName"] for group in reservation["Groups"]] == ["default"]
    assert classic.describe_network_interfaces()["NetworkInterfaces"] == []
    for name, value in {"private-ip-address": one["PrivateIpAddress"], "ip-address": one["PublicIpAddress"], "group-name": "default",
                        "dns-name": one["PublicDnsName"], "private-dns-name": one["PrivateDnsName"]}.items():
        assert instances_of(classic.describe_instances(Filters=[{"Name": name, "Values": [value]}])) == [one], name
    for name in ("vpc-id", "subnet-id", "network-interface.network-interface-id", "source-dest-check"):
        assert classic.describe_instances(Filters=[{"Name": name, "Values": ["*"]}])["Reservations"] == [], name
    (old,) = old_classic.get_only_instances()
    assert (old.ip_address, old.private_ip_address, old.public_dns_name) == (one["PublicIpAddress"], one["PrivateIpAddress"], one["PublicDnsName"])
    assert not old.vpc_id and not old.subnet_id and [group.name for group in old.groups] == ["default"]


def test_no_private_address_is_two_accounts_at_once(classic, neighbour, run):
    assert run(classic)["PrivateIpAddress"] != run(neighbour)["PrivateIpAddress"]


def test_both_addresses_are_new_after_a_stop(classic, run):
    before = run(classic)
    classic.stop_instances(InstanceIds=[before["InstanceId"]])
    stopped = in_state(classic, before["InstanceId"], "stopped")
    assert "PrivateIpAddress" not in stopped and "PublicIpAddress" not in stopped
    assert (stopped["PrivateDnsName"], stopped["PublicDnsName"]) == ("", "")
    assert [group["GroupName"] for group in stopped["SecurityGroups"]] == ["default"]
    classic.start_instances(InstanceIds=[before["InstanceId"]])
    after = in_state(classic, before["InstanceId"], "running")
    assert after["PrivateIpAddress"] != before["PrivateIpAddress"] and after["PublicIpAddress"] != before["PublicIpAddress"]


def test_an_elastic_ip_is_lost_at_a_stop_and_stays_the_accounts(classic, run, old_classic, refused):
    one = run(classic)
    own, which = one["PublicIpAddress"], one["InstanceId"]
    made = old_classic.allocate_address()
    assert made.domain == "standard" and not made.allocation_id
    assert standard_addresses(classic) == {made.public_ip: ""}
    old_classic.associate_address(instance_id=which, public_ip=made.public_ip)
    shown = described(classic, which)
    assert shown["PublicIpAddress"] == made.public_ip and made.public_ip.replace(".", "-") in shown["PublicDnsName"]
    assert shown["PrivateIpAddress"] == one["PrivateIpAddress"]
    assert standard_addresses(classic) == {made.public_ip: which}
    classic.stop_instances(InstanceIds=[which])
    in_state(classic, which, "stopped")
    assert standard_addresses(classic) == {made.public_ip: ""}
    with refused("InvalidInstanceID"):  # it has to run
        classic.associate_address(InstanceId=which, PublicIp=made.public_ip)
    classic.start_instances(InstanceIds=[which])
    assert in_state(classic, which, "running")["PublicIpAddress"] not in (made.public_ip, own)
    classic.associate_address(InstanceId=which, PublicIp=made.public_ip)
    other = run(classic)
    classic.associate_address(InstanceId=other["InstanceId"], PublicIp=made.public_ip)  # moves; the first gets one of the pool
    assert described(classic, which)["PublicIpAddress"] not in (made.public_ip, other["PublicIpAddress"])
    classic.disassociate_address(PublicIp=made.public_ip)
    assert described(classic, other["InstanceId"])["PublicIpAddress"] != made.public_ip
    classic.associate_address(InstanceId=which, PublicIp=made.public_ip)
    classic.terminate_instances(InstanceIds=[which])
    wait_until(lambda: standard_addresses(classic) == {made.public_ip: ""})
    classic.release_address(PublicIp=made.public_ip)
    assert standard_addresses(classic) == {}


def test_addresses_of_the_two_domains_are_apart(classic, classic_keys, run, refused, quota):
    """NET-036, and five of each (NET-046)."""
    quota("addresses", 5, classic_keys)
    one = run(classic)
    standard = classic.allocate_address()
    assert standard["Domain"] == "standard" and "AllocationId" not in standard
    of_vpc = classic.allocate_address(Domain="vpc")
    with refused("InvalidParameterCombination"):
        classic.associate_address(InstanceId=one["InstanceId"], AllocationId=of_vpc["AllocationId"])
    subnet, _ = own_subnet(classic)
    inside = run(classic, SubnetId=subnet)
    with refused("InvalidParameterCombination"):
        classic.associate_address(InstanceId=inside["InstanceId"], PublicIp=standard["PublicIp"])
    classic.associate_address(InstanceId=inside["InstanceId"], AllocationId=of_vpc["AllocationId"])
    for _ in range(4):
        classic.allocate_address()
    with refused("AddressLimitExceeded"):
        classic.allocate_address()
    classic.allocate_address(Domain="vpc")
    classic.terminate_instances(InstanceIds=[inside["InstanceId"]])
    in_state(classic, inside["InstanceId"], "terminated")


def test_addresses_move_to_vpcs_and_back(classic, run, refused):
    made = classic.allocate_address()["PublicIp"]
    one = run(classic)
    classic.associate_address(InstanceId=one["InstanceId"], PublicIp=made)
    with refused("InvalidIPAddress.InUse"):
        classic.move_address_to_vpc(PublicIp=made)
    classic.disassociate_address(PublicIp=made)
    moved = classic.move_address_to_vpc(PublicIp=made)
    assert moved["Status"] == "InVpc"
    assert [(one["Domain"], one["PublicIp"]) for one in classic.describe_addresses(AllocationIds=[moved["AllocationId"]])["Addresses"]] == [("vpc", made)]
    with refused("InvalidParameterValue"):
        classic.move_address_to_vpc(PublicIp=made)
    back = classic.restore_address_to_classic(PublicIp=made)
    assert (back["PublicIp"], back["Status"]) == (made, "InClassic")
    assert [one["Domain"] for one in classic.describe_addresses()["Addresses"]] == ["standard"]
    born = classic.allocate_address(Domain="vpc")["PublicIp"]
    with refused("InvalidParameterValue"):
        classic.restore_address_to_classic(PublicIp=born)


def own_subnet(client):
    vpc = client.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    gateway = client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return client.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"], vpc


def test_a_vpc_by_its_subnet(classic, run, refused):
    """A VPC beside EC2-Classic; groups of the one are nothing to the other (NET-054)."""
    subnet, vpc = own_subnet(classic)
    inside = run(classic, SubnetId=subnet, InstanceType="t2.micro")
    assert (inside["VpcId"], inside["SubnetId"]) == (vpc, subnet) and "PublicIpAddress" not in inside
    assert len(classic.describe_network_interfaces()["NetworkInterfaces"]) == 1
    mine = classic.create_security_group(GroupName="web", Description="of EC2-Classic")["GroupId"]
    same_name = classic.create_security_group(GroupName="web", Description="of the VPC", VpcId=vpc)["GroupId"]
    assert classic.describe_security_groups(GroupNames=["web"])["SecurityGroups"][0]["GroupId"] == mine
    with refused("InvalidParameter"):
        run(classic, SubnetId=subnet, SecurityGroupIds=[mine])
    with refused("InvalidParameter"):
        run(classic, SecurityGroupIds=[same_name])
    for group, peer in ((mine, same_name), (same_name, mine)):
        with refused("InvalidGroup.NotFound"):
            classic.authorize_security_group_ingress(GroupId=group, IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": peer}]}])
    with refused("UnsupportedOperation"):
        classic.create_default_vpc()
    classic.terminate_instances(InstanceIds=[inside["InstanceId"]])
    in_state(classic, inside["InstanceId"], "terminated")


def test_what_only_a_vpc_has(classic, run, refused):
    with refused("VPCResourceNotSpecified"):
        run(classic, InstanceType="t2.micro")
    with refused("InvalidParameterCombination"):
        run(classic, PrivateIpAddress="10.0.0.77")
    with refused("InvalidParameterCombination"):
        run(classic, NetworkInterfaces=[{"DeviceIndex": 0, "AssociatePublicIpAddress": True}])
    one = run(classic)["InstanceId"]
    group = classic.create_security_group(GroupName="late", Description="d")["GroupId"]
    with refused("InvalidParameterCombination"):  # INS-036
        classic.modify_instance_attribute(InstanceId=one, Groups=[group])
    with refused("InvalidParameterCombination"):
        classic.modify_instance_attribute(InstanceId=one, SourceDestCheck={"Value": False})
    assert "SourceDestCheck" not in classic.describe_instance_attribute(InstanceId=one, Attribute="sourceDestCheck")
    with refused("InvalidParameterValue"):
        classic.authorize_security_group_egress(GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    for permission in ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, {"IpProtocol": "50", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
                       {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}):
        with refused("InvalidPermission.Malformed"):
            classic.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])


def test_an_account_without_classic_has_no_way_there(ec2, refused):
    with refused("InvalidParameterValue"):
        ec2.restore_address_to_classic(PublicIp=ec2.allocate_address()["PublicIp"])
    (default,) = (vpc for vpc in ec2.describe_vpcs()["Vpcs"] if vpc["IsDefault"])
    ec2.delete_security_group(GroupId=ec2.create_security_group(GroupName="g", Description="d")["GroupId"])
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    for gateway in ec2.describe_internet_gateways()["InternetGateways"]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=default["VpcId"])
    ec2.delete_vpc(VpcId=default["VpcId"])
    with refused("VPCIdNotSpecified"):
        ec2.create_security_group(GroupName="g", Description="d")


def test_groups_by_name(classic, run, old_classic, refused):
    old_classic.create_security_group("apache", "Mary's Apache group")
    with refused("InvalidGroup.Duplicate"):
        classic.create_security_group(GroupName="apache", Description="d")
    old_classic.authorize_security_group("apache", ip_protocol="tcp", from_port=80, to_port=80, cidr_ip="0.0.0.0/0")
    one = run(classic, SecurityGroups=["apache", "default"])
    assert sorted(group["GroupName"] for group in one["SecurityGroups"]) == ["apache", "default"]
    for delete in (lambda: classic.delete_security_group(GroupName="apache"), lambda: old_classic.delete_security_group("apache")):
        with refused("InvalidGroup.InUse"):
            delete()
    names = [f"g{number}" for number in range(7)]
    for name in names:
        classic.create_security_group(GroupName=name, Description="d")
    assert len(run(classic, SecurityGroups=names)["SecurityGroups"]) == 7  # no limit at launch (NET-048)
    classic.terminate_instances(InstanceIds=[one["InstanceId"]])
    wait_until(lambda: "SecurityGroups" not in (found := described(classic, one["InstanceId"])) or not found["SecurityGroups"])
    wait_until(lambda: not classic.describe_instances(Filters=[{"Name": "group-name", "Values": ["apache"]}])["Reservations"])
    classic.revoke_security_group_ingress(GroupName="apache", IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0")
    assert classic.describe_security_groups(GroupNames=["apache"])["SecurityGroups"][0]["IpPermissions"] == []


def test_a_hundred_rules_a_group(classic, refused):
    group = classic.create_security_group(GroupName="many", Description="d")["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1}
    classic.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**rule, "IpRanges": [{"CidrIp": f"192.0.2.{host}/32"} for host in range(100)]}])
    with refused("RulesPerSecurityGroupLimitExceeded"):
        classic.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**rule, "IpRanges": [{"CidrIp": "198.51.100.1/32"}]}])


def test_five_hundred_groups(classic, refused):
    for number in range(499):
        classic.create_security_group(GroupName=f"group {number}", Description="d")
    with refused("SecurityGroupLimitExceeded"):
        classic.create_security_group(GroupName="one more", Description="d")


def test_a_group_of_another_account_as_a_source(classic, neighbour, classic_keys, neighbour_keys, old_classic, refused):
    """NET-052: UserId and GroupName."""
    theirs = neighbour.create_security_group(GroupName="theirs", Description="d")["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"UserId": neighbour_keys.account, "GroupName": "theirs"}]}
    classic.authorize_security_group_ingress(GroupName="default", IpPermissions=[rule])
    permissions = classic.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["IpPermissions"]
    assert [one["UserIdGroupPairs"] for one in permissions if one["FromPort"] == 22] == [[{"UserId": neighbour_keys.account, "GroupName": "theirs", "GroupId": theirs}]]
    with refused("InvalidPermission.Duplicate"):
        classic.authorize_security_group_ingress(GroupName="default", IpPermissions=[
            {**rule, "UserIdGroupPairs": [{"UserId": neighbour_keys.account, "GroupId": theirs}]}])
    # Without ports: everything that a group could name then (NET-059).
    old_classic.create_security_group("appserver", "d")
    old_classic.authorize_security_group("appserver", src_security_group_name="theirs", src_security_group_owner_id=neighbour_keys.account)
    rules = old_classic.get_all_security_groups(["appserver"])[0].rules
    assert sorted((one.ip_protocol, one.from_port, one.to_port, one.grants[0].owner_id, one.grants[0].name) for one in rules) == [
        ("icmp", "-1", "-1", neighbour_keys.account, "theirs"), ("tcp", "0", "65535", neighbour_keys.account, "theirs"),
        ("udp", "0", "65535", neighbour_keys.account, "theirs")]
    with refused("InvalidGroup.NotFound"):
        classic.authorize_security_group_ingress(GroupName="default", IpPermissions=[
            {**rule, "UserIdGroupPairs": [{"UserId": neighbour_keys.account, "GroupName": "unheard of"}]}])
    classic.revoke_security_group_ingress(GroupName="default", IpPermissions=[rule])


def test_zones_in_turn_and_the_zone_asked_for(classic, run):
    assert run(classic, Placement={"AvailabilityZone": "us-east-1b"})["Placement"]["AvailabilityZone"] == "us-east-1b"
    assert len({run(classic)["Placement"]["AvailabilityZone"] for _ in range(3)}) == 3
