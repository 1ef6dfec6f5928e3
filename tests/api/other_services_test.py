"""Clients of services that are not served: each gets an error that it can read, in the protocol that it speaks."""
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


def test_cbor_is_answered_in_cbor(daemon):
    """Smithy's RPC v2, which newer SDKs speak to CloudWatch: a map of the two texts __type and message (RFC 8949)."""
    status, headers, body = raw(daemon, "/service/GraniteServiceVersion20100801/operation/ListMetrics", b"\xa0",
                                {"Smithy-Protocol": "rpc-v2-cbor", "Content-Type": "application/cbor", "Accept": "application/cbor"})
    assert status == 400 and headers["Smithy-Protocol"] == "rpc-v2-cbor" and headers["Content-Type"] == "application/cbor"
    texts, rest = [], body[1:]
    while rest:
        length, start = (rest[0] - 0x60, 1) if rest[0] < 0x78 else (int.from_bytes(rest[1:3], "big"), 3)
        texts.append(rest[start : start + length].decode())
        rest = rest[start + length :]
    assert body[0] == 0xA2 and texts[::2] == ["__type", "message"]
    assert texts[1] == "UnknownOperationException" and "GraniteServiceVersion20100801" in texts[3]


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
