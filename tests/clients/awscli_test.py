"""Debian's own aws command, unmodified, with nothing but the environment that `brume env` prints."""
import json

import pytest

from conftest import REGION, wait_until


@pytest.fixture
def aws(daemon, run):
    def command(*arguments, fails=False):
        said = run("aws", "--endpoint-url", daemon.endpoint, "--output", "json", *arguments, fails=fails)
        return said if fails else json.loads(said or "null")

    return command


def test_from_a_key_to_an_end(aws, ami, in_state, tmp_path):
    assert aws("sts", "get-caller-identity")["Account"] == "123456789012"
    aws("ec2", "create-key-pair", "--key-name", "web", "--key-type", "ed25519")
    (tmp_path / "data").write_text("#!/bin/sh\necho hello\n")
    made = aws("ec2", "run-instances", "--image-id", ami, "--count", "2", "--instance-type", "t2.micro", "--key-name", "web", "--user-data", "file://data",
               "--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=two words}]",
               "--block-device-mappings", "DeviceName=/dev/sda1,Ebs={VolumeSize=3}")
    which = [one["InstanceId"] for one in made["Instances"]]
    in_state("running", *which)
    shown = aws("ec2", "describe-instances", "--filters", "Name=tag:Name,Values=two*", "--query", "Reservations[].Instances[].InstanceId")
    assert sorted(shown) == sorted(which)
    assert {volume["Size"] for volume in aws("ec2", "describe-volumes")["Volumes"]} == {3}
    ended = aws("ec2", "terminate-instances", "--instance-ids", *which)
    assert [one["CurrentState"]["Name"] for one in ended["TerminatingInstances"]] == ["shutting-down"] * 2


def test_waiters_pages_and_states(aws, ami, in_state):
    made = aws("ec2", "run-instances", "--image-id", ami, "--count", "3", "--instance-type", "t2.micro")
    which = [one["InstanceId"] for one in made["Instances"]]
    in_state("running", *which)  # the waiter looks every 15 s, and sees it at once then
    aws("ec2", "wait", "instance-running", "--instance-ids", *which)
    paged = aws("ec2", "describe-instances", "--page-size", "5", "--max-items", "1", "--query", "Reservations[].Instances[].InstanceId")
    assert sorted(paged) == sorted(which)  # one reservation is one item
    aws("ec2", "create-tags", "--resources", *which, "--tags", "Key=Stage,Value=test")
    assert len(aws("ec2", "describe-tags", "--filters", "Name=key,Values=Stage")["Tags"]) == 3
    aws("ec2", "stop-instances", "--instance-ids", which[0])
    in_state("stopped", which[0])
    aws("ec2", "wait", "instance-stopped", "--instance-ids", which[0])
    aws("ec2", "start-instances", "--instance-ids", which[0])
    in_state("running", which[0])
    aws("ec2", "wait", "instance-running", "--instance-ids", which[0])
    aws("ec2", "reboot-instances", "--instance-ids", which[0])
    aws("ec2", "terminate-instances", "--instance-ids", *which)
    in_state("terminated", *which)
    aws("ec2", "wait", "instance-terminated", "--instance-ids", *which)


def test_a_group_with_rules(aws):
    group = aws("ec2", "create-security-group", "--group-name", "web", "--description", "d")["GroupId"]
    rules = aws("ec2", "authorize-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "80-81", "--cidr", "10.0.0.0/8")
    assert [rule["ToPort"] for rule in rules["SecurityGroupRules"]] == [81]
    aws("ec2", "revoke-security-group-ingress", "--group-id", group, "--security-group-rule-ids", rules["SecurityGroupRules"][0]["SecurityGroupRuleId"])
    assert aws("ec2", "describe-security-groups", "--group-ids", group)["SecurityGroups"][0]["IpPermissions"] == []
    assert [zone["RegionName"] for zone in aws("ec2", "describe-availability-zones")["AvailabilityZones"]] == [REGION] * 3
    aws("ec2", "delete-security-group", "--group-id", group)


def test_a_volume_and_its_snapshot(aws, ami, in_state):
    volume = aws("ec2", "create-volume", "--availability-zone", REGION + "a", "--size", "1", "--volume-type", "gp3")["VolumeId"]
    aws("ec2", "wait", "volume-available", "--volume-ids", volume)
    made = aws("ec2", "run-instances", "--image-id", ami, "--instance-type", "t2.micro", "--placement", f"AvailabilityZone={REGION}a")
    instance = made["Instances"][0]["InstanceId"]
    in_state("running", instance)
    assert aws("ec2", "attach-volume", "--volume-id", volume, "--instance-id", instance, "--device", "/dev/sdf")["State"] == "attaching"
    aws("ec2", "wait", "volume-in-use", "--volume-ids", volume)
    snapshot = aws("ec2", "create-snapshot", "--volume-id", volume, "--description", "two words")["SnapshotId"]
    aws("ec2", "wait", "snapshot-completed", "--snapshot-ids", snapshot)
    aws("ec2", "modify-volume", "--volume-id", volume, "--size", "2")
    aws("ec2", "detach-volume", "--volume-id", volume)
    aws("ec2", "wait", "volume-available", "--volume-ids", volume)
    aws("ec2", "delete-volume", "--volume-id", volume)
    aws("ec2", "wait", "volume-deleted", "--volume-ids", volume)
    image = aws("ec2", "create-image", "--instance-id", instance, "--name", "two words", "--no-reboot")["ImageId"]
    aws("ec2", "wait", "image-available", "--image-ids", image)
    aws("ec2", "delete-snapshot", "--snapshot-id", snapshot)


def test_errors_are_shown(aws):
    said = aws("ec2", "describe-instances", "--instance-ids", "i-0123456789abcdef0", fails=True)
    assert "(InvalidInstanceID.NotFound)" in said and "i-0123456789abcdef0" in said
    assert "(UnsupportedOperation)" in aws("ec2", "create-fpga-image", "--input-storage-location", "Bucket=b,Key=k", fails=True)
    assert "(DryRunOperation)" in aws("ec2", "describe-vpcs", "--dry-run", fails=True)


def test_a_rule_is_changed_by_its_id(aws):
    group = aws("ec2", "create-security-group", "--group-name", "web", "--description", "d")["GroupId"]
    made = aws("ec2", "authorize-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "80", "--cidr", "0.0.0.0/0")
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    change = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8081, "CidrIpv4": "192.0.2.0/24", "Description": "from the shell"}
    aws("ec2", "modify-security-group-rules", "--group-id", group,
        "--security-group-rules", json.dumps([{"SecurityGroupRuleId": rule, "SecurityGroupRule": change}]))
    aws("ec2", "create-tags", "--resources", rule, "--tags", "Key=team,Value=a")
    (shown,) = aws("ec2", "describe-security-group-rules", "--filters", "Name=tag:team,Values=a")["SecurityGroupRules"]
    assert shown["SecurityGroupRuleId"] == rule and change.items() <= shown.items()
    aws("ec2", "update-security-group-rule-descriptions-ingress", "--group-id", group, "--security-group-rule-descriptions",
        f"SecurityGroupRuleId={rule},Description=other")
    (permission,) = aws("ec2", "describe-security-groups", "--group-ids", group)["SecurityGroups"][0]["IpPermissions"]
    assert permission["IpRanges"] == [{"CidrIp": "192.0.2.0/24", "Description": "other"}]


def test_waiters_of_disks_and_networks(aws):
    vpc = aws("ec2", "create-vpc", "--cidr-block", "10.7.0.0/16")["Vpc"]["VpcId"]
    aws("ec2", "wait", "vpc-available", "--vpc-ids", vpc)
    subnet = aws("ec2", "create-subnet", "--vpc-id", vpc, "--cidr-block", "10.7.0.0/24")["Subnet"]["SubnetId"]
    aws("ec2", "wait", "subnet-available", "--subnet-ids", subnet)
    interface = aws("ec2", "create-network-interface", "--subnet-id", subnet)["NetworkInterface"]["NetworkInterfaceId"]
    aws("ec2", "wait", "network-interface-available", "--network-interface-ids", interface)
    group = aws("ec2", "create-security-group", "--group-name", "waited-for", "--description", "d", "--vpc-id", vpc)["GroupId"]
    aws("ec2", "wait", "security-group-exists", "--group-ids", group)
    volume = aws("ec2", "create-volume", "--availability-zone", "us-east-1a", "--size", "1")["VolumeId"]
    wait_until(lambda: aws("ec2", "describe-volumes", "--volume-ids", volume)["Volumes"][0]["State"] == "available")  # the waiter looks every 15 s
    aws("ec2", "wait", "volume-available", "--volume-ids", volume)
    snapshot = aws("ec2", "create-snapshot", "--volume-id", volume)["SnapshotId"]
    wait_until(lambda: aws("ec2", "describe-snapshots", "--snapshot-ids", snapshot)["Snapshots"][0]["State"] == "completed")
    aws("ec2", "wait", "snapshot-completed", "--snapshot-ids", snapshot)


def test_an_inventory_of_what_nobody_has(aws):
    """As inventory tools go through an account: what cannot be made here is an empty list, and an id of it is unknown."""
    for command, list_name in [("describe-transit-gateways", "TransitGateways"), ("describe-spot-instance-requests", "SpotInstanceRequests"),
                               ("describe-reserved-instances", "ReservedInstances"), ("describe-hosts", "Hosts"), ("describe-export-tasks", "ExportTasks"),
                               ("describe-capacity-reservations", "CapacityReservations"), ("describe-traffic-mirror-sessions", "TrafficMirrorSessions"),
                               ("describe-iam-instance-profile-associations", "IamInstanceProfileAssociations")]:
        assert aws("ec2", command) == {list_name: []}, command
    assert aws("ec2", "describe-transit-gateways", "--filters", "Name=state,Values=available", "--max-items", "3") == {"TransitGateways": []}
    assert "(InvalidTransitGatewayID.NotFound)" in aws("ec2", "describe-transit-gateways", "--transit-gateway-ids", "tgw-0123456789abcdef0", fails=True)
    assert "(UnsupportedOperation)" in aws("ec2", "create-transit-gateway", fails=True)
