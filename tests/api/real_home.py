"""A home of a real daemon, without instances: what a start, a failed start and a killed daemon do to a home and to the host."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import BIN, Daemon, Keys, ended, wait_for_ready


class Home:
    def __init__(self, folder, name="home"):
        self.folder, self.process, self.log = pathlib.Path(folder, name), None, None
        self.log_file = pathlib.Path(folder, name + ".log")

    def command(self, *options):
        return [BIN / "brumed", "--home", self.folder, "--accelerator", "tcg", *options]

    def start(self, *options):
        self.log = open(self.log_file, "wb")
        self.process = subprocess.Popen(self.command("--port", "0", *options), stdout=subprocess.PIPE, stderr=self.log)
        self.daemon = Daemon(self.process, wait_for_ready(self.process, 60, self.log), str(self.folder))
        fields = dict(re.findall(r"^export (\w+)=(.*)$", self.daemon.brume("env"), re.MULTILINE))
        return self.daemon.client(keys=Keys("", fields["AWS_ACCESS_KEY_ID"], fields["AWS_SECRET_ACCESS_KEY"]))

    def forget(self):
        self.process.stdout.close()
        self.log.close()
        self.process = None

    def stop(self):
        assert ended(self.process) == 0
        self.forget()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.forget()

    def refusal(self, *options, port=0):
        """What a start says that does not come about."""
        done = subprocess.run(self.command("--port", str(port), *options), capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def brume(self, *arguments):
        return subprocess.run([BIN / "brume", "--home", self.folder, *arguments], capture_output=True, text=True, timeout=120)

    def down(self):
        done = self.brume("down")
        assert done.returncode == 0, done.stderr
        if self.process is not None:
            self.process.wait(20)
            self.forget()
        return done.stdout

    @property
    def mark(self):
        return (self.folder / "network/mark").read_text().strip()

    @property
    def pool(self):
        return (self.folder / "network/pool").read_text().strip()

    def on_host(self):
        """What carries the mark of this home."""
        metric = str(0x42000000 | int(self.mark, 16))
        found = []
        for command in (["ip", "route"], ["ip", "-6", "route"], ["ip", "-br", "link"], ["ip", "netns"], ["nft", "list", "tables"]):
            out = subprocess.run(command, capture_output=True, text=True).stdout
            found += [line for line in out.splitlines() if self.mark in line or metric in line]
        found += [str(path) for path in pathlib.Path("/run").glob(f"brume-{self.mark}*")]
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if f"/run/brume-{self.mark}/" in (entry / "cmdline").read_text(errors="replace"):
                        found.append(f"process {entry.name}")
        return found


@pytest.fixture
def make_home():
    if os.geteuid() != 0:
        pytest.skip("a daemon that is not a simulation needs root")
    folder = tempfile.mkdtemp(prefix="brume-api-", dir="/tmp")
    os.chmod(folder, 0o711)
    made = []

    def make(name="home"):
        made.append(Home(folder, name))
        return made[-1]

    yield make
    for home in made:
        with contextlib.suppress(OSError):
            if home.process is not None or (home.folder / "network/mark").exists():
                home.brume("down")
        if home.process is not None:
            home.process.wait(20)
            home.forget()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home(make_home):
    return make_home()
