"""The EBS direct API: boto3's client `ebs` (REST with JSON) reads, compares and writes snapshots block by block."""
import base64
import hashlib
import json
import pathlib
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

from conftest import started_real_daemon, wait_until

SIZE = 512 << 10


def digest(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


@pytest.fixture
def ebs(daemon, ec2):
    return daemon.client("ebs")


def put(ebs, snapshot, index, data, **changed):
    parameters = dict(SnapshotId=snapshot, BlockIndex=index, BlockData=data, DataLength=len(data), Checksum=digest(data), ChecksumAlgorithm="SHA256")
    return ebs.put_snapshot_block(**{**parameters, **changed})


def block(letter):
    return letter.encode() * SIZE


def write(ebs, blocks, **how):
    id = ebs.start_snapshot(VolumeSize=1, **how)["SnapshotId"]
    for index, letter in blocks.items():
        put(ebs, id, index, block(letter))
    assert ebs.complete_snapshot(SnapshotId=id, ChangedBlocksCount=len(blocks))["Status"] in ("pending", "completed")
    return id


def listed(ebs, snapshot):
    return {one["BlockIndex"]: one["BlockToken"] for one in ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]}


def read(ebs, snapshot, index, token=None):
    shown = ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockToken=token or listed(ebs, snapshot)[index])
    data = shown["BlockData"].read()
    assert (shown["DataLength"], shown["Checksum"], shown["ChecksumAlgorithm"]) == (SIZE, digest(data), "SHA256")
    return data


def test_written_and_read(ec2, ebs):
    made = ebs.start_snapshot(VolumeSize=1, Description="by hand", Tags=[{"Key": "a", "Value": "b"}])
    id = made["SnapshotId"]
    assert (made["Status"], made["VolumeSize"], made["BlockSize"], made["Description"], made["OwnerId"]) == ("pending", 1, SIZE, "by hand", "123456789012")
    assert made["Tags"] == [{"Key": "a", "Value": "b"}]
    (shown,) = ec2.describe_snapshots(SnapshotIds=[id])["Snapshots"]
    assert (shown["State"], shown["VolumeSize"], shown["Description"], shown["Tags"]) == ("pending", 1, "by hand", [{"Key": "a", "Value": "b"}])
    assert put(ebs, id, 3, block("c"), Progress=40)["Checksum"] == digest(block("c"))
    assert ec2.describe_snapshots(SnapshotIds=[id])["Snapshots"][0]["Progress"] == "40%"
    put(ebs, id, 2047, block("z"))
    put(ebs, id, 3, block("d"))  # once more
    total = base64.b64encode(hashlib.sha256(b"".join(hashlib.sha256(block(letter)).digest() for letter in "dz")).digest()).decode()
    done = ebs.complete_snapshot(SnapshotId=id, ChangedBlocksCount=2, Checksum=total, ChecksumAlgorithm="SHA256", ChecksumAggregationMethod="LINEAR")
    assert done["Status"] == "completed" and done["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert ebs.complete_snapshot(SnapshotId=id, ChangedBlocksCount=2)["Status"] == "completed"
    assert ec2.describe_snapshots(SnapshotIds=[id])["Snapshots"][0]["State"] == "completed"
    assert list(listed(ebs, id)) == [3, 2047]
    assert read(ebs, id, 3) == block("d") and read(ebs, id, 2047) == block("z")
    # A volume is made of it as of any other.
    volume = ec2.create_volume(SnapshotId=id, AvailabilityZone="us-east-1a")["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.1})


def test_on_top_of_another_and_what_changed(ebs):
    first = write(ebs, {0: "a", 1: "b", 7: "c"})
    second = write(ebs, {1: "B", 9: "d"}, ParentSnapshotId=first)
    assert {index: read(ebs, second, index)[:1] for index in listed(ebs, second)} == {0: b"a", 1: b"B", 7: b"c", 9: b"d"}
    assert read(ebs, first, 1) == block("b")
    changed = ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=second)
    assert [one["BlockIndex"] for one in changed["ChangedBlocks"]] == [1, 9] and changed["VolumeSize"] == 1 and changed["BlockSize"] == SIZE
    old, new = changed["ChangedBlocks"][0]["FirstBlockToken"], changed["ChangedBlocks"][0]["SecondBlockToken"]
    assert read(ebs, first, 1, old) == block("b") and read(ebs, second, 1, new) == block("B")
    assert "FirstBlockToken" not in changed["ChangedBlocks"][1]
    assert [one["BlockIndex"] for one in ebs.list_changed_blocks(SecondSnapshotId=second)["ChangedBlocks"]] == [0, 1, 7, 9]
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        ebs.list_changed_blocks(FirstSnapshotId=write(ebs, {0: "x"}), SecondSnapshotId=second)
    assert caught.value.response["Reason"] == "UNRELATED_SNAPSHOTS"


def test_pages(ebs):
    id = write(ebs, {index: "p" for index in range(0, 240, 2)})
    first = ebs.list_snapshot_blocks(SnapshotId=id, MaxResults=100)
    assert len(first["Blocks"]) == 100
    second = ebs.list_snapshot_blocks(SnapshotId=id, MaxResults=100, NextToken=first["NextToken"])
    assert [one["BlockIndex"] for one in second["Blocks"]] == list(range(200, 240, 2)) and "NextToken" not in second
    assert [one["BlockIndex"] for one in ebs.list_snapshot_blocks(SnapshotId=id, StartingBlockIndex=231)["Blocks"]] == [232, 234, 236, 238]
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        ebs.list_changed_blocks(SecondSnapshotId=id, NextToken=first["NextToken"])
    assert caught.value.response["Reason"] == "INVALID_PAGE_TOKEN"


def test_a_token_names_one_snapshot_and_runs_once(ec2, ebs):
    first = ebs.start_snapshot(VolumeSize=1, ClientToken="once")["SnapshotId"]
    assert ebs.start_snapshot(VolumeSize=1, ClientToken="once")["SnapshotId"] == first
    assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1
    ec2.delete_snapshot(SnapshotId=first)
    wait_until(lambda: ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == [])
    with pytest.raises(ebs.exceptions.ResourceNotFoundException):
        put(ebs, first, 0, block("a"))


def test_encryption_by_default(ec2, ebs):
    ec2.enable_ebs_encryption_by_default()
    id = write(ebs, {0: "s"})
    shown = ec2.describe_snapshots(SnapshotIds=[id])["Snapshots"][0]
    assert shown["Encrypted"] is True and ":key/" in shown["KmsKeyId"]
    started = ebs.start_snapshot(VolumeSize=1, Encrypted=True, KmsKeyArn=shown["KmsKeyId"])
    assert started["KmsKeyArn"] == shown["KmsKeyId"]
    child = write(ebs, {1: "t"}, ParentSnapshotId=id)
    assert ec2.describe_snapshots(SnapshotIds=[child])["Snapshots"][0]["Encrypted"] is True and read(ebs, child, 0) == block("s")


@pytest.mark.parametrize(
    "code, reason, call, parameters",
    [
        ("ValidationException", "INVALID_VOLUME_SIZE", "start_snapshot", {"VolumeSize": 20000}),
        ("ValidationException", "INVALID_PARAMETER_VALUE", "start_snapshot", {"VolumeSize": 1, "Timeout": 5000}),
        ("ValidationException", "INVALID_CUSTOMER_KEY", "start_snapshot", {"VolumeSize": 1, "Encrypted": True, "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"}),
        ("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", "start_snapshot", {"VolumeSize": 1, "ParentSnapshotId": "snap-0123456789abcdef0"}),
        ("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", "list_snapshot_blocks", {"SnapshotId": "snap-0123456789abcdef0"}),
        ("ValidationException", "INVALID_SNAPSHOT_ID", "list_snapshot_blocks", {"SnapshotId": "vol-1"}),
        ("ValidationException", "INVALID_SNAPSHOT_ID", "list_snapshot_blocks", {"SnapshotId": "OPEN"}),
        ("ValidationException", "INVALID_PAGE_TOKEN", "list_snapshot_blocks", {"SnapshotId": "DONE", "NextToken": "AAAA"}),
        ("ValidationException", "INVALID_BLOCK_TOKEN", "get_snapshot_block", {"SnapshotId": "DONE", "BlockIndex": 0, "BlockToken": "AAAA"}),
        ("ValidationException", "INVALID_BLOCK", "get_snapshot_block", {"SnapshotId": "DONE", "BlockIndex": 2048, "BlockToken": "AAAA"}),
        ("ValidationException", "INVALID_SNAPSHOT_ID", "complete_snapshot", {"SnapshotId": "TAKEN", "ChangedBlocksCount": 0}),
        ("ValidationException", "INVALID_PARAMETER_VALUE", "complete_snapshot", {"SnapshotId": "OPEN", "ChangedBlocksCount": 3}),
        ("ValidationException", "INVALID_PARAMETER_VALUE", "complete_snapshot", {"SnapshotId": "OPEN", "ChangedBlocksCount": 0, "Checksum": "AAAA", "ChecksumAlgorithm": "SHA256", "ChecksumAggregationMethod": "LINEAR"}),
    ],
    ids=str,
)
def test_what_is_refused(ec2, ebs, code, reason, call, parameters):
    if parameters.get("SnapshotId") == "TAKEN":
        volume = ec2.create_volume(Size=1, AvailabilityZone="us-east-1a")["VolumeId"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.1})
        ids = {"TAKEN": ec2.create_snapshot(VolumeId=volume)["SnapshotId"]}
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[ids["TAKEN"]], WaiterConfig={"Delay": 0.1})
    else:
        ids = {"OPEN": ebs.start_snapshot(VolumeSize=1)["SnapshotId"], "DONE": write(ebs, {0: "a"})}
    asked = {name: ids.get(value, value) if isinstance(value, str) else value for name, value in parameters.items()}
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(ebs, call)(**asked)
    assert (caught.value.response["Error"]["Code"], caught.value.response["Reason"]) == (code, reason)


@pytest.mark.parametrize(
    "reason, changed",
    [
        ("INVALID_PARAMETER_VALUE", {"Checksum": digest(b"other")}),
        ("INVALID_PARAMETER_VALUE", {"ChecksumAlgorithm": "MD5"}),
        ("INVALID_BLOCK", {"BlockIndex": 2048}),
        ("INVALID_BLOCK", {"BlockIndex": 1 << 31}),
        ("INVALID_BLOCK", {"BlockData": b"short", "DataLength": 5, "Checksum": digest(b"short")}),
        ("INVALID_BLOCK", {"DataLength": 5}),
        ("INVALID_PARAMETER_VALUE", {"Progress": 101}),
    ],
    ids=str,
)
def test_what_is_not_written(ebs, reason, changed):
    id = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    with pytest.raises(ebs.exceptions.ValidationException) as caught:
        put(ebs, id, 0, block("a"), **changed)
    assert caught.value.response["Reason"] in (reason, "INVALID_PARAMETER_VALUE")
    if "Progress" not in changed:
        ebs.complete_snapshot(SnapshotId=id, ChangedBlocksCount=0)
        assert listed(ebs, id) == {}


def test_other_accounts(daemon, ec2, ebs, other_account):
    id = write(ebs, {0: "a"})
    opened = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    token = listed(ebs, id)[0]
    stranger = daemon.client("ebs", other_account)
    for call, parameters in (("list_snapshot_blocks", {"SnapshotId": id}), ("get_snapshot_block", {"SnapshotId": id, "BlockIndex": 0, "BlockToken": token}),
                             ("list_changed_blocks", {"SecondSnapshotId": id}), ("start_snapshot", {"VolumeSize": 1, "ParentSnapshotId": id}),
                             ("complete_snapshot", {"SnapshotId": opened, "ChangedBlocksCount": 0})):
        with pytest.raises(stranger.exceptions.ResourceNotFoundException):
            getattr(stranger, call)(**parameters)
    ec2.modify_snapshot_attribute(SnapshotId=id, Attribute="createVolumePermission", OperationType="add", UserIds=[other_account.account])
    assert read(stranger, id, 0) == block("a")
    with pytest.raises(stranger.exceptions.ValidationException):  # a token is one account's
        read(stranger, id, 0, token)
    with pytest.raises(stranger.exceptions.AccessDeniedException):  # restored by others, written by none of them
        put(stranger, id, 1, block("b"))


def test_no_room(ebs):
    """A simulation keeps 256 MiB of blocks."""
    id = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    with pytest.raises(ebs.exceptions.ServiceQuotaExceededException) as caught:
        for index in range(513):
            put(ebs, id, index, block("a"))
    assert caught.value.response["Reason"] == "DEPENDENCY_SERVICE_QUOTA_EXCEEDED"


def test_the_form_of_errors(daemon, ec2):
    """In the header for today's clients, in the body for those that look there."""
    request = urllib.request.Request(daemon.endpoint + "/snapshots/snap-0123456789abcdef0/blocks")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    body = json.load(caught.value)
    assert caught.value.code == 404 and caught.value.headers["x-amzn-ErrorType"] == "ResourceNotFoundException"
    assert caught.value.headers["Content-Type"] == "application/json" and caught.value.headers["x-amzn-RequestId"]
    assert body["__type"] == "ResourceNotFoundException" and body["Reason"] == "SNAPSHOT_NOT_FOUND" and "snap-0123456789abcdef0" in body["Message"]


@pytest.mark.parametrize("path, body", [("/snapshots", b"{"), ("/snapshots", b'{"VolumeSize": "many"}'), ("/snapshots", b"{}"), ("/snapshots", b'{"VolumeSize": 1, "Color": "red"}')], ids=str)
def test_bodies_that_make_no_sense(daemon, ec2, path, body):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(daemon.endpoint + path, data=body, method="POST"))
    assert caught.value.code == 400 and json.load(caught.value)["__type"] == "ValidationException"


def test_with_real_files_and_signatures():
    """The file engine's own qcow2 files, encrypted and not, and a client whose signature is looked at."""
    with started_real_daemon() as daemon:
        ebs, ec2 = daemon.client("ebs"), daemon.client("ec2")
        first = write(ebs, {0: "a", 1: "b", 2047: "c"})
        second = write(ebs, {1: "B", 9: "d"}, ParentSnapshotId=first)
        assert {index: read(ebs, second, index)[:1] for index in listed(ebs, second)} == {0: b"a", 1: b"B", 9: b"d", 2047: b"c"}
        assert [one["BlockIndex"] for one in ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=second)["ChangedBlocks"]] == [1, 9]
        secret = write(ebs, {5: "s"}, Encrypted=True)
        child = write(ebs, {6: "t"}, ParentSnapshotId=secret)
        assert read(ebs, child, 5) == block("s") and read(ebs, child, 6) == block("t")
        assert [one["BlockIndex"] for one in ebs.list_changed_blocks(FirstSnapshotId=secret, SecondSnapshotId=child)["ChangedBlocks"]] == [6]
        with pytest.raises(ebs.exceptions.ValidationException) as caught:
            ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=child)
        assert caught.value.response["Reason"] == "UNRELATED_SNAPSHOTS"
        assert not any(b"ssssssssssssssss" in file.read_bytes() for file in pathlib.Path(daemon.home, "blocks/layers").iterdir())
        # A volume of it, and a snapshot of that volume, have it all; the snapshots in between are not needed for it.
        volume = ec2.create_volume(SnapshotId=second, AvailabilityZone="us-east-1a")["VolumeId"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.1})
        copy = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[copy], WaiterConfig={"Delay": 0.1})
        assert ebs.list_changed_blocks(FirstSnapshotId=second, SecondSnapshotId=copy)["ChangedBlocks"] == []
        for snapshot in (first, second):
            ec2.delete_snapshot(SnapshotId=snapshot)
        assert read(ebs, copy, 1) == block("B") and read(ebs, copy, 0) == block("a")
        # One that was begun and never completed goes without a trace.
        opened = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
        put(ebs, opened, 0, block("x"))
        ec2.delete_snapshot(SnapshotId=opened)
        wait_until(lambda: not list(pathlib.Path(daemon.home, "blocks").glob(f"*/{opened}*")))
        daemon.keys.secret = "x" * 40
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            daemon.client("ebs").list_snapshot_blocks(SnapshotId=copy)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 401, 403)
