"""The Systems Manager's public parameters, over its JSON protocol: boto3 and the AWS CLI."""
import json
import os
import subprocess
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

from conftest import REGION, started_real_daemon

DEBIAN = "/aws/service/debian/release/12/latest/amd64"
TINY = "/brume/images/tiny/latest"


@pytest.fixture
def ssm(daemon, ami):
    return daemon.client("ssm")


def image(ec2, name):
    return ec2.describe_images(Filters=[{"Name": "name", "Values": [name]}])["Images"][0]["ImageId"]


def test_the_newest_image(ec2, ssm, ami):
    shown = ssm.get_parameter(Name=TINY)["Parameter"]
    assert (shown["Name"], shown["Type"], shown["Value"], shown["Version"], shown["DataType"]) == (TINY, "String", ami, 1, "aws:ec2:image")
    assert shown["ARN"] == "arn:aws:ssm:us-east-1::parameter" + TINY
    (described,) = ec2.describe_images(ImageIds=[ami])["Images"]
    assert shown["LastModifiedDate"].strftime("%Y-%m-%dT%H:%M") == described["CreationDate"][:16]
    assert ssm.get_parameter(Name=DEBIAN)["Parameter"]["Value"] == image(ec2, "debian-12-amd64")
    assert ssm.get_parameter(Name=TINY + ":1")["Parameter"]["Selector"] == ":1"
    assert ssm.get_parameter(Name=shown["ARN"])["Parameter"]["Value"] == ami


def test_several_and_by_path(ec2, ssm, ami):
    found = ssm.get_parameters(Names=[TINY, "/nothing", DEBIAN])
    assert {one["Name"] for one in found["Parameters"]} == {TINY, DEBIAN} and found["InvalidParameters"] == ["/nothing"]
    everything = [one for page in ssm.get_paginator("get_parameters_by_path").paginate(Path="/brume", Recursive=True, PaginationConfig={"PageSize": 2}) for one in page["Parameters"]]
    assert {one["Name"].split("/")[3] for one in everything} == {one["Name"] for one in ec2.describe_images(Filters=[{"Name": "image-type", "Values": ["machine"]}, {"Name": "owner-id", "Values": ["000000000001"]}])["Images"]}
    assert ssm.get_parameters_by_path(Path="/brume/images/tiny")["Parameters"][0]["Value"] == ami
    assert ssm.get_parameters_by_path(Path="/brume/images")["Parameters"] == []  # not the level below


AMAZON = "/aws/service/ami-amazon-linux-latest/"
UBUNTU = "/aws/service/canonical/ubuntu/server/"


def test_the_usual_names_lead_to_starter_images(ec2, ssm, launch):
    debian, ubuntu = image(ec2, "debian-12-amd64"), image(ec2, "ubuntu-24.04-amd64")
    usual = {AMAZON + name: debian for name in ("al2023-ami-kernel-default-x86_64", "al2023-ami-kernel-6.1-x86_64", "amzn2-ami-hvm-x86_64-gp2", "amzn2-ami-kernel-5.10-hvm-x86_64-gp2")}
    usual |= {f"/aws/service/debian/release/{release}/latest/amd64": debian for release in ("11", "12", "bookworm", "13")}
    usual |= {UBUNTU + f"{release}/stable/current/amd64/hvm/{disk}/ami-id": ubuntu for release, disk in (("22.04", "ebs-gp2"), ("jammy", "ebs-gp2"), ("24.04", "ebs-gp3"), ("focal", "ebs-gp2"))}
    for name, expected in usual.items():
        assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == expected, name
    found = ssm.get_parameters(Names=sorted(usual)[:10])
    assert len(found["Parameters"]) == 10 and found["InvalidParameters"] == []
    below = [one for page in ssm.get_paginator("get_parameters_by_path").paginate(Path=AMAZON) for one in page["Parameters"]]
    assert {AMAZON + "al2023-ami-kernel-default-x86_64", AMAZON + "amzn2-ami-hvm-x86_64-gp2"} <= {one["Name"] for one in below} and {one["Value"] for one in below} == {debian}
    assert launch(ImageId="resolve:ssm:" + AMAZON + "al2023-ami-kernel-default-x86_64")["ImageId"] == debian
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        ssm.get_parameter(Name=AMAZON + "al2023-ami-kernel-default-arm64")  # there is no such image
    assert caught.value.response["Error"]["Code"] == "ParameterNotFound"


@pytest.mark.parametrize(
    "code, call, parameters",
    [
        ("ParameterNotFound", "get_parameter", {"Name": "/nothing"}),
        ("ParameterVersionNotFound", "get_parameter", {"Name": TINY + ":9"}),
        ("ValidationException", "get_parameters", {"Names": [f"/{number}" for number in range(11)]}),
        ("ValidationException", "get_parameters_by_path", {"Path": "brume"}),
        ("InvalidNextToken", "get_parameters_by_path", {"Path": "/", "NextToken": "%%%"}),
        ("InvalidFilterKey", "get_parameters_by_path", {"Path": "/", "ParameterFilters": [{"Key": "Type", "Values": ["String"]}]}),
        ("UnsupportedOperation", "put_parameter", {"Name": "/mine", "Value": "x", "Type": "String"}),
    ],
    ids=str,
)
def test_errors(ssm, code, call, parameters):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(ssm, call)(**parameters)
    assert caught.value.response["Error"]["Code"] == code and caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400 and caught.value.response["ResponseMetadata"]["RequestId"]


def post(daemon, target, body):
    request = urllib.request.Request(daemon.endpoint, data=body, headers={"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()) if error.headers["Content-Type"].startswith("application/x-amz-json") else {}


def test_what_nobody_serves(daemon):
    status, answer = post(daemon, "DynamoDB_20120810.ListTables", b"{}")
    assert (status, answer["__type"]) == (400, "UnknownOperationException")
    assert post(daemon, "AmazonSSM.Frobnicate", b"{}")[1]["__type"] == "InvalidAction"


def test_bodies_that_are_none(daemon, ami):
    assert post(daemon, "AmazonSSM.GetParameter", json.dumps({"Name": TINY}).encode())[1]["Parameter"]["Value"] == ami
    for body in (b"{", b"[]", b'"x"', b'{"Name":{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":{"j":1}}}}}}}}}}}', b"\xff"):
        status, answer = post(daemon, "AmazonSSM.GetParameter", body)
        assert status == 400 and answer["__type"] == "SerializationException", body
    assert post(daemon, "AmazonSSM.GetParameter", b"{}")[1]["__type"] == "MissingParameter"
    assert post(daemon, "AmazonSSM.Levitate", b"{}")[1]["__type"] == "InvalidAction"
    assert post(daemon, "Nobody.GetParameter", b"{}")[0] == 400
    assert post(daemon, "AmazonSSM.GetParameter", json.dumps({"Name": TINY, "Colour": "red"}).encode())[1]["__type"] == "UnknownParameter"


def test_the_command(daemon, ami):
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": daemon.keys.key_id, "AWS_SECRET_ACCESS_KEY": daemon.keys.secret, "AWS_DEFAULT_REGION": REGION}
    run = subprocess.run(["/usr/bin/aws", "--endpoint-url", daemon.endpoint, "ssm", "get-parameters", "--names", TINY, "--query", "Parameters[0].Value", "--output", "text"],
                         env=environment, capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == ami, run.stderr


def test_signatures_are_checked():
    with started_real_daemon() as daemon:
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            daemon.client("ssm").get_parameter(Name=TINY)
        assert caught.value.response["Error"]["Code"] == "ParameterNotFound"  # known, and there are no images yet
        daemon.keys.secret = "x" * 40
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            daemon.client("ssm").get_parameter(Name=TINY)
        assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        daemon.keys.key_id = "AKIA" + "X" * 16
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            daemon.client("ssm").get_parameter(Name=TINY)
        assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"
        status, answer = post(daemon, "AmazonSSM.GetParameter", json.dumps({"Name": TINY, "AWSAccessKeyId": daemon.keys.key_id}).encode())
        assert (status, answer["__type"]) == (400, "MissingAuthenticationTokenException")  # a key in the body is no signature
