"""Product codes of images and of the instances launched from them (AMI-069 ff., INS-066 ff., OPS-115 ff.)."""
import subprocess

import pytest

from conftest import NEW, OLD, instances_of, wait_until
from images_test import available, copy_of, imported  # noqa: F401

CODE, OTHER = "774F4FF8", "6883959E"
SHOWN = [{"ProductCodeId": CODE, "ProductCodeType": "devpay"}]


@pytest.fixture
def marked(ec2, imported):  # noqa: F811
    ec2.modify_image_attribute(ImageId=imported["ImageId"], ProductCodes=[CODE])
    return imported["ImageId"]


def found(ec2, name, *values):
    return [one["InstanceId"] for one in instances_of(ec2.describe_instances(Filters=[{"Name": name, "Values": list(values)}]))]


def test_an_image_has_one_for_good(ec2, query, marked, other, refused):
    assert ec2.describe_images(ImageIds=[marked])["Images"][0]["ProductCodes"] == SHOWN
    assert ec2.describe_image_attribute(ImageId=marked, Attribute="productCodes")["ProductCodes"] == SHOWN
    then = query("DescribeImageAttribute", OLD, ImageId=marked, Attribute="productCodes")
    assert then.texts(".//productCode") == [CODE] and then.texts(".//type") == []
    ec2.modify_image_attribute(ImageId=marked, Attribute="productCodes", ProductCodes=[CODE])
    for code, codes in [("InvalidAMIAttributeItemValue", [OTHER]), ("InvalidAMIAttributeItemValue", ["774f4ff8"]), ("InvalidParameterValue", [CODE, OTHER])]:
        with refused(code):
            ec2.modify_image_attribute(ImageId=marked, ProductCodes=codes)
    for name, value, matches in [("product-code", CODE, True), ("product-code", OTHER, False), ("product-code.type", "devpay", True), ("product-code.type", "marketplace", False)]:
        assert bool(ec2.describe_images(Filters=[{"Name": name, "Values": [value]}])["Images"]) is matches, name
    # Who may launch it sees the code, and cannot touch it.
    ec2.modify_image_attribute(ImageId=marked, LaunchPermission={"Add": [{"Group": "all"}]})
    assert other.describe_images(ImageIds=[marked])["Images"][0]["ProductCodes"] == SHOWN
    with refused("AuthFailure"):
        other.modify_image_attribute(ImageId=marked, ProductCodes=[CODE])
    with refused("InvalidRequest"):
        copy_of(other, marked)


def test_the_guides_api_knows_no_paid_images_on_ebs(query, imported):  # noqa: F811
    assert query("ModifyImageAttribute", OLD, ImageId=imported["ImageId"], parameters={"ProductCode.1": CODE}).code == "UnsupportedOperation"


def test_instances_carry_the_code_of_their_launch(ec2, query, marked, launch):
    plain, one = launch()["InstanceId"], launch(ImageId=marked)
    which = one["InstanceId"]
    assert one["ProductCodes"] == SHOWN
    assert ec2.describe_instance_attribute(InstanceId=which, Attribute="productCodes")["ProductCodes"] == SHOWN
    assert ec2.describe_instance_attribute(InstanceId=plain, Attribute="productCodes")["ProductCodes"] == []
    for name, value in (("product-code", CODE), ("product-code.type", "devpay")):
        assert found(ec2, name, value) == [which] and found(ec2, name, value + "x") == []
    then = query("DescribeInstances", OLD, **{"InstanceId.1": which})
    assert then.texts(".//productCodes/item/productCode") == [CODE] and then.texts(".//productCodes/item/type") == []
    # It outlives the image, and goes into what is made of the instance and of the image.
    made = ec2.create_image(InstanceId=which, Name="rebundled", NoReboot=True)["ImageId"]
    assert available(ec2, made)["ProductCodes"] == SHOWN
    assert available(ec2, copy_of(ec2, marked))["ProductCodes"] == SHOWN
    ec2.deregister_image(ImageId=marked)
    assert instances_of(ec2.describe_instances(InstanceIds=[which]))[0]["ProductCodes"] == SHOWN


def test_the_owner_of_the_image_confirms(daemon, ec2, query, marked, launch, other, other_account, in_state, refused):
    which = launch(ImageId=marked)["InstanceId"]
    assert ec2.confirm_product_instance(InstanceId=which, ProductCode=CODE)["OwnerId"] == "123456789012"
    then = query("ConfirmProductInstance", OLD, InstanceId=which, ProductCode=CODE)
    assert [child.tag for child in then.tree] == ["requestId", "return", "ownerId"] and then.texts("return") == ["true"]

    def answer(keys, **parameters):
        said = daemon.query("ConfirmProductInstance", NEW, AWSAccessKeyId=keys.key_id, **parameters)
        return said.code if said.status == 400 else (said.texts("return")[0], *said.texts("ownerId"))

    ours = daemon.keys
    assert answer(ours, InstanceId=which, ProductCode=OTHER) == answer(ours, InstanceId=launch()["InstanceId"], ProductCode=CODE) == ("false",)
    # A customer's instance is seen by the seller. The customer is told nothing of the code, a third knows of no such instance.
    ec2.modify_image_attribute(ImageId=marked, LaunchPermission={"Add": [{"UserId": other_account.account}]})
    daemon.brume("account", "subscribe", other_account.account, CODE)
    theirs = other.run_instances(ImageId=marked, MinCount=1, MaxCount=1, InstanceType="t2.micro")["Instances"][0]["InstanceId"]
    wait_until(lambda: answer(ours, InstanceId=theirs, ProductCode=CODE) == ("true", other_account.account))
    assert answer(other_account, InstanceId=theirs, ProductCode=CODE) == ("false",)
    assert answer(other_account, InstanceId=which, ProductCode=CODE) == "InvalidInstanceID.NotFound"
    daemon.brume("account", "unsubscribe", other_account.account, CODE)
    unmarked = other.run_instances(ImageId=launch()["ImageId"], MinCount=1, MaxCount=1, InstanceType="t2.micro")["Instances"][0]["InstanceId"]
    assert answer(ours, InstanceId=unmarked, ProductCode=CODE) == "InvalidInstanceID.NotFound"
    # Only while it runs.
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    assert answer(ours, InstanceId=which, ProductCode=CODE) == ("false",)
    with refused("InvalidInstanceID.NotFound"):
        ec2.confirm_product_instance(InstanceId="i-0123456789abcdef0", ProductCode=CODE)


def test_others_launch_it_when_they_have_signed_up(daemon, ec2, query, marked, other, other_account, refused):
    """INS-067; the owner needs no subscription, as it is his own image that he put the code on (INS-069)."""
    ec2.modify_image_attribute(ImageId=marked, LaunchPermission={"Add": [{"UserId": other_account.account}]})

    def run():
        return other.run_instances(ImageId=marked, MinCount=1, MaxCount=1, InstanceType="t2.micro")["Instances"][0]

    with refused("OptInRequired", 401):
        run()
    daemon.brume("account", "subscribe", other_account.account, OTHER)
    with refused("OptInRequired", 401):
        run()
    daemon.brume("account", "subscribe", other_account.account, CODE)
    daemon.brume("account", "subscribe", other_account.account, CODE)  # once is enough, twice does no harm
    which = run()["InstanceId"]
    daemon.brume("account", "unsubscribe", other_account.account, CODE)
    with refused("OptInRequired", 401):
        run()
    assert [one["InstanceId"] for one in instances_of(other.describe_instances())] == [which], "what runs goes on"
    daemon.brume("account", "unsubscribe", other_account.account, OTHER)
    for wrong in (("subscribe", other_account.account, "774f4ff8"), ("unsubscribe", other_account.account, CODE), ("subscribe", "000000000000", CODE)):
        with pytest.raises(subprocess.CalledProcessError):
            daemon.brume("account", *wrong)
