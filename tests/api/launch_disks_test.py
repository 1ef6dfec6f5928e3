"""Block device mappings at launch: the image's with the request's laid over it (STO-110 to STO-113)."""
import botocore.exceptions
import pytest

from conftest import NEW, OLD, instances_of, wait_until


@pytest.fixture
def snapshots(daemon, ec2, tmp_path):
    """Two snapshots of 1 GiB that are the account's own."""
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"\0" * 65536)
    made = []
    for name in ("one", "two"):
        daemon.brume("image", "import", str(disk), "--name", name, "--account", "123456789012")
        wait_until(lambda: [one["State"] for one in ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [name]}])["Images"]] == ["available"])
        (image,) = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [name]}])["Images"]
        made.append(image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])
    return made


@pytest.fixture
def mapped_image(ec2, snapshots):
    """The AMI of STO-113: root, an instance store, two snapshots that outlive their instance."""
    first, second = snapshots
    return ec2.register_image(
        Name="mapped", RootDeviceName="/dev/sda1", Architecture="x86_64", VirtualizationType="hvm",
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": first}}, {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral1"},
            {"DeviceName": "/dev/sdh", "Ebs": {"SnapshotId": first, "DeleteOnTermination": False}},
            {"DeviceName": "/dev/sdj", "Ebs": {"SnapshotId": second, "DeleteOnTermination": False}}])["ImageId"]


def volumes_of(ec2, instance):
    shown = {}
    for mapping in instance["BlockDeviceMappings"]:
        (volume,) = ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
        shown[mapping["DeviceName"]] = (volume["Size"], volume["SnapshotId"], mapping["Ebs"]["DeleteOnTermination"], volume["VolumeType"])
    return shown


def test_the_worked_example_of_the_guide(ec2, query, mapped_image, snapshots, in_state):
    made = query(
        "RunInstances", OLD, ImageId=mapped_image, MinCount="1", MaxCount="1", InstanceType="m1.large",
        parameters={
            "BlockDeviceMapping.1.DeviceName": "/dev/sdh", "BlockDeviceMapping.1.Ebs.VolumeSize": "80", "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
            "BlockDeviceMapping.2.DeviceName": "/dev/sdj", "BlockDeviceMapping.2.Ebs.NoDevice": "true",
            "BlockDeviceMapping.3.DeviceName": "/dev/sdb", "BlockDeviceMapping.3.VirtualName": "ephemeral0",
            "BlockDeviceMapping.4.DeviceName": "/dev/sdc", "BlockDeviceMapping.4.Ebs.NoDevice": "true",
        })
    assert made.status == 200, made.body
    (one,) = in_state("running", made.texts(".//instanceId")[0])
    first, _ = snapshots
    assert volumes_of(ec2, one) == {"/dev/sda1": (1, first, True, "gp2"), "/dev/sdh": (80, first, True, "gp2")}
    # The image is as it was.
    (image,) = ec2.describe_images(ImageIds=[mapped_image])["Images"]
    assert {"/dev/sdh", "/dev/sdj"} < {mapping["DeviceName"] for mapping in image["BlockDeviceMappings"]}


def test_what_is_not_named_stays(ec2, mapped_image, snapshots, launch):
    first, second = snapshots
    one = launch(ImageId=mapped_image, BlockDeviceMappings=[{"DeviceName": "/dev/sdj", "Ebs": {"VolumeType": "gp3", "Iops": 3000}}])
    assert volumes_of(ec2, one) == {
        "/dev/sda1": (1, first, True, "gp2"), "/dev/sdh": (1, first, False, "gp2"), "/dev/sdj": (1, second, False, "gp3")}


def test_new_volumes(ec2, launch, snapshots):
    one = launch(BlockDeviceMappings=[
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3}}, {"DeviceName": "/dev/sdg", "Ebs": {"SnapshotId": snapshots[0]}},
        {"DeviceName": "xvdh", "Ebs": {"SnapshotId": snapshots[1], "VolumeSize": 2, "DeleteOnTermination": False}}],
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}])
    shown = volumes_of(ec2, one)
    assert shown["/dev/sdf"] == (3, "", True, "gp2") and shown["/dev/sdg"] == (1, snapshots[0], True, "gp2")
    assert shown["xvdh"] == (2, snapshots[1], False, "gp2") and len(shown) == 4
    assert len([tag for tag in ec2.describe_tags()["Tags"] if tag["ResourceType"] == "volume"]) == 4
    ec2.terminate_instances(InstanceIds=[one["InstanceId"]])
    wait_until(lambda: {volume["State"] for volume in ec2.describe_volumes()["Volumes"]} == {"available"} and len(ec2.describe_volumes()["Volumes"]) == 1)


def test_encrypted_volumes(ec2, launch):
    one = launch(BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True}}, {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "Encrypted": True}},
                                      {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 1}}])
    ids = {mapping["DeviceName"]: mapping["Ebs"]["VolumeId"] for mapping in one["BlockDeviceMappings"]}
    shown = {volume["VolumeId"]: volume["Encrypted"] for volume in ec2.describe_volumes()["Volumes"]}
    assert {device: shown[volume] for device, volume in ids.items()} == {"/dev/sda1": True, "/dev/sdf": True, "/dev/sdg": False}


def test_one_device_under_two_names(ec2, ami, refused):
    with refused("InvalidBlockDeviceMapping"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, BlockDeviceMappings=[
            {"DeviceName": "/dev/xvdf", "Ebs": {"VolumeSize": 1}}, {"DeviceName": "sdf", "Ebs": {"VolumeSize": 1}}])


def test_the_images_device_under_another_name(ec2, mapped_image, launch):
    one = launch(ImageId=mapped_image, BlockDeviceMappings=[{"DeviceName": "xvdh", "Ebs": {"VolumeSize": 5}}, {"DeviceName": "/dev/xvdj", "NoDevice": ""}])
    assert {device: size for device, (size, *_) in volumes_of(ec2, one).items()} == {"/dev/sda1": 1, "/dev/sdh": 5}


@pytest.mark.parametrize(
    "code, mapping",
    [
        ("MissingParameter", {"DeviceName": "/dev/sdf"}),
        ("MissingParameter", {"DeviceName": "/dev/sda1"}),
        ("MissingParameter", {"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}),
        ("InvalidBlockDeviceMapping", {"DeviceName": "/dev/sdf", "VirtualName": "ephemeral0", "Ebs": {"VolumeSize": 1}}),
        ("InvalidBlockDeviceMapping", {"DeviceName": "/dev/sdf", "VirtualName": "floppy0"}),
        ("InvalidBlockDeviceMapping", {"DeviceName": "/dev/sda1", "VirtualName": "ephemeral0"}),
        ("InvalidBlockDeviceMapping", {"DeviceName": "/dev/sda1", "NoDevice": ""}),
        ("InvalidBlockDeviceMapping", {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": "snap-0123456789abcdef0"}}),
        ("InvalidBlockDeviceMapping", {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 0}}),
        ("MissingParameter", {"Ebs": {"VolumeSize": 1}}),
        ("InvalidSnapshot.NotFound", {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": "snap-0123456789abcdef0"}}),
        ("InvalidSnapshotID.Malformed", {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": "snap-1"}}),
        ("InvalidParameterValue", {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 100000}}),
        ("UnknownVolumeType", {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "VolumeType": "tape"}}),
        ("InvalidParameterValue", {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "VolumeType": "io1", "Iops": 100}}),
        ("MissingParameter", {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 100, "VolumeType": "io1"}}),
        ("InvalidParameterValue", {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10, "VolumeType": "io1", "Iops": 501}}),
        ("InvalidParameterValue", {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1025, "VolumeType": "standard"}}),
        ("InvalidParameterCombination", {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10, "Iops": 100}}),
        ("InvalidParameterValue", {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10, "VolumeType": "gp3", "Iops": 3000, "Throughput": 900}}),
        ("InvalidParameterValue", {"DeviceName": "/dev/sda1", "Ebs": {"VolumeType": "st1"}}),
        ("InvalidBlockDeviceMapping", {"DeviceName": "/dev/nvme1n1", "Ebs": {"VolumeSize": 1}}),
        ("InvalidParameterValue", {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "Encrypted": True, "KmsKeyId": "alias/mine"}}),
        ("UnsupportedOperation", {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "OutpostArn": "arn:aws:outposts:x"}}),
    ],
    ids=str,
)
def test_what_a_mapping_may_not_be(ec2, ami, refused, code, mapping):
    with refused(code):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, BlockDeviceMappings=[mapping])
    assert instances_of(ec2.describe_instances()) == [] and ec2.describe_volumes()["Volumes"] == []


@pytest.mark.parametrize("mapping, name", [({"DeviceName": "/dev/sdf"}, "ebs"), ({"DeviceName": "/dev/sdf", "Ebs": {"VolumeType": "gp2"}}, "size or snapshotId")], ids=str)
def test_what_a_mapping_lacks_is_named(ec2, ami, mapping, name):
    with pytest.raises(botocore.exceptions.ClientError, match=f"The request must contain the parameter {name}$"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, BlockDeviceMappings=[mapping])


def test_a_snapshot_in_the_place_of_an_instance_store(ec2, mapped_image, snapshots, launch, refused):
    for device in ("/dev/sdc", "xvdc"):
        with refused("InvalidBlockDeviceMapping"):
            ec2.run_instances(ImageId=mapped_image, MinCount=1, MaxCount=1, BlockDeviceMappings=[{"DeviceName": device, "Ebs": {"SnapshotId": snapshots[0]}}])
    for mapping in ({"DeviceName": "/dev/sdc", "NoDevice": ""}, {"DeviceName": "/dev/sdk", "Ebs": {"SnapshotId": snapshots[0]}}, {"DeviceName": "/dev/sdc", "Ebs": {"VolumeSize": 1}}):
        assert launch(ImageId=mapped_image, BlockDeviceMappings=[mapping])


def test_a_volume_smaller_than_its_snapshot(ec2, mapped_image, snapshots, ami, refused):
    big = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64"]}])["Images"][0]
    with refused("InvalidBlockDeviceMapping"):
        ec2.run_instances(ImageId=big["ImageId"], MinCount=1, MaxCount=1,
                          BlockDeviceMappings=[{"DeviceName": big["RootDeviceName"], "Ebs": {"VolumeSize": 1}}])


def test_instance_stores_that_the_type_does_not_have(ec2, launch):
    mappings = [{"DeviceName": f"/dev/sd{letter}", "VirtualName": f"ephemeral{number}"} for number, letter in enumerate("bcde")]
    assert len(launch(InstanceType="t2.micro", BlockDeviceMappings=mappings)["BlockDeviceMappings"]) == 1
    assert len(launch(InstanceType="m1.large", BlockDeviceMappings=mappings)["BlockDeviceMappings"]) == 1


def test_one_instance_store_twice(ec2, ami, refused):
    with refused("InvalidBlockDeviceMapping"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="m1.large", BlockDeviceMappings=[
            {"DeviceName": device, "VirtualName": "ephemeral0"} for device in ("/dev/sdb", "/dev/sdc")])


def test_instance_stores_are_not_shown_but_hold_their_device(ec2, launch, refused):
    """STO-088: nothing lists them; STO-030: the device is taken all the same."""
    one = launch(InstanceType="m1.large", BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}])
    assert [mapping["DeviceName"] for mapping in one["BlockDeviceMappings"]] == [one["RootDeviceName"]]
    assert len(ec2.describe_volumes()["Volumes"]) == 1
    volume = ec2.create_volume(AvailabilityZone=one["Placement"]["AvailabilityZone"], Size=1)["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.1})
    with refused("InvalidParameterValue"):
        ec2.attach_volume(VolumeId=volume, InstanceId=one["InstanceId"], Device="xvdb")
    ec2.attach_volume(VolumeId=volume, InstanceId=one["InstanceId"], Device="/dev/sdc")


def test_instance_stores_of_another_type(ec2, launch, in_state):
    """Stores go with a type that has fewer of them, and do not come back with one that has more (STO-085)."""
    def take_device():
        volume = ec2.create_volume(AvailabilityZone=one["Placement"]["AvailabilityZone"], Size=1)["VolumeId"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.1})
        try:
            ec2.attach_volume(VolumeId=volume, InstanceId=one["InstanceId"], Device="/dev/sdc")
        except ec2.exceptions.ClientError as error:
            return error.response["Error"]["Code"]
        return None

    one = launch(InstanceType="m1.large", BlockDeviceMappings=[
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}, {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral1"}])
    assert take_device() == "InvalidParameterValue"
    ec2.stop_instances(InstanceIds=[one["InstanceId"]])
    in_state("stopped", one["InstanceId"])
    for name in ("m1.small", "m1.large"):
        ec2.modify_instance_attribute(InstanceId=one["InstanceId"], InstanceType={"Value": name})
    assert take_device() is None


def test_an_image_of_an_instance_maps_its_stores(ec2, launch, query):
    one = launch(InstanceType="m1.large", BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral1"}])
    image = ec2.create_image(InstanceId=one["InstanceId"], Name="with stores", NoReboot=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 0.1})
    mapped = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    assert {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral1"} in mapped
