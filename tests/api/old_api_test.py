"""The guide's API, 2011-12-01, as boto 2 and a reader of its documents see it (INS-030, INS-033, OPS-088)."""
import xml.etree.ElementTree as ElementTree

import pytest

from conftest import NEW, OLD, wait_until

# Every element that an instance had then.
INSTANCE = ["instanceId", "imageId", "instanceState", "privateDnsName", "dnsName", "reason", "keyName", "amiLaunchIndex", "productCodes", "instanceType",
            "launchTime", "placement", "kernelId", "ramdiskId", "platform", "monitoring", "subnetId", "vpcId", "privateIpAddress", "ipAddress",
            "sourceDestCheck", "groupSet", "stateReason", "architecture", "rootDeviceType", "rootDeviceName", "blockDeviceMapping",
            "instanceLifecycle", "spotInstanceRequestId", "virtualizationType", "clientToken", "tagSet", "hypervisor"]


def children(tree, path):
    (element,) = tree.iterfind(path)
    return [child.tag for child in element]


@pytest.fixture
def running(ec2, launch):
    ec2.create_key_pair(KeyName="web", KeyType="ed25519")
    return launch(KeyName="web", TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "a & b"}]}])


def test_an_instance_has_the_elements_of_its_time_in_their_order(running, query):
    tree = query("DescribeInstances").tree
    assert tree.tag == "DescribeInstancesResponse" and children(tree, ".") == ["requestId", "reservationSet"]
    assert children(tree, "reservationSet/item") == ["reservationId", "ownerId", "groupSet", "instancesSet"]
    shown = children(tree, "reservationSet/item/instancesSet/item")
    assert shown == [name for name in INSTANCE if name in shown]
    missing = set(INSTANCE) - set(shown)
    assert missing == {"kernelId", "ramdiskId", "platform", "stateReason", "instanceLifecycle", "spotInstanceRequestId"}
    instance = "reservationSet/item/instancesSet/item/"
    assert children(tree, instance + "instanceState") == ["code", "name"]
    assert children(tree, instance + "placement") == ["availabilityZone", "groupName", "tenancy"]
    assert children(tree, instance + "monitoring") == ["state"]
    assert children(tree, instance + "groupSet/item") == ["groupId", "groupName"]
    assert children(tree, instance + "blockDeviceMapping/item") == ["deviceName", "ebs"]
    assert children(tree, instance + "blockDeviceMapping/item/ebs") == ["volumeId", "status", "attachTime", "deleteOnTermination"]
    assert children(tree, instance + "tagSet/item") == ["key", "value"]


def test_values_are_the_same_in_both_versions(running, query):
    for version in (OLD, NEW):
        answer = query("DescribeInstances", version=version)
        root = ElementTree.fromstring(answer.body)
        assert root.tag == f"{{http://ec2.amazonaws.com/doc/{version}/}}DescribeInstancesResponse"
        assert answer.texts(".//instancesSet/item/ipAddress") == [running["PublicIpAddress"]]
        assert answer.texts(".//instancesSet/item/dnsName") == [running["PublicDnsName"]]
        assert answer.texts(".//instancesSet/item/privateIpAddress") == [running["PrivateIpAddress"]]
        assert answer.texts(".//tagSet/item/value") == ["a & b"]


def test_a_reservation_names_its_groups_then_and_not_now(running, query):
    group = running["SecurityGroups"][0]
    then, now = query("DescribeInstances"), query("DescribeInstances", version=NEW)
    assert then.texts("reservationSet/item/groupSet/item/groupId") == [group["GroupId"]]
    assert then.texts("reservationSet/item/groupSet/item/groupName") == ["default"]
    assert now.texts("reservationSet/item/groupSet/item/groupId") == []
    assert now.texts(".//instancesSet/item/groupSet/item/groupId") == [group["GroupId"]]
    assert now.texts(".//networkInterfaceSet/item/networkInterfaceId")


def test_a_launch_answers_a_reservation(query, ami):
    tree = query("RunInstances", ImageId=ami, MinCount="1", MaxCount="1").tree
    assert tree.tag == "RunInstancesResponse"
    assert children(tree, ".") == ["requestId", "reservationId", "ownerId", "groupSet", "instancesSet"]
    assert [element.text for element in tree.iterfind("instancesSet/item/instanceType")] == ["m1.small"]
    assert [element.text for element in tree.iterfind("instancesSet/item/instanceState/name")] == ["pending"]


def test_parameters_of_the_time(query, ami, ec2):
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    assert query("RunInstances", parameters={
        "ImageId": ami, "MinCount": "1", "MaxCount": "1", "SecurityGroup.1": "web", "SecurityGroupId.1": group, "InstanceType": "m1.small",
        "Placement.AvailabilityZone": "us-east-1b", "Monitoring.Enabled": "true", "BlockDeviceMapping.1.DeviceName": "/dev/sda1",
        "BlockDeviceMapping.1.Ebs.VolumeSize": "4", "DisableApiTermination": "false", "InstanceInitiatedShutdownBehavior": "terminate",
    }).texts("instancesSet/item/monitoring/state") == ["enabled"]


def test_boto_2_launches_and_ends(old, ami, refused):
    reservation = old.run_instances(ami, min_count=2, max_count=2, instance_type="m1.small", user_data=b"hello", client_token="mine")
    assert reservation.id.startswith("r-") and reservation.owner_id == "123456789012" and len(reservation.instances) == 2
    assert [group.name for group in reservation.groups] == ["default"]
    one = reservation.instances[0]
    wait_until(lambda: one.update() == "running")
    assert one.state_code == 16 and one.public_dns_name.startswith("ec2-") and one.private_dns_name.startswith("ip-172-31-")
    assert one.ip_address and one.private_ip_address and one.image_id == ami and one.client_token == "mine"
    assert one.root_device_type == "ebs" and list(one.block_device_mapping) == ["/dev/sda1"] and one.placement.startswith("us-east-1")
    one.add_tag("Name", "first")
    (found,) = old.get_all_instances(filters={"tag:Name": "first"})
    assert [each.id for each in found.instances] == [one.id] and found.instances[0].tags == {"Name": "first"}
    one.stop()
    wait_until(lambda: one.update() == "stopped")
    assert one.state_reason["code"] == "Client.UserInitiatedShutdown" and one.reason.startswith("User initiated (")
    one.start()
    wait_until(lambda: one.update() == "running")
    assert one.reboot() is True
    old.terminate_instances([each.id for each in reservation.instances])
    wait_until(lambda: one.update() == "terminated")
    with refused("InvalidInstanceID.NotFound"):
        old.get_all_instances(["i-0123456789abcdef0"])


def test_boto_2_sees_images_regions_and_volumes(old, ami):
    (image,) = old.get_all_images([ami])
    assert image.name == "tiny" and image.state == "available" and image.is_public and image.block_device_mapping["/dev/sda1"].size == 1
    assert [region.name for region in old.get_all_regions()] == ["us-east-1"]
    assert [zone.name for zone in old.get_all_zones()] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    one = old.run_instances(ami).instances[0]
    wait_until(lambda: one.update() == "running")
    (volume,) = old.get_all_volumes()
    assert volume.attach_data.instance_id == one.id and volume.attach_data.device == "/dev/sda1" and volume.status == "in-use"
    assert old.get_console_output(one.id).instance_id == one.id


@pytest.mark.parametrize(
    "action, path, elements",
    [
        ("DescribeRegions", "regionInfo/item", ["regionName", "regionEndpoint"]),
        ("DescribeVolumes", "volumeSet/item", ["volumeId", "size", "snapshotId", "availabilityZone", "status", "createTime", "attachmentSet"]),
        ("DescribeVolumes", "volumeSet/item/attachmentSet/item", ["volumeId", "instanceId", "device", "status", "attachTime", "deleteOnTermination"]),
        ("DescribeVpcs", "vpcSet/item", ["vpcId", "state", "cidrBlock", "dhcpOptionsId", "tagSet", "instanceTenancy"]),
    ],
)
def test_other_documents(running, query, action, path, elements):
    assert children(query(action).tree, path) == elements


def test_zones_subnets_and_images_then(query, ami):
    zones = query("DescribeAvailabilityZones").tree
    assert [[child.tag for child in item] for item in zones.iterfind("availabilityZoneInfo/item")] == [["zoneName", "zoneState", "regionName", "messageSet"]] * 3
    subnets = query("DescribeSubnets").tree
    expected = ["subnetId", "state", "vpcId", "cidrBlock", "availableIpAddressCount", "availabilityZone", "tagSet"]
    assert [[child.tag for child in item] for item in subnets.iterfind("subnetSet/item")] == [expected] * 3
    image = children(query("DescribeImages", ImageId=ami).tree, "imagesSet/item")
    assert image == ["imageId", "imageLocation", "imageState", "imageOwnerId", "isPublic", "architecture", "imageType", "imageOwnerAlias",
                     "name", "description", "rootDeviceType", "rootDeviceName", "blockDeviceMapping", "virtualizationType", "hypervisor"]
    mapping = children(query("DescribeImages", ImageId=ami).tree, "imagesSet/item/blockDeviceMapping/item/ebs")
    assert mapping == ["snapshotId", "volumeSize", "deleteOnTermination"]


@pytest.mark.parametrize("action", ["DescribeAccountAttributes", "DescribeInstanceTypes"])
def test_actions_that_came_later_answer_in_both_versions(query, action):
    newer, older = query(action, version=NEW), query(action)
    assert (newer.status, older.status) == (200, 200)
    assert len(list(older.tree.iter())) == len(list(newer.tree.iter())) > 5
