"""Other people's programs, unmodified, on real machines: Ansible launches and logs in."""
import json
import os
import shutil
import subprocess

import pytest
import yaml

from cloud import root, ssh_options


def needs(*operations):
    families = json.loads((root / "models/built.json").read_text())["ec2"]
    missing = set(operations) - {name for names in families.values() for name in names}
    return pytest.mark.skipif(bool(missing), reason=f"not built: {', '.join(sorted(missing))}")


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


@needs("DescribeInstanceStatus")
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
