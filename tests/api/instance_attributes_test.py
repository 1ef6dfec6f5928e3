"""DescribeInstanceAttribute, ModifyInstanceAttribute, ResetInstanceAttribute (INS-051), in both ways of asking."""
import base64

import pytest

from conftest import NEW

MISSING = "i-0123456789abcdef0"
MEMBERS = {"instanceType": "InstanceType", "kernel": "KernelId", "ramdisk": "RamdiskId", "userData": "UserData",
           "disableApiTermination": "DisableApiTermination", "disableApiStop": "DisableApiStop",
           "instanceInitiatedShutdownBehavior": "InstanceInitiatedShutdownBehavior", "rootDeviceName": "RootDeviceName",
           "blockDeviceMapping": "BlockDeviceMappings", "productCodes": "ProductCodes", "sourceDestCheck": "SourceDestCheck", "groupSet": "Groups",
           "ebsOptimized": "EbsOptimized", "sriovNetSupport": "SriovNetSupport", "enclaveOptions": "EnclaveOptions"}


@pytest.fixture
def attribute(ec2):
    """attribute(instance, name): its value, and that nothing else was answered."""

    def look(instance, name):
        answer = ec2.describe_instance_attribute(InstanceId=instance, Attribute=name)
        del answer["ResponseMetadata"]
        assert answer.pop("InstanceId") == instance
        assert list(answer) == [MEMBERS[name]], answer
        value = answer[MEMBERS[name]]
        return value.get("Value") if isinstance(value, dict) and name != "enclaveOptions" else value

    return look


@pytest.fixture
def stopped(ec2, launch, in_state):
    which = launch()["InstanceId"]
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    return which


def test_every_attribute_is_shown_alone(attribute, launch):
    one = launch(UserData="hello", EbsOptimized=True, InstanceInitiatedShutdownBehavior="terminate", DisableApiStop=True)
    which = one["InstanceId"]
    shown = {name: attribute(which, name) for name in MEMBERS}
    assert shown == {"instanceType": "t2.micro", "kernel": None, "ramdisk": None, "userData": base64.b64encode(b"hello").decode(),
                     "disableApiTermination": False, "disableApiStop": True, "instanceInitiatedShutdownBehavior": "terminate",
                     "rootDeviceName": "/dev/sda1", "blockDeviceMapping": one["BlockDeviceMappings"], "productCodes": [], "sourceDestCheck": True,
                     "groupSet": one["SecurityGroups"], "ebsOptimized": True, "sriovNetSupport": None, "enclaveOptions": {"Enabled": False}}


@pytest.mark.parametrize("name", ["colour", "enaSupport", "InstanceType", ""])
def test_attributes_that_are_none(ec2, launch, refused, name):
    which = launch()["InstanceId"]
    with refused("InvalidParameterValue"):
        ec2.describe_instance_attribute(InstanceId=which, Attribute=name)
    with refused("InvalidParameterValue"):
        ec2.reset_instance_attribute(InstanceId=which, Attribute=name)


def test_an_instance_that_is_not_there(ec2, ami, refused):
    for call in (lambda id: ec2.describe_instance_attribute(InstanceId=id, Attribute="kernel"),
                 lambda id: ec2.modify_instance_attribute(InstanceId=id, DisableApiTermination={"Value": True}),
                 lambda id: ec2.reset_instance_attribute(InstanceId=id, Attribute="sourceDestCheck")):
        with refused("InvalidInstanceID.NotFound"):
            call(MISSING)
        with refused("InvalidInstanceID.Malformed"):
            call("i-1")


def test_what_a_running_instance_lets_change(ec2, launch, attribute):
    which = launch()["InstanceId"]
    for name, parameter, value in [("disableApiTermination", "DisableApiTermination", True), ("disableApiTermination", "DisableApiTermination", False),
                                   ("disableApiStop", "DisableApiStop", True), ("instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior", "terminate"),
                                   ("sourceDestCheck", "SourceDestCheck", False)]:
        ec2.modify_instance_attribute(InstanceId=which, **{parameter: {"Value": value}})
        assert attribute(which, name) == value
    ec2.reset_instance_attribute(InstanceId=which, Attribute="sourceDestCheck")
    assert attribute(which, "sourceDestCheck") is True


@pytest.mark.parametrize("change", [{"InstanceType": {"Value": "t2.small"}}, {"UserData": {"Value": b"x"}}, {"Kernel": {"Value": "aki-12345678"}},
                                    {"Ramdisk": {"Value": "ari-12345678"}}, {"EbsOptimized": {"Value": True}}, {"EnaSupport": {"Value": True}},
                                    {"SriovNetSupport": {"Value": "simple"}}])
def test_what_only_a_stopped_instance_lets_change(ec2, launch, refused, change):
    which = launch()["InstanceId"]
    with refused("IncorrectInstanceState"):
        ec2.modify_instance_attribute(InstanceId=which, **change)
    for name in ("kernel", "ramdisk"):
        with refused("IncorrectInstanceState"):
            ec2.reset_instance_attribute(InstanceId=which, Attribute=name)


def test_changing_a_stopped_instance(ec2, stopped, attribute, in_state):
    ec2.modify_instance_attribute(InstanceId=stopped, InstanceType={"Value": "t3.medium"})
    ec2.modify_instance_attribute(InstanceId=stopped, UserData={"Value": b"\x00new\xff"})
    ec2.modify_instance_attribute(InstanceId=stopped, EbsOptimized={"Value": True})
    ec2.modify_instance_attribute(InstanceId=stopped, EnaSupport={"Value": True})
    ec2.modify_instance_attribute(InstanceId=stopped, SriovNetSupport={"Value": "simple"})
    ec2.start_instances(InstanceIds=[stopped])
    (one,) = in_state("running", stopped)
    assert (one["InstanceType"], one["CpuOptions"]["CoreCount"], one["EbsOptimized"], one["EnaSupport"], one["SriovNetSupport"]) == \
        ("t3.medium", 1, True, True, "simple")
    assert base64.b64decode(attribute(stopped, "userData")) == b"\x00new\xff"


def test_user_data_can_be_taken_away(ec2, launch, attribute, in_state):
    which = launch(UserData="first")["InstanceId"]
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    ec2.modify_instance_attribute(InstanceId=which, UserData={"Value": b""})
    assert attribute(which, "userData") is None


def test_groups_are_replaced(ec2, launch, attribute, refused):
    one = launch()
    which = one["InstanceId"]
    made = [ec2.create_security_group(GroupName=f"g{i}", Description="d")["GroupId"] for i in range(6)]
    ec2.modify_instance_attribute(InstanceId=which, Groups=made[:2])
    assert [group["GroupId"] for group in attribute(which, "groupSet")] == made[:2]
    (shown,) = ec2.describe_instances(InstanceIds=[which])["Reservations"][0]["Instances"]
    assert [group["GroupId"] for group in shown["NetworkInterfaces"][0]["Groups"]] == made[:2]
    with refused("SecurityGroupsPerInterfaceLimitExceeded"):
        ec2.modify_instance_attribute(InstanceId=which, Groups=made)
    with refused("InvalidGroup.NotFound"):
        ec2.modify_instance_attribute(InstanceId=which, Groups=["sg-0123456789abcdef0"])
    with refused("InvalidGroupId.Malformed"):
        ec2.modify_instance_attribute(InstanceId=which, Groups=["default"])
    assert [group["GroupId"] for group in attribute(which, "groupSet")] == made[:2]


def test_a_volume_may_be_kept(ec2, launch, in_state, refused):
    one = launch()
    which, volume = one["InstanceId"], one["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]

    def keep(device, **ebs):
        ec2.modify_instance_attribute(InstanceId=which, BlockDeviceMappings=[{"DeviceName": device, "Ebs": ebs}])

    keep("/dev/sda1", DeleteOnTermination=False)
    (mapping,) = ec2.describe_instance_attribute(InstanceId=which, Attribute="blockDeviceMapping")["BlockDeviceMappings"]
    assert mapping["Ebs"]["DeleteOnTermination"] is False
    keep("/dev/sda1", DeleteOnTermination=True)
    keep("/dev/sda1", DeleteOnTermination=False, VolumeId=volume)
    for device, ebs in (("/dev/sdz", {"DeleteOnTermination": False}), ("/dev/sda1", {"DeleteOnTermination": False, "VolumeId": "vol-0123456789abcdef0"})):
        with refused("InvalidInstanceAttributeValue"):
            keep(device, **ebs)
    with refused("MissingParameter"):
        keep("/dev/sda1", VolumeId=volume)
    ec2.terminate_instances(InstanceIds=[which])
    in_state("terminated", which)
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.02, "MaxAttempts": 200})


def test_one_attribute_at_a_time(ec2, launch, refused, query):
    which = launch()["InstanceId"]
    with refused("InvalidParameterCombination"):
        ec2.modify_instance_attribute(InstanceId=which)
    with refused("InvalidParameterCombination"):
        ec2.modify_instance_attribute(InstanceId=which, DisableApiTermination={"Value": True}, DisableApiStop={"Value": True})
    with refused("InvalidParameterCombination"):
        ec2.modify_instance_attribute(InstanceId=which, Attribute="disableApiTermination", Value="true", DisableApiStop={"Value": True})
    assert query("ModifyInstanceAttribute", InstanceId=which, Value="true").code == "MissingParameter"
    assert query("ModifyInstanceAttribute", InstanceId=which, Attribute="kernel").code == "MissingParameter"
    assert query("ModifyInstanceAttribute", Attribute="kernel", Value="x").code == "MissingParameter"
    assert query("DescribeInstanceAttribute", InstanceId=which).code == "MissingParameter"


@pytest.mark.parametrize("change, code", [
    ({"InstanceType": {"Value": "x9.huge"}}, "InvalidInstanceAttributeValue"),
    ({"Kernel": {"Value": "aki-0123456789abcdef0"}}, "InvalidAMIID.NotFound"), ({"Kernel": {"Value": "x"}}, "InvalidAMIID.Malformed"),
    ({"Ramdisk": {"Value": "ari-0123456789abcdef0"}}, "InvalidAMIID.NotFound"), ({"UserData": {"Value": b"x" * 16385}}, "InvalidParameterValue"),
    ({"SriovNetSupport": {"Value": "complex"}}, "InvalidParameterValue"), ({"InstanceInitiatedShutdownBehavior": {"Value": "sleep"}}, "InvalidParameterValue"),
    ({"Attribute": "userData", "Value": "not base64!"}, "InvalidParameterValue"), ({"Attribute": "ebsOptimized", "Value": "maybe"}, "InvalidParameterValue"),
    ({"Attribute": "rootDeviceName", "Value": "/dev/sdb"}, "InvalidParameterValue"), ({"Attribute": "colour", "Value": "red"}, "InvalidParameterValue"),
    ({"BlockDeviceMappings": [{"Ebs": {"DeleteOnTermination": True}}]}, "MissingParameter"),
    ({"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "NoDevice": ""}]}, "InvalidParameterValue"),
])
def test_values_that_are_wrong(ec2, stopped, refused, change, code):
    with refused(code):
        ec2.modify_instance_attribute(InstanceId=stopped, **change)


def test_a_type_of_another_architecture(ec2, query, ami, launch, in_state, refused):
    which = launch(InstanceType="t2.micro")["InstanceId"]
    ec2.stop_instances(InstanceIds=[which])
    in_state("stopped", which)
    arm = [one["InstanceType"] for one in ec2.describe_instance_types(
        Filters=[{"Name": "processor-info.supported-architecture", "Values": ["arm64"]}])["InstanceTypes"]]
    if not arm:
        pytest.skip("the catalogue has no type of another architecture")
    with refused("InvalidParameterCombination"):
        ec2.modify_instance_attribute(InstanceId=which, InstanceType={"Value": arm[0]})


def test_a_terminated_instance_changes_no_more(ec2, launch, in_state, refused):
    which = launch()["InstanceId"]
    ec2.terminate_instances(InstanceIds=[which])
    in_state("terminated", which)
    with refused("IncorrectInstanceState"):
        ec2.modify_instance_attribute(InstanceId=which, DisableApiTermination={"Value": True})
    with refused("IncorrectInstanceState"):
        ec2.reset_instance_attribute(InstanceId=which, Attribute="sourceDestCheck")
    assert ec2.describe_instance_attribute(InstanceId=which, Attribute="groupSet")["Groups"] == []


def test_dry_run_changes_nothing(ec2, launch, attribute, refused):
    which = launch()["InstanceId"]
    with refused("DryRunOperation", 412):
        ec2.modify_instance_attribute(InstanceId=which, DisableApiTermination={"Value": True}, DryRun=True)
    assert attribute(which, "disableApiTermination") is False


def test_the_guides_way_of_asking(query, launch, ec2, attribute):
    which = launch()["InstanceId"]
    for parameters in ({"Attribute": "disableApiTermination", "Value": "true"}, {"DisableApiTermination.Value": "false"},
                       {"Attribute": "instanceInitiatedShutdownBehavior", "Value": "terminate"}, {"Attribute": "sourceDestCheck", "Value": "false"}):
        answer = query("ModifyInstanceAttribute", parameters={"InstanceId": which, **parameters})
        assert answer.texts("return") == ["true"], answer.body
    assert attribute(which, "instanceInitiatedShutdownBehavior") == "terminate" and attribute(which, "disableApiTermination") is False
    shown = query("DescribeInstanceAttribute", InstanceId=which, Attribute="disableApiTermination")
    assert [child.tag for child in shown.tree] == ["requestId", "instanceId", "disableApiTermination"]
    assert shown.texts("disableApiTermination/value") == ["false"]
    none = query("DescribeInstanceAttribute", InstanceId=which, Attribute="kernel", version=NEW)
    assert none.texts("kernel") == [""] and none.texts("kernel/value") == []
    (groups,) = query("DescribeInstanceAttribute", InstanceId=which, Attribute="groupSet").tree.iterfind("groupSet")
    assert len(groups) == 1


def test_boto_2_reads_and_changes_attributes(old, ami, ec2, in_state):
    one = old.run_instances(ami).instances[0]
    in_state("running", one.id)
    assert old.modify_instance_attribute(one.id, "disableApiTermination", True)
    assert old.get_instance_attribute(one.id, "disableApiTermination")["disableApiTermination"] is True
    assert old.modify_instance_attribute(one.id, "disableApiTermination", False)
    group = old.create_security_group("web", "d")
    assert one.modify_attribute("groupSet", [group.id])
    assert [each.id for each in one.get_attribute("groupSet")["groupSet"]] == [group.id]
    assert one.modify_attribute("sourceDestCheck", False)
    assert one.get_attribute("sourceDestCheck")["sourceDestCheck"] is False
    assert one.modify_attribute("blockDeviceMapping", ["/dev/sda1=false"])
    assert one.get_attribute("blockDeviceMapping")["blockDeviceMapping"]["/dev/sda1"].delete_on_termination is False
    one.stop()
    in_state("stopped", one.id)
    assert one.modify_attribute("instanceType", "m1.large")
    assert one.get_attribute("instanceType")["instanceType"] == "m1.large"
    assert one.modify_attribute("userData", base64.b64encode(b"again").decode())
    assert base64.b64decode(one.get_attribute("userData")["userData"]) == b"again"
