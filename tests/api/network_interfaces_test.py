"""Network interfaces (OPS-043 ff.), as boto3 sees them."""
import pytest

from conftest import wait_until


@pytest.fixture
def subnet(ec2):
    return min(ec2.describe_subnets()["Subnets"], key=lambda one: one["AvailabilityZone"])


@pytest.fixture
def make(ec2, subnet):
    """make(parameter=…): an interface in the first zone."""
    return lambda **more: ec2.create_network_interface(**{"SubnetId": subnet["SubnetId"], **more})["NetworkInterface"]


@pytest.fixture
def shown(ec2):
    return lambda interface: ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]


@pytest.fixture
def server(launch, subnet):
    """Of a type that takes eight interfaces with thirty addresses each."""
    return lambda **more: launch(**{"SubnetId": subnet["SubnetId"], "InstanceType": "m2.4xlarge", **more})


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


def test_create_describe_delete(ec2, make, shown, subnet, refused):
    group = ec2.create_security_group(GroupName="eni", Description="d")["GroupId"]
    base = subnet["CidrBlock"].rpartition(".")[0]
    made = make(Description="second", PrivateIpAddress=f"{base}.77", Groups=[group],
                TagSpecifications=[{"ResourceType": "network-interface", "Tags": [{"Key": "a", "Value": "b"}]}])
    assert made["Status"] == "available" and made["RequesterManaged"] is False and made["InterfaceType"] == "interface"
    one = shown(made["NetworkInterfaceId"])
    assert one["Status"] == "available" and one["PrivateIpAddress"] == f"{base}.77" and one["SourceDestCheck"] is True
    assert one["Groups"] == [{"GroupId": group, "GroupName": "eni"}] and one["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert one["MacAddress"].startswith("02:") and "Attachment" not in one and "Association" not in one
    assert one["PrivateDnsName"] == f"ip-{base.replace('.', '-')}-77.ec2.internal"
    for name, value in {"network-interface-id": one["NetworkInterfaceId"], "subnet-id": one["SubnetId"], "vpc-id": one["VpcId"], "description": "sec*",
                        "group-id": group, "group-name": "eni", "mac-address": one["MacAddress"], "private-ip-address": f"{base}.77",
                        "addresses.private-ip-address": f"{base}.77", "status": "available", "attachment.status": "detached", "owner-id": "123456789012",
                        "availability-zone": "us-east-1a", "availability-zone-id": "use1-az1", "source-dest-check": "true", "requester-managed": "false",
                        "interface-type": "interface", "addresses.primary": "true", "private-dns-name": one["PrivateDnsName"], "tag:a": "b"}.items():
        assert [each["NetworkInterfaceId"] for each in ec2.describe_network_interfaces(**by(name, value))["NetworkInterfaces"]] == [one["NetworkInterfaceId"]], name
    assert ec2.describe_network_interfaces(**by("addresses.primary", "false"))["NetworkInterfaces"] == []
    with refused("InvalidIPAddress.InUse"):
        make(PrivateIpAddress=f"{base}.77")
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=group)
    ec2.delete_network_interface(NetworkInterfaceId=one["NetworkInterfaceId"])
    with refused("InvalidNetworkInterfaceID.NotFound"):
        ec2.delete_network_interface(NetworkInterfaceId=one["NetworkInterfaceId"])
    ec2.delete_security_group(GroupId=group)


def test_what_cannot_be_created(ec2, make, subnet, other, refused):
    base = subnet["CidrBlock"].rpartition(".")[0]
    for wrong, code in (({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"), ({"Groups": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
                        ({"Groups": [other.describe_security_groups()["SecurityGroups"][0]["GroupId"]]}, "InvalidGroup.NotFound"),
                        ({"PrivateIpAddress": "10.9.9.9"}, "InvalidParameterValue"), ({"PrivateIpAddress": f"{base}.1"}, "InvalidParameterValue"),
                        ({"SecondaryPrivateIpAddressCount": 50}, "PrivateIpAddressLimitExceeded"), ({"InterfaceType": "efa"}, "UnsupportedOperation"),
                        ({"Ipv6AddressCount": 1}, "InvalidParameterValue"), ({"SubnetId": other.describe_subnets()["Subnets"][0]["SubnetId"]}, "InvalidSubnetID.NotFound"),
                        ({"PrivateIpAddress": f"{base}.9", "PrivateIpAddresses": [{"PrivateIpAddress": f"{base}.8", "Primary": True}]}, "InvalidParameterCombination")):
        with refused(code):
            make(**wrong)
    groups = [ec2.create_security_group(GroupName=f"g{n}", Description="d")["GroupId"] for n in range(6)]
    with refused("SecurityGroupsPerInterfaceLimitExceeded"):
        make(Groups=groups)


def test_a_token_makes_one(ec2, make, refused):
    first, second = make(ClientToken="t1"), make(ClientToken="t1")
    assert first["NetworkInterfaceId"] == second["NetworkInterfaceId"]
    with refused("IdempotentParameterMismatch"):
        make(ClientToken="t1", Description="other")


def test_hot_plug(ec2, make, shown, server, in_state, refused):
    one, made = server(), make()
    attachment = ec2.attach_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"], InstanceId=one["InstanceId"], DeviceIndex=1)["AttachmentId"]
    assert attachment.startswith("eni-attach-")
    wait_until(lambda: shown(made["NetworkInterfaceId"])["Attachment"]["Status"] == "attached")
    there = shown(made["NetworkInterfaceId"])
    assert there["Status"] == "in-use" and there["Attachment"]["DeleteOnTermination"] is False and there["Attachment"]["InstanceOwnerId"] == "123456789012"
    for name, value in {"attachment.attachment-id": attachment, "attachment.instance-id": one["InstanceId"], "attachment.device-index": "1",
                        "attachment.delete-on-termination": "false", "attachment.status": "attached", "attachment.instance-owner-id": "123456789012",
                        "status": "in-use"}.items():
        assert made["NetworkInterfaceId"] in [each["NetworkInterfaceId"] for each in ec2.describe_network_interfaces(**by(name, value))["NetworkInterfaces"]], name
    (instance,) = in_state("running", one["InstanceId"])
    assert [each["Attachment"]["DeviceIndex"] for each in instance["NetworkInterfaces"]] == [0, 1]
    with refused("InvalidNetworkInterface.InUse"):
        ec2.attach_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"], InstanceId=one["InstanceId"], DeviceIndex=2)
    with refused("InvalidNetworkInterface.InUse"):
        ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])
    with refused("InvalidParameterValue"):
        ec2.attach_network_interface(NetworkInterfaceId=make()["NetworkInterfaceId"], InstanceId=one["InstanceId"], DeviceIndex=1)
    with refused("OperationNotPermitted"):
        ec2.detach_network_interface(AttachmentId=instance["NetworkInterfaces"][0]["Attachment"]["AttachmentId"])
    with refused("InvalidAttachmentID.NotFound"):
        ec2.detach_network_interface(AttachmentId="eni-attach-0123456789abcdef0")
    ec2.detach_network_interface(AttachmentId=attachment)
    wait_until(lambda: shown(made["NetworkInterfaceId"])["Status"] == "available")
    assert len(in_state("running", one["InstanceId"])[0]["NetworkInterfaces"]) == 1
    # Failover: the same addresses at another machine.
    second = server()
    ec2.attach_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"], InstanceId=second["InstanceId"], DeviceIndex=1)
    wait_until(lambda: shown(made["NetworkInterfaceId"])["Attachment"]["Status"] == "attached")
    moved = shown(made["NetworkInterfaceId"])
    assert (moved["MacAddress"], moved["PrivateIpAddress"]) == (there["MacAddress"], there["PrivateIpAddress"])
    ec2.detach_network_interface(AttachmentId=moved["Attachment"]["AttachmentId"], Force=True)
    wait_until(lambda: shown(made["NetworkInterfaceId"])["Status"] == "available")


def test_a_stopped_instance(ec2, make, shown, server, in_state):
    one, made = server(), make()
    ec2.stop_instances(InstanceIds=[one["InstanceId"]])
    in_state("stopped", one["InstanceId"])
    attachment = ec2.attach_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"], InstanceId=one["InstanceId"], DeviceIndex=1)["AttachmentId"]
    assert shown(made["NetworkInterfaceId"])["Attachment"]["Status"] == "attached"
    ec2.start_instances(InstanceIds=[one["InstanceId"]])
    assert len(in_state("running", one["InstanceId"])[0]["NetworkInterfaces"]) == 2
    ec2.stop_instances(InstanceIds=[one["InstanceId"]])
    in_state("stopped", one["InstanceId"])
    ec2.detach_network_interface(AttachmentId=attachment)
    assert shown(made["NetworkInterfaceId"])["Status"] == "available"


def test_where_it_cannot_be_attached(ec2, make, server, launch, in_state, refused):
    one = server()
    elsewhere = next(each for each in ec2.describe_subnets()["Subnets"] if each["AvailabilityZone"] == "us-east-1b")
    with refused("InvalidParameterCombination"):
        ec2.attach_network_interface(NetworkInterfaceId=make(SubnetId=elsewhere["SubnetId"])["NetworkInterfaceId"], InstanceId=one["InstanceId"], DeviceIndex=1)
    for index in range(1, 8):
        ec2.attach_network_interface(NetworkInterfaceId=make()["NetworkInterfaceId"], InstanceId=one["InstanceId"], DeviceIndex=index)
    with refused("AttachmentLimitExceeded"):
        ec2.attach_network_interface(NetworkInterfaceId=make()["NetworkInterfaceId"], InstanceId=one["InstanceId"], DeviceIndex=8)
    gone = server()
    ec2.terminate_instances(InstanceIds=[gone["InstanceId"]])
    in_state("terminated", gone["InstanceId"])
    with refused("IncorrectState"):
        ec2.attach_network_interface(NetworkInterfaceId=make()["NetworkInterfaceId"], InstanceId=gone["InstanceId"], DeviceIndex=1)


def test_what_becomes_of_it_at_termination(ec2, make, shown, server, in_state, refused):
    one, kept, lost = server(), make(), make()
    for index, interface in enumerate((kept, lost), 1):
        ec2.attach_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"], InstanceId=one["InstanceId"], DeviceIndex=index)
    attachment = shown(lost["NetworkInterfaceId"])["Attachment"]["AttachmentId"]
    with refused("InvalidAttachmentID.NotFound"):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=kept["NetworkInterfaceId"], Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
    ec2.modify_network_interface_attribute(NetworkInterfaceId=lost["NetworkInterfaceId"], Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
    ec2.terminate_instances(InstanceIds=[one["InstanceId"]])
    in_state("terminated", one["InstanceId"])
    wait_until(lambda: [each["NetworkInterfaceId"] for each in ec2.describe_network_interfaces()["NetworkInterfaces"]] == [kept["NetworkInterfaceId"]])
    assert shown(kept["NetworkInterfaceId"])["Status"] == "available"


def test_attributes(ec2, make, refused):
    made = make(Description="first")
    interface = made["NetworkInterfaceId"]
    group = ec2.create_security_group(GroupName="other", Description="d")["GroupId"]

    def attribute(name):
        return ec2.describe_network_interface_attribute(NetworkInterfaceId=interface, Attribute=name)

    assert attribute("description")["Description"] == {"Value": "first"}
    ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Description={"Value": "second"})
    assert attribute("description")["Description"] == {"Value": "second"}
    ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[group])
    assert [each["GroupId"] for each in attribute("groupSet")["Groups"]] == [group]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, SourceDestCheck={"Value": False})
    assert attribute("sourceDestCheck")["SourceDestCheck"] == {"Value": False}
    ec2.reset_network_interface_attribute(NetworkInterfaceId=interface, SourceDestCheck="true")
    assert attribute("sourceDestCheck")["SourceDestCheck"] == {"Value": True}
    assert "Attachment" not in attribute("attachment")
    with refused("InvalidParameterCombination"):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface)
    with refused("InvalidParameterCombination"):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[group], SourceDestCheck={"Value": False})
    with refused("InvalidParameterCombination"):
        ec2.reset_network_interface_attribute(NetworkInterfaceId=interface)
    with refused("InvalidParameterValue"):
        ec2.describe_network_interface_attribute(NetworkInterfaceId=interface, Attribute="colour")
    with refused("UnsupportedOperation"):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, EnaSrdSpecification={"EnaSrdEnabled": True})


def test_secondary_addresses(ec2, make, shown, subnet, refused):
    base = subnet["CidrBlock"].rpartition(".")[0]
    one, two = make(PrivateIpAddresses=[{"PrivateIpAddress": f"{base}.90", "Primary": True}, {"PrivateIpAddress": f"{base}.91", "Primary": False}]), make()
    assert [(each["PrivateIpAddress"], each["Primary"]) for each in one["PrivateIpAddresses"]] == [(f"{base}.90", True), (f"{base}.91", False)]
    free = ec2.describe_subnets(SubnetIds=[subnet["SubnetId"]])["Subnets"][0]["AvailableIpAddressCount"]
    ec2.assign_private_ip_addresses(NetworkInterfaceId=two["NetworkInterfaceId"], SecondaryPrivateIpAddressCount=2)
    assert ec2.describe_subnets(SubnetIds=[subnet["SubnetId"]])["Subnets"][0]["AvailableIpAddressCount"] == free - 2
    with refused("InvalidIPAddress.InUse"):
        ec2.assign_private_ip_addresses(NetworkInterfaceId=two["NetworkInterfaceId"], PrivateIpAddresses=[f"{base}.91"])
    ec2.assign_private_ip_addresses(NetworkInterfaceId=two["NetworkInterfaceId"], PrivateIpAddresses=[f"{base}.91"], AllowReassignment=True)
    assert len(shown(one["NetworkInterfaceId"])["PrivateIpAddresses"]) == 1
    assert shown(two["NetworkInterfaceId"])["PrivateIpAddresses"][-1]["PrivateIpAddress"] == f"{base}.91"
    with refused("InvalidParameterValue"):
        ec2.assign_private_ip_addresses(NetworkInterfaceId=two["NetworkInterfaceId"], PrivateIpAddresses=[f"{base}.90"], AllowReassignment=True)
    with refused("InvalidParameterValue"):
        ec2.unassign_private_ip_addresses(NetworkInterfaceId=one["NetworkInterfaceId"], PrivateIpAddresses=[f"{base}.91"])
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=two["NetworkInterfaceId"], PrivateIpAddresses=[f"{base}.91"])
    with refused("MissingParameter"):
        ec2.assign_private_ip_addresses(NetworkInterfaceId=one["NetworkInterfaceId"])
    with refused("InvalidParameterCombination"):
        ec2.assign_private_ip_addresses(NetworkInterfaceId=one["NetworkInterfaceId"], PrivateIpAddresses=[f"{base}.91"], SecondaryPrivateIpAddressCount=1)
    with refused("PrivateIpAddressLimitExceeded"):
        ec2.assign_private_ip_addresses(NetworkInterfaceId=one["NetworkInterfaceId"], SecondaryPrivateIpAddressCount=50)


def test_interfaces_are_one_accounts_own(ec2, other, make, server, refused):
    theirs = other.create_network_interface(SubnetId=other.describe_subnets()["Subnets"][0]["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    one = server()
    for call in (lambda: ec2.delete_network_interface(NetworkInterfaceId=theirs), lambda: ec2.describe_network_interfaces(NetworkInterfaceIds=[theirs]),
                 lambda: ec2.attach_network_interface(NetworkInterfaceId=theirs, InstanceId=one["InstanceId"], DeviceIndex=1),
                 lambda: ec2.modify_network_interface_attribute(NetworkInterfaceId=theirs, Description={"Value": "mine"}),
                 lambda: ec2.assign_private_ip_addresses(NetworkInterfaceId=theirs, SecondaryPrivateIpAddressCount=1)):
        with refused("InvalidNetworkInterfaceID.NotFound"):
            call()
    attachment = one["NetworkInterfaces"][0]["Attachment"]["AttachmentId"]
    with refused("InvalidAttachmentID.NotFound"):
        other.detach_network_interface(AttachmentId=attachment)
