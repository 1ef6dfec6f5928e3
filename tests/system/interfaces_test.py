"""A network interface that is attached while its guest runs: by DHCP the guest has its address, its own groups say what passes, and on another
instance it is the same interface with the same addresses (OPS-035 and following)."""
import errno
import socket
import urllib.request

import pytest

from cloud import wait_until

port = 8080


@pytest.fixture
def interface(account):
    """One with a group and a public address of its own; of the default subnet in us-east-1a."""
    ec2 = account.ec2
    (subnet,) = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1a"]}, {"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    group = ec2.create_security_group(GroupName="of-the-interface", Description="its own", VpcId=subnet["VpcId"])["GroupId"]
    account.open_port(group, port)
    made = ec2.create_network_interface(SubnetId=subnet["SubnetId"], Groups=[group])["NetworkInterface"]
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=made["NetworkInterfaceId"])
    yield {**made, "Group": group, "PublicIp": elastic["PublicIp"]}
    account.terminate_all()
    wait_until(lambda: status(account, made["NetworkInterfaceId"]) == "available", 60, "the end of the interface's instance")
    ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])
    ec2.release_address(AllocationId=elastic["AllocationId"])
    ec2.delete_security_group(GroupId=group)


def status(account, id):
    return account.ec2.describe_network_interfaces(NetworkInterfaceIds=[id])["NetworkInterfaces"][0]["Status"]


def answers(address, number):
    """True; False where nobody says anything, as a group does that lets nothing in, or where the address leads nowhere. A refusal is a fault."""
    try:
        with socket.create_connection((address, number), timeout=1):
            return True
    except OSError as failure:
        if isinstance(failure, TimeoutError) or failure.errno == errno.EHOSTUNREACH:
            return False
        raise


def page(address):
    return urllib.request.urlopen(f"http://{address}:{port}/", timeout=5).read().decode().strip()


def serve(guest):
    guest.ssh(f"mkdir -p /tmp/www; echo {guest.id} >/tmp/www/index.html; httpd -p {port} -h /tmp/www")


def attach(guest, interface):
    """Returns the attachment once the guest speaks by the interface's address."""
    address = interface["PrivateIpAddress"]
    attachment = guest.account.ec2.attach_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"], InstanceId=guest.id, DeviceIndex=1)["AttachmentId"]
    wait_until(lambda: f"inet {address}/" in guest.ssh("ip -4 addr show dev eth1 2>&1; true"), 60, f"{address} by DHCP in {guest.id}")
    assert guest.ssh("cat /sys/class/net/eth1/address") == interface["MacAddress"]
    shown = next(one for one in guest.describe()["NetworkInterfaces"] if one["NetworkInterfaceId"] == interface["NetworkInterfaceId"])
    assert (shown["Attachment"]["Status"], shown["Attachment"]["DeviceIndex"], shown["MacAddress"]) == ("attached", 1, interface["MacAddress"])
    # As any guest with two cards in one network needs it: answers leave by the card that was asked.
    guest.ssh("r=$(ip -4 route show default dev eth1 | sed -n 's/.*via \\([0-9.]*\\).*/\\1/p') && "
              f"sudo ip rule add from {address} table 100 && sudo ip route add default via $r dev eth1 table 100")
    return attachment


def detach(guest, interface, attachment):
    guest.account.ec2.detach_network_interface(AttachmentId=attachment)
    wait_until(lambda: status(guest.account, interface["NetworkInterfaceId"]) == "available", 60, "the interface free again")
    wait_until(lambda: "eth1" not in guest.ssh("ls /sys/class/net").split(), 30, f"a card less in {guest.id}")
    assert len(guest.describe()["NetworkInterfaces"]) == 1


def test_attached_while_the_guest_runs_and_moved_to_another(account, tiny, interface):
    first, second = account.launch(tiny, 2, Placement={"AvailabilityZone": "us-east-1a"})
    for guest in (first, second):
        guest.wait_ssh()
        serve(guest)
    public, private = interface["PublicIp"], interface["PrivateIpAddress"]

    def asks(guest):
        return guest.ssh(f"timeout 5 wget -qO- http://{private}:{port}/; true")

    assert not answers(public, port)
    attachment = attach(first, interface)
    assert page(public) == asks(second) == first.id
    # The guest's SSH listens there too; the default group lets it in on the other card, and this one's does not.
    assert answers(first.address, 22) and not answers(public, 22) and not answers(first.address, port)
    account.close_port(interface["Group"], port)
    wait_until(lambda: not answers(public, port), 10, "the rule's end")
    account.open_port(interface["Group"], port)
    wait_until(lambda: answers(public, port), 10, "the rule")
    detach(first, interface, attachment)
    assert not answers(public, port) and asks(second) == ""
    attachment = attach(second, interface)
    assert page(public) == asks(first) == second.id
    detach(second, interface, attachment)
    assert not answers(public, port) and answers(second.address, 22)
