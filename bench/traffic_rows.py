"""Rows about packets of real guests: throughput and round trips between the host and a guest and between two guests, beside the same guests
on a plain bridge; and how long a network interface takes that is attached while its guest runs. Root only."""
import contextlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import time

import bridged
import network_rows
from disk_rows import Guest
from harness import Skipped, binaries, median, root, say, values, wait_until

zone = "us-east-1a"
ports = {"TCP": 5201, "UDP": 5202}  # a server each: one that has just ended a test does not listen for a moment
kinds = ("TCP", "UDP", "round trip")
marker = "=====\n"


def iperf_line(kind, address, seconds):
    return f"iperf3 --json --client {address} --port {ports[kind]} --time {seconds}" + (" --udp --bitrate 0 --length 1400" if kind == "UDP" else "")


def packed_iperf():
    """iperf3 with what it needs, for guests that have no packages."""
    program = shutil.which("iperf3")
    shown = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    words = [word for line in shown.splitlines() for word in line.split()]
    script = b'#!/bin/sh\nhere=/tmp/iperf\nexec $here/ld-linux-x86-64.so.2 --library-path $here $here/program "$@"\n'
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as tar:
        tar.add(program, "program")
        for library in {word for word in words if word.startswith("/")}:
            tar.add(library, pathlib.Path(library).name)
        entry = tarfile.TarInfo("iperf3")
        entry.size, entry.mode = len(script), 0o755
        tar.addfile(entry, io.BytesIO(script))
    return packed.getvalue()


def give_iperf(guest, packed):
    subprocess.run([*guest.login, "mkdir -p /tmp/iperf && tar -x -C /tmp/iperf"], input=packed, check=True, timeout=60)


def rate(kind, text):
    """Mbit/s that arrived."""
    said = json.loads(text)
    if "error" in said:
        raise RuntimeError(f"iperf3, {kind}: {said['error']}")
    return said["end"]["sum_received"]["bits_per_second"] / 1e6


def flows(run, address, seconds):
    """One turn of all kinds by a client that `run` runs: {kind: Mbit/s, or ms}."""
    lines = [iperf_line(kind, address, seconds) for kind in ("TCP", "UDP")] + [f"$SUDO ping -A -c 100 {address}"]
    parts = run(f"; echo {marker.strip()}; ".join(lines)).split(marker)
    return {"TCP": rate("TCP", parts[0]), "UDP": rate("UDP", parts[1]), "round trip": median(bridged.times_of(parts[2]))}


def on_host(script):
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=120, check=True).stdout


def in_guest(guest):
    return lambda script: guest.run("PATH=/tmp/iperf:$PATH SUDO=sudo; " + script + "; true")


class Guests:
    """Two instances in one subnet, and their twins on a bridge."""

    def __init__(self, bench):
        if not bench.is_root:
            raise Skipped("real machines need root")
        self.machines = bench.machines()
        self.account = self.machines.cloud.first
        key = self.machines.provide_key()
        self.ids = self.machines.launch(2, KeyName="bench", Placement__AvailabilityZone=zone)
        self.bridge, self.bare = None, []
        try:
            for id in self.ids:
                self.machines.wait_ssh(id)
            shown = [self.account.call("DescribeInstances", InstanceId__1=id) for id in self.ids]
            self.addresses = [values(each, "ipAddress")[0] for each in shown]
            self.private = [values(each, "privateIpAddress")[0] for each in shown]
            self.interfaces = [values(each, "networkInterfaceId")[0] for each in shown]
            self.subnet, self.vpc = values(shown[0], "subnetId")[0], values(shown[0], "vpcId")[0]
            processes = self.machines.processes(self.ids)
            commands = [[part for part in pathlib.Path(f"/proc/{processes[id]}/cmdline").read_text().split("\0") if part] for id in self.ids]
            self.brume = [Guest(address, 22, key) for address in self.addresses]
            bridged.give_key(key)
            self.bridge = bridged.Bridge([bridged.card_of(command) for command in commands] + [self.extra_card])
            self.bare = [bridged.BridgedMachine(self.machines, command, self.bridge) for command in commands]
            bridged.start_together(self.bare)
            for id, machine in zip(self.ids, self.bare):
                bridged.share_processors(machine.process.pid, processes[id], id)
            self.plain = [Guest(*machine.place(), key) for machine in self.bare]
            for guest in self.plain:
                wait_until(lambda guest=guest: self.answers(guest), 60, "a login at bare QEMU", 0.5)
        except BaseException:
            self.end()
            raise

    extra_card = "02:00:00:00:99:99"  # for the interface that is plugged in

    @staticmethod
    def answers(guest):
        with contextlib.suppress(RuntimeError):
            return guest.run("echo up") == "up"
        return False

    def end(self):
        for machine in self.bare:
            if hasattr(machine, "process"):
                machine.end()
        if self.bridge:
            self.bridge.end()
        self.machines.terminate(self.ids)

    def group(self, name, rules, marker):
        """A group of so many rules: those that are needed come last; one is a port of its own, by which is seen that the group is in force.
        In the guide's API, whose groups have up to 100 (NET-048)."""
        id = values(self.account.call("CreateSecurityGroup", GroupName=name, GroupDescription="bench", VpcId=self.vpc), "groupId")[0]
        asked = [("tcp", 20000 + number, 20000 + number, f"203.0.113.{number}/32") for number in range(rules - 5)]
        asked += [("tcp", marker, marker, "0.0.0.0/0"), ("tcp", 22, 22, "0.0.0.0/0"), ("tcp", 5201, 5202, "0.0.0.0/0"), ("udp", 5202, 5202, "0.0.0.0/0"), ("icmp", 8, -1, "0.0.0.0/0")]
        parameters = {}
        for number, (protocol, first, last, source) in enumerate(asked, 1):
            start = f"IpPermissions__{number}__"
            parameters.update({start + "IpProtocol": protocol, start + "FromPort": first, start + "ToPort": last, start + "IpRanges__1__CidrIp": source})
        self.account.call("AuthorizeSecurityGroupIngress", Version="2011-12-01", GroupId=id, **parameters)
        return id

    def choose(self, groups, open_port, closed_port):
        for interface in self.interfaces:
            self.account.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface,
                              **{f"SecurityGroupId__{number}": group for number, group in enumerate(groups, 1)})
        for address in self.addresses:
            wait_until(lambda address=address: network_rows.connects(address, open_port) and not network_rows.connects(address, closed_port), 10, "the groups' rules", 0)


def measured(guests, bench):
    """{(setup, way): [one turn's {kind: figure}, …]}, the setups in turns."""
    few = [guests.group("ten", 10, 7010)]
    many = [guests.group(f"hundred-{number}", 100, 7500) for number in range(1, 6)]
    packed = packed_iperf()
    for guest in (*guests.brume, *guests.plain):
        give_iperf(guest, packed)
    for guest in (guests.brume[0], guests.plain[0]):
        for port in ports.values():
            guest.run(f"/tmp/iperf/iperf3 --server --daemon --port {port} </dev/null >/dev/null 2>&1")
    setups = {"10 rules": (guests.brume, guests.addresses[0], guests.private[0]), "500 rules": (guests.brume, guests.addresses[0], guests.private[0]),
              "plain": (guests.plain, guests.bare[0].address, guests.bare[0].address)}
    found = {}
    rounds, seconds = (1, 1) if bench.quick else (5, 1)
    for number in range(rounds):
        for setup, (pair, from_host, from_guest) in setups.items():
            if setup != "plain":
                guests.choose(*((few, 7010, 7500) if setup == "10 rules" else (many, 7500, 7010)))
            found.setdefault((setup, "host → guest"), []).append(flows(on_host, from_host, seconds))
            found.setdefault((setup, "guest → guest"), []).append(flows(in_guest(pair[1]), from_guest, seconds))
        say(f"round {number + 1} of {rounds}: " + ", ".join(f"{setup} {found[setup, way][-1]['TCP']:.0f}" for setup, way in found) + " Mbit/s by TCP")
    return found


def traffic(bench):
    if shutil.which("iperf3") is None:
        raise Skipped("iperf3 is not installed")
    guests = Guests(bench)
    try:
        found = measured(guests, bench)
    finally:
        guests.end()
    for way in ("host → guest", "guest → guest"):
        for kind in kinds:
            raw = {setup: [turn[kind] for turn in found[setup, way]] for setup in ("10 rules", "500 rules", "plain")}
            theirs = median(raw["plain"])
            for setup in ("10 rules", "500 rules"):
                ours = median(raw[setup])
                share = theirs / ours if kind == "round trip" else ours / theirs
                unit = (lambda value: f"{value:.3f} ms") if kind == "round trip" else (lambda value: f"{value:,.0f} Mbit/s")
                yield {"what": f"{way}, {kind}, {setup}", "brume": unit(ours), "peer": f"plain bridged tap {unit(theirs)}", "ratio": f"{share:.0%}", "goal": "≥ 95 %",
                       "met": share >= 0.95, "note": f"{bench.accelerator()}, medians of {len(raw[setup])} in turns"
                       + ("; medians of 100 pings" if kind == "round trip" else ", 1 s each; what arrived"), "raw": raw}


class Watch:
    """What a guest says of its second card: when it is there, when it has its address by DHCP; both ways work then."""

    def __init__(self, guest):
        script = ("echo ready; until [ -e /sys/class/net/eth1 ]; do usleep 2000; done; echo there; "
                  "until ip -4 -o addr show dev eth1 | grep -q inet; do usleep 5000; done; echo speaks")
        self.process = subprocess.Popen([*guest.login, script], stdout=subprocess.PIPE, text=True)
        self.wait("ready")

    def wait(self, word):
        line = self.process.stdout.readline().strip()
        if line != word:
            raise RuntimeError(f"the guest said '{line}' and not '{word}'")
        return time.monotonic()

    def times(self, start):
        there, speaks = self.wait("there"), self.wait("speaks")
        self.process.wait(10)
        self.process.stdout.close()
        return {"there": (there - start) * 1000, "speaks": (speaks - start) * 1000}


def wait_gone(guest):
    guest.run("while [ -e /sys/class/net/eth1 ] || [ -e /run/brume/nic-eth1 ]; do usleep 20000; done", 60)


def attach_by_api(guests, interface):
    watch = Watch(guests.brume[0])
    start = time.monotonic()
    answer = guests.account.call("AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=guests.ids[0], DeviceIndex=1)
    answered = (time.monotonic() - start) * 1000
    taken = {"answered": answered, **watch.times(start)}
    guests.account.call("DetachNetworkInterface", AttachmentId=values(answer, "attachmentId")[0])
    state = lambda: values(guests.account.call("DescribeNetworkInterfaces", NetworkInterfaceId__1=interface), "status")[0]  # noqa: E731
    wait_until(lambda: state() == "available", 60, f"{interface} available", 0.05)
    wait_gone(guests.brume[0])
    return taken


def attach_by_monitor(guests, tap):
    watch = Watch(guests.plain[0])
    monitor = bridged.Monitor(guests.bare[0])
    start = time.monotonic()
    monitor.execute("netdev_add", type="tap", id="second-end", ifname=tap, script="no", downscript="no", vhost=False)
    monitor.execute("device_add", driver="virtio-net-pci", id="second", netdev="second-end", mac=guests.extra_card, romfile="")
    taken = watch.times(start)
    monitor.execute("device_del", id="second")
    monitor.wait_deleted("second")
    monitor.execute("netdev_del", id="second-end")
    monitor.end()
    wait_gone(guests.plain[0])
    return taken


def attach(bench):
    """From the request to attach an interface until the running guest has its address by DHCP."""
    guests = Guests(bench)
    try:
        interface = values(guests.account.call("CreateNetworkInterface", SubnetId=guests.subnet), "networkInterfaceId")[0]
        tap = guests.bridge.tap()
        ours, theirs = [], []
        for _ in range(2 if bench.quick else 5):
            ours.append(attach_by_api(guests, interface))
            theirs.append(attach_by_monitor(guests, tap))
        guests.account.call("DeleteNetworkInterface", NetworkInterfaceId=interface)
    finally:
        guests.end()
    of = lambda runs, what: median(run[what] for run in runs)  # noqa: E731
    limit = 1.1 * of(theirs, "speaks") + 200
    yield {"what": "a network interface attached to a running guest", "brume": f"{of(ours, 'speaks'):.0f} ms", "peer": f"bare QEMU {of(theirs, 'speaks'):.0f} ms",
           "ratio": f"{of(ours, 'speaks') / of(theirs, 'speaks'):.2f}×", "goal": "≤ 1.1× + 0.2 s", "met": of(ours, "speaks") <= limit,
           "note": f"{bench.accelerator()}; request to address by DHCP; answered after {of(ours, 'answered'):.0f} ms, the guest has the card after {of(ours, 'there'):.0f} ms, "
                   f"under bare QEMU {of(theirs, 'there'):.0f} ms; medians of {len(ours)} in turns", "raw": {"brume": ours, "bare": theirs}}


class Path:
    """bench/network_path.cpp: guests that are namespaces, behind Brume's rules and on a plain bridge."""
    places = {"10 rules": ("path-one", "path-two", "10.9.0.5"), "500 rules": ("path-one", "path-two", "10.9.0.5"), "plain": ("plain-one", "plain-two", "10.8.0.5")}

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="path.", dir=root / "build")
        self.process = subprocess.Popen([binaries / "network_path", self.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.servers = []
        self.wait("ready")
        for space in ("path-one", "plain-one"):
            for port in ports.values():
                self.servers.append(subprocess.Popen(["ip", "netns", "exec", space, "iperf3", "--server", "--port", str(port)], stdout=subprocess.DEVNULL))

    def wait(self, word):
        said = self.process.stdout.readline().strip()
        if said != word:
            raise RuntimeError(f"network_path said '{said}' and not '{word}'")

    def turn(self, setup, seconds):
        _, client, address = self.places[setup]
        if setup != "plain":
            self.process.stdin.write(f"rules {setup.split()[0]}\n")
            self.process.stdin.flush()
            self.wait("done")
        return flows(lambda script: on_host(f"exec ip netns exec {client} sh -c '{script}'"), address, seconds)

    def end(self):
        for server in self.servers:
            server.kill()
            server.wait()
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def path(bench):
    """What is between two taps, without the guests' emulated processors."""
    if not bench.is_root:
        raise Skipped("namespaces need root")
    if shutil.which("iperf3") is None or not (binaries / "network_path").exists():
        raise Skipped("no iperf3, or no network_path in this build")
    running, found = Path(), {}
    try:
        for _ in range(2 if bench.quick else 5):
            for setup in Path.places:
                found.setdefault(setup, []).append(running.turn(setup, 1))
    finally:
        running.end()
    for kind in kinds:
        raw = {setup: [turn[kind] for turn in turns] for setup, turns in found.items()}
        ten, many, theirs = (median(raw[setup]) for setup in Path.places)
        share = ten / many if kind == "round trip" else many / ten
        unit = (lambda value: f"{value:.3f} ms") if kind == "round trip" else (lambda value: f"{value:,.0f} Mbit/s")
        yield {"what": f"the packet path without guests, {kind}, 500 rules", "brume": unit(many), "peer": f"with 10 rules {unit(ten)}", "ratio": f"{share:.0%}",
               "goal": "≥ 95 %", "met": share >= 0.95, "note": f"on a plain bridge {unit(theirs)}; medians of {len(raw['plain'])} in turns", "raw": raw}
