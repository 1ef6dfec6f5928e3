"""Daemons and machines that are killed, images that do not boot, disks that are full, ports in use: what is promised holds."""
import concurrent.futures
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

import botocore.exceptions
import pytest

from cloud import Cloud, binaries, wait_until


@pytest.fixture
def own_cloud():
    """For tests that break it."""
    made = Cloud().start()
    yield made
    made.destroy()


@pytest.fixture
def owner(own_cloud):
    account = own_cloud.account()
    account.make_key()
    account.open_port(account.group(), 22)
    return account


def test_machines_connections_and_metadata_outlive_the_daemon(own_cloud, owner):
    tiny = own_cloud.image("tiny", limit=300)
    instance = owner.launch(tiny).wait_ssh()
    process, address = instance.machine_process(), instance.address
    with socket.create_connection((address, 22), timeout=5) as held:
        assert held.recv(4) == b"SSH-"
        own_cloud.kill()
        own_cloud.start()
        owner.connect(own_cloud.endpoint)
        assert instance.state == "running" and instance.machine_process() == process
        # The connection of before the kill still speaks: a wrong greeting is answered by the server's closing it.
        held.sendall(b"not ssh\r\n" * 40)
        held.settimeout(10)
        with contextlib.suppress(ConnectionResetError):  # which is as good an answer
            while held.recv(4096):
                pass
    wait_until(lambda: instance.ssh("wget -q -O - http://169.254.169.254/latest/meta-data/instance-id", check=False) == instance.id, 10,
               "metadata after the restart")
    assert instance.address == address


def test_a_flushed_packet_filter_and_a_lost_namespace_are_put_back(cloud, account, tiny):
    """Within 10 s, said in the log, and without an end for a connection that is allowed."""
    instance = account.launch(tiny).wait_ssh()
    vpc = instance.describe()["VpcId"]
    (space,) = [name for name in os.listdir("/run/netns") if name.endswith(vpc)]
    run = lambda *line: subprocess.run(line, capture_output=True, text=True).stdout  # noqa: E731
    inside = lambda *line: run("nsenter", f"--net=/run/netns/{space}", *line)  # noqa: E731
    rules = lambda: sorted(re.split(r"[\s,{}]+", inside("nft", "list", "ruleset")))  # noqa: E731  the order of a set's elements is by chance
    before = rules()
    on_host = run("nft", "list", "tables")
    assert "chain" in before and "brume" in on_host
    with socket.create_connection((instance.address, 22), timeout=5) as held:
        assert held.recv(4) == b"SSH-"
        inside("nft", "flush", "ruleset")
        wait_until(lambda: rules() == before, 10, "the VPC's rules")
        run("nft", "flush", "ruleset")
        wait_until(lambda: run("nft", "list", "tables") == on_host, 10, "the host's rules")
        run("ip", "netns", "delete", space)
        wait_until(lambda: "inet brume" in inside("nft", "list", "tables"), 10, "the namespace")
        held.sendall(b"not ssh\r\n" * 40)
        held.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            while held.recv(4096):
                pass
    assert instance.ssh("wget -q -O - http://169.254.169.254/latest/meta-data/instance-id", check=False) == instance.id
    said = (cloud.home / "brumed.log").read_text()
    assert f"they are restored where={vpc}" in said and "they are restored where=host" in said and "it is restored vpc=" in said


def test_a_machine_that_dies_is_noticed(account, tiny):
    instance = account.launch(tiny)
    instance.wait_state("running")
    wait_until(instance.machine_process, 10, "the machine")
    os.kill(instance.machine_process(), signal.SIGKILL)
    instance.wait_state("stopped", 20)
    assert instance.describe()["StateReason"]["Code"] == "Server.InternalError"
    account.ec2.start_instances(InstanceIds=[instance.id])
    instance.wait_ssh()


def test_an_image_that_does_not_boot_runs_and_can_be_ended(account, cloud, tmp_path):
    blank = tmp_path / "blank.raw"
    with open(blank, "wb") as file:
        file.truncate(64 << 20)
    image = cloud.brume("image", "import", blank, "--name", "does-not-boot").stdout.strip()
    instance = account.launch(image, MetadataOptions={"HttpTokens": "required"}).wait_state("running")
    wait_until(lambda: instance.machine_process(), 5, "the machine")
    account.ec2.stop_instances(InstanceIds=[instance.id], Force=True)
    instance.wait_state("stopped", 20)
    account.ec2.terminate_instances(InstanceIds=[instance.id])
    instance.wait_state("terminated", 20)


def test_what_is_no_image_is_refused_with_a_reason(account, cloud, tmp_path):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "/etc/hostname", tmp_path / "sly.qcow2", "1M"], check=True)
    refused = cloud.brume("image", "import", tmp_path / "sly.qcow2", "--name", "sly", check=False)
    assert refused.returncode == 1 and "overlay" in refused.stderr, refused.stderr
    images = account.ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["sly"]}])["Images"]
    assert images[0]["State"] == "failed" and images[0]["StateReason"]["Message"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        account.launch(images[0]["ImageId"])
    assert error.value.response["Error"]["Code"] == "InvalidAMIID.Unavailable"


def test_a_launch_that_fails_says_why_and_leaves_nothing(own_cloud, owner):
    tiny = own_cloud.image("tiny", limit=300)
    snapshot = next((own_cloud.home / "blocks/layers").glob("snap-*"))
    snapshot.rename(own_cloud.home / "blocks/away")
    instance = owner.launch(tiny)
    instance.wait_state("terminated", 20)
    reason = instance.describe()["StateReason"]
    assert reason["Code"] == "Server.InternalError" and "volume" in reason["Message"]
    wait_until(lambda: not own_cloud.leftovers(), 15, f"a clean host; left: {own_cloud.leftovers()}")
    (own_cloud.home / "blocks/away").rename(snapshot)
    owner.launch(tiny).wait_state("running")


def test_a_full_disk_pauses_the_guest_and_room_lets_it_go_on(own_cloud, owner):
    volumes = own_cloud.home / "blocks/layers"
    # Created with room, because nothing new is made where there is little.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g,mode=0711", "brume-test", volumes], check=True)
    try:
        tiny = own_cloud.image("tiny", limit=300)
        instance = owner.launch(tiny).wait_ssh()
        address = instance.address
        subprocess.run(["mount", "-o", "remount,size=112m", volumes], check=True)
        writer = subprocess.Popen(["ssh", "-i", owner.key_file, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                                   f"ec2-user@{address}", "sudo sh -c 'dd if=/dev/urandom of=/big bs=1M count=150 2>/dev/null && sync && md5sum /big'"],
                                  stdout=subprocess.PIPE, text=True)
        wait_until(lambda: "paused" in (own_cloud.home / "brumed.log").read_text(), 120, "the operator's notice of the full disk")
        assert instance.state == "running", "the daemon goes on"

        def health():
            return owner.ec2.describe_instance_status(InstanceIds=[instance.id])["InstanceStatuses"][0]["InstanceStatus"]

        wait_until(lambda: health()["Status"] == "impaired", 5, "the impaired status")
        assert health()["Details"][0]["Status"] == "failed" and health()["Details"][0]["ImpairedSince"]
        volume = owner.ec2.describe_volume_status()["VolumeStatuses"][0]["VolumeStatus"]
        assert volume["Status"] == "impaired" and volume["Details"][0] == {"Name": "io-enabled", "Status": "failed"}
        # The operator is told: which disk, and who waits for it.
        told = json.loads(own_cloud.brume("status", "--json").stdout)
        disk = next(each for each in told["disks"] if "volumes" in each["holds"])
        assert disk["room"] == "full" and disk["path"] == str(volumes)
        assert [each["id"] for each in told["paused"]] == [instance.id] and told["paused"][0]["since"] and "room" in told["paused"][0]["reason"]
        said = own_cloud.brume("status").stdout
        assert "FULL" in said and f"paused       {instance.id}" in said, said
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(timeout=1)
        subprocess.run(["mount", "-o", "remount,size=1g", volumes], check=True)
        assert writer.wait(timeout=120) == 0
        wait_until(lambda: health()["Status"] == "ok", 15, "the status after there was room")
        assert owner.ec2.describe_volume_status()["VolumeStatuses"][0]["VolumeStatus"]["Status"] == "ok"
        told = json.loads(own_cloud.brume("status", "--json").stdout)
        assert told["paused"] == [] and "paused" not in own_cloud.brume("status").stdout
        assert next(each for each in told["disks"] if "volumes" in each["holds"])["room"] == "low"
        written = writer.stdout.read().split()[0]
        assert instance.ssh("sudo sh -c 'echo 3 > /proc/sys/vm/drop_caches; md5sum /big'", limit=120).split()[0] == written, "nothing was lost"
        owner.ec2.terminate_instances(InstanceIds=[instance.id])
        instance.wait_state("terminated", 60)
        wait_until(lambda: not own_cloud.leftovers(), 20, "a clean host")
    finally:
        own_cloud.destroy()
        subprocess.run(["umount", "-l", volumes])


def test_a_second_daemon_is_told_what_is_wrong(cloud):
    same_home = subprocess.run([binaries / "brumed", "--home", cloud.home, "--port", "0"], capture_output=True, text=True, timeout=30)
    assert same_home.returncode == 1 and "another" in same_home.stderr.lower(), same_home.stderr
    port = cloud.endpoint.rsplit(":", 1)[1]
    other_home = Cloud().home
    same_port = subprocess.run([binaries / "brumed", "--home", other_home, "--port", port, "--accelerator", "tcg"], capture_output=True, text=True,
                               timeout=30)
    shutil.rmtree(other_home)
    assert same_port.returncode == 1 and "--port" in same_port.stderr, same_port.stderr


def test_two_clouds_side_by_side(cloud, account, tiny, own_cloud, owner):
    mine, other = account.launch(tiny), owner.launch(own_cloud.image("tiny", limit=300))
    mine.wait_ssh()
    other.wait_ssh()
    assert mine.address.rsplit(".", 1)[0] != other.address.rsplit(".", 1)[0]
    own_cloud.brume("down", limit=60)
    own_cloud.process.wait(timeout=10)
    assert not [line for line in own_cloud.leftovers() if not line.startswith("volume file")]
    assert mine.ssh("echo here") == "here"
    # What was stored is there again, and what ran runs again.
    own_cloud.start()
    owner.connect(own_cloud.endpoint)
    assert other.state == "running"
    other.wait_ssh()


def test_killed_at_random_moments_of_launch_and_end(own_cloud, owner):
    """Every acknowledged instance comes up or says why not; nothing is left at the end."""
    chance = random.Random(20261121)
    tiny = own_cloud.image("tiny", limit=300)
    acknowledged = []
    account = owner
    for round_number in range(10):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            def launch_and_end(ender=account):
                with contextlib.suppress(botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                    instance = ender.launch(tiny)
                    acknowledged.append(instance.id)
                    if chance.random() < 0.5:
                        ender.ec2.terminate_instances(InstanceIds=[instance.id])

            work = [pool.submit(launch_and_end) for _ in range(2)]
            time.sleep(chance.random() * 0.6)  # the moment of the kill is what is random here
            own_cloud.kill()
            for each in work:
                each.result(timeout=30)
        own_cloud.start()
        account.connect(own_cloud.endpoint)
        known = {i["InstanceId"]: i["State"]["Name"] for r in account.ec2.describe_instances()["Reservations"] for i in r["Instances"]}
        missing = [id for id in acknowledged if id not in known]
        assert not missing, f"acknowledged and gone in round {round_number}: {missing}"
        account.terminate_all()

    def all_settled():
        states = {i["State"]["Name"] for r in account.ec2.describe_instances()["Reservations"] for i in r["Instances"]}
        return states <= {"terminated"}

    wait_until(all_settled, 90, "the end of all instances")
    wait_until(lambda: not own_cloud.leftovers(), 20, f"a clean host; left: {own_cloud.leftovers()}")
    assert account.ec2.describe_volumes()["Volumes"] == []


def test_up_twice_at_once_and_again(own_cloud):
    """The second waits for the first; a third changes nothing and takes seconds."""
    own_cloud.image("tiny", limit=300)
    port = own_cloud.endpoint.rsplit(":", 1)[1]
    command = [binaries / "brume", "--home", own_cloud.home, "--port", port, "up", "--only-this-image"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [each.communicate(timeout=180) for each in both]
    assert [each.returncode for each in both] == [0, 0], outputs
    ids = {line for out, _ in outputs for line in out.splitlines() if "runs in it" in line}
    assert len(ids) == 1, outputs
    began = time.monotonic()
    third = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert third.returncode == 0 and time.monotonic() - began < 5
    assert "ssh -i" in third.stdout and f"http://127.0.0.1:{port}" in third.stdout


def test_up_over_tls_with_a_configuration_file(own_cloud):
    """brumed.conf opens the API with TLS on every address; 'brume up' and a client with the certificate work as ever."""
    own_cloud.stop()
    (own_cloud.home / "brumed.conf").write_text('listen = "0.0.0.0"\ntls = true\nzones = 2\n')
    own_cloud.start()
    assert own_cloud.endpoint.startswith("https://127.0.0.1:")
    own_cloud.image("tiny", limit=300)
    up = subprocess.run([binaries / "brume", "--home", own_cloud.home, "up", "--only-this-image"], capture_output=True, text=True, timeout=180)
    assert up.returncode == 0 and own_cloud.endpoint in up.stdout, up.stdout + up.stderr
    ec2 = own_cloud.account().session.client("ec2", endpoint_url=own_cloud.endpoint, verify=str(own_cloud.home / "tls/certificate.pem"))
    assert len(ec2.describe_availability_zones()["AvailabilityZones"]) == 2
    assert [i["State"]["Name"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]] == ["running"]
    (own_cloud.home / "brumed.conf").write_text("zone = 2\n")
    refused = subprocess.run([binaries / "brumed", "--home", own_cloud.home], capture_output=True, text=True, timeout=20)
    assert refused.returncode != 0 and "zone" in refused.stderr + refused.stdout
