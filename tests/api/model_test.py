"""Every answer of every built operation, held against service models that were not written here.

For each case of model_scenarios.py: nothing that the model does not know, nothing missing that it requires, values of its types, and
all of it read by botocore's parser. The same in 2011-12-01 for what existed then, by the overlay and by boto 2.
"""
import boto.ec2.blockdevicemapping
import boto.vpc
import pytest

import conftest
import model_scenarios
import service_model
import wire_model
from service_model import OLD_NUMBER, built

# What EC2 answers although botocore's model does not know it.
BEYOND_THE_MODEL = {"CreateSecurityGroup": {"/return"}}

# How boto 2 asks for what its API has; an operation of the time without a line here fails.
BOTO_2 = {
    "CreateKeyPair": lambda c, w: c.create_key_pair(w.name("key")).material,
    "ImportKeyPair": lambda c, w: c.import_key_pair(w.name("key"), w.public_key).fingerprint,
    "DescribeKeyPairs": lambda c, w: c.get_all_key_pairs([w.key_name])[0].fingerprint,
    "DeleteKeyPair": lambda c, w: c.delete_key_pair(w.new_key()[0]),
    "CreateSecurityGroup": lambda c, w: c.create_security_group(w.name("group"), "d", w.vpc).id,
    "DeleteSecurityGroup": lambda c, w: c.delete_security_group(group_id=w.new_group()),
    "DescribeSecurityGroups": lambda c, w: c.get_all_security_groups(group_ids=[w.new_rule()[0]["GroupId"]])[0].rules[0].grants[0].cidr_ip,
    "AuthorizeSecurityGroupIngress": lambda c, w: c.authorize_security_group(None, None, None, "tcp", 1, 2, "10.0.0.0/8", group_id=w.new_group()),
    "AuthorizeSecurityGroupEgress": lambda c, w: c.authorize_security_group_egress(w.new_group(), "tcp", 1, 2, cidr_ip="10.0.0.0/8"),
    "RevokeSecurityGroupIngress": lambda c, w: c.revoke_security_group(**rule_of_members(w)),
    "RevokeSecurityGroupEgress": lambda c, w: c.revoke_security_group_egress(w.new_group(), "-1", cidr_ip="0.0.0.0/0"),
    "DescribeRegions": lambda c, w: c.get_all_regions()[0].endpoint,
    "DescribeAvailabilityZones": lambda c, w: c.get_all_zones()[0].region_name,
    "DescribeImages": lambda c, w: c.get_all_images([w.image])[0].root_device_name,
    "RegisterImage": lambda c, w: c.register_image(w.name("image"), architecture="x86_64", root_device_name="/dev/sda1", block_device_map=boto_map(w)),
    "DeregisterImage": lambda c, w: c.deregister_image(w.new_image()),
    "DescribeImageAttribute": lambda c, w: c.get_image_attribute(w.shared_image()).attrs["user_ids"],
    "ModifyImageAttribute": lambda c, w: c.modify_image_attribute(w.new_image(), operation="add", groups="all"),
    "ResetImageAttribute": lambda c, w: c.reset_image_attribute(w.shared_image()),
    "RunInstances": lambda c, w: c.run_instances(w.image).instances[0].placement,
    "DescribeInstances": lambda c, w: c.get_all_reservations([w.instance])[0].instances[0].private_ip_address,
    "StartInstances": lambda c, w: c.start_instances([w.new_instance("stopped")])[0].id,
    "StopInstances": lambda c, w: c.stop_instances([w.new_instance()])[0].id,
    "RebootInstances": lambda c, w: c.reboot_instances([w.instance]),
    "TerminateInstances": lambda c, w: c.terminate_instances([w.new_instance()])[0].id,
    "GetConsoleOutput": lambda c, w: c.get_console_output(w.instance).instance_id,
    "DescribeInstanceAttribute": lambda c, w: c.get_instance_attribute(w.instance, "instanceType")["instanceType"],
    "ModifyInstanceAttribute": lambda c, w: c.modify_instance_attribute(w.instance, "disableApiTermination", False),
    "ResetInstanceAttribute": lambda c, w: c.reset_instance_attribute(w.instance, "sourceDestCheck"),
    "DescribeInstanceStatus": lambda c, w: c.get_all_instance_status([w.instance])[0].zone,
    "MonitorInstances": lambda c, w: c.monitor_instances([w.instance])[0].id,
    "UnmonitorInstances": lambda c, w: c.unmonitor_instances([w.instance])[0].id,
    "GetPasswordData": lambda c, w: c.get_password_data(w.instance) == "",
    "DescribeVolumes": lambda c, w: c.get_all_volumes([w.volume])[0].attach_data.device,
    "CreatePlacementGroup": lambda c, w: c.create_placement_group(w.name("near")),
    "DescribePlacementGroups": lambda c, w: c.get_all_placement_groups([w.placement_group[0]])[0].strategy,
    "DeletePlacementGroup": lambda c, w: c.delete_placement_group(w.new_placement_group()[0]),
    "CreateVolume": lambda c, w: c.create_volume(1, conftest.REGION + "a").status,
    "DeleteVolume": lambda c, w: c.delete_volume(w.new_volume()),
    "AttachVolume": lambda c, w: c.attach_volume(*w.to_attach(), "/dev/sdf") == "attaching",
    "DetachVolume": lambda c, w: c.detach_volume(w.attached_volume()) == "detaching",
    "CreateSnapshot": lambda c, w: c.create_snapshot(w.volume, "d").description,
    "DeleteSnapshot": lambda c, w: c.delete_snapshot(w.new_snapshot()),
    "DescribeSnapshots": lambda c, w: c.get_all_snapshots([w.snapshot], owner="self")[0].volume_size,
    "DescribeSnapshotAttribute": lambda c, w: c.get_snapshot_attribute(w.shared_snapshot()).attrs["user_ids"],
    "ModifySnapshotAttribute": lambda c, w: c.modify_snapshot_attribute(w.snapshot, user_ids=["111122223333"], groups=["all"]),
    "ResetSnapshotAttribute": lambda c, w: c.reset_snapshot_attribute(w.snapshot),
    "CreateImage": lambda c, w: c.create_image(w.instance, w.name("created"), no_reboot=True),
    "CreateTags": lambda c, w: c.create_tags([w.instance], {"boto": "2"}),
    "DeleteTags": lambda c, w: c.delete_tags([w.instance], {"boto": None}),
    "DescribeTags": lambda c, w: c.get_all_tags({"resource-id": model_scenarios.tagged_group(w)})[0].name,
    # Of boto.vpc, which is another connection.
    "DescribeVpcs": lambda c, w: c.get_all_vpcs([w.vpc])[0].cidr_block,
    "DescribeSubnets": lambda c, w: c.get_all_subnets([w.subnet])[0].cidr_block,
}
# Boto 2 has no function for them.
NOT_IN_BOTO_2 = set()


def boto_map(world):
    mapping = boto.ec2.blockdevicemapping.BlockDeviceMapping()
    mapping["/dev/sda1"] = boto.ec2.blockdevicemapping.BlockDeviceType(snapshot_id=world.snapshot)
    return mapping


def rule_of_members(world):
    """The rule that lets a group's own members in, as the default group has it."""
    group = world.new_group()
    world.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}])
    return {"ip_protocol": "-1", "src_security_group_group_id": group, "group_id": group}


class OldConnection(conftest.ClassicConnection, boto.vpc.VPCConnection):
    pass


def of_2011():
    model = service_model.own("ec2")
    return sorted(name for name, service in built().items()
                  if service == "ec2" and wire_model.version_number(model.operations[name].get("since", "0")) <= OLD_NUMBER)


@pytest.fixture(scope="module")
def world(daemon):
    return model_scenarios.World(daemon, daemon.create_account("model"))


def test_what_is_held_against():
    """The models are there, and the newest knows all that is built."""
    for service in set(built().values()):
        who, newest = service_model.models(service)[-1]
        assert set(name for name, of in built().items() if of == service) <= set(newest.operation_names), who
    assert set(model_scenarios.SCENARIOS) <= set(built()), "a line for what is not built"


@pytest.mark.parametrize("operation, number", model_scenarios.all_cases())
def test_answer(world, operation, number):
    case = model_scenarios.cases_of(operation)[number]
    answer = world.send(operation, case(world))
    assert answer.status == 200, answer.body
    service = built()[operation]
    assert service_model.deviations(service, operation, answer.body, BEYOND_THE_MODEL.get(operation, ())) == []
    if operation.startswith(("Describe", "List")):
        reading = service_model.Reading(service_model.models(service)[-1][1].operation_model(operation), answer.tree, False)
        empty = {name for name, value in reading.value.items() if value == []}
        assert empty <= model_scenarios.MAY_BE_EMPTY.get(operation, set()), answer.body


@pytest.mark.parametrize("operation, number", [(name, at) for name, at in model_scenarios.all_cases() if name in of_2011()])
def test_answer_then(world, operation, number):
    answer = world.send(operation, model_scenarios.cases_of(operation)[number](world), conftest.OLD)
    assert answer.status == 200, answer.body
    assert service_model.old_deviations(operation, answer.body) == []


@pytest.mark.parametrize("operation", of_2011())
def test_boto_2(daemon, world, operation):
    if operation in NOT_IN_BOTO_2:
        pytest.skip("boto 2 has no function for it")
    assert operation in BOTO_2, f"{operation} existed in 2011-12-01: how does boto 2 ask for it? (tests/api/model_test.py)"
    connection = daemon.old_client(world.keys, kind=OldConnection)
    assert BOTO_2[operation](connection, world)
