"""What instances show, as far as simulated ones do (INS-073, INS-086)."""
import base64

import pytest

MISSING = "i-0123456789abcdef0"


@pytest.mark.parametrize("action", ["get_console_output", "get_console_screenshot", "get_password_data", "get_instance_uefi_data"])
def test_instances_that_are_not_there(ec2, ami, refused, action):
    with refused("InvalidInstanceID.NotFound"):
        getattr(ec2, action)(InstanceId=MISSING)
    with refused("InvalidInstanceID.Malformed"):
        getattr(ec2, action)(InstanceId="i-x")


@pytest.mark.parametrize("action", ["GetConsoleOutput", "GetConsoleScreenshot", "GetPasswordData"])
def test_an_id_is_needed(query, action):
    assert query(action).code == "MissingParameter"


def test_the_newest_output_and_none_other(ec2, launch, in_state):
    which = launch()["InstanceId"]
    shown = ec2.get_console_output(InstanceId=which)["Output"]
    assert which in shown and ec2.get_console_output(InstanceId=which, Latest=True)["Output"] == shown
    ec2.terminate_instances(InstanceIds=[which])
    in_state("terminated", which)
    assert ec2.get_console_output(InstanceId=which)["Output"] == shown  # kept after its death


def test_there_are_no_uefi_variables(ec2, launch):
    """Guests boot by legacy BIOS."""
    one = launch()
    answer = ec2.get_instance_uefi_data(InstanceId=one["InstanceId"])
    assert answer["InstanceId"] == one["InstanceId"] and "UefiData" not in answer


def test_a_screenshot(ec2, launch, in_state, refused):
    which = launch()["InstanceId"]
    for more in ({}, {"WakeUp": True}):
        answer = ec2.get_console_screenshot(InstanceId=which, **more)
        picture = base64.b64decode(answer["ImageData"])
        assert answer["InstanceId"] == which and picture[:3] == b"\xff\xd8\xff" and picture[-2:] == b"\xff\xd9"
    with refused("DryRunOperation", 412):
        ec2.get_console_screenshot(InstanceId=which, DryRun=True)
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    with refused("IncorrectInstanceState"):
        ec2.get_console_screenshot(InstanceId=which)


def test_who_posts_no_password_has_none(ec2, launch, query):
    one = launch()
    answer = ec2.get_password_data(InstanceId=one["InstanceId"])
    assert (answer["InstanceId"], answer["PasswordData"], answer["Timestamp"]) == (one["InstanceId"], "", one["LaunchTime"])
    then = query("GetPasswordData", InstanceId=one["InstanceId"])
    assert [child.tag for child in then.tree] == ["requestId", "instanceId", "timestamp", "passwordData"]
