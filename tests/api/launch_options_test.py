"""Options of RunInstances: processors, credits, placement, and what is refused by name."""
import pytest

from capacity_test import cloud
from conftest import NEW, instances_of

ONE = {"MinCount": 1, "MaxCount": 1}


def test_fewer_processors(ec2, ami, launch):
    for kind, asked in (("m5.2xlarge", {"CoreCount": 2, "ThreadsPerCore": 1}), ("m5.2xlarge", {"CoreCount": 2, "ThreadsPerCore": 2}),
                        ("t3.micro", {"CoreCount": 1, "ThreadsPerCore": 1}), ("t2.medium", {"CoreCount": 1, "ThreadsPerCore": 1})):
        assert launch(InstanceType=kind, CpuOptions=asked)["CpuOptions"] == asked


@pytest.mark.parametrize("kind, cores, threads", [("t3.micro", 1, 2), ("m5.xlarge", 2, 2), ("t2.micro", 1, 1), ("t2.medium", 2, 1), ("m1.large", 2, 1)])
def test_cores_and_threads_of_the_type(ec2, launch, kind, cores, threads):
    one = launch(InstanceType=kind)
    assert one["CpuOptions"] == {"CoreCount": cores, "ThreadsPerCore": threads}
    assert ec2.get_launch_template_data(InstanceId=one["InstanceId"])["LaunchTemplateData"]["CpuOptions"] == one["CpuOptions"]


def test_cores_of_a_stopped_instance(query, ec2, launch, in_state):
    one = launch(InstanceType="m5.2xlarge")["InstanceId"]

    def change(**parameters):
        return query("ModifyInstanceCpuOptions", NEW, InstanceId=one, **parameters)

    assert change(CoreCount=2, ThreadsPerCore=1).code == "IncorrectInstanceState"
    ec2.stop_instances(InstanceIds=[one])
    in_state("stopped", one)
    for code, parameters in (("InvalidParameterCombination", {}), ("InvalidParameterCombination", {"CoreCount": 2}), ("InvalidParameterValue", {"CoreCount": 3, "ThreadsPerCore": 1}),
                             ("InvalidParameterValue", {"CoreCount": 3, "ThreadsPerCore": 1, "NestedVirtualization": "enabled"}),
                             ("InvalidParameterValue", {"NestedVirtualization": "perhaps"}), ("UnsupportedOperation", {"NestedVirtualization": "enabled"})):
        assert change(**parameters).code == code, parameters
    answer = change(CoreCount=2, ThreadsPerCore=1)
    assert answer.texts("coreCount") == ["2"] and answer.texts("threadsPerCore") == ["1"]
    assert in_state("stopped", one)[0]["CpuOptions"] == {"CoreCount": 2, "ThreadsPerCore": 1}
    # Another type comes with its own.
    ec2.modify_instance_attribute(InstanceId=one, InstanceType={"Value": "m5.xlarge"})
    assert in_state("stopped", one)[0]["CpuOptions"] == {"CoreCount": 2, "ThreadsPerCore": 2}


def test_tenancy(ec2, launch):
    assert launch()["Placement"]["Tenancy"] == "default"
    assert launch(Placement={"Tenancy": "dedicated"})["Placement"]["Tenancy"] == "dedicated"


def test_a_vpc_of_dedicated_hardware(query, ec2, launch, refused):
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/24", InstanceTenancy="dedicated")["Vpc"]
    assert vpc["InstanceTenancy"] == "dedicated"
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.9.0.0/25")["Subnet"]["SubnetId"]
    for place in ({}, {"Placement": {"Tenancy": "default"}}, {"Placement": {"Tenancy": "dedicated"}}):
        assert launch(SubnetId=subnet, **place)["Placement"]["Tenancy"] == "dedicated"
    with refused("InvalidParameterValue"):
        ec2.modify_vpc_tenancy(VpcId=vpc["VpcId"], InstanceTenancy="dedicated")
    with refused("InvalidVpcID.NotFound"):
        ec2.modify_vpc_tenancy(VpcId="vpc-0123456789abcdef0", InstanceTenancy="default")
    ec2.modify_vpc_tenancy(VpcId=vpc["VpcId"], InstanceTenancy="default")
    assert ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"][0]["InstanceTenancy"] == "default"
    assert launch(SubnetId=subnet)["Placement"]["Tenancy"] == "default"
    with refused("InvalidParameterValue"):
        ec2.create_vpc(CidrBlock="10.10.0.0/24", InstanceTenancy="host")


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
        ("InvalidParameterValue", {"InstanceType": "m5.large", "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 3}}),
        ("InvalidParameterValue", {"InstanceType": "t2.medium", "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2}}),
        ("UnsupportedOperation", {"MetadataOptions": {"HttpProtocolIpv6": "enabled"}}),
        ("InvalidParameterValue", {"MetadataOptions": {"HttpProtocolIpv6": "sometimes"}}),
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
