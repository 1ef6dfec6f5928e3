"""The brume command: what it says when something is not as it should be."""
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from conftest import BIN, ended, started_daemon, wait_for_ready
from real_home import home, make_home  # noqa: F401


def brume(*arguments, **more):
    return subprocess.run([BIN / "brume", *arguments], capture_output=True, text=True, timeout=60, **more)


def test_a_misspelled_command_is_named():
    done = brume("stauts")
    assert done.returncode != 0 and "no command 'brume stauts'" in done.stderr and "'brume status'" in done.stderr
    done = brume("--home", "/nowhere", "image", "bild", "tiny")
    assert done.returncode != 0 and "did you mean 'brume image build'" in done.stderr
    done = brume("frobnicate")
    assert done.returncode != 0 and "there are: up down" in done.stderr


def test_an_environment_of_no_cloud_fails_in_the_shell(tmp_path):
    old = {**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "old", "AWS_SECRET_ACCESS_KEY": "old"}
    script = f'eval "$({BIN}/brume --home {tmp_path} env)"; echo "status=$? endpoint=$AWS_ENDPOINT_URL key=$AWS_ACCESS_KEY_ID"'
    done = subprocess.run(["sh", "-c", script], env=old, capture_output=True, text=True, timeout=60)
    assert done.stdout == "status=1 endpoint=http://no-brume-runs.invalid key=\n"
    assert "no Brume runs" in done.stderr


def test_an_environment_with_tls_names_the_certificate():
    with started_daemon("--tls") as daemon:
        assert f"export AWS_CA_BUNDLE={daemon.home}/tls/certificate.pem\n" in daemon.brume("env")


def test_recipes_are_listed_when_there_is_none_of_the_name(daemon):
    done = brume("--home", daemon.home, "image", "build", "nosuch")
    assert done.returncode == 1 and "no recipe 'nosuch'" in done.stderr and "debian-12, tiny" in done.stderr


def test_another_user_is_told_of_permission(daemon):
    if os.geteuid() != 0:
        pytest.skip("only root becomes another")
    # Where others can find it; the tree itself may be closed to them.
    done = brume("--home", daemon.home, "status", user=65534)
    assert done.returncode == 1 and "no permission" in done.stderr


@pytest.mark.parametrize("options, passed", [([], "--home {home}"), (["--port", "19777"], "--home {home} --port 19777")])
def test_up_leaves_the_port_to_the_home(tmp_path, options, passed):
    shutil.copy(BIN / "brume", tmp_path / "brume")
    fake = tmp_path / "brumed"
    fake.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/arguments\nexit 1\n')
    fake.chmod(0o755)
    home = tmp_path / "home"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BRUME_")}
    done = subprocess.run([tmp_path / "brume", "--home", home, *options, "up"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "brumed ended" in done.stderr
    assert pathlib.Path(tmp_path, "arguments").read_text().strip() == passed.format(home=home)


def test_a_home_keeps_its_port(home):
    def port_of(*options):
        log = open(home.log_file, "wb")
        process = subprocess.Popen(home.command(*options), stdout=subprocess.PIPE, stderr=log)
        with log, process:
            endpoint = wait_for_ready(process, 60, log)
            assert ended(process) == 0
        return int(endpoint.rpartition(":")[2])

    first, second = free_port(), free_port()
    assert port_of("--port", str(first)) == first
    assert port_of("--port", "0") != first
    assert port_of() == first
    (home.folder / "brumed.conf").write_text(f"port = {second}\n")
    assert port_of() == second


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]
