"""Other people's programs, unmodified, on real machines: Packer builds an image through SSH, Ansible launches and logs in."""
import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from cloud import ssh_options


@pytest.fixture
def run(account, cloud, tmp_path):
    """A program with nothing in its environment but what `brume env` prints."""

    def done(*command, environment=None):
        if not shutil.which(command[0]):
            pytest.skip(f"{command[0]} is not installed")
        credentials = account.session.get_credentials()
        given = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8", "AWS_ACCESS_KEY_ID": credentials.access_key,
                 "AWS_SECRET_ACCESS_KEY": credentials.secret_key, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
                 **(environment or {})}
        ended = subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert ended.returncode == 0, f"{command}: {ended.returncode}\n{ended.stdout[-6000:]}\n{ended.stderr[-3000:]}"
        return ended.stdout

    return done


def test_packer_builds_an_image(run, account, cloud, tiny, tmp_path):
    builder = {
        "type": "amazon-ebs", "region": "us-east-1", "custom_endpoint_ec2": cloud.endpoint, "skip_metadata_api_check": True, "source_ami": tiny,
        "instance_type": "t2.nano", "ssh_username": "ec2-user", "ssh_timeout": "5m", "ami_name": "built", "ami_description": "by packer",
        "tags": {"made-by": "packer"}, "associate_public_ip_address": True, "aws_polling": {"delay_seconds": 1, "max_attempts": 300},
    }
    provisioner = {"type": "shell", "inline": ["echo made by packer > /etc/proof", "sync"], "execute_command": "sudo sh {{.Path}}"}
    (tmp_path / "template.json").write_text(json.dumps({"builders": [builder], "provisioners": [provisioner]}))
    said = run("packer", "build", "-machine-readable", "template.json",
               environment={"CHECKPOINT_DISABLE": "1", "PACKER_CACHE_DIR": str(tmp_path / "cache"), "PACKER_CONFIG_DIR": str(tmp_path)})
    (made,) = re.findall(r"artifact,0,id,us-east-1:(ami-[0-9a-f]+)", said)
    (image,) = account.ec2.describe_images(ImageIds=[made])["Images"]
    assert (image["State"], image["Description"], image["Tags"]) == ("available", "by packer", [{"Key": "made-by", "Value": "packer"}])
    launched = account.launch(made).wait_ssh()
    assert launched.ssh("cat /etc/proof") == "made by packer"
    assert [key["KeyName"] for key in account.ec2.describe_key_pairs()["KeyPairs"]] == ["test"]
    account.ec2.deregister_image(ImageId=made)


def test_ansible_launches_and_logs_in(run, account, cloud, tiny, tmp_path):
    amazon = {"endpoint_url": cloud.endpoint, "region": "us-east-1"}
    book = [
        {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": {"ansible_python_interpreter": "/usr/bin/python3"}, "tasks": [
            {"amazon.aws.ec2_instance": {**amazon, "name": "played", "image_id": tiny, "instance_type": "t2.nano", "key_name": "test",
                                         "state": "running", "wait": True, "wait_timeout": 120}, "register": "made"},
            {"ansible.builtin.wait_for": {"host": "{{ made.instances[0].public_ip_address }}", "port": 22, "search_regex": "SSH", "timeout": 180}},
            {"ansible.builtin.add_host": {"name": "{{ made.instances[0].public_ip_address }}", "groups": "launched"}},
        ]},
        {"hosts": "launched", "gather_facts": False, "remote_user": "ec2-user", "tasks": [
            {"ansible.builtin.raw": "sudo sh -c 'echo played > /etc/proof'; hostname", "register": "said"},
            {"ansible.builtin.assert": {"that": ["said.stdout.startswith('ip-172-31-')"]}},
        ]},
    ]
    (tmp_path / "book.yml").write_text(yaml.safe_dump(book))
    run("ansible-playbook", "-i", "localhost,", "--private-key", account.key_file, "--ssh-common-args", " ".join(ssh_options), "book.yml",
        environment={"ANSIBLE_HOST_KEY_CHECKING": "false", "TERM": os.environ.get("TERM", "dumb")})
    (reservation,) = account.ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["played"]}])["Reservations"]
    (launched,) = reservation["Instances"]
    done = subprocess.run(["ssh", "-i", account.key_file, *ssh_options, f"ec2-user@{launched['PublicIpAddress']}", "cat /etc/proof"], capture_output=True,
                          text=True, timeout=60)
    assert done.stdout == "played\n"
