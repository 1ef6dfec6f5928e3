"""Rows about disks: fio in a guest of Brume's beside the same fio in the same guest under bare QEMU and on the host's own file; snapshots,
volumes made of them, the pause they cause; what an idle volume costs. Root only."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

import harness
import machine_rows
from harness import Skipped, median, root, say, values, wait_until

# What fio is asked, and what of its answer counts.
jobs = {
    "4k random read, depth 1": ["--rw=randread", "--bs=4k", "--iodepth=1"],
    "4k random read, depth 32": ["--rw=randread", "--bs=4k", "--iodepth=32"],
    "4k random write, depth 1": ["--rw=randwrite", "--bs=4k", "--iodepth=1"],
    "4k random write, depth 32": ["--rw=randwrite", "--bs=4k", "--iodepth=32"],
    "1M sequential read": ["--rw=read", "--bs=1M", "--iodepth=4"],
    "1M sequential write": ["--rw=write", "--bs=1M", "--iodepth=4"],
    "4k random write, each synced": ["--rw=randwrite", "--bs=4k", "--iodepth=1", "--fsync=1"],
}
file_mib = 512
ssh_options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]


class Guest:
    """A tiny guest with fio, on whatever QEMU it runs."""

    def __init__(self, address, port, key):
        self.login = ["ssh", "-i", str(key), "-p", str(port), *ssh_options, f"ec2-user@{address}"]

    def run(self, command, limit=120):
        done = subprocess.run([*self.login, command], capture_output=True, text=True, timeout=limit)
        if done.returncode != 0:
            raise RuntimeError(f"{command[:80]} in the guest: {done.stdout[-300:]}{done.stderr[-300:]}")
        return done.stdout.strip()

    def device(self, serial):
        look = f"for d in /sys/block/vd*; do [ \"$(cat $d/serial)\" = {serial} ] && echo /dev/${{d##*/}}; done; true"
        return wait_until(lambda: self.run(look), 30, f"the disk {serial} in the guest", 0.2)

    def mount_fio(self, serial):
        self.run(f"sudo mount -t ext4 -o ro {self.device(serial)} /mnt")

    def fio(self, device, *options, limit=240):
        return json.loads(self.run(f"sudo /mnt/fio --output-format=json --ioengine=libaio --direct=1 --filename={device} " + " ".join(options), limit))["jobs"]


def host_fio(file, *options):
    """On the host, through the page cache, as QEMU does it."""
    done = subprocess.run(["fio", "--output-format=json", "--ioengine=libaio", "--direct=0", f"--filename={file}", *options], capture_output=True, text=True,
                          timeout=240, check=True)
    return json.loads(done.stdout)["jobs"]


def all_jobs(seconds):
    options = [f"--size={file_mib}M", "--time_based", f"--runtime={seconds}", "--ramp_time=0.3", "--randrepeat=0", "--norandommap"]
    for name, how in jobs.items():
        options += [f"--name={name.replace(' ', '_').replace(',', '')}", "--stonewall", *how]
    return options


def rates(results):
    """Operations a second of each job, and the slowest in a hundred beside the median of sequential writes."""
    found = {}
    for name, result in zip(jobs, results):
        side = result["write" if "write" in name else "read"]
        found[name] = side["iops"]
        if name == "1M sequential write":
            found["tail"] = side["clat_ns"]["percentile"]["99.000000"] / side["clat_ns"]["percentile"]["50.000000"]
    return found


def fill(fio, *where):
    fio(*where, f"--size={file_mib}M", "--name=fill", "--rw=write", "--bs=1M", "--iodepth=4")


class Disks:
    """An instance to which volumes are attached, with a volume that has fio."""

    def __init__(self, bench):
        if shutil.which("fio") is None:
            raise Skipped("fio is not installed")
        self.machines = bench.machines()
        self.account = self.machines.cloud.first
        self.key = self.machines.provide_key()
        self.tools = self.machines.folder / "fio.raw"
        if not self.tools.exists():
            subprocess.run([root / "tools/fio-disk", self.tools], check=True)
            self.machines.import_disk(self.tools, "fio")
        image = self.account.call("DescribeImages", Filter__1__Name="name", Filter__1__Value__1="fio")
        self.tools_snapshot = values(image, "snapshotId")[0]
        self.names = iter("fghijklmnop")
        self.id = values(self.account.call("RunInstances", ImageId=self.machines.image, InstanceType="t2.small", MinCount=1, MaxCount=1, KeyName="bench",
                                           Placement__AvailabilityZone="us-east-1a"), "instanceId")[0]
        self.machines.wait_ssh(self.id)
        self.process = self.machines.processes([self.id])[self.id]
        self.command = [part for part in pathlib.Path(f"/proc/{self.process}/cmdline").read_text().split("\0") if part]
        self.guest = Guest(self.machines.look(self.id)[1], 22, self.key)
        self.volumes = []
        self.guest.mount_fio(self.serial(self.attach(self.make(SnapshotId=self.tools_snapshot))))

    @staticmethod
    def serial(volume):
        return volume.replace("-", "")

    def state_of(self, kind, id):
        described = self.account.call(f"Describe{kind}s", **{f"{kind}Id__1": id})
        return values(described, "status")[0]

    def make(self, wait=True, **how):
        id = values(self.account.call("CreateVolume", AvailabilityZone="us-east-1a", **how), "volumeId")[0]
        wait_until(lambda: self.state_of("Volume", id) == "available", 60, f"{id} available", 0.001)
        return id

    def attach(self, volume):
        self.account.call("AttachVolume", VolumeId=volume, InstanceId=self.id, Device=f"/dev/sd{next(self.names)}")
        wait_until(lambda: "<status>attached</status>" in self.account.call("DescribeVolumes", VolumeId__1=volume), 60, f"{volume} attached", 0.01)
        self.volumes.append(volume)
        return volume

    def snapshot(self, volume):
        id = values(self.account.call("CreateSnapshot", VolumeId=volume), "snapshotId")[0]
        wait_until(lambda: self.state_of("Snapshot", id) != "pending", 60, f"{id} completed", 0.001)
        if self.state_of("Snapshot", id) != "completed":
            raise RuntimeError(f"the snapshot {id} failed")
        return id

    def end(self):
        self.machines.terminate([self.id])


class BareGuest(machine_rows.BareMachine):
    """The same guest under QEMU with nothing but its defaults for the disks beside the root."""

    def __init__(self, disks):
        super().__init__(disks.machines, disks.command, 0)
        data = self.folder / "data.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", data, "1G"], check=True)
        for name, file in (("data", f"format=qcow2,file={data}"), ("tools", f"format=raw,readonly=on,file={disks.tools}")):
            self.arguments += ["-drive", f"if=none,id={name},{file}", "-device", f"virtio-blk-pci,drive={name},serial={name}"]
        # With more disks than one the root is found by its serial number.
        serial = next(json.loads(part)["serial"] for part in self.arguments if part.startswith('{"driver":"virtio-blk-pci"'))
        self.arguments = [part.replace("root=/dev/vda", f"root=/dev/disk/by-id/virtio-{serial}") for part in self.arguments]
        public = subprocess.run(["ssh-keygen", "-y", "-f", disks.key], capture_output=True, text=True, check=True).stdout
        machine_rows.Metadata.answers["/latest/meta-data/public-keys/0/openssh-key"] = public
        machine_rows.serve_metadata(disks.machines)
        self.start()
        self.guest = Guest("127.0.0.1", self.port, disks.key)
        wait_until(self.answers, 60, "a login at bare QEMU", 0.5)
        self.guest.mount_fio("tools")

    def answers(self):
        try:
            return self.guest.run("echo up") == "up"
        except RuntimeError:
            return False


def throughput(bench):
    disks = Disks(bench)
    bare = None
    try:
        device = disks.guest.device(disks.serial(disks.attach(disks.make(Size=1))))
        bare = BareGuest(disks)
        bare_device = bare.guest.device("data")
        host = disks.machines.folder / "host.raw"
        fill(disks.guest.fio, device)
        fill(bare.guest.fio, bare_device)
        fill(host_fio, host)
        seconds, rounds = (1, 1) if bench.quick else (2, 3)
        found = {"brume": [], "bare": [], "host": []}
        for number in range(rounds):
            found["brume"].append(rates(disks.guest.fio(device, *all_jobs(seconds))))
            found["bare"].append(rates(bare.guest.fio(bare_device, *all_jobs(seconds))))
            found["host"].append(rates(host_fio(host, *all_jobs(seconds))))
            say(f"fio, round {number + 1} of {rounds}")
        accelerator = bench.accelerator()
        for name in jobs:
            ours, theirs, hosts = (median(each[name] for each in found[who]) for who in found)
            unit = "MiB/s" if name.startswith("1M") else "/s"
            goal, met = "≥ 95 % of bare", ours >= 0.95 * theirs
            if accelerator == "kvm":
                goal, met = goal + ", 70 % of host", met and ours >= 0.7 * hosts
            yield {"what": "guest disk: " + name, "brume": f"{ours:,.0f} {unit}", "peer": f"bare QEMU {theirs:,.0f}", "ratio": f"{ours / theirs:.0%}", "goal": goal, "met": met,
                   "note": f"{accelerator}; fio on the host's file {hosts:,.0f} ({ours / hosts:.0%}); medians of {rounds} in turns",
                   "raw": {who: [each[name] for each in found[who]] for who in found}}
        ours, theirs = (median(each["tail"] for each in found[who]) for who in ("brume", "bare"))
        yield {"what": "guest disk: 1M sequential write, p99 beside p50", "brume": f"{ours:.2f}×", "peer": f"bare QEMU {theirs:.2f}×", "ratio": "", "goal": "≤ 3×", "met": ours <= 3,
               "note": f"host {median(each['tail'] for each in found['host']):.2f}×", "raw": {who: [each["tail"] for each in found[who]] for who in found}}
    finally:
        if bare:
            bare.end()
        disks.end()


def in_turns(sizes, times, measure):
    """Milliseconds of each, by size."""
    taken = {size: [] for size in sizes}
    for _ in range(times):
        for size in sizes:
            start = time.monotonic()
            measure(size)
            taken[size].append((time.monotonic() - start) * 1000)
    return taken


def snapshots(bench):
    """Of volumes that a guest writes to. Snapshots to 'completed', volumes of them to 'available', by the API."""
    disks = Disks(bench)
    try:
        times = 2 if bench.quick else 5
        for kind, how in (("", {}), ("encrypted ", {"Encrypted": "true"})):
            volumes = {gib: disks.attach(disks.make(Size=gib, **how)) for gib in (1, 100)}
            for volume in volumes.values():
                fill_little(disks.guest, disks.guest.device(disks.serial(volume)))
            taken = {gib: [] for gib in volumes}
            ms = in_turns(volumes, times, lambda gib: taken[gib].append(disks.snapshot(volumes[gib])))
            yield beside(f"snapshot of an {kind or 'attached '}volume of 100 GiB".replace("an attached", "an attached"), ms, "request to 'completed'")
            ms = in_turns(volumes, times, lambda gib: disks.make(SnapshotId=taken[gib][-1], **how))
            yield beside(f"volume of an {kind}snapshot of 100 GiB".replace("an snapshot", "a snapshot"), ms, "request to 'available'")
        yield from pause(bench, disks)
    finally:
        disks.end()


def fill_little(guest, device):
    guest.fio(device, "--size=32M", "--name=fill", "--rw=write", "--bs=1M")


def beside(what, ms, note):
    small, large = median(ms[1]), median(ms[100])
    return {"what": what, "brume": f"{large:.0f} ms", "peer": f"of 1 GiB: {small:.0f} ms", "ratio": f"{large / small:.2f}×", "goal": "same; ≤ 100 ms",
            "met": large <= 100 and large <= 1.25 * small + 20, "note": f"{note}, medians of {len(ms[1])} in turns", "raw": {"ms_1": ms[1], "ms_100": ms[100]}}


def pause(bench, disks):
    """What a guest that writes 4k blocks one after another sees of snapshots: its slowest write, beside a run of the same length without them."""
    device = disks.guest.device(disks.serial(disks.attach(disks.make(Size=100))))
    fill_little(disks.guest, device)
    volume, seconds, count = disks.volumes[-1], 4, 2 if bench.quick else 4
    log = disks.machines.folder / "brumed.log"
    said = len(log.read_text())

    def slowest():
        (job,) = disks.guest.fio(device, "--size=32M", "--name=pause", "--rw=randwrite", "--bs=4k", "--iodepth=1", "--time_based", f"--runtime={seconds}")
        return job["write"]["clat_ns"]["max"] / 1e6

    calm, disturbed = [], []
    for _ in range(1 if bench.quick else 2):
        calm.append(slowest())
        taker = threading.Thread(target=lambda: [(time.sleep(seconds / (count + 1)), disks.snapshot(volume)) for _ in range(count)])
        taker.start()
        disturbed.append(slowest())
        taker.join()
    told = [int(each) for each in re.findall(r"stood still for at most (\d+) ms", log.read_text()[said:])]
    yield {"what": "a guest's slowest write while snapshots are taken", "brume": f"{max(disturbed):.0f} ms", "peer": f"without: {max(calm):.0f} ms", "ratio": "", "goal": "≤ 100 ms",
           "met": max(disturbed) <= 100, "note": f"{len(told)} snapshots of a volume under 4k writes; the daemon saw {max(told or [0])} ms at most",
           "raw": {"with_ms": disturbed, "without_ms": calm, "told_ms": told}}


def memory_of(process):
    return int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE).group(1))


def idle_volumes(bench):
    """PSS of the instance's QEMU and of the daemon, before and after volumes are attached that nobody uses."""
    disks = Disks(bench)
    try:
        count = 8
        disks.attach(disks.make(Size=1))  # what the first one brings along is not of each
        before = memory_of(disks.process), disks.machines.cloud.memory()["pss"]
        for _ in range(count):
            disks.guest.device(disks.serial(disks.attach(disks.make(Size=1))))
        grown = [(now - then) / count for now, then in zip((memory_of(disks.process), disks.machines.cloud.memory()["pss"]), before)]
        yield {"what": "memory of an idle attached volume", "brume": f"{sum(grown) / 1024:.2f} MiB", "peer": "the best live peer 768 MiB", "ratio": f"{sum(grown) / 1024 / 768:.2%}",
               "goal": "≤ 1 MiB", "met": sum(grown) <= 1024, "note": f"PSS of {count}: in QEMU, guest's share included, {grown[0]:.0f} KiB, in brumed {grown[1]:.0f} KiB each",
               "raw": {"kib_each": grown}}
    finally:
        disks.end()


def disk(bench):
    if not bench.is_root:
        raise Skipped("real machines need root")
    yield from throughput(bench)
    yield from snapshots(bench)
    yield from idle_volumes(bench)
