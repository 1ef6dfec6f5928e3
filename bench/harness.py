"""What bench/run measures with: throw-away daemons, the load generator, moto server, a signed client. Everything it starts it ends."""
import contextlib
import datetime
import glob
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.parse
import xml.etree.ElementTree

root = pathlib.Path(__file__).resolve().parents[1]
binaries = pathlib.Path(os.environ.get("BRUME_BIN_FOLDER", root / "build/release/bin"))
version = "2016-11-15"
describe = f"Action=DescribeInstances&Version={version}"


class Skipped(Exception):
    """A row that cannot be measured here, and why."""


def say(text):
    print(f"  … {text}", flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, limit, what, pause=0.02):
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not happen within {limit} s")
        time.sleep(pause)


def load(port, keys=None, namespace=None, **options):
    """Requests as fast as they are answered: {'requests_per_second': …, 'latency_ms': {…}}. Options are those of bench/load.cpp."""
    command = ["ip", "netns", "exec", namespace] if namespace else []
    command += [str(binaries / "load"), "--port", str(port)]
    if keys:
        command += ["--key", keys[0], "--secret", keys[1]]
    for name, value in options.items():
        command += ["--" + name, str(value)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    result = json.loads(done.stdout)
    if result["bad"] > 0 or result["good"] == 0:
        raise RuntimeError(f"{result['bad']} requests were not answered with 200; the first: {result['first_bad']}")
    return result


def medians(measure, times):
    """The run whose rate is the median of several."""
    results = sorted((measure() for _ in range(times)), key=lambda each: each["requests_per_second"])
    return results[len(results) // 2]


def sign(key, secret, host, body, region="us-east-1"):
    time_stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{time_stamp[:8]}/{region}/ec2/aws4_request"
    canonical = f"POST\n/\n\nhost:{host}\nx-amz-date:{time_stamp}\n\nhost;x-amz-date\n{hashlib.sha256(body.encode()).hexdigest()}"
    to_sign = f"AWS4-HMAC-SHA256\n{time_stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    derived = b"AWS4" + secret.encode()
    for part in (time_stamp[:8], region, "ec2", "aws4_request"):
        derived = hmac.new(derived, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(derived, to_sign.encode(), hashlib.sha256).hexdigest()
    return {"Host": host, "X-Amz-Date": time_stamp, "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}"}


class Account:
    def __init__(self, port, keys):
        self.port = port
        self.keys = keys

    def call(self, action, **parameters):
        """The answer's text; names are written with '__' for '.': Filter__1__Name."""
        pairs = {"Action": action, "Version": version, **{name.replace("__", "."): value for name, value in parameters.items()}}
        return self.send(urllib.parse.urlencode(pairs))

    def send(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request("POST", "/", body, sign(*self.keys, f"127.0.0.1:{self.port}", body))
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{body[:80]}: {answer.status} {text[:600]}")
        return text


def values(document, name):
    """The texts of all elements of this name, whatever the namespace."""
    return [each.text or "" for each in xml.etree.ElementTree.fromstring(document).iter() if each.tag.rpartition("}")[2] == name]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Daemon:
    """A brumed of its own, simulated or real, in a folder of its own; the folder lies on a real disk (below build/)."""

    def __init__(self, simulate, *arguments, home=None):
        # Short: the operator's socket lies below it, and paths of sockets have at most 107 bytes.
        base = root / "build"
        self.folder = pathlib.Path(home) if home else pathlib.Path(tempfile.mkdtemp(prefix="b.", dir=base if len(str(base)) < 50 else None))
        self.simulate = simulate
        os.chmod(self.folder, 0o711)
        mode = ["--simulate"] if simulate else ["--home", str(self.folder)]
        self.log = open(self.folder / "brumed.log", "ab")
        self.began = time.monotonic()
        self.process = subprocess.Popen([binaries / "brumed", *mode, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=self.log,
                                        env={**os.environ, "TMPDIR": str(self.folder)}, text=True, start_new_session=True)
        line = self.process.stdout.readline()
        found = re.match(r"ready endpoint=http://127\.0\.0\.1:(\d+)", line)
        if not found:
            self.end()
            raise RuntimeError("brumed did not start: " + (self.folder / "brumed.log").read_text()[-800:])
        self.port = int(found.group(1))
        self.home = pathlib.Path(glob.glob(str(self.folder / "brume-simulation-*"))[0]) if simulate else self.folder
        self.first = self.account(self.admin("GET", "/accounts")[0])

    def admin(self, method, path, body=None):
        connection = UnixConnection(str(self.home / "admin.sock"))
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        value = json.loads(answer.read())
        if answer.status >= 300:
            raise RuntimeError(f"{path}: {value}")
        return value

    def account(self, shown):
        return Account(self.port, (shown["keys"][0]["id"], shown["keys"][0]["secret"]))

    def new_account(self, name):
        return self.account(self.admin("POST", "/accounts", {"name": name}))

    def image(self, name):
        def find():
            return next((each["id"] for each in self.admin("GET", "/images") if each["name"] == name and each["state"] == "available"), None)

        return wait_until(find, 60, f"the image {name}")

    def run_body(self, count=1, image="tiny"):
        return (f"Action=RunInstances&Version={version}&ImageId={self.image(image)}&InstanceType=t2.nano&MinCount={count}&MaxCount={count}")

    def states(self):
        return self.admin("GET", "/status")["instances"]

    def memory(self):
        """KiB, of the daemon alone."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return {name.lower(): int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE).group(1)) for name in ("Rss", "Pss")}

    def end(self, keep=False):
        """Ends it with its machines and networks; the folder goes too unless it is kept."""
        if self.process.poll() is None:
            with contextlib.suppress(Exception):
                self.admin("POST", "/shut-down", {"machines": True})
                self.process.wait(60)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self):
        """As a crash would: what is on the disk stays as it is."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


@contextlib.contextmanager
def daemon(simulate=True, *arguments):
    started = Daemon(simulate, *arguments)
    try:
        yield started
    finally:
        started.end()


class Moto:
    """moto server, in its one process and in memory, as people run it; it checks no signature."""
    image = "ami-12c6146b"

    def __init__(self):
        program = shutil.which("moto_server")
        if program is None:
            raise Skipped("moto_server is not installed")
        self.port = free_port()
        self.keys = ("AKIAIOSFODNN7EXAMPLE", "secret")
        self.process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        self.account = Account(self.port, self.keys)
        wait_until(self.answers, 60, "moto's first answer", 0.2)

    def answers(self):
        if self.process.poll() is not None:
            raise Skipped("moto_server ended")
        with contextlib.suppress(OSError):
            return self.account.send(describe)
        return None

    def run_body(self, count=1):
        return f"Action=RunInstances&Version={version}&ImageId={self.image}&InstanceType=t2.nano&MinCount={count}&MaxCount={count}"

    def reset(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/moto-api/reset")
        connection.getresponse().read()

    def end(self):
        self.process.kill()
        self.process.wait()


def machine_facts():
    def text(*command):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            return subprocess.run(command, capture_output=True, text=True, timeout=10, cwd=root).stdout.strip()
        return ""

    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"cores": os.cpu_count(), "processor": model.group(1) if model else "", "memory_mib": int(memory.group(1)) // 1024,
            "kernel": os.uname().release, "load_before": os.getloadavg()[0], "commit": text("git", "rev-parse", "HEAD"),
            "changed_files": len(text("git", "status", "--porcelain", "-uno").splitlines()),
            "file_system": text("stat", "-f", "-c", "%T", str(root)), "qemu": text("qemu-system-x86_64", "--version").partition("\n")[0],
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")}


def median(numbers):
    return statistics.median(numbers)
