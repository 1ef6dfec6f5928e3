"""A home whose state.db is lost is no first start: nothing of it is deleted, the daemon says what it found (real daemons, no instances)."""
import contextlib
import os
import shutil
import sqlite3

from conftest import wait_until
from real_home import home, make_home  # noqa: F401


def disks(home):
    return sorted(path.name for kind in ("volumes", "snapshots") for path in (home.folder / "blocks" / kind).iterdir())


def aside(home):
    return sorted(path.name.partition("@")[0] for path in (home.folder / "blocks/aside").iterdir())


def set_state_aside(home, name):
    for path in home.folder.glob("state.db*"):
        if not path.name.endswith(".lock"):
            path.rename(home.folder / path.name.replace("state.db", name))


def take_state_back(home, name):
    for path in home.folder.glob("state.db*"):
        path.unlink()
    for path in home.folder.glob(name + "*"):
        path.rename(home.folder / path.name.replace(name, "state.db"))


def make_disk(ec2, size=1):
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=size)["VolumeId"]
    wait_until(lambda: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available")
    return volume


def test_a_lost_state_is_no_first_start(home):
    ec2 = home.start()
    volume = make_disk(ec2)
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    wait_until(lambda: ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "completed")
    home.stop()
    before = disks(home)
    assert before == sorted([volume, snapshot])
    for how in ("gone", "empty"):
        set_state_aside(home, "kept.db")
        if how == "empty":
            (home.folder / "state.db").touch()
        said = home.refusal()
        assert f"state.db is {how}" in said and volume in said and "--adopt-state" in said
        assert disks(home) == before
        take_state_back(home, "kept.db")
    # With its own state again all is as it was.
    ec2 = home.start()
    assert ec2.describe_volumes()["Volumes"][0]["VolumeId"] == volume
    home.stop()
    # The operator may go on without it: then nothing is removed either.
    set_state_aside(home, "kept.db")
    ec2 = home.start("--adopt-state")
    assert ec2.describe_volumes()["Volumes"] == [] and disks(home) == [] and aside(home) == before
    assert volume in home.brume("storage").stdout and "2 volumes and snapshots" in home.brume("status").stdout
    home.stop()
    # What lies aside is of no record, and no reason to complain.
    home.start()


def test_a_state_of_before_is_not_believed(home):
    ec2 = home.start()
    old = make_disk(ec2)
    home.stop()
    shutil.copy(home.folder / "state.db", home.folder / "copy.db")
    ec2 = home.start()
    new = make_disk(ec2)
    home.stop()
    set_state_aside(home, "kept.db")
    shutil.copy(home.folder / "copy.db", home.folder / "state.db")
    said = home.refusal()
    assert "older" in said and new in said
    assert disks(home) == sorted([old, new])
    ec2 = home.start("--adopt-state")
    assert disks(home) == [old] and aside(home) == [new]


def test_a_state_that_lacks_most_is_not_believed(home):
    ec2 = home.start()
    made = sorted([make_disk(ec2), make_disk(ec2)])
    home.stop()
    with contextlib.closing(sqlite3.connect(home.folder / "state.db")) as state, state:
        state.execute("DELETE FROM log WHERE key LIKE 'volume/%'")
    said = home.refusal()
    assert "does not know 2 of the 2 volumes and snapshots" in said
    assert disks(home) == made


def test_a_home_of_an_earlier_version_gets_an_id(home):
    ec2 = home.start()
    known = [make_disk(ec2), make_disk(ec2)]
    strange = make_disk(ec2)
    home.stop()
    # As it would be without ids, and with a file that an earlier daemon's death left.
    (home.folder / "home-id").unlink()
    os.rename(home.folder / "blocks/volumes" / strange, home.folder / "blocks/volumes/vol-00000000000000001")
    ec2 = home.start()
    assert (home.folder / "home-id").exists()
    assert disks(home) == sorted([*known, "vol-00000000000000001"])
    home.stop()
    # Now that the state is known to be its own, nobody's file is set aside.
    home.start()
    assert disks(home) == sorted(known) and aside(home) == ["vol-00000000000000001"]
