"""fio in a real guest writes what it can check later, and checks it after everything that happens to a volume (issue "Block storage")."""
import subprocess

import pytest

from cloud import root, ssh_options, wait_until
from disks import Volume, check_files, ends_instances, machine, snapshot, there  # noqa: F401

mib = 1 << 20


@pytest.fixture(autouse=True)
def files_are_whole(cloud):
    yield
    check_files(cloud)


class Fio:
    """Regions of a disk, each written once by fio with a check sum in every block; they can be checked at any time, on any copy."""

    size = 16 * mib

    def __init__(self, machine):
        self.machine = machine

    def options(self, device, place):
        # The same seed makes the same offsets: a check reads exactly what was written.
        return (f"--name=x --filename={device} --ioengine=libaio --direct=1 --bs=16k --rw=randwrite --iodepth=8 --offset={place} "
                f"--size={self.size} --randseed={place + 1} --verify=crc32c --verify_state_save=0 --verify_fatal=1 --minimal")

    def write(self, device, place, more=""):
        return self.machine.ssh(f"sudo /opt/fio/fio {self.options(device, place)} --do_verify=0 --end_fsync=1 {more} >/dev/null", limit=120)

    def write_in_background(self, device, place, more=""):
        """Returns what waits for its end and its success. It needs no daemon."""
        login = ["ssh", "-i", self.machine.account.key_file, *ssh_options, f"ec2-user@{self.machine.address}"]
        process = subprocess.Popen([*login, f"sudo /opt/fio/fio {self.options(device, place)} --do_verify=0 --end_fsync=1 {more} >/dev/null"], text=True,
                                   stderr=subprocess.PIPE)

        def finish():
            assert process.wait(timeout=60) == 0, process.stderr.read()
        return finish

    def check(self, device, places):
        self.machine.ssh("sudo sh -c 'echo 3 >/proc/sys/vm/drop_caches'; " + " && ".join(
            f"sudo /opt/fio/fio {self.options(device, place)} --verify_only >/dev/null" for place in places), limit=120)


@pytest.fixture(scope="module")
def fio_snapshot(cloud, account, tmp_path_factory):
    disk = tmp_path_factory.mktemp("fio") / "fio.raw"
    subprocess.run([root / "tools/fio-disk", disk], check=True)
    image = cloud.brume("image", "import", disk, "--name", "fio").stdout.strip()
    disk.unlink()
    return account.ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]


def test_what_fio_wrote_is_there_after_everything(cloud, account, machine, fio_snapshot):
    tools = Volume(account, SnapshotId=fio_snapshot).attach(machine, "/dev/sdz")
    mount = "sudo mkdir -p /opt/fio && sudo mount -t ext4 -o ro /dev/sdz /opt/fio"
    there(machine, "/dev/sdz")
    machine.ssh(mount)
    fio = Fio(machine)
    volume = Volume(account, Size=1).attach(machine, "/dev/sdf")
    there(machine, "/dev/sdf")
    places = [0, 500 * mib]
    fio.write("/dev/sdf", places[0])
    # A snapshot in the midst of writing: it has what was written before, and the writer does not notice.
    finish = fio.write_in_background("/dev/sdf", places[1], "--rate=4m")
    amid = snapshot(account, volume.id)
    finish()
    full = snapshot(account, volume.id)
    clones = [Volume(account, SnapshotId=id).attach(machine, name) for id, name in ((amid, "/dev/sdg"), (full, "/dev/sdh"))]
    there(machine, "/dev/sdh")
    fio.check("/dev/sdg", places[:1])
    fio.check("/dev/sdh", places)
    for clone in clones:
        clone.detach().delete()
    for id in (amid, full):
        account.ec2.delete_snapshot(SnapshotId=id)
    # Elsewhere, larger, and while its chain is being shortened.
    volume.detach().attach(machine, "/dev/sdi")
    there(machine, "/dev/sdi")
    account.ec2.modify_volume(VolumeId=volume.id, Size=2)
    sectors = "cat /sys/block/$(basename $(readlink -f /dev/sdi))/size"
    wait_until(lambda: int(machine.ssh(sectors)) == 4 << 20, 20, "the new size in the guest")
    places.append(1500 * mib)
    # The daemon dies meanwhile.
    finish = fio.write_in_background("/dev/sdi", places[2], "--rate=8m")
    cloud.kill()
    cloud.start()
    account.connect(cloud.endpoint)
    finish()
    fio.check("/dev/sdi", places)
    account.ec2.stop_instances(InstanceIds=[machine.id])
    machine.wait_state("stopped", 100)
    check_files(cloud)
    account.ec2.start_instances(InstanceIds=[machine.id])
    machine.wait_ssh()
    there(machine, "/dev/sdz")
    there(machine, "/dev/sdi")
    machine.ssh(mount)
    fio.check("/dev/sdi", places)
    machine.ssh("sudo umount /opt/fio")
    for each in (volume, tools):
        each.detach().delete()
