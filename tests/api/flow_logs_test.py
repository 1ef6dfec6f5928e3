"""Flow logs: records, and the files that they are written to."""
import pytest

import conftest

FLOWS = {"LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::flows/team/"}


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


@pytest.fixture
def vpc(ec2):
    return ec2.describe_vpcs(**by("is-default", "true"))["Vpcs"][0]["VpcId"]


@pytest.fixture
def make(ec2, vpc):
    return lambda *ids, **more: ec2.create_flow_logs(**{"ResourceType": "VPC", "ResourceIds": list(ids) or [vpc], "TrafficType": "ALL", **FLOWS, **more})


def shown(ec2, which):
    return ec2.describe_flow_logs(FlowLogIds=[which])["FlowLogs"][0]


def test_create_describe_delete(ec2, other, make, vpc, refused):
    made = make(MaxAggregationInterval=60, TagSpecifications=[{"ResourceType": "vpc-flow-log", "Tags": [{"Key": "k", "Value": "v"}]}])
    assert made["Unsuccessful"] == []
    which, = made["FlowLogIds"]
    now = shown(ec2, which)
    assert now.pop("CreationTime") and now == {
        "FlowLogId": which, "FlowLogStatus": "ACTIVE", "DeliverLogsStatus": "SUCCESS", "ResourceId": vpc, "TrafficType": "ALL", "LogDestinationType": "s3",
        "LogDestination": FLOWS["LogDestination"], "MaxAggregationInterval": 60, "Tags": [{"Key": "k", "Value": "v"}],
        "LogFormat": "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} "
                     "${action} ${log-status}",
        "DestinationOptions": {"FileFormat": "plain-text", "HiveCompatiblePartitions": False, "PerHourPartition": False}}
    for name, value in {"flow-log-id": which, "resource-id": vpc, "traffic-type": "ALL", "deliver-log-status": "SUCCESS", "log-destination-type": "s3", "tag:k": "v"}.items():
        assert [one["FlowLogId"] for one in ec2.describe_flow_logs(Filter=by(name, value)["Filters"])["FlowLogs"]] == [which], name
    with refused("FlowLogAlreadyExists"):
        make(MaxAggregationInterval=600)
    with refused("InvalidFlowLogId.NotFound"):
        other.delete_flow_logs(FlowLogIds=[which])
    gone = ec2.delete_flow_logs(FlowLogIds=[which, "fl-0123456789abcdef0"])["Unsuccessful"]
    assert [(one["ResourceId"], one["Error"]["Code"]) for one in gone] == [("fl-0123456789abcdef0", "InvalidFlowLogId.NotFound")]
    assert ec2.describe_flow_logs(FlowLogIds=[which])["FlowLogs"] == ec2.describe_tags(Filters=by("resource-id", which)["Filters"])["Tags"] == []
    with refused("InvalidFlowLogId.NotFound"):
        ec2.delete_flow_logs(FlowLogIds=[which])


def test_of_subnets_and_interfaces(ec2, make):
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    assert shown(ec2, make(subnet, ResourceType="Subnet", TrafficType="REJECT")["FlowLogIds"][0])["TrafficType"] == "REJECT"
    assert shown(ec2, make(interface, ResourceType="NetworkInterface", LogFormat="${srcaddr} ${action}")["FlowLogIds"][0])["LogFormat"] == "${srcaddr} ${action}"
    wrong = make(interface, "subnet-0123456789abcdef0", ResourceType="Subnet")
    assert wrong["FlowLogIds"] == [] and [one["Error"]["Code"] for one in wrong["Unsuccessful"]] == ["InvalidSubnetID.Malformed", "InvalidSubnetID.NotFound"]


def test_a_log_goes_with_its_interface(ec2, make):
    interface = ec2.create_network_interface(SubnetId=ec2.describe_subnets()["Subnets"][0]["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
    which, = make(interface, ResourceType="NetworkInterface")["FlowLogIds"]
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    conftest.wait_until(lambda: ec2.describe_flow_logs(FlowLogIds=[which])["FlowLogs"] == [])


def test_two_of_one_resource(make, refused):
    make(TrafficType="ACCEPT")
    make(TrafficType="REJECT")
    with refused("FlowLogsLimitExceeded"):
        make()


def test_a_token_makes_them_once(ec2, make, vpc):
    vpcs = [vpc, ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]]
    made = make(*vpcs, ClientToken="once")
    assert len(made["FlowLogIds"]) == 2 and made["ClientToken"] == "once"
    assert make(*vpcs, ClientToken="once")["FlowLogIds"] == made["FlowLogIds"]


@pytest.mark.parametrize("code, asked", [
    ("UnsupportedOperation", {"LogDestinationType": "cloud-watch-logs", "LogDestination": "", "LogGroupName": "g", "DeliverLogsPermissionArn": "arn:aws:iam::123456789012:role/r"}),
    ("UnsupportedOperation", {"LogDestinationType": "kinesis-data-firehose"}), ("InvalidParameterValue", {"LogDestinationType": "tape"}),
    ("InvalidParameter", {"LogGroupName": "g"}), ("InvalidParameter", {"LogDestination": ""}), ("InvalidParameter", {"DeliverLogsPermissionArn": "arn:aws:iam::1:role/r"}),
    ("UnsupportedOperation", {"DestinationOptions": {"FileFormat": "parquet"}}), ("UnsupportedOperation", {"LogFormat": "${tcp-flags}"}),
    ("InvalidParameterValue", {"LogFormat": "srcaddr"}), ("InvalidParameterValue", {"LogFormat": "${srcaddr} "}), ("InvalidParameter", {"MaxAggregationInterval": 30}),
    ("InvalidParameter", {"LogDestination": "arn:aws:s3:::../etc"}), ("InvalidParameter", {"LogDestination": "arn:aws:s3:::flows/../../etc"}),
    ("InvalidParameter", {"LogDestination": "arn:aws:s3:::flows/AWSLogs/"}), ("InvalidParameter", {"LogDestination": "/etc"}),
    ("InvalidParameterValue", {"TrafficType": "SOME"}), ("UnsupportedOperation", {"ResourceType": "TransitGateway"}),
    ("InvalidParameterValue", {"ResourceType": "Bucket"}), ("InvalidParameterValue", {"DestinationOptions": {"FileFormat": "orc"}}),
    ("InvalidParameter", {"LogDestinationType": "cloud-watch-logs", "LogGroupName": "g"}),
    # What is wrong is said before what is not built.
    ("InvalidParameterValue", {"LogDestinationType": "kinesis-data-firehose", "TrafficType": "SOME"}), ("InvalidParameter", {"LogFormat": "${tcp-flags}", "MaxAggregationInterval": 30}),
    ("InvalidParameterValue", {"ResourceType": "TransitGateway", "TrafficType": "SOME"}), ("InvalidParameterValue", {"DestinationOptions": {"FileFormat": "parquet"}, "LogFormat": "x"}),
], ids=str)
def test_what_is_refused(ec2, make, refused, code, asked):
    with refused(code):
        make(**asked)
    assert ec2.describe_flow_logs()["FlowLogs"] == []
