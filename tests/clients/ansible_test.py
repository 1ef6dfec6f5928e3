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


def test_a_network_and_its_end(play, ec2, ami):
    """A VPC with a public and a private subnet, all that leads packets in it, and an interface with an Elastic IP."""
    vpc, front, back, gateway = "{{ task_0.vpc.id }}", "{{ task_1.subnet.id }}", "{{ task_2.subnet.id }}", "{{ task_3.gateway_id }}"
    make = [
        task("ec2_vpc_net", name="lab", cidr_block=["10.40.0.0/16", "10.41.0.0/16"], dns_support=True, dns_hostnames=True, tags={"stage": "test"}),
        task("ec2_vpc_subnet", vpc_id=vpc, cidr="10.40.1.0/24", az="us-east-1a", map_public=True, tags={"Name": "front"}),
        task("ec2_vpc_subnet", vpc_id=vpc, cidr="10.41.2.0/24", az="us-east-1a", tags={"Name": "back"}),
        task("ec2_vpc_igw", vpc_id=vpc, tags={"Name": "door"}),
        task("ec2_vpc_route_table", vpc_id=vpc, subnets=[front], routes=[{"dest": "0.0.0.0/0", "gateway_id": gateway}], tags={"Name": "front"}),
        task("ec2_vpc_dhcp_option", vpc_id=vpc, domain_name="lab.example", dns_servers=["AmazonProvidedDNS"], tags={"Name": "lab"}),
        task("ec2_security_group", name="lab", description="d", vpc_id=vpc, rules=[{"proto": "tcp", "ports": [22], "cidr_ip": "10.40.0.0/16"}]),
        task("ec2_eni", name="second", subnet_id=front, private_ip_address="10.40.1.50", security_groups=["{{ task_6.group_id }}"],
             secondary_private_ip_addresses=["10.40.1.51"], purge_secondary_private_ip_addresses=True),
        task("ec2_eip", device_id="{{ task_7.interface.id }}", in_vpc=True, private_ip_address="10.40.1.50"),
        task("ec2_vpc_nat_gateway", subnet_id=front, if_exist_do_not_create=True, wait=True),
        task("ec2_vpc_route_table", vpc_id=vpc, subnets=[back], routes=[{"dest": "0.0.0.0/0", "nat_gateway_id": "{{ task_9.nat_gateway_id }}"}], tags={"Name": "back"}),
    ]
    made = play(*make)
    assert [one["changed"] for one in made] == [True] * len(make)
    again = play(*make)
    assert [one["changed"] for one in again] == [False] * len(make)
    assert [again[at][what]["id"] for at, what in ((0, "vpc"), (1, "subnet"), (2, "subnet"))] == [made[at][what]["id"] for at, what in ((0, "vpc"), (1, "subnet"), (2, "subnet"))]
    (interface,) = ec2.describe_network_interfaces(Filters=[{"Name": "tag:Name", "Values": ["second"]}])["NetworkInterfaces"]
    assert interface["Association"]["PublicIp"] == made[8]["public_ip"] and [one["PrivateIpAddress"] for one in interface["PrivateIpAddresses"]] == ["10.40.1.50", "10.40.1.51"]
    ids = {"vpc": made[0]["vpc"]["id"], "igw": made[3]["gateway_id"], "front": made[4]["route_table"]["id"], "back": made[10]["route_table"]["id"],
           "nat": made[9]["nat_gateway_id"], "eni": made[7]["interface"]["id"]}
    end = play(
        task("ec2_eip", device_id=ids["eni"], in_vpc=True, release_on_disassociation=True, state="absent"),
        task("ec2_eni", eni_id=ids["eni"], state="absent"),
        task("ec2_vpc_route_table", route_table_id=ids["back"], lookup="id", vpc_id=ids["vpc"], state="absent"),
        task("ec2_vpc_nat_gateway", nat_gateway_id=ids["nat"], release_eip=True, wait=True, state="absent"),
        task("ec2_vpc_route_table", route_table_id=ids["front"], lookup="id", vpc_id=ids["vpc"], state="absent"),
        task("ec2_vpc_igw", vpc_id=ids["vpc"], state="absent"),
        task("ec2_vpc_subnet", vpc_id=ids["vpc"], cidr="10.40.1.0/24", state="absent"),
        task("ec2_vpc_subnet", vpc_id=ids["vpc"], cidr="10.41.2.0/24", state="absent"),
        task("ec2_security_group", name="lab", vpc_id=ids["vpc"], state="absent"),
        task("ec2_vpc_net", vpc_id=ids["vpc"], state="absent"),
    )
    assert [one["changed"] for one in end] == [True] * len(end)
    assert len(ec2.describe_vpcs()["Vpcs"]) == 1 and ec2.describe_addresses()["Addresses"] == []


def test_a_group_with_all_kinds_of_rules_twice(play, ec2):
    """Ingress and egress, by range, by IPv6 range, by group and by itself, ICMP and all protocols; then fewer of them."""
    rules = [
        {"proto": "tcp", "ports": [22, "8000-8100"], "cidr_ip": ["10.0.0.0/8", "192.0.2.0/24"], "rule_desc": "inside"},
        {"proto": "tcp", "from_port": 443, "to_port": 443, "cidr_ipv6": "2001:db8::/32"},
        {"proto": "icmp", "from_port": 8, "to_port": -1, "cidr_ip": "0.0.0.0/0"},
        {"proto": "udp", "ports": 53, "group_name": "front"},
        {"proto": "all", "group_name": "back"},
    ]
    egress = [{"proto": "tcp", "ports": [80, 443], "cidr_ip": "0.0.0.0/0"}, {"proto": "udp", "ports": 53, "group_name": "front"}]
    make = [
        task("ec2_security_group", name="front", description="d", rules=[], tags={"stage": "test"}),
        task("ec2_security_group", name="back", description="d", rules=rules, rules_egress=egress),
        task("ec2_security_group_info", filters={"group-name": "back"}),
    ]
    made = play(*make)
    assert [one["changed"] for one in made] == [True, True, False]
    again = play(*make)
    assert [one["changed"] for one in again] == [False] * 3
    (group,) = ec2.describe_security_groups(GroupNames=["back"])["SecurityGroups"]
    kept = {rule["SecurityGroupRuleId"] for rule in ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}])["SecurityGroupRules"]}
    assert len(kept) == 4 + 1 + 1 + 1 + 1 + 3
    # A rule less: the others are the same rules as before, and again nothing is left to do.
    less = [task("ec2_security_group", name="back", description="d", rules=rules[1:], rules_egress=egress)]
    assert [one["changed"] for one in play(*less)] == [True]
    left = {rule["SecurityGroupRuleId"] for rule in ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}])["SecurityGroupRules"]}
    assert left < kept and len(left) == len(kept) - 4
    assert [one["changed"] for one in play(*less)] == [False]
    end = [task("ec2_security_group", name=name, state="absent") for name in ("back", "front")]
    assert [one["changed"] for one in play(*end)] == [True, True]
    assert [one["changed"] for one in play(*end)] == [False, False]


def test_a_volume_and_its_snapshot(play, ec2, launch):
    which = launch()["InstanceId"]
    make = [
        task("ec2_vol", name="data", volume_size=8, volume_type="gp3", iops=3500, throughput=150, instance=which, device_name="/dev/sdf", encrypted=True),
        task("ec2_vol", id="{{ task_0.volume_id }}", zone="{{ task_0.volume.zone }}", volume_size=9, modify_volume=True),
        task("ec2_snapshot", volume_id="{{ task_0.volume_id }}", description="by hand", snapshot_tags={"stage": "test"}, wait=True, wait_timeout=60),
        task("ec2_snapshot_info", filters={"volume-id": "{{ task_0.volume_id }}"}),
    ]
    made = play(*make)
    assert [one["changed"] for one in made] == [True, True, True, False]
    volume = made[0]["volume"]
    assert (volume["size"], volume["type"], volume["iops"], volume["throughput"], volume["encrypted"]) == (8, "gp3", 3500, 150, True)
    assert volume["attachment_set"][0]["instance_id"] == which and volume["attachment_set"][0]["device"] == "/dev/sdf"
    assert ec2.describe_volumes(VolumeIds=[volume["id"]])["Volumes"][0]["Size"] == 9
    (snapshot,) = made[3]["snapshots"]
    assert snapshot["snapshot_id"] == made[2]["snapshot_id"] and snapshot["encrypted"] is True and snapshot["tags"] == {"Name": "data", "stage": "test"}
    done = play(
        task("ec2_vol", id=volume["id"], instance="None"),
        task("ec2_vol", snapshot=snapshot["snapshot_id"], zone=volume["zone"], name="copy"),
        task("ec2_vol", id=volume["id"], state="absent"),
        task("ec2_vol", id="{{ task_1.volume_id }}", state="absent"),
        task("ec2_snapshot", snapshot_id=snapshot["snapshot_id"], state="absent"),
    )
    assert [one["changed"] for one in done] == [True] * 5
    assert len(ec2.describe_volumes()["Volumes"]) == 1 and ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
