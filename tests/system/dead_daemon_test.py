"""'brume down' when the daemon has died: guests, networks and what serves them end all the same; what is stored stays."""
import contextlib

from cloud import Cloud, wait_until


@contextlib.contextmanager
def cloud_of_its_own():
    made = Cloud().start()
    try:
        yield made
    finally:
        made.destroy()


def on_host(cloud):
    return [one for one in cloud.leftovers() if not one.startswith("volume file")]


def test_down_ends_what_a_killed_daemon_left():
    with cloud_of_its_own() as cloud:
        # A guest that boots nothing also obeys no power button: it is cut off after the 20 s that guests have.
        disk = cloud.home / "empty.raw"
        disk.write_bytes(bytes(1 << 20))
        account = cloud.account()
        image = cloud.brume("image", "import", "--name", "empty", str(disk)).stdout.strip()
        instance = account.launch(image).wait_state("running")
        cloud.kill()
        assert set(cloud.machine_processes()) == {instance.id} and on_host(cloud)
        said = cloud.brume("down", limit=120).stdout
        assert f"ended 1 machine ({instance.id})" in said and "networks off the host" in said
        assert on_host(cloud) == []
        assert list((cloud.home / "blocks/volumes").iterdir())
        # As after a 'brume down' that the daemon did: what ran runs again.
        cloud.start()
        account.connect(cloud.endpoint)
        wait_until(instance.machine_process, 60, f"another machine of {instance.id}")
        assert instance.state == "running"
