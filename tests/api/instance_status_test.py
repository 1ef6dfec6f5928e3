"""DescribeInstanceStatus and ReportInstanceStatus."""
import datetime

import pytest

from conftest import NEW, started_daemon, wait_until

MISSING = "i-0123456789abcdef0"
QUICK = {"Delay": 0.05, "MaxAttempts": 200}


def statuses(ec2, **parameters):
    return ec2.describe_instance_status(**parameters)["InstanceStatuses"]


def named(ec2, name, *values, **more):
    return sorted(one["InstanceId"] for one in statuses(ec2, Filters=[{"Name": name, "Values": list(values)}], **more))


def test_a_guest_initializes_then_is_well(ec2, launch):
    one = launch()
    (fresh,) = statuses(ec2)
    assert fresh["InstanceId"] == one["InstanceId"] and fresh["InstanceState"] == {"Code": 16, "Name": "running"} and fresh["Events"] == []
    assert fresh["AvailabilityZone"] == one["Placement"]["AvailabilityZone"]
    assert fresh["InstanceStatus"] == fresh["SystemStatus"] == {"Status": "initializing", "Details": [{"Name": "reachability", "Status": "initializing"}]}
    ec2.get_waiter("instance_status_ok").wait(InstanceIds=[one["InstanceId"]], WaiterConfig=QUICK)
    ec2.get_waiter("system_status_ok").wait(InstanceIds=[one["InstanceId"]], WaiterConfig=QUICK)
    (well,) = statuses(ec2)
    assert well["InstanceStatus"] == well["SystemStatus"] == {"Status": "ok", "Details": [{"Name": "reachability", "Status": "passed"}]}


def test_how_long_a_guest_initializes_is_the_operators(refused):
    with started_daemon("--status-checks-after", "0") as daemon:
        ec2 = daemon.client()
        wait_until(lambda: {one["State"] for one in ec2.describe_images()["Images"]} == {"available"})
        ec2.run_instances(ImageId=ec2.describe_images()["Images"][0]["ImageId"], MinCount=1, MaxCount=1)
        wait_until(lambda: statuses(ec2))
        assert statuses(ec2)[0]["InstanceStatus"]["Status"] == "ok"


def test_only_running_ones_unless_all_are_asked_for(ec2, launch, in_state):
    up, down = launch()["InstanceId"], launch()["InstanceId"]
    ec2.stop_instances(InstanceIds=[down])
    in_state("stopped", down)
    assert [one["InstanceId"] for one in statuses(ec2)] == [up]
    assert statuses(ec2, InstanceIds=[down]) == []
    (stopped,) = statuses(ec2, InstanceIds=[down], IncludeAllInstances=True)
    assert stopped["InstanceState"] == {"Code": 80, "Name": "stopped"}
    assert stopped["InstanceStatus"]["Status"] == stopped["SystemStatus"]["Status"] == "not-applicable"
    assert sorted(one["InstanceId"] for one in statuses(ec2, IncludeAllInstances=True)) == sorted([up, down])


def test_filters(ec2, launch, in_state, refused):
    a = launch(Placement={"AvailabilityZone": "us-east-1a"})["InstanceId"]
    b = launch(Placement={"AvailabilityZone": "us-east-1b"})["InstanceId"]
    ec2.stop_instances(InstanceIds=[b])
    in_state("stopped", b)
    wait_until(lambda: named(ec2, "instance-status.status", "ok") == [a])
    both, only_a, only_b = sorted([a, b]), [a], [b]
    for name, values, expected in [
        ("availability-zone", ["us-east-1b"], only_b), ("availability-zone-id", ["use1-az1"], only_a), ("instance-state-name", ["stopped"], only_b),
        ("instance-state-code", ["16", "80"], both), ("instance-status.status", ["not-applicable"], only_b), ("system-status.status", ["ok"], only_a),
        ("instance-status.reachability", ["passed"], only_a), ("system-status.reachability", ["*"], only_a), ("attached-ebs-status.status", ["ok"], only_a),
        ("event.code", ["*"], []), ("event.description", ["*"], []), ("event.instance-event-id", ["*"], []), ("event.not-after", ["*"], []),
        ("event.not-before", ["*"], []), ("event.not-before-deadline", ["*"], []), ("operator.managed", ["false"], both), ("operator.principal", ["*"], []),
    ]:
        assert named(ec2, name, *values, IncludeAllInstances=True) == expected, name
    with refused("InvalidParameterValue"):
        named(ec2, "colour", "red")


def test_ids_and_pages(ec2, ami, in_state, refused):
    made = sorted(one["InstanceId"] for one in ec2.run_instances(ImageId=ami, MinCount=7, MaxCount=7)["Instances"])
    in_state("running", *made)
    pages = list(ec2.get_paginator("describe_instance_status").paginate(PaginationConfig={"PageSize": 5}))
    assert [[one["InstanceId"] for one in page["InstanceStatuses"]] for page in pages] == [made[:5], made[5:]]
    with refused("InvalidParameterValue"):
        statuses(ec2, MaxResults=4)
    with refused("InvalidNextToken"):
        statuses(ec2, NextToken="x")
    with refused("InvalidParameterCombination"):
        statuses(ec2, InstanceIds=made[:1], MaxResults=5)
    with refused("InvalidParameterValue"):
        statuses(ec2, InstanceIds=[f"i-{number:017x}" for number in range(101)])
    with refused("InvalidInstanceID.NotFound"):
        statuses(ec2, InstanceIds=[MISSING])
    with refused("InvalidInstanceID.Malformed"):
        statuses(ec2, InstanceIds=["i-x"])


def test_status_checks_came_after_the_guide(query, launch):
    which = launch()["InstanceId"]
    then, now = query("DescribeInstanceStatus"), query("DescribeInstanceStatus", version=NEW)
    assert [child.tag for child in then.tree.find("instanceStatusSet/item")] == ["instanceId", "availabilityZone", "eventsSet", "instanceState"]
    assert then.texts("instanceStatusSet/item/instanceId") == [which]
    assert now.texts(".//systemStatus/status") and now.texts(".//attachedEbsStatus/status")


def test_a_report_is_taken_and_changes_nothing(ec2, launch, in_state, refused, query):
    which = launch()["InstanceId"]
    report = {"Instances": [which], "Status": "impaired", "ReasonCodes": ["unresponsive", "other"]}
    since = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
    ec2.report_instance_status(**report, StartTime=since, Description="does not answer")
    assert statuses(ec2)[0]["InstanceStatus"]["Status"] in ("initializing", "ok")
    for wrong in ({"Status": "tired"}, {"ReasonCodes": ["unresponsive", "bored"]}):
        with refused("InvalidParameterValue"):
            ec2.report_instance_status(**{**report, **wrong})
    with refused("InvalidParameterCombination"):
        ec2.report_instance_status(**report, StartTime=since, EndTime=since - datetime.timedelta(days=1))
    with refused("InvalidInstanceID.NotFound"):
        ec2.report_instance_status(**{**report, "Instances": [MISSING]})
    with refused("DryRunOperation", 412):
        ec2.report_instance_status(**report, DryRun=True)
    assert query("ReportInstanceStatus", InstanceId=which, Status="ok").code == "MissingParameter"
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    with refused("IncorrectInstanceState"):
        ec2.report_instance_status(**report)
