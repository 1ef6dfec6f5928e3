"""What an image's owner says about it: launch permissions, description, deprecation, disabling, protection."""
import datetime

import pytest

from conftest import wait_until

MISSING = "ami-0123456789abcdef0"
MALFORMED = "ami-1"


@pytest.fixture
def image(daemon, ec2, tmp_path):
    """A private image of the account's own."""
    (tmp_path / "disk.raw").write_bytes(b"\0" * 65536)
    daemon.brume("image", "import", str(tmp_path / "disk.raw"), "--name", "imported")
    return wait_until(lambda: [one for one in ec2.describe_images(Owners=["self"])["Images"] if one["State"] == "available"])[0]["ImageId"]


@pytest.fixture
def other_id(other_account):
    return other_account.account


def permissions(ec2, image):
    return ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]


def ids(ec2, **parameters):
    return [one["ImageId"] for one in ec2.describe_images(**parameters)["Images"]]


# ----- launch permissions


def test_share_and_take_back(ec2, other, other_id, image, refused):
    assert permissions(ec2, image) == [] and image not in ids(other)
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": other_id}]})
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": other_id}]})  # again changes nothing
    assert permissions(ec2, image) == [{"UserId": other_id}]
    assert ids(other, ExecutableUsers=["self"]) == [image] and ids(other, ImageIds=[image]) == [image]
    assert ids(ec2, ExecutableUsers=["self"]) == [], "an account's own images are not shared with it"
    assert ids(ec2, ExecutableUsers=[other_id]) == [image]
    (instance,) = other.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t2.micro")["Instances"]
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Remove": [{"UserId": other_id}, {"UserId": "999988887777"}]})
    assert permissions(ec2, image) == [] and image not in ids(other)
    with refused("InvalidAMIID.NotFound"):
        other.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t2.micro")
    # What was launched runs on.
    found = other.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert found["State"]["Name"] in ("pending", "running") and found["ImageId"] == image


def test_public_and_reset(ec2, other, other_id, image):
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}, {"UserId": other_id}]})
    assert permissions(ec2, image) == [{"Group": "all"}, {"UserId": other_id}]
    assert image in ids(other, ExecutableUsers=["all"]) and image in ids(ec2, ExecutableUsers=["all"])
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Remove": [{"Group": "all"}]})
    assert permissions(ec2, image) == [{"UserId": other_id}] and image in ids(other)
    ec2.reset_image_attribute(ImageId=image, Attribute="launchPermission")
    assert permissions(ec2, image) == [] and image not in ids(other) and image in ids(ec2, Owners=["self"])


def test_the_older_way_to_say_it(query, old, other, other_id, image):
    change = {"ImageId": image, "Attribute": "launchPermission"}
    for version in ("2011-12-01", "2016-11-15"):
        assert query("ModifyImageAttribute", version=version, **change, OperationType="add", parameters={"UserId.1": other_id, "UserGroup.1": "all"}).status == 200
        shown = query("DescribeImageAttribute", version=version, ImageId=image, Attribute="launchPermission")
        assert shown.texts(".//launchPermission/item/userId") == [other_id] and shown.texts(".//launchPermission/item/group") == ["all"]
        assert shown.texts("imageId") == [image] and shown.texts("description") == []
        assert query("ModifyImageAttribute", version=version, **change, OperationType="remove", parameters={"UserId.1": other_id, "UserGroup.1": "all"}).status == 200
        assert query("DescribeImageAttribute", version=version, ImageId=image, Attribute="launchPermission").texts(".//launchPermission/item") == []
    # boto 2 speaks it too
    old.modify_image_attribute(image, operation="add", user_ids=[other_id], groups="all")
    assert old.get_image_attribute(image).attrs == {"user_ids": [other_id], "groups": ["all"]}
    old.reset_image_attribute(image)
    assert image not in ids(other)


@pytest.mark.parametrize(
    "code, change",
    [
        ("InvalidAMIAttributeItemValue", {"LaunchPermission": {"Add": [{"UserId": "12345"}]}}),
        ("InvalidAMIAttributeItemValue", {"LaunchPermission": {"Add": [{"UserId": "9999-8888-7777"}]}}),
        ("InvalidAMIAttributeItemValue", {"LaunchPermission": {"Remove": [{"Group": "some"}]}}),
        ("InvalidParameterCombination", {"LaunchPermission": {}}),
        ("InvalidParameterCombination", {"LaunchPermission": {"Add": [{"UserId": "999988887777", "Group": "all"}]}}),
        ("InvalidParameterCombination", {"LaunchPermission": {"Add": [{"Group": "all"}]}, "OperationType": "add", "UserIds": ["999988887777"]}),
        ("InvalidParameterCombination", {"LaunchPermission": {"Add": [{"Group": "all"}]}, "Description": {"Value": "x"}}),
        ("InvalidParameterCombination", {}),
        ("UnsupportedOperation", {"LaunchPermission": {"Add": [{"OrganizationArn": "arn:aws:organizations::1:organization/o-1"}]}}),
        ("UnsupportedOperation", {"Attribute": "launchPermission", "OperationType": "add", "OrganizationArns": ["arn:aws:organizations::1:organization/o-1"]}),
        ("MissingParameter", {"Attribute": "launchPermission", "UserIds": ["999988887777"]}),
        ("MissingParameter", {"Attribute": "launchPermission", "OperationType": "add"}),
        ("InvalidParameterValue", {"Attribute": "launchPermission", "OperationType": "swap", "UserIds": ["999988887777"]}),
        ("MissingParameter", {"Attribute": "description"}),
        ("InvalidParameterValue", {"Attribute": "colour", "Value": "red"}),
        ("InvalidParameterValue", {"Description": {"Value": "x" * 256}}),
        ("InvalidParameterValue", {"Description": {"Value": "schön"}}),
        ("InvalidParameterValue", {"Attribute": "imdsSupport", "Value": "v1.0"}),
        ("InvalidAMIAttributeItemValue", {"ProductCodes": ["774f4ff8"]}),
    ],
    ids=str,
)
def test_what_may_not_be_changed(ec2, image, refused, code, change):
    with refused(code):
        ec2.modify_image_attribute(ImageId=image, **change)
    assert permissions(ec2, image) == []


# ----- the other attributes


def test_description_both_ways(ec2, query, image):
    ec2.modify_image_attribute(ImageId=image, Description={"Value": "first"})
    assert ec2.describe_image_attribute(ImageId=image, Attribute="description")["Description"] == {"Value": "first"}
    assert query("ModifyImageAttribute", ImageId=image, Attribute="description", Value="second").status == 200
    assert ec2.describe_images(ImageIds=[image])["Images"][0]["Description"] == "second"
    assert ids(ec2, Filters=[{"Name": "description", "Values": ["sec*"]}]) == [image]
    ec2.modify_image_attribute(ImageId=image, Description={"Value": ""})
    assert ec2.describe_image_attribute(ImageId=image, Attribute="description")["Description"] == {}


def test_every_attribute_can_be_asked_for(ec2, query, image, refused):
    shown = {}
    for name in ("description", "kernel", "ramdisk", "productCodes", "sriovNetSupport", "bootMode", "tpmSupport", "uefiData", "lastLaunchedTime"):
        shown[name] = query("DescribeImageAttribute", version="2016-11-15", ImageId=image, Attribute=name)
        assert [element.tag for element in shown[name].tree] == ["requestId", "imageId", name], name
    for name, value in (("imdsSupport", None), ("deregistrationProtection", "disabled")):
        assert query("DescribeImageAttribute", version="2016-11-15", ImageId=image, Attribute=name).texts(f"{name}/value") == ([value] if value else [])
    with refused("AuthFailure"):
        ec2.describe_image_attribute(ImageId=image, Attribute="blockDeviceMapping")
    assert query("DescribeImageAttribute", ImageId=image, Attribute="blockDeviceMapping").texts(".//deviceName") == ["/dev/sda1"]
    with refused("InvalidParameterValue"):
        ec2.describe_image_attribute(ImageId=image, Attribute="colour")
    with refused("InvalidParameterValue"):
        ec2.reset_image_attribute(ImageId=image, Attribute="description")
    assert query("DescribeImageAttribute", ImageId=image, Attribute="imdsSupport").code == "InvalidParameterValue"


def test_imds_support(ec2, query, image):
    assert query("ModifyImageAttribute", version="2016-11-15", ImageId=image, parameters={"ImdsSupport.Value": "v2.0"}).status == 200
    assert query("DescribeImageAttribute", version="2016-11-15", ImageId=image, Attribute="imdsSupport").texts("imdsSupport/value") == ["v2.0"]
    assert query("DescribeImages", version="2016-11-15", parameters={"ImageId.1": image}).texts(".//imdsSupport") == ["v2.0"]
    assert query("DescribeImages", parameters={"ImageId.1": image}).texts(".//imdsSupport") == []


def test_imds_support_holds_for_instances(ec2, query, image):
    query("ModifyImageAttribute", version="2016-11-15", ImageId=image, parameters={"ImdsSupport.Value": "v2.0"})
    launch = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t2.micro"}
    (one,) = ec2.run_instances(**launch)["Instances"]
    assert (one["MetadataOptions"]["HttpTokens"], one["MetadataOptions"]["HttpPutResponseHopLimit"]) == ("required", 2)
    (two,) = ec2.run_instances(**launch, MetadataOptions={"HttpTokens": "optional", "HttpPutResponseHopLimit": 1})["Instances"]
    assert (two["MetadataOptions"]["HttpTokens"], two["MetadataOptions"]["HttpPutResponseHopLimit"]) == ("optional", 1)
    (three,) = ec2.run_instances(**launch, MetadataOptions={"InstanceMetadataTags": "enabled"})["Instances"]
    assert (three["MetadataOptions"]["HttpTokens"], three["MetadataOptions"]["HttpPutResponseHopLimit"]) == ("required", 2)


def test_when_it_was_launched_last(ec2, other, query, image):
    def launched():
        return query("DescribeImageAttribute", version="2016-11-15", ImageId=image, Attribute="lastLaunchedTime").texts("lastLaunchedTime/value")

    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    assert launched() == []
    made = other.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t2.micro")["Instances"][0]
    assert launched() == [made["LaunchTime"].strftime("%Y-%m-%dT%H:%M:%S.") + f"{made['LaunchTime'].microsecond // 1000:03}Z"]


def test_only_the_owner_sees_and_changes_attributes(ec2, other, other_id, image, ami, refused):
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": other_id}]})
    for act in (
        lambda: other.describe_image_attribute(ImageId=image, Attribute="description"),
        lambda: other.modify_image_attribute(ImageId=image, Description={"Value": "mine now"}),
        lambda: other.reset_image_attribute(ImageId=image, Attribute="launchPermission"),
        lambda: other.deregister_image(ImageId=image),
        lambda: other.enable_image_deprecation(ImageId=image, DeprecateAt=datetime.datetime(2030, 1, 1)),
        lambda: ec2.modify_image_attribute(ImageId=ami, Description={"Value": "mine now"}),
    ):
        with refused("AuthFailure"):
            act()


@pytest.mark.parametrize("action, parameters", [
    ("DescribeImageAttribute", {"Attribute": "description"}),
    ("ModifyImageAttribute", {"Description.Value": "x"}),
    ("ResetImageAttribute", {"Attribute": "launchPermission"}),
    ("EnableImageDeprecation", {"DeprecateAt": "2030-01-01T00:00:00Z"}),
    ("DisableImageDeprecation", {}),
    ("EnableImage", {}),
    ("DisableImage", {}),
    ("EnableImageDeregistrationProtection", {}),
    ("DisableImageDeregistrationProtection", {}),
])
def test_ids_that_are_not_there(query, action, parameters):
    for id_, code in ((MISSING, "InvalidAMIID.NotFound"), (MALFORMED, "InvalidAMIID.Malformed"), ("snap-0123456789abcdef0", "InvalidAMIID.Malformed"),
                      ("ami-01234567", "InvalidAMIID.NotFound")):
        assert query(action, version="2016-11-15", ImageId=id_, parameters=parameters).code == code
    assert query(action, version="2016-11-15", parameters=parameters).code == "MissingParameter"


# ----- deprecation


def test_deprecated_images_are_listed_on_request_only(ec2, other, other_id, image, refused):
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": other_id}]})
    # The minute that began last is as far back as it may be.
    now = datetime.datetime.utcnow()
    ec2.enable_image_deprecation(ImageId=image, DeprecateAt=now.replace(second=0, microsecond=0))
    shown = ec2.describe_images(ImageIds=[image])["Images"][0]["DeprecationTime"]
    assert shown == now.strftime("%Y-%m-%dT%H:%M:00.000Z")
    assert image in ids(ec2) and image not in ids(other) and ids(other, ImageIds=[image]) == []
    assert ids(other, ImageIds=[image], IncludeDeprecated=True) == [image]
    other.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t2.micro")
    ec2.disable_image_deprecation(ImageId=image)
    assert image in ids(other) and "DeprecationTime" not in ec2.describe_images(ImageIds=[image])["Images"][0]
    ec2.enable_image_deprecation(ImageId=image, DeprecateAt=now + datetime.timedelta(days=30))
    assert image in ids(other)
    for wrong in (now - datetime.timedelta(days=1), now + datetime.timedelta(days=3660)):
        with refused("InvalidParameterValue"):
            ec2.enable_image_deprecation(ImageId=image, DeprecateAt=wrong)
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    with refused("InvalidParameterValue"):
        ec2.enable_image_deprecation(ImageId=image, DeprecateAt=now + datetime.timedelta(days=800))


# ----- disabling


def test_disabled_images_are_gone_for_others(ec2, other, other_id, query, image, refused):
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": other_id}, {"Group": "all"}]})
    assert query("DisableImage", version="2016-11-15", ImageId=image).texts("return") == ["true"]
    assert image not in ids(ec2) and image not in ids(other)
    shown = query("DescribeImages", version="2016-11-15", IncludeDisabled="true", parameters={"ImageId.1": image})
    assert shown.texts(".//imageState") == ["disabled"] and shown.texts(".//isPublic") == ["false"]
    assert query("DescribeImages", version="2016-11-15", IncludeDisabled="true", parameters={"Filter.1.Name": "state", "Filter.1.Value.1": "disabled"}).texts(".//imageId") == [image]
    with refused("InvalidAMIID.Unavailable"):
        ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t2.micro")
    with refused("InvalidAMIID.Unavailable"):
        ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    with refused("InvalidAMIID.NotFound"):
        other.describe_images(ImageIds=[image])
    query("EnableImage", version="2016-11-15", ImageId=image)
    assert image in ids(ec2) and image not in ids(other) and permissions(ec2, image) == []


# ----- deregistration protection


def test_protected_images_stay(ec2, query, image, refused):
    def protection():
        return query("DescribeImageAttribute", version="2016-11-15", ImageId=image, Attribute="deregistrationProtection").texts("deregistrationProtection/value")

    query("EnableImageDeregistrationProtection", version="2016-11-15", ImageId=image)
    assert protection() == ["enabled-without-cooldown"]
    with refused("OperationNotPermitted"):
        ec2.deregister_image(ImageId=image)
    query("DisableImageDeregistrationProtection", version="2016-11-15", ImageId=image)
    assert protection() == ["disabled"]
    query("EnableImageDeregistrationProtection", version="2016-11-15", ImageId=image, WithCooldown="true")
    assert protection() == ["enabled-with-cooldown"]
    query("DisableImageDeregistrationProtection", version="2016-11-15", ImageId=image)
    assert protection() == ["disabled"]
    with refused("OperationNotPermitted"):
        ec2.deregister_image(ImageId=image)  # for a day
    assert image in ids(ec2)


# ----- block public access


def test_an_account_that_keeps_its_images_to_itself(ec2, query, image, refused):
    def call(action, **parameters):
        return query(action, version="2016-11-15", **parameters)

    assert call("GetImageBlockPublicAccessState").texts("imageBlockPublicAccessState") == ["unblocked"]
    assert call("EnableImageBlockPublicAccess", ImageBlockPublicAccessState="sometimes").code == "InvalidParameterValue"
    assert call("EnableImageBlockPublicAccess").code == "MissingParameter"
    assert call("EnableImageBlockPublicAccess", ImageBlockPublicAccessState="block-new-sharing").texts("imageBlockPublicAccessState") == ["block-new-sharing"]
    assert call("GetImageBlockPublicAccessState").texts("imageBlockPublicAccessState") == ["block-new-sharing"]
    with refused("OperationNotPermitted"):
        ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": "999988887777"}]})
    assert permissions(ec2, image) == [{"UserId": "999988887777"}]
    assert call("DisableImageBlockPublicAccess").texts("imageBlockPublicAccessState") == ["unblocked"]
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    # What is public already stays so.
    call("EnableImageBlockPublicAccess", ImageBlockPublicAccessState="block-new-sharing")
    assert ec2.describe_images(ImageIds=[image])["Images"][0]["Public"] is True
