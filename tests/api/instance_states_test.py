"""Stopping, starting, rebooting and terminating (INS-039 to INS-043, INS-049)."""
import pathlib
import re

import pytest

from conftest import NEW, OLD, instances_of, wait_until

SHUTDOWN = {"Code": "Client.UserInitiatedShutdown", "Message": "Client.UserInitiatedShutdown: User initiated shutdown"}


def change(answer, name):
    return [(one["PreviousState"]["Name"], one["CurrentState"]["Name"]) for one in answer[name]]


def test_stop_and_start(ec2, launch, in_state):
    one = launch()
    which = one["InstanceId"]
    stopping = ec2.stop_instances(InstanceIds=[which])["StoppingInstances"]
    assert stopping == [{"InstanceId": which, "PreviousState": {"Code": 16, "Name": "running"}, "CurrentState": {"Code": 64, "Name": "stopping"}}]
    (stopped,) = in_state("stopped", which)
    assert stopped["State"]["Code"] == 80 and stopped["StateReason"] == SHUTDOWN
    assert re.fullmatch(r"User initiated \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)", stopped["StateTransitionReason"])
    # No address of the world's while nothing runs; its own and the disk stay.
    assert "PublicIpAddress" not in stopped and stopped["PublicDnsName"] == ""
    assert stopped["PrivateIpAddress"] == one["PrivateIpAddress"] and stopped["BlockDeviceMappings"] == one["BlockDeviceMappings"]
    assert change(ec2.stop_instances(InstanceIds=[which]), "StoppingInstances") == [("stopped", "stopped")]
    starting = ec2.start_instances(InstanceIds=[which])
    assert change(starting, "StartingInstances") == [("stopped", "pending")]
    (again,) = in_state("running", which)
    assert again["StateTransitionReason"] == "" and "StateReason" not in again
    assert again["PublicIpAddress"] and again["PrivateIpAddress"] == one["PrivateIpAddress"] and again["LaunchTime"] > one["LaunchTime"]
    assert change(ec2.start_instances(InstanceIds=[which]), "StartingInstances") == [("running", "running")]


def test_force_says_so(ec2, launch, in_state):
    which = launch()["InstanceId"]
    ec2.stop_instances(InstanceIds=[which], Force=True)
    assert in_state("stopped", which)[0]["StateReason"]["Code"].startswith("Client.UserInitiated")


def test_terminate(ec2, launch, in_state):
    one = launch()
    which = one["InstanceId"]
    gone = ec2.terminate_instances(InstanceIds=[which])["TerminatingInstances"]
    assert gone == [{"InstanceId": which, "PreviousState": {"Code": 16, "Name": "running"}, "CurrentState": {"Code": 32, "Name": "shutting-down"}}]
    (shown,) = in_state("terminated", which)
    assert shown["State"]["Code"] == 48 and shown["StateReason"] == SHUTDOWN and shown["StateTransitionReason"].startswith("User initiated (")
    for member in ("PublicIpAddress", "PrivateIpAddress", "SubnetId", "VpcId"):
        assert member not in shown
    assert shown["NetworkInterfaces"] == [] and shown["BlockDeviceMappings"] == [] and shown["PrivateDnsName"] == ""
    wait_until(lambda: ec2.describe_volumes()["Volumes"] == [])
    assert change(ec2.terminate_instances(InstanceIds=[which]), "TerminatingInstances") == [("terminated", "terminated")]
    # The address may be had again.
    wait_until(lambda: ec2.describe_subnets(SubnetIds=[one["SubnetId"]])["Subnets"][0]["AvailableIpAddressCount"] == 4091)


def test_a_stopped_instance_may_be_terminated(ec2, launch, in_state):
    which = launch()["InstanceId"]
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    assert change(ec2.terminate_instances(InstanceIds=[which]), "TerminatingInstances") == [("stopped", "shutting-down")]
    in_state("terminated", which)


def test_states_that_do_not_allow_it(ec2, launch, in_state, refused):
    which = launch()["InstanceId"]
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    with refused("IncorrectInstanceState"):
        ec2.reboot_instances(InstanceIds=[which])
    ec2.terminate_instances(InstanceIds=[which])
    in_state("terminated", which)
    for action in (ec2.start_instances, ec2.stop_instances, ec2.reboot_instances):
        with refused("IncorrectInstanceState"):
            action(InstanceIds=[which])


def test_all_or_none(ec2, launch, in_state, refused):
    up, down = launch()["InstanceId"], launch()["InstanceId"]
    ec2.stop_instances(InstanceIds=[down])
    in_state("stopped", down)
    with refused("IncorrectInstanceState"):
        ec2.reboot_instances(InstanceIds=[up, down])
    ec2.terminate_instances(InstanceIds=[down])
    in_state("terminated", down)
    with refused("IncorrectInstanceState"):
        ec2.stop_instances(InstanceIds=[up, down])
    in_state("running", up)


def test_reboot(ec2, launch, in_state, query):
    one = launch()
    assert ec2.reboot_instances(InstanceIds=[one["InstanceId"]])["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert query("RebootInstances", InstanceId=one["InstanceId"]).texts("return") == ["true"]
    (after,) = in_state("running", one["InstanceId"])
    assert after["PublicIpAddress"] == one["PublicIpAddress"] and after["LaunchTime"] == one["LaunchTime"]


def test_termination_protection(ec2, launch, in_state, refused):
    zone = {"AvailabilityZone": "us-east-1a"}
    kept, other = launch(DisableApiTermination=True, Placement=zone)["InstanceId"], launch(Placement=zone)["InstanceId"]
    with refused("OperationNotPermitted"):
        ec2.terminate_instances(InstanceIds=[other, kept])
    in_state("running", kept, other)
    assert change(ec2.stop_instances(InstanceIds=[kept]), "StoppingInstances") == [("running", "stopping")]


def test_protection_in_one_zone_does_not_hold_for_another(ec2, launch, in_state, refused):
    kept = launch(DisableApiTermination=True, Placement={"AvailabilityZone": "us-east-1a"})["InstanceId"]
    beside = launch(Placement={"AvailabilityZone": "us-east-1a"})["InstanceId"]
    away = launch(Placement={"AvailabilityZone": "us-east-1b"})["InstanceId"]
    with refused("OperationNotPermitted"):
        ec2.terminate_instances(InstanceIds=[beside, away, kept], DryRun=True)
    in_state("running", kept, beside, away)
    with refused("OperationNotPermitted"):
        ec2.terminate_instances(InstanceIds=[beside, away, kept])
    in_state("terminated", away)
    in_state("running", kept, beside)
    ec2.modify_instance_attribute(InstanceId=kept, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[beside, away, kept])
    in_state("terminated", beside, away, kept)


def test_stop_protection(ec2, launch, in_state, refused):
    which = launch(DisableApiStop=True)["InstanceId"]
    with refused("OperationNotPermitted"):
        ec2.stop_instances(InstanceIds=[which])
    # Who must not be stopped must not be ended either.
    with refused("OperationNotPermitted"):
        ec2.terminate_instances(InstanceIds=[which])
    in_state("running", which)
    ec2.modify_instance_attribute(InstanceId=which, DisableApiStop={"Value": False})
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)


def test_hibernation_is_refused(ec2, launch, in_state, refused):
    which = launch()["InstanceId"]
    with refused("UnsupportedHibernationConfiguration"):
        ec2.stop_instances(InstanceIds=[which], Hibernate=True)
    in_state("running", which)


def test_dry_run_changes_nothing(ec2, launch, in_state, refused):
    which = launch()["InstanceId"]
    for action in (ec2.stop_instances, ec2.reboot_instances, ec2.terminate_instances, ec2.start_instances):
        with refused("DryRunOperation", 412):
            action(InstanceIds=[which], DryRun=True)
    assert [one["State"]["Name"] for one in instances_of(ec2.describe_instances())] == ["running"]


def test_waiters(ec2, ami):
    quick = {"Delay": 0.02, "MaxAttempts": 400}
    which = [one["InstanceId"] for one in ec2.run_instances(ImageId=ami, MinCount=2, MaxCount=2)["Instances"]]
    ec2.get_waiter("instance_running").wait(InstanceIds=which, WaiterConfig=quick)
    ec2.stop_instances(InstanceIds=which)
    ec2.get_waiter("instance_stopped").wait(InstanceIds=which, WaiterConfig=quick)
    ec2.terminate_instances(InstanceIds=which)
    ec2.get_waiter("instance_terminated").wait(InstanceIds=which, WaiterConfig=quick)


def test_console_output(ec2, launch, refused, query):
    which = launch()["InstanceId"]
    shown = ec2.get_console_output(InstanceId=which)
    assert shown["InstanceId"] == which and shown["Timestamp"] and isinstance(shown.get("Output", ""), str)
    with refused("InvalidInstanceID.NotFound"):
        ec2.get_console_output(InstanceId="i-0123456789abcdef0")
    with refused("InvalidInstanceID.Malformed"):
        ec2.get_console_output(InstanceId="i-x")
    assert query("GetConsoleOutput").code == "MissingParameter"


@pytest.mark.parametrize("action", ["StartInstances", "StopInstances", "RebootInstances", "TerminateInstances", "MonitorInstances", "UnmonitorInstances"])
def test_no_id(query, action):
    """Scripts meet it when a list that they computed is empty."""
    for version in (OLD, NEW):
        answer = query(action, version)
        assert (answer.status, answer.code, answer.texts(".//Message")) == (400, "InvalidParameterCombination", ["No instances specified"])


def test_an_index_from_zero(query, launch):
    """The guide's own example counts from 0 (OPS-081), and another gives a lone id without a number."""
    which = launch()["InstanceId"]
    assert query("DescribeInstances", parameters={"InstanceId.0": which}).texts(".//instanceId") == [which]
    assert query("DescribeInstances", InstanceId=which).texts(".//instanceId") == [which]


def test_who_changed_what_is_always_in_the_operators_log(daemon, ec2, launch, in_state):
    which = launch()["InstanceId"]
    ec2.reboot_instances(InstanceIds=[which])
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    ec2.stop_instances(InstanceIds=[which])  # changes nothing
    ec2.start_instances(InstanceIds=[which])
    in_state("running", which)
    ec2.terminate_instances(InstanceIds=[which])
    log = pathlib.Path(daemon.home).parent.joinpath("log").read_text()
    lines = [line for line in log.splitlines() if " info audit: " in line and which in line]
    key = ec2._request_signer._credentials.access_key
    pattern = rf" info audit: action=(\w+) account=\d{{12}} key={key} instances={which}$"
    assert [re.search(pattern, line).group(1) for line in lines] == [
        "RunInstances", "RebootInstances", "StopInstances", "StartInstances", "TerminateInstances"
    ]
