"""What Brume's network is held against: the same guests under bare QEMU, each with a tap on one bridge of this host, and nothing on the way.
The bridge is also the host's own card there, gives addresses by DHCP and answers for the metadata. Only in the run's own namespace."""
import http.server
import json
import pathlib
import re
import socket
import subprocess
import threading

import machine_rows
from harness import wait_until

name, net, metadata = "plain0", "172.30.99", "169.254.169.254"


def card_of(command):
    """The MAC address that an instance's QEMU has been given."""
    (device,) = [json.loads(part) for part in command if part.startswith('{"driver":"virtio-net-pci"')]
    return device["mac"]


class Bridge:
    def __init__(self, cards):
        """`cards`: the MAC addresses that get an address: .11, .12, …"""
        self.addresses = {mac: f"{net}.{number}" for number, mac in enumerate(cards, 11)}
        self.taps = []
        for line in (["link", "add", name, "type", "bridge"], ["address", "add", f"{net}.1/24", "dev", name], ["address", "add", metadata + "/32", "dev", name],
                     ["link", "set", name, "up"]):
            subprocess.run(["ip", *line], check=True)
        hosts = [f"--dhcp-host={mac},{address}" for mac, address in self.addresses.items()]
        self.dhcp = subprocess.Popen(["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=" + name, "--bind-interfaces", "--leasefile-ro",
                                      "--no-ping", "--dhcp-authoritative", f"--dhcp-range={net}.0,static,255.255.255.0,1h", f"--dhcp-option=option:router,{net}.1",
                                      "--pid-file=", *hosts], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.metadata = http.server.ThreadingHTTPServer((metadata, 80), machine_rows.Metadata)
        threading.Thread(target=self.metadata.serve_forever, daemon=True).start()

    def tap(self):
        tap = f"plaintap{len(self.taps)}"
        for line in (["tuntap", "add", "dev", tap, "mode", "tap", "vnet_hdr"], ["link", "set", tap, "master", name], ["link", "set", tap, "up"]):
            subprocess.run(["ip", *line], check=True)
        self.taps.append(tap)
        return tap

    def end(self):
        self.metadata.shutdown()
        self.metadata.server_close()
        self.dhcp.kill()
        self.dhcp.wait()
        for link in (*self.taps, name):
            subprocess.run(["ip", "link", "delete", link], check=True)


class BridgedMachine(machine_rows.BareMachine):
    """An instance's own QEMU command with a tap on the bridge in the place of Brume's."""

    def __init__(self, machines, command, bridge):
        self.bridge, self.mac = bridge, card_of(command)
        super().__init__(machines, command, 0)
        self.arguments += ["-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]

    def place(self):
        return self.bridge.addresses[self.mac], 22

    def network_end(self, id):
        return f"tap,id={id},ifname={self.bridge.tap()},script=no,downscript=no,vhost=off"


def share_processors(process, beside, id):
    """The bare machine goes into the control groups of its instance, so that both have the same share and the same limit."""
    for line in pathlib.Path(f"/proc/{beside}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if id not in path:
            continue
        root = pathlib.Path("/sys/fs/cgroup")
        places = [root / (controllers.removeprefix("name=") or "unified"), root]
        next(file for file in (place / path.lstrip("/") / "cgroup.procs" for place in places) if file.exists()).write_text(str(process))


class Monitor:
    """Of a bare machine."""

    def __init__(self, machine):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(machine.folder / "qmp"))
        self.file = self.socket.makefile("rw")
        self.file.readline()  # the greeting
        self.execute("qmp_capabilities")

    def lines(self):
        while True:
            yield json.loads(self.file.readline())

    def execute(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        answer = next(line for line in self.lines() if "return" in line or "error" in line)
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error']}")

    def wait_deleted(self, device):
        next(line for line in self.lines() if line.get("event") == "DEVICE_DELETED" and line["data"].get("device") == device)

    def end(self):
        self.file.close()
        self.socket.close()


def give_key(key):
    """What the guests of the bridge find as their key."""
    public = subprocess.run(["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=True).stdout
    machine_rows.Metadata.answers["/latest/meta-data/public-keys/0/openssh-key"] = public


def start_together(machines):
    """As fast as they can: each waits for the banner of its own."""
    threads = [threading.Thread(target=machine.start) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for machine in machines:
        wait_until(lambda machine=machine: machine_rows.banner(*machine.place()), 60, "an SSH banner of bare QEMU")


def times_of(text):
    """Round trips of what ping printed, in ms."""
    return [float(each) for each in re.findall(r"time=([\d.]+) ms", text)]
