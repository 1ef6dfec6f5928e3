"""boto3's higher half: resources, collections, waiters and paginators, which need more of an answer than a client does."""
import time

import boto3
import pytest

from conftest import REGION


@pytest.fixture
def resource(daemon, ec2, monkeypatch):
    # Its waiters look every 15 s, at nothing but the time.
    monkeypatch.setattr("botocore.waiter.time.sleep", lambda seconds, sleep=time.sleep: sleep(min(seconds, 0.05)))
    return boto3.resource("ec2", endpoint_url=daemon.endpoint, region_name=REGION, aws_access_key_id=daemon.keys.key_id,
                          aws_secret_access_key=daemon.keys.secret)


def test_resources(resource, ami):
    pair = resource.create_key_pair(KeyName="web", KeyType="ed25519")
    (vpc,) = resource.vpcs.filter(Filters=[{"Name": "is-default", "Values": ["true"]}])
    group = resource.create_security_group(GroupName="web", Description="d", VpcId=vpc.id)
    group.authorize_ingress(IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    (one,) = resource.create_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t2.micro", KeyName=pair.name, SecurityGroupIds=[group.id])
    one.wait_until_running()
    one.reload()
    assert one.state["Name"] == "running" and one.key_pair.name == "web" and one.image.name == "tiny" and one.vpc.id == vpc.id
    assert [each.id for each in vpc.instances.all()] == [one.id] and one.subnet.vpc_id == vpc.id
    (volume,) = one.volumes.all()
    assert volume.state == "in-use" and volume.attachments[0]["InstanceId"] == one.id
    one.create_tags(Tags=[{"Key": "Name", "Value": "first"}])
    assert [each.id for each in resource.instances.filter(Filters=[{"Name": "tag:Name", "Values": ["first"]}])] == [one.id]
    one.stop()
    one.wait_until_stopped()
    one.start()
    one.wait_until_running()
    assert one.console_output()["InstanceId"] == one.id
    one.terminate()
    one.wait_until_terminated()
    group.delete()
    pair.delete()
    assert list(resource.key_pairs.all()) == []


def test_pages(ec2, ami):
    for _ in range(7):
        ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t2.micro")
    pages = list(ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Reservations"]) for page in pages] == [5, 2]
    waiter = ec2.get_waiter("instance_running")
    waiter.config.delay = 1
    waiter.wait(InstanceIds=[one["Instances"][0]["InstanceId"] for page in pages for one in page["Reservations"]])
