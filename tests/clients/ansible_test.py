"""Ansible's amazon.aws modules, as Debian has them: a playbook that makes what it names, changes nothing the second time, and ends it."""
import json
import os
import pathlib

import pytest
import yaml

from conftest import needs

pytestmark = pytest.mark.skipif(not os.path.exists("/usr/lib/python3/dist-packages/ansible_collections/amazon/aws"), reason="no ansible with amazon.aws")


@pytest.fixture
def play(daemon, run, tmp_path):
    """play([task, …]): runs them; what each of them registered, by its name."""

    def playbook(*tasks, **values):
        numbered = [{**task, "register": f"task_{at}"} for at, task in enumerate(tasks)]
        show = {"ansible.builtin.copy": {"dest": str(tmp_path / "results"), "content": "{{ [" + ", ".join(f"task_{at}" for at in range(len(tasks))) + "] | to_json }}"}}
        book = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": {"ansible_python_interpreter": "/usr/bin/python3", **values},
                 "module_defaults": {"group/aws": {"endpoint_url": daemon.endpoint, "region": "us-east-1"}}, "tasks": [*numbered, show]}]
        (tmp_path / "book.yml").write_text(yaml.safe_dump(book))
        run("ansible-playbook", "-i", "localhost,", "book.yml", environment={"ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false"})
        return json.loads(pathlib.Path(tmp_path / "results").read_text())

    return playbook


def task(module, **arguments):
    return {f"amazon.aws.{module}": arguments}


@needs("DescribeInstanceStatus")
def test_a_key_a_group_and_an_instance(play, ec2, ami):
    make = [
        task("ec2_vpc_subnet_info", filters={"default-for-az": "true"}),
        task("ec2_vpc_subnet_info", filters={"vpc-id": "{{ task_0.subnets[0].vpc_id }}"}),
        task("ec2_ami_info", filters={"name": "tiny"}),
        task("ec2_key", name="web", key_type="ed25519"),
        task("ec2_security_group", name="web", description="d", vpc_id="{{ task_0.subnets[0].vpc_id }}",
             rules=[{"proto": "tcp", "ports": [22, 80], "cidr_ip": "0.0.0.0/0"}]),
        task("ec2_instance", name="first", image_id="{{ task_2.images[0].image_id }}", instance_type="t2.micro", key_name="web", security_group="web",
             vpc_subnet_id="{{ task_1.subnets[0].subnet_id }}", state="running", wait=True, wait_timeout=60, tags={"stage": "test"}),
        task("ec2_instance_info", filters={"tag:Name": "first", "instance-state-name": ["running"]}),
    ]
    made = play(*make)
    assert [one["changed"] for one in made] == [False] * 3 + [True] * 3 + [False]
    assert "PRIVATE KEY" in made[3]["key"]["private_key"] and len(made[1]["subnets"]) == 3 and made[2]["images"][0]["image_id"] == ami
    (instance,) = made[6]["instances"]
    assert instance["tags"] == {"Name": "first", "stage": "test"} and instance["key_name"] == "web" and instance["instance_type"] == "t2.micro"
    assert [group["group_name"] for group in instance["security_groups"]] == ["web"]
    # What is there is left alone.
    again = play(*make)
    assert [one["changed"] for one in again] == [False] * len(make)
    assert again[6]["instances"][0]["instance_id"] == instance["instance_id"]


def test_states_tags_and_the_end(play, ec2, launch):
    which = launch(TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "one"}]}])["InstanceId"]
    done = play(
        task("ec2_tag", resource=which, tags={"stage": "test"}),
        task("ec2_tag_info", resource=which),
        task("ec2_instance", instance_ids=[which], state="stopped", wait=True, wait_timeout=60),
        task("ec2_instance", instance_ids=[which], state="running", wait=True, wait_timeout=60),
        task("ec2_vol_info", filters={"attachment.instance-id": which}),
        task("ec2_instance", instance_ids=[which], state="absent", wait=True, wait_timeout=60),
        task("ec2_security_group_info", filters={"group-name": "default"}),
        task("ec2_key", name="nobody", state="absent"),
        task("aws_caller_info"),
        task("aws_az_info"),
    )
    assert [one["changed"] for one in done] == [True, False, True, True, False, True, False, False, False, False]
    assert done[1]["tags"] == {"Name": "one", "stage": "test"}
    assert done[4]["volumes"][0]["attachment_set"][0]["instance_id"] == which
    assert done[8]["account"] == "123456789012" and len(done[9]["availability_zones"]) == 3
    (reservation,) = ec2.describe_instances(InstanceIds=[which])["Reservations"]
    assert reservation["Instances"][0]["State"]["Name"] in ("shutting-down", "terminated")
