"""Rows of the table for which real machines boot: Brume's beside bare QEMU. Root only; in a network namespace of the run's own."""
import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import harness
from harness import Skipped, free_port, median, root, say, values, version, wait_until

image_cache = pathlib.Path(os.environ.get("BRUME_TEST_IMAGES", root / "build/test-images"))


class Machines:
    """A real daemon with the tiny image, and the bare QEMU beside it."""

    def __init__(self, bench):
        if not bench.is_root:
            raise Skipped("real machines need root")
        self.cloud = harness.Daemon(False)
        self.folder = self.cloud.folder
        self.metadata = None
        try:
            self.image = self.provide_image()
            self.cloud.first.call("AuthorizeSecurityGroupIngress", GroupName="default", IpPermissions__1__IpProtocol="tcp", IpPermissions__1__FromPort="22",
                                  IpPermissions__1__ToPort="22", IpPermissions__1__IpRanges__1__CidrIp="0.0.0.0/0")
        except BaseException:
            self.end()
            raise

    def provide_image(self):
        cached, folder = image_cache / "tiny", self.folder / "images/tiny"
        folder.parent.mkdir(mode=0o711, exist_ok=True)
        if (cached / "image.json").exists():
            shutil.copytree(cached, folder)
        say("the tiny image")
        done = subprocess.run([harness.binaries / "brume", "--home", self.folder, "image", "build", "tiny"], capture_output=True, text=True, timeout=900)
        if done.returncode != 0:
            raise RuntimeError("the tiny image: " + done.stderr[-600:])
        return done.stdout.split()[-1]

    def import_disk(self, file, name):
        done = subprocess.run([harness.binaries / "brume", "--home", self.folder, "image", "import", file, "--name", name], capture_output=True, text=True,
                              timeout=300)
        if done.returncode != 0:
            raise RuntimeError(f"importing {name}: " + done.stderr[-600:])
        return self.cloud.image(name)

    def provide_key(self):
        file = self.folder / "bench.pem"
        if not file.exists():
            answer = self.cloud.first.call("CreateKeyPair", KeyName="bench")
            with open(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
                out.write(values(answer, "keyMaterial")[0])
        return file

    def launch(self, count=1, image=None, **more):
        asked = dict(ImageId=image or self.image, InstanceType="t2.nano", MinCount=count, MaxCount=count)
        return values(self.cloud.first.call("RunInstances", **{**asked, **more}), "instanceId")

    def look(self, id):
        answer = self.cloud.first.call("DescribeInstances", InstanceId__1=id)
        state = re.search(r"<instanceState>.*?<name>(.*?)</name>", answer, re.DOTALL).group(1)
        if state not in ("pending", "running"):
            raise RuntimeError(f"{id} is {state}: " + " ".join(values(answer, "message")))
        return state, (values(answer, "ipAddress") or [""])[0]

    def wait_ssh(self, id, limit=240):
        """Until its SSH banner is there. The daemon is asked rarely, so that asking costs the boot nothing."""
        address = wait_until(lambda: self.look(id)[0] == "running" and self.look(id)[1], limit, f"{id} running", 0.02)
        wait_until(lambda: banner(address, 22), limit, f"an SSH banner of {id}", 0.02)

    def terminate(self, ids):
        """At once, power button or not: a disk without a system does not hear it."""
        named = {f"InstanceId__{i}": id for i, id in enumerate(ids, 1)}
        self.cloud.first.call("StopInstances", Force="true", **named)
        wait_until(lambda: not self.processes(ids), 60, "the end of the machines", 0.1)
        self.cloud.first.call("TerminateInstances", **named)

    def processes(self, ids):
        """Process ids of the instances' QEMUs: only those that name our own home."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_text(errors="replace").split("\0")
                if "qemu-system" in command[0] and any(str(self.folder) in part for part in command):
                    name = command[command.index("-name") + 1].split(",")[0]
                    if name in ids:
                        found[name] = int(entry.name)
        return found

    def end(self):
        if self.metadata:
            self.metadata.shutdown()
        self.cloud.end()


def banner(address, port):
    with contextlib.suppress(OSError):
        with socket.create_connection((address, port), timeout=1) as peer:
            peer.settimeout(1)
            return peer.recv(4) == b"SSH-"
    return False


def busy_seconds():
    """Of all processors of this machine, by anybody."""
    fields = [int(each) for each in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Metadata(http.server.BaseHTTPRequestHandler):
    """What the guest asks for at its start, so that bare QEMU boots the same guest to the same end."""
    protocol_version = "HTTP/1.0"
    answers = {"/latest/meta-data/instance-id": "i-0123456789abcdef0", "/latest/meta-data/local-hostname": "ip-10-0-2-15.ec2.internal"}

    def do_PUT(self):
        self.reply(200, "token")

    def do_GET(self):
        text = self.answers.get(self.path)
        self.reply(404 if text is None else 200, text or "")

    def reply(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class BareMachine:
    """The instance's own QEMU command, without Brume: user network for the tap, its own disk over the same image."""

    def __init__(self, machines, command, number):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bare.", dir=machines.folder))
        self.address, self.port = self.place()
        self.arguments = self.translate(command, machines)
        self.disk = self.folder / "disk.qcow2"

    def place(self):
        """Where its SSH answers."""
        return "127.0.0.1", free_port()

    def translate(self, command, machines):
        kept, skip = [], {"-chardev", "-mon", "-name", "-S", "-no-shutdown", "-serial", "-sandbox"}
        parts = iter(command)
        kept.append(next(parts))
        for part in parts:
            if part in skip:
                if part not in ("-S", "-no-shutdown"):
                    next(parts)
                continue
            if part.startswith('{"driver":"qcow2"'):
                part = self.disk_argument(json.loads(part))
            elif part.startswith('{"type":"tap"'):
                part = self.network_end(json.loads(part)["id"])
            kept.append(part)
        return kept + ["-serial", f"file:{self.folder}/console"]

    def network_end(self, id):
        # The link-local net stands for the metadata address: the user network sends its host's packets to our own port 80.
        return (f"user,id={id},net=169.254.0.0/16,host=169.254.169.254,dhcpstart=169.254.1.15,dns=169.254.1.1,"
                f"hostfwd=tcp:{self.address}:{self.port}-:22")

    def disk_argument(self, block):
        file = block["file"]
        backing = subprocess.run(["qemu-img", "info", "-U", "--output=json", file["filename"]], capture_output=True, text=True, check=True)
        shown = json.loads(backing.stdout)
        self.backing, self.backing_format = shown.get("full-backing-filename"), shown.get("backing-filename-format", "qcow2")
        self.size = shown["virtual-size"]
        file["filename"] = str(self.folder / "disk.qcow2")
        return json.dumps(block)

    def start(self):
        """Until the SSH banner."""
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", self.backing, "-F", self.backing_format, self.disk, str(self.size)], check=True)
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "wb"))

        def up():
            if self.process.poll() is not None:
                raise RuntimeError(f"bare QEMU ended with {self.process.returncode}: " + (self.folder / "log").read_text()[-600:] + (self.folder / "console").read_text(errors="replace")[-600:])
            return banner(self.address, self.port)

        try:
            wait_until(up, 240, "an SSH banner of bare QEMU", 0.02)
        except BaseException:
            self.end()
            raise

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def boot(self):
        """Seconds from nothing but the image to the SSH banner."""
        start = time.monotonic()
        self.start()
        taken = time.monotonic() - start
        self.end()
        return taken


def serve_metadata(machines):
    if machines.metadata is None:
        machines.metadata = http.server.ThreadingHTTPServer(("127.0.0.1", 80), Metadata)
        threading.Thread(target=machines.metadata.serve_forever, daemon=True).start()


def boot(bench):
    machines = bench.machines()
    serve_metadata(machines)
    ours, bare, processors = [], [], []
    for number in range(1 if bench.quick else 3):
        start = time.monotonic()
        (id,) = machines.launch()
        machines.wait_ssh(id)
        ours.append(time.monotonic() - start)
        pid = machines.processes([id])[id]
        processors.append(processor_seconds(pid))
        command = [part for part in pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0") if part]
        machine = BareMachine(machines, command, number)
        machines.terminate([id])
        bare.append(machine.boot())
        say(f"boot {number + 1}: Brume {ours[-1]:.2f} s, bare QEMU {bare[-1]:.2f} s")
    bench.single = {"seconds": median(ours), "processor": median(processors)}
    limit = 1.1 * median(bare) + 0.2
    yield {"what": "RunInstances → SSH banner", "brume": f"{median(ours):.2f} s", "peer": f"bare QEMU {median(bare):.2f} s", "ratio": f"{median(ours) / median(bare):.2f}×",
           "goal": f"≤ 1.1× + 0.2 s", "met": median(ours) <= limit, "note": f"{bench.accelerator()}, medians of {len(ours)}; bare: user network, same QEMU arguments",
           "raw": {"brume": ours, "bare": bare, "processor_seconds": processors}}


def guest_metadata(bench):
    """A client with an instance's own address, inside its VPC's namespace: all of the way but the guest's own emulated part of it."""
    machines = bench.machines()
    (id,) = machines.launch()
    machines.wait_ssh(id)
    answer = machines.cloud.first.call("DescribeInstances", InstanceId__1=id)
    address, vpc = values(answer, "privateIpAddress")[0], values(answer, "vpcId")[0]
    (namespace,) = [each for each in os.listdir("/run/netns") if each.endswith(vpc)]
    inside = ["ip", "-n", namespace, "address"]
    # From here on the guest itself is not heard any more.
    subprocess.run([*inside, "add", address + "/32", "dev", "lo"], check=True)
    try:
        rates = [harness.medians(lambda: harness.load(80, namespace=namespace, get="/latest/meta-data/instance-id", connections=connections, seconds=bench.seconds,
                                                      address="169.254.169.254", **{"from": address}), 3) for connections in (1, 16)]
    finally:
        subprocess.run([*inside, "delete", address + "/32", "dev", "lo"], check=True)
    machines.terminate([id])
    ping = harness.medians(lambda: harness.load(machines.cloud.port, get="/ping", connections=1, seconds=bench.seconds), 3)
    one, many = (each["requests_per_second"] for each in rates)
    yield {"what": "metadata, one client of one instance", "brume": f"{one:,.0f}/s", "peer": f"ping {ping['requests_per_second']:,.0f}/s",
           "ratio": f"{one / ping['requests_per_second']:.0%}", "goal": "≥ 2,000/s", "met": one >= 2000,
           "note": f"one connection, p50 {rates[0]['latency_ms']['p50']:.2f} ms; 16 connections: {many:,.0f}/s", "raw": {"one": rates[0], "sixteen": rates[1], "ping": ping}}


def many_launches(bench):
    machines = bench.machines()
    if bench.single is None:
        (id,) = machines.launch()
        start = time.monotonic()
        machines.wait_ssh(id)
        bench.single = {"seconds": time.monotonic() - start, "processor": processor_seconds(machines.processes([id])[id])}
        machines.terminate([id])
    count = 4 if bench.quick else 20
    before = machines.cloud.memory()["pss"]
    ours = processor_seconds(machines.cloud.process.pid)
    busy = busy_seconds()
    start = time.monotonic()
    ids = machines.launch(count)
    times = []
    threads = [threading.Thread(target=lambda id=id: (machines.wait_ssh(id), times.append(time.monotonic() - start))) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(times) != count:
        raise RuntimeError(f"only {len(times)} of {count} instances answered SSH")
    elapsed = time.monotonic() - start
    ours = processor_seconds(machines.cloud.process.pid) - ours + sum(processor_seconds(pid) for pid in machines.processes(ids).values())
    cores = max(0.1, os.cpu_count() - max(0.0, busy_seconds() - busy - ours) / elapsed)
    each = (machines.cloud.memory()["pss"] - before) / count
    machines.terminate(ids)
    # What one launch's CPU seconds take, times the launches, on the cores that nobody else used meanwhile.
    fair = max(bench.single["seconds"], count * bench.single["processor"] / cores)
    yield {"what": f"{count} launches at once, the last", "brume": f"{max(times):.1f} s", "peer": f"fair share {fair:.1f} s", "ratio": f"{max(times) / fair:.2f}×",
           "goal": "≤ 2×", "met": max(times) <= 2 * fair, "note": f"one launch: {bench.single['processor']:.1f} CPU s; {cores:.1f} cores left by others",
           "raw": {"seconds": sorted(times), "fair": fair, "single": bench.single, "cores": cores}}
    yield {"what": f"daemon memory, a running instance ({count})", "brume": f"{each / 1024:.2f} MiB", "peer": "", "ratio": "", "goal": "≤ 1 MB", "met": each * 1024 <= 1e6,
           "note": "PSS of brumed, beyond QEMU", "raw": {"kib_each": each}}


def clone(bench):
    machines = bench.machines()
    times, runs = {}, 3 if bench.quick else 5
    for gib in (1, 100):
        disk = machines.folder / f"sparse-{gib}.raw"
        with open(disk, "wb") as file:
            file.truncate(gib << 30)
        image = machines.import_disk(disk, f"sparse-{gib}")
        os.unlink(disk)
        times[gib] = []
        for _ in range(runs):
            start = time.monotonic()
            (id,) = machines.launch(image=image)
            wait_until(lambda: machines.look(id)[0] == "running", 60, f"{id} running", 0.005)
            times[gib].append((time.monotonic() - start) * 1000)
            machines.terminate([id])
    small, large = median(times[1]), median(times[100])
    yield {"what": "launch to 'running', root volume cloned of 100 GiB", "brume": f"{large:.0f} ms", "peer": f"of 1 GiB: {small:.0f} ms", "ratio": f"{large / small:.2f}×",
           "goal": "same; clone ≤ 100 ms", "met": large - small <= 100 and large <= 1.25 * small + 20,
           "note": "includes machine and tap; the row disk has the volume alone", "raw": {"ms_1": times[1], "ms_100": times[100]}}
