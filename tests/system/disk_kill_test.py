"""The daemon and QEMU are killed in the midst of snapshots, attachments and the shortening of chains, while a guest writes (issue "Block
storage")."""
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from cloud import ssh_options, wait_until
from disks import Volume, check_files, ends_instances, machine, qemu_img, snapshot, there  # noqa: F401


@pytest.fixture(autouse=True)
def files_are_whole(cloud):
    yield
    check_files(cloud, killed=True)


class Writer:
    """Writes numbered blocks in the guest one after another, each synced before its number is told."""

    def __init__(self, machine, device, first):
        script = (f"i={first}; while [ -b {device} ]; do printf %4096d $i | dd of={device} bs=4096 seek=$i oflag=direct conv=fsync,notrunc 2>/dev/null || exit 0; "
                  "echo $i; i=$((i+1)); done")
        login = ["ssh", "-i", machine.account.key_file, *ssh_options, "-o", "ServerAliveInterval=2", f"ec2-user@{machine.address}"]
        self.process = subprocess.Popen([*login, f"sudo sh -c '{script}'"], stdout=subprocess.PIPE, text=True)
        self.last = first - 1
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            self.last = int(line)

    def wait_for(self, number):
        wait_until(lambda: self.last >= number, 30, f"block {number}")

    def end(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()
        return self.last


def blocks_of(cloud, name, folder):
    """What the file of a volume or snapshot holds, read through its chain: the number in each block."""
    raw = folder / "content.raw"
    qemu_img("convert", "-O", "raw", (cloud.home / "blocks" / name).resolve(), raw).check_returncode()
    numbers = []
    with open(raw, "rb") as file:
        while (block := file.read(4096)) and block.strip(b"\0"):
            numbers.append(int(block))
    raw.unlink()
    return numbers


class Trouble:
    """A volume that a guest writes to, what is done with it, and what is killed meanwhile."""

    def __init__(self, cloud, account, machine, folder):
        self.cloud, self.account, self.machine, self.folder = cloud, account, machine, folder
        self.chance = random.Random(4)
        self.volume = Volume(account, Size=1).attach(machine, "/dev/sdf")
        there(machine, "/dev/sdf")
        self.others = []
        self.snapshots = []  # id, last block that was synced when it was asked for
        self.written = 0  # so many blocks were synced
        self.writer = None

    def ask_snapshot(self):
        last = self.writer.last
        self.snapshots.append((self.account.ec2.create_snapshot(VolumeId=self.volume.id)["SnapshotId"], last))

    def attach_another(self):
        self.others.append(Volume(self.account, Size=1))
        self.account.ec2.attach_volume(VolumeId=self.others[-1].id, InstanceId=self.machine.id, Device=f"/dev/sd{'ghij'[len(self.others)]}")

    def shorten(self):
        """What the snapshot held goes into the volume; control begins with that a second after it went."""
        self.account.ec2.delete_snapshot(SnapshotId=snapshot(self.account, self.volume.id))
        time.sleep(self.chance.uniform(0.9, 1.3))  # not a wait: the moment of the kill

    def kill_in(self, what, victim):
        self.writer = Writer(self.machine, "/dev/sdf", self.written)
        self.writer.wait_for(self.written + 3)
        what(self)
        time.sleep(self.chance.uniform(0, 0.06))
        if victim == "daemon":
            self.cloud.kill()
            self.writer.wait_for(self.writer.last + 2)  # the guest goes on
            self.cloud.start()
            self.account.connect(self.cloud.endpoint)
            self.writer.wait_for(self.writer.last + 2)
        else:
            os.kill(self.machine.machine_process(), signal.SIGKILL)
            self.machine.wait_state("stopped", 30)
        self.written = self.writer.end() + 1

    def settle(self):
        """What was asked for is done all the same, and has what it has to have."""
        for each in self.others:
            wait_until(lambda each=each: [a["State"] for a in each.describe()["Attachments"]] == ["attached"], 30, f"{each.id} attached")
        for id, last in self.snapshots:
            state = wait_until(lambda id=id: self.snapshot_state(id) != "pending" and self.snapshot_state(id), 30, f"the end of {id}")
            assert state == "completed", self.account.ec2.describe_snapshots(SnapshotIds=[id])["Snapshots"][0].get("StateMessage")
            found = blocks_of(self.cloud, f"snapshots/{id}", self.folder)
            assert found == list(range(len(found))) and len(found) > last, f"{id} lacks what was synced before it was asked for"

    def snapshot_state(self, id):
        return self.account.ec2.describe_snapshots(SnapshotIds=[id])["Snapshots"][0]["State"]

    def look_at_the_files(self):
        """While the machine is down."""
        found = blocks_of(self.cloud, f"volumes/{self.volume.id}", self.folder)
        # The one that was under way when the guest's command ended may be there too.
        assert found[:self.written] == list(range(self.written)) and len(found) <= self.written + 1, "something that was synced is gone"
        check_files(self.cloud, killed=True)

    def end(self):
        for id, _ in self.snapshots:
            self.account.ec2.delete_snapshot(SnapshotId=id)
        for each in (self.volume, *self.others):
            each.detach().delete()


def test_nothing_that_was_synced_is_lost_when_daemon_or_machine_are_killed(cloud, account, machine, tmp_path):
    trouble = Trouble(cloud, account, machine, tmp_path)
    for what, victim in ((Trouble.ask_snapshot, "daemon"), (Trouble.attach_another, "daemon"), (Trouble.ask_snapshot, "machine"), (Trouble.shorten, "daemon"),
                         (Trouble.shorten, "machine"), (Trouble.attach_another, "machine")):
        trouble.kill_in(what, victim)
        trouble.settle()
        if victim == "machine":
            trouble.look_at_the_files()
            account.ec2.start_instances(InstanceIds=[machine.id])
            machine.wait_ssh()
            there(machine, "/dev/sdf")
    account.ec2.stop_instances(InstanceIds=[machine.id], Force=True)
    machine.wait_state("stopped", 100)
    trouble.look_at_the_files()
    trouble.end()
    account.ec2.start_instances(InstanceIds=[machine.id])
    machine.wait_ssh()
    gone = [trouble.volume.id, *(each.id for each in trouble.others)]
    left = lambda: [file for id in gone for file in (cloud.home / "blocks").glob(f"*/{id}*")]  # noqa: E731
    wait_until(lambda: not left(), 15, "the room to come back")
