"""Debian's own aws command, unmodified, with nothing but the environment that `brume env` prints."""
import json
import os
import subprocess

import pytest

AWS = "/usr/bin/aws"
pytestmark = pytest.mark.skipif(not os.path.exists(AWS), reason="no awscli")


@pytest.fixture
def aws(daemon, ec2, tmp_path):
    daemon.reset()

    def run(*arguments, fails=False):
        environment = {
            "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": daemon.keys.key_id, "AWS_SECRET_ACCESS_KEY": daemon.keys.secret,
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1",
        }
        done = subprocess.run([AWS, "--endpoint-url", daemon.endpoint, "--output", "json", *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else json.loads(done.stdout or "null")

    return run


def test_from_a_key_to_an_end(aws, ami, in_state, tmp_path):
    assert aws("sts", "get-caller-identity")["Account"] == "123456789012"
    aws("ec2", "create-key-pair", "--key-name", "web", "--key-type", "ed25519")
    (tmp_path / "data").write_text("#!/bin/sh\necho hello\n")
    made = aws("ec2", "run-instances", "--image-id", ami, "--count", "2", "--instance-type", "t2.micro", "--key-name", "web", "--user-data", "file://data",
               "--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=two words}]",
               "--block-device-mappings", "DeviceName=/dev/sda1,Ebs={VolumeSize=3}")
    which = [one["InstanceId"] for one in made["Instances"]]
    in_state("running", *which)
    shown = aws("ec2", "describe-instances", "--filters", "Name=tag:Name,Values=two*", "--query", "Reservations[].Instances[].InstanceId")
    assert sorted(shown) == sorted(which)
    assert {volume["Size"] for volume in aws("ec2", "describe-volumes")["Volumes"]} == {3}
    ended = aws("ec2", "terminate-instances", "--instance-ids", *which)
    assert [one["CurrentState"]["Name"] for one in ended["TerminatingInstances"]] == ["shutting-down"] * 2


def test_errors_are_shown(aws):
    said = aws("ec2", "describe-instances", "--instance-ids", "i-0123456789abcdef0", fails=True)
    assert "(InvalidInstanceID.NotFound)" in said and "i-0123456789abcdef0" in said
    assert "(UnsupportedOperation)" in aws("ec2", "create-volume", "--availability-zone", "us-east-1a", "--size", "1", fails=True)
    assert "(DryRunOperation)" in aws("ec2", "describe-vpcs", "--dry-run", fails=True)
