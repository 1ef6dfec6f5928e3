"""The recycle bins: there are no retention rules, what is deleted is gone at once."""
import pytest

from conftest import NEW


@pytest.mark.parametrize(
    "action, prefix, not_found, malformed",
    [
        ("ListImagesInRecycleBin", "ami", "InvalidAMIID.NotFound", "InvalidAMIID.Malformed"),
        ("ListSnapshotsInRecycleBin", "snap", "InvalidSnapshot.NotFound", "InvalidSnapshotID.Malformed"),
        ("ListVolumesInRecycleBin", "vol", "InvalidVolume.NotFound", "InvalidVolumeID.Malformed"),
    ],
)
def test_what_is_not_in_a_bin(daemon, ec2, action, prefix, not_found, malformed):
    """Debian's boto3 knows no volumes' bin: all are asked by hand."""
    parameter = {"ami": "ImageId", "snap": "SnapshotId", "vol": "VolumeId"}[prefix]
    ask = lambda **parameters: daemon.query(action, NEW, parameters, AWSAccessKeyId=daemon.keys.key_id)
    empty = ask()
    assert empty.status == 200 and not empty.texts(".//item")
    assert ask(**{parameter + ".1": prefix + "-0123456789abcdef0"}).code == not_found
    assert ask(**{parameter + ".1": prefix + "-1"}).code == malformed
    assert ask(MaxResults="1001").code == "InvalidParameterValue"


def test_what_was_deleted_is_in_none(ec2, refused):
    volume = ec2.create_volume(Size=1, AvailabilityZone="us-east-1a")["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot])
    ec2.delete_snapshot(SnapshotId=snapshot)
    assert ec2.list_snapshots_in_recycle_bin()["Snapshots"] == []
    with refused("InvalidSnapshot.NotFound"):
        ec2.list_snapshots_in_recycle_bin(SnapshotIds=[snapshot])


def test_what_is_not_built_says_so(ec2, ami, refused):
    with refused("UnsupportedOperation"):
        ec2.restore_image_from_recycle_bin(ImageId=ami)
