"""Options of RunInstances: processors, credits, placement, and what is refused by name."""
import pytest

from capacity_test import cloud
from conftest import instances_of

ONE = {"MinCount": 1, "MaxCount": 1}


def test_fewer_processors(ec2, ami, launch):
    one = launch(InstanceType="m5.xlarge", CpuOptions={"CoreCount": 2, "ThreadsPerCore": 1})
    assert one["CpuOptions"]["CoreCount"] == 2 and one["CpuOptions"]["ThreadsPerCore"] == 1
    assert launch(InstanceType="m5.xlarge")["CpuOptions"]["CoreCount"] == 4


def test_tenancy(ec2, launch):
    assert launch()["Placement"]["Tenancy"] == "default"
    assert launch(Placement={"Tenancy": "dedicated"})["Placement"]["Tenancy"] == "dedicated"


def test_dedicated_hardware_is_nobody_elses(refused):
    with cloud("--guest-memory", "100000") as one:
        other = one.daemon.client(keys=one.daemon.create_account("other"))
        dedicated = {"Placement": {"Tenancy": "dedicated"}}
        mine = one.run(1, kind="t2.micro")
        with refused("InsufficientInstanceCapacity", 500):
            one.run(1, ec2=other, kind="t2.micro", **dedicated)
        assert one.run(1, kind="t2.micro", **dedicated)  # beside one's own
        with refused("InsufficientInstanceCapacity", 500):
            one.run(1, ec2=other, kind="t2.micro")
        assert one.run(1, kind="t2.micro") and mine


@pytest.mark.parametrize(
    "code, parameters",
    [
        ("InvalidParameterValue", {"InstanceType": "m5.large", "CpuOptions": {"CoreCount": 3, "ThreadsPerCore": 1}}),
        ("InvalidParameterValue", {"InstanceType": "m5.large", "CpuOptions": {"CoreCount": 0, "ThreadsPerCore": 1}}),
        ("InvalidParameterValue", {"InstanceType": "m5.large", "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2}}),
        ("InvalidParameterCombination", {"InstanceType": "m5.large", "CpuOptions": {"CoreCount": 1}}),
        ("InvalidParameterCombination", {"InstanceType": "m5.large", "CreditSpecification": {"CpuCredits": "unlimited"}}),
        ("InvalidParameterValue", {"InstanceType": "t3.micro", "CreditSpecification": {"CpuCredits": "some"}}),
        ("InvalidParameterValue", {"MaintenanceOptions": {"AutoRecovery": "sometimes"}}),
        ("InvalidParameterValue", {"Placement": {"Tenancy": "shared"}}),
        ("InvalidParameterValue", {"InstanceInitiatedShutdownBehavior": "sleep"}),
        ("InvalidParameterValue", {"MetadataOptions": {"HttpPutResponseHopLimit": 65}}),
        ("InvalidParameterValue", {"MetadataOptions": {"HttpEndpoint": "ajar"}}),
        ("InvalidParameterValue", {"InstanceType": "m9.huge"}),
        ("InvalidParameterCombination", {"MinCount": 2, "MaxCount": 1}),
        ("InstanceLimitExceeded", {"MinCount": 1, "MaxCount": 1001}),
        ("InvalidParameterCombination", {"Placement": {"PartitionNumber": 1}}),
        ("InvalidPlacementGroup.Unknown", {"Placement": {"GroupName": "nowhere"}}),
        ("UnsupportedHibernationConfiguration", {"HibernationOptions": {"Configured": True}}),
        ("UnsupportedOperation", {"EnclaveOptions": {"Enabled": True}}),
        ("UnsupportedOperation", {"Placement": {"Tenancy": "host"}}),
        ("UnsupportedOperation", {"Placement": {"HostId": "h-0123456789abcdef0"}}),
        ("UnsupportedOperation", {"Placement": {"SpreadDomain": "x"}}),
        ("UnsupportedOperation", {"LicenseSpecifications": [{"LicenseConfigurationArn": "arn:aws:license-manager:x"}]}),
        ("UnsupportedOperation", {"ElasticGpuSpecification": [{"Type": "eg1.medium"}]}),
        ("UnsupportedOperation", {"ElasticInferenceAccelerators": [{"Type": "eia1.medium"}]}),
        ("UnsupportedOperation", {"CapacityReservationSpecification": {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}}}),
        ("InvalidParameterCombination", {"Ipv6AddressCount": 1}),  # of this type
        ("UnsupportedOperation", {"AdditionalInfo": "x"}),
        ("InvalidParameterValue", {"TagSpecifications": [{"ResourceType": "spot-instances-request", "Tags": [{"Key": "a", "Value": "b"}]}]}),
    ],
    ids=str,
)
def test_what_is_refused(ec2, ami, refused, code, parameters):
    with refused(code):
        ec2.run_instances(**{"ImageId": ami, **ONE, **parameters})
    assert instances_of(ec2.describe_instances()) == []


def test_false_asks_for_nothing(ec2, ami):
    made = ec2.run_instances(ImageId=ami, **ONE, HibernationOptions={"Configured": False}, EnclaveOptions={"Enabled": False},
                             PrivateDnsNameOptions={"HostnameType": "ip-name"}, CapacityReservationSpecification={"CapacityReservationPreference": "none"})
    assert made["Instances"][0]["HibernationOptions"]["Configured"] is False


# ----- placement groups

def test_a_cluster(ec2, launch, ami, refused):
    group = ec2.create_placement_group(GroupName="near", Strategy="cluster")["PlacementGroup"]
    one = launch(InstanceType="m5.large", Placement={"GroupName": "near", "AvailabilityZone": "us-east-1c"})
    assert one["Placement"]["GroupName"] == "near" and one["Placement"]["GroupId"] == group["GroupId"]
    # The others follow into its zone.
    assert {launch(InstanceType="m5.large", Placement={"GroupName": "near"})["Placement"]["AvailabilityZone"] for _ in range(2)} == {"us-east-1c"}
    assert launch(InstanceType="m5.large", Placement={"GroupId": group["GroupId"]})["Placement"]["GroupName"] == "near"
    for code, parameters in [
        ("InvalidParameterValue", {"InstanceType": "m5.large", "Placement": {"GroupName": "near", "AvailabilityZone": "us-east-1a"}}),
        ("InvalidParameterCombination", {"InstanceType": "t2.micro", "Placement": {"GroupName": "near"}}),
        ("InvalidParameterCombination", {"InstanceType": "m5.large", "Placement": {"GroupName": "near", "GroupId": group["GroupId"]}}),
        ("InvalidParameterCombination", {"InstanceType": "m5.large", "Placement": {"GroupName": "near", "PartitionNumber": 1}}),
        ("InvalidPlacementGroupId.Malformed", {"InstanceType": "m5.large", "Placement": {"GroupId": "pg-1"}}),
    ]:
        with refused(code):
            ec2.run_instances(**{"ImageId": ami, **ONE, **parameters})
    with refused("InvalidPlacementGroup.InUse"):
        ec2.delete_placement_group(GroupName="near")
    assert [one["Placement"]["GroupName"] for one in instances_of(ec2.describe_instances())] == ["near"] * 4


def test_a_group_is_deleted_after_its_instances(ec2, launch, in_state):
    ec2.create_placement_group(GroupName="near", Strategy="cluster")
    one = launch(InstanceType="m5.large", Placement={"GroupName": "near"})["InstanceId"]
    ec2.terminate_instances(InstanceIds=[one])
    in_state("terminated", one)
    ec2.delete_placement_group(GroupName="near")


def test_in_2011_a_cluster_is_of_cluster_types(ec2, query, ami):
    query("CreatePlacementGroup", GroupName="XYZ-cluster", Strategy="cluster")
    launch = {"ImageId": ami, "MinCount": "2", "MaxCount": "2", "Placement.GroupName": "XYZ-cluster"}
    assert query("RunInstances", InstanceType="cc1.4xlarge", parameters=launch).texts(".//placement/groupName") == ["XYZ-cluster"] * 2
    assert query("RunInstances", InstanceType="m1.large", parameters=launch).code == "InvalidParameterCombination"


def test_spread(ec2, ami, refused):
    ec2.create_placement_group(GroupName="apart", Strategy="spread")
    place = {"GroupName": "apart", "AvailabilityZone": "us-east-1a"}
    made = ec2.run_instances(ImageId=ami, MinCount=5, MaxCount=20, Placement=place)
    assert len(made["Instances"]) == 7  # of one zone
    with refused("InsufficientInstanceCapacity", 500):
        ec2.run_instances(ImageId=ami, **ONE, Placement=place)
    assert ec2.run_instances(ImageId=ami, **ONE, Placement={"GroupName": "apart", "AvailabilityZone": "us-east-1b"})
    with refused("InvalidParameterCombination"):
        ec2.run_instances(ImageId=ami, **ONE, Placement={**place, "Tenancy": "dedicated"})


def test_partitions(ec2, ami, launch, refused):
    ec2.create_placement_group(GroupName="parts", Strategy="partition", PartitionCount=3)
    made = ec2.run_instances(ImageId=ami, MinCount=6, MaxCount=6, Placement={"GroupName": "parts"})["Instances"]
    assert [one["Placement"]["PartitionNumber"] for one in made] == [1, 2, 3, 1, 2, 3]
    assert launch(Placement={"GroupName": "parts", "PartitionNumber": 2})["Placement"]["PartitionNumber"] == 2
    assert launch(Placement={"GroupName": "parts"})["Placement"]["PartitionNumber"] in (1, 3)
    for wrong in (0, 4):
        with refused("InvalidParameterValue"):
            ec2.run_instances(ImageId=ami, **ONE, Placement={"GroupName": "parts", "PartitionNumber": wrong})


def test_one_host_keeps_nothing_apart(refused):
    """Where all is one machine, a promise of other hardware is refused instead of broken."""
    with cloud("--guest-memory", "100000") as one:
        one.ec2.create_placement_group(GroupName="apart", Strategy="spread")
        one.ec2.create_placement_group(GroupName="parts", Strategy="partition", PartitionCount=2)
        assert len(one.run(1, 5, kind="t2.micro", Placement={"GroupName": "apart"})) == 1
        assert len(one.run(3, kind="t2.micro", Placement={"GroupName": "parts", "PartitionNumber": 1})) == 3
        assert len(one.run(2, kind="t2.micro", Placement={"GroupName": "parts"})) == 2
        for place in ({"GroupName": "apart"}, {"GroupName": "parts", "PartitionNumber": 2}):
            with refused("InsufficientInstanceCapacity", 500):
                one.run(1, kind="t2.micro", Placement=place)
