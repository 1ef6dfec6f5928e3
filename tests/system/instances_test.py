"""What existing instances do by themselves, show, and take over at once while they run."""
import base64
import os
import signal
import subprocess

import pytest

from cloud import Cloud, wait_until

metadata = "http://169.254.169.254/latest/meta-data/instance-id"


def status(account, instance):
    return account.ec2.describe_instance_status(InstanceIds=[instance.id])["InstanceStatuses"][0]


@pytest.fixture
def guest(account, tiny):
    return account.launch(tiny).wait_ssh()


def test_a_password_that_is_posted_on_the_console_is_kept(account, tiny, tmp_path):
    """As Windows does it: once, sealed for the key pair, on the serial port."""
    key, public = tmp_path / "key.pem", tmp_path / "public.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
    sealed = subprocess.run(["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", public], input=b"s3cret", check=True, capture_output=True).stdout
    text = base64.b64encode(sealed).decode()
    script = ("#!/bin/sh\nprintf '<Username>Administrator</Username>\\r\\n<Password>\\r\\n%s\\r\\n%s\\r\\n</Password>\\r\\n' "
              f"{text[:100]} {text[100:]} > /dev/ttyS0\n")
    instance = account.launch(tiny, UserData=script)
    before = account.ec2.get_password_data(InstanceId=instance.id)
    assert before["PasswordData"] == "" and before["Timestamp"]
    posted = wait_until(lambda: (answer := account.ec2.get_password_data(InstanceId=instance.id))["PasswordData"] and answer, 120, "the password")
    assert posted["PasswordData"] == text and posted["Timestamp"] > before["Timestamp"]
    opened = subprocess.run(["openssl", "pkeyutl", "-decrypt", "-inkey", key], input=base64.b64decode(posted["PasswordData"]), check=True, capture_output=True)
    assert opened.stdout == b"s3cret"
    # The console rolls on, and is another one after a stop.
    instance.wait_ssh()
    instance.ssh("sudo sh -c 'head -c 300000 /dev/zero | tr \"\\0\" \"x\" | fold -w 100 > /dev/ttyS0'", limit=120)
    account.ec2.stop_instances(InstanceIds=[instance.id])
    instance.wait_state("stopped", 100)
    account.ec2.start_instances(InstanceIds=[instance.id])
    instance.wait_state("running")
    assert "Password" not in instance.console()
    assert account.ec2.get_password_data(InstanceId=instance.id)["PasswordData"] == text


def test_a_screenshot_shows_the_screen(guest):
    def screen(**more):
        answer = guest.account.ec2.get_console_screenshot(InstanceId=guest.id, **more)
        assert answer["InstanceId"] == guest.id
        picture = base64.b64decode(answer["ImageData"])
        assert picture[:3] == b"\xff\xd8\xff" and picture[-2:] == b"\xff\xd9"
        frame = picture.index(b"\xff\xc0")
        height, width = (int.from_bytes(picture[frame + 5 + at:frame + 7 + at], "big") for at in (0, 2))
        assert width >= 640 and height >= 400
        return picture

    before = screen()
    guest.ssh("sudo sh -c 'for i in $(seq 40); do echo a line for the screen $i; done > /dev/tty0'")
    after = screen(WakeUp=True)
    assert after != before
    guest.account.ec2.stop_instances(InstanceIds=[guest.id], Force=True)
    guest.wait_state("stopped", 30)
    with pytest.raises(guest.account.ec2.exceptions.ClientError, match="IncorrectInstanceState"):
        guest.account.ec2.get_console_screenshot(InstanceId=guest.id)


def test_power_off_inside_terminates_where_it_was_asked_for(account, tiny):
    instance = account.launch(tiny, InstanceInitiatedShutdownBehavior="terminate").wait_ssh()
    instance.ssh("sudo poweroff", check=False)
    instance.wait_state("terminated", 60)
    gone = instance.describe()
    assert gone["StateReason"] == {"Code": "Client.InstanceInitiatedShutdown", "Message": "Client.InstanceInitiatedShutdown: Instance initiated shutdown"}
    # What it said is kept after its death.
    assert "SSH HOST KEY FINGERPRINTS" in instance.console()


def test_the_behavior_may_be_changed_while_it_runs(guest):
    guest.account.ec2.modify_instance_attribute(InstanceId=guest.id, InstanceInitiatedShutdownBehavior={"Value": "terminate"})
    guest.ssh("sudo poweroff", check=False)
    guest.wait_state("terminated", 60)


def test_a_reboot_inside_leaves_the_instance_running(guest):
    process, boot = guest.machine_process(), guest.ssh("cat /proc/sys/kernel/random/boot_id")
    guest.ssh("sudo reboot", check=False)
    wait_until(lambda: guest.ssh("cat /proc/sys/kernel/random/boot_id", check=False) not in ("", boot), 120, "the guest after its reboot")
    assert guest.state == "running" and guest.machine_process() == process


def test_metadata_options_hold_at_once(guest):
    def change(**options):
        guest.account.ec2.modify_instance_metadata_options(InstanceId=guest.id, **options)

    assert guest.ssh(f"wget -q -O - {metadata}") == guest.id
    change(HttpTokens="required")
    assert "401" in guest.ssh(f"wget -O - {metadata} 2>&1", check=False)
    change(HttpEndpoint="disabled")
    assert "403" in guest.ssh(f"wget -O - {metadata} 2>&1", check=False)
    change(HttpEndpoint="enabled", HttpTokens="optional")
    assert guest.ssh(f"wget -q -O - {metadata}") == guest.id


def test_groups_hold_at_once(guest):
    ec2 = guest.account.ec2
    closed = ec2.create_security_group(GroupName="closed", Description="for a test")["GroupId"]
    ping = ["ping", "-c", "1", "-W", "1", guest.address]
    own = guest.describe()["SecurityGroups"][0]["GroupId"]
    guest.account.open_port(own, -1, protocol="icmp")
    try:
        wait_until(lambda: subprocess.run(ping, capture_output=True).returncode == 0, 5, "an answer through the open group")
        ec2.modify_instance_attribute(InstanceId=guest.id, Groups=[closed])
        wait_until(lambda: subprocess.run(ping, capture_output=True).returncode != 0, 5, "silence behind the closed group")
        ec2.modify_instance_attribute(InstanceId=guest.id, Groups=[own])
        wait_until(lambda: subprocess.run(ping, capture_output=True).returncode == 0, 5, "an answer through the group of before")
    finally:
        guest.account.close_port(own, -1, protocol="icmp")


def test_a_changed_type_is_what_starts(guest):
    ec2 = guest.account.ec2
    before = int(guest.ssh("awk '/MemTotal/ {print $2}' /proc/meminfo"))
    ec2.stop_instances(InstanceIds=[guest.id])
    guest.wait_state("stopped", 100)
    ec2.modify_instance_attribute(InstanceId=guest.id, InstanceType={"Value": "t3.micro"})
    ec2.start_instances(InstanceIds=[guest.id])
    guest.wait_ssh()
    assert int(guest.ssh("awk '/MemTotal/ {print $2}' /proc/meminfo")) > before * 1.7
    assert guest.ssh("nproc") == "2"


def test_instances_come_back_after_the_host_was_restarted():
    own = Cloud().start()
    try:
        account = own.account()
        account.make_key()
        account.open_port(account.group(), 22)
        instance = account.launch(own.image("tiny", limit=300)).wait_ssh()
        process, address, volume = instance.machine_process(), instance.address, instance.describe()["BlockDeviceMappings"]
        instance.ssh("sudo sync")  # what a guest has not written is lost with the power
        own.kill()
        os.kill(process, signal.SIGKILL)
        # As after a restart: the process is one of another boot. (Networks and taps may be there or not: the daemon makes what is missing.)
        record = own.home / "machines" / instance.id / "process"
        number, started, _ = record.read_text().split()
        record.write_text(f"{number} {started} 00000000-0000-0000-0000-000000000000\n")
        own.start()
        again = own.account()
        again.key_file = account.key_file
        instance.account = again
        assert instance.state == "running"
        instance.wait_ssh()
        assert instance.machine_process() != process
        assert (instance.address, instance.describe()["BlockDeviceMappings"]) == (address, volume)
    finally:
        own.destroy()
