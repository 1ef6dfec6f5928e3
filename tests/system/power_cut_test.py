"""The power goes while a guest writes and snapshots are taken: what the guest was told is on the disk, and what a client was told is done,
is there (issue "Block storage").

How: nothing here can cut the power, and killing processes does not lose what the host's page cache has. So strace writes down what the
daemon, its qemu-img and QEMU ask of the file system, and the test builds from that what a disk may hold after a power cut at some moment:
of each file what was written before the last fsync or fdatasync of it that had returned by then, for certain; of each folder the names
as they were at its last fsync; and of all that was asked for since, nothing, everything, or some by chance, in any order within a file,
in their order within a folder. That is what POSIX promises and no more; ext4 promises more. On each such disk the volumes and snapshots
that were acknowledged must be whole: every link leads to a chain of files that qemu-img finds without fault, and each block that the
guest had synced is in it. Left-over files may be there; the sweep at the next start removes them (unit tests)."""
import bisect
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from cloud import ssh_options, wait_until
from disks import Volume, json_node, snapshot, there, zone

calls = ("openat,open,write,pwrite64,pwritev,pwritev2,writev,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,symlink,symlinkat,unlink,unlinkat,"
         "copy_file_range,sendfile")


class Trace:
    """strace of some processes and all that they start, as long as the block is."""

    def __init__(self, file, processes):
        self.file = file
        attach = [part for each in processes for part in ("-p", str(each))]
        self.process = subprocess.Popen(["strace", "-f", "-qq", "-y", "-ttt", "-T", "-xx", "-s", str(4 << 20), "-e", f"trace={calls}", "-e", "signal=none", "-o", str(file),
                                         *attach], stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        wait_until(lambda: self.file.exists() and self.process.poll() is None, 5, "strace's log")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)  # it lets its processes go
        self.process.wait(timeout=20)


def text(quoted):
    return bytes.fromhex(quoted.replace("\\x", ""))


class Event:
    """One call that succeeded: begun and ended at these times."""

    def __init__(self, began, ended, name, arguments, result):
        self.began, self.ended, self.name, self.arguments, self.result = began, ended, name, arguments, result


def events_of(log):
    """In the order in which they ended."""
    begun, found = {}, []
    for line in log:
        head = re.match(r"(\d+)\s+(\d+\.\d+) (.*)", line, re.DOTALL)
        if head is None:
            continue
        process, time_, rest = head.group(1), float(head.group(2)), head.group(3).rstrip()
        if rest.endswith("<unfinished ...>"):
            begun[process] = (time_, rest[:-len("<unfinished ...>")].rstrip())
            continue
        ended = None
        if resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", rest, re.DOTALL):
            if process not in begun:
                continue
            ended = time_
            time_, first = begun.pop(process)
            rest = first + resumed.group(1)
        call = re.match(r"(\w+)\((.*)\)\s+= (-?\d+)(?:<[^>]*>)?.*?<([\d.]+)>$", rest, re.DOTALL)
        if call is None or int(call.group(3)) < 0:
            continue
        found.append(Event(time_, time_ + float(call.group(4)) if ended is None else ended, call.group(1), call.group(2), int(call.group(3))))
    return sorted(found, key=lambda each: each.ended)


class Disk:
    """What was asked of the files below one folder, and what of it may be there after a power cut."""

    def __init__(self, start, folder, events):
        self.start, self.folder = start, str(folder)
        self.names = {}  # (folder, name) -> number of a file, or the target of a link; as after all events
        self.files = {}  # number -> [(began, ended, what)], what: ("write", offset, data), ("size" or "grow", bytes), ("hole", offset, bytes)
        self.syncs = {}  # number, or path of a folder -> [(began, ended)]
        self.changes = {}  # path of a folder -> [(began, ended, name, number, link or None)]
        self.first = {}  # as before all events
        for path in pathlib.Path(start).rglob("*"):
            place = (str(pathlib.Path(folder) / path.parent.relative_to(start)), path.name)
            if path.is_symlink():
                self.names[place] = os.readlink(path)
            elif path.is_file():
                self.names[place] = self.new_file(path)
        self.first = dict(self.names)
        for event in events:
            self.take(event)

    def new_file(self, path=None):
        number = len(self.files)
        self.files[number] = []
        self.syncs[number] = []
        self.origin = getattr(self, "origin", {})
        self.origin[number] = path
        return number

    def take(self, event):
        take = getattr(self, "take_" + event.name.removesuffix("64").removesuffix("2").removesuffix("at"), None)
        if take:
            take(event)

    def place(self, path):
        path = os.path.normpath(path)
        return (os.path.dirname(path), os.path.basename(path)) if path.startswith(self.folder + "/") else None

    def paths_in(self, arguments):
        """Absolute paths among the arguments; those relative to an open folder are made whole."""
        found, base = [], None
        for descriptor, quoted in re.findall(r'(?:AT_FDCWD|\d+)<([^>]*)>|"((?:\\x[0-9a-f]{2})*)"', arguments):
            if quoted:
                path = text(quoted).decode()
                found.append(path if path.startswith("/") or base is None else os.path.join(base, path))
            elif descriptor:
                base = text(descriptor).decode() if descriptor.startswith("\\x") else descriptor
        return found

    def change(self, event, place, value):
        self.changes.setdefault(place[0], []).append((event.began, event.ended, place[1], value))
        if value is None:
            self.names.pop(place, None)
        else:
            self.names[place] = value

    def take_open(self, event):
        if "O_CREAT" not in event.arguments:
            return
        place = self.place(self.paths_in(event.arguments)[0])
        if place and place not in self.names:
            self.change(event, place, self.new_file())
        if place and "O_TRUNC" in event.arguments and isinstance(self.names.get(place), int):
            self.files[self.names[place]].append((event.began, event.ended, ("size", 0)))

    def file_of(self, event):
        """The number of the file that the first argument names, and the path; None: not below the folder."""
        named = re.match(r"\d+<([^>]*)>(\(deleted\))?", event.arguments)
        if named is None or named.group(2):
            return None, None
        path = text(named.group(1)).decode() if named.group(1).startswith("\\x") else named.group(1)
        place = self.place(path)
        number = self.names.get(place) if place else None
        return (number if isinstance(number, int) else None), path

    def wrote(self, event, offset):
        number, path = self.file_of(event)
        if number is None:
            assert path is None or not path.startswith(self.folder + "/"), f"a file that was never made: {path}"
            return
        data = b"".join(text(each) for each in re.findall(r'"((?:\\x[0-9a-f]{2})*)"', event.arguments))[:event.result]
        assert len(data) == event.result, "strace did not write all of it down"
        self.files[number].append((event.began, event.ended, ("write", offset, data)))

    def take_pwrite(self, event):
        self.wrote(event, int(event.arguments.rsplit(",", 1)[1]))

    def take_pwritev(self, event):
        # The offset comes behind the vector and its length; of pwritev2 flags follow.
        self.wrote(event, int(re.search(r"\], \d+, (\d+)", event.arguments).group(1)))

    def unplaced(self, event):
        number, path = self.file_of(event)
        assert number is None, f"{event.name} to {path} does not say where"

    take_write = take_writev = take_copy_file_range = take_sendfile = unplaced

    def take_ftruncate(self, event):
        number, _ = self.file_of(event)
        if number is not None:
            self.files[number].append((event.began, event.ended, ("size", int(event.arguments.rsplit(",", 1)[1]))))

    def take_fallocate(self, event):
        number, _ = self.file_of(event)
        if number is None:
            return
        mode, offset, length = event.arguments.split(", ")[1:4]
        if "PUNCH_HOLE" in mode or "ZERO_RANGE" in mode:
            self.files[number].append((event.began, event.ended, ("hole", int(offset), int(length))))
        elif "KEEP_SIZE" not in mode:
            self.files[number].append((event.began, event.ended, ("grow", int(offset) + int(length))))

    def take_fsync(self, event):
        number, path = self.file_of(event)
        if path is not None and (path + "/").startswith(self.folder + "/"):
            self.syncs.setdefault(path if number is None else number, []).append((event.began, event.ended))

    take_fdatasync = take_fsync

    def take_rename(self, event):
        old, new = (self.place(path) for path in self.paths_in(event.arguments))
        if old and new:
            value = self.names[old]
            self.change(event, new, value)
            self.change(event, old, None)

    def take_symlink(self, event):
        target, path = self.paths_in(event.arguments)
        if place := self.place(path):
            self.change(event, place, target)

    def take_unlink(self, event):
        if place := self.place(self.paths_in(event.arguments)[0]):
            self.change(event, place, None)

    def after_a_cut(self, moment, folder, chance):
        """Builds it. `chance` says of what was not synced whether it is there: a function of the share."""
        for path in pathlib.Path(self.start).rglob("*"):
            if path.is_dir():
                (folder / path.relative_to(self.start)).mkdir(parents=True)
        names = dict(self.first)
        for parent, changes in self.changes.items():
            synced = max((began for began, ended in self.syncs.get(parent, []) if ended <= moment), default=-1)
            asked = [each for each in changes if each[0] <= moment]
            sure = bisect.bisect_right([each[1] for each in asked], synced)
            for _, _, name, value in asked[:sure + chance(len(asked) - sure)]:
                if value is None:
                    names.pop((parent, name), None)
                else:
                    names[(parent, name)] = value
        for (parent, name), value in names.items():
            path = folder / os.path.relpath(parent, self.folder) / name
            if isinstance(value, str):
                path.symlink_to(value)
            else:
                self.build_file(value, moment, path, chance)

    def build_file(self, number, moment, path, chance):
        operations = [each for each in self.files[number] if each[0] <= moment]
        origin = self.origin[number]
        if not operations and origin is not None:
            os.link(origin, path)
            return
        if origin is not None:
            shutil.copyfile(origin, path)
        synced = max((began for began, ended in self.syncs[number] if ended <= moment), default=-1)
        unsure = [each for each in operations if each[1] > synced]
        there = set(map(id, random.Random(len(operations)).sample(unsure, chance(len(unsure)))))
        with open(path, "r+b" if origin is not None else "wb") as file:
            for operation in operations:
                if operation[1] > synced and id(operation) not in there:
                    continue
                what = operation[2]
                if what[0] == "write":
                    os.pwrite(file.fileno(), what[2], what[1])
                elif what[0] == "size":
                    file.truncate(what[1])
                elif what[0] == "grow":
                    file.truncate(max(what[1], os.fstat(file.fileno()).st_size))
                else:
                    size = os.fstat(file.fileno()).st_size
                    os.pwrite(file.fileno(), b"\0" * max(0, min(what[2], size - what[1])), what[1])


def numbers_in(layer, folder):
    raw = folder / "content.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", layer, raw], check=True)
    numbers = set()
    with open(raw, "rb") as file:
        for _ in range(1024):  # the guest does not get further
            if block := file.read(4096).strip(b"\0"):
                numbers.add(int(block))
    raw.unlink()
    return numbers


def check_chain(link):
    """The file that a link leads to and all below it are there and without a fault; room that is lost is none."""
    layer = link.resolve(strict=True)
    while True:
        done = subprocess.run(["qemu-img", "check", "--output=json", json_node(layer)], capture_output=True, text=True)
        assert done.returncode in (0, 3), f"{layer}: {done.stdout}{done.stderr}"
        below = json.loads(subprocess.run(["qemu-img", "info", "--output=json", layer], capture_output=True, text=True, check=True).stdout).get("backing-filename")
        if below is None:
            return
        layer = (layer.parent / below).resolve(strict=True)


@pytest.fixture
def machine(account, tiny):
    made = account.launch(tiny, Placement=zone).wait_ssh()
    yield made
    account.ec2.terminate_instances(InstanceIds=[made.id])
    made.wait_state("terminated")


class Acknowledged:
    """What was said to be done, and when that was heard."""

    def __init__(self):
        self.blocks = []  # (time, number)
        self.said = []  # (from, until or None, link, least number of blocks)


def test_what_was_acknowledged_is_there_after_a_power_cut(cloud, account, machine, tmp_path):
    if shutil.which("strace") is None or subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True).returncode != 0:
        pytest.skip("strace may not trace here")
    volume = Volume(account, Size=1).attach(machine, "/dev/sdf")
    there(machine, "/dev/sdf")
    blocks = cloud.home / "blocks"
    start = tmp_path / "start"
    # Nobody writes yet but the guest's own root now and then; the copy of that may be torn and is not looked at.
    machine.ssh("sync")
    shutil.copytree(blocks, start, symlinks=True)
    acknowledged = Acknowledged()
    with Trace(tmp_path / "strace", [cloud.process.pid, machine.machine_process()]):
        traced_work(account, machine, volume, acknowledged)
    with open(tmp_path / "strace") as log:
        events = events_of(log)
    disk = Disk(start, blocks, events)
    assert len(acknowledged.blocks) > 20 and any(disk.syncs.values())
    # The moments: just after something was said, when nothing but its own sync speaks for it; and some by chance.
    chance = random.Random(11)
    times = [time_ for time_, _ in acknowledged.blocks] + [said[0] for said in acknowledged.said]
    moments = sorted(chance.sample(times, min(10, len(times))) + [said[0] for said in acknowledged.said] +
                     [chance.uniform(min(times), max(times)) for _ in range(8)])
    for number, moment in enumerate(moments):
        for kind, share in (("what was synced", lambda count: 0), ("some of the rest", lambda count: chance.randint(0, count)), ("all", lambda count: count)):
            if number % 3 != 0 and kind == "all":
                continue
            after = tmp_path / "after"
            disk.after_a_cut(moment, after, share)
            try:
                check_after_cut(after, moment, acknowledged, volume, tmp_path)
            except Exception as error:
                raise AssertionError(f"{moment - times[0]:.3f} s after the first block, with {kind}: {error}") from error
            shutil.rmtree(after)
    volume.detach().delete()


def traced_work(account, machine, volume, acknowledged):
    script = ("i=0; while [ ! -e /tmp/enough ]; do printf %4096d $i | dd of=/dev/sdf bs=4096 seek=$i oflag=direct conv=fsync,notrunc 2>/dev/null || exit 1; "
              "echo $i; i=$((i+1)); done")
    login = ["ssh", "-i", account.key_file, *ssh_options, f"ec2-user@{machine.address}"]
    writer = subprocess.Popen([*login, f"sudo sh -c '{script}'"], stdout=subprocess.PIPE, text=True)

    def listen():
        for line in writer.stdout:
            acknowledged.blocks.append((time.time(), int(line)))

    listener = threading.Thread(target=listen)
    listener.start()

    def write_until(count):
        wait_until(lambda: len(acknowledged.blocks) >= count, 60, f"{count} synced blocks")

    taken = []
    for number in range(2):
        write_until(12 * (number + 1))
        least = len(acknowledged.blocks)
        taken.append(snapshot(account, volume.id))
        acknowledged.said.append([time.time(), None, f"snapshots/{taken[-1]}", least])
    write_until(36)
    made = Volume(account, SnapshotId=taken[1])
    acknowledged.said.append([time.time(), None, f"volumes/{made.id}", 24])
    # From the request on the first snapshot may be gone; the volume goes on over what it held.
    acknowledged.said[0][1] = time.time()
    account.ec2.delete_snapshot(SnapshotId=taken[0])
    write_until(60)
    acknowledged.said[2][1] = time.time()
    made.delete()
    write_until(66)
    machine.ssh("sudo touch /tmp/enough")
    assert writer.wait(timeout=20) == 0
    listener.join()


def check_after_cut(after, moment, acknowledged, volume, folder):
    synced = sum(1 for time_, _ in acknowledged.blocks if time_ <= moment)
    check_chain(after / "volumes" / volume.id)
    found = numbers_in((after / "volumes" / volume.id).resolve(), folder)
    assert set(range(synced)) <= found, f"the guest had synced {synced} blocks, there are {sorted(found)}"
    for since, until, link, least in acknowledged.said:
        if since <= moment and (until is None or moment < until):
            check_chain(after / link)
            assert set(range(least)) <= numbers_in((after / link).resolve(), folder), link
