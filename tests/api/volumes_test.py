"""Volumes as clients see them: the whole life of one, with the clients' own waiters, tokens, attachments, growth and status."""
import boto.exception
import botocore.exceptions
import pytest

from conftest import REGION, wait_until

ZONE = REGION + "a"
QUICK = {"Delay": 1, "MaxAttempts": 30}


@pytest.fixture
def made(ec2):
    """made(parameter=…): the id of a volume that is available."""

    def make(**parameters):
        volume = ec2.create_volume(**{"AvailabilityZone": ZONE, "Size": 1, **parameters})["VolumeId"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=QUICK)
        return volume

    return make


@pytest.fixture
def instance(launch):
    return launch(Placement={"AvailabilityZone": ZONE})["InstanceId"]


@pytest.fixture
def look(ec2):
    return lambda volume: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]


@pytest.fixture
def attached(ec2, made, look):
    """attached(instance, device, …): the id of a new volume that the instance has."""

    def attach(instance, device="/dev/sdf", **parameters):
        volume = made(**parameters)
        ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
        wait_until(lambda: look(volume)["Attachments"][0]["State"] == "attached")
        return volume

    return attach


def free(ec2, volume):
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=QUICK)


def test_the_life_of_a_volume(ec2, instance, look, refused):
    answer = ec2.create_volume(AvailabilityZone=ZONE, Size=10, VolumeType="gp3", Iops=4000, Throughput=250,
                               TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "data"}]}])
    volume = answer["VolumeId"]
    assert answer["State"] == "creating" and answer["Size"] == 10 and answer["SnapshotId"] == "" and answer["Encrypted"] is False
    assert (answer["VolumeType"], answer["Iops"], answer["Throughput"]) == ("gp3", 4000, 250)
    assert answer["Tags"] == [{"Key": "Name", "Value": "data"}]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=QUICK)
    attachment = ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    assert attachment["State"] == "attaching" and attachment["DeleteOnTermination"] is False and attachment["Device"] == "/dev/sdf"
    ec2.get_waiter("volume_in_use").wait(VolumeIds=[volume], WaiterConfig=QUICK)
    shown = wait_until(lambda: look(volume)["Attachments"][0]["State"] == "attached" and look(volume))
    assert shown["Attachments"][0]["AttachTime"] == attachment["AttachTime"]
    with refused("VolumeInUse"):
        ec2.delete_volume(VolumeId=volume)
    detaching = ec2.detach_volume(VolumeId=volume)
    assert detaching["State"] == "detaching" and detaching["AttachTime"] == attachment["AttachTime"]
    free(ec2, volume)
    assert look(volume)["Attachments"] == []
    ec2.delete_volume(VolumeId=volume)
    ec2.get_waiter("volume_deleted").wait(VolumeIds=[volume], WaiterConfig=QUICK)
    with refused("InvalidVolume.NotFound"):
        look(volume)


def test_a_client_token_makes_one_volume(ec2, refused):
    first = ec2.create_volume(AvailabilityZone=ZONE, Size=1, ClientToken="once")
    assert ec2.create_volume(AvailabilityZone=ZONE, Size=1, ClientToken="once")["VolumeId"] == first["VolumeId"]
    assert ec2.create_volume(AvailabilityZone=ZONE, Size=1, ClientToken="twice")["VolumeId"] != first["VolumeId"]
    with refused("IdempotentParameterMismatch"):
        ec2.create_volume(AvailabilityZone=ZONE, Size=2, ClientToken="once")
    with refused("InvalidParameterValue"):
        ec2.create_volume(AvailabilityZone=ZONE, Size=1, ClientToken="t" * 65)
    assert len(ec2.describe_volumes()["Volumes"]) == 2


def test_a_token_of_a_volume_that_is_gone(ec2, refused):
    same = {"AvailabilityZone": ZONE, "Size": 1, "ClientToken": "once"}
    volume = ec2.create_volume(**same)["VolumeId"]
    free(ec2, volume)
    ec2.delete_volume(VolumeId=volume)
    ec2.get_waiter("volume_deleted").wait(VolumeIds=[volume], WaiterConfig=QUICK)
    with refused("InvalidVolume.NotFound"):
        ec2.create_volume(**same)
    assert ec2.describe_volumes()["Volumes"] == []


def test_a_volume_of_no_size(ec2):
    with pytest.raises(botocore.exceptions.ClientError, match="The request must contain the parameter size/snapshot$") as caught:
        ec2.create_volume(AvailabilityZone=ZONE)
    assert caught.value.response["Error"]["Code"] == "MissingParameter"


def test_a_token_of_a_volume_is_none_of_an_instance(ec2, ami):
    ec2.create_volume(AvailabilityZone=ZONE, Size=1, ClientToken="shared")
    assert ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t2.micro", ClientToken="shared")["Instances"]


def test_the_instance_shows_what_it_has(ec2, instance, attached):
    volume = attached(instance, "xvdf")
    (shown,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
    root, data = shown["BlockDeviceMappings"]
    assert root["DeviceName"] == "/dev/sda1" and root["Ebs"]["DeleteOnTermination"] is True
    assert data["DeviceName"] == "xvdf" and data["Ebs"]["VolumeId"] == volume
    assert data["Ebs"]["Status"] == "attached" and data["Ebs"]["DeleteOnTermination"] is False


def test_volumes_attached_by_hand_outlive_the_instance(ec2, instance, attached, look, in_state, refused):
    volume = attached(instance)
    (root,) = [one["VolumeId"] for one in ec2.describe_volumes()["Volumes"] if one["VolumeId"] != volume]
    ec2.terminate_instances(InstanceIds=[instance])
    in_state("terminated", instance)
    free(ec2, volume)
    ec2.get_waiter("volume_deleted").wait(VolumeIds=[root], WaiterConfig=QUICK)
    assert look(volume)["Attachments"] == []


# STO-012, "Easy to miss" 1: a root that was taken off and put back stays when its instance goes.
def test_a_root_put_back_outlives_the_instance(ec2, instance, look, in_state, refused):
    (mapping,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    root = mapping["Ebs"]["VolumeId"]
    with refused("OperationNotPermitted"):
        ec2.detach_volume(VolumeId=root)
    ec2.stop_instances(InstanceIds=[instance])
    in_state("stopped", instance)
    ec2.detach_volume(VolumeId=root, InstanceId=instance, Device="/dev/sda1")
    free(ec2, root)
    ec2.attach_volume(VolumeId=root, InstanceId=instance, Device="/dev/sda1")
    wait_until(lambda: look(root)["Attachments"][0]["State"] == "attached")
    assert look(root)["Attachments"][0]["DeleteOnTermination"] is False
    ec2.start_instances(InstanceIds=[instance])
    in_state("running", instance)
    ec2.terminate_instances(InstanceIds=[instance])
    in_state("terminated", instance)
    free(ec2, root)


def test_a_start_without_its_root_is_refused(ec2, instance, look, in_state, refused):
    (mapping,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    root = mapping["Ebs"]["VolumeId"]
    ec2.stop_instances(InstanceIds=[instance])
    in_state("stopped", instance)
    ec2.detach_volume(VolumeId=root)
    free(ec2, root)
    with refused("InvalidParameterValue"):
        ec2.start_instances(InstanceIds=[instance])
    in_state("stopped", instance)
    # Under another name it is no root.
    ec2.attach_volume(VolumeId=root, InstanceId=instance, Device="/dev/sdf")
    wait_until(lambda: look(root)["Attachments"][0]["State"] == "attached")
    with refused("InvalidParameterValue"):
        ec2.start_instances(InstanceIds=[instance])


def test_a_detached_root_does_not_go_with_the_instance(ec2, instance, look, in_state):
    (mapping,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    ec2.stop_instances(InstanceIds=[instance])
    in_state("stopped", instance)
    ec2.detach_volume(VolumeId=mapping["Ebs"]["VolumeId"], Force=True)
    ec2.terminate_instances(InstanceIds=[instance])
    in_state("terminated", instance)
    free(ec2, mapping["Ebs"]["VolumeId"])


def test_where_volumes_cannot_be_attached(ec2, made, instance, attached, launch, in_state, refused):
    volume = made()
    attached(instance, "/dev/sdf")
    for device in ("/dev/sdf", "xvdf", "/dev/nvme1n1", "nonsense"):
        with refused("InvalidParameterValue"):
            ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
    elsewhere = launch(Placement={"AvailabilityZone": REGION + "b"})["InstanceId"]
    with refused("InvalidVolume.ZoneMismatch"):
        ec2.attach_volume(VolumeId=volume, InstanceId=elsewhere, Device="/dev/sdf")
    ec2.terminate_instances(InstanceIds=[elsewhere])
    in_state("terminated", elsewhere)
    with refused("IncorrectState"):
        ec2.attach_volume(VolumeId=volume, InstanceId=elsewhere, Device="/dev/sdf")
    with refused("IncorrectState"):
        ec2.detach_volume(VolumeId=volume)


def test_growing(ec2, made, instance, attached, look, refused):
    for volume in (made(), attached(instance)):
        with refused("InvalidVolumeModification.NotFound"):
            ec2.describe_volumes_modifications(VolumeIds=[volume])
        answer = ec2.modify_volume(VolumeId=volume, Size=3, VolumeType="gp3")["VolumeModification"]
        assert answer["ModificationState"] == "modifying" and (answer["OriginalSize"], answer["TargetSize"]) == (1, 3)
        assert (answer["OriginalVolumeType"], answer["TargetVolumeType"], answer["TargetIops"]) == ("gp2", "gp3", 3000)

        def done():
            (modification,) = ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"]
            return modification["ModificationState"] == "completed" and modification

        assert wait_until(done)["Progress"] == 100 and done()["EndTime"] >= done()["StartTime"]
        assert (look(volume)["Size"], look(volume)["VolumeType"], look(volume)["Iops"]) == (3, "gp3", 3000)
        with refused("InvalidParameterValue"):
            ec2.modify_volume(VolumeId=volume, Size=2)
        # Again as soon as that is done.
        ec2.modify_volume(VolumeId=volume, Size=4, VolumeType="gp2")
        wait_until(done)
        assert (look(volume)["Size"], look(volume)["VolumeType"], look(volume)["Iops"]) == (4, "gp2", 100)


def test_four_modifications_a_day(ec2, made, refused):
    volume = made()
    for size in range(2, 6):
        ec2.modify_volume(VolumeId=volume, Size=size)
        wait_until(lambda: ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]["ModificationState"] == "completed")
    with refused("VolumeModificationRateExceeded"):
        ec2.modify_volume(VolumeId=volume, Size=6)
    with refused("InvalidParameterValue"):
        ec2.modify_volume(VolumeId=volume, Size=1)
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Size"] == 5
    ec2.modify_volume(VolumeId=made(), Size=2)  # each volume by itself


def test_modifications_are_listed(ec2, made):
    volumes = sorted(made() for _ in range(3))
    for volume in volumes[:2]:
        ec2.modify_volume(VolumeId=volume, Size=2)
    listed = [one["VolumeId"] for one in ec2.describe_volumes_modifications()["VolumesModifications"]]
    assert listed == volumes[:2]
    pages = ec2.get_paginator("describe_volumes_modifications").paginate(PaginationConfig={"PageSize": 1})
    assert [one["VolumeId"] for page in pages for one in page["VolumesModifications"]] == volumes[:2]
    ec2.delete_volume(VolumeId=volumes[0])
    assert [one["VolumeId"] for one in ec2.describe_volumes_modifications()["VolumesModifications"]] == volumes[1:2]


def test_filters_and_pages(ec2, made, instance, attached):
    volume = attached(instance, "/dev/sdg", Size=2)
    others = [made() for _ in range(6)]

    def found(name, *values):
        return [one["VolumeId"] for one in ec2.describe_volumes(Filters=[{"Name": name, "Values": list(values)}])["Volumes"]]

    assert found("attachment.device", "/dev/sdg") == [volume] and found("size", "2") == [volume]
    assert found("attachment.delete-on-termination", "false") == [volume] and found("attachment.status", "attached", "busy")
    assert sorted(found("status", "available")) == sorted(others)
    assert found("availability-zone-id", "use1-az9") == [] and len(found("availability-zone-id", "use1-az?")) == 8
    assert found("multi-attach-enabled", "true") == [] and found("operator.managed", "true") == [] and found("fast-restored", "true") == []
    pages = list(ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Volumes"]) for page in pages] == [5, 3]
    pages = list(ec2.get_paginator("describe_volume_status").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["VolumeStatuses"]) for page in pages] == [5, 3]


def test_status(ec2, made, refused):
    volume = made()
    (status,) = ec2.describe_volume_status(VolumeIds=[volume])["VolumeStatuses"]
    assert status["VolumeStatus"]["Status"] == "ok" and status["AvailabilityZone"] == ZONE
    assert {one["Name"]: one["Status"] for one in status["VolumeStatus"]["Details"]}["io-enabled"] == "passed"
    assert status["Events"] == [] and status["Actions"] == []
    ec2.enable_volume_io(VolumeId=volume)
    ec2.modify_volume_attribute(VolumeId=volume, AutoEnableIO={"Value": True})
    assert ec2.describe_volume_attribute(VolumeId=volume, Attribute="autoEnableIO")["AutoEnableIO"] == {"Value": True}
    with refused("InvalidVolume.NotFound"):
        ec2.describe_volume_status(VolumeIds=["vol-0123456789abcdef0"])


def test_boto_2(ec2, old, launch):
    volume = old.create_volume(80, ZONE)
    assert volume.status == "creating" and volume.size == 80 and volume.snapshot_id == "" and volume.type is None
    wait_until(lambda: volume.update() == "available")
    instance = launch(Placement={"AvailabilityZone": ZONE})["InstanceId"]
    assert old.attach_volume(volume.id, instance, "/dev/sdh") == "attaching"
    wait_until(lambda: volume.update() and volume.attachment_state() == "attached")
    assert volume.status == "in-use" and volume.attach_data.device == "/dev/sdh"
    assert old.detach_volume(volume.id) == "detaching"
    wait_until(lambda: volume.update() == "available")
    with pytest.raises(boto.exception.EC2ResponseError) as refusal:
        old.create_volume(1025, ZONE)
    assert refusal.value.error_code == "InvalidParameterValue"
    assert old.delete_volume(volume.id)


# STO-020, STO-030, STO-060: the answers of the guide, element for element.
def test_answers_of_2011(query, made, instance):
    answer = query("CreateVolume", Size="80", AvailabilityZone=ZONE)
    assert [each.tag for each in answer.tree] == [
        "requestId", "volumeId", "size", "snapshotId", "availabilityZone", "status", "createTime"]
    volume = made()
    answer = query("AttachVolume", VolumeId=volume, InstanceId=instance, Device="/dev/sdh")
    assert [each.tag for each in answer.tree][:6] == ["requestId", "volumeId", "instanceId", "device", "status", "attachTime"]
    wait_until(lambda: query("DescribeVolumes", parameters={"VolumeId.1": volume}).texts(".//attachmentSet/item/status") == ["attached"])
    answer = query("DetachVolume", VolumeId=volume)
    assert answer.texts("status") == ["detaching"]


def test_encryption(ec2, made, instance, attached, look, ami, launch, refused):
    volume = attached(instance, Encrypted=True)
    assert look(volume)["Encrypted"] is True
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig=QUICK)
    assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["Encrypted"] is True
    assert look(made(SnapshotId=snapshot))["Encrypted"] is True
    with refused("OperationNotPermitted"):
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [{"Group": "all"}]})
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert ec2.enable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    assert look(made())["Encrypted"] is True
    (mapping,) = launch()["BlockDeviceMappings"]
    assert look(mapping["Ebs"]["VolumeId"])["Encrypted"] is True
    ec2.disable_ebs_encryption_by_default()
    assert look(made())["Encrypted"] is False
