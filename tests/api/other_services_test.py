"""Clients of services that are not served: each gets an error that it can read, in the protocol that it speaks."""
import gzip
import json
import urllib.error
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import pytest

from conftest import REGION


def client(daemon, service):
    return boto3.client(service, endpoint_url=daemon.endpoint, region_name=REGION, aws_access_key_id=daemon.keys.key_id,
                        aws_secret_access_key=daemon.keys.secret, config=botocore.config.Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}))


@pytest.mark.parametrize(
    "service, call, parameters, code",
    [
        ("cloudwatch", "list_metrics", {}, ("UnsupportedOperation", "UnknownOperationException")),  # by query, CBOR or JSON, as boto3 pleases
        ("kms", "list_keys", {}, ("UnknownOperationException",)),
        ("dynamodb", "list_tables", {}, ("UnknownOperationException",)),
        ("logs", "describe_log_groups", {}, ("UnknownOperationException",)),
        ("s3", "list_buckets", {}, ("NotImplemented",)),
        ("s3", "create_bucket", {"Bucket": "bucket"}, ("NotImplemented",)),
        ("s3", "put_object", {"Bucket": "bucket", "Key": "a/key", "Body": b"text"}, ("NotImplemented",)),
        ("s3", "delete_object", {"Bucket": "bucket", "Key": "key"}, ("NotImplemented",)),
        ("route53", "list_hosted_zones", {}, ("NotImplemented",)),
        ("lambda", "list_functions", {}, ("UnsupportedOperation",)),
        ("lambda", "invoke", {"FunctionName": "f", "Payload": b"{}"}, ("UnsupportedOperation",)),
        ("eks", "list_clusters", {}, ("UnsupportedOperation",)),
        ("rds", "describe_db_instances", {}, ("UnsupportedOperation",)),
        ("sqs", "list_queues", {}, ("UnsupportedOperation", "UnknownOperationException")),
        ("cloudformation", "list_stacks", {}, ("UnsupportedOperation",)),
        ("iam", "list_users", {}, ("UnsupportedOperation",)),
        ("autoscaling", "describe_auto_scaling_groups", {}, ("UnsupportedOperation",)),
        ("elbv2", "describe_load_balancers", {}, ("UnsupportedOperation",)),
        ("sns", "list_topics", {}, ("UnsupportedOperation",)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_that_its_client_can_read(daemon, service, call, parameters, code):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(client(daemon, service), call)(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] in code and "not built" in error["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 501)
    assert caught.value.response["ResponseMetadata"]["RequestId"]


def raw(daemon, path, body, headers, method="POST"):
    try:
        urllib.request.urlopen(urllib.request.Request(daemon.endpoint + path, data=body, headers=headers, method=method), timeout=30)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()
    raise AssertionError("it was served")


def read_cbor_error(body):
    """The texts of a map of indefinite length (RFC 8949), which is what an error is in Smithy's RPC v2."""
    assert body[:1] == b"\xbf" and body[-1:] == b"\xff"
    texts, rest = [], body[1:-1]
    while rest:
        length, start = (rest[0] - 0x60, 1) if rest[0] < 0x78 else (rest[1], 2)
        texts.append(rest[start : start + length].decode())
        rest = rest[start + length :]
    return dict(zip(texts[::2], texts[1::2]))


CBOR = {"Smithy-Protocol": "rpc-v2-cbor", "Content-Type": "application/cbor", "Accept": "application/cbor"}


def test_cbor_is_answered_in_cbor(daemon):
    """Smithy's RPC v2, to a service that nobody here knows."""
    status, headers, body = raw(daemon, "/service/TrentService/operation/ListKeys", b"\xa0", CBOR)
    assert status == 400 and headers["Smithy-Protocol"] == "rpc-v2-cbor" and headers["Content-Type"] == "application/cbor"
    error = read_cbor_error(body)
    assert error["__type"] == "UnknownOperationException" and "TrentService" in error["message"]


def test_cloudwatch_is_known_in_three_protocols(daemon):
    """It is not built, which each of its clients hears in its own protocol, with the code that the Query protocol has besides."""
    packed = gzip.compress(b"\xa1\x69Namespace\x61n")
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    for headers, body in ((CBOR, b"\xa0"), ({**CBOR, "Content-Encoding": "gzip"}, packed)):
        status, answered, error = raw(daemon, path, body, headers)
        assert status == 400 and answered["x-amzn-query-error"] == "UnsupportedOperation;Sender"
        assert "ListMetrics is known but not built" in read_cbor_error(error)["message"]
    for encoding, body in (({}, b'{"Namespace":"n"}'), ({"Content-Encoding": "gzip"}, gzip.compress(b'{"Namespace":"n"}'))):
        status, answered, error = raw(daemon, "/", body, {"X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics",
                                                          "Content-Type": "application/x-amz-json-1.0", **encoding})
        assert status == 400 and answered["Content-Type"] == "application/x-amz-json-1.0"
        assert answered["x-amzn-query-error"] == "UnsupportedOperation;Sender" and "not built" in json.loads(error)["message"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for encoding, pack in (({}, bytes), ({"Content-Encoding": "gzip"}, gzip.compress)):
        status, answered, error = raw(daemon, "/", pack(b"Action=ListMetrics&Version=2010-08-01"), {**form, **encoding})
        assert status == 400 and b"<Code>UnsupportedOperation</Code>" in error and b"monitoring.amazonaws.com" in error


def test_a_compressed_body_is_unpacked_for_ec2(daemon):
    form = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}
    request = urllib.request.Request(daemon.endpoint, data=gzip.compress(b"Action=DescribeRegions&Version=2016-11-15"), headers=form, method="POST")
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 200 and REGION.encode() in response.read()
    status, _, error = raw(daemon, "/", gzip.compress(bytes(64 << 20)), form)
    assert status == 413 and b"<Code>RequestEntityTooLarge</Code>" in error


def test_json_is_answered_in_its_version(daemon):
    for version in ("1.0", "1.1"):
        status, headers, body = raw(daemon, "/", b"{}", {"X-Amz-Target": "TrentService.ListKeys", "Content-Type": "application/x-amz-json-" + version})
        assert status == 400 and headers["Content-Type"] == "application/x-amz-json-" + version
        assert json.loads(body)["__type"] == "UnknownOperationException"


def test_health(daemon):
    with urllib.request.urlopen(daemon.endpoint + "/health", timeout=30) as response:
        assert response.status == 200 and response.headers["Content-Type"] == "application/json"
        assert json.load(response) == {"status": "ok", "checks": {"state": "ok", "disk": "ok", "control": "ok"}}
    assert raw(daemon, "/healthy", b"", {}, "PUT")[0] == 405
