"""EBS Multi-Attach: which volumes several instances can have, and what is asked of each of them."""
import pytest

from conftest import REGION, wait_until

ZONE = REGION + "a"
QUICK = {"Delay": 1, "MaxAttempts": 30}


@pytest.fixture
def look(ec2):
    return lambda volume: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]


@pytest.fixture
def shared(ec2):
    """shared(parameter=…): the id of a volume with Multi-Attach that is available."""

    def make(**parameters):
        volume = ec2.create_volume(**{"AvailabilityZone": ZONE, "Size": 4, "VolumeType": "io2", "Iops": 100, "MultiAttachEnabled": True, **parameters})
        assert volume["MultiAttachEnabled"] is parameters.get("MultiAttachEnabled", True)
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume["VolumeId"]], WaiterConfig=QUICK)
        return volume["VolumeId"]

    return make


@pytest.fixture
def instances(launch):
    return lambda count, **more: [launch(Placement={"AvailabilityZone": ZONE}, **more)["InstanceId"] for _ in range(count)]


@pytest.fixture
def attach(ec2, look):
    def attach(volume, *instances, device="/dev/sdf"):
        for instance in instances:
            answer = ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
            assert (answer["State"], answer["InstanceId"]) == ("attaching", instance)
        wait_until(lambda: all(state == "attached" for state in states(look(volume)).values()))

    return attach


def states(volume):
    return {each["InstanceId"]: each["State"] for each in volume["Attachments"]}


def devices(ec2, instance):
    mappings = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    return {each["Ebs"]["VolumeId"]: each["DeviceName"] for each in mappings}


def ids(ec2, name, *values):
    return {each["VolumeId"] for each in ec2.describe_volumes(Filters=[{"Name": name, "Values": list(values)}])["Volumes"]}


def test_two_instances_have_it_until_each_lets_go(ec2, shared, instances, attach, look, refused):
    one, other = instances(2)
    volume = shared()
    attach(volume, one)
    assert look(volume)["State"] == "in-use"
    attach(volume, other, device="/dev/sdg")
    seen = look(volume)
    assert seen["State"] == "in-use" and seen["MultiAttachEnabled"] is True
    assert [(each["InstanceId"], each["Device"], each["VolumeId"]) for each in seen["Attachments"]] == [
        (one, "/dev/sdf", volume), (other, "/dev/sdg", volume)]
    assert devices(ec2, one)[volume] == "/dev/sdf" and devices(ec2, other)[volume] == "/dev/sdg"
    assert volume in ids(ec2, "multi-attach-enabled", "true") and volume not in ids(ec2, "multi-attach-enabled", "false")
    assert volume in ids(ec2, "attachment.instance-id", other) and volume in ids(ec2, "attachment.device", "/dev/sdg")
    reservations = ec2.describe_instances(Filters=[{"Name": "block-device-mapping.device-name", "Values": ["/dev/sdg"]}])["Reservations"]
    assert [each["InstanceId"] for reservation in reservations for each in reservation["Instances"]] == [other]
    # The same instance cannot have it twice, and who has it cannot be left open.
    with refused("VolumeInUse"):
        ec2.attach_volume(VolumeId=volume, InstanceId=one, Device="/dev/sdh")
    with refused("MissingParameter"):
        ec2.detach_volume(VolumeId=volume)
    with refused("VolumeInUse"):
        ec2.delete_volume(VolumeId=volume)
    with refused("InvalidAttachment.NotFound"):
        ec2.detach_volume(VolumeId=volume, InstanceId=one, Device="/dev/sdg")
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig=QUICK)
    assert ec2.detach_volume(VolumeId=volume, InstanceId=one)["State"] == "detaching"
    wait_until(lambda: states(look(volume)) == {other: "attached"})
    assert look(volume)["State"] == "in-use" and volume not in devices(ec2, one) and devices(ec2, other)[volume] == "/dev/sdg"
    with refused("InvalidAttachment.NotFound"):
        ec2.detach_volume(VolumeId=volume, InstanceId=one)
    # It comes back, behind the one that stayed.
    attach(volume, one)
    assert list(states(look(volume))) == [other, one]
    for instance in (other, one):
        ec2.detach_volume(VolumeId=volume, InstanceId=instance)
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=QUICK)
    assert look(volume)["Attachments"] == []
    with refused("IncorrectState"):
        ec2.detach_volume(VolumeId=volume, InstanceId=one)
    ec2.delete_volume(VolumeId=volume)


def test_what_is_refused(ec2, shared, instances, attach, launch, refused):
    for kind in ({"VolumeType": "gp3"}, {"VolumeType": "gp2"}, {"VolumeType": "st1", "Size": 125}, {"VolumeType": "standard"}):
        with refused("InvalidParameterCombination"):
            ec2.create_volume(**{"AvailabilityZone": ZONE, "Size": 4, "MultiAttachEnabled": True, **kind})
    [one] = instances(1)
    volume = shared(VolumeType="io1")
    # Not the root, not of another zone, not of instances that are not built on Nitro.
    with refused("UnsupportedOperation"):
        ec2.attach_volume(VolumeId=volume, InstanceId=one, Device="/dev/sda1")
    elsewhere = shared(AvailabilityZone=REGION + "b")
    with refused("InvalidVolume.ZoneMismatch"):
        ec2.attach_volume(VolumeId=elsewhere, InstanceId=one, Device="/dev/sdf")
    [old] = instances(1, InstanceType="m1.small")
    with refused("UnsupportedOperation"):
        ec2.attach_volume(VolumeId=volume, InstanceId=old, Device="/dev/sdf")
    # Any other volume is attached once, as ever.
    plain = shared(MultiAttachEnabled=False)
    two, three = instances(2)
    attach(plain, two)
    with refused("VolumeInUse"):
        ec2.attach_volume(VolumeId=plain, InstanceId=three, Device="/dev/sdf")


def test_sixteen_instances_and_not_one_more(ec2, shared, instances, attach, look, refused):
    volume = shared()
    many = instances(17, InstanceType="t2.nano")
    attach(volume, *many[:16])
    assert len(look(volume)["Attachments"]) == 16
    with refused("AttachmentLimitExceeded"):
        ec2.attach_volume(VolumeId=volume, InstanceId=many[16], Device="/dev/sdf")
    ec2.terminate_instances(InstanceIds=many)
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=QUICK)


def delete_with(ec2, instance, device="/dev/sdf", yes=True):
    ec2.modify_instance_attribute(InstanceId=instance, BlockDeviceMappings=[{"DeviceName": device, "Ebs": {"DeleteOnTermination": yes}}])


@pytest.mark.parametrize("last_one_says", [True, False])
def test_it_goes_with_the_last_instance_if_that_says_so(ec2, shared, instances, attach, look, refused, last_one_says):
    first, last = instances(2)
    volume = shared()
    attach(volume, first, last)
    delete_with(ec2, last if last_one_says else first)
    assert {each["InstanceId"]: each["DeleteOnTermination"] for each in look(volume)["Attachments"]} == {
        first: not last_one_says, last: last_one_says}
    ec2.terminate_instances(InstanceIds=[first])
    wait_until(lambda: states(look(volume)) == {last: "attached"})
    assert look(volume)["State"] == "in-use"
    ec2.terminate_instances(InstanceIds=[last])

    def fate():
        found = ec2.describe_volumes(Filters=[{"Name": "volume-id", "Values": [volume]}])["Volumes"]
        return found[0]["State"] if found else "gone"

    wait_until(lambda: fate() == ("gone" if last_one_says else "available"))


def test_instances_that_stop_keep_it(ec2, shared, instances, attach, look):
    one, other = instances(2)
    volume = shared()
    ec2.stop_instances(InstanceIds=[one])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[one], WaiterConfig=QUICK)
    attach(volume, one, other)
    ec2.stop_instances(InstanceIds=[other])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[other], WaiterConfig=QUICK)
    assert states(look(volume)) == {one: "attached", other: "attached"}
    ec2.start_instances(InstanceIds=[one, other])
    ec2.get_waiter("instance_running").wait(InstanceIds=[one, other], WaiterConfig=QUICK)
    assert states(look(volume)) == {one: "attached", other: "attached"}


def test_it_is_switched_on_and_off(ec2, shared, instances, attach, look, refused):
    one, other = instances(2)
    volume = shared(MultiAttachEnabled=False)

    def modified():
        return ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]

    def modify(**how):
        ec2.modify_volume(VolumeId=volume, **how)
        wait_until(lambda: modified()["ModificationState"] == "completed")

    attach(volume, one)
    with refused("VolumeInUse"):
        ec2.modify_volume(VolumeId=volume, MultiAttachEnabled=True)
    ec2.detach_volume(VolumeId=volume)
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=QUICK)
    modify(MultiAttachEnabled=True)
    assert (modified()["OriginalMultiAttachEnabled"], modified()["TargetMultiAttachEnabled"]) == (False, True)
    assert look(volume)["MultiAttachEnabled"] is True
    for name, value in (("originalMultiAttachEnabled", "false"), ("targetMultiAttachEnabled", "true")):
        found = ec2.describe_volumes_modifications(Filters=[{"Name": name, "Values": [value]}])["VolumesModifications"]
        assert volume in [each["VolumeId"] for each in found]
    attach(volume, one, other)
    with refused("VolumeInUse"):
        ec2.modify_volume(VolumeId=volume, MultiAttachEnabled=False)
    with refused("InvalidParameterCombination"):
        ec2.modify_volume(VolumeId=volume, VolumeType="gp3")
    modify(Iops=200, Size=6)
    assert (look(volume)["Iops"], look(volume)["Size"], look(volume)["MultiAttachEnabled"]) == (200, 6, True)
    ec2.detach_volume(VolumeId=volume, InstanceId=one)
    wait_until(lambda: states(look(volume)) == {other: "attached"})
    modify(MultiAttachEnabled=False)
    assert look(volume)["MultiAttachEnabled"] is False and states(look(volume)) == {other: "attached"}
    with refused("VolumeInUse"):
        ec2.attach_volume(VolumeId=volume, InstanceId=one, Device="/dev/sdf")
    ec2.detach_volume(VolumeId=volume)
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=QUICK)
    modify(Size=8)
    assert look(volume)["Size"] == 8


def test_an_io1_volume_stays_as_it_was_made(ec2, shared, refused):
    volume = shared(VolumeType="io1")
    with refused("UnsupportedOperation"):
        ec2.modify_volume(VolumeId=volume, Iops=150)
    with refused("UnsupportedOperation"):
        ec2.modify_volume(VolumeId=volume, MultiAttachEnabled=False)
    plain = shared(VolumeType="io1", MultiAttachEnabled=False)
    with refused("UnsupportedOperation"):
        ec2.modify_volume(VolumeId=plain, MultiAttachEnabled=True)
    gp3 = ec2.create_volume(AvailabilityZone=ZONE, Size=4, VolumeType="gp3")["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[gp3], WaiterConfig=QUICK)
    with refused("InvalidParameterCombination"):
        ec2.modify_volume(VolumeId=gp3, MultiAttachEnabled=True)
