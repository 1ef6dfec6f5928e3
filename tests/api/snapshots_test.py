"""Snapshots as clients see them: made, shared between accounts, copied, restored, deleted."""
import pytest

from conftest import NEW, REGION, wait_until

ZONE = REGION + "a"
QUICK = {"Delay": 1, "MaxAttempts": 30}
ALL = {"Add": [{"Group": "all"}]}


def make_volume(client, **parameters):
    volume = client.create_volume(**{"AvailabilityZone": ZONE, "Size": 2, **parameters})["VolumeId"]
    client.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=QUICK)
    return volume


def complete(client, *ids):
    client.get_waiter("snapshot_completed").wait(SnapshotIds=list(ids), WaiterConfig=QUICK)


def make_snapshot(client, volume, **parameters):
    snapshot = client.create_snapshot(VolumeId=volume, **parameters)["SnapshotId"]
    complete(client, snapshot)
    return snapshot


@pytest.fixture
def volume(ec2):
    return make_volume(ec2)


@pytest.fixture
def snapshot(ec2, volume):
    return make_snapshot(ec2, volume)


def ids(answer):
    return sorted(one["SnapshotId"] for one in answer["Snapshots"])


def test_the_life_of_a_snapshot(ec2, volume, refused):
    answer = ec2.create_snapshot(VolumeId=volume, Description="nightly",
                                 TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "keep", "Value": "7"}]}])
    snapshot = answer["SnapshotId"]
    assert answer["State"] == "pending" and answer["Progress"] == "" and answer["VolumeId"] == volume and answer["VolumeSize"] == 2
    assert answer["Tags"] == [{"Key": "keep", "Value": "7"}] and answer["Encrypted"] is False
    complete(ec2, snapshot)
    (shown,) = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert shown["State"] == "completed" and shown["Progress"] == "100%" and shown["Description"] == "nightly"
    ec2.delete_volume(VolumeId=volume)
    ec2.get_waiter("volume_deleted").wait(VolumeIds=[volume], WaiterConfig=QUICK)
    # The snapshot's life is its own, and so is that of a volume made of it.
    restored = make_volume(ec2, SnapshotId=snapshot, Size=3)
    assert ec2.describe_volumes(VolumeIds=[restored])["Volumes"][0]["SnapshotId"] == snapshot
    ec2.delete_snapshot(SnapshotId=snapshot)
    with refused("InvalidSnapshot.NotFound"):
        ec2.describe_snapshots(SnapshotIds=[snapshot])
    assert ec2.describe_volumes(VolumeIds=[restored])["Volumes"][0]["State"] == "available"
    make_snapshot(ec2, restored)


def test_a_volume_that_is_deleted_at_once_is_in_the_snapshot(ec2, volume):
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.delete_volume(VolumeId=volume)
    complete(ec2, snapshot)
    ec2.get_waiter("volume_deleted").wait(VolumeIds=[volume], WaiterConfig=QUICK)


def test_a_snapshot_that_is_deleted_at_once_is_in_the_volumes_and_copies(ec2, snapshot):
    volumes = [ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot)["VolumeId"] for _ in range(5)]
    copy = ec2.copy_snapshot(SourceRegion=REGION, SourceSnapshotId=snapshot)["SnapshotId"]
    ec2.delete_snapshot(SnapshotId=snapshot)
    ec2.get_waiter("volume_available").wait(VolumeIds=volumes, WaiterConfig=QUICK)
    complete(ec2, copy)
    assert ids(ec2.describe_snapshots(OwnerIds=["self"])) == [copy]


def test_sizes_of_volumes_made_of_it(ec2, snapshot, refused):
    assert ec2.create_volume(AvailabilityZone=REGION + "b", SnapshotId=snapshot)["Size"] == 2
    with refused("InvalidParameterValue"):
        ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot, Size=1)


def test_sets_of_snapshots(ec2, launch):
    instance = launch(Placement={"AvailabilityZone": ZONE})["InstanceId"]
    data = make_volume(ec2)
    ec2.create_tags(Resources=[data], Tags=[{"Key": "role", "Value": "data"}])
    ec2.attach_volume(VolumeId=data, InstanceId=instance, Device="/dev/sdf")
    wait_until(lambda: ec2.describe_volumes(VolumeIds=[data])["Volumes"][0]["Attachments"][0]["State"] == "attached")
    answer = ec2.create_snapshots(InstanceSpecification={"InstanceId": instance}, Description="both", CopyTagsFromSource="volume")["Snapshots"]
    assert len(answer) == 2 and {one["State"] for one in answer} == {"pending"} and {one["Description"] for one in answer} == {"both"}
    (of_data,) = [one for one in answer if one["VolumeId"] == data]
    assert of_data["Tags"] == [{"Key": "role", "Value": "data"}]
    complete(ec2, *(one["SnapshotId"] for one in answer))
    (only,) = ec2.create_snapshots(InstanceSpecification={"InstanceId": instance, "ExcludeBootVolume": True})["Snapshots"]
    assert only["VolumeId"] == data


def test_sharing(ec2, other, other_account, snapshot, refused):
    with refused("InvalidSnapshot.NotFound"):
        other.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot)
    assert snapshot not in ids(other.describe_snapshots()) and other.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"] == []
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [{"UserId": other_account.account}]})
    permissions = ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")["CreateVolumePermissions"]
    assert permissions == [{"UserId": other_account.account}]
    assert ids(other.describe_snapshots(RestorableByUserIds=["self"])) == [snapshot]
    make_volume(other, SnapshotId=snapshot)
    with refused("AuthFailure"):
        other.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=ALL)
    with refused("AuthFailure"):
        other.delete_snapshot(SnapshotId=snapshot)
    copy = other.copy_snapshot(SourceRegion=REGION, SourceSnapshotId=snapshot)["SnapshotId"]
    complete(other, copy)
    ec2.reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    assert ids(other.describe_snapshots(OwnerIds=["self"])) == [copy] and snapshot not in ids(other.describe_snapshots())
    # The copy is the other account's own.
    assert other.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]["VolumeId"] == "vol-ffffffff"
    assert ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"] == []


# boto3 of 2023 knows nothing of the block.
def test_public_ones_and_their_block(ec2, query, other, snapshot, refused):
    def block(state):
        assert query("EnableSnapshotBlockPublicAccess", NEW, State=state).texts("state") == [state]

    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=ALL)
    assert snapshot in ids(other.describe_snapshots(RestorableByUserIds=["all"]))
    block("block-all-sharing")
    assert snapshot not in ids(other.describe_snapshots())
    with refused("InvalidSnapshot.NotFound"):
        other.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot)
    # The permission is still written there, and counts again later.
    assert ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")["CreateVolumePermissions"] == [{"Group": "all"}]
    block("block-new-sharing")
    assert snapshot in ids(other.describe_snapshots())
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Remove": [{"Group": "all"}]})
    with refused("OperationNotPermitted"):
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=ALL)
    query("DisableSnapshotBlockPublicAccess", NEW)
    assert query("GetSnapshotBlockPublicAccessState", NEW).texts("state") == ["unblocked"]
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=ALL)


def test_pages(ec2, volume):
    made = sorted(ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(7))
    complete(ec2, *made)
    pages = list(ec2.get_paginator("describe_snapshots").paginate(OwnerIds=["self"], PaginationConfig={"PageSize": 5}))
    assert [len(page["Snapshots"]) for page in pages] == [5, 2] and sorted(sum((ids(page) for page in pages), [])) == made


# STO-053, AMI-036.
def test_what_an_image_uses_is_kept(ec2, volume, snapshot, refused):
    image = ec2.register_image(Name="of-a-snapshot", RootDeviceName="/dev/sda1", Architecture="x86_64",
                               BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}])["ImageId"]
    with refused("InvalidSnapshot.InUse"):
        ec2.delete_snapshot(SnapshotId=snapshot)
    ec2.deregister_image(ImageId=image)
    assert ids(ec2.describe_snapshots(OwnerIds=["self"])) == [snapshot]
    ec2.delete_snapshot(SnapshotId=snapshot)


# boto3 of 2023 knows no locks.
def test_locks(query, snapshot):
    def ask(action, **parameters):
        return query(action, NEW, SnapshotId=snapshot, **parameters)

    assert ask("LockSnapshot", LockMode="governance", LockDuration="3").texts("lockState") == ["governance"]
    assert ask("DeleteSnapshot").code == "OperationNotPermitted"
    assert ask("CreateVolume", AvailabilityZone=ZONE).texts("status") == ["creating"]
    assert ask("UnlockSnapshot").texts("snapshotId") == [snapshot]
    assert ask("DeleteSnapshot").texts("return") == ["true"]


def test_boto_2(ec2, old, volume, other_account):
    snapshot = old.create_snapshot(volume, "a description")
    assert snapshot.status == "pending" and snapshot.progress == "" and snapshot.description == "a description" and snapshot.volume_size == 2
    wait_until(lambda: snapshot.update() == "100%")
    assert snapshot.status == "completed"
    assert snapshot.share(user_ids=[other_account.account], groups=["all"])
    assert snapshot.get_permissions() == {"user_ids": [other_account.account], "groups": ["all"]}
    assert snapshot.unshare(user_ids=[other_account.account])
    assert snapshot.get_permissions() == {"groups": ["all"]}
    assert snapshot.reset_permissions() and snapshot.get_permissions() == {}
    restored = snapshot.create_volume(ZONE)
    assert restored.size == 2 and restored.snapshot_id == snapshot.id
    wait_until(lambda: restored.update() == "available")
    assert [one.id for one in old.get_all_snapshots(owner="self")] == [snapshot.id]
    assert old.delete_snapshot(snapshot.id)


# STO-050 to STO-052: the answers and the odd forms of the guide.
def test_answers_of_2011(query, volume):
    answer = query("CreateSnapshot", VolumeId=volume)
    assert [each.tag for each in answer.tree] == [
        "requestId", "snapshotId", "volumeId", "status", "startTime", "progress", "ownerId", "volumeSize", "description"]
    (snapshot,) = answer.texts("snapshotId")
    answer = query("DescribeSnapshotAttribute", SnapshotId=snapshot)
    assert [each.tag for each in answer.tree][:3] == ["requestId", "snapshotId", "createVolumePermission"]
    assert answer.texts("createVolumePermission/item") == []
    assert query("ModifySnapshotAttribute", parameters={"SnapshotId.1": snapshot, "Add.1": "all"}).texts("return") == ["true"]
    assert query("DescribeSnapshotAttribute", SnapshotId=snapshot).texts("createVolumePermission/item/group") == ["all"]
    assert query("DeleteSnapshot", SnapshotId=snapshot).texts("return") == ["true"]
