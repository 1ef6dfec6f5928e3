"""Images as boto3 sees them: describing, registering from a snapshot, deregistering."""
import pytest

from conftest import wait_until

MISSING = "ami-0123456789abcdef0"


def names(ec2, **parameters):
    return sorted(image["Name"] for image in ec2.describe_images(**parameters)["Images"])


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


@pytest.fixture
def snapshot(ec2, ami):
    """Of a starter image, which is another account's and public."""
    return ec2.describe_images(ImageIds=[ami])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]


def test_starter_images(ec2, ami):
    (image,) = ec2.describe_images(ImageIds=[ami])["Images"]
    assert image["Name"] == "tiny" and image["State"] == "available" and image["Public"] is True and image["ImageType"] == "machine"
    assert image["RootDeviceType"] == "ebs" and image["RootDeviceName"] == "/dev/sda1" and image["VirtualizationType"] == "hvm"
    (mapping,) = image["BlockDeviceMappings"]
    assert mapping["DeviceName"] == "/dev/sda1" and mapping["Ebs"]["VolumeSize"] == 1 and mapping["Ebs"]["SnapshotId"].startswith("snap-")
    assert image["OwnerId"] != "123456789012" and image["ImageLocation"] == "amazon/tiny" and image["ImageOwnerAlias"] == "amazon"
    assert names(ec2) == ["classic-linux-i386", "debian-12-amd64", "fedora-40-x86_64", "tiny", "ubuntu-24.04-amd64"]


def test_filters(ec2, ami, refused):
    assert names(ec2, **by("name", "tiny")) == ["tiny"]
    assert names(ec2, **by("name", "*-amd64")) == ["debian-12-amd64", "ubuntu-24.04-amd64"]
    assert names(ec2, **by("architecture", "i386")) == ["classic-linux-i386"]
    assert names(ec2, **by("image-id", ami)) == ["tiny"]
    assert names(ec2, **by("root-device-name", "/dev/xvda")) == ["debian-12-amd64"]
    assert names(ec2, **by("block-device-mapping.volume-size", "6")) == ["fedora-40-x86_64"]
    assert names(ec2, **by("state", "pending", "failed")) == [] and len(names(ec2, **by("is-public", "true"))) == 5
    with refused("InvalidParameterValue"):
        names(ec2, **by("colour", "red"))


def test_owners_and_users(ec2, ami, query):
    (owner,) = {image["OwnerId"] for image in ec2.describe_images()["Images"]}
    assert len(names(ec2, Owners=[owner])) == 5 and names(ec2, Owners=["self"]) == [] and names(ec2, Owners=["999999999999"]) == []
    assert len(names(ec2, Owners=["self", owner])) == 5
    assert len(names(ec2, ExecutableUsers=["all"])) == 5 and names(ec2, ExecutableUsers=["self"]) == []
    assert len(query("DescribeImages", parameters={"Owner.1": owner}).texts(".//imageId")) == 5
    # The guide's name of the parameter, and its example's value (INS-015).
    assert len(query("DescribeImages", parameters={"User.1": "amazon"}).texts(".//imageId")) == 5
    assert len(names(ec2, Owners=["amazon"])) == 5 and names(ec2, Owners=["aws-marketplace"]) == []
    assert len(names(ec2, **by("owner-alias", "amazon"))) == 5


def test_ids_that_are_not_there(ec2, ami, refused):
    with refused("InvalidAMIID.NotFound"):
        ec2.describe_images(ImageIds=[ami, MISSING])
    for malformed in ("ami-1", "i-0123456789abcdef0", "ami", ""):
        with refused("InvalidAMIID.Malformed"):
            ec2.describe_images(ImageIds=[malformed])
        with refused("InvalidAMIID.Malformed"):
            ec2.deregister_image(ImageId=malformed)
    with refused("InvalidAMIID.NotFound"):
        ec2.deregister_image(ImageId=MISSING)


def test_pages(query, ami):
    """This boto3 does not know pages of images yet; today's clients do."""
    now = {"version": "2016-11-15", "MaxResults": "3"}
    first = query("DescribeImages", **now)
    (token,) = first.texts("nextToken")
    second = query("DescribeImages", NextToken=token, **now)
    assert len(first.texts(".//imageId")) == 3 and len(second.texts(".//imageId")) == 2 and second.texts("nextToken") == []
    assert len(set(first.texts(".//imageId") + second.texts(".//imageId"))) == 5


def test_another_accounts_image_is_not_ours_to_remove(ec2, ami, refused):
    with refused("AuthFailure"):
        ec2.deregister_image(ImageId=ami)
    assert "tiny" in names(ec2)


@pytest.mark.parametrize(
    "code, parameters",
    [
        ("InvalidAMIName.Malformed", {"Name": "a"}),
        ("InvalidAMIName.Malformed", {"Name": "x" * 129}),
        ("InvalidAMIName.Malformed", {"Name": "semi;colon"}),
        ("UnsupportedOperation", {"Name": "mine", "ImageLocation": "bucket/image.manifest.xml"}),
        ("InvalidBlockDeviceMapping", {"Name": "mine", "Architecture": "arm64"}),
        ("InvalidBlockDeviceMapping", {"Name": "mine"}),
        ("InvalidSnapshot.NotFound", {"Name": "mine", "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": "snap-0123456789abcdef0"}}]}),
    ],
    ids=str,
)
def test_what_may_not_be_registered(ec2, refused, code, parameters):
    with refused(code):
        ec2.register_image(**parameters)
    assert names(ec2, Owners=["self"]) == []


def test_a_name_is_needed(query):
    assert query("RegisterImage", RootDeviceName="/dev/sda1").code == "MissingParameter"


def test_another_accounts_snapshot_cannot_be_registered(ec2, snapshot, refused):
    with refused("InvalidSnapshot.NotFound"):
        ec2.register_image(Name="mine", BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}])


@pytest.fixture
def imported(daemon, ec2, tmp_path):
    """An image of the account's own, brought in by the operator: what there is to register another from."""
    (tmp_path / "disk.raw").write_bytes(b"\0" * 65536)
    daemon.brume("image", "import", str(tmp_path / "disk.raw"), "--name", "imported")
    return wait_until(lambda: [one for one in ec2.describe_images(Owners=["self"])["Images"] if one["State"] == "available"])[0]


def test_register_describe_launch_deregister(ec2, imported, in_state, refused):
    source = imported["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    device = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": source, "VolumeSize": imported["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] + 2}}
    made = ec2.register_image(
        Name="mine", Description="d", Architecture="x86_64", RootDeviceName="/dev/xvda", VirtualizationType="hvm", BlockDeviceMappings=[device]
    )["ImageId"]
    (shown,) = ec2.describe_images(ImageIds=[made])["Images"]
    assert shown["Name"] == "mine" and shown["Description"] == "d" and shown["Public"] is False and shown["State"] == "available"
    assert shown["OwnerId"] == "123456789012" and shown["RootDeviceName"] == "/dev/xvda" and names(ec2, Owners=["self"]) == ["imported", "mine"]
    with refused("InvalidAMIName.Duplicate"):
        ec2.register_image(Name="mine", RootDeviceName="/dev/xvda", BlockDeviceMappings=[device])
    with refused("InvalidBlockDeviceMapping"):
        small = {"DeviceName": "/dev/xvda", "Ebs": {**device["Ebs"], "VolumeSize": 0}}
        ec2.register_image(Name="small", RootDeviceName="/dev/other", BlockDeviceMappings=[small])
    with refused("UnknownVolumeType"):
        ec2.register_image(Name="tape", RootDeviceName="/dev/xvda", BlockDeviceMappings=[{**device, "Ebs": {**device["Ebs"], "VolumeType": "tape"}}])
    with refused("InvalidParameterValue"):
        ec2.register_image(Name="boot", RootDeviceName="/dev/xvda", BlockDeviceMappings=[device], KernelId=imported["ImageId"])
    (instance,) = ec2.run_instances(ImageId=made, MinCount=1, MaxCount=1, InstanceType="t2.micro")["Instances"]
    (running,) = in_state("running", instance["InstanceId"])
    (volume,) = ec2.describe_volumes()["Volumes"]
    assert volume["Size"] == device["Ebs"]["VolumeSize"] and volume["Attachments"][0]["Device"] == "/dev/xvda"
    ec2.deregister_image(ImageId=made)
    assert names(ec2, Owners=["self"]) == ["imported"]
    # The id was: it is told from one that never was.
    assert ec2.describe_images(ImageIds=[made])["Images"] == []
    for call, parameters in ((ec2.run_instances, {"MinCount": 1, "MaxCount": 1}), (ec2.deregister_image, {}),
                             (ec2.modify_image_attribute, {"Description": {"Value": "d"}}), (ec2.describe_image_attribute, {"Attribute": "description"}),
                             (ec2.copy_image, {"SourceImageId": made, "SourceRegion": "us-east-1", "Name": "copied"})):
        with refused("InvalidAMIID.Unavailable"):
            call(**parameters, **({} if "SourceImageId" in parameters else {"ImageId": made}))
    with refused("InvalidAMIID.NotFound"):
        ec2.create_tags(Resources=[made], Tags=[{"Key": "a", "Value": "b"}])
    with refused("InvalidAMIID.NotFound"):
        ec2.describe_images(ImageIds=[made, MISSING])
    # What runs of it runs on.
    assert in_state("running", running["InstanceId"])[0]["ImageId"] == made
    assert ec2.register_image(Name="mine", RootDeviceName="/dev/xvda", BlockDeviceMappings=[device])["ImageId"] != made


def test_a_private_image_is_nobody_elses(ec2, other, imported, refused):
    assert imported["Public"] is False and "imported" not in names(other)
    with refused("InvalidAMIID.NotFound"):
        other.describe_images(ImageIds=[imported["ImageId"]])
    with refused("InvalidAMIID.NotFound"):
        other.run_instances(ImageId=imported["ImageId"], MinCount=1, MaxCount=1)
    with refused("InvalidAMIID.NotFound"):
        other.deregister_image(ImageId=imported["ImageId"])
    with refused("InvalidSnapshot.NotFound"):
        source = imported["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        other.register_image(Name="stolen", RootDeviceName="/dev/sda1", BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": source}}])


# ----- copies


def available(ec2, image):
    return wait_until(lambda: [one for one in ec2.describe_images(ImageIds=[image])["Images"] if one["State"] == "available"])[0]


def copy_of(ec2, image, name="copy", **more):
    return ec2.copy_image(SourceImageId=image, SourceRegion="us-east-1", Name=name, **more)["ImageId"]


def test_a_copy_is_an_image_of_its_own(ec2, query, imported, in_state, refused):
    source = imported["ImageId"]
    ec2.modify_image_attribute(ImageId=source, LaunchPermission={"Add": [{"Group": "all"}]})
    ec2.create_tags(Resources=[source], Tags=[{"Key": "stage", "Value": "test"}])
    tags = {f"TagSpecification.{n}.{name}": value for n, kind in ((1, "image"), (2, "snapshot"))
            for name, value in (("ResourceType", kind), ("Tag.1.Key", "of"), ("Tag.1.Value", kind))}
    (made,) = query("CopyImage", version="2016-11-15", SourceImageId=source, SourceRegion="us-east-1", Name="copy", Description="a copy",
                    parameters=tags).texts("imageId")
    shown = available(ec2, made)
    snapshot = shown["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert snapshot != imported["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert (shown["Name"], shown["Description"], shown["Public"], shown["Architecture"]) == ("copy", "a copy", False, imported["Architecture"])
    assert shown["Tags"] == [{"Key": "of", "Value": "image"}] and shown["RootDeviceName"] == imported["RootDeviceName"]
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [snapshot]}])["Tags"][0]["Value"] == "snapshot"
    assert names(ec2, **by("source-image-id", source)) == ["copy"] and names(ec2, **by("source-image-region", "us-east-1")) == ["copy"]
    # The original and its snapshot go; the copy is launched.
    ec2.deregister_image(ImageId=source)
    ec2.delete_snapshot(SnapshotId=imported["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])
    (instance,) = ec2.run_instances(ImageId=made, MinCount=1, MaxCount=1, InstanceType="t2.micro")["Instances"]
    in_state("running", instance["InstanceId"])
    with refused("InvalidSnapshot.InUse"):
        ec2.delete_snapshot(SnapshotId=snapshot)


def test_what_everybody_may_have_is_copied_too(ec2, ami):
    assert available(ec2, copy_of(ec2, ami))["OwnerId"] == "123456789012" and "ImageOwnerAlias" not in available(ec2, copy_of(ec2, ami, "another"))


def test_a_copy_with_the_tags_of_its_source(ec2, query, imported):
    ec2.create_tags(Resources=[imported["ImageId"]], Tags=[{"Key": "a", "Value": "source"}, {"Key": "b", "Value": "source"}])
    more = {"TagSpecification.1.ResourceType": "image", "TagSpecification.1.Tag.1.Key": "b", "TagSpecification.1.Tag.1.Value": "copy"}
    (made,) = query("CopyImage", version="2016-11-15", SourceImageId=imported["ImageId"], SourceRegion="us-east-1", Name="copy",
                    CopyImageTags="true", parameters=more).texts("imageId")
    assert ec2.describe_images(ImageIds=[made])["Images"][0]["Tags"] == [{"Key": "a", "Value": "source"}, {"Key": "b", "Value": "copy"}]


def test_a_copy_is_made_once(ec2, imported, refused):
    first = copy_of(ec2, imported["ImageId"], ClientToken="once")
    assert copy_of(ec2, imported["ImageId"], ClientToken="once") == first
    with refused("IdempotentParameterMismatch"):
        copy_of(ec2, imported["ImageId"], "other", ClientToken="once")


def test_to_launch_is_not_to_copy(ec2, other, other_account, imported, refused):
    image = imported["ImageId"]
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": other_account.account}]})
    with refused("InvalidRequest"):
        copy_of(other, image)
    ec2.modify_snapshot_attribute(SnapshotId=imported["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"], Attribute="createVolumePermission",
                                  OperationType="add", UserIds=[other_account.account])
    assert available(other, copy_of(other, image))["OwnerId"] == other_account.account


@pytest.mark.parametrize(
    "code, parameters",
    [
        ("InvalidRegion", {"SourceRegion": "eu-west-1"}),
        ("InvalidAMIID.NotFound", {"SourceImageId": MISSING}),
        ("InvalidAMIID.Malformed", {"SourceImageId": "ami-1"}),
        ("InvalidAMIName.Malformed", {"Name": "a"}),
        ("InvalidAMIName.Duplicate", {"Name": "imported"}),
        ("InvalidParameterValue", {"Description": "x" * 256}),
        ("InvalidParameterValue", {"ClientToken": "x" * 65}),
        ("InvalidParameterValue", {"Encrypted": True, "KmsKeyId": "alias/mine"}),
        ("InvalidParameterDependency", {"KmsKeyId": "alias/aws/ebs"}),
        ("UnsupportedOperation", {"DestinationOutpostArn": "arn:aws:outposts:us-east-1:123456789012:outpost/op-1"}),
    ],
    ids=str,
)
def test_what_may_not_be_copied(ec2, imported, refused, code, parameters):
    with refused(code):
        ec2.copy_image(**{"SourceImageId": imported["ImageId"], "SourceRegion": "us-east-1", "Name": "copy", **parameters})
    assert names(ec2, Owners=["self"]) == ["imported"]
