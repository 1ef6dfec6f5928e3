"""CreateImage: an image of an instance, and instances of it."""
import pytest

from conftest import NEW, REGION, instances_of, wait_until

ZONE = REGION + "a"
QUICK = {"Delay": 1, "MaxAttempts": 30}


@pytest.fixture
def instance(ec2, launch):
    """A running one with a data volume of 2 GiB besides its root."""
    made = launch(Placement={"AvailabilityZone": ZONE})["InstanceId"]
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=2, VolumeType="gp3")["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=QUICK)
    ec2.attach_volume(VolumeId=volume, InstanceId=made, Device="/dev/sdf")
    wait_until(lambda: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"][0]["State"] == "attached")
    return made


def image_of(ec2, instance, **parameters):
    image = ec2.create_image(**{"InstanceId": instance, "Name": "made", **parameters})["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig=QUICK)
    return ec2.describe_images(ImageIds=[image])["Images"][0]


def devices(image):
    return {one["DeviceName"]: one.get("Ebs", one.get("VirtualName")) for one in image["BlockDeviceMappings"]}


@pytest.mark.parametrize("no_reboot", [False, True])
def test_an_image_of_a_running_instance(ec2, instance, in_state, no_reboot):
    image = image_of(ec2, instance, Description="as it was", NoReboot=no_reboot,
                     TagSpecifications=[{"ResourceType": kind, "Tags": [{"Key": "of", "Value": kind}]} for kind in ("image", "snapshot")])
    assert image["Name"] == "made" and image["Description"] == "as it was" and image["Tags"] == [{"Key": "of", "Value": "image"}]
    assert image["RootDeviceName"] == "/dev/sda1" and image["Architecture"] == "x86_64" and image["Public"] is False
    root, data = devices(image)["/dev/sda1"], devices(image)["/dev/sdf"]
    assert (root["VolumeSize"], root["DeleteOnTermination"]) == (1, True)
    assert (data["VolumeSize"], data["DeleteOnTermination"], data["VolumeType"]) == (2, False, "gp3")
    snapshots = ec2.describe_snapshots(SnapshotIds=[root["SnapshotId"], data["SnapshotId"]])["Snapshots"]
    assert {one["State"] for one in snapshots} == {"completed"} and {one["Tags"][0]["Value"] for one in snapshots} == {"snapshot"}
    assert {one["Description"] for one in snapshots} == {f"Created by CreateImage({instance}) for {image['ImageId']}"}
    in_state("running", instance)


def test_instances_of_it_have_its_volumes(ec2, instance, launch):
    image = image_of(ec2, instance, NoReboot=True)
    launched = launch(ImageId=image["ImageId"])
    mappings = wait_until(lambda: [one for one in instances_of(ec2.describe_instances(InstanceIds=[launched["InstanceId"]]))][0]["BlockDeviceMappings"])
    assert [one["DeviceName"] for one in mappings] == ["/dev/sda1", "/dev/sdf"]
    volumes = {one["VolumeId"]: one for one in ec2.describe_volumes(VolumeIds=[one["Ebs"]["VolumeId"] for one in mappings])["Volumes"]}
    for mapping in mappings:
        assert volumes[mapping["Ebs"]["VolumeId"]]["SnapshotId"] == devices(image)[mapping["DeviceName"]]["SnapshotId"]


def test_an_image_of_a_stopped_instance(ec2, instance, in_state):
    ec2.stop_instances(InstanceIds=[instance])
    in_state("stopped", instance)
    image_of(ec2, instance)
    in_state("stopped", instance)


def test_devices_of_the_request(ec2, instance, refused):
    image = image_of(ec2, instance, NoReboot=True, BlockDeviceMappings=[
        {"DeviceName": "/dev/sda1", "Ebs": {"DeleteOnTermination": False}},
        {"DeviceName": "/dev/sdf", "NoDevice": ""},
        {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 5}},
    ])
    shown = devices(image)
    assert shown["/dev/sda1"]["DeleteOnTermination"] is False and "/dev/sdf" not in shown
    assert shown["/dev/sdg"]["VolumeSize"] == 5 and "SnapshotId" not in shown["/dev/sdg"]
    with refused("InvalidBlockDeviceMapping"):
        ec2.create_image(InstanceId=instance, Name="other", BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 9}}])
    with refused("InvalidAMIName.Duplicate"):
        ec2.create_image(InstanceId=instance, Name="made")


def test_the_snapshots_stay_when_the_image_goes(ec2, instance, refused):
    image = image_of(ec2, instance, NoReboot=True)
    snapshots = [one["SnapshotId"] for one in devices(image).values()]
    for snapshot in snapshots:
        with refused("InvalidSnapshot.InUse"):
            ec2.delete_snapshot(SnapshotId=snapshot)
    ec2.deregister_image(ImageId=image["ImageId"])
    for snapshot in snapshots:
        ec2.delete_snapshot(SnapshotId=snapshot)


def test_it_names_its_instance(ec2, query, instance, in_state):
    made = image_of(ec2, instance, NoReboot=True)["ImageId"]
    ec2.terminate_instances(InstanceIds=[instance])
    in_state("terminated", instance)
    shown = query("DescribeImages", NEW, {"Filter.1.Name": "source-instance-id", "Filter.1.Value.1": instance})
    assert (shown.texts(".//imageId"), shown.texts(".//sourceInstanceId")) == ([made], [instance])
    copy = ec2.copy_image(SourceImageId=made, SourceRegion="us-east-1", Name="copy")["ImageId"]
    assert query("DescribeImages", NEW, {"ImageId.1": copy}).texts(".//sourceInstanceId") == []
    assert query("DescribeImages", NEW, {"Owner.1": "amazon"}).texts(".//sourceInstanceId") == []


def test_boto_2(ec2, old, instance):
    image_id = old.create_image(instance, "of the guide", "a description")
    image = old.get_image(image_id)
    assert image.state in ("pending", "available") and image.name == "of the guide"
    wait_until(lambda: image.update() == "available")
    assert image.block_device_mapping["/dev/sdf"].size == 2
    snapshot = old.get_all_snapshots([image.block_device_mapping["/dev/sda1"].snapshot_id])[0]
    assert snapshot.description == f"Created by CreateImage({instance})"
