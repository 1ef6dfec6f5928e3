"""Dedicated VPCs: all their instances are on hardware that no other account shares."""
from capacity_test import cloud


def test_all_instances_of_a_dedicated_vpc_are_dedicated(ec2, launch, refused):
    made = ec2.create_vpc(CidrBlock="10.48.0.0/16", InstanceTenancy="dedicated")["Vpc"]
    assert made["InstanceTenancy"] == "dedicated"
    subnet = ec2.create_subnet(VpcId=made["VpcId"], CidrBlock="10.48.1.0/24")["Subnet"]["SubnetId"]
    for placement in ({}, {"Placement": {"Tenancy": "default"}}, {"Placement": {"Tenancy": "dedicated"}}):
        assert launch(SubnetId=subnet, **placement)["Placement"]["Tenancy"] == "dedicated"
    assert launch()["Placement"]["Tenancy"] == "default"
    for wrong in ("dedicated", "host", "shared"):
        with refused("InvalidParameterValue"):
            ec2.modify_vpc_tenancy(VpcId=made["VpcId"], InstanceTenancy=wrong)
    # Back, for what is launched from now on.
    assert ec2.modify_vpc_tenancy(VpcId=made["VpcId"], InstanceTenancy="default")["ReturnValue"] is True
    assert ec2.describe_vpcs(VpcIds=[made["VpcId"]])["Vpcs"][0]["InstanceTenancy"] == "default"
    assert launch(SubnetId=subnet)["Placement"]["Tenancy"] == "default"
    with refused("InvalidTenancy"):
        ec2.modify_vpc_tenancy(VpcId=made["VpcId"], InstanceTenancy="default")
    with refused("InvalidParameterValue"):
        ec2.create_vpc(CidrBlock="10.49.0.0/16", InstanceTenancy="host")


def test_the_hardware_is_nobody_elses(refused):
    with cloud("--guest-memory", "100000") as one:
        other = one.daemon.client(keys=one.daemon.create_account("other"))
        vpc = other.create_vpc(CidrBlock="10.48.0.0/16", InstanceTenancy="dedicated")["Vpc"]["VpcId"]
        subnet = other.create_subnet(VpcId=vpc, CidrBlock="10.48.1.0/24")["Subnet"]["SubnetId"]
        mine = one.run(1, kind="t2.micro")
        with refused("InsufficientInstanceCapacity", 500):
            one.run(1, ec2=other, kind="t2.micro", SubnetId=subnet)
        one.ec2.terminate_instances(InstanceIds=mine)
        one.settled("terminated", mine)
        assert one.run(1, ec2=other, kind="t2.micro", SubnetId=subnet)
        with refused("InsufficientInstanceCapacity", 500):
            one.run(1, kind="t2.micro")
