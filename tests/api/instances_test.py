"""Launching and describing instances as boto3 sees them (INS-030 to INS-050)."""
import base64
import datetime
import uuid

import pytest

from conftest import instances_of, started_daemon, wait_until

MISSING = "i-0123456789abcdef0"


def ids(answer):
    return sorted(one["InstanceId"] for one in instances_of(answer))


def found(ec2, name, *values):
    return ids(ec2.describe_instances(Filters=[{"Name": name, "Values": list(values)}]))


def test_a_launch_is_one_reservation(ec2, ami, in_state):
    ec2.create_key_pair(KeyName="web", KeyType="ed25519")
    made = ec2.run_instances(ImageId=ami, MinCount=3, MaxCount=3, InstanceType="t2.small", KeyName="web")
    assert made["ReservationId"].startswith("r-") and made["OwnerId"] == "123456789012"
    assert [one["AmiLaunchIndex"] for one in made["Instances"]] == [0, 1, 2]
    assert {one["State"]["Name"] for one in made["Instances"]} == {"pending"}
    assert {one["State"]["Code"] for one in made["Instances"]} == {0}
    assert len({one["InstanceId"] for one in made["Instances"]}) == 3
    running = in_state("running", *(one["InstanceId"] for one in made["Instances"]))
    (reservation,) = ec2.describe_instances()["Reservations"]
    assert reservation["ReservationId"] == made["ReservationId"] and len(reservation["Instances"]) == 3
    for one in running:
        assert one["ImageId"] == ami and one["InstanceType"] == "t2.small" and one["KeyName"] == "web"
        assert one["State"] == {"Code": 16, "Name": "running"} and one["StateTransitionReason"] == "" and "StateReason" not in one
        assert abs(datetime.datetime.now(datetime.timezone.utc) - one["LaunchTime"]) < datetime.timedelta(minutes=5)
    for member in ("PrivateIpAddress", "PublicIpAddress", "PublicDnsName", "PrivateDnsName"):
        assert len({one[member] for one in running}) == 3


def test_addresses_have_names(launch):
    one = launch()
    assert one["PrivateDnsName"] == "ip-" + one["PrivateIpAddress"].replace(".", "-") + ".ec2.internal"
    assert one["PublicDnsName"] == "ec2-" + one["PublicIpAddress"].replace(".", "-") + ".compute-1.amazonaws.com"
    (interface,) = one["NetworkInterfaces"]
    assert interface["Association"]["PublicIp"] == one["PublicIpAddress"] and interface["Status"] == "in-use"
    assert interface["PrivateIpAddress"] == one["PrivateIpAddress"] and one["PrivateIpAddress"].startswith("172.31.")
    assert interface["Groups"] == one["SecurityGroups"] and one["SecurityGroups"][0]["GroupName"] == "default"


def test_options_are_shown(launch):
    one = launch()
    for member, value in {
        "CapacityReservationSpecification": {"CapacityReservationPreference": "open"}, "HibernationOptions": {"Configured": False},
        "EnclaveOptions": {"Enabled": False}, "MaintenanceOptions": {"AutoRecovery": "default"}, "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 1},
        "PrivateDnsNameOptions": {"HostnameType": "ip-name", "EnableResourceNameDnsARecord": False, "EnableResourceNameDnsAAAARecord": False},
        "PlatformDetails": "Linux/UNIX", "UsageOperation": "RunInstances", "Hypervisor": "xen", "EbsOptimized": False, "EnaSupport": False,
        "RootDeviceType": "ebs", "Monitoring": {"State": "disabled"},
        "MetadataOptions": {"State": "applied", "HttpTokens": "optional", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled",
                            "HttpProtocolIpv6": "disabled", "InstanceMetadataTags": "disabled"},
    }.items():
        shown = one[member]
        assert {key: shown[key] for key in value} == value if isinstance(value, dict) else shown == value, member
    assert one["UsageOperationUpdateTime"] == one["LaunchTime"] and one["Placement"]["Tenancy"] == "default"
    (interface,) = one["NetworkInterfaces"]
    assert interface["InterfaceType"] == "interface" and interface["Ipv6Addresses"] == [] and interface["Attachment"]["Status"] == "attached"


def test_a_pending_instance_has_no_public_address_yet(ec2, ami, query):
    (one,) = ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1)["Instances"]
    assert "PublicIpAddress" not in one and one["PublicDnsName"] == "" and "Association" not in one["NetworkInterfaces"][0]
    assert one["PrivateIpAddress"]
    then = query("RunInstances", ImageId=ami, MinCount="1", MaxCount="1")
    assert then.texts(".//instancesSet/item/dnsName") == [""] and then.texts(".//instancesSet/item/privateDnsName") == [""]
    assert then.texts(".//ipAddress") == [] and then.texts(".//privateIpAddress") == []


@pytest.mark.parametrize(
    "least, most, code",
    [(0, 1, "InvalidParameterValue"), (1, 0, "InvalidParameterValue"), (2, 1, "InvalidParameterCombination"), (-1, 1, "InvalidParameterValue"),
     (1, 1001, "InstanceLimitExceeded"), (2**31, 2**31, "InvalidParameterValue")],
)
def test_counts(ec2, ami, refused, least, most, code):
    with refused(code):
        ec2.run_instances(ImageId=ami, MinCount=least, MaxCount=most)
    assert ids(ec2.describe_instances()) == []


def test_counts_are_needed(query, ami):
    assert query("RunInstances", ImageId=ami, MaxCount="1").code == "MissingParameter"
    assert query("RunInstances", ImageId=ami, MinCount="1").code == "MissingParameter"
    assert query("RunInstances", MinCount="1", MaxCount="1").code == "MissingParameter"
    assert query("RunInstances", ImageId=ami, MinCount="one", MaxCount="1").code == "InvalidParameterValue"


def test_a_launch_without_a_type_is_an_m1_small(ec2, ami):
    (instance,) = ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1)["Instances"]
    assert instance["InstanceType"] == "m1.small"


@pytest.mark.parametrize(
    "code, parameters",
    [
        ("InvalidAMIID.NotFound", {"ImageId": "ami-0123456789abcdef0"}),
        ("InvalidAMIID.Malformed", {"ImageId": "ami-xyz"}),
        ("InvalidAMIID.Malformed", {"ImageId": ""}),
        ("InvalidKeyPair.NotFound", {"KeyName": "nobody"}),
        ("InvalidGroup.NotFound", {"SecurityGroups": ["nobody"]}),
        ("InvalidGroup.NotFound", {"SecurityGroupIds": ["sg-0123456789abcdef0"]}),
        ("InvalidGroupId.Malformed", {"SecurityGroupIds": ["nonsense"]}),
        ("InvalidSubnetID.NotFound", {"SubnetId": "subnet-0123456789abcdef0"}),
        ("InvalidSubnetID.Malformed", {"SubnetId": "net-1"}),
        ("InvalidParameterValue", {"InstanceType": "z9.huge"}),
        ("InvalidParameterValue", {"Placement": {"AvailabilityZone": "us-east-1z"}}),
        ("InvalidParameterValue", {"InstanceInitiatedShutdownBehavior": "explode"}),
        ("InvalidParameterValue", {"PrivateIpAddress": "10.1.2.3"}),
        ("InvalidParameterValue", {"PrivateIpAddress": "nonsense"}),
        ("InvalidParameterValue", {"ClientToken": "x" * 65}),
        ("InvalidParameterValue", {"UserData": "x" * 16385}),
        ("InvalidParameterValue", {"MetadataOptions": {"HttpTokens": "perhaps"}}),
        ("InvalidBlockDeviceMapping", {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "NoDevice": ""}]}),
        ("InvalidBlockDeviceMapping", {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 0}}]}),
        ("InvalidParameterValue", {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 16385}}]}),
        ("UnknownVolumeType", {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeType": "tape"}}]}),
        ("InvalidLaunchTemplateName.NotFoundException", {"LaunchTemplate": {"LaunchTemplateName": "web"}}),
        ("UnsupportedOperation", {"IamInstanceProfile": {"Name": "web"}}),
        ("UnsupportedOperation", {"InstanceMarketOptions": {"MarketType": "spot"}}),
        ("UnsupportedOperation", {"Placement": {"Tenancy": "host"}}),
        ("InvalidParameterCombination", {"Placement": {"PartitionNumber": 2}}),
        ("UnsupportedOperation", {"MetadataOptions": {"HttpProtocolIpv6": "enabled"}}),
        ("UnsupportedOperation", {"PrivateDnsNameOptions": {"HostnameType": "resource-name"}}),
        ("InvalidParameterValue", {"NetworkInterfaces": [{"DeviceIndex": 0}, {"DeviceIndex": 0}]}),
        ("UnsupportedOperation", {"NetworkInterfaces": [{"DeviceIndex": 0, "InterfaceType": "efa"}]}),
        ("InvalidParameterValue", {"NetworkInterfaces": [{"DeviceIndex": 1}]}),
        ("InvalidBlockDeviceMapping", {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": size}} for size in (2, 3)]}),
        ("InvalidParameterValue", {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeType": "io1", "Iops": -5}}]}),
        ("InvalidParameterCombination", {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeType": "gp2", "Iops": 100}}]}),
        ("InvalidAMIID.NotFound", {"KernelId": "aki-0123456789abcdef0"}),
        ("MissingParameter", {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {}}]}),
        ("InvalidParameterValue", {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True, "KmsKeyId": "alias/mine"}}]}),
        ("InvalidParameterCombination", {"NetworkInterfaces": [{"DeviceIndex": 0}], "SecurityGroups": ["default"]}),
    ],
    ids=str,
)
def test_what_a_launch_may_not_be(ec2, ami, refused, code, parameters):
    with refused(code):
        ec2.run_instances(**{"ImageId": ami, "MinCount": 1, "MaxCount": 1, **parameters})
    assert ids(ec2.describe_instances()) == [] and ec2.describe_volumes()["Volumes"] == []


def test_a_machine_image_is_no_kernel(ec2, ami, refused):
    for member in ("KernelId", "RamdiskId"):
        with refused("InvalidParameterValue"):
            ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, **{member: ami})


def test_instance_stores_are_left_out(launch):
    """As EC2 does for types that have none; the guide's clients name them by habit."""
    one = launch(BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}, {"DeviceName": "/dev/sdc", "NoDevice": ""}])
    assert [mapping["DeviceName"] for mapping in one["BlockDeviceMappings"]] == ["/dev/sda1"]


def test_an_image_of_another_architecture(ec2, ami, refused, query):
    (image,) = ec2.describe_images(Filters=[{"Name": "architecture", "Values": ["i386"]}])["Images"]
    with refused("Unsupported"):
        ec2.run_instances(ImageId=image["ImageId"], MinCount=1, MaxCount=1, InstanceType="m5.large")
    assert query("RunInstances", ImageId=image["ImageId"], MinCount="1", MaxCount="1", InstanceType="m1.large").code == "InvalidParameterValue"
    assert query("RunInstances", ImageId=image["ImageId"], MinCount="1", MaxCount="1").status == 200  # m1.small runs both


def test_dry_run_both_ways(ec2, ami, refused):
    with refused("DryRunOperation", 412):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, DryRun=True, ClientToken="t")
    with refused("InvalidKeyPair.NotFound"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, DryRun=True, KeyName="nobody")
    with refused("DryRunOperation", 412):
        ec2.describe_instances(DryRun=True)
    with refused("InvalidInstanceID.NotFound"):
        ec2.terminate_instances(InstanceIds=[MISSING], DryRun=True)
    assert ids(ec2.describe_instances()) == []
    # Nor did the token stay.
    assert ec2.run_instances(ImageId=ami, MinCount=2, MaxCount=2, ClientToken="t")["ReservationId"]


def test_client_token(ec2, ami, refused, in_state, other):
    same = {"ImageId": ami, "MinCount": 2, "MaxCount": 2, "ClientToken": str(uuid.uuid4()), "UserData": "hello"}
    made = ec2.run_instances(**same)
    again = ec2.run_instances(**same)
    assert again["ReservationId"] == made["ReservationId"]
    assert [one["InstanceId"] for one in again["Instances"]] == [one["InstanceId"] for one in made["Instances"]]
    assert {one["ClientToken"] for one in again["Instances"]} == {same["ClientToken"]}
    for change in ({"MaxCount": 3}, {"UserData": "hullo"}, {"DisableApiTermination": False}, {"InstanceType": "m1.small"},
                   {"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]}):
        with refused("IdempotentParameterMismatch"):
            ec2.run_instances(**{**same, **change})
    assert len(ids(ec2.describe_instances())) == 2
    # Only the state may differ; and the token outlives its instances.
    gone = [one["InstanceId"] for one in made["Instances"]]
    ec2.terminate_instances(InstanceIds=gone[:1])
    in_state("terminated", gone[0])
    after = ec2.run_instances(**same)
    assert [one["InstanceId"] for one in after["Instances"]] == gone and after["Instances"][0]["State"]["Name"] == "terminated"
    ec2.terminate_instances(InstanceIds=gone)
    in_state("terminated", *gone)
    with refused("IdempotentInstanceTerminated"):
        ec2.run_instances(**same)
    assert len(ids(ec2.describe_instances())) == 2
    # A token is the account's.
    assert other.run_instances(**same)["ReservationId"] != made["ReservationId"]
    assert ec2.run_instances(**{**same, "ClientToken": same["ClientToken"].upper()})["ReservationId"] != made["ReservationId"]


def test_an_empty_client_token_is_none(query, ami):
    first, second = (query("RunInstances", ImageId=ami, MinCount="1", MaxCount="1", ClientToken="").texts("reservationId") for _ in range(2))
    assert first and second and first != second


def test_a_token_whose_instances_are_forgotten(refused):
    with started_daemon("--keep-terminated", "0") as daemon:
        ec2 = daemon.client()
        same = {"ImageId": ec2.describe_images()["Images"][0]["ImageId"], "MinCount": 1, "MaxCount": 1, "ClientToken": "once"}
        wait_until(lambda: {one["State"] for one in ec2.describe_images()["Images"]} == {"available"})
        made = ids({"Reservations": [ec2.run_instances(**same)]})
        wait_until(lambda: instances_of(ec2.describe_instances(InstanceIds=made))[0]["State"]["Name"] == "running")
        ec2.terminate_instances(InstanceIds=made)
        wait_until(lambda: ids(ec2.describe_instances()) == [])
        with refused("InvalidInstanceID.NotFound"):
            ec2.describe_instances(InstanceIds=made)
        with refused("IdempotentInstanceTerminated"):
            ec2.run_instances(**same)
        assert ids(ec2.describe_instances()) == [] and ec2.describe_tags()["Tags"] == [] and ec2.describe_volumes()["Volumes"] == []


def test_user_data_may_be_16_kib(ec2, ami):
    data = "".join(chr(32 + i % 90) for i in range(16384))
    assert ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, UserData=data)["Instances"]


def test_user_data_is_base64(query, ami):
    launch = {"ImageId": ami, "MinCount": "1", "MaxCount": "1"}
    assert query("RunInstances", UserData="%%%", **launch).code == "InvalidParameterValue"
    assert query("RunInstances", UserData=base64.b64encode(b"#!/bin/sh\n").decode(), **launch).status == 200


def test_private_address_of_choice(ec2, ami, launch, refused):
    (subnet, *_) = ec2.describe_subnets()["Subnets"]
    base = subnet["CidrBlock"].split("/")[0].rsplit(".", 1)[0]
    place = {"ImageId": ami, "MinCount": 1, "MaxCount": 1, "SubnetId": subnet["SubnetId"]}
    one = launch(**place, PrivateIpAddress=base + ".77")
    assert one["PrivateIpAddress"] == base + ".77" and one["SubnetId"] == subnet["SubnetId"]
    with refused("InvalidIPAddress.InUse"):
        ec2.run_instances(**place, PrivateIpAddress=base + ".77")
    for reserved in (".0", ".1", ".2", ".3"):
        with refused("InvalidParameterValue"):
            ec2.run_instances(**place, PrivateIpAddress=base + reserved)
    primary = {"Primary": True, "PrivateIpAddress": base + ".80"}
    two = launch(NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet["SubnetId"], "PrivateIpAddresses": [primary]}])
    assert two["PrivateIpAddress"] == base + ".80"
    with refused("InvalidParameterCombination"):
        ec2.run_instances(**{**place, "MinCount": 2, "MaxCount": 2}, PrivateIpAddress=base + ".78")


def test_a_zone_of_choice(ec2, ami, launch, refused):
    one = launch(Placement={"AvailabilityZone": "us-east-1b"})
    assert one["Placement"]["AvailabilityZone"] == "us-east-1b"
    (subnet,) = ec2.describe_subnets(SubnetIds=[one["SubnetId"]])["Subnets"]
    assert subnet["AvailabilityZone"] == "us-east-1b"
    with refused("InvalidParameterValue"):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, SubnetId=subnet["SubnetId"], Placement={"AvailabilityZone": "us-east-1a"})


def test_groups_by_name_and_id(ec2, launch):
    made = [ec2.create_security_group(GroupName=name, Description="d")["GroupId"] for name in ("web", "db")]
    assert [one["GroupName"] for one in launch(SecurityGroups=["web", "db"])["SecurityGroups"]] == ["web", "db"]
    assert [one["GroupId"] for one in launch(SecurityGroupIds=made)["SecurityGroups"]] == made
    assert [one["GroupId"] for one in launch(SecurityGroupIds=made[:1] * 2)["SecurityGroups"]] == made[:1]
    interface = {"DeviceIndex": 0, "Groups": made[1:], "AssociatePublicIpAddress": False, "Description": "the only one"}
    inside = launch(NetworkInterfaces=[interface])
    assert [one["GroupId"] for one in inside["SecurityGroups"]] == made[1:]
    assert "PublicIpAddress" not in inside and inside["PublicDnsName"] == ""
    assert inside["NetworkInterfaces"][0]["Description"] == "the only one"
    assert found(ec2, "group-name", "web") != found(ec2, "group-name", "db")
    assert len(found(ec2, "instance.group-id", made[1])) == 3


def test_options_of_a_launch_are_shown(launch):
    one = launch(Monitoring={"Enabled": True}, EbsOptimized=True, MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 3})
    assert one["Monitoring"]["State"] == "enabled" and one["EbsOptimized"] is True
    assert one["MetadataOptions"]["HttpTokens"] == "required" and one["MetadataOptions"]["HttpPutResponseHopLimit"] == 3
    plain = launch()
    assert plain["Monitoring"]["State"] == "disabled" and plain["MetadataOptions"]["HttpTokens"] == "optional"


def test_tags_on_create(ec2, launch, refused, ami):
    specifications = [{"ResourceType": kind, "Tags": [{"Key": "for", "Value": kind}]} for kind in ("instance", "volume", "network-interface")]
    one = launch(TagSpecifications=specifications)
    assert one["Tags"] == [{"Key": "for", "Value": "instance"}]
    tags = {tag["ResourceId"]: (tag["ResourceType"], tag["Value"]) for tag in ec2.describe_tags()["Tags"]}
    assert tags == {
        one["InstanceId"]: ("instance", "instance"),
        one["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]: ("volume", "volume"),
        one["NetworkInterfaces"][0]["NetworkInterfaceId"]: ("network-interface", "network-interface"),
    }
    with refused("InvalidParameterValue"):
        launch(TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}])
    with refused("InvalidParameterValue"):
        launch(TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "aws:a", "Value": "b"}]}])
    assert len(ids(ec2.describe_instances())) == 1


def test_root_size_and_keeping_it(ec2, launch, in_state):
    (mapping,) = launch()["BlockDeviceMappings"]
    assert mapping["DeviceName"] == "/dev/sda1" and mapping["Ebs"]["DeleteOnTermination"] is True and mapping["Ebs"]["Status"] == "attached"
    kept = launch(BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 5, "VolumeType": "gp3", "DeleteOnTermination": False}}])
    volume = kept["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    (shown,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    assert (shown["Size"], shown["VolumeType"], shown["State"]) == (5, "gp3", "in-use")
    ec2.terminate_instances(InstanceIds=[kept["InstanceId"]])
    in_state("terminated", kept["InstanceId"])
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.02, "MaxAttempts": 200})


@pytest.mark.parametrize("action", ["describe_instances", "start_instances", "stop_instances", "reboot_instances", "terminate_instances"])
def test_ids_that_are_not_there(ec2, refused, launch, action):
    one = launch()["InstanceId"]
    call = getattr(ec2, action)
    with refused("InvalidInstanceID.NotFound"):
        call(InstanceIds=[one, MISSING])
    for malformed in ("i-1", "x-0123456789abcdef0", "i-0123456789ABCDEF0", "i-", ""):
        with refused("InvalidInstanceID.Malformed"):
            call(InstanceIds=[one, malformed])
    # All or none.
    assert found(ec2, "instance-state-name", "running") == [one]


def test_describe_by_id(ec2, ami):
    made = ids({"Reservations": [ec2.run_instances(ImageId=ami, MinCount=3, MaxCount=3)]})
    assert ids(ec2.describe_instances(InstanceIds=made[1:])) == made[1:]
    assert ids(ec2.describe_instances(InstanceIds=[made[0], made[0]])) == made[:1]


def test_filters(ec2, ami, launch, in_state, refused):
    ec2.create_key_pair(KeyName="web", KeyType="ed25519")
    a = launch(KeyName="web", InstanceType="t2.small", Placement={"AvailabilityZone": "us-east-1a"},
               TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "stack", "Value": "prod"}, {"Key": "Name", "Value": "a*b"}]}])
    b = launch(Placement={"AvailabilityZone": "us-east-1c"}, ClientToken="mine")
    ec2.stop_instances(InstanceIds=[b["InstanceId"]])
    in_state("stopped", b["InstanceId"])
    only_a, only_b = [a["InstanceId"]], [b["InstanceId"]]
    both = sorted(only_a + only_b)
    for name, values, expected in [
        ("instance-state-name", ["running"], only_a), ("instance-state-code", ["80"], only_b), ("instance-state-name", ["run*", "stopped"], both),
        ("key-name", ["web"], only_a), ("instance-type", ["t2.s*"], only_a), ("instance-type", ["t2.?icro"], only_b),
        ("availability-zone", ["us-east-1c"], only_b), ("tag:stack", ["prod"], only_a), ("tag:stack", ["dev"], []), ("tag-key", ["stack"], only_a),
        ("tag-value", ["prod"], only_a), ("tag:Name", ["a\\*b"], only_a), ("tag:Name", ["a\\*"], []), ("image-id", [ami], both),
        ("ip-address", [a["PublicIpAddress"]], only_a), ("private-ip-address", [b["PrivateIpAddress"]], only_b),
        ("dns-name", [a["PublicDnsName"]], only_a), ("private-dns-name", [b["PrivateDnsName"]], only_b), ("client-token", ["mine"], only_b),
        ("block-device-mapping.volume-id", [a["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]], only_a), ("root-device-type", ["ebs"], both),
        ("root-device-type", ["instance-store"], []), ("architecture", ["x86_64"], both), ("vpc-id", [a["VpcId"]], both),
        ("subnet-id", [b["SubnetId"]], only_b), ("owner-id", ["123456789012"], both), ("state-reason-code", ["Client.UserInitiatedShutdown"], only_b),
        ("network-interface.network-interface-id", [a["NetworkInterfaces"][0]["NetworkInterfaceId"]], only_a), ("launch-index", ["0"], both),
    ]:
        assert found(ec2, name, *values) == expected, (name, values)
    # Filters are all to match, and hold for ids too.
    and_filters = [{"Name": "key-name", "Values": ["web"]}, {"Name": "instance-state-name", "Values": ["stopped"]}]
    assert ids(ec2.describe_instances(Filters=and_filters)) == []
    assert ids(ec2.describe_instances(InstanceIds=both, Filters=and_filters[1:])) == only_b
    with refused("InvalidParameterValue"):
        found(ec2, "colour", "red")


def test_pages(ec2, ami, refused):
    made = []
    for count in (4, 5, 3):
        made += ids({"Reservations": [ec2.run_instances(ImageId=ami, MinCount=count, MaxCount=count)]})
    pages = list(ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(instances_of(page)) for page in pages] == [5, 5, 2] and "NextToken" not in pages[-1]
    assert sorted(one["InstanceId"] for page in pages for one in instances_of(page)) == sorted(made)
    for wrong in (4, 1001, 0, -1):
        with refused("InvalidParameterValue"):
            ec2.describe_instances(MaxResults=wrong)
    for wrong in ("x", "AAAA", base64.b64encode(b"\1" * 30).decode()):
        with refused("InvalidNextToken"):
            ec2.describe_instances(NextToken=wrong)
    with refused("InvalidParameterCombination"):
        ec2.describe_instances(InstanceIds=made[:1], MaxResults=5)


def test_the_limit_of_the_installation(refused):
    with started_daemon("--instance-limit", "3") as daemon:
        ec2 = daemon.client()
        wait_until(lambda: {one["State"] for one in ec2.describe_images()["Images"]} == {"available"})
        image = ec2.describe_images()["Images"][0]["ImageId"]

        def run(least, most):
            return ids({"Reservations": [ec2.run_instances(ImageId=image, MinCount=least, MaxCount=most)]})

        def settled(state, *which):
            wait_until(lambda: {one["State"]["Name"] for one in instances_of(ec2.describe_instances(InstanceIds=list(which)))} == {state})

        with refused("InstanceLimitExceeded"):
            run(4, 4)
        made = run(2, 10)
        assert len(made) == 3  # as many as may be
        with refused("InstanceLimitExceeded"):
            run(1, 1)
        settled("running", *made)
        ec2.stop_instances(InstanceIds=made)
        settled("stopped", *made)
        more = run(3, 3)  # stopped ones leave room for running ones, twice the limit in all
        settled("running", *more)
        with refused("InstanceLimitExceeded"):
            ec2.start_instances(InstanceIds=made[:1])
        ec2.stop_instances(InstanceIds=more)
        settled("stopped", *more)
        with refused("InstanceLimitExceeded"):
            run(1, 1)
        ec2.terminate_instances(InstanceIds=more)
        settled("terminated", *more)
        assert len(run(1, 1)) == 1
        assert ec2.describe_account_attributes(AttributeNames=["max-instances"])["AccountAttributes"][0]["AttributeValues"] == [{"AttributeValue": "3"}]
