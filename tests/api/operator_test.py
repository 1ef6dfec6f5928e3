"""What the operator's command says and does of instances: brume list, ssh and console. And make install."""
import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from conftest import BIN, ROOT, started_daemon


@pytest.fixture(scope="module")
def daemon():
    """The operator sees the instances of all accounts: no other test's are in this one."""
    with started_daemon() as made:
        yield made


@pytest.fixture
def instance(daemon, ec2):
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["tiny"]}])["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    ec2.create_key_pair(KeyName="brume")
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t2.micro", KeyName="brume", TagSpecifications=tags)["Instances"][0]
    ec2.get_waiter("instance_running").wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1})
    yield ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"][0]
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1})
    ec2.delete_key_pair(KeyName="brume")


def run(daemon, *arguments, path=None, **more):
    environment = {**os.environ, "BRUME_HOME": str(daemon.home)}
    if path:
        environment["PATH"] = f"{path}:{environment['PATH']}"
    return subprocess.run([BIN / "brume", *arguments], env=environment, capture_output=True, text=True, timeout=30, **more)


def test_list(daemon, instance):
    rows = daemon.brume("list").splitlines()
    assert rows[0].split() == ["id", "state", "type", "public", "private", "account", "image", "name"]
    row = next(row.split() for row in rows if row.startswith(instance["InstanceId"]))
    assert row[1:] == ["running", "t2.micro", instance["PublicIpAddress"], instance["PrivateIpAddress"], daemon.keys.account, "tiny", "web"]
    listed = {each["id"]: each for each in json.loads(daemon.brume("list", "--json"))}
    assert listed[instance["InstanceId"]]["publicAddress"] == instance["PublicIpAddress"]


@pytest.fixture
def fake_ssh(tmp_path):
    """A program in ssh's place that says what it was asked for."""
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nfor word; do echo \"$word\"; done\n")
    program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("wanted", ["id", "name", "only"])
def test_ssh(daemon, instance, fake_ssh, wanted):
    names = {"id": [instance["InstanceId"]], "name": ["web"], "only": []}[wanted]
    words = run(daemon, "ssh", *names, path=fake_ssh, check=True).stdout.splitlines()
    assert words[-1] == f"ec2-user@{instance['PublicIpAddress']}"
    assert words[words.index("-i") + 1] == f"{daemon.home}/brume.pem"
    assert f"HostKeyAlias={instance['InstanceId']}" in words


def test_ssh_runs_a_command_as_somebody_else(daemon, instance, fake_ssh, tmp_path):
    key = tmp_path / "key"
    key.write_text("a key")
    words = run(daemon, "ssh", "--user", "root", "--identity", str(key), "web", "--", "uname", "-a", path=fake_ssh, check=True).stdout.splitlines()
    assert words[-3:] == [f"root@{instance['PublicIpAddress']}", "uname", "-a"]
    assert words[words.index("-i") + 1] == str(key)
    # root's own known_hosts stays as it is.
    assert f"UserKnownHostsFile={daemon.home}/known_hosts" in words


def test_ssh_runs_a_command_in_the_only_instance(daemon, instance, fake_ssh):
    words = run(daemon, "ssh", "--", "--all", "web", path=fake_ssh, check=True).stdout.splitlines()
    assert words[-3:] == [f"ec2-user@{instance['PublicIpAddress']}", "--all", "web"]


def test_no_such_instance(daemon, instance):
    done = run(daemon, "ssh", "nobody")
    assert done.returncode == 1 and "no running instance 'nobody'" in done.stderr and "brume list" in done.stderr


def test_console(daemon, instance):
    """The serial console's socket is QEMU's; here the test is the machine."""
    folder = pathlib.Path(daemon.home) / "machines" / instance["InstanceId"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "console").write_text("booted before\n")
    with socket.socket(socket.AF_UNIX) as machine:
        machine.bind(str(folder / "serial"))
        machine.listen(1)
        machine.settimeout(20)
        command = subprocess.Popen([BIN / "brume", "console", "web"], env={**os.environ, "BRUME_HOME": str(daemon.home)},
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        guest, _ = machine.accept()
        with guest:
            guest.settimeout(20)
            guest.sendall(b"login: ")
            command.stdin.write(b"root\r")
            command.stdin.flush()
            assert guest.recv(100) == b"root\r"
            # What stands behind Ctrl-] goes to nobody.
            command.stdin.write(b"\x1dmore")
            command.stdin.flush()
            assert guest.recv(100) == b""
        out, _ = command.communicate(timeout=20)
    shutil.rmtree(folder)
    assert command.returncode == 0 and out == b"booted before\nlogin: "


def test_make_install(tmp_path):
    if shutil.which("scdoc") is None:
        pytest.skip("scdoc is not installed: tools/install-packages install")
    if BIN != ROOT / "build/release/bin":
        pytest.skip("another build than the one that is installed is tested")
    subprocess.run([ROOT / "tools/install", tmp_path], check=True, capture_output=True, timeout=60)
    for file in ("bin/brume", "bin/brumed", "share/brume/images/tiny/build", "share/man/man1/brume.1", "share/man/man8/brumed.8"):
        assert (tmp_path / file).stat().st_size > 0, file
    assert "brume ssh" in subprocess.run([tmp_path / "bin/brume", "--help"], check=True, capture_output=True, text=True, timeout=20).stdout
