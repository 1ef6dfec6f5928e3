"""Limits of accounts, room on the host, and zones that each account calls by letters of its own."""
import contextlib
import re

import pytest

from conftest import NEW, ROOT, instances_of, started_daemon, wait_until


class Cloud:
    def __init__(self, daemon):
        self.daemon = daemon
        self.ec2 = daemon.client()
        wait_until(lambda: {one["State"] for one in self.ec2.describe_images()["Images"]} == {"available"})
        self.image = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["tiny"]}])["Images"][0]["ImageId"]

    def run(self, least=1, most=None, ec2=None, kind="m5.large", **more):
        made = (ec2 or self.ec2).run_instances(ImageId=self.image, MinCount=least, MaxCount=most or least, InstanceType=kind, **more)
        return [one["InstanceId"] for one in made["Instances"]]

    def settled(self, state, which, ec2=None):
        client = ec2 or self.ec2
        wait_until(lambda: {one["State"]["Name"] for one in instances_of(client.describe_instances(InstanceIds=which))} == {state})


@contextlib.contextmanager
def cloud(*options):
    with started_daemon(*options) as daemon:
        yield Cloud(daemon)


def test_memory_is_promised_once(refused):
    with cloud("--guest-memory", "20480", "--guest-processors", "1000") as one:  # two m5.large of 8 GiB and four GiB more
        with refused("InsufficientInstanceCapacity", 500):
            one.run(3)
        assert len(one.run(1, 10)) == 2  # as many as there is room for
        with refused("InsufficientInstanceCapacity", 500):
            one.run(1)
        small = one.run(2, kind="t2.small")  # what is left, to the last MiB
        with refused("InsufficientInstanceCapacity", 500):
            one.run(1, kind="t2.nano")
        one.settled("running", small)
        one.ec2.stop_instances(InstanceIds=small)
        one.settled("stopped", small)
        more = one.run(2, kind="t2.small")
        with refused("InsufficientInstanceCapacity", 500):
            one.ec2.start_instances(InstanceIds=small[:1])
        one.settled("running", more)
        one.ec2.terminate_instances(InstanceIds=more)
        one.settled("terminated", more)
        one.ec2.start_instances(InstanceIds=small)
        one.settled("running", small)


def test_no_room_is_the_servers_error(refused):
    with cloud("--guest-memory", "1000000", "--public-pool", "203.0.113.8/29") as one:  # six addresses
        assert len(one.run(1, 4, kind="t2.nano")) == 4
        assert len(one.run(1, 4, kind="t2.nano")) == 2  # as many as there are addresses for
        for call in (lambda: one.run(1, kind="t2.nano"), lambda: one.ec2.allocate_address(Domain="vpc")):
            with refused("InsufficientAddressCapacity", 500):
                call()


def test_codes_of_the_server_have_its_status():
    """What EC2 lists as a server's error is never thrown with a status of 4xx."""
    of_server = re.compile(r'4\d\d, *\n? *"(Insufficient\w*Capacity|InternalError|InternalFailure|Unavailable|ServiceUnavailable|RequestLimitExceeded)"')
    assert of_server.search('ApiError(400, "InsufficientVolumeCapacity"')
    for file in (ROOT / "src").rglob("*.cpp"):
        assert not of_server.search(file.read_text()), file


def test_processors_too(refused):
    with cloud("--guest-memory", "1000000", "--guest-processors", "5") as one:
        assert len(one.run(1, 10)) == 2
        assert len(one.run(1, kind="t2.micro")) == 1
        with refused("InsufficientInstanceCapacity", 500):
            one.run(1, kind="t2.micro")


def test_all_accounts_share_the_host(refused):
    with cloud("--guest-memory", "16384") as one:
        other = one.daemon.client(keys=one.daemon.create_account("other"))
        one.run(1)
        one.run(1, ec2=other)
        for client in (one.ec2, other):
            with refused("InsufficientInstanceCapacity", 500):
                one.run(1, ec2=client)


def test_a_simulation_has_room_for_all(ec2, ami):
    made = ec2.run_instances(ImageId=ami, MinCount=50, MaxCount=50, InstanceType="m2.4xlarge")
    assert len(made["Instances"]) == 50


def test_a_limit_for_one_account(refused):
    with cloud() as one:
        keys = one.daemon.create_account("small")
        small = one.daemon.client(keys=keys)

        def attribute():
            (shown,) = small.describe_account_attributes(AttributeNames=["max-instances"])["AccountAttributes"]
            return shown["AttributeValues"][0]["AttributeValue"]

        one.daemon.brume("account", "limit", keys.account, "2")
        assert attribute() == "2" and len(one.run(1, 5, ec2=small)) == 2
        with refused("InstanceLimitExceeded"):
            one.run(1, ec2=small)
        assert len(one.run(5)) == 5  # of nobody else
        one.daemon.brume("account", "limit", keys.account, "none")
        assert len(one.run(3, ec2=small)) == 3 and attribute() == "1000000"
        one.daemon.brume("account", "limit", keys.account, "default")
        for wrong in (("000000000000", "3"), (keys.account, "many"), (keys.account, "0")):
            with pytest.raises(Exception):
                one.daemon.brume("account", "limit", *wrong)


def test_limits_of_volumes_hold_at_launch_too(refused):
    with cloud("--volume-limit", "4", "--volume-storage-limit", "20") as one:
        one.run(2)  # of one GiB each

        def ends(ids, why="Client.VolumeLimitExceeded"):
            """As EC2 has it: the launch is taken, and the instances say why they never ran."""
            one.settled("terminated", ids)
            for reservation in one.ec2.describe_instances(InstanceIds=ids)["Reservations"]:
                for instance in reservation["Instances"]:
                    assert instance["StateReason"]["Code"] == why and instance["BlockDeviceMappings"] == []

        three = one.run(3)
        one.settled("running", three[:2])
        ends(three[2:])
        one.ec2.terminate_instances(InstanceIds=three[:2])
        one.settled("terminated", three[:2])
        wait_until(lambda: len(one.ec2.describe_volumes()["Volumes"]) == 2)
        ends(one.run(1, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 18}}]))
        (made,) = one.run(1, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 16}}])
        with refused("VolumeLimitExceeded"):
            one.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)
        one.settled("running", [made])
        one.ec2.terminate_instances(InstanceIds=[made])
        one.settled("terminated", [made])
        wait_until(lambda: len(one.ec2.describe_volumes()["Volumes"]) == 2)
        assert len(one.run(1, ec2=one.daemon.client(keys=one.daemon.create_account("other")))) == 1
        one.run(2)


def test_zone_letters_of_an_account():
    """The same zones under letters of one's own: stable, and a permutation."""
    with cloud("--zones", "6") as one:
        def letters(client):
            zones = client.describe_availability_zones()["AvailabilityZones"]
            assert [zone["ZoneName"] for zone in zones] == [f"us-east-1{letter}" for letter in "abcdef"]
            return tuple(zone["ZoneId"] for zone in zones)

        assert letters(one.ec2) == tuple(f"use1-az{number}" for number in range(1, 7))
        keys = [one.daemon.create_account(f"a{number}") for number in range(6)]
        others = [one.daemon.client(keys=each) for each in keys]
        seen = {letters(client) for client in others}
        assert len(seen) > 1 and all(sorted(one) == [f"use1-az{number}" for number in range(1, 7)] for one in seen)
        client = next(client for client in others if letters(client) != letters(one.ec2))
        assert letters(client) == letters(client)
        # Everything else says the same.
        ids = dict(zip((f"us-east-1{letter}" for letter in "abcdef"), letters(client)))
        for subnet in client.describe_subnets()["Subnets"]:
            assert subnet["AvailabilityZoneId"] == ids[subnet["AvailabilityZone"]]
        (fourth,) = (name for name, zone in ids.items() if zone == "use1-az4")
        made = one.daemon.query("RunInstances", NEW, ImageId=one.image, MinCount=1, MaxCount=1, AWSAccessKeyId=keys[others.index(client)].key_id,
                                **{"Placement.AvailabilityZoneId": "use1-az4"})
        assert made.texts(".//placement/availabilityZoneId") == ["use1-az4"] and made.texts(".//placement/availabilityZone") == [fourth]
        (zone,) = client.describe_availability_zones(ZoneIds=["use1-az4"])["AvailabilityZones"]
        assert zone["ZoneName"] == fourth
