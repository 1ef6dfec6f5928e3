"""The Debian image with its stock cloud-init: it must take this place for EC2 without a word of warning."""
import pytest


@pytest.fixture(scope="module")
def debian(cloud):
    return cloud.image("debian-12", limit=1200)


def test_debian_with_cloud_init(account, debian):
    user_data = "#!/bin/sh\necho debian user data > /root/proof\n"
    instance = account.launch(debian, InstanceType="t2.micro", UserData=user_data)
    instance.wait_ssh(limit=400)
    status = instance.ssh("cloud-init status --wait --long", user="admin", limit=300)
    assert "status: done" in status and "DataSourceEc2" in status, status
    assert instance.ssh("sudo cat /root/proof", user="admin") == "debian user data"
    assert instance.ssh("hostname", user="admin") == "ip-" + instance.private_address.replace(".", "-")
    # The domain of the VPC's DHCP options is searched: the short name of any address of the VPC is enough.
    assert "ec2.internal" in instance.ssh("resolvectl domain eth0", user="admin").split()
    neighbour = instance.private_address.rsplit(".", 1)[0] + ".250"
    assert instance.ssh(f"getent hosts ip-{neighbour.replace('.', '-')}", user="admin").split()[0] == neighbour
    warnings = instance.ssh("sudo sh -c 'grep -ci warn /run/cloud-init/ds-identify.log; grep -c WARNING /var/log/cloud-init.log'; true", user="admin")
    assert warnings.split() == ["0", "0"], instance.ssh("sudo grep -i warn /run/cloud-init/ds-identify.log /var/log/cloud-init.log; true", user="admin")
    assert int(instance.ssh("df --output=size / | tail -n 1", user="admin")) > 6 * 1024 * 1024
    account.ec2.stop_instances(InstanceIds=[instance.id])
    instance.wait_state("stopped", 100)
    assert instance.describe()["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
