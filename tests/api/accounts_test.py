"""Accounts: the operator makes them, and they are apart (design, What never bends, 5)."""
import json
import subprocess

import boto3
import botocore.exceptions
import pytest

from conftest import Keys, instances_of, started_daemon, started_real_daemon, wait_until


def names(ec2):
    return {image["Name"] for image in ec2.describe_images()["Images"]}


def test_the_operator_makes_and_lists_accounts(daemon):
    made = daemon.create_account("a team")
    assert len(made.account) == 12 and made.account.isdigit() and made.key_id.startswith("AKIA") and len(made.key_id) == 20 and len(made.secret) == 40
    line = next(line for line in daemon.brume("account", "list").splitlines() if line.startswith(made.account))
    assert "a team" in line and made.key_id in line
    # A secret is shown to who makes the key, and in no list.
    assert made.secret not in daemon.brume("account", "list") and made.secret not in daemon.brume("account", "list", "--json")
    assert daemon.client("sts", made).get_caller_identity()["Account"] == made.account


def test_two_keys_and_no_third(daemon):
    made = daemon.create_account("keys")
    output = daemon.brume("account", "add-key", made.account)
    second = [line.split()[-1] for line in output.splitlines() if line.startswith("access key")]
    assert len(second) == 2 and made.key_id in second
    with pytest.raises(subprocess.CalledProcessError) as caught:
        daemon.brume("account", "add-key", made.account)
    assert "two access keys already" in caught.value.stderr
    daemon.brume("account", "delete-key", made.account, made.key_id)
    assert made.key_id not in daemon.brume("account", "list")
    daemon.brume("account", "add-key", made.account)


@pytest.mark.parametrize(
    "arguments",
    [("add-key", "999999999999"), ("delete-key", "123456789012", "AKIANOSUCHKEYEXAMPLE"), ("create", "x", "--id", "12"), ("create", "x", "--id", "123456789012"),
     ("create", "x", "--id", "12345678901x"), ("create", "x" * 129), ("create", "two\nlines"), ("create", "\x1b[2J"), ("create", b"\xff\xfe")],
    ids=lambda arguments: repr(arguments)[:60],
)
def test_what_the_operator_may_not(daemon, arguments):
    before = daemon.brume("account", "list")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        daemon.brume("account", *arguments)
    assert caught.value.stderr.strip() and daemon.brume("account", "list") == before


def test_a_key_of_another_account_is_not_deleted(daemon, other_account):
    made = daemon.create_account("victim")
    with pytest.raises(subprocess.CalledProcessError):
        daemon.brume("account", "delete-key", other_account.account, made.key_id)
    assert daemon.client("sts", made).get_caller_identity()["Account"] == made.account


def test_environment(daemon, other_account):
    assert f"AWS_SECRET_ACCESS_KEY={other_account.secret}\n" in daemon.brume("env", "--account", other_account.account)
    with pytest.raises(subprocess.CalledProcessError):
        daemon.brume("env", "--account", "999999999999")


def test_two_accounts_see_nothing_of_each_other(ec2, other, launch, refused):
    ec2.create_key_pair(KeyName="web", KeyType="ed25519")
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    one = launch(KeyName="web", SecurityGroupIds=[group], TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "mine"}]}])
    which, volume = one["InstanceId"], one["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert instances_of(other.describe_instances()) == [] and other.describe_volumes()["Volumes"] == [] and other.describe_key_pairs()["KeyPairs"] == []
    assert [each["GroupName"] for each in other.describe_security_groups()["SecurityGroups"]] == ["default"] and other.describe_tags()["Tags"] == []
    for action in (other.describe_instances, other.stop_instances, other.start_instances, other.reboot_instances, other.terminate_instances):
        with refused("InvalidInstanceID.NotFound"):
            action(InstanceIds=[which])
    with refused("InvalidInstanceID.NotFound"):
        other.get_console_output(InstanceId=which)
    with refused("InvalidVolume.NotFound"):
        other.describe_volumes(VolumeIds=[volume])
    launch_there = {"ImageId": one["ImageId"], "MinCount": 1, "MaxCount": 1}
    for code, more in [("InvalidKeyPair.NotFound", {"KeyName": "web"}), ("InvalidGroup.NotFound", {"SecurityGroupIds": [group]}),
                       ("InvalidSubnetID.NotFound", {"SubnetId": one["SubnetId"]}), ("InvalidGroup.NotFound", {"SecurityGroups": ["web"]})]:
        with refused(code):
            other.run_instances(**launch_there, **more)
    with refused("InvalidGroup.NotFound"):
        other.describe_security_groups(GroupIds=[group])
    with refused("InvalidInstanceID.NotFound"):
        other.create_tags(Resources=[which], Tags=[{"Key": "a", "Value": "b"}])
    # The same names and tokens are free there.
    other.create_key_pair(KeyName="web", KeyType="ed25519")
    other.create_security_group(GroupName="web", Description="d")
    assert instances_of(ec2.describe_instances())[0]["State"]["Name"] == "running" and len(ec2.describe_tags()["Tags"]) == 1


def test_images_of_the_operator(daemon, ec2, other, other_account, tmp_path):
    (tmp_path / "disk.raw").write_bytes(b"\0" * 65536)

    def bring_in(name, *options):
        daemon.brume("image", "import", str(tmp_path / "disk.raw"), "--name", name, *options)

    bring_in("of the first")
    bring_in("of the other", "--account", other_account.account)
    wait_until(lambda: "of the first" in names(ec2) and "of the other" in names(other))
    assert "of the other" not in names(ec2) and "of the first" not in names(other)
    assert {"tiny"} <= names(ec2) & names(other)


def test_an_unknown_account_has_nothing(daemon, ec2):
    stranger = Keys("", "AKIASTRANGEREXAMPLE0", "x")
    # Simulation knows strangers as the first account, and never as one that was made.
    assert daemon.client("sts", stranger).get_caller_identity()["Account"] == "123456789012"


def row(daemon, account):
    return next((line.split("\t") for line in daemon.brume("account", "list").splitlines() if line.startswith(account)), None)


def fails(daemon, *arguments):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        daemon.brume("account", *arguments)
    return caught.value.stderr


def test_what_each_uses(daemon, ami):
    made = daemon.create_account("user")
    assert row(daemon, made.account)[2:4] == ["user", "1 VPC"]
    client = daemon.client(keys=made)
    client.run_instances(ImageId=ami, MinCount=2, MaxCount=2, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5}}])
    client.allocate_address(Domain="vpc")
    volume = client.create_volume(AvailabilityZone="us-east-1a", Size=3)["VolumeId"]
    client.create_snapshot(VolumeId=volume)
    wait_until(lambda: {one["State"]["Name"] for one in instances_of(client.describe_instances())} == {"running"})
    assert row(daemon, made.account)[3] == "2 instances, 5 volumes (15 GiB), 1 snapshot, 1 address, 1 VPC"
    shown = next(one for one in json.loads(daemon.brume("account", "list", "--json")) if one["id"] == made.account)
    assert shown["uses"] == {"instances": 2, "volumes": 5, "volumeGib": 15, "snapshots": 1, "images": 0, "addresses": 1, "vpcs": 1} and shown["enabled"]


def test_another_name(daemon):
    made = daemon.create_account("old name")
    daemon.brume("account", "rename", made.account, "new name")
    assert row(daemon, made.account)[2] == "new name"
    for wrong in ("", "two\nlines", "x" * 129):
        assert "name" in fails(daemon, "rename", made.account, wrong)
    assert "no account" in fails(daemon, "rename", "999999999999", "x") and row(daemon, made.account)[2] == "new name"


def test_disabled_and_enabled_again(daemon, ami, refused):
    made = daemon.create_account("pausing")
    client = daemon.client(keys=made)
    which = client.run_instances(ImageId=ami, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    wait_until(lambda: instances_of(client.describe_instances())[0]["State"]["Name"] == "running")
    daemon.brume("account", "disable", made.account)
    assert row(daemon, made.account)[3].startswith("DISABLED, 1 instance")
    with refused("AuthFailure", 401):
        client.describe_instances()
    daemon.brume("account", "enable", made.account)
    (one,) = instances_of(client.describe_instances())
    assert (one["InstanceId"], one["State"]["Name"]) == (which, "running")  # it went on
    assert "no account" in fails(daemon, "disable", "999999999999")


def test_a_disabled_account_has_no_keys_that_are_good():
    with started_real_daemon() as daemon:
        made = daemon.create_account("pausing")
        client = daemon.client(keys=made)
        client.describe_regions()
        daemon.brume("account", "disable", made.account)
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            client.describe_regions()
        assert caught.value.response["Error"]["Code"] == "AuthFailure"
        daemon.brume("account", "enable", made.account)
        client.describe_regions()


def test_deleted_when_it_has_nothing(daemon, ami, refused):
    made = daemon.create_account("leaving")
    client = daemon.client(keys=made)
    which = client.run_instances(ImageId=ami, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    address = client.allocate_address(Domain="vpc")["AllocationId"]
    client.create_key_pair(KeyName="web", KeyType="ed25519")
    client.create_security_group(GroupName="web", Description="d")
    said = fails(daemon, "delete", made.account)
    assert "1 instances" in said and "1 addresses" in said
    client.describe_instances()  # nothing happened: its key is as good as before
    client.terminate_instances(InstanceIds=[which])
    client.release_address(AllocationId=address)
    wait_until(lambda: {one["State"]["Name"] for one in instances_of(client.describe_instances())} == {"terminated"})
    wait_until(lambda: not client.describe_volumes()["Volumes"])

    def deleted():
        try:
            daemon.brume("account", "delete", made.account)
        except subprocess.CalledProcessError as error:  # what its machine held is going
            assert "other things" in error.stderr
            return False
        return True

    wait_until(deleted)
    assert row(daemon, made.account) is None and "no account" in fails(daemon, "delete", made.account)
    # The key is nobody's now, and its number is free again, with nothing left of it.
    assert daemon.client("sts", made).get_caller_identity()["Account"] == "123456789012"
    again = daemon.brume("account", "create", "again", "--id", made.account)
    key = next(line.split()[-1] for line in again.splitlines() if line.startswith("access key"))
    client = daemon.client(keys=Keys(made.account, key, "x"))
    assert client.describe_key_pairs()["KeyPairs"] == [] and len(client.describe_security_groups()["SecurityGroups"]) == 1
    assert instances_of(client.describe_instances()) == []


def test_the_first_account_stays(daemon):
    assert "first one" in fails(daemon, "delete", "123456789012") and row(daemon, "123456789012") is not None
    assert daemon.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_accounts_of_all_regions_go_together(refused):
    with started_daemon("--region", "us-east-1", "--region", "eu-west-1") as daemon:
        made = daemon.create_account("leaving")
        here, there = (boto3.client("ec2", endpoint_url=daemon.endpoint, region_name=region, aws_access_key_id=made.key_id, aws_secret_access_key=made.secret)
                       for region in ("us-east-1", "eu-west-1"))
        address = there.allocate_address(Domain="vpc")["AllocationId"]
        assert row(daemon, made.account)[3] == "1 address, 2 VPCs"
        assert "eu-west-1" in fails(daemon, "delete", made.account)
        here.describe_vpcs()
        daemon.brume("account", "disable", made.account)
        with refused("AuthFailure", 401):
            there.describe_vpcs()
        daemon.brume("account", "enable", made.account)
        there.release_address(AllocationId=address)
        daemon.brume("account", "delete", made.account)
        assert there.describe_vpcs()["Vpcs"][0]["OwnerId"] == "123456789012"  # the key is nobody's there either
