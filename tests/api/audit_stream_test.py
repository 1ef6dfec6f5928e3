"""The audit stream of a real daemon: every change and every refusal, who asked, and no secret (docs/operating.md)."""
import json
import stat

import pytest
from botocore.exceptions import ClientError
from conftest import Keys, wait_until
from real_home import home, make_home  # noqa: F401


def events(home):
    file = home.folder / "audit/audit.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_changes_and_refusals_are_in_it_and_reads_are_not(home):
    ec2 = home.start()
    secret = ec2._request_signer._credentials.secret_key
    key_id = ec2._request_signer._credentials.access_key
    ec2.describe_vpcs()
    ec2.create_key_pair(KeyName="audited")
    with pytest.raises(ClientError):
        ec2.create_key_pair(KeyName="audited")
    with pytest.raises(ClientError):
        home.daemon.client(keys=Keys("", key_id, "x" * 40)).describe_vpcs()
    wait_until(lambda: len(events(home)) >= 3)
    made, again, forged = events(home)
    assert (made["action"], made["status"], made["service"]) == ("CreateKeyPair", 200, "ec2") and "error" not in made
    assert made["accessKeyId"] == key_id and made["principal"].endswith(":root") and made["account"] in made["principal"]
    assert made["source"] == "127.0.0.1" and made["region"] == "us-east-1" and made["requestId"] and made["time"].endswith("Z")
    assert (again["error"], again["status"]) == ("InvalidKeyPair.Duplicate", 400)
    # Nobody was identified: what is claimed is no principal.
    assert forged["error"] in ("AuthFailure", "SignatureDoesNotMatch") and "principal" not in forged
    text = (home.folder / "audit/audit.jsonl").read_text()
    assert secret not in text and "PRIVATE KEY" not in text
    assert stat.S_IMODE((home.folder / "audit").stat().st_mode) == 0o700
    assert stat.S_IMODE((home.folder / "audit/audit.jsonl").stat().st_mode) == 0o600
    home.stop()


def test_reads_are_in_it_when_they_are_wanted(home):
    ec2 = home.start("--audit-reads")
    ec2.describe_vpcs()
    wait_until(lambda: any(event["action"] == "DescribeVpcs" and event["read"] for event in events(home)))
    home.stop()
