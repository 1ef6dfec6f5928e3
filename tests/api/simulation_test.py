"""Simulation mode, for tests of infrastructure code: it says what it is, forgets on demand, and leaves nothing behind."""
import os
import pathlib
import re
import stat
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from conftest import Keys, instances_of, started_daemon, wait_until


STARTER_IMAGES = "000000000001"  # whose they are; other tests' accounts have public images of their own


def test_it_says_so(daemon):
    assert daemon.brume("status").startswith("SIMULATION")
    assert '"simulated":true' in daemon.brume("status", "--json").replace(" ", "")
    assert b"SIMULATION" in (pathlib.Path(daemon.home).parent / "log").read_bytes()


def test_any_key_is_the_first_account(daemon, ec2):
    for keys in (Keys("", "AKIAANYTHINGEXAMPLE0", "x"), Keys("", "test", "test")):
        assert daemon.client("sts", keys).get_caller_identity()["Account"] == "123456789012"
        assert daemon.client(keys=keys).describe_vpcs()["Vpcs"] == ec2.describe_vpcs()["Vpcs"]


def fill(ec2, ami):
    ec2.create_key_pair(KeyName="web", KeyType="ed25519")
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    ec2.run_instances(ImageId=ami, MinCount=5, MaxCount=5, KeyName="web", SecurityGroups=["web"], ClientToken="once", UserData="x",
                      TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}])


def sizes(ec2):
    return {
        "instances": len(instances_of(ec2.describe_instances())), "volumes": len(ec2.describe_volumes()["Volumes"]), "keys": len(ec2.describe_key_pairs()["KeyPairs"]),
        "groups": len(ec2.describe_security_groups()["SecurityGroups"]), "tags": len(ec2.describe_tags()["Tags"]), "vpcs": len(ec2.describe_vpcs()["Vpcs"]),
        "subnets": len(ec2.describe_subnets()["Subnets"]), "images": len(ec2.describe_images(Owners=["self", STARTER_IMAGES])["Images"]),
    }


EMPTY = {"instances": 0, "volumes": 0, "keys": 0, "groups": 1, "tags": 0, "vpcs": 1, "subnets": 3, "images": 5}


def test_a_reset_empties_one_account(daemon, ec2, other, ami):
    assert sizes(ec2) == EMPTY
    fill(ec2, ami)
    fill(other, ami)
    full = {**EMPTY, "instances": 5, "volumes": 5, "keys": 1, "groups": 2, "tags": 5}
    assert sizes(ec2) == full and sizes(other) == full
    before = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    daemon.reset()
    assert sizes(ec2) == EMPTY and sizes(other) == full
    assert ec2.describe_vpcs()["Vpcs"][0]["VpcId"] != before
    # Everything works as on the first day, the client token included.
    fill(ec2, ami)
    assert sizes(ec2) == full
    wait_until(lambda: {one["State"]["Name"] for one in instances_of(ec2.describe_instances())} == {"running"})


def test_a_reset_forgets_what_was_chosen_for_metadata(daemon, ec2):
    for keys in (daemon.keys, daemon.create_account("chooser")):
        def ask(action, **parameters):
            return daemon.query(action, "2016-11-15", AWSAccessKeyId=keys.key_id, **parameters)

        ask("ModifyInstanceMetadataDefaults", HttpTokens="required", HttpPutResponseHopLimit="3", HttpEndpoint="disabled", InstanceMetadataTags="enabled")
        assert ask("GetInstanceMetadataDefaults").texts("accountLevel/httpTokens") == ["required"]
    daemon.reset()
    shown = daemon.query("GetInstanceMetadataDefaults", "2016-11-15")
    assert [child.tag for child in shown.tree[1]] == ["managedBy"], shown.body
    assert ask("GetInstanceMetadataDefaults").texts("accountLevel/httpTokens") == ["required"]  # of the other account


def test_a_reset_takes_five_milliseconds(daemon, ec2, ami):
    took = []
    for _ in range(7):
        fill(ec2, ami)
        begun = time.perf_counter()
        daemon.reset()
        took.append(time.perf_counter() - begun)
    # The client's own part is in it, and on a busy machine single ones are late: the best of them says what it costs.
    assert min(took) < 0.005, took


def test_resets_in_the_middle_of_launches(daemon, ec2, ami):
    for _ in range(20):
        fill(ec2, ami)
        daemon.reset()
    assert sizes(ec2) == EMPTY
    fill(ec2, ami)
    wait_until(lambda: {one["State"]["Name"] for one in instances_of(ec2.describe_instances())} == {"running"})


def test_only_a_post_resets(daemon):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(daemon.endpoint + "/_brume/reset", timeout=10)
    assert caught.value.code == 405


def test_nothing_is_left_behind(daemon):
    with started_daemon() as one:
        client = one.client()
        wait_until(lambda: {image["State"] for image in client.describe_images()["Images"]} == {"available"})
        fill(client, client.describe_images()["Images"][0]["ImageId"])
        assert one.endpoint != daemon.endpoint and stat.S_IMODE(os.stat(one.home + "/state.db").st_mode) == 0o600
        begun = time.monotonic()
        assert one.end() == 0 and time.monotonic() - begun < 10
        assert not os.path.exists(one.home)
    assert os.path.exists(daemon.home)


def test_a_port_in_use_is_said(daemon):
    port = daemon.endpoint.rpartition(":")[2]
    with pytest.raises(RuntimeError, match="port"):
        with started_daemon("--port", port):
            pass


@pytest.mark.parametrize("options", [("--listen", ""), ("--listen", "localhost"), ("--listen", "127.1"), ("--listen", "300.0.0.1"), ("--home", "")], ids=str)
def test_addresses_and_folders_are_looked_at(options):
    """An empty --listen ("--listen $UNSET") was all addresses of the host, for a simulation that asks for no key."""
    with pytest.raises(RuntimeError, match=re.escape(options[0])):
        with started_daemon(*options):
            pass


def test_an_ipv6_address_stands_in_brackets():
    with started_daemon("--listen", "::1") as one:
        where = urllib.parse.urlsplit(one.endpoint)
        assert (where.hostname, bool(where.port)) == ("::1", True)
        assert one.client().describe_regions()["Regions"][0]["Endpoint"]
        assert "running" in one.brume("status") or one.endpoint in one.brume("status")


def test_waiting_is_short(ec2, ami, launch):
    begun = time.monotonic()
    for _ in range(10):
        launch()
    assert time.monotonic() - begun < 5


def test_hundreds_of_instances(ec2, ami):
    made = ec2.run_instances(ImageId=ami, MinCount=300, MaxCount=300)["Instances"]
    assert len({one["PrivateIpAddress"] for one in made}) == 300
    wait_until(lambda: {one["State"]["Name"] for one in instances_of(ec2.describe_instances())} == {"running"}, 30)
    ec2.terminate_instances(InstanceIds=[one["InstanceId"] for one in made])
    wait_until(lambda: {one["State"]["Name"] for one in instances_of(ec2.describe_instances())} == {"terminated"}, 30)
    wait_until(lambda: ec2.describe_volumes()["Volumes"] == [])
