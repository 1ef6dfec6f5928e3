"""The acceptance scenario of the chapter on security groups (NET-064), with nmap as the other side."""
import re
import subprocess


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
