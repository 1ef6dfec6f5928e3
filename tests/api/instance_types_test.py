"""The catalogue of instance types: the guide's twelve exactly, the modern ones, the operator's own."""
import pytest

from conftest import started_real_daemon

# INS-005: virtual processors, MiB, instance stores as count × GB.
GUIDE = {
    "m1.small": (1, 1740, 1, 150), "m1.large": (2, 7680, 2, 420), "m1.xlarge": (4, 15360, 4, 420), "t1.micro": (1, 613, 0, 0),
    "c1.medium": (2, 1740, 1, 340), "c1.xlarge": (8, 7168, 4, 420), "m2.xlarge": (2, 17510, 1, 420), "m2.2xlarge": (4, 35020, 1, 840),
    "m2.4xlarge": (8, 70041, 2, 840), "cc1.4xlarge": (8, 23552, 2, 840), "cc2.8xlarge": (16, 61952, 4, 840), "cg1.4xlarge": (8, 22528, 2, 840),
}


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


def names(ec2, **parameters):
    return {one["InstanceType"] for one in ec2.describe_instance_types(**parameters)["InstanceTypes"]}


@pytest.mark.parametrize("name", GUIDE)
def test_the_types_of_the_guide(ec2, name):
    processors, memory, disks, size = GUIDE[name]
    (shown,) = ec2.describe_instance_types(InstanceTypes=[name])["InstanceTypes"]
    assert (shown["VCpuInfo"]["DefaultVCpus"], shown["MemoryInfo"]["SizeInMiB"]) == (processors, memory)
    assert shown["InstanceStorageSupported"] is (disks > 0) and shown["CurrentGeneration"] is False
    if disks:
        assert shown["InstanceStorageInfo"]["TotalSizeInGB"] == disks * size
        assert shown["InstanceStorageInfo"]["Disks"] == [{"Count": disks, "SizeInGB": size, "Type": "hdd"}]
    assert shown["VCpuInfo"]["ValidCores"] == list(range(1, processors + 1)) and shown["VCpuInfo"]["ValidThreadsPerCore"] == [1]


@pytest.mark.parametrize(
    "kind, processors, cores, threads, valid",
    [
        ("t2.micro", 1, 1, 1, [1]), ("t2.medium", 2, 2, 1, [1, 2]), ("t3.micro", 2, 1, 2, [1]), ("c5.large", 2, 1, 2, [1]), ("m5.xlarge", 4, 2, 2, [2]),
        ("c5.2xlarge", 8, 4, 2, [2, 4]), ("m5.24xlarge", 96, 48, 2, list(range(2, 49, 2))), ("m7i.2xlarge", 8, 4, 2, [1, 2, 3, 4]), ("m1.small", 1, 1, 1, [1]),
    ],
)
def test_cores_and_threads(ec2, kind, processors, cores, threads, valid):
    (shown,) = ec2.describe_instance_types(InstanceTypes=[kind])["InstanceTypes"]
    assert shown["VCpuInfo"] == {"DefaultVCpus": processors, "DefaultCores": cores, "DefaultThreadsPerCore": threads, "ValidCores": valid,
                                 "ValidThreadsPerCore": list(range(1, threads + 1))}


@pytest.mark.parametrize("family", ["t2", "t3", "t3a", "m5", "c5", "r5", "m6i", "c6i", "r6i", "m7i"])
def test_families_of_today(ec2, family):
    assert len(names(ec2, **by("instance-type", family + ".*"))) >= 4


@pytest.mark.parametrize(
    "name, value, some, none",
    [
        ("instance-type", "m1.*", "m1.small", "m5.large"), ("burstable-performance-supported", "true", "t3.micro", "m5.large"),
        ("current-generation", "false", "c1.medium", "c5.large"), ("hypervisor", "xen", "m1.small", "m5.large"),
        ("instance-storage-info.disk.count", "4", "c1.xlarge", "m1.small"), ("instance-storage-info.disk.size-in-gb", "840", "m2.2xlarge", "m1.large"),
        ("instance-storage-info.disk.type", "hdd", "m1.small", "t2.micro"), ("instance-storage-info.total-size-in-gb", "150", "m1.small", "m1.large"),
        ("instance-storage-info.encryption-support", "unsupported", "m1.small", "t2.micro"),
        ("instance-storage-info.nvme-support", "unsupported", "m1.small", "t2.micro"),
        ("instance-storage-supported", "false", "t1.micro", "m1.small"), ("memory-info.size-in-mib", "1740", "m1.small", "m1.large"),
        ("network-info.maximum-network-interfaces", "8", "m5.4xlarge", "m1.small"), ("network-info.ipv4-addresses-per-interface", "4", "m1.small", "m5.large"),
        ("network-info.ipv6-addresses-per-interface", "10", "m5.large", "m1.small"), ("network-info.ipv6-supported", "true", "t2.micro", "m1.small"),
        ("network-info.network-performance", "10 Gigabit", "cc1.4xlarge", "m1.small"), ("processor-info.supported-architecture", "i386", "m1.small", "m5.large"),
        ("vcpu-info.default-cores", "8", "m5.4xlarge", "m1.small"), ("vcpu-info.default-vcpus", "1", "t1.micro", "m5.large"),
        ("vcpu-info.valid-cores", "8", "c1.xlarge", "m1.small"), ("vcpu-info.default-threads-per-core", "2", "t3.micro", "t2.micro"),
        ("vcpu-info.valid-threads-per-core", "2", "c5.large", "m1.large"),
    ],
)
def test_filters_that_tell_types_apart(ec2, name, value, some, none):
    found = names(ec2, **by(name, value))
    assert some in found and none not in found


ALIKE = {
    "auto-recovery-supported": "false", "bare-metal": "false", "dedicated-hosts-supported": "false", "free-tier-eligible": "false",
    "hibernation-supported": "false", "ebs-info.ebs-optimized-support": "unsupported", "ebs-info.encryption-support": "supported", "ebs-info.nvme-support": "unsupported",
    "network-info.efa-supported": "false", "network-info.ena-support": "unsupported", "network-info.encryption-in-transit-supported": "false",
    "network-info.flexible-ena-queues-support": "unsupported", 
    "network-info.maximum-network-cards": "1", "nitro-enclaves-support": "unsupported", "nitro-tpm-support": "unsupported",
    "reboot-migration-support": "unsupported", "supported-boot-mode": "legacy-bios", "supported-root-device-type": "ebs",
    "supported-usage-class": "on-demand", "supported-virtualization-type": "hvm",
    "vcpu-info.valid-threads-per-core": "1",
}
OF_NONE = [
    "ebs-info.attachment-limit-type", "ebs-info.maximum-ebs-attachments", "network-info.bandwidth-weightings", "nitro-tpm-info.supported-versions",
    "network-info.efa-info.maximum-efa-interfaces", "processor-info.supported-features", "processor-info.sustained-clock-speed-in-ghz",
    *(f"ebs-info.ebs-optimized-info.{one}" for one in ("baseline-bandwidth-in-mbps", "baseline-iops", "baseline-throughput-in-mbps",
                                                      "maximum-bandwidth-in-mbps", "maximum-iops", "maximum-throughput-in-mbps")),
]


def test_filters_that_tell_no_types_apart(ec2):
    everything = names(ec2)
    for name, value in ALIKE.items():
        assert names(ec2, **by(name, value)) == everything, name
        assert names(ec2, **by(name, "other")) == set(), name
    for name in OF_NONE:
        assert names(ec2, **by(name, "*")) == set(), name


def test_wrong_requests(ec2, refused):
    with refused("InvalidInstanceType"):
        names(ec2, InstanceTypes=["z9.huge"])
    with refused("InvalidParameterCombination"):
        names(ec2, InstanceTypes=["m1.small"], MaxResults=5)
    with refused("InvalidParameterValue"):
        names(ec2, **by("colour", "red"))


def offerings(ec2, **parameters):
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(**parameters)
    return [(one["InstanceType"], one["LocationType"], one["Location"]) for page in pages for one in page["InstanceTypeOfferings"]]


def test_offerings(ec2, other, refused):
    everything = names(ec2)
    assert {one for one, _, _ in offerings(ec2)} == everything
    assert offerings(ec2, **by("instance-type", "m1.small")) == [("m1.small", "region", "us-east-1")]
    assert offerings(ec2, LocationType="availability-zone", **by("location", "us-east-1b"))[0][1:] == ("availability-zone", "us-east-1b")
    by_zone = offerings(ec2, LocationType="availability-zone-id", PaginationConfig={"PageSize": 50})
    assert len(by_zone) == len(set(by_zone)) == 3 * len(everything)
    assert {zone for _, _, zone in by_zone} == {"use1-az1", "use1-az2", "use1-az3"}
    assert offerings(ec2, LocationType="outpost") == []
    with refused("InvalidParameterValue"):
        offerings(ec2, LocationType="moon")
    with refused("InvalidParameterValue"):
        offerings(ec2, **by("colour", "red"))


def test_a_table_of_the_operators(tmp_path):
    with started_real_daemon(table="x1.tiny\t1\t64\tx86_64\tcurrent\tfull\t0\t0\tLow\nt2.nano\t1\t600\tx86_64\tcurrent\tcredits=3\t0\t0\tLow\tno\t5\t6\n") as daemon:
        shown = {one["InstanceType"]: one for one in daemon.client().describe_instance_types(InstanceTypes=["x1.tiny", "t2.nano"])["InstanceTypes"]}
        assert shown["x1.tiny"]["MemoryInfo"]["SizeInMiB"] == 64 and shown["x1.tiny"]["NetworkInfo"]["MaximumNetworkInterfaces"] == 2
        assert shown["t2.nano"]["MemoryInfo"]["SizeInMiB"] == 600 and shown["t2.nano"]["NetworkInfo"]["MaximumNetworkInterfaces"] == 5
