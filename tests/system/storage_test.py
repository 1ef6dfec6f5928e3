"""Volumes and snapshots with real machines: hot plug by name, data that outlives everything, snapshots under load, growth, encryption.

Every test ends with qemu-img's opinion of every file."""
import json
import os
import pathlib
import subprocess

import pytest

from cloud import Cloud, ssh_options, wait_until
from disks import Volume, check_files, gone, snapshot, there, zone


@pytest.fixture(autouse=True)
def files_are_whole(cloud):
    yield
    check_files(cloud)


@pytest.fixture(scope="module")
def machine(account, tiny):
    made = account.launch(tiny, Placement=zone).wait_ssh()
    yield made
    account.ec2.terminate_instances(InstanceIds=[made.id])
    made.wait_state("terminated")


@pytest.fixture(autouse=True)
def ends_instances():
    """The machine is this module's; tests end what they launch themselves."""
    yield


def test_the_root_has_its_names(machine):
    assert machine.ssh("readlink -f /dev/sda1") == machine.ssh("readlink -f /dev/xvda1") == "/dev/vda"


def test_plugged_by_name_and_data_outlives_detach_stop_and_the_daemon(cloud, account, machine):
    volume = Volume(account, Size=1).attach(machine, "/dev/sdf")
    disk = there(machine, "/dev/sdf")
    assert machine.ssh("readlink -f /dev/xvdf") == disk
    assert machine.ssh(f"readlink -f /dev/disk/by-id/virtio-{volume.id.replace('-', '')}") == disk
    machine.ssh("sudo mkfs.ext4 -q /dev/sdf && sudo mount /dev/sdf /mnt && sudo sh -c 'dd if=/dev/urandom of=/mnt/data bs=1M count=8 2>/dev/null; sync'")
    sum = machine.ssh("md5sum /mnt/data").split()[0]
    machine.ssh("sudo umount /mnt")
    volume.detach()
    gone(machine, "/dev/sdf")
    volume.attach(machine, "/dev/sdp")
    there(machine, "/dev/sdp")
    read = "sudo mount /dev/sdp /mnt && md5sum /mnt/data && sudo umount /mnt"
    assert machine.ssh(read).split()[0] == sum
    # The daemon dies; what was plugged stays plugged.
    cloud.kill()
    cloud.start()
    account.connect(cloud.endpoint)
    assert volume.describe()["State"] == "in-use"
    assert machine.ssh(read).split()[0] == sum
    account.ec2.stop_instances(InstanceIds=[machine.id])
    machine.wait_state("stopped", 100)
    assert volume.describe()["State"] == "in-use"
    account.ec2.start_instances(InstanceIds=[machine.id])
    machine.wait_ssh()
    there(machine, "/dev/sdp")
    assert machine.ssh(read).split()[0] == sum
    volume.detach().delete()
    assert not list((cloud.home / "blocks").glob(f"*/{volume.id}*"))


def test_attached_to_a_stopped_instance_it_is_there_at_the_start(account, machine):
    account.ec2.stop_instances(InstanceIds=[machine.id])
    machine.wait_state("stopped", 100)
    volume = Volume(account, Size=1).attach(machine, "xvdg")
    other = Volume(account, Size=1).attach(machine, "/dev/sdh")
    other.detach()
    account.ec2.start_instances(InstanceIds=[machine.id])
    machine.wait_ssh()
    there(machine, "/dev/xvdg")
    assert machine.ssh("test -e /dev/sdh || echo none") == "none"
    volume.detach().delete()
    other.delete()


def test_a_guest_that_holds_on_is_busy_until_forced(cloud, account, tmp_path):
    blank = tmp_path / "blank.raw"
    with open(blank, "wb") as file:
        file.truncate(64 << 20)
    image = cloud.brume("image", "import", blank, "--name", "deaf").stdout.strip()
    deaf = account.launch(image, Placement=zone).wait_state("running")
    volume = Volume(account, Size=1).attach(deaf, "/dev/sdf")
    account.ec2.detach_volume(VolumeId=volume.id)
    wait_until(lambda: [a["State"] for a in volume.describe()["Attachments"]] == ["busy"], 30, "busy")
    assert volume.describe()["State"] == "in-use"
    account.ec2.detach_volume(VolumeId=volume.id, Force=True)
    volume.wait("available", 30)
    volume.delete()
    account.ec2.stop_instances(InstanceIds=[deaf.id], Force=True)
    deaf.wait_state("stopped", 20)
    account.ec2.terminate_instances(InstanceIds=[deaf.id])
    deaf.wait_state("terminated", 20)


def test_snapshots_of_a_volume_under_load_are_of_one_instant(cloud, account, machine):
    volume = Volume(account, Size=1).attach(machine, "/dev/sdf")
    there(machine, "/dev/sdf")
    # Each file is written whole and synced before its number is: a snapshot has every file up to its number, undamaged.
    machine.ssh("sudo mkfs.ext4 -q /dev/sdf && sudo mount /dev/sdf /mnt")
    machine.ssh("""sudo sh -c 'i=0; while [ ! -e /tmp/enough ]; do i=$((i+1)); dd if=/dev/urandom of=/mnt/f$i bs=64k count=4 2>/dev/null
                   md5sum /mnt/f$i >/mnt/s$i; sync; echo $i >/mnt/n; sync; done' >/dev/null 2>&1 &""")
    taken = []
    for number in (2, 6):
        wait_until(lambda least=number: int(machine.ssh("cat /mnt/n 2>/dev/null || echo 0")) >= least, 60, "some writes")
        taken.append(snapshot(account, volume.id))
    machine.ssh("sudo touch /tmp/enough")
    pauses = [int(line.rsplit("at most ", 1)[1].split()[0]) for line in (cloud.home / "brumed.log").read_text().splitlines() if "stood still" in line]
    print("pauses in ms:", pauses)
    assert len(pauses) >= 2 and min(pauses) <= 100
    clones = [Volume(account, SnapshotId=id) for id in taken]
    # A snapshot may go while volumes stand on it.
    account.ec2.delete_snapshot(SnapshotId=taken[0])
    machine.ssh("sudo mkdir -p /a")
    for clone, least in zip(clones, (2, 6)):
        clone.attach(machine, "/dev/sdg")
        there(machine, "/dev/sdg")
        machine.ssh("sudo mount /dev/sdg /a")
        last = int(machine.ssh("cat /a/n"))
        assert last >= least
        for number in range(1, last + 1):
            assert machine.ssh(f"md5sum </a/f{number}").split()[0] == machine.ssh(f"cat /a/s{number}").split()[0]
        machine.ssh("sudo umount /a")
        clone.detach().delete()
    wait_until(lambda: machine.ssh("sudo umount /mnt && echo done", check=False) == "done", 20, "umount")
    volume.detach().delete()
    account.ec2.delete_snapshot(SnapshotId=taken[1])
    wait_until(lambda: not list((cloud.home / "blocks").glob(f"*/{volume.id}*")), 10, "the room to come back")


def test_provisioned_iops_are_a_ceiling_that_follows_a_modification(account, machine):
    volume = Volume(account, Size=10, VolumeType="io1", Iops=100).attach(machine, "/dev/sdf")
    there(machine, "/dev/sdf")

    def rate(requests):
        """Of single writes of 4 KiB, a second; the first tenth of a second's worth is free."""
        took = machine.ssh(f"a=$(cut -d' ' -f1 /proc/uptime); sudo dd if=/dev/zero of=/dev/sdf bs=4k count={requests} oflag=direct 2>/dev/null; "
                           "b=$(cut -d' ' -f1 /proc/uptime); echo $a $b").split()
        return requests / (float(took[1]) - float(took[0]))

    slow = rate(300)
    assert 50 < slow < 115, f"{slow} a second"
    # A snapshot puts another file under the disk; the limit stays.
    taken = snapshot(account, volume.id)
    slow = rate(200)
    assert slow < 120, f"{slow} a second after a snapshot"
    account.ec2.modify_volume(VolumeId=volume.id, VolumeType="gp3")
    wait_until(lambda: account.ec2.describe_volumes_modifications(VolumeIds=[volume.id])["VolumesModifications"][0]["ModificationState"] == "completed", 10,
               "the modification's end")
    fast = rate(1000)
    print(f"{slow:.0f} a second, then {fast:.0f}")
    assert fast > 2 * slow, f"{fast} a second"
    volume.detach().delete()
    account.ec2.delete_snapshot(SnapshotId=taken)


def test_grows_while_the_guest_uses_it(account, machine):
    volume = Volume(account, Size=1).attach(machine, "/dev/sdf")
    disk = there(machine, "/dev/sdf").rsplit("/", 1)[1]
    machine.ssh("sudo mkfs.ext4 -q /dev/sdf && sudo mount /dev/sdf /mnt && echo kept | sudo tee /mnt/file")
    account.ec2.modify_volume(VolumeId=volume.id, Size=2)
    wait_until(lambda: int(machine.ssh(f"cat /sys/block/{disk}/size")) == 4 << 20, 20, "the new size in the guest")
    machine.ssh("sudo resize2fs /dev/sdf 2>/dev/null")
    assert int(machine.ssh("df -k /mnt | tail -n 1 | awk '{print $2}'")) > 1.8 * 1024 * 1024
    wait_until(lambda: account.ec2.describe_volumes_modifications(VolumeIds=[volume.id])["VolumesModifications"][0]["ModificationState"] == "completed", 10,
               "the modification's end")
    assert machine.ssh("cat /mnt/file; sudo umount /mnt") == "kept" and volume.describe()["Size"] == 2
    volume.detach().delete()


def files_of(cloud, volume):
    return next(each for each in json.loads(cloud.brume("storage", "--json").stdout) if each["id"] == volume.id)["depth"]


def shorten_while_attached(cloud, account, volume):
    """What stands between the volume and a snapshot that stays moves into the volume when nobody else needs it."""
    account.ec2.delete_snapshot(SnapshotId=snapshot(account, volume.id))
    wait_until(lambda: files_of(cloud, volume) == 2, 60, f"{volume.id} on the snapshot's file")


def test_an_encrypted_volume_works_and_its_file_shows_nothing(cloud, account, machine):
    volume = Volume(account, Size=1, Encrypted=True)
    volume.attach(machine, "/dev/sdf")
    there(machine, "/dev/sdf")
    machine.ssh("sudo sh -c 'yes this-is-a-secret | head -c 1000000 | dd of=/dev/sdf bs=64k 2>/dev/null; sync'")
    taken = snapshot(account, volume.id, 60)
    shorten_while_attached(cloud, account, volume)
    clone = Volume(account, SnapshotId=taken).attach(machine, "/dev/sdg")
    there(machine, "/dev/sdg")
    assert machine.ssh("sudo head -c 16 /dev/sdg") == "this-is-a-secret"
    for file in (cloud.home / "blocks/layers").glob("vol-*"):
        if file.name.split(".")[0] in (volume.id, clone.id):
            assert b"this-is-a-secret" not in file.read_bytes()
    for process in cloud.machine_processes().values():
        assert b"secret,data" not in pathlib.Path(f"/proc/{process}/cmdline").read_bytes()
    # Also at a start, where the key goes another way.
    account.ec2.stop_instances(InstanceIds=[machine.id])
    machine.wait_state("stopped", 100)
    account.ec2.start_instances(InstanceIds=[machine.id])
    machine.wait_ssh()
    there(machine, "/dev/sdf")
    assert machine.ssh("sudo head -c 16 /dev/sdf") == "this-is-a-secret"
    shorten_while_attached(cloud, account, volume)
    for each in (clone, volume):
        each.detach().delete()
    account.ec2.delete_snapshot(SnapshotId=taken)


def test_what_was_not_encrypted_is_encrypted_whole(cloud, account, tiny, machine):
    """The root of a launch, and a copy of a snapshot: nothing of them stands on files that anybody could read."""
    volume = Volume(account, Size=1).attach(machine, "/dev/sdf")
    there(machine, "/dev/sdf")
    machine.ssh("sudo sh -c 'yes in-the-clear | head -c 3000000 | dd of=/dev/sdf bs=64k 2>/dev/null; sync'")
    taken = snapshot(account, volume.id)
    copy = account.ec2.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=taken, Encrypted=True)["SnapshotId"]
    wait_until(lambda: account.ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]["State"] == "completed", 60, "the copy")
    clone = Volume(account, SnapshotId=copy).attach(machine, "/dev/sdg")
    there(machine, "/dev/sdg")
    sums = machine.ssh("for disk in f g; do sudo head -c 4194304 /dev/sd$disk | md5sum; done").split()
    assert sums[0] == sums[2] != "b5cfa9d6c8febd618f91ac2843d50a1c", "and something is in them"
    root = {"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True}}
    sealed = account.launch(tiny, Placement=zone, BlockDeviceMappings=[root]).wait_ssh()
    shown = {each["id"]: each for each in json.loads(cloud.brume("storage", "--json").stdout)}
    of_root = shown[sealed.describe()["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]]
    assert of_root["encrypted"] and of_root["depth"] == 1 and shown[copy]["depth"] == 1
    account.ec2.terminate_instances(InstanceIds=[sealed.id])
    for each in (clone, volume):
        each.detach().delete()
    for each in (copy, taken):
        account.ec2.delete_snapshot(SnapshotId=each)
    sealed.wait_state("terminated", 60)


def test_an_image_of_an_instance_boots_with_what_was_in_it(account, machine):
    machine.ssh("sudo sh -c 'echo from the first >/root/proof'")
    boot = machine.ssh("cat /proc/sys/kernel/random/boot_id")
    image = account.ec2.create_image(InstanceId=machine.id, Name="made")["ImageId"]
    wait_until(lambda: account.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available", 120, "the image")
    machine.wait_ssh()
    assert machine.ssh("cat /proc/sys/kernel/random/boot_id") != boot, "it was shut down for the snapshot"
    second = account.launch(image).wait_ssh()
    assert second.ssh("sudo cat /root/proof") == "from the first"
    account.ec2.terminate_instances(InstanceIds=[second.id])
    second.wait_state("terminated", 60)
    account.ec2.deregister_image(ImageId=image)


def test_what_it_costs_is_shown(cloud, account, machine):
    shown = json.loads(cloud.brume("storage", "--json").stdout)
    root = next(each for each in shown if each["instance"] == machine.id)
    assert root["virtualBytes"] >= 1 << 30 and root["depth"] >= 2 and root["ownBytes"] > 0
    assert machine.id in cloud.brume("storage").stdout


def test_what_a_volume_did_is_counted_over_restarts(cloud, account, machine):
    volume = Volume(account, Size=1).attach(machine, "/dev/sdf")
    there(machine, "/dev/sdf")

    def counted(id=volume.id):
        found = [each for each in json.loads(cloud.brume("storage", "--counters", "--json").stdout) if each["id"] == id]
        return found[0] if found else {"totals": {"writeBytes": 0, "writes": 0, "readBytes": 0, "flushes": 0}}

    mib = 1 << 20
    machine.ssh("sudo dd if=/dev/zero of=/dev/sdf bs=1M count=24 oflag=direct conv=fsync 2>/dev/null")
    wait_until(lambda: counted()["totals"]["writeBytes"] >= 24 * mib, 20, "the writes in the counters")
    first = counted()
    assert first["totals"]["writeBytes"] == 24 * mib and first["totals"]["writes"] >= 24 and first["totals"]["flushes"] >= 1
    assert first["totals"]["writeNs"] > 0 and first["instance"] == machine.id
    assert sum(period["writeBytes"] for period in first["periods"]) == 24 * mib
    # The daemon dies with what it had not written down; the machine has counted on.
    login = ["ssh", "-i", account.key_file, *ssh_options, f"ec2-user@{machine.address}"]
    cloud.kill()
    subprocess.run([*login, "sudo dd if=/dev/zero of=/dev/sdf bs=1M count=8 oflag=direct 2>/dev/null"], check=True, timeout=60)
    cloud.start()
    account.connect(cloud.endpoint)
    wait_until(lambda: counted()["totals"]["writeBytes"] == 32 * mib, 20, "the writes since")
    # What a guest writes last, before it turns itself off, counts too, and another machine begins at zero.
    machine.ssh("sudo sh -c 'dd if=/dev/zero of=/dev/sdf bs=1M count=4 oflag=direct 2>/dev/null; poweroff'", check=False)  # the connection may end before the command does
    machine.wait_state("stopped", 100)
    assert counted()["totals"]["writeBytes"] == 36 * mib
    account.ec2.start_instances(InstanceIds=[machine.id])
    machine.wait_ssh()
    there(machine, "/dev/sdf")
    before = counted()["totals"]["readBytes"]
    machine.ssh("sudo dd if=/dev/sdf of=/dev/null bs=1M count=16 iflag=direct 2>/dev/null")
    wait_until(lambda: counted()["totals"]["readBytes"] >= before + 16 * mib, 20, "the reads")
    volume.detach()
    assert counted()["totals"]["writeBytes"] == 36 * mib
    assert volume.id in cloud.brume("storage", "--counters").stdout
    volume.delete()
    assert volume.id not in cloud.brume("storage", "--counters").stdout


def test_instance_stores_live_as_long_as_their_machine(cloud, account, tiny):
    """STO-080: kept over a reboot and a new daemon, gone with a stop, never another tenant's; STO-085: only what the type has."""
    mapping = [{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}, {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral1"}]
    one = account.launch(tiny, InstanceType="m1.small", Placement=zone, BlockDeviceMappings=mapping).wait_ssh()
    disk = there(one, "/dev/sdb")
    assert one.ssh("readlink -f /dev/disk/by-id/virtio-ephemeral0") == disk
    # STO-082: what a small type has besides is swap space.
    there(one, "/dev/sdc")
    assert one.ssh("sudo dd if=/dev/sdc bs=1 skip=4086 count=10 2>/dev/null") == "SWAPSPACE2"
    assert one.ssh("wget -qO- http://169.254.169.254/latest/meta-data/block-device-mapping/swap") == "sdc"
    assert int(one.ssh(f"cat /sys/block/{disk.rsplit('/', 1)[1]}/size")) * 512 == 150 << 30
    assert one.ssh("wget -qO- http://169.254.169.254/latest/meta-data/block-device-mapping/ephemeral0") == "sdb"
    assert [m["DeviceName"] for m in one.describe()["BlockDeviceMappings"]] == [one.describe()["RootDeviceName"]]
    # STO-084: it comes with an empty file system.
    one.ssh("sudo modprobe ext4 2>/dev/null; sudo mount -t ext3 /dev/sdb /mnt && test $(ls -A /mnt) = lost+found && echo mine | sudo tee /mnt/file && sudo umount /mnt")
    read = "sudo mount /dev/sdb /mnt && cat /mnt/file && sudo umount /mnt"
    cloud.kill()
    cloud.start()
    account.connect(cloud.endpoint)
    boot = one.ssh("cat /proc/sys/kernel/random/boot_id")
    account.ec2.reboot_instances(InstanceIds=[one.id])
    wait_until(lambda: one.ssh("cat /proc/sys/kernel/random/boot_id", check=False) not in ("", boot), 120, "the reboot")
    there(one, "/dev/sdb")
    assert one.ssh(read) == "mine"
    account.ec2.stop_instances(InstanceIds=[one.id])
    one.wait_state("stopped", 100)
    assert not list((cloud.home / "blocks").glob(f"*/{one.id}*"))
    account.ec2.start_instances(InstanceIds=[one.id])
    one.wait_ssh()
    there(one, "/dev/sdb")
    assert one.ssh("sudo mount -t ext3 /dev/sdb /mnt && ls -A /mnt && sudo umount /mnt") == "lost+found"
    account.ec2.terminate_instances(InstanceIds=[one.id])
    one.wait_state("terminated", 60)
    wait_until(lambda: not list((cloud.home / "blocks").glob(f"*/{one.id}*")), 10, "the room to come back")


@pytest.fixture
def xfs(tmp_path):
    """A file system that shares blocks, in a file of the test's own."""
    with open(tmp_path / "disk", "wb") as file:
        file.truncate(2 << 30)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", tmp_path / "disk"], check=True)
    (tmp_path / "xfs").mkdir()
    subprocess.run(["mount", "-o", "loop", tmp_path / "disk", tmp_path / "xfs"], check=True)
    yield tmp_path / "xfs"
    subprocess.run(["umount", "-l", tmp_path / "xfs"], check=True)


def test_an_import_on_a_file_system_that_shares_blocks_takes_no_room(xfs, tmp_path):
    def import_from(folder):
        """How many MiB less are free on the xfs."""
        with open(folder / "image.raw", "wb") as file:
            file.truncate(256 << 20)
            for piece in range(64):
                file.seek(piece << 21)
                file.write(os.urandom(1 << 20))
            os.fsync(file.fileno())
        free = os.statvfs(xfs).f_bavail
        id = cloud.brume("image", "import", folder / "image.raw", "--name", folder.name).stdout.strip()
        os.sync()
        used = (free - os.statvfs(xfs).f_bavail) * os.statvfs(xfs).f_frsize >> 20
        # A clone of what was imported is the same to the byte.
        snapshot = cloud.account().ec2.describe_images(ImageIds=[id])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        layer = next((cloud.home / "blocks/layers").glob(f"{snapshot}.*"))
        subprocess.run(["qemu-img", "compare", "-f", "raw", "-F", "qcow2", folder / "image.raw", layer], check=True, capture_output=True)
        (folder / "image.raw").unlink()
        return used

    cloud = Cloud()
    (cloud.home / "blocks").symlink_to(xfs / "blocks")
    (xfs / "blocks").mkdir()
    cloud.start()
    try:
        shared, copied = import_from(xfs), import_from(tmp_path)
        print(f"shared {shared} MiB, copied {copied} MiB")
        assert shared < 16 and copied >= 64
    finally:
        cloud.destroy()


def test_another_root_while_it_runs(account, tiny):
    one = account.launch(tiny, Placement=zone).wait_ssh()
    address, boot = one.address, one.ssh("cat /proc/sys/kernel/random/boot_id")
    one.ssh("sudo sh -c 'echo first >/root/proof; sync'")
    kept = snapshot(account, one.describe()["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])

    def replaced(**how):
        task = account.ec2.create_replace_root_volume_task(InstanceId=one.id, **how)["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"]

        def state():
            return account.ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[task])["ReplaceRootVolumeTasks"][0]["TaskState"]

        wait_until(lambda: state() == "succeeded", 120, "another root")
        assert one.state == "running" and one.address == address
        return wait_until(lambda: one.ssh("cat /root/proof 2>/dev/null || sudo cat /root/proof 2>/dev/null || echo none", check=False), 120, "the guest")

    old = one.describe()["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert replaced() == "none", "as it was launched"
    assert one.ssh("cat /proc/sys/kernel/random/boot_id") != boot
    assert account.ec2.describe_volumes(VolumeIds=[old])["Volumes"][0]["State"] == "available"
    assert replaced(SnapshotId=kept, DeleteReplacedRootVolume=True) == "first"
    account.ec2.delete_volume(VolumeId=old)
    account.ec2.terminate_instances(InstanceIds=[one.id])
    one.wait_state("terminated", 60)
    account.ec2.delete_snapshot(SnapshotId=kept)
