"""Elastic IP addresses (NET-036 ff.), as boto3 and boto 2 see them."""
import pytest

from conftest import wait_until


def public_ip(ec2, instance):
    (found,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
    return found.get("PublicIpAddress")


@pytest.fixture
def address(ec2):
    """address(parameter=…): allocates one."""
    return lambda **more: ec2.allocate_address(**more)


def test_allocate_describe_release(ec2, address, refused):
    made = address(Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "web"}]}])
    assert made["AllocationId"].startswith("eipalloc-") and made["Domain"] == "vpc" and made["NetworkBorderGroup"] == "us-east-1"
    (shown,) = ec2.describe_addresses(AllocationIds=[made["AllocationId"]])["Addresses"]
    assert shown["PublicIp"] == made["PublicIp"] and shown["Tags"] == [{"Key": "Name", "Value": "web"}]
    assert "AssociationId" not in shown and "InstanceId" not in shown and "PrivateIpAddress" not in shown
    assert ec2.describe_addresses(PublicIps=[made["PublicIp"]])["Addresses"] == [shown]
    for name, value in {"public-ip": made["PublicIp"], "allocation-id": made["AllocationId"], "domain": "vpc", "tag:Name": "web",
                        "network-border-group": "us-east-1"}.items():
        assert ec2.describe_addresses(Filters=[{"Name": name, "Values": [value]}])["Addresses"] == [shown], name
    assert ec2.describe_addresses(Filters=[{"Name": "association-id", "Values": ["*"]}])["Addresses"] == []
    ec2.release_address(AllocationId=made["AllocationId"])
    assert ec2.describe_addresses()["Addresses"] == []
    with refused("InvalidAllocationID.NotFound"):
        ec2.describe_addresses(AllocationIds=[made["AllocationId"]])
    with refused("InvalidAddress.NotFound"):
        ec2.describe_addresses(PublicIps=[made["PublicIp"]])
    with refused("InvalidAllocationID.NotFound"):
        ec2.release_address(AllocationId=made["AllocationId"])


def test_five_addresses_and_no_more(ec2, address, refused, quota):
    quota("addresses", 5)
    held = {address()["PublicIp"] for _ in range(5)}
    assert len(held) == 5
    with refused("AddressLimitExceeded"):
        address()


def test_what_cannot_be_allocated(ec2, address, refused):
    with refused("InvalidParameterValue"):
        address(Domain="moon")
    with refused("InvalidParameterValue"):
        address(NetworkBorderGroup="eu-west-1")
    with refused("InvalidPublicIpv4PoolID.NotFound"):
        address(PublicIpv4Pool="ipv4pool-ec2-0123456789abcdef0")
    with refused("UnsupportedOperation"):
        address(Address="203.0.113.1")


def test_an_instance_takes_the_address_and_gives_its_own_back(ec2, address, launch, in_state, refused):
    one = launch()
    before = one["PublicIpAddress"]
    made = address()
    association = ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=one["InstanceId"])["AssociationId"]
    assert association.startswith("eipassoc-")
    # Again is the same.
    assert ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=one["InstanceId"])["AssociationId"] == association
    assert public_ip(ec2, one["InstanceId"]) == made["PublicIp"] != before
    (shown,) = ec2.describe_addresses()["Addresses"]
    interface = one["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert (shown["InstanceId"], shown["NetworkInterfaceId"], shown["PrivateIpAddress"]) == (one["InstanceId"], interface, one["PrivateIpAddress"])
    assert shown["NetworkInterfaceOwnerId"] == "123456789012"
    for name, value in {"instance-id": one["InstanceId"], "network-interface-id": interface, "association-id": association,
                        "private-ip-address": one["PrivateIpAddress"], "network-interface-owner-id": "123456789012"}.items():
        assert len(ec2.describe_addresses(Filters=[{"Name": name, "Values": [value]}])["Addresses"]) == 1, name
    with refused("InvalidIPAddress.InUse"):
        ec2.release_address(AllocationId=made["AllocationId"])
    with refused("InvalidParameterValue"):
        ec2.release_address(PublicIp=made["PublicIp"])
    # It keeps the address while it is stopped (domain vpc).
    ec2.stop_instances(InstanceIds=[one["InstanceId"]])
    in_state("stopped", one["InstanceId"])
    assert public_ip(ec2, one["InstanceId"]) == made["PublicIp"]
    ec2.start_instances(InstanceIds=[one["InstanceId"]])
    in_state("running", one["InstanceId"])
    assert public_ip(ec2, one["InstanceId"]) == made["PublicIp"]
    # Taken off, it gets another of the pool by itself.
    ec2.disassociate_address(AssociationId=association)
    assert public_ip(ec2, one["InstanceId"]) not in (None, made["PublicIp"])
    with refused("InvalidAssociationID.NotFound"):
        ec2.disassociate_address(AssociationId=association)
    ec2.disassociate_address(PublicIp=made["PublicIp"])  # stands for nothing already: as asked
    ec2.associate_address(PublicIp=made["PublicIp"], InstanceId=one["InstanceId"])
    ec2.terminate_instances(InstanceIds=[one["InstanceId"]])
    in_state("terminated", one["InstanceId"])
    (left,) = wait_until(lambda: [each for each in ec2.describe_addresses()["Addresses"] if "AssociationId" not in each])
    assert left["PublicIp"] == made["PublicIp"]


def test_remap(ec2, address, launch, refused):
    first, second = launch(), launch()
    made, other = address(), address()
    old = ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=first["InstanceId"])["AssociationId"]
    with refused("Resource.AlreadyAssociated"):
        ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=second["InstanceId"], AllowReassociation=False)
    new = ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=second["InstanceId"])["AssociationId"]
    assert new != old
    assert public_ip(ec2, second["InstanceId"]) == made["PublicIp"]
    assert public_ip(ec2, first["InstanceId"]) not in (None, made["PublicIp"])
    # Another address takes the place of the one there, which stays the account's.
    with refused("Resource.AlreadyAssociated"):
        ec2.associate_address(AllocationId=other["AllocationId"], InstanceId=second["InstanceId"], AllowReassociation=False)
    ec2.associate_address(AllocationId=other["AllocationId"], InstanceId=second["InstanceId"])
    assert public_ip(ec2, second["InstanceId"]) == other["PublicIp"]
    assert "AssociationId" not in ec2.describe_addresses(AllocationIds=[made["AllocationId"]])["Addresses"][0]


def test_a_secondary_private_address(ec2, address, launch, refused):
    one = launch()
    interface = one["NetworkInterfaces"][0]["NetworkInterfaceId"]
    (further,) = ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, SecondaryPrivateIpAddressCount=1)["AssignedPrivateIpAddresses"]
    made = address()
    with refused("InvalidParameterValue"):
        ec2.associate_address(AllocationId=made["AllocationId"], NetworkInterfaceId=interface, PrivateIpAddress="172.31.0.250")
    ec2.associate_address(AllocationId=made["AllocationId"], NetworkInterfaceId=interface, PrivateIpAddress=further["PrivateIpAddress"])
    assert public_ip(ec2, one["InstanceId"]) == one["PublicIpAddress"]
    (shown,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    by_private = {each["PrivateIpAddress"]: each["Association"]["PublicIp"] for each in shown["PrivateIpAddresses"]}
    assert by_private == {one["PrivateIpAddress"]: one["PublicIpAddress"], further["PrivateIpAddress"]: made["PublicIp"]}


def test_what_cannot_be_associated(ec2, address, launch, in_state, refused):
    made = address()
    with refused("MissingParameter"):
        ec2.associate_address(AllocationId=made["AllocationId"])
    with refused("MissingParameter"):
        ec2.associate_address(InstanceId="i-0123456789abcdef0")
    with refused("InvalidInstanceID.NotFound"):
        ec2.associate_address(AllocationId=made["AllocationId"], InstanceId="i-0123456789abcdef0")
    with refused("InvalidNetworkInterfaceID.NotFound"):
        ec2.associate_address(AllocationId=made["AllocationId"], NetworkInterfaceId="eni-0123456789abcdef0")
    with refused("InvalidAllocationID.NotFound"):
        ec2.associate_address(AllocationId="eipalloc-0123456789abcdef0", InstanceId="i-0123456789abcdef0")
    with refused("InvalidParameterCombination"):
        ec2.associate_address(AllocationId=made["AllocationId"], PublicIp=made["PublicIp"], InstanceId="i-0123456789abcdef0")
    with refused("InvalidParameterCombination"):
        ec2.associate_address(AllocationId=made["AllocationId"], NetworkInterfaceId="eni-0123456789abcdef0", InstanceId="i-0123456789abcdef0")
    one = launch()
    second = ec2.create_network_interface(SubnetId=one["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
    ec2.attach_network_interface(NetworkInterfaceId=second, InstanceId=one["InstanceId"], DeviceIndex=1)
    with refused("InvalidInstanceID"):
        ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=one["InstanceId"])
    gone = launch()
    ec2.terminate_instances(InstanceIds=[gone["InstanceId"]])
    in_state("terminated", gone["InstanceId"])
    with refused("InvalidInstanceID"):
        ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=gone["InstanceId"])


def test_addresses_are_one_accounts_own(ec2, other, address, launch, refused):
    theirs = other.allocate_address()
    assert ec2.describe_addresses()["Addresses"] == []
    one = launch()
    for wrong, code in (({"AllocationId": theirs["AllocationId"]}, "InvalidAllocationID.NotFound"), ({"PublicIp": theirs["PublicIp"]}, "AuthFailure")):
        with refused(code):
            ec2.associate_address(InstanceId=one["InstanceId"], **wrong)
        with refused(code):
            ec2.release_address(**wrong)
    with refused("AuthFailure"):
        ec2.disassociate_address(PublicIp=theirs["PublicIp"])
    with refused("AuthFailure"):
        ec2.describe_addresses(PublicIps=[theirs["PublicIp"]])


def test_the_guides_addresses(ec2, old, launch, in_state):
    """2011-12-01 without a domain: named by the address itself, let go at a stop (NET-037, NET-042)."""
    made = old.allocate_address()
    assert made.domain == "standard" and not made.allocation_id
    one = launch()
    assert old.associate_address(one["InstanceId"], made.public_ip)
    (shown,) = old.get_all_addresses([made.public_ip])
    assert shown.instance_id == one["InstanceId"] and shown.domain == "standard"
    ec2.stop_instances(InstanceIds=[one["InstanceId"]])
    in_state("stopped", one["InstanceId"])
    assert old.get_all_addresses([made.public_ip])[0].instance_id == ""
    ec2.start_instances(InstanceIds=[one["InstanceId"]])
    in_state("running", one["InstanceId"])
    assert old.associate_address(one["InstanceId"], made.public_ip)
    assert old.disassociate_address(made.public_ip)
    assert old.associate_address(one["InstanceId"], made.public_ip)
    assert old.release_address(made.public_ip)  # takes it off first (NET-044)
    assert old.get_all_addresses() == []


def test_a_reverse_record_needs_a_name_that_leads_to_the_address(ec2, address, refused):
    """NET-047, OPS-123."""
    made = address()
    allocation, ip = made["AllocationId"], made["PublicIp"]
    bare = {"PublicIp": ip, "AllocationId": allocation}

    def shown():
        return ec2.describe_addresses_attribute(AllocationIds=[allocation], Attribute="domain-name")["Addresses"]

    assert shown() == [bare]
    with refused("InvalidParameterValue"):
        ec2.modify_address_attribute(AllocationId=allocation, DomainName="localhost")  # which is somebody else
    with refused("InvalidParameterValue"):
        ec2.modify_address_attribute(AllocationId=allocation, DomainName="a b.example.com")
    with refused("InvalidAllocationID.NotFound"):
        ec2.modify_address_attribute(AllocationId="eipalloc-0123456789abcdef0", DomainName="localhost")
    assert shown() == [bare]
    name = f"ec2-{ip.replace('.', '-')}.compute-1.amazonaws.com"
    with refused("DryRunOperation", 412):
        ec2.modify_address_attribute(AllocationId=allocation, DomainName=name, DryRun=True)
    assert shown() == [bare]
    with_name = {**bare, "PtrRecord": name + "."}
    assert ec2.modify_address_attribute(AllocationId=allocation, DomainName=name.upper() + ".")["Address"] == with_name
    assert shown() == [with_name]
    with refused("InvalidAddress.Locked"):
        ec2.release_address(AllocationId=allocation)
    with refused("InvalidParameterValue"):
        ec2.reset_address_attribute(AllocationId=allocation, Attribute="owner")
    assert ec2.reset_address_attribute(AllocationId=allocation, Attribute="domain-name")["Address"] == bare
    ec2.release_address(AllocationId=allocation)
