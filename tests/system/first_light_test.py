"""From an unmodified client to a shell in a real machine, and everything that is promised on the way."""
import socket
import subprocess
import time

import pytest

from cloud import wait_until

user_data = "#!/bin/sh\necho user data ran as $(id -un) > /root/proof\n"


@pytest.fixture(scope="module")
def instance(account, tiny):
    launched = account.launch(tiny, UserData=user_data,
                              BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 3}}],
                              TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "light"}]}])
    return launched.wait_ssh()


@pytest.fixture(autouse=True)
def ends_instances():
    """The instance is this module's, not one test's."""
    yield


def can_connect(address, port, limit=1.5):
    with socket.socket() as peer:
        peer.settimeout(limit)
        try:
            peer.connect((address, port))
            return "open"
        except TimeoutError:
            return "dropped"
        except ConnectionRefusedError:
            return "refused"


def test_login_with_the_key_and_host_name(instance):
    private = instance.private_address
    assert instance.ssh("hostname") == "ip-" + private.replace(".", "-")
    assert instance.ssh("id -un", user="root") == "root"
    other = subprocess.run(["ssh", "-i", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
                            f"ec2-user@{instance.address}", "true"], capture_output=True, timeout=30)
    assert other.returncode != 0, "a login without the key must fail"


def test_user_data_ran(instance):
    assert instance.ssh("sudo cat /root/proof") == "user data ran as root"


def test_root_file_system_has_the_volumes_size(instance):
    blocks = int(instance.ssh("df -k / | tail -n 1 | awk '{print $2}'"))
    assert blocks > 2.6 * 1024 * 1024
    volume = instance.account.ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance.id]}])["Volumes"][0]
    assert (volume["Size"], volume["State"], volume["Attachments"][0]["State"]) == (3, "in-use", "attached")


def test_metadata_version_1_and_2(instance):
    base = "http://169.254.169.254/latest"
    assert instance.ssh(f"wget -q -O - {base}/meta-data/instance-id") == instance.id
    assert instance.ssh(f"wget -q -O - {base}/meta-data/public-ipv4") == instance.address
    assert "#!/bin/sh" in instance.ssh(f"wget -q -O - {base}/user-data")
    request = r"PUT /latest/api/token HTTP/1.0\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: 0\r\n\r\n"
    token = instance.ssh(f"printf '{request}' | nc 169.254.169.254 80 | tail -n 1")
    assert len(token) > 20
    assert instance.ssh(f"wget -q -O - --header 'X-aws-ec2-metadata-token: {token}' {base}/meta-data/local-ipv4") == instance.private_address
    assert "401" in instance.ssh(f"wget -O - --header 'X-aws-ec2-metadata-token: wrong' {base}/meta-data/ 2>&1", check=False)


def test_names_resolve(instance):
    name = "ip-" + instance.private_address.replace(".", "-") + ".ec2.internal"
    assert instance.private_address in instance.ssh(f"nslookup {name}")


def test_console_is_kept(instance):
    wait_until(lambda: instance.id in instance.console(), 20, "the login banner on the console")
    assert "SSH HOST KEY FINGERPRINTS" in instance.console()


def test_a_closed_port_is_dropped_and_an_open_one_answers(instance):
    account, group = instance.account, instance.account.group()
    instance.ssh("sudo sh -c 'mkdir -p /www; echo hello > /www/index.html; httpd -p 8080 -h /www'")
    assert can_connect(instance.address, 8080) == "dropped"
    account.open_port(group, 8080)
    wait_until(lambda: can_connect(instance.address, 8080, 0.3) == "open", 2, "the opened port")
    with socket.create_connection((instance.address, 8080), timeout=5) as held:
        account.close_port(group, 8080)
        wait_until(lambda: can_connect(instance.address, 8080, 0.3) == "dropped", 3, "the closed port")
        held.settimeout(1.5)
        held.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(TimeoutError):
            assert held.recv(100) == b"never", "an established connection outlived its rule"
    # Nobody listens there, and the rule lets it through: the guest itself refuses.
    account.open_port(group, 8081)
    wait_until(lambda: can_connect(instance.address, 8081, 0.3) == "refused", 2, "the guest's own refusal")
    account.close_port(group, 8081)


def test_groups_hold_inside_the_subnet(instance, tiny):
    account = instance.account
    apart = account.ec2.create_security_group(GroupName="apart", Description="for a test")["GroupId"]
    account.open_port(apart, 22)
    subnet = instance.describe()["SubnetId"]
    friend, stranger = account.launch(tiny, SubnetId=subnet), account.launch(tiny, SubnetId=subnet, SecurityGroupIds=[apart])
    friend.wait_ssh()
    stranger.wait_ssh()
    ping = f"sudo ping -c 2 -w 4 {instance.private_address} >/dev/null && echo yes || echo no"
    assert friend.ssh(ping) == "yes", "members of the default group reach each other"
    assert stranger.ssh(ping) == "no", "others do not"
    # By its public address a member comes as anybody.
    assert friend.ssh(f"nc -w 2 {instance.address} 22 </dev/null | head -c 3; true") == "SSH"
    for each in (friend, stranger):
        account.ec2.terminate_instances(InstanceIds=[each.id])
        each.wait_state("terminated")
    wait_until(lambda: delete_group(account, apart), 5, "the group's deletion")


def delete_group(account, group):
    try:
        account.ec2.delete_security_group(GroupId=group)
        return True
    except account.ec2.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "DependencyViolation", error
        return False


def test_reboot_keeps_disk_and_addresses(instance):
    before = instance.describe()
    instance.ssh("sudo sh -c 'echo kept > /root/kept; touch /dev/shm/lost; sync'")
    boot = instance.ssh("cat /proc/sys/kernel/random/boot_id")
    instance.account.ec2.reboot_instances(InstanceIds=[instance.id])

    def new_boot():
        try:
            return instance.ssh("cat /proc/sys/kernel/random/boot_id", check=False, limit=15) not in ("", boot)
        except subprocess.TimeoutExpired:
            return False

    wait_until(new_boot, 90, "the new boot")
    assert instance.ssh("sudo cat /root/kept; ls /dev/shm/lost 2>&1 | grep -c 'No such'") == "kept\n1"
    after = instance.describe()
    assert (before["PublicIpAddress"], before["PrivateIpAddress"]) == (after["PublicIpAddress"], after["PrivateIpAddress"])
    assert instance.ssh("sudo cat /root/proof") == "user data ran as root"


def test_stop_and_start(instance):
    ec2, private = instance.account.ec2, instance.private_address
    change = ec2.stop_instances(InstanceIds=[instance.id])["StoppingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    instance.wait_state("stopped", 100)
    stopped = instance.describe()
    assert "PublicIpAddress" not in stopped and stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert instance.machine_process() is None
    ec2.start_instances(InstanceIds=[instance.id])
    instance.wait_ssh()
    assert instance.private_address == private
    assert instance.ssh("sudo cat /root/kept") == "kept"


def test_power_off_inside_stops_the_instance(instance):
    instance.ssh("sudo poweroff", check=False)
    instance.wait_state("stopped", 60)
    assert instance.describe()["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_terminate_leaves_nothing_on_the_host(instance, cloud):
    instance.account.ec2.start_instances(InstanceIds=[instance.id])
    instance.wait_state("running")
    instance.account.ec2.terminate_instances(InstanceIds=[instance.id])
    instance.wait_state("terminated", 60)
    wait_until(lambda: not cloud.leftovers(), 15, f"a clean host; left: {cloud.leftovers()}")
    gone = instance.describe()
    assert gone["State"]["Code"] == 48 and gone["BlockDeviceMappings"] == []
    assert instance.account.ec2.describe_volumes()["Volumes"] == []
