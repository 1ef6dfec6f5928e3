"""The two acceptance scenarios of the chapter on security groups (NET-064, NET-065), with nmap as the other side."""
import re
import subprocess

import pytest

from cloud import wait_until


def scan(address, ports="1-100"):
    """What nmap sees of the ports: {state: {port, …}}."""
    line = ["nmap", "-Pn", "-n", "-p" + ports, "--max-retries", "1", "--initial-rtt-timeout", "300ms", "--max-rtt-timeout", "500ms", "-oG", "-", address]
    seen = subprocess.run(line, capture_output=True, text=True, timeout=120, check=True).stdout
    states = {}
    for port, state in re.findall(r"(\d+)/([a-z|]+)/tcp", seen):
        states.setdefault(state, set()).add(int(port))
    # States of many ports are summed up: "Ignored State: filtered (99)".
    for state, count in re.findall(r"Ignored State: (\S+) \((\d+)\)", seen):
        states.setdefault(state, set())
        states[state + " besides"] = int(count)
    return states


def source_towards(address):
    """The address that the guest sees us by."""
    return re.search(r"src (\S+)", subprocess.run(["ip", "route", "get", address], capture_output=True, text=True, check=True).stdout).group(1)


@pytest.fixture
def made_groups(account):
    made = []

    def make(name):
        made.append(account.ec2.create_security_group(GroupName=name, Description=f"Mary {name} group")["GroupId"])
        return made[-1]

    yield make
    account.terminate_all()
    for group in made:  # those that others refer to last
        for rule in account.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]:
            if not rule["IsEgress"]:
                account.ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    for group in made:
        wait_until(lambda group=group: not account.ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [group]}])["NetworkInterfaces"], 60,
                   "the end of the group's instances")
        account.ec2.delete_security_group(GroupId=group)


def test_the_default_group_lets_nothing_in_until_it_is_told_to(account, tiny):
    """NET-064."""
    instance = account.launch(tiny).wait_ssh()
    default = account.group()
    account.close_port(default, 22)
    try:
        assert scan(instance.address) == {"filtered": set(), "filtered besides": 100}  # dropped, not refused
        account.open_port(default, 22, source_towards(instance.address) + "/32")
        assert scan(instance.address) == {"open": {22}, "filtered": set(), "filtered besides": 99}
        account.close_port(default, 22, source_towards(instance.address) + "/32")
        account.open_port(default, 22, "203.0.113.7/32")  # somebody else
        assert scan(instance.address, "20-24") == {"filtered": {20, 21, 22, 23, 24}} or scan(instance.address, "20-24") == {"filtered": set(), "filtered besides": 5}
        account.close_port(default, 22, "203.0.113.7/32")
    finally:
        account.open_port(default, 22)


def test_three_tiers(account, tiny, made_groups):
    """NET-065, with one machine a tier. A tier's servers are reached by the tier before it, and by nobody else;
    SSH's port stands for what an application or a database would listen on."""
    apache, application, database = made_groups("apache"), made_groups("appserver"), made_groups("database")
    assert account.ec2.describe_security_groups(GroupIds=[apache])["SecurityGroups"][0]["IpPermissions"] == []
    account.open_port(apache, 80)
    for group, name in ((application, "apache"), (database, "appserver")):
        account.ec2.authorize_security_group_ingress(GroupId=group, SourceSecurityGroupName=name, SourceSecurityGroupOwnerId=account.sts.get_caller_identity()["Account"])
        rules = account.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
        assert [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in rules] == [("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1)]
    web, app, base = (account.launch(tiny, SecurityGroupIds=[group]) for group in (apache, application, database))
    for instance in (web, app, base):
        instance.wait_state("running")
    admin = source_towards(web.address) + "/32"
    for group in (apache, application):  # "temporarily"
        account.open_port(group, 22, admin)
    web.wait_ssh()
    app.wait_ssh()
    web.ssh("sudo sh -c 'mkdir -p /www; echo hello > /www/index.html; httpd -p 80 -h /www'")
    assert scan(web.address) == {"open": {22, 80}, "filtered": set(), "filtered besides": 98}
    assert scan(app.address, "22,8080") == {"open": {22}, "filtered": {8080}}
    assert scan(base.address, "22,5432") in ({"filtered": {22, 5432}}, {"filtered": set(), "filtered besides": 2})

    def reaches(by, address):
        return by.ssh(f"nc -w 3 {address} 22 </dev/null | head -c 3; true") == "SSH"

    assert reaches(web, app.private_address)
    wait_until(lambda: reaches(app, base.private_address), 60, "the database as the application sees it")
    assert not reaches(web, base.private_address)
    assert not reaches(web, app.address)  # by its public address a member is anybody
    name = account.ec2.describe_instances(InstanceIds=[app.id])["Reservations"][0]["Instances"][0]["PublicDnsName"]
    assert reaches(web, name)  # which inside is the private address (step 7)
    for group in (apache, application):
        account.close_port(group, 22, admin)
    assert scan(web.address) == {"open": {80}, "filtered": set(), "filtered besides": 99}
