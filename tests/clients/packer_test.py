"""Packer's amazon-ebs builder, as Debian has it, with `custom_endpoint_ec2`: an image made of an instance that was made of an image.

In simulation nothing boots, so this build goes without a communicator; tests/system/clients_test.py builds one through SSH.
"""
import json
import pathlib
import re

import pytest

from conftest import needs

TEMPLATE = {
    "type": "amazon-ebs", "region": "us-east-1", "skip_metadata_api_check": True, "instance_type": "t2.micro", "communicator": "none",
    "ami_name": "built", "ami_description": "by packer", "tags": {"made-by": "packer"}, "run_tags": {"Name": "builder"},
    "aws_polling": {"delay_seconds": 1, "max_attempts": 60},
    "source_ami_filter": {"filters": {"name": "tiny"}, "owners": ["000000000001"], "most_recent": True},
}


@pytest.fixture
def packer(daemon, run, tmp_path):
    def command(verb, **more):
        builder = {**TEMPLATE, "custom_endpoint_ec2": daemon.endpoint, **more}
        pathlib.Path(tmp_path, "template.json").write_text(json.dumps({"builders": [builder]}))
        return run("packer", verb, "-machine-readable" if verb == "build" else "-syntax-only", "template.json",
                   environment={"CHECKPOINT_DISABLE": "1", "PACKER_CACHE_DIR": str(tmp_path / "cache"), "PACKER_CONFIG_DIR": str(tmp_path)})

    return command


def test_the_template_is_one(packer):
    assert "Syntax-only check passed" in packer("validate")


@needs("CreateImage", "DescribeInstanceStatus")
def test_an_image_is_built(packer, ec2, ami):
    said = packer("build")
    (made,) = re.findall(r"artifact,0,id,us-east-1:(ami-[0-9a-f]+)", said)
    (image,) = ec2.describe_images(Owners=["self"])["Images"]
    assert image["ImageId"] == made and image["Name"] == "built" and image["Description"] == "by packer" and image["State"] == "available"
    assert image["Tags"] == [{"Key": "made-by", "Value": "packer"}] and image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    # It takes away what it made for the building.
    states = {one["State"]["Name"] for each in ec2.describe_instances()["Reservations"] for one in each["Instances"]}
    assert states <= {"shutting-down", "terminated"} and ec2.describe_key_pairs()["KeyPairs"] == []
    assert [group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]] == ["default"]


def test_a_surrogate_becomes_an_image(packer, ec2, ami):
    """amazon-ebssurrogate: a volume is written beside the root, and an image is registered of a snapshot of it."""
    said = packer("build", type="amazon-ebssurrogate", ami_virtualization_type="hvm",
                  launch_block_device_mappings=[{"device_name": "/dev/xvdf", "volume_size": 2, "volume_type": "gp2", "delete_on_termination": True}],
                  ami_root_device={"source_device_name": "/dev/xvdf", "device_name": "/dev/xvda", "volume_size": 2, "volume_type": "gp2", "delete_on_termination": True})
    (made,) = re.findall(r"artifact,0,id,us-east-1:(ami-[0-9a-f]+)", said)
    (image,) = ec2.describe_images(Owners=["self"])["Images"]
    assert image["ImageId"] == made and image["RootDeviceName"] == "/dev/xvda" and image["State"] == "available"
    (mapping,) = image["BlockDeviceMappings"]
    assert mapping["DeviceName"] == "/dev/xvda" and mapping["Ebs"]["VolumeSize"] == 2
    (snapshot,) = ec2.describe_snapshots(SnapshotIds=[mapping["Ebs"]["SnapshotId"]])["Snapshots"]
    assert snapshot["VolumeSize"] == 2
