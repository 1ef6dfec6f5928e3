"""EC2-Classic with real guests of two accounts: groups by name hold across accounts, and both addresses last until the stop (NET-030 to
NET-037, NET-048 to NET-053)."""
import re
import subprocess

import pytest


@pytest.fixture
def classic(cloud):
    """classic(name): an account of the platform, whose default group lets this host in by SSH."""
    made = []

    def create(name):
        account = cloud.account(cloud.brume("account", "create", "--platform", "classic", name).stdout.split()[1])
        made.append(account)
        account.make_key()
        return account

    yield create
    for account in made:
        account.terminate_all()


def source_towards(address):
    """The address that the guest sees us by."""
    return re.search(r"src (\S+)", subprocess.run(["ip", "route", "get", address], capture_output=True, text=True, check=True).stdout).group(1)


def standard_addresses(account):
    return {one["PublicIp"]: one.get("InstanceId", "") for one in account.ec2.describe_addresses()["Addresses"]}


def test_two_accounts_in_one_flat_network(classic, tiny):
    mary, bob = classic("mary"), classic("bob")
    server, client = mary.launch(tiny, InstanceType="m1.small"), bob.launch(tiny, InstanceType="m1.small")
    for instance in (server, client):
        instance.wait_state("running")
        instance.account.open_port(instance.account.group(), 22, source_towards(instance.address) + "/32")
    for instance in (server, client):
        instance.wait_ssh()
    before = server.describe()
    assert server.ssh("curl -s http://169.254.169.254/latest/meta-data/local-ipv4 || wget -qO- http://169.254.169.254/latest/meta-data/local-ipv4") == before["PrivateIpAddress"]

    def banner():
        return client.ssh(f"nc -w 2 {server.private_address} 22 </dev/null | head -c 3; true")

    assert banner() == ""  # the default group's own members only, and bob's are others
    owner = bob.sts.get_caller_identity()["Account"]
    rule = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"UserId": owner, "GroupName": "default"}]}]
    mary.ec2.authorize_security_group_ingress(GroupName="default", IpPermissions=rule)
    assert banner() == "SSH"
    # An address of the account's own until the stop.
    elastic = mary.ec2.allocate_address()["PublicIp"]
    mary.ec2.associate_address(InstanceId=server.id, PublicIp=elastic)
    assert server.address == elastic
    server.wait_ssh()
    mary.ec2.stop_instances(InstanceIds=[server.id])
    server.wait_state("stopped", limit=120)
    assert "PrivateIpAddress" not in server.describe() and standard_addresses(mary) == {elastic: ""}
    mary.ec2.start_instances(InstanceIds=[server.id])
    server.wait_state("running").wait_ssh()
    after = server.describe()
    assert after["PrivateIpAddress"] != before["PrivateIpAddress"] and after["PublicIpAddress"] not in (elastic, before["PublicIpAddress"])
    assert banner() == "SSH"  # the rule follows its members
    mary.ec2.revoke_security_group_ingress(GroupName="default", IpPermissions=rule)
    assert banner() == ""
    mary.ec2.release_address(PublicIp=elastic)
