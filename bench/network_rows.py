"""Rows about networks: the engine with a thousand interfaces, and a rule on its way from the API to the packets. Root only."""
import json
import socket
import subprocess
import time

import harness
from harness import Skipped, median, values


def engine_at(count):
    program = harness.binaries / "network_bench"
    if not program.exists():
        raise Skipped("no network_bench in this build")
    done = subprocess.run([program, str(count)], capture_output=True, text=True, timeout=300)
    if done.returncode == 77:
        raise Skipped("namespaces need root")
    if done.returncode != 0:
        raise RuntimeError("network_bench: " + done.stderr[-600:])
    return json.loads(done.stdout)


def engine(bench):
    """One VPC, one group of which all are members. Beside it the same with ten, and what nft alone takes for a rule."""
    if not bench.is_root:
        raise Skipped("namespaces need root")
    small, large = engine_at(10), engine_at(1000)
    raw = {"of_10": small, "of_1000": large}
    start = large["first_ms"] / 1000
    yield {"what": "1,000 interfaces at a start that finds none", "brume": f"{start:.2f} s", "peer": f"of 10: {small['first_ms']:.0f} ms", "ratio": "", "goal": "≤ 2 s",
           "met": start <= 2, "note": f"taps, rules, DHCP, routes; a start that finds them all: {large['again_ms']:.0f} ms", "raw": raw}
    for what, key in (("a rule of a group of 1,000 members", "rule_ms"), ("one more interface beside 1,000", "one_more_ms")):
        yield {"what": what + ", into force", "brume": f"{large[key]:.0f} ms", "peer": f"nft alone {large['nft_ms']:.0f} ms", "ratio": f"{large[key] / large['nft_ms']:.1f}×",
               "goal": "≤ 100 ms", "met": large[key] <= 100, "note": f"with 10 interfaces {small[key]:.0f} ms; median of 9", "raw": raw}


def connects(address, port):
    """Whether a connection is answered (also by a refusal) at once: what no rule lets in is dropped."""
    with socket.socket() as client:
        client.settimeout(0.03)
        try:
            client.connect((address, port))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return True


def rule_in_force(bench):
    """From the answer of AuthorizeSecurityGroupIngress until the guest's port can be reached, and of Revoke until it cannot."""
    machines = bench.machines()
    account = machines.cloud.first
    (id,) = machines.launch()
    machines.wait_ssh(id)
    address = values(account.call("DescribeInstances", InstanceId__1=id), "ipAddress")[0]
    opened, closed = [], []
    try:
        for number in range(3 if bench.quick else 10):
            # A port of its own each time, which nobody serves: the guest's kernel refuses, once the packet gets there.
            port = 7000 + number
            rule = {"GroupName": "default", "IpPermissions__1__IpProtocol": "tcp", "IpPermissions__1__FromPort": str(port), "IpPermissions__1__ToPort": str(port),
                    "IpPermissions__1__IpRanges__1__CidrIp": "0.0.0.0/0"}
            if connects(address, port):
                raise RuntimeError("the port is open before its rule")
            for action, wanted, times in (("AuthorizeSecurityGroupIngress", True, opened), ("RevokeSecurityGroupIngress", False, closed)):
                account.call(action, **rule)
                start = time.monotonic()
                harness.wait_until(lambda: connects(address, port) == wanted, 10, f"the effect of {action}", 0)
                times.append((time.monotonic() - start) * 1000)
    finally:
        machines.terminate([id])
    yield {"what": "a rule, from the API's answer into force", "brume": f"{median(opened):.0f} ms", "peer": "", "ratio": "", "goal": "≤ 50 ms", "met": median(opened) <= 50,
           "note": f"worst {max(opened):.0f} ms; out of force {median(closed):.0f} ms, worst {max(closed):.0f} ms; each try waits 30 ms", "raw": {"opened": opened, "closed": closed}}
