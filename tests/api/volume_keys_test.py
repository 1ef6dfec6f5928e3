"""Encryption: under the account's one key, by default where that was chosen, and of copies of what was not encrypted."""
import pytest
from botocore.exceptions import ClientError

from conftest import REGION

ZONE = "us-east-1a"


@pytest.fixture
def snapshot(ec2):
    volume = ec2.create_volume(Size=1, AvailabilityZone=ZONE)["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.1})
    id = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[id], WaiterConfig={"Delay": 0.1})
    return id


def test_the_default_key(ec2):
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    arn = ec2.modify_ebs_default_kms_key_id(KmsKeyId="alias/aws/ebs")["KmsKeyId"]
    assert arn.startswith(f"arn:aws:kms:{REGION}:")
    assert ec2.modify_ebs_default_kms_key_id(KmsKeyId=arn)["KmsKeyId"] == arn
    assert ec2.reset_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    with pytest.raises(ClientError) as error:
        ec2.modify_ebs_default_kms_key_id(KmsKeyId="alias/mine")
    assert error.value.response["Error"]["Code"] == "InvalidParameterValue"
    volume = ec2.create_volume(Size=1, AvailabilityZone=ZONE, Encrypted=True, KmsKeyId=arn)
    assert volume["KmsKeyId"] == arn
    assert ec2.describe_volumes(VolumeIds=[volume["VolumeId"]])["Volumes"][0]["KmsKeyId"] == arn
    assert "KmsKeyId" not in ec2.create_volume(Size=1, AvailabilityZone=ZONE)


def test_copies_of_what_was_not_encrypted(ec2, snapshot):
    copy = ec2.copy_snapshot(SourceRegion=REGION, SourceSnapshotId=snapshot, Encrypted=True)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[copy], WaiterConfig={"Delay": 0.1})
    shown = ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]
    assert shown["Encrypted"] and shown["Progress"] == "100%" and ":key/" in shown["KmsKeyId"]
    for source in (snapshot, copy):
        volume = ec2.create_volume(SnapshotId=source, AvailabilityZone=ZONE, Encrypted=True)
        assert volume["Encrypted"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume["VolumeId"]], WaiterConfig={"Delay": 0.1})


def test_images_of_what_was_not_encrypted(ec2, snapshot):
    mapping = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}]
    image = ec2.register_image(Name="plain", RootDeviceName="/dev/sda1", BlockDeviceMappings=mapping)["ImageId"]
    copy = ec2.copy_image(Name="sealed", SourceImageId=image, SourceRegion=REGION, Encrypted=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[copy], WaiterConfig={"Delay": 0.1})
    ebs = ec2.describe_images(ImageIds=[copy])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]
    assert ebs["Encrypted"] and ec2.describe_snapshots(SnapshotIds=[ebs["SnapshotId"]])["Snapshots"][0]["Encrypted"]
    instance = ec2.run_instances(ImageId=copy, MinCount=1, MaxCount=1, InstanceType="t2.micro")["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 0.1})
    (volume,) = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"]
    assert volume["Encrypted"]


def test_by_default(ec2, snapshot):
    ec2.enable_ebs_encryption_by_default()
    copy = ec2.copy_snapshot(SourceRegion=REGION, SourceSnapshotId=snapshot)["SnapshotId"]
    assert ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]["Encrypted"]
