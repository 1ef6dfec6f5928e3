"""What a real guest learns of itself, asked as cloud-init and the SDKs ask."""
import base64
import json
import subprocess
import sys

import pytest

from cloud import wait_until

base = "http://169.254.169.254"
# In the VPC's namespace: the hops that the next answer with a token has left, as it leaves for the guest.
sniffer = """
import socket
taken = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
taken.settimeout(60)
print("listening", flush=True)
while True:
    packet, where = taken.recvfrom(65535)
    if where[0].startswith("bt") and packet[12:16] == socket.inet_aton("169.254.169.254") and b"Metadata-Token-Ttl-Seconds: 60" in packet and b" 200 OK" in packet:
        print(packet[8], flush=True)
        break
"""


@pytest.fixture(scope="module")
def instance(account, tiny):
    return account.launch(tiny, UserData="plain data",
                          MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 3, "InstanceMetadataTags": "enabled"},
                          TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "told"}]}]).wait_ssh()


@pytest.fixture(autouse=True)
def ends_instances():
    """The instance is this module's, not one test's."""
    yield


def token(instance):
    request = r"PUT /latest/api/token HTTP/1.0\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: 0\r\n\r\n"
    return instance.ssh(f"printf '{request}' | nc 169.254.169.254 80 | tail -n 1")


def ask(instance, session, path):
    return instance.ssh(f"wget -q -O - --header 'X-aws-ec2-metadata-token: {session}' '{base}{path}'")


def test_without_a_session_nothing_is_told(instance):
    assert "401" in instance.ssh(f"wget -O - {base}/latest/meta-data/instance-id 2>&1", check=False)
    assert "401" in instance.ssh(f"wget -O - {base}/ 2>&1", check=False)


def test_a_crawl_as_cloud_init_does_it(instance):
    """One script in the guest walks the whole tree: what is listed is there, and says what DescribeInstances says."""
    session = token(instance)
    walk = ("walk() { for line in $(get \"$1\"); do case $line in */) walk \"$1$line\" ;; 0=*) echo \"$1 = $line\"; walk \"${1}0/\" ;; "
            "*) if [ \"$1\" = /2021-03-23/meta-data/public-keys/ ]; then :; else echo \"$1$line = $(get \"$1$line\" | tr '\\n' ' ')\" || exit 1; fi ;; esac; done; }; ")
    get = f"get() {{ wget -q -O - --header 'X-aws-ec2-metadata-token: {session}' \"{base}$1\" || echo MISSING; }}; "
    told = dict(line.split(" = ", 1) for line in instance.ssh(get + walk + "walk /2021-03-23/meta-data/", limit=120).splitlines())
    told = {name.removeprefix("/2021-03-23/meta-data/").strip(): value.strip() for name, value in told.items()}
    assert not [name for name, value in told.items() if "MISSING" in value]
    said = instance.describe()
    mac = said["NetworkInterfaces"][0]["MacAddress"]
    interface = f"network/interfaces/macs/{mac}/"
    for name, value in {"instance-id": instance.id, "ami-id": said["ImageId"], "instance-type": said["InstanceType"], "local-ipv4": said["PrivateIpAddress"],
                        "public-ipv4": said["PublicIpAddress"], "public-hostname": said["PublicDnsName"], "local-hostname": said["PrivateDnsName"],
                        "placement/availability-zone": said["Placement"]["AvailabilityZone"], "tags/instance/Name": "told", "mac": mac,
                        "services/partition": "aws", "security-groups": "default", interface + "interface-id": said["NetworkInterfaces"][0]["NetworkInterfaceId"],
                        interface + "subnet-id": said["SubnetId"], interface + "vpc-id": said["VpcId"], interface + "owner-id": said["NetworkInterfaces"][0]["OwnerId"],
                        interface + "security-group-ids": said["SecurityGroups"][0]["GroupId"], interface + "ipv4-associations/" + said["PublicIpAddress"]: said["PrivateIpAddress"],
                        "block-device-mapping/root": said["RootDeviceName"], "public-keys/": "0=test"}.items():
        assert told.get(name) == value, (name, told.get(name), value)
    assert told["public-keys/0/openssh-key"].endswith(" test")
    assert ask(instance, session, "/latest/user-data") == "plain data"
    assert "latest" in ask(instance, session, "/").split()


def test_the_identity_document_checks_with_the_certificate(instance, cloud, tmp_path):
    session = token(instance)
    document, pkcs7, rsa2048, signature = (ask(instance, session, "/latest/dynamic/instance-identity/" + name)
                                           for name in ("document", "pkcs7", "rsa2048", "signature"))
    assert json.loads(document)["instanceId"] == instance.id
    certificate = tmp_path / "certificate.pem"
    certificate.write_text(cloud.brume("metadata", "certificate").stdout)
    for message in (pkcs7, rsa2048):
        (tmp_path / "message").write_text(f"-----BEGIN PKCS7-----\n{message}\n-----END PKCS7-----\n")
        done = subprocess.run(["openssl", "smime", "-verify", "-in", tmp_path / "message", "-inform", "PEM", "-certfile", certificate, "-noverify"],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and done.stdout == document, done.stderr
    (tmp_path / "signature").write_bytes(base64.b64decode(signature))
    (tmp_path / "document").write_text(document)
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], capture_output=True, timeout=30, check=True).stdout
    (tmp_path / "key").write_bytes(key)
    subprocess.run(["openssl", "dgst", "-sha256", "-verify", tmp_path / "key", "-signature", tmp_path / "signature", tmp_path / "document"], timeout=30,
                   check=True, capture_output=True)


def test_tags_follow_at_once(instance):
    session = token(instance)
    instance.account.ec2.create_tags(Resources=[instance.id], Tags=[{"Key": "Name", "Value": "renamed"}])
    assert ask(instance, session, "/latest/meta-data/tags/instance/Name") == "renamed"


def test_the_token_leaves_with_the_hop_limit(instance, cloud):
    mark = (cloud.home / "network/mark").read_text().strip()
    namespace = f"brume-{mark}-{instance.describe()['VpcId']}"
    listener = subprocess.Popen(["nsenter", f"--net=/run/netns/{namespace}", sys.executable, "-c", sniffer], stdout=subprocess.PIPE, text=True)
    try:
        assert listener.stdout.readline() == "listening\n"
        assert token(instance)
        assert listener.stdout.readline() == "3\n"
    finally:
        listener.kill()
        listener.wait()
        listener.stdout.close()


def test_user_data_changes_while_stopped(instance):
    ec2 = instance.account.ec2
    ec2.stop_instances(InstanceIds=[instance.id])
    instance.wait_state("stopped", 100)
    ec2.modify_instance_attribute(InstanceId=instance.id, UserData={"Value": b"other data"})
    ec2.start_instances(InstanceIds=[instance.id])
    instance.wait_ssh()
    session = token(instance)
    assert ask(instance, session, "/latest/user-data") == "other data"
    assert ask(instance, session, "/latest/meta-data/public-ipv4") == instance.address


def test_terminated(instance):
    """Last: what the module had goes."""
    instance.account.ec2.terminate_instances(InstanceIds=[instance.id])
    wait_until(lambda: instance.state == "terminated", 60, "the end")
