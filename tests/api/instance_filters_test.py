"""Every filter of DescribeInstances that EC2 documents: known, and true of what the answer shows."""
import pytest

from conftest import instances_of

# Names that nothing here has a value for: known, and matching nothing.
EMPTY = """affinity capacity-reservation-id capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id
capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn host-id iam-instance-profile.arn
iam-instance-profile.id instance-lifecycle network-interface.addresses.association.carrier-ip
network-interface.addresses.association.customer-owned-ip network-interface.association.carrier-ip network-interface.association.customer-owned-ip
network-interface.ipv4-prefixes.ipv4-prefix 
network-interface.ipv6-prefixes.ipv6-prefix network-interface.operator.principal
network-interface.outpost-arn operator.principal outpost-arn spot-instance-request-id tpm-support requester-id""".split()


def found(ec2, name, *values):
    return sorted(one["InstanceId"] for one in instances_of(ec2.describe_instances(Filters=[{"Name": name, "Values": list(values)}])))


def at(tree, path):
    for part in path.split("."):
        tree = tree[int(part)] if part.isdigit() else tree[part]
    return tree


# filter → where the answer shows its value. A flag is compared as EC2 writes it.
PLACES = {
    "architecture": "Architecture", "availability-zone": "Placement.AvailabilityZone",
    "capacity-reservation-specification.capacity-reservation-preference": "CapacityReservationSpecification.CapacityReservationPreference",
    "client-token": "ClientToken", "dns-name": "PublicDnsName", "ebs-optimized": "EbsOptimized",
    "ena-support": "EnaSupport", "enclave-options.enabled": "EnclaveOptions.Enabled", "group-id": "SecurityGroups.0.GroupId",
    "group-name": "SecurityGroups.0.GroupName", "hibernation-options.configured": "HibernationOptions.Configured", "hypervisor": "Hypervisor",
    "image-id": "ImageId", "instance-id": "InstanceId", "instance-state-code": "State.Code", "instance-state-name": "State.Name",
    "instance-type": "InstanceType", "instance.group-id": "SecurityGroups.0.GroupId", "instance.group-name": "SecurityGroups.0.GroupName",
    "ip-address": "PublicIpAddress", "key-name": "KeyName", "launch-index": "AmiLaunchIndex", "maintenance-options.auto-recovery": "MaintenanceOptions.AutoRecovery",
    "metadata-options.http-endpoint": "MetadataOptions.HttpEndpoint", "metadata-options.http-protocol-ipv4": "MetadataOptions.HttpEndpoint",
    "metadata-options.http-protocol-ipv6": "MetadataOptions.HttpProtocolIpv6",
    "metadata-options.http-put-response-hop-limit": "MetadataOptions.HttpPutResponseHopLimit", "metadata-options.http-tokens": "MetadataOptions.HttpTokens",
    "metadata-options.instance-metadata-tags": "MetadataOptions.InstanceMetadataTags", "metadata-options.state": "MetadataOptions.State",
    "monitoring-state": "Monitoring.State", "platform-details": "PlatformDetails", "private-dns-name": "PrivateDnsName",
    "private-dns-name-options.enable-resource-name-dns-a-record": "PrivateDnsNameOptions.EnableResourceNameDnsARecord",
    "private-dns-name-options.enable-resource-name-dns-aaaa-record": "PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord",
    "private-dns-name-options.hostname-type": "PrivateDnsNameOptions.HostnameType", "private-ip-address": "PrivateIpAddress",
    "root-device-name": "RootDeviceName", "root-device-type": "RootDeviceType", "source-dest-check": "SourceDestCheck", "subnet-id": "SubnetId",
    "tenancy": "Placement.Tenancy", "usage-operation": "UsageOperation", "virtualization-type": "VirtualizationType", "vpc-id": "VpcId",
    "block-device-mapping.delete-on-termination": "BlockDeviceMappings.0.Ebs.DeleteOnTermination",
    "block-device-mapping.device-name": "BlockDeviceMappings.0.DeviceName", "block-device-mapping.status": "BlockDeviceMappings.0.Ebs.Status",
    "block-device-mapping.volume-id": "BlockDeviceMappings.0.Ebs.VolumeId", "tag:Name": "Tags.0.Value", "tag-key": "Tags.0.Key", "tag-value": "Tags.0.Value",
    "network-interface.addresses.association.ip-owner-id": "NetworkInterfaces.0.PrivateIpAddresses.0.Association.IpOwnerId",
    "network-interface.addresses.association.public-dns-name": "NetworkInterfaces.0.PrivateIpAddresses.0.Association.PublicDnsName",
    "network-interface.addresses.association.public-ip": "NetworkInterfaces.0.PrivateIpAddresses.0.Association.PublicIp",
    "network-interface.addresses.primary": "NetworkInterfaces.0.PrivateIpAddresses.0.Primary",
    "network-interface.addresses.private-dns-name": "NetworkInterfaces.0.PrivateIpAddresses.0.PrivateDnsName",
    "network-interface.addresses.private-ip-address": "NetworkInterfaces.0.PrivateIpAddresses.0.PrivateIpAddress",
    "network-interface.association.ip-owner-id": "NetworkInterfaces.0.Association.IpOwnerId",
    "network-interface.association.public-dns-name": "NetworkInterfaces.0.Association.PublicDnsName",
    "network-interface.association.public-ip": "NetworkInterfaces.0.Association.PublicIp",
    "network-interface.attachment.attachment-id": "NetworkInterfaces.0.Attachment.AttachmentId",
    "network-interface.attachment.delete-on-termination": "NetworkInterfaces.0.Attachment.DeleteOnTermination",
    "network-interface.attachment.device-index": "NetworkInterfaces.0.Attachment.DeviceIndex",
    "network-interface.attachment.instance-id": "InstanceId", "network-interface.attachment.instance-owner-id": "NetworkInterfaces.0.OwnerId",
    "network-interface.attachment.network-card-index": "NetworkInterfaces.0.Attachment.NetworkCardIndex",
    "network-interface.attachment.status": "NetworkInterfaces.0.Attachment.Status", "network-interface.availability-zone": "Placement.AvailabilityZone",
    "network-interface.description": "NetworkInterfaces.0.Description", "network-interface.group-id": "NetworkInterfaces.0.Groups.0.GroupId",
    "network-interface.group-name": "NetworkInterfaces.0.Groups.0.GroupName", "network-interface.mac-address": "NetworkInterfaces.0.MacAddress",
    "network-interface.network-interface-id": "NetworkInterfaces.0.NetworkInterfaceId", "network-interface.owner-id": "NetworkInterfaces.0.OwnerId",
    "network-interface.private-dns-name": "NetworkInterfaces.0.PrivateDnsName", "network-interface.private-ip-address": "NetworkInterfaces.0.PrivateIpAddress",
    "network-interface.public-dns-name": "NetworkInterfaces.0.Association.PublicDnsName", "network-interface.source-dest-check": "NetworkInterfaces.0.SourceDestCheck",
    "network-interface.status": "NetworkInterfaces.0.Status", "network-interface.subnet-id": "NetworkInterfaces.0.SubnetId",
    "network-interface.vpc-id": "NetworkInterfaces.0.VpcId",
}
CONSTANT = {"network-interface.ipv6-native": "false", "network-interface.operator.managed": "false", "operator.managed": "false",
            "network-interface.requester-managed": "false", "network-performance-options.bandwidth-weighting": "default", "owner-id": "123456789012",
            "current-instance-boot-mode": "legacy-bios", "network-interface.tag-key": "Use", "network-interface.tag-value": "front"}
TIMES = {"launch-time": "LaunchTime", "usage-operation-update-time": "LaunchTime", "block-device-mapping.attach-time": "BlockDeviceMappings.0.Ebs.AttachTime",
         "network-interface.attachment.attach-time": "NetworkInterfaces.0.Attachment.AttachTime"}


@pytest.fixture
def one(ec2, launch):
    ec2.create_key_pair(KeyName="web", KeyType="ed25519")
    return launch(KeyName="web", ClientToken="mine", TagSpecifications=[
        {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "first"}]},
        {"ResourceType": "network-interface", "Tags": [{"Key": "Use", "Value": "front"}]}])


def test_each_filter_finds_what_is_shown(ec2, one):
    which = one["InstanceId"]
    expected = {name: at(one, place) for name, place in PLACES.items()} | CONSTANT
    (zone,) = ec2.describe_availability_zones(ZoneNames=[one["Placement"]["AvailabilityZone"]])["AvailabilityZones"]
    expected["availability-zone-id"] = zone["ZoneId"]
    for name, value in expected.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        assert found(ec2, name, text) == [which], (name, text)
        assert found(ec2, name, text + "x") == [], name
    for name, place in TIMES.items():
        moment = at(one, place)
        assert found(ec2, name, moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z") == [which], name
        assert found(ec2, name, moment.strftime("%Y-%m-%dT*")) == [which] and found(ec2, name, "2011-12-01*") == [], name
    assert found(ec2, "reservation-id", ec2.describe_instances()["Reservations"][0]["ReservationId"]) == [which]


@pytest.mark.parametrize("names", [EMPTY[:13], EMPTY[13:]])
def test_filters_on_what_no_instance_has(ec2, one, names):
    for name in names:
        assert found(ec2, name, "*") == [], name


def test_filters_on_what_an_instance_may_lack(ec2, one, in_state):
    for name in ("kernel-id", "ramdisk-id", "platform", "reason", "state-reason-code", "state-reason-message", "boot-mode", "placement-group-name",
                 "placement-partition-number", "product-code", "product-code.type"):
        assert found(ec2, name, "*") == [], name
    which = one["InstanceId"]
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    assert found(ec2, "state-reason-code", "Client.UserInitiatedShutdown") == found(ec2, "state-reason-message", "*User initiated*") == [which]
    assert found(ec2, "reason", "User initiated (*") == [which]
    assert found(ec2, "ip-address", "*") == found(ec2, "dns-name", "*") == found(ec2, "network-interface.association.public-ip", "*") == []


def test_a_terminated_instance_is_in_no_network(ec2, one, in_state):
    which = one["InstanceId"]
    ec2.terminate_instances(InstanceIds=[which])
    in_state("terminated", which)
    for name in ("vpc-id", "subnet-id", "private-ip-address", "group-id", "network-interface.vpc-id", "block-device-mapping.volume-id"):
        assert found(ec2, name, "*") == [], name
    assert found(ec2, "instance-state-name", "terminated") == [which]


def test_the_first_vpc_clients_names(ec2, one):
    public_ip = one["PublicIpAddress"]
    assert found(ec2, "association.public-ip", public_ip) == [one["InstanceId"]]
    assert found(ec2, "association.ip-owner-id", "amazon") == [one["InstanceId"]]


def test_elastic_and_secondary_addresses(ec2, launch):
    """Each private address of an interface and the Elastic IP that stands for it are found, as the answer shows them."""
    which, other = launch()["InstanceId"], launch()["InstanceId"]
    (interface,) = instances_of(ec2.describe_instances(InstanceIds=[which]))[0]["NetworkInterfaces"]
    first = ec2.allocate_address(Domain="vpc")
    second = ec2.allocate_address(Domain="vpc")
    assigned = ec2.assign_private_ip_addresses(NetworkInterfaceId=interface["NetworkInterfaceId"], SecondaryPrivateIpAddressCount=1)
    private = assigned["AssignedPrivateIpAddresses"][0]["PrivateIpAddress"]
    primary_association = ec2.associate_address(AllocationId=first["AllocationId"], InstanceId=which)["AssociationId"]
    association = ec2.associate_address(AllocationId=second["AllocationId"], NetworkInterfaceId=interface["NetworkInterfaceId"], PrivateIpAddress=private)["AssociationId"]
    (shown,) = instances_of(ec2.describe_instances(InstanceIds=[which]))[0]["NetworkInterfaces"]
    assert [one["Association"]["PublicIp"] for one in shown["PrivateIpAddresses"]] == [first["PublicIp"], second["PublicIp"]]
    assert [(one["PrivateIpAddress"], one["Primary"]) for one in shown["PrivateIpAddresses"]] == [(interface["PrivateIpAddress"], True), (private, False)]
    assert shown["Association"]["IpOwnerId"] == "123456789012"
    for kind in ("association", "network-interface.association", "network-interface.addresses.association"):
        for address, tie in ((first, primary_association), (second, association)):
            assert found(ec2, kind + ".public-ip", address["PublicIp"]) == [which], kind
            assert found(ec2, kind + ".allocation-id", address["AllocationId"]) == [which], kind
            assert found(ec2, kind + ".association-id", tie) == [which], kind
        assert found(ec2, kind + ".ip-owner-id", "123456789012") == [which] and found(ec2, kind + ".ip-owner-id", "amazon") == [other]
    assert found(ec2, "network-interface.addresses.private-ip-address", private) == [which]
    assert found(ec2, "network-interface.addresses.private-dns-name", "ip-" + private.replace(".", "-") + ".*") == [which]
    assert found(ec2, "network-interface.addresses.association.public-dns-name", "ec2-" + second["PublicIp"].replace(".", "-") + ".*") == [which]
    assert found(ec2, "network-interface.addresses.primary", "false") == [which] and found(ec2, "private-ip-address", private) == []
    assert found(ec2, "network-interface.addresses.primary", "true") == sorted([which, other])
    ec2.disassociate_address(AssociationId=association)
    assert found(ec2, "association.association-id", association) == found(ec2, "association.public-ip", second["PublicIp"]) == []


def test_without_public_names(ec2, launch):
    """In a VPC without enableDnsHostnames a public address has no name."""
    which = launch()
    ec2.modify_vpc_attribute(VpcId=which["VpcId"], EnableDnsHostnames={"Value": False})
    (shown,) = instances_of(ec2.describe_instances(InstanceIds=[which["InstanceId"]]))
    assert shown["PublicIpAddress"] == which["PublicIpAddress"] and shown["PublicDnsName"] == shown["NetworkInterfaces"][0]["Association"]["PublicDnsName"] == ""
    assert found(ec2, "dns-name", "*") == found(ec2, "network-interface.public-dns-name", "*") == []
