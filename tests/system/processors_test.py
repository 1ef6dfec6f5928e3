"""What guests really get of the processors, measured from outside: by the CPU time of their machines."""
import os
import pathlib
import time

import pytest

from cloud import Cloud, wait_until

spin = "#!/bin/sh\nwhile :; do :; done\n"
units = 4  # of one processor: a t1.micro bursts to half of one, and is left a fortieth


def seconds_used(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share(pid, window):
    """Processors that a machine uses, over a window of time."""
    before, start = seconds_used(pid), time.monotonic()
    time.sleep(window)
    return (seconds_used(pid) - before) / (time.monotonic() - start)


@pytest.fixture(scope="module")
def slow_cloud():
    made = Cloud()
    made.arguments += ["--ecu-per-processor", str(units)]
    made.start()
    if "not kept" in made.brume("status").stdout:
        made.destroy()
        pytest.skip("this host has no control groups that can be written")
    yield made
    made.destroy()


@pytest.fixture(scope="module")
def slow_image(slow_cloud):
    return slow_cloud.image("tiny", limit=300)


def test_a_small_instance_gets_its_compute_unit_and_no_more(slow_cloud, slow_image):
    instance = slow_cloud.account().launch(slow_image, InstanceType="m1.small", UserData=spin)
    pid = wait_until(instance.machine_process, 30, "the machine")
    # It boots and then spins: busy from its first moment on.
    used = [share(pid, 4) for _ in range(3)]
    assert all(each < 1.15 / units for each in used), used
    assert max(used) > 0.5 / units, used
    instance.account.terminate_all()
    wait_until(lambda: not instance.machine_process(), 60, "the end of the machine")


def test_a_micro_instance_bursts_is_clamped_and_bursts_again(slow_cloud, slow_image):
    instance = slow_cloud.account().launch(slow_image, InstanceType="t1.micro", UserData=spin)
    pid = wait_until(instance.machine_process, 30, "the machine")
    most, background = 2 / units, 0.1 / units
    seen = []

    def clamped():
        seen.append(share(pid, 3))
        return seen[-1] < 2 * background

    wait_until(clamped, 400, "the clamp")
    assert max(seen) < 1.15 * most, seen
    assert max(seen) > 4 * background, seen
    # Its guest lives on, on the background.
    assert 0.3 * background < share(pid, 5) < 2 * background
    # A new daemon knows what it has used, and goes on holding it.
    slow_cloud.stop()
    slow_cloud.start()
    assert share(pid, 3) < 2 * background
    wait_until(lambda: share(pid, 3) > 4 * background, 120, "the next burst")
    slow_cloud.account().terminate_all()  # at the port of the new daemon
    wait_until(lambda: not instance.machine_process(), 60, "the end of the machine")
