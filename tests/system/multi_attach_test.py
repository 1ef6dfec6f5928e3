"""A volume that two machines have at once: what one writes the other reads, snapshots and limits hold for both, and nothing that ends takes
it away from who still has it."""
import json
import os
import pathlib
import signal
import subprocess

import pytest

from cloud import ssh_options, wait_until
from disks import Volume, check_files, gone, snapshot, there, zone


@pytest.fixture(autouse=True)
def files_are_whole(cloud):
    yield
    check_files(cloud)


def server_of(cloud, volume):
    """The process that has the volume's files open; None: there is none."""
    file = cloud.home / "disk-servers" / volume / "process"
    return int(file.read_text().split()[0]) if file.exists() else None


def states(volume):
    return {each["InstanceId"]: each["State"] for each in volume.describe()["Attachments"]}


def attach(volume, instance, device):
    volume.account.ec2.attach_volume(VolumeId=volume.id, InstanceId=instance.id, Device=device)
    wait_until(lambda: states(volume).get(instance.id) == "attached", 30, f"{volume.id} attached to {instance.id}")
    there(instance, device)


def write_command(device, text, block):
    """Past every cache of the guest, onto the disk."""
    return f"printf %-512s {text} >/tmp/block && sudo dd if=/tmp/block of={device} bs=512 seek={block} count=1 oflag=direct conv=fsync 2>/dev/null"


def write(instance, device, text, block):
    instance.ssh(write_command(device, text, block))


def read(instance, device, block):
    return instance.ssh(f"sudo dd if={device} bs=512 skip={block} count=1 iflag=direct 2>/dev/null").strip()


def daemon_and_server_die(cloud, volume, one, other):
    server = server_of(cloud, volume.id)
    # The daemon: neither machine is without the volume, and the next daemon knows of both.
    direct = ["ssh", "-i", other.account.key_file, *ssh_options, f"ec2-user@{other.address}"]
    cloud.kill()
    subprocess.run([*direct, write_command("/dev/sdg", "fourth", 9)], check=True, timeout=60)
    cloud.start()
    other.account.connect(cloud.endpoint)
    assert server_of(cloud, volume.id) == server
    assert states(volume) == {one.id: "attached", other.id: "attached"}
    assert read(one, "/dev/sdf", 9) == "fourth"
    # The server: the machines wait for another.
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: server_of(cloud, volume.id) not in (None, server), 20, "another server")
    assert read(one, "/dev/sdf", 8) == "third"
    write(one, "/dev/sdf", "fifth", 10)
    assert read(other, "/dev/sdg", 10) == "fifth"


def test_two_machines_write_and_read_one_volume(cloud, account, tiny):
    one, other = account.launch(tiny, 2, Placement=zone)
    for each in (one, other):
        each.wait_ssh()
    volume = Volume(account, Size=4, VolumeType="io2", Iops=1000, MultiAttachEnabled=True, Encrypted=True)
    assert server_of(cloud, volume.id) is None
    attach(volume, one, "/dev/sdf")
    attach(volume, other, "/dev/sdg")
    server = server_of(cloud, volume.id)
    assert pathlib.Path(f"/proc/{server}").stat().st_uid not in (0, *(pathlib.Path(f"/proc/{process}").stat().st_uid
                                                                    for process in cloud.machine_processes().values()))
    write(one, "/dev/sdf", "first", 8)
    assert read(other, "/dev/sdg", 8) == "first"
    write(other, "/dev/sdg", "second", 8)
    assert read(one, "/dev/sdf", 8) == "second"
    # A snapshot while both have it is what it was then, and both go on.
    taken = snapshot(account, volume.id)
    write(one, "/dev/sdf", "third", 8)
    assert read(other, "/dev/sdg", 8) == "third"
    # One of all volumes of an instance, some of which others have too: it stands still for it, and goes on.
    both = account.ec2.create_snapshots(InstanceSpecification={"InstanceId": one.id})["Snapshots"]
    assert len(both) == 2
    for each in both:
        wait_until(lambda: account.ec2.describe_snapshots(SnapshotIds=[each["SnapshotId"]])["Snapshots"][0]["State"] == "completed", 30, "completed")
        account.ec2.delete_snapshot(SnapshotId=each["SnapshotId"])
    assert one.ssh("echo runs") == "runs"
    # `taken` stays, and what lies between it and the volume does not.
    wait_until(lambda: next(each for each in json.loads(cloud.brume("storage", "--json").stdout) if each["id"] == volume.id)["depth"] == 2, 60, "a short chain")
    daemon_and_server_die(cloud, volume, one, other)
    # It grows for both.
    account.ec2.modify_volume(VolumeId=volume.id, Size=5)
    for instance, device in ((one, "/dev/sdf"), (other, "/dev/sdg")):
        wait_until(lambda: instance.ssh(f"cat /sys/block/$(basename $(readlink -f {device}))/size") == str((5 << 30) // 512), 30, f"growth in {instance.id}")
    assert read(other, "/dev/sdg", 10) == "fifth"
    # One lets go, and the other goes on.
    account.ec2.detach_volume(VolumeId=volume.id, InstanceId=one.id)
    wait_until(lambda: states(volume) == {other.id: "attached"}, 30, "one attachment left")
    gone(one, "/dev/sdf")
    assert volume.describe()["State"] == "in-use"
    write(other, "/dev/sdg", "sixth", 11)
    clone = Volume(account, SnapshotId=taken).attach(one, "/dev/sdh")
    there(one, "/dev/sdh")
    assert read(one, "/dev/sdh", 8) == "second"
    # Stopped and started it has it again; the server is there as long as somebody runs who has it.
    account.ec2.stop_instances(InstanceIds=[other.id])
    other.wait_state("stopped", 100)
    assert server_of(cloud, volume.id) is None and states(volume) == {other.id: "attached"}
    attach(volume, one, "/dev/sdf")
    account.ec2.start_instances(InstanceIds=[other.id])
    other.wait_ssh()
    there(other, "/dev/sdg")
    assert read(other, "/dev/sdg", 11) == read(one, "/dev/sdf", 11) == "sixth"
    account.ec2.terminate_instances(InstanceIds=[one.id, other.id])
    volume.wait("available", 60)
    assert server_of(cloud, volume.id) is None
    for each in (one, other):
        each.wait_state("terminated")
    volume.delete()
    clone.wait("available").delete()
    account.ec2.delete_snapshot(SnapshotId=taken)
