"""What stays on the host when a start fails, when a daemon is killed, and of which range the public addresses are (real daemons, no
instances)."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest

from conftest import wait_until
from real_home import home, make_home  # noqa: F401


def preset(home, mark):
    (home.folder / "network").mkdir(parents=True)
    home.folder.chmod(0o711)
    (home.folder / "network/mark").write_text(mark + "\n")


def test_a_start_that_fails_leaves_nothing(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = home.refusal(port=taken.getsockname()[1])
    assert "cannot serve the API" in said
    assert home.on_host() == []


def test_a_start_that_fails_leaves_what_a_daemon_before_it_left(home):
    home.start()
    home.kill()
    before = home.on_host()
    assert any("unreachable" in line for line in before)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        home.refusal(port=taken.getsockname()[1])
    assert sorted(home.on_host()) == sorted(before), "guests that run would lose their network"
    home.start()
    home.down()
    assert home.on_host() == []


def test_down_cleans_up_after_a_daemon_that_died(home):
    ec2 = home.start()
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    home.kill()
    stored = (home.folder / "state.db").read_bytes()
    assert home.on_host()
    assert "took what was left of its networks off the host" in home.down()
    assert home.on_host() == []
    assert (home.folder / "state.db").read_bytes() == stored, "what is stored stays"
    assert "nothing is left" in home.down()
    # Also without any state.
    assert home.start().describe_vpcs()["Vpcs"][0]["VpcId"] == vpc
    home.kill()
    for path in home.folder.glob("state.db*"):
        path.unlink()
    home.down()
    assert home.on_host() == []


def test_down_leaves_a_daemon_alone_that_does_not_answer(home):
    home.start()
    (home.folder / "admin.sock").unlink()
    done = home.brume("down")
    assert done.returncode == 1 and f"process {home.process.pid}" in done.stderr
    assert home.process.poll() is None and home.on_host()
    home.kill()
    home.down()


def test_down_of_no_home_makes_none(home):
    assert "No Brume runs" in home.down()
    assert not home.folder.exists()


def first_choice(number):
    """Which of the free ranges this mark would like to have (engines/network/host/pools.cpp)."""
    return ((number * 2654435769 & 0xFFFFFFFF) >> 7) % 384


def test_a_stopped_home_keeps_its_pool(make_home):
    # Of these two marks each wanted 198.19.128.0/24 first.
    first, second, third = make_home("first"), make_home("second"), make_home("third")
    preset(first, "8e3510")
    preset(second, "47e949")
    same = next(number for number in range(1, 1 << 24) if first_choice(number) == first_choice(0x8E3510))
    preset(third, f"{same:06x}")
    first.start()
    first.down()
    assert first.on_host() == []
    second.start()
    third.start()
    assert len({first.pool, second.pool, third.pool}) == 3
    first.start()
    for home in (first, second, third):
        home.down()


def test_whose_pool_it_is_and_what_to_do(make_home):
    first, second = make_home("first"), make_home("second")
    first.start()
    (second.folder / "network").mkdir(parents=True)
    second.folder.chmod(0o711)
    (second.folder / "network/pool").write_text(first.pool + "\n")
    said = second.refusal()
    assert f"is in use by the Brume in {first.folder}" in said and f"brume --home {first.folder} down" in said and "--public-pool" in said
    # A part of it is no better.
    said = second.refusal("--public-pool", first.pool.replace(".0/24", ".128/25"))
    assert f"is in use by the Brume in {first.folder}" in said
    assert second.on_host() == []


def test_a_deleted_home_gives_its_pool_back(make_home):
    first, second = make_home("first"), make_home("second")
    first.start()
    resolver = pathlib.Path(f"/run/brume-{first.mark}/resolver/dnsmasq.pid")
    wait_until(lambda: resolver.exists() and resolver.read_text().strip())
    first.kill()
    left = [line for line in first.on_host() if "unreachable" in line and ":" not in line]
    assert left
    pool, mark = first.pool, first.mark
    os.kill(int(resolver.read_text()), signal.SIGTERM)
    shutil.rmtree(first.folder)
    preset(second, mark[:-1] + ("0" if mark[-1] != "0" else "1"))
    second.start()
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True).stdout
    assert str(0x42000000 | int(mark, 16)) not in routes, f"{pool} is held for a home that is gone"
    shutil.rmtree(f"/run/brume-{mark}", ignore_errors=True)


def test_a_start_on_a_full_disk_says_so(home):
    script = 'mkdir -p "$0" && mount -t tmpfs -o size=64k,mode=711 none "$0" && head -c 1M /dev/zero >"$0/filler" 2>/dev/null; exec "$@"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, home.folder, *home.command("--port", "0")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "mount" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert done.returncode == 1
    assert f"the disk of {home.folder} is full" in done.stderr and "Make room" in done.stderr
