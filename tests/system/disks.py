"""Volumes and snapshots as the tests of real disks use them, and qemu-img's opinion of the files."""
import json
import pathlib
import subprocess

import pytest

from cloud import wait_until

zone = {"AvailabilityZone": "us-east-1a"}


# Fixtures of a module that does everything with one machine of its own.
@pytest.fixture(autouse=True)
def ends_instances():
    """The machine is the module's."""
    yield


@pytest.fixture(scope="module")
def machine(account, tiny):
    made = account.launch(tiny, Placement=zone).wait_ssh()
    yield made
    made.account.ec2.terminate_instances(InstanceIds=[made.id])
    made.wait_state("terminated")


def check_files(cloud, killed=False):
    """qemu-img finds no fault in any layer that no machine has open, and no layer is nobody's. What a killed QEMU had taken and not yet used
    is lost room, which qemu-img tells from a fault."""
    layers = cloud.home / "blocks/layers"
    open_now = set()
    for process in cloud.machine_processes().values():
        for descriptor in pathlib.Path(f"/proc/{process}/fd").iterdir():
            open_now.add(str(descriptor.readlink()))
    for file in layers.glob("*"):
        assert file.suffix == ".qcow2", f"{file} was left"
        if str(file) in open_now:
            continue
        try:
            with open(file, "rb") as head:
                encrypted = head.read(36)[35] == 2
        except FileNotFoundError:
            continue  # went since it was listed, in the course of a chain's shortening
        if encrypted:
            continue  # its key is the daemon's; the unit tests look inside
        done = qemu_img("check", "--output=json", json_node(file))
        assert done.returncode in ((0, 3) if killed else (0,)) or not file.exists(), f"{file}: {done.stdout}{done.stderr}"


def qemu_img(*arguments):
    """As soon as the background, which makes chains short, has the file no longer."""

    def tried():
        done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True)
        return None if "lock" in done.stderr else done

    return wait_until(tried, 60, f"qemu-img {arguments[0]} without another at the file")


def json_node(file):
    return "json:" + json.dumps({"driver": "qcow2", "backing": None, "file": {"driver": "file", "filename": str(file)}})


class Volume:
    def __init__(self, account, **how):
        self.account = account
        self.id = account.ec2.create_volume(**zone, **how)["VolumeId"]
        self.wait("available")

    def describe(self):
        return self.account.ec2.describe_volumes(VolumeIds=[self.id])["Volumes"][0]

    def wait(self, state, limit=30):
        wait_until(lambda: self.describe()["State"] == state, limit, f"{self.id} {state}")
        return self

    def attach(self, instance, device):
        self.account.ec2.attach_volume(VolumeId=self.id, InstanceId=instance.id, Device=device)
        wait_until(lambda: [a["State"] for a in self.describe()["Attachments"]] == ["attached"], 30, f"{self.id} attached")
        return self

    def detach(self, **how):
        self.account.ec2.detach_volume(VolumeId=self.id, **how)
        return self.wait("available", 40)

    def delete(self):
        self.account.ec2.delete_volume(VolumeId=self.id)

        def gone():
            try:
                return self.describe()["State"] == "deleting" and False
            except self.account.ec2.exceptions.ClientError as error:
                return error.response["Error"]["Code"] == "InvalidVolume.NotFound"

        wait_until(gone, 20, f"the end of {self.id}")


def snapshot(account, volume, limit=30):
    id = account.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    wait_until(lambda: account.ec2.describe_snapshots(SnapshotIds=[id])["Snapshots"][0]["State"] == "completed", limit, f"{id} completed")
    return id


def there(instance, device):
    return wait_until(lambda: instance.ssh(f"test -b {device} && readlink -f {device}", check=False), 20, f"{device} in the guest")


def gone(instance, device):
    wait_until(lambda: instance.ssh(f"test -e {device} || echo gone", check=False) == "gone", 20, f"{device} gone from the guest")
