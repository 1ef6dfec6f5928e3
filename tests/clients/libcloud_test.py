"""Apache Libcloud's EC2 driver, as Debian has it."""
import urllib.parse

import pytest

from conftest import needs

compute = pytest.importorskip("libcloud.compute.providers", reason="no python3-libcloud")
types = pytest.importorskip("libcloud.compute.types")


@pytest.fixture
def driver(daemon, ec2):
    where = urllib.parse.urlsplit(daemon.endpoint)
    return compute.get_driver(types.Provider.EC2)(daemon.keys.key_id, daemon.keys.secret, region="us-east-1", secure=False, host=where.hostname, port=where.port)


@needs("DescribeAddresses")  # each list of nodes asks for them
def test_a_node_from_beginning_to_end(driver, ami):
    assert [place.availability_zone.name for place in driver.list_locations()] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    (image,) = driver.list_images(ex_image_ids=[ami])
    assert image.name == "tiny" and image.extra["state"] == "available" and driver.get_image(ami).id == ami
    (size,) = [one for one in driver.list_sizes() if one.id == "t2.micro"]
    pair = driver.create_key_pair("web")
    assert "PRIVATE KEY" in pair.private_key and [one.name for one in driver.list_key_pairs()] == ["web"]
    assert driver.ex_create_security_group("web", "d")["group_id"].startswith("sg-")
    assert driver.ex_authorize_security_group("web", 22, 22, "0.0.0.0/0")
    node = driver.create_node(name="first", image=image, size=size, ex_keyname="web", ex_security_groups=["web"], ex_userdata="#!/bin/sh",
                              ex_metadata={"stage": "test"}, location=driver.list_locations()[1])
    ((node, addresses),) = driver.wait_until_running([node], wait_period=0.1, timeout=20)
    assert node.name == "first" and node.public_ips == addresses and node.extra["availability"] == "us-east-1b"
    assert driver.ex_describe_tags(node)["stage"] == "test" and node.extra["key_name"] == "web"
    assert [one.id for one in driver.list_nodes(ex_filters={"tag:stage": "test"})] == [node.id]
    (volume,) = driver.list_volumes(node)
    assert volume.size == 1 and volume.extra["instance_id"] == node.id
    assert driver.reboot_node(node) and driver.ex_create_tags(node, {"more": "tags"})
    assert driver.ex_get_console_output(node)["instance_id"] == node.id
    assert driver.stop_node(node)
    assert driver.destroy_node(node) and driver.delete_key_pair(pair)


def test_networks_and_groups(driver):
    (network,) = driver.ex_list_networks()
    assert network.cidr_block == "172.31.0.0/16" and len(driver.ex_list_subnets()) == 3
    assert driver.ex_list_security_groups() == ["default"]
    assert [group.name for group in driver.ex_get_security_groups()] == ["default"]
