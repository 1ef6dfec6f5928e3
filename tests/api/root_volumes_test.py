"""CreateReplaceRootVolumeTask: another root volume for an instance that runs."""
from conftest import wait_until


def root(ec2, instance):
    (one,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
    (mapping,) = [mapping for mapping in one["BlockDeviceMappings"] if mapping["DeviceName"] == one["RootDeviceName"]]
    return ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"][0]


def task(ec2, id):
    return ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[id])["ReplaceRootVolumeTasks"][0]


def replace(ec2, instance, **how):
    made = ec2.create_replace_root_volume_task(InstanceId=instance, **how)["ReplaceRootVolumeTask"]
    assert made["TaskState"] == "pending" and made["InstanceId"] == instance
    wait_until(lambda: task(ec2, made["ReplaceRootVolumeTaskId"])["TaskState"] == "succeeded")
    return task(ec2, made["ReplaceRootVolumeTaskId"])


def snapshot_of(ec2, volume):
    id = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[id], WaiterConfig={"Delay": 0.1})
    return id


def test_as_it_was_launched(ec2, launch):
    one = launch()["InstanceId"]
    before = root(ec2, one)
    done = replace(ec2, one, TagSpecifications=[{"ResourceType": "replace-root-volume-task", "Tags": [{"Key": "a", "Value": "b"}]}])
    after = root(ec2, one)
    assert after["VolumeId"] != before["VolumeId"] and after["SnapshotId"] == before["SnapshotId"] == done["SnapshotId"]
    assert (after["Size"], after["VolumeType"], after["State"]) == (before["Size"], before["VolumeType"], "in-use")
    assert after["Attachments"][0]["DeleteOnTermination"] is True and after["Attachments"][0]["Device"] == before["Attachments"][0]["Device"]
    (old,) = ec2.describe_volumes(VolumeIds=[before["VolumeId"]])["Volumes"]
    assert old["State"] == "available" and old["Attachments"] == []
    assert done["Tags"] == [{"Key": "a", "Value": "b"}] and done["DeleteReplacedRootVolume"] is False
    assert done["StartTime"] <= done["CompleteTime"]
    assert ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"
    found = ec2.describe_replace_root_volume_tasks(Filters=[{"Name": "instance-id", "Values": [one]}])["ReplaceRootVolumeTasks"]
    assert [each["ReplaceRootVolumeTaskId"] for each in found] == [done["ReplaceRootVolumeTaskId"]]


def test_of_a_snapshot_and_the_old_one_goes(ec2, launch):
    one = launch()["InstanceId"]
    first = root(ec2, one)["VolumeId"]
    snapshot = snapshot_of(ec2, first)
    assert replace(ec2, one, SnapshotId=snapshot, DeleteReplacedRootVolume=True)["DeleteReplacedRootVolume"] is True
    assert root(ec2, one)["SnapshotId"] == snapshot
    wait_until(lambda: [volume["VolumeId"] for volume in ec2.describe_volumes()["Volumes"]] == [root(ec2, one)["VolumeId"]])
    # A snapshot of a root before is still one of its own.
    assert replace(ec2, one, SnapshotId=snapshot)["TaskState"] == "succeeded"


def test_of_an_image(ec2, launch):
    one = launch()["InstanceId"]
    image = ec2.create_image(InstanceId=one, Name="another", NoReboot=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 0.1})
    done = replace(ec2, one, ImageId=image)
    assert done["ImageId"] == image and "SnapshotId" not in done
    (shown,) = ec2.describe_images(ImageIds=[image])["Images"]
    assert root(ec2, one)["SnapshotId"] == shown["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]


def test_a_token_makes_one_task(ec2, launch):
    one = launch()["InstanceId"]
    made = {ec2.create_replace_root_volume_task(InstanceId=one, ClientToken="once")["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"] for _ in range(2)}
    assert len(made) == 1


def test_pages(ec2, launch):
    one = launch()["InstanceId"]
    made = sorted(replace(ec2, one, DeleteReplacedRootVolume=True)["ReplaceRootVolumeTaskId"] for _ in range(3))
    pages = list(ec2.get_paginator("describe_replace_root_volume_tasks").paginate(PaginationConfig={"PageSize": 2}))
    assert [each["ReplaceRootVolumeTaskId"] for page in pages for each in page["ReplaceRootVolumeTasks"]] == made and len(pages) == 2


def test_what_is_refused(ec2, launch, refused, other_account, daemon):
    one = launch()["InstanceId"]
    volume = ec2.create_volume(Size=1, AvailabilityZone="us-east-1a")["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.1})
    strange, own = snapshot_of(ec2, volume), snapshot_of(ec2, root(ec2, one)["VolumeId"])
    image = ec2.describe_images()["Images"][0]["ImageId"]
    for code, how in (("InvalidParameterValue", {"SnapshotId": strange}), ("InvalidParameterCombination", {"SnapshotId": own, "ImageId": image}),
                      ("InvalidSnapshot.NotFound", {"SnapshotId": "snap-0123456789abcdef0"}), ("InvalidAMIID.NotFound", {"ImageId": "ami-0123456789abcdef0"}),
                      ("InvalidInstanceID.NotFound", {"InstanceId": "i-0123456789abcdef0"})):
        with refused(code):
            ec2.create_replace_root_volume_task(**{"InstanceId": one, **how})
    with refused("InvalidInstanceID.NotFound"):
        daemon.client(keys=other_account).create_replace_root_volume_task(InstanceId=one)
    ec2.stop_instances(InstanceIds=[one])
    with refused("IncorrectInstanceState"):
        ec2.create_replace_root_volume_task(InstanceId=one)
    with refused("InvalidReplaceRootVolumeTaskId.NotFound"):
        ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=["replacevol-0123456789abcdef0"])
    with refused("InvalidReplaceRootVolumeTaskId.Malformed"):
        ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=["replacevol-1"])
