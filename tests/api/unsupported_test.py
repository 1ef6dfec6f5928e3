"""UnsupportedOperation never hides an ordinary error: whatever is wrong with a request in any installation is said first."""
import pytest

LOST = {"instance": "i-0123456789abcdef0", "volume": "vol-0123456789abcdef0", "snapshot": "snap-0123456789abcdef0", "image": "ami-0123456789abcdef0"}
ZONE = "us-east-1a"
# Call, a request of which only one thing is not built, changes that make an ordinary mistake, and its code.
LAUNCH = [
    {"InstanceMarketOptions": {"MarketType": "spot"}}, {"IamInstanceProfile": {"Name": "web"}}, {"EnclaveOptions": {"Enabled": True}}, {"Placement": {"Tenancy": "host"}},
    {"LicenseSpecifications": [{"LicenseConfigurationArn": "arn:aws:license-manager:x"}]}, {"MetadataOptions": {"HttpProtocolIpv6": "enabled"}},
    {"NetworkInterfaces": [{"DeviceIndex": 0, "Ipv4PrefixCount": 1}]}, {"NetworkInterfaces": [{"DeviceIndex": 0, "InterfaceType": "efa"}]},
    {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "OutpostArn": "arn:aws:outposts:x"}}]},
    {"PrivateDnsNameOptions": {"HostnameType": "resource-name"}}, {"AdditionalInfo": "x"},
    {"CapacityReservationSpecification": {"CapacityReservationPreference": "capacity-reservations-only"}},
]
WRONG = [
    ("InvalidAMIID.NotFound", {"ImageId": LOST["image"]}), ("InvalidParameterValue", {"InstanceType": "m9.huge"}), ("InvalidKeyPair.NotFound", {"KeyName": "lost"}),
    ("InvalidParameterCombination", {"MinCount": 2, "MaxCount": 1}), ("InvalidParameterValue", {"InstanceInitiatedShutdownBehavior": "sleep"}),
    ("InvalidParameterValue", {"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]}),
    ("InvalidParameterValue", {"CreditSpecification": {"CpuCredits": "some"}}), ("InvalidParameterValue", {"MaintenanceOptions": {"AutoRecovery": "sometimes"}}),
]


@pytest.mark.parametrize("asked", LAUNCH, ids=str)
def test_launches(ec2, ami, refused, asked):
    whole = {"ImageId": ami, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", **asked}
    with refused("UnsupportedOperation"):
        ec2.run_instances(**whole)
    for code, mistake in WRONG:
        with refused(code):
            ec2.run_instances(**{**whole, **mistake})
    assert ec2.describe_instances()["Reservations"] == []


@pytest.mark.parametrize(
    "mistake",
    [{"InstanceMarketOptions": {"MarketType": "barter"}}, {"CpuOptions": {"AmdSevSnp": "perhaps"}}, {"MetadataOptions": {"HttpProtocolIpv6": "perhaps"}},
     {"PrivateDnsNameOptions": {"HostnameType": "first-name"}}, {"CapacityReservationSpecification": {"CapacityReservationPreference": "closed"}},
     {"NetworkInterfaces": [{"DeviceIndex": 0, "InterfaceType": "tap"}]}, {"Placement": {"Affinity": "near"}}, {"NetworkPerformanceOptions": {"BandwidthWeighting": "all"}}],
    ids=str,
)
def test_values_that_ec2_does_not_know_either(query, ami, mistake):
    flat = {}

    def flatten(prefix, value):
        for key, inner in value.items() if isinstance(value, dict) else ((index + 1, each) for index, each in enumerate(value)):
            if isinstance(inner, (dict, list)):
                flatten(f"{prefix}{key}.", inner)
            else:
                flat[f"{prefix}{key}".replace("NetworkInterfaces.", "NetworkInterface.")] = str(inner)

    flatten("", mistake)
    answer = query("RunInstances", "2016-11-15", {"ImageId": ami, "MinCount": "1", "MaxCount": "1", "InstanceType": "t3.micro", **flat})
    assert answer.code == "InvalidParameterValue", answer.body


def calls(ec2, instance, volume):
    """(call, request that is good but for what is not built, change that is an ordinary mistake, its code)"""
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 0.1})
    disk = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}]
    return [
        (ec2.create_volume, {"AvailabilityZone": ZONE, "Size": 1, "OutpostArn": "arn:aws:outposts:x"}, {"AvailabilityZone": "nowhere"}, "InvalidZone.NotFound"),
        (ec2.create_volume, {"AvailabilityZone": ZONE, "Size": 1, "OutpostArn": "arn:aws:outposts:x"}, {"VolumeType": "tape"}, "UnknownVolumeType"),
        (ec2.create_snapshot, {"VolumeId": volume, "OutpostArn": "arn:aws:outposts:x"}, {"VolumeId": LOST["volume"]}, "InvalidVolume.NotFound"),
        (ec2.create_snapshot, {"VolumeId": volume, "OutpostArn": "arn:aws:outposts:x"}, {"Description": "d" * 256}, "InvalidParameterValue"),
        (ec2.create_snapshots, {"InstanceSpecification": {"InstanceId": instance}, "OutpostArn": "arn:aws:outposts:x"}, {"InstanceSpecification": {"InstanceId": LOST["instance"]}},
         "InvalidInstanceID.NotFound"),
        (ec2.copy_snapshot, {"SourceRegion": "us-east-1", "SourceSnapshotId": snapshot, "DestinationOutpostArn": "arn:aws:outposts:x"}, {"SourceSnapshotId": LOST["snapshot"]},
         "InvalidSnapshot.NotFound"),
        (ec2.copy_image, {"SourceRegion": "us-east-1", "SourceImageId": image_of(ec2), "Name": "copy", "DestinationOutpostArn": "arn:aws:outposts:x"}, {"SourceImageId": LOST["image"]},
         "InvalidAMIID.NotFound"),
        (ec2.register_image, {"Name": "uefi", "BootMode": "uefi", "VirtualizationType": "hvm", "BlockDeviceMappings": disk}, {"Architecture": "z80"}, "InvalidParameterValue"),
        (ec2.register_image, {"Name": "uefi", "TpmSupport": "v2.0", "VirtualizationType": "hvm", "BlockDeviceMappings": disk},
         {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": LOST["snapshot"]}}]}, "InvalidSnapshot.NotFound"),
        (ec2.register_image, {"Name": "arm", "Architecture": "arm64", "VirtualizationType": "hvm", "BlockDeviceMappings": disk}, {"VirtualizationType": "half"}, "InvalidParameterValue"),
        (ec2.register_image, {"Name": "in s3", "ImageLocation": "bucket/image.manifest.xml"}, {"Name": "x"}, "InvalidAMIName.Malformed"),
        (ec2.modify_instance_metadata_options, {"InstanceId": instance, "HttpProtocolIpv6": "enabled"}, {"HttpPutResponseHopLimit": 65}, "InvalidParameterValue"),
        (ec2.create_placement_group, {"GroupName": "apart", "Strategy": "spread", "SpreadLevel": "host"},
         {"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]}, "InvalidParameterValue"),
        (ec2.create_launch_template, {"LaunchTemplateName": "web", "LaunchTemplateData": {"InstanceRequirements": {"VCpuCount": {"Min": 1}, "MemoryMiB": {"Min": 1}}}},
         {"LaunchTemplateName": "w w"}, "InvalidLaunchTemplateName.MalformedException"),
    ]


def image_of(ec2):
    return ec2.describe_images(Filters=[{"Name": "name", "Values": ["tiny"]}])["Images"][0]["ImageId"]


def test_other_calls(ec2, launch, refused):
    instance = launch()["InstanceId"]
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.1})
    for call, request, mistake, code in calls(ec2, instance, volume):
        with refused("UnsupportedOperation"):
            call(**request)
        with refused(code):
            call(**{**request, **mistake})


@pytest.mark.parametrize(
    "action, parameters, mistake, code",
    [
        ("ModifyInstanceMetadataDefaults", {"HttpTokensEnforced": "enabled"}, {"HttpPutResponseHopLimit": "65"}, "InvalidParameterValue"),
        ("GetInstanceTypesFromInstanceRequirements",
         {"ArchitectureType.1": "x86_64", "VirtualizationType.1": "hvm", "InstanceRequirements.VCpuCount.Min": "1", "InstanceRequirements.MemoryMiB.Min": "1",
          "InstanceRequirements.CpuManufacturer.1": "intel"}, {"InstanceRequirements.BareMetal": "perhaps"}, "InvalidParameterValue"),
        ("RunInstances", {"ImageId": "AMI", "MinCount": "1", "MaxCount": "1", "InstanceType": "m5.large", "CpuOptions.AmdSevSnp": "enabled"}, {"KeyName": "lost"},
         "InvalidKeyPair.NotFound"),
    ],
    ids=str,
)
def test_calls_that_older_clients_do_not_know(query, ami, action, parameters, mistake, code):
    parameters = {key: ami if value == "AMI" else value for key, value in parameters.items()}
    assert query(action, "2016-11-15", parameters).code == "UnsupportedOperation"
    assert query(action, "2016-11-15", {**parameters, **mistake}).code == code


def test_hibernation(ec2, launch, refused, in_state):
    one = launch()["InstanceId"]
    with refused("InvalidInstanceID.NotFound"):
        ec2.stop_instances(InstanceIds=[LOST["instance"]], Hibernate=True)
    with refused("UnsupportedHibernationConfiguration"):
        ec2.stop_instances(InstanceIds=[one], Hibernate=True)
    assert in_state("running", one)


def test_organizations(ec2, ami, launch, refused):
    made = ec2.create_image(InstanceId=launch()["InstanceId"], Name="made", NoReboot=True)["ImageId"]
    with refused("UnsupportedOperation"):
        ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"OrganizationArn": "arn:aws:organizations::x"}]})
    with refused("InvalidAMIAttributeItemValue"):
        ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"OrganizationArn": "arn:aws:organizations::x"}, {"UserId": "nobody"}]})
