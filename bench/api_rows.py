"""Rows of the table that need no machine: the API, the state, memory."""
import json
import shutil
import subprocess
import tempfile
import time
import urllib.parse

import harness
from harness import Skipped, daemon, describe, load, median, medians, root, say, version, wait_until

# What moto answered when the goals were set, on two cores: used where it is not installed.
moto_then = {"empty": 220.0, "describe_100": 7.5, "describe_1000": 0.5, "run": 90.0}


def fill(cloud, account, count, wait=True):
    """Instances in an account of a simulation, up to 1,000 in a request."""
    body = cloud.run_body(1000)
    for start in range(0, count, 1000):
        account.send(body.replace("Count=1000", f"Count={min(1000, count - start)}"))
    if wait:
        wait_until(lambda: set(cloud.states()) <= {"running", "stopped"}, 300, "all instances running", 0.2)


class Peer:
    """moto's figures, each measured once a run, when a row first asks for it."""

    def __init__(self, quick):
        self.seconds = 2 if quick else 4
        self.found = {}

    def figure(self, name):
        """Requests a second, and whether they were measured here."""
        if name not in self.found:
            try:
                self.found[name] = {"per_second": self.measure(name), "measured": True}
            except Skipped as why:
                say(f"{why}: the figure of the design is used")
                self.found[name] = {"per_second": moto_then["run" if name.startswith("run") else name], "measured": False}
        return self.found[name]

    def measure(self, name):
        moto = harness.Moto()
        say(f"moto server: {name}")
        try:
            if name.startswith("run"):
                clients = 1 if name == "run_one" else 16
                return load(moto.port, moto.keys, body=moto.run_body(), connections=clients, seconds=self.seconds)["requests_per_second"]
            if name == "empty":
                return medians(lambda: load(moto.port, moto.keys, body=describe, connections=4, seconds=self.seconds), 3)["requests_per_second"]
            for _ in range(int(name.rpartition("_")[2]) // 100):
                moto.account.send(moto.run_body(100))
            return load(moto.port, moto.keys, body=describe, connections=2, seconds=self.seconds * 2)["requests_per_second"]
        finally:
            moto.end()


def compared(what, rate, peer, name, goal, figures, note=""):
    figure = peer.figure(name)
    ratio = rate / figure["per_second"]
    if not figure["measured"]:
        note = (note + "; " if note else "") + "moto not measured here: the design's figure"
    return {"what": what, "brume": f"{rate:,.0f}/s", "peer": f"moto {figure['per_second']:,.1f}/s", "ratio": f"{ratio:,.0f}×", "goal": f"≥ {goal}×",
            "met": ratio >= goal, "note": note, "raw": {"brume": figures, "moto": figure, "ratio": ratio}}


def empty(bench):
    with bench.checked_daemon() as (cloud, note):
        figures = medians(lambda: load(cloud.port, cloud.first.keys, body=describe, connections=16, seconds=bench.seconds), 3)
    yield compared("signed DescribeInstances, empty", figures["requests_per_second"], bench.peer, "empty", 100, figures, note)


def signed(bench):
    with bench.checked_daemon() as (cloud, note):
        shares, pairs = [], []
        for _ in range(3):
            plain = load(cloud.port, get="/ping", connections=16, seconds=bench.seconds)["requests_per_second"]
            checked = load(cloud.port, cloud.first.keys, body=describe, connections=16, seconds=bench.seconds)["requests_per_second"]
            shares.append(checked / plain)
            pairs.append([checked, plain])
    share = median(shares)
    checked, plain = pairs[shares.index(share)]
    yield {"what": "signed DescribeInstances against unsigned GET /ping", "brume": f"{checked:,.0f}/s", "peer": f"ping {plain:,.0f}/s",
           "ratio": f"{share:.0%}", "goal": "≥ 50 %", "met": share >= 0.5, "note": note, "raw": {"pairs": pairs, "share": share}}


def describe_many(bench):
    peer = bench.peer
    for count in (100, 1000):
        with daemon() as cloud:
            fill(cloud, cloud.first, count)
            figures = medians(lambda: load(cloud.port, cloud.first.keys, body=describe, connections=4, seconds=bench.seconds), 3)
        yield compared(f"DescribeInstances of {count:,}", figures["requests_per_second"], peer, f"describe_{count}", 200, figures,
                       f"{figures['bytes_each'] / 1024:,.0f} KiB an answer")


def run_instances(bench):
    peer = bench.peer
    for clients, name in ((16, "run"), (1, "run_one")):
        def once():
            # A world of its own each time, and instances brought to 'running' while it is measured, as they are in use.
            with daemon() as cloud:
                return load(cloud.port, cloud.first.keys, body=cloud.run_body(), connections=clients, seconds=bench.seconds, requests=9000)

        figures = medians(once, 3)
        yield compared(f"RunInstances ×1, durable, {clients} client{'s' if clients > 1 else ''}", figures["requests_per_second"], peer, name, 30, figures,
                       f"fsync on {bench.facts['file_system']}, simulated machines, latency p50 {figures['latency_ms']['p50']:.1f} ms")


def page_time(cloud, account):
    return load(cloud.port, account.keys, body=describe + "&MaxResults=1000", connections=1, seconds=2)["latency_ms"]["p50"]


def find_times(cloud, account):
    """Milliseconds to find one instance of an account by its id, by a filter of ids, by a tag and by an address."""
    page = account.send(describe + "&MaxResults=5")
    instance, address = harness.values(page, "instanceId")[-1], harness.values(page, "privateIpAddress")[-1]
    account.call("CreateTags", ResourceId__1=instance, Tag__1__Key="needle", Tag__1__Value="hay")
    asked = {"id": f"&InstanceId.1={instance}", "a filter of ids": f"&Filter.1.Name=instance-id&Filter.1.Value.1={instance}",
             "a tag": "&Filter.1.Name=tag:needle&Filter.1.Value.1=hay", "an address": f"&Filter.1.Name=private-ip-address&Filter.1.Value.1={address}"}
    return {name: load(cloud.port, account.keys, body=describe + more, connections=1, seconds=1)["latency_ms"]["p50"] for name, more in asked.items()}


def found_rows(large, small, count):
    """What is named by its id is looked up; any other filter looks at each instance of the account."""
    for name, time_ms in large.items():
        is_looked_up = "id" in name
        yield {"what": f"one instance of {count:,}, ten thousand in its account, by {name}", "brume": f"{time_ms:.2f} ms", "peer": f"of 1,000: {small[name]:.2f} ms",
               "ratio": f"{time_ms / small[name]:.2f}×", "goal": "≤ 1.5×" if is_looked_up else "", "met": time_ms / small[name] <= 1.5 if is_looked_up else None,
               "raw": {"large_ms": time_ms, "small_ms": small[name]}}


def hundred_thousand(bench):
    count = 10_000 if bench.quick else 100_000
    cloud = harness.Daemon(True)
    try:
        idle = cloud.memory()
        accounts = [cloud.first] + [cloud.new_account(f"account {i}") for i in range(count // 10_000 - 1)]
        start = time.monotonic()
        for account in accounts:
            say(f"{10_000 * (accounts.index(account) + 1):,} instances")
            fill(cloud, account, 10_000)
        filled = time.monotonic() - start
        each = (cloud.memory()["pss"] - idle["pss"]) * 1024 / count
        with daemon() as other:
            fill(other, other.first, 1000)
            # In turns, so that what else the machine does meets both.
            pairs = [(page_time(cloud, accounts[-1]), page_time(other, other.first)) for _ in range(3)]
            found = find_times(cloud, accounts[-1]), find_times(other, other.first)
        large, small = (median(times) for times in zip(*pairs))
        yield {"what": f"page of 1,000 among {count:,} instances", "brume": f"{large:.1f} ms", "peer": f"of 1,000: {small:.1f} ms",
               "ratio": f"{large / small:.2f}×", "goal": "≤ 1.5×", "met": large / small <= 1.5, "note": f"filled in {filled:.0f} s",
               "raw": {"large_ms": large, "small_ms": small, "fill_seconds": filled}}
        yield from found_rows(*found, count)
        yield record_memory(each, count)
        if not bench.is_root:
            raise Skipped("restart: needs root")
        say("stopping them all, for a restart without their machines")
        for account in accounts:
            stop_all(account)
        wait_until(lambda: cloud.states() == {"stopped": count}, 600, "all instances stopped", 0.5)
        cloud.kill()
        yield restart(cloud, accounts[0], count)
    finally:
        if cloud.process.poll() is None:
            cloud.end()
        shutil.rmtree(cloud.folder, ignore_errors=True)


def stop_all(account):
    token = ""
    while True:
        page = account.send(describe + "&MaxResults=1000" + (f"&NextToken={urllib.parse.quote(token, safe='')}" if token else ""))
        ids = harness.values(page, "instanceId")
        body = f"Action=StopInstances&Version={version}" + "".join(f"&InstanceId.{i}={id}" for i, id in enumerate(ids, 1))
        account.send(body)
        token = "".join(harness.values(page, "nextToken"))
        if not token:
            return


def restart(killed, account, count):
    """The state of a killed simulation under a real daemon: every record is read, checked and looked at by the reconcilers."""
    home = tempfile.mkdtemp(prefix="b.", dir=root / "build")
    try:
        for name in ("state.db", "state.db-wal"):
            if (killed.home / name).exists():
                shutil.copy(killed.home / name, home)
        start = time.monotonic()
        again = harness.Daemon(False, "--accelerator", "tcg", home=home)
        try:
            harness.Account(again.port, account.keys).send(describe + "&MaxResults=5")
            took = time.monotonic() - start
        finally:
            again.end()
        return {"what": f"restart with {count:,} instances to the first answer", "brume": f"{took:.2f} s", "peer": "", "ratio": "", "goal": "≤ 2 s", "met": took <= 2,
                "note": "after kill -9; stopped instances", "raw": {"seconds": took}}
    finally:
        shutil.rmtree(home, ignore_errors=True)


def record_memory(each, count):
    bench_program = harness.binaries / "state_bench"
    raw = {"whole_launch_bytes": each}
    note = f"a whole launch in simulation: {each / 1024:.1f} KiB (record, interface, volume, ledger, indexes, the pretended machine)"
    if bench_program.exists():
        folder = tempfile.mkdtemp(prefix="b.", dir=root / "build")
        try:
            done = subprocess.run([bench_program, folder], capture_output=True, text=True, timeout=300)
            raw["state_bench"] = json.loads(done.stdout)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        each = raw["state_bench"]["bytes_each"]
    else:
        note += "; no state_bench in this build"
    return {"what": f"daemon memory: an instance record, among {count:,}", "brume": f"{each / 1024:.2f} KiB", "peer": "", "ratio": "", "goal": "≤ 2 KiB",
            "met": each <= 2048, "note": note, "raw": raw}


def mass_changes(bench):
    """Ten times as many snapshots and instances may cost the writer eleven times as much, and one commit 5 ms of its processor time."""
    program = harness.binaries / "writer_bench"
    if not program.exists():
        raise Skipped("mass changes: no writer_bench in this build")
    raw = json.loads(subprocess.run([program], capture_output=True, text=True, timeout=600, check=True).stdout)
    for name, what in (("terminate", "10,000 instances terminated in calls of 1,000 ids"), ("delete", "100,000 snapshots deleted, one a call")):
        growth = max(raw[name]["growth"], raw[name]["walked_growth"])
        yield {"what": f"{what}, on the writer, against a tenth", "brume": f"{raw[name]['seconds']:.2f} s", "peer": "", "ratio": f"{growth:.1f}×",
               "goal": "≤ 11×, ≤ 5 ms", "met": growth <= 11 and raw[name]["longest_ms"] <= 5, "note": f"{raw[name]['walked']:,} entries walked over; longest commit {raw[name]['longest_ms']:.1f} ms",
               "raw": raw[name]}


def policy_decisions(bench):
    """Ten policies of twenty statements, compiled; nothing but the library."""
    program = harness.binaries / "policy_bench"
    if not program.exists():
        raise Skipped("decisions of policies: no policy_bench in this build")
    raw = json.loads(subprocess.run([program], capture_output=True, text=True, timeout=120, check=True).stdout)
    worst = max(raw["allowed_us"], raw["refused_us"])
    yield {"what": "a decision by 10 policies of 20 statements (library only: no request asks it yet)", "brume": f"{worst:.1f} µs", "peer": "", "ratio": "",
           "goal": "≤ 5 µs", "met": worst <= 5, "note": f"allowed {raw['allowed_us']:.1f} µs; {raw['all_match_us']:.1f} µs if all 200 statements are about the action, each with an ARN",
           "raw": raw}


def idle_memory(bench):
    with bench.checked_daemon() as (cloud, _):
        time.sleep(0.5)
        fresh = cloud.memory()
        load(cloud.port, cloud.first.keys, body=describe, connections=64, seconds=bench.seconds)
        used = cloud.memory()
    yield {"what": "daemon memory, idle", "brume": f"{fresh['pss'] / 1024:.0f} MiB", "peer": "", "ratio": "", "goal": "≤ 50 MB", "met": fresh["pss"] * 1024 <= 50e6,
           "note": f"PSS; RSS {fresh['rss'] / 1024:.0f} MiB; PSS after 64 busy clients {used['pss'] / 1024:.0f} MiB", "raw": {"idle": fresh, "used": used}}
