"""Starter images that the daemon builds in the background, with recipes of the test's own in a simulation."""
import json
import os
import pathlib
import subprocess
import time

import pytest

from conftest import BIN, started_daemon

RECIPE = """#!/bin/bash
# Says a line, waits until the test lets it go on, and leaves an image.
mkdir -p "$1"
echo "$$" >"{folder}/pid"
echo "choosing files"
cat <"{folder}/go" >/dev/null
echo disk >"$1/disk.raw"
echo '{{"name": "made", "description": "", "architecture": "x86_64", "root_device_name": "/dev/sda1", "disk": "disk.raw", "virtual_size_gib": 1}}' >"$1/image.json"
"""


@pytest.fixture
def recipes(tmp_path):
    for name, text in (("made", RECIPE.format(folder=tmp_path)), ("broken", "#!/bin/bash\necho no such mirror >&2\nexit 3\n")):
        program = tmp_path / "recipes" / name / "build"
        program.parent.mkdir(parents=True)
        program.write_text(text)
        program.chmod(0o755)
    os.mkfifo(tmp_path / "go")
    return tmp_path


def brume(daemon, recipes, *arguments):
    return subprocess.Popen([BIN / "brume", *arguments], env={**os.environ, "BRUME_HOME": str(daemon.home), "BRUME_IMAGES": str(recipes / "recipes")},
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(look, limit=30):
    end = time.monotonic() + limit
    while not (seen := look()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.05)
    return seen


def builds(daemon):
    return {each["recipe"]: each for each in json.loads(daemon.brume("status", "--json"))["imageBuilds"]}


def test_an_image_is_built_while_the_cloud_is_in_use(daemon, recipes):
    command = brume(daemon, recipes, "image", "build", "made")
    until(lambda: builds(daemon).get("made", {}).get("says") == "choosing files")
    assert builds(daemon)["made"]["state"] == "building"
    assert "image build  made: building" in daemon.brume("status")
    (recipes / "go").write_text("go")
    out, errors = command.communicate(timeout=30)
    assert command.returncode == 0, errors
    image = daemon.client().describe_images(ImageIds=[out.strip()])["Images"][0]
    assert (image["Name"], image["Public"], image["State"]) == ("made", True, "available")
    assert not list(pathlib.Path(daemon.home, "images").glob("*.wanted")) and "image build" not in daemon.brume("status")
    # It is there: nothing is built again.
    again = brume(daemon, recipes, "image", "build", "made")
    assert again.communicate(timeout=30)[0] == out


def test_a_build_that_fails_says_why(daemon, recipes):
    command = brume(daemon, recipes, "image", "build", "broken")
    _, errors = command.communicate(timeout=30)
    assert command.returncode == 1 and "no such mirror" in errors
    assert builds(daemon)["broken"]["state"] == "failed"


def test_the_daemons_end_ends_a_build(recipes):
    with started_daemon() as daemon:
        command = brume(daemon, recipes, "image", "build", "made")
        until(lambda: builds(daemon).get("made", {}).get("says") == "choosing files")
        process = int((recipes / "pid").read_text())
        assert pathlib.Path(f"/proc/{process}").exists()
        daemon.end()
        until(lambda: not pathlib.Path(f"/proc/{process}").exists())
        assert command.wait(timeout=30) == 1
