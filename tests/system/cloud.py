"""A throw-away Brume with real machines, and what the tests do to it. Runs inside the test run's own network namespace."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import boto3
import botocore.config

root = pathlib.Path(__file__).resolve().parents[2]
binaries = pathlib.Path(os.environ.get("BRUME_BIN_FOLDER", root / "build/release/bin"))
image_cache = pathlib.Path(os.environ.get("BRUME_TEST_IMAGES", root / "build/test-images"))
ssh_options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10",
               "-o", "BatchMode=yes"]


def wait_until(condition, limit, what):
    """Looks again every 50 ms: for what no client of EC2 is told of, but has to ask for."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {limit} s")
        time.sleep(0.05)


class Account:
    def __init__(self, cloud, environment):
        self.cloud = cloud
        self.session = boto3.session.Session(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
        self.connect(environment["AWS_ENDPOINT_URL"])
        self.key_file = None

    def connect(self, endpoint):
        """Again after another start of the daemon, perhaps on another port."""
        config = botocore.config.Config(retries={"max_attempts": 0})
        self.ec2 = self.session.client("ec2", endpoint_url=endpoint, config=config)
        self.sts = self.session.client("sts", endpoint_url=endpoint, config=config)

    def group(self, name="default"):
        return self.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"][0]["GroupId"]

    def make_key(self, name="test"):
        key = self.ec2.create_key_pair(KeyName=name, KeyType="ed25519")
        self.key_file = str(self.cloud.home / f"{self.ec2.meta.config.user_agent_extra or ''}{id(self)}.pem")
        with open(os.open(self.key_file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(key["KeyMaterial"])

    def open_port(self, group, port, cidr="0.0.0.0/0", protocol="tcp"):
        self.ec2.authorize_security_group_ingress(GroupId=group, IpProtocol=protocol, FromPort=port, ToPort=port, CidrIp=cidr)

    def close_port(self, group, port, cidr="0.0.0.0/0", protocol="tcp"):
        self.ec2.revoke_security_group_ingress(GroupId=group, IpProtocol=protocol, FromPort=port, ToPort=port, CidrIp=cidr)

    def launch(self, image, count=1, **more):
        parameters = dict(ImageId=image, InstanceType="t2.nano", MinCount=count, MaxCount=count)
        if self.key_file:
            parameters["KeyName"] = "test"
        parameters.update(more)
        made = self.ec2.run_instances(**parameters)["Instances"]
        instances = [Instance(self, each["InstanceId"]) for each in made]
        return instances[0] if count == 1 else instances

    def terminate_all(self):
        ids = [i["InstanceId"] for r in self.ec2.describe_instances()["Reservations"] for i in r["Instances"]
               if i["State"]["Name"] not in ("terminated", "shutting-down")]
        if ids:
            self.ec2.terminate_instances(InstanceIds=ids)


class Instance:
    def __init__(self, account, id):
        self.account = account
        self.id = id

    def describe(self):
        return self.account.ec2.describe_instances(InstanceIds=[self.id])["Reservations"][0]["Instances"][0]

    @property
    def state(self):
        return self.describe()["State"]["Name"]

    @property
    def address(self):
        return self.describe()["PublicIpAddress"]

    @property
    def private_address(self):
        return self.describe()["PrivateIpAddress"]

    def wait_state(self, state, limit=60):
        wait_until(lambda: self.state == state, limit, f"{self.id} {state}")
        return self

    def wait_ssh(self, limit=120):
        def banner():
            instance = self.describe()
            assert instance["State"]["Name"] in ("pending", "running"), instance.get("StateReason")
            if instance["State"]["Name"] != "running":
                return False
            with contextlib.suppress(OSError):
                with socket.create_connection((instance["PublicIpAddress"], 22), timeout=2) as peer:
                    return peer.recv(4) == b"SSH-"
            return False

        wait_until(banner, limit, f"an SSH banner of {self.id}")
        return self

    def ssh(self, command, user="ec2-user", limit=60, check=True):
        full = ["ssh", "-i", self.account.key_file, *ssh_options, f"{user}@{self.address}", command]
        done = subprocess.run(full, capture_output=True, text=True, timeout=limit)
        if check and done.returncode != 0:
            raise AssertionError(f"{command!r} on {self.id} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def console(self):
        return self.account.ec2.get_console_output(InstanceId=self.id).get("Output", "")

    def machine_process(self):
        """The QEMU of this instance, by its name argument and its home; None when there is none."""
        return self.account.cloud.machine_processes().get(self.id)


class Cloud:
    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="brume-test-"))
        os.chmod(self.home, 0o711)  # as the daemon makes it
        self.process = None
        self.arguments = ["--accelerator", "tcg"]

    def start(self):
        self.log = open(self.home / "brumed.log", "a")
        self.process = subprocess.Popen([binaries / "brumed", "--home", self.home, "--port", "0", *self.arguments], stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, start_new_session=True)
        line = self.process.stdout.readline()
        assert line.startswith("ready endpoint="), (self.home / "brumed.log").read_text()
        self.endpoint = line.strip().split("=", 1)[1]
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def stop(self):
        """Ends the daemon and leaves the machines, as an upgrade does."""
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0
        self.process.stdout.close()

    def brume(self, *arguments, limit=60, check=True):
        done = subprocess.run([binaries / "brume", "--home", self.home, *arguments], capture_output=True, text=True, timeout=limit)
        if check and done.returncode != 0:
            raise AssertionError(f"brume {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return done

    def account(self, id=None):
        shown = self.brume("env", *(["--account", id] if id else [])).stdout
        environment = dict(line.removeprefix("export ").split("=", 1) for line in shown.splitlines())
        return Account(self, environment)

    def image(self, recipe, limit):
        """The starter image, built once for all runs of this clone."""
        cached = image_cache / recipe
        folder = self.home / "images" / recipe
        folder.parent.mkdir(mode=0o711, exist_ok=True)
        if (cached / "image.json").exists() and not folder.exists():
            shutil.copytree(cached, folder)
        id = self.brume("image", "build", recipe, limit=limit).stdout.strip()
        if not (cached / "image.json").exists():
            shutil.copytree(folder, cached, dirs_exist_ok=True)
        return id

    def machine_processes(self):
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if "qemu-system-x86_64" in command[0] and any(str(self.home) in part for part in command):
                    name = command[command.index("-name") + 1].split(",")[0]
                    found[name] = int(entry.name)
        return found

    def leftovers(self):
        """What this installation has on the host besides its files."""
        runs = self.process and self.process.poll() is None
        mark = (self.home / "network/mark").read_text().strip() if (self.home / "network/mark").exists() else "no mark"
        left = [f"machine {id}" for id in self.machine_processes()]
        for command in (["ip", "netns"], ["ip", "-br", "link"], ["nft", "list", "tables"]):
            out = subprocess.run(command, capture_output=True, text=True).stdout
            left += [line for line in out.splitlines() if mark in line and "table" not in line]
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    command = (entry / "cmdline").read_text(errors="replace")
                    if runs and "/resolver/" in command:
                        continue  # which answers the host itself, as long as there is a daemon
                    if command.startswith("dnsmasq") and mark in command:
                        left.append(f"dnsmasq {entry.name}")
        left += [f"disk server {path.name}" for path in (self.home / "disk-servers").glob("*")]
        left += [f"volume file {path.name}" for path in (self.home / "blocks/volumes").glob("*")]
        return left

    def destroy(self):
        if self.process and self.process.poll() is None:
            self.brume("down", limit=120)
            self.process.wait(timeout=10)
        # What a test that failed left.
        servers = [int(file.read_text().split()[0]) for file in self.home.glob("disk-servers/*/process")]
        for process in [*self.machine_processes().values(), *servers]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if os.environ.get("BRUME_TEST_KEEP"):
            print("kept", self.home)
        else:
            shutil.rmtree(self.home, ignore_errors=True)
