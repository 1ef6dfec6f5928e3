"""Absent and empty are two things: lists of answers that EC2 leaves out when there is nothing in them, and those that it shows empty."""
import pytest

from conftest import NEW, wait_until

ZONE = "us-east-1a"
A = [{"Key": "a", "Value": "b"}]


def things(ec2, launch):
    """(id, how it is described) of what has no Tags member while it has no tags."""
    instance = launch()["InstanceId"]
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.1})
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    wait_until(lambda: ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "completed")
    image = ec2.create_image(InstanceId=instance, Name="made", NoReboot=True)["ImageId"]
    template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"KeyName": "k"})["LaunchTemplate"]["LaunchTemplateId"]
    return {
        instance: lambda: ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0],
        volume: lambda: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0],
        snapshot: lambda: ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0],
        image: lambda: ec2.describe_images(ImageIds=[image])["Images"][0],
        template: lambda: ec2.describe_launch_templates(LaunchTemplateIds=[template])["LaunchTemplates"][0],
    }


def test_tags_of_what_has_none(ec2, launch):
    described = things(ec2, launch)
    assert [each for each, look in described.items() if "Tags" in look()] == []
    ec2.create_tags(Resources=list(described), Tags=A)
    assert [look()["Tags"] for look in described.values()] == [A] * len(described)
    ec2.delete_tags(Resources=list(described), Tags=A)
    assert [each for each, look in described.items() if "Tags" in look()] == []


def test_answers_of_creations_show_that_there_are_no_tags(ec2, query):
    made = ec2.create_volume(AvailabilityZone=ZONE, Size=1)
    assert made["Tags"] == [] and "Attachments" not in made
    ec2.get_waiter("volume_available").wait(VolumeIds=[made["VolumeId"]], WaiterConfig={"Delay": 0.1})
    assert ec2.describe_volumes()["Volumes"][0]["Attachments"] == []
    assert ec2.create_snapshot(VolumeId=made["VolumeId"])["Tags"] == []
    assert query("CreateVolume", NEW, AvailabilityZone=ZONE, Size="1").tree.find("attachmentSet") is None


def test_lists_of_an_instance(ec2, ami, launch, in_state):
    (made,) = ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t2.micro")["Instances"]
    assert made["ProductCodes"] == [] and "Tags" not in made and "Licenses" not in made and "ElasticGpuAssociations" not in made
    (one,) = in_state("running", made["InstanceId"])
    (interface,) = one["NetworkInterfaces"]
    assert interface["Ipv6Addresses"] == [] and "Ipv4Prefixes" not in interface and "Ipv6Prefixes" not in interface
    ec2.terminate_instances(InstanceIds=[one["InstanceId"]])
    (gone,) = in_state("terminated", one["InstanceId"])
    assert gone["BlockDeviceMappings"] == gone["NetworkInterfaces"] == gone["SecurityGroups"] == []


def test_lists_of_an_image(ec2, ami):
    (shown,) = ec2.describe_images(ImageIds=[ami])["Images"]
    assert "ProductCodes" not in shown and "Tags" not in shown and shown["BlockDeviceMappings"]


@pytest.mark.parametrize("data", [{}, {"InstanceType": "t2.micro"}], ids=str)
def test_lists_of_a_template_made_of_an_instance(ec2, launch, data):
    shown = ec2.get_launch_template_data(InstanceId=launch(**data)["InstanceId"])["LaunchTemplateData"]
    assert not [name for name, value in shown.items() if value == []]


def test_one_attribute_and_no_other(ec2):
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.1})
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    for call, resource, attribute, member in (
        (ec2.describe_snapshot_attribute, {"SnapshotId": snapshot}, "createVolumePermission", "CreateVolumePermissions"),
        (ec2.describe_snapshot_attribute, {"SnapshotId": snapshot}, "productCodes", "ProductCodes"),
        (ec2.describe_volume_attribute, {"VolumeId": volume}, "productCodes", "ProductCodes"),
        (ec2.describe_volume_attribute, {"VolumeId": volume}, "autoEnableIO", "AutoEnableIO"),
    ):
        answer = call(**resource, Attribute=attribute)
        assert set(answer) == {member, *resource, "ResponseMetadata"}
        assert answer[member] == ({"Value": False} if member == "AutoEnableIO" else [])
