"""Accounts: the operator makes them, and they are apart (design, What never bends, 5)."""
import subprocess

import pytest

from conftest import Keys, instances_of, wait_until


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
