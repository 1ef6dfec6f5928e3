"""Monitoring, metadata options, placement, credits, maintenance and names of existing instances."""
import pytest

from capacity_test import cloud
from conftest import NEW, instances_of

MISSING = "i-0123456789abcdef0"


@pytest.fixture
def stopped(ec2, launch, in_state):
    which = launch()["InstanceId"]
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    return which


@pytest.fixture
def terminated(ec2, launch, in_state):
    which = launch()["InstanceId"]
    ec2.terminate_instances(InstanceIds=[which])
    in_state("terminated", which)
    return which


def shown(ec2, which):
    return instances_of(ec2.describe_instances(InstanceIds=[which]))[0]


CALLS = [
    ("monitor_instances", {"InstanceIds": "ID"}), ("unmonitor_instances", {"InstanceIds": "ID"}),
    ("modify_instance_metadata_options", {"InstanceId": "ID", "HttpTokens": "required"}),
    ("modify_instance_placement", {"InstanceId": "ID", "Tenancy": "default"}),
    ("modify_instance_maintenance_options", {"InstanceId": "ID", "AutoRecovery": "disabled"}),
    ("modify_private_dns_name_options", {"InstanceId": "ID", "PrivateDnsHostnameType": "ip-name"}),
    ("modify_instance_capacity_reservation_attributes",
     {"InstanceId": "ID", "CapacityReservationSpecification": {"CapacityReservationPreference": "none"}}),
]


def call(ec2, action, parameters, which):
    filled = {name: ([which] if name == "InstanceIds" else which) if value == "ID" else value for name, value in parameters.items()}
    return getattr(ec2, action)(**filled)


@pytest.mark.parametrize("action, parameters", CALLS)
def test_instances_that_are_not_there_or_no_more(ec2, terminated, refused, action, parameters):
    with refused("InvalidInstanceID.NotFound"):
        call(ec2, action, parameters, MISSING)
    with refused("InvalidInstanceID.Malformed"):
        call(ec2, action, parameters, "i-1")
    with refused("IncorrectInstanceState"):
        call(ec2, action, parameters, terminated)


def test_monitoring(ec2, launch, refused, query):
    which = [launch()["InstanceId"], launch()["InstanceId"]]
    answer = ec2.monitor_instances(InstanceIds=which)["InstanceMonitorings"]
    assert answer == [{"InstanceId": each, "Monitoring": {"State": "enabled"}} for each in which]
    assert shown(ec2, which[0])["Monitoring"]["State"] == "enabled"
    ec2.unmonitor_instances(InstanceIds=which[:1])
    assert [shown(ec2, each)["Monitoring"]["State"] for each in which] == ["disabled", "enabled"]
    assert query("MonitorInstances").code == "InvalidParameterCombination"
    then = query("UnmonitorInstances", parameters={"InstanceId.1": which[1]})
    assert then.texts("instancesSet/item/monitoring/state") == ["disabled"]
    with refused("DryRunOperation", 412):
        ec2.monitor_instances(InstanceIds=which, DryRun=True)
    assert shown(ec2, which[0])["Monitoring"]["State"] == "disabled"


def test_metadata_options(ec2, launch, refused):
    which = launch()["InstanceId"]
    answer = ec2.modify_instance_metadata_options(InstanceId=which, HttpTokens="required", HttpPutResponseHopLimit=3, InstanceMetadataTags="enabled")
    assert answer["InstanceId"] == which
    assert answer["InstanceMetadataOptions"] == {"State": "applied", "HttpTokens": "required", "HttpPutResponseHopLimit": 3, "HttpEndpoint": "enabled",
                                                 "HttpProtocolIpv6": "disabled", "InstanceMetadataTags": "enabled"}
    ec2.modify_instance_metadata_options(InstanceId=which, HttpEndpoint="disabled")
    options = shown(ec2, which)["MetadataOptions"]
    assert (options["HttpEndpoint"], options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("disabled", "required", 3)
    for wrong in ({"HttpTokens": "maybe"}, {"HttpEndpoint": "on"}, {"InstanceMetadataTags": "yes"}, {"HttpPutResponseHopLimit": 0},
                  {"HttpPutResponseHopLimit": 65}, {"HttpProtocolIpv6": "x"}):
        with refused("InvalidParameterValue"):
            ec2.modify_instance_metadata_options(InstanceId=which, **wrong)
    with refused("UnsupportedOperation"):
        ec2.modify_instance_metadata_options(InstanceId=which, HttpProtocolIpv6="enabled")
    with refused("InvalidParameterCombination"):
        ec2.modify_instance_metadata_options(InstanceId=which)


def test_metadata_defaults_of_an_account(query, launch):
    """Newer than Debian's boto3: asked by hand."""

    def ask(**parameters):
        return query("ModifyInstanceMetadataDefaults", version=NEW, **parameters)

    def defaults():
        (level,) = query("GetInstanceMetadataDefaults", version=NEW).tree.iterfind("accountLevel")
        return {child.tag: child.text for child in level}

    try:
        assert ask(HttpTokens="required", HttpPutResponseHopLimit="2", InstanceMetadataTags="enabled").texts("return") == ["true"]
        assert defaults() == {"httpTokens": "required", "httpPutResponseHopLimit": "2", "instanceMetadataTags": "enabled", "managedBy": "account"}
        options = launch()["MetadataOptions"]
        assert (options["HttpTokens"], options["HttpPutResponseHopLimit"], options["InstanceMetadataTags"]) == ("required", 2, "enabled")
        options = launch(MetadataOptions={"HttpTokens": "optional"})["MetadataOptions"]
        assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("optional", 2)
        for wrong in ({"HttpTokens": "maybe"}, {"HttpEndpoint": "on"}, {"InstanceMetadataTags": "x"}, {"HttpPutResponseHopLimit": "0"}, {"HttpPutResponseHopLimit": "65"}):
            assert ask(**wrong).code == "InvalidParameterValue", wrong
        assert ask(HttpTokensEnforced="enabled").code == "UnsupportedOperation"
        assert ask().code == "InvalidParameterCombination"
    finally:
        ask(HttpTokens="no-preference", HttpPutResponseHopLimit="-1", InstanceMetadataTags="no-preference", HttpEndpoint="no-preference")
    assert defaults() == {"managedBy": "account"}
    assert launch()["MetadataOptions"]["HttpTokens"] == "optional"


def test_placement(ec2, launch, stopped, refused):
    assert ec2.modify_instance_placement(InstanceId=stopped, Tenancy="default", Affinity="default")["Return"] is True
    for parameters, code in [({"Tenancy": "dedicated"}, "InvalidTenancy"), ({"Tenancy": "host"}, "InvalidTenancy"),
                             ({"Tenancy": "mine"}, "InvalidParameterValue"), ({"Affinity": "near"}, "InvalidParameterValue"),
                             ({"Affinity": "host"}, "UnsupportedOperation"), ({"HostId": "h-0123456789abcdef0"}, "InvalidHostID.NotFound"),
                             ({"HostId": "x"}, "InvalidHostID.Malformed"), ({"HostResourceGroupArn": "arn:aws:x"}, "UnsupportedOperation"), ({}, "InvalidParameterCombination")]:
        with refused(code):
            ec2.modify_instance_placement(InstanceId=stopped, **parameters)
    running = launch()["InstanceId"]
    ec2.create_placement_group(GroupName="apart", Strategy="spread")
    for parameters in ({"Tenancy": "default"}, {"GroupName": "apart"}, {"GroupName": ""}, {"PartitionNumber": 1}):
        with refused("IncorrectInstanceState"):
            ec2.modify_instance_placement(InstanceId=running, **parameters)
    assert ec2.modify_instance_placement(InstanceId=running, Affinity="default")["Return"] is True


def test_into_a_placement_group_and_out_of_it(ec2, launch, stopped, in_state, refused):
    group = ec2.create_placement_group(GroupName="parts", Strategy="partition", PartitionCount=3)["PlacementGroup"]["GroupId"]
    ec2.create_placement_group(GroupName="apart", Strategy="spread")
    ec2.create_placement_group(GroupName="near", Strategy="cluster")

    def place(**parameters):
        ec2.modify_instance_placement(InstanceId=stopped, **parameters)
        found = shown(ec2, stopped)["Placement"]
        return found["GroupName"], found.get("GroupId"), found.get("PartitionNumber")

    def matching(name, value):
        return [one["InstanceId"] for one in instances_of(ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}]))]

    taken = launch(Placement={"GroupName": "parts", "PartitionNumber": 1})["InstanceId"]
    assert place(GroupName="parts") == ("parts", group, 2)  # the first that is empty
    assert place(PartitionNumber=3) == ("parts", group, 3)
    assert place(GroupName="parts") == ("parts", group, 3)  # where it is
    assert matching("placement-group-name", "parts") == sorted([taken, stopped])
    assert matching("placement-partition-number", "3") == [stopped] and matching("placement-partition-number", "1") == [taken]
    with refused("InvalidPlacementGroup.InUse"):
        ec2.delete_placement_group(GroupName="parts")
    ec2.start_instances(InstanceIds=[stopped])
    in_state("running", stopped)
    ec2.stop_instances(InstanceIds=[stopped])
    in_state("stopped", stopped)
    assert place(GroupName="apart")[::2] == ("apart", None)
    assert place(GroupId=group, PartitionNumber=1) == ("parts", group, 1)
    for code, parameters in [
        ("InvalidParameterValue", {"PartitionNumber": 4}), ("InvalidParameterValue", {"PartitionNumber": 0}),
        ("InvalidParameterCombination", {"GroupName": "apart", "PartitionNumber": 1}), ("InvalidParameterCombination", {"GroupName": "", "PartitionNumber": 1}),
        ("InvalidParameterCombination", {"GroupName": "near"}),  # its type is for no cluster
        ("InvalidParameterCombination", {"GroupName": "apart", "GroupId": group}), ("InvalidPlacementGroup.Unknown", {"GroupName": "far"}),
        ("InvalidPlacementGroupId.Malformed", {"GroupId": "pg-1"}),
    ]:
        with refused(code):
            place(**parameters)
    assert place(GroupName="") == ("", None, None)
    with refused("InvalidParameterCombination"):
        place(PartitionNumber=1)
    assert matching("placement-partition-number", "*") == [taken]


def test_a_start_keeps_to_the_rules_of_the_group(refused):
    """On one host a spread group has room for one."""
    with cloud("--guest-memory", "100000") as one:
        one.ec2.create_placement_group(GroupName="apart", Strategy="spread")
        first, second = one.run(2)
        for which in (first, second):
            one.settled("running", [which])
            one.ec2.stop_instances(InstanceIds=[which])
            one.settled("stopped", [which])
            one.ec2.modify_instance_placement(InstanceId=which, GroupName="apart")
        one.ec2.start_instances(InstanceIds=[first])
        with refused("InsufficientInstanceCapacity", 500):
            one.ec2.start_instances(InstanceIds=[second])
        one.ec2.modify_instance_placement(InstanceId=second, GroupName="")
        one.ec2.start_instances(InstanceIds=[second])


def test_credits(ec2, launch, stopped, terminated, refused):
    t2, t3, m5 = launch()["InstanceId"], launch(InstanceType="t3.micro")["InstanceId"], launch(InstanceType="m5.large")["InstanceId"]

    def credits(**parameters):
        return {one["InstanceId"]: one["CpuCredits"] for one in ec2.describe_instance_credit_specifications(**parameters)["InstanceCreditSpecifications"]}

    assert credits(InstanceIds=[t2, t3]) == {t2: "standard", t3: "unlimited"}
    assert credits() == {t3: "unlimited"}
    answer = ec2.modify_instance_credit_specification(InstanceCreditSpecifications=[
        {"InstanceId": each, "CpuCredits": "unlimited"} for each in (t2, stopped, m5, terminated, MISSING, "i-x")])
    assert [one["InstanceId"] for one in answer["SuccessfulInstanceCreditSpecifications"]] == [t2, stopped]
    assert {one["InstanceId"]: one["Error"]["Code"] for one in answer["UnsuccessfulInstanceCreditSpecifications"]} == {
        m5: "InstanceCreditSpecification.NotSupported", terminated: "IncorrectInstanceState", MISSING: "InvalidInstanceID.NotFound",
        "i-x": "InvalidInstanceID.Malformed"}
    assert all(one["Error"]["Message"] for one in answer["UnsuccessfulInstanceCreditSpecifications"])
    ec2.modify_instance_credit_specification(InstanceCreditSpecifications=[{"InstanceId": t2, "CpuCredits": "standard"}])
    # What once was unlimited is listed, too.
    assert credits() == {t2: "standard", t3: "unlimited", stopped: "unlimited"}
    assert credits(Filters=[{"Name": "instance-id", "Values": [t3]}]) == {t3: "unlimited"}
    with refused("InvalidParameterValue"):
        ec2.modify_instance_credit_specification(InstanceCreditSpecifications=[{"InstanceId": t2, "CpuCredits": "some"}])
    with refused("MissingParameter"):
        ec2.modify_instance_credit_specification(InstanceCreditSpecifications=[{"InstanceId": t2}])
    with refused("InstanceCreditSpecification.NotSupported"):
        credits(InstanceIds=[m5])
    with refused("InvalidInstanceID.NotFound"):
        credits(InstanceIds=[MISSING])
    with refused("InvalidParameterCombination"):
        credits(InstanceIds=[t2], MaxResults=5)
    with refused("InvalidParameterValue"):
        credits(Filters=[{"Name": "colour", "Values": ["red"]}])


def test_maintenance_options(ec2, launch, refused):
    which = launch()["InstanceId"]
    answer = ec2.modify_instance_maintenance_options(InstanceId=which, AutoRecovery="disabled")
    assert (answer["InstanceId"], answer["AutoRecovery"]) == (which, "disabled")
    assert shown(ec2, which)["MaintenanceOptions"]["AutoRecovery"] == "disabled"
    with refused("InvalidParameterValue"):
        ec2.modify_instance_maintenance_options(InstanceId=which, AutoRecovery="sometimes")
    with refused("InvalidParameterCombination"):
        ec2.modify_instance_maintenance_options(InstanceId=which)


def test_private_names(ec2, launch, refused):
    which = launch()["InstanceId"]
    assert ec2.modify_private_dns_name_options(InstanceId=which, PrivateDnsHostnameType="ip-name", EnableResourceNameDnsARecord=False)["Return"] is True
    for wanted in ({"PrivateDnsHostnameType": "resource-name"}, {"EnableResourceNameDnsARecord": True}, {"EnableResourceNameDnsAAAARecord": True}):
        with refused("UnsupportedOperation"):
            ec2.modify_private_dns_name_options(InstanceId=which, **wanted)
    with refused("InvalidParameterValue"):
        ec2.modify_private_dns_name_options(InstanceId=which, PrivateDnsHostnameType="nickname")
    with refused("InvalidParameterCombination"):
        ec2.modify_private_dns_name_options(InstanceId=which)
    assert shown(ec2, which)["PrivateDnsNameOptions"]["HostnameType"] == "ip-name"


def test_capacity_reservations(ec2, stopped, launch, refused):
    def ask(which=stopped, **specification):
        return ec2.modify_instance_capacity_reservation_attributes(InstanceId=which, CapacityReservationSpecification=specification)

    assert shown(ec2, stopped)["CapacityReservationSpecification"] == {"CapacityReservationPreference": "open"}
    assert ask(CapacityReservationPreference="none")["Return"] is True
    assert shown(ec2, stopped)["CapacityReservationSpecification"] == {"CapacityReservationPreference": "none"}
    for specification, code in [({"CapacityReservationPreference": "some"}, "InvalidParameterValue"), ({"CapacityReservationTarget": {}}, "UnsupportedOperation"),
                                ({"CapacityReservationTarget": {"CapacityReservationId": "cr-0123456789abcdef0"}}, "InvalidCapacityReservationId.NotFound"),
                                ({"CapacityReservationTarget": {"CapacityReservationId": "x"}}, "InvalidCapacityReservationId.Malformed")]:
        with refused(code if "Target" not in str(specification) or specification["CapacityReservationTarget"] else "MissingParameter"):
            ask(**specification)
    with refused("IncorrectInstanceState"):
        ask(launch()["InstanceId"], CapacityReservationPreference="none")
