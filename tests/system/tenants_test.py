"""Two accounts on one host: what one has, the other neither sees, names nor reaches, but by public addresses."""
import json

import botocore.exceptions
import pytest

from cloud import wait_until


@pytest.fixture(scope="module")
def other(cloud):
    made = cloud.brume("account", "create", "other").stdout
    second = cloud.account(made.split()[1])
    second.make_key()
    second.open_port(second.group(), 22)
    yield second
    second.terminate_all()


def test_two_accounts_are_apart(cloud, account, other, tiny):
    mine, theirs = account.launch(tiny), other.launch(tiny)
    mine.wait_ssh()
    theirs.wait_ssh()
    assert [i["InstanceId"] for r in other.ec2.describe_instances()["Reservations"] for i in r["Instances"]] == [theirs.id]
    for action, parameters in ((other.ec2.describe_instances, {}), (other.ec2.terminate_instances, {}), (other.ec2.stop_instances, {}),
                               (other.ec2.get_console_output, None)):
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            action(InstanceId=mine.id) if parameters is None else action(InstanceIds=[mine.id])
        assert refused.value.response["Error"]["Code"] == "InvalidInstanceID.NotFound"
    # The same private range in both: the packet to the other's private address has nowhere to go.
    assert theirs.ssh(f"nc -w 2 {mine.private_address} 22 </dev/null | head -c 3; true") == "" or mine.private_address == theirs.private_address
    assert theirs.ssh(f"nc -w 3 {mine.address} 22 </dev/null | head -c 3; true") == "SSH"
    # Neither reaches the host: not the API, not by the router's address.
    port = cloud.endpoint.rsplit(":", 1)[1]
    router = theirs.private_address.rsplit(".", 1)[0].rsplit(".", 1)[0] + ".0.1"
    for address in ("127.0.0.1", router, "169.254.169.253"):
        assert theirs.ssh(f"nc -w 2 {address} {port} </dev/null >/dev/null 2>&1 && echo reached || echo no") == "no"
    account.ec2.terminate_instances(InstanceIds=[mine.id])
    other.ec2.terminate_instances(InstanceIds=[theirs.id])
    try:
        wait_until(lambda: not cloud.leftovers(), 60, "a clean host")
    except AssertionError:
        print("left:", cloud.leftovers(), (cloud.home / "brumed.log").read_text()[-6000:], sep="\n")
        raise
    assert json.loads(cloud.brume("status", "--json").stdout)["accounts"] == len(json.loads(cloud.brume("account", "list", "--json").stdout))
