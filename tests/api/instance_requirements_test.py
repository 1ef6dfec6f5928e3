"""GetInstanceTypesFromInstanceRequirements: held against DescribeInstanceTypes."""
import pytest

from conftest import NEW


def chosen(ec2, architecture="x86_64", virtualization="hvm", **requirements):
    asked = {"VCpuCount": {"Min": 0}, "MemoryMiB": {"Min": 0}, **requirements}
    pages = ec2.get_paginator("get_instance_types_from_instance_requirements").paginate(
        ArchitectureTypes=[architecture], VirtualizationTypes=[virtualization], InstanceRequirements=asked, PaginationConfig={"PageSize": 7})
    return [one["InstanceType"] for page in pages for one in page["InstanceTypes"]]


@pytest.fixture
def types(ec2):
    pages = ec2.get_paginator("describe_instance_types").paginate()
    return [one for page in pages for one in page["InstanceTypes"]]


def of(types, fits, architecture="x86_64", burstable=False):
    return sorted(one["InstanceType"] for one in types if architecture in one["ProcessorInfo"]["SupportedArchitectures"]
                  and (burstable or not one["BurstablePerformanceSupported"]) and fits(one))


def stored(one):
    return one.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0)


@pytest.mark.parametrize(
    "requirements, fits",
    [
        ({}, lambda one: True),
        ({"VCpuCount": {"Min": 2, "Max": 4}}, lambda one: 2 <= one["VCpuInfo"]["DefaultVCpus"] <= 4),
        ({"MemoryMiB": {"Min": 8192, "Max": 16384}}, lambda one: 8192 <= one["MemoryInfo"]["SizeInMiB"] <= 16384),
        ({"MemoryGiBPerVCpu": {"Min": 7.5, "Max": 8}}, lambda one: 7.5 <= one["MemoryInfo"]["SizeInMiB"] / 1024 / one["VCpuInfo"]["DefaultVCpus"] <= 8),
        ({"InstanceGenerations": ["previous"]}, lambda one: not one["CurrentGeneration"]),
        ({"InstanceGenerations": ["current"]}, lambda one: one["CurrentGeneration"]),
        ({"NetworkInterfaceCount": {"Min": 4}}, lambda one: one["NetworkInfo"]["MaximumNetworkInterfaces"] >= 4),
        ({"LocalStorage": "required"}, lambda one: one["InstanceStorageSupported"]),
        ({"LocalStorage": "excluded"}, lambda one: not one["InstanceStorageSupported"]),
        ({"LocalStorage": "required", "LocalStorageTypes": ["ssd"]}, lambda one: False),
        ({"TotalLocalStorageGB": {"Min": 1000, "Max": 2000}}, lambda one: 1000 <= stored(one) <= 2000),
        ({"AllowedInstanceTypes": ["m5.*", "c?.large"]}, lambda one: one["InstanceType"].startswith("m5.") or one["InstanceType"][:1] + one["InstanceType"][2:] == "c.large"),
        ({"ExcludedInstanceTypes": ["m*"]}, lambda one: not one["InstanceType"].startswith("m")),
        ({"AcceleratorCount": {"Max": 0}}, lambda one: True), ({"AcceleratorCount": {"Min": 1}}, lambda one: False),
        ({"AcceleratorTypes": ["gpu"]}, lambda one: False), ({"BareMetal": "required"}, lambda one: False), ({"BareMetal": "included"}, lambda one: True),
        ({"RequireHibernateSupport": True}, lambda one: False),
    ],
    ids=str,
)
def test_what_fits(ec2, types, requirements, fits):
    assert chosen(ec2, **requirements) == of(types, fits)


def test_burstable_types(ec2, types):
    assert chosen(ec2, BurstablePerformance="included") == of(types, lambda one: True, burstable=True)
    assert chosen(ec2, BurstablePerformance="required") == of(types, lambda one: one["BurstablePerformanceSupported"], burstable=True)
    assert "t2.micro" not in chosen(ec2) and "t2.micro" in chosen(ec2, BurstablePerformance="included")


def test_what_they_run(ec2, types):
    assert chosen(ec2, "i386") == of(types, lambda one: True, "i386") and chosen(ec2, "arm64") == [] == chosen(ec2, virtualization="paravirtual")


@pytest.mark.parametrize(
    "code, requirements",
    [
        ("InvalidParameterValue", {"VCpuCount": {"Min": 4, "Max": 2}}), ("InvalidParameterValue", {"MemoryMiB": {"Min": -1}}),
        ("InvalidParameterValue", {"BareMetal": "perhaps"}), ("InvalidParameterValue", {"InstanceGenerations": ["next"]}),
        ("InvalidParameterValue", {"LocalStorageTypes": ["tape"]}),
        ("InvalidParameterCombination", {"AllowedInstanceTypes": ["m*"], "ExcludedInstanceTypes": ["m5.*"]}),
        ("UnsupportedOperation", {"CpuManufacturers": ["intel"]}), ("UnsupportedOperation", {"NetworkBandwidthGbps": {"Min": 1}}),
        ("UnsupportedOperation", {"BaselineEbsBandwidthMbps": {"Min": 1}}), ("UnsupportedOperation", {"OnDemandMaxPricePercentageOverLowestPrice": 10}),
    ],
    ids=str,
)
def test_what_is_refused(ec2, refused, code, requirements):
    with refused(code):
        chosen(ec2, **requirements)


def test_wrong_architectures_and_pages(ec2, refused, query):
    for wrong in (("sparc", "hvm"), ("x86_64", "jail")):
        with refused("InvalidParameterValue"):
            chosen(ec2, *wrong)
    parameters = {"ArchitectureType.1": "x86_64", "VirtualizationType.1": "hvm", "InstanceRequirements.VCpuCount.Min": "1", "InstanceRequirements.MemoryMiB.Min": "1"}
    assert query("GetInstanceTypesFromInstanceRequirements", NEW, parameters, MaxResults="0").code == "InvalidParameterValue"
    assert query("GetInstanceTypesFromInstanceRequirements", NEW, parameters, NextToken="x").code == "InvalidNextToken"
    assert query("GetInstanceTypesFromInstanceRequirements", NEW, parameters).status == 200
