"""Service Quotas over its JSON protocol: what the account may have of EC2, for boto3 and the AWS command line."""
import botocore.exceptions
import pytest



@pytest.fixture
def quotas(daemon, ec2):
    return daemon.client("service-quotas")


def values(answer):
    return {one["QuotaCode"]: one["Value"] for one in answer["Quotas"]}


def test_what_is_counted(quotas, quota):
    assert [one["ServiceCode"] for one in quotas.list_services()["Services"]] == ["ebs", "ec2", "vpc"]
    quota("addresses", 7)
    quota("vcpus", 32)
    shown = quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-0263D0A3")["Quota"]
    assert (shown["QuotaName"], shown["Value"], shown["Adjustable"], shown["GlobalQuota"]) == ("EC2-VPC Elastic IPs", 7.0, True, False)
    assert shown["QuotaArn"] == "arn:aws:servicequotas:us-east-1:123456789012:ec2/L-0263D0A3" and shown["ServiceName"].endswith("(Amazon EC2)")
    assert quotas.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode="L-0263D0A3")["Quota"]["Value"] == 1000000.0  # of a simulation: none
    assert values(quotas.list_service_quotas(ServiceCode="ec2"))["L-1216C47A"] == 32.0
    vpc = values(quotas.list_service_quotas(ServiceCode="vpc"))
    assert vpc["L-0EA8095F"] == 60.0 and vpc["L-407747CB"] == 200.0  # what one group or VPC may hold


def test_of_each_account_its_own(daemon, other, other_account, quotas, quota):
    quota("vpcs", 3, other_account)
    assert quotas.get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quota"]["Value"] == 1000000.0
    assert daemon.client("service-quotas", other_account).get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quota"]["Value"] == 3.0


def test_pages(quotas):
    for service in ("ec2", "vpc", "ebs"):
        for name in ("list_service_quotas", "list_aws_default_service_quotas"):
            whole = [one["QuotaCode"] for one in getattr(quotas, name)(ServiceCode=service)["Quotas"]]
            pages = list(quotas.get_paginator(name).paginate(ServiceCode=service, PaginationConfig={"PageSize": 2}))
            assert [one["QuotaCode"] for page in pages for one in page["Quotas"]] == whole == sorted(whole) and len(pages) == (len(whole) + 1) // 2


@pytest.mark.parametrize("code, call, parameters", [
    ("NoSuchResourceException", "list_service_quotas", {"ServiceCode": "moon"}),
    ("NoSuchResourceException", "get_service_quota", {"ServiceCode": "ec2", "QuotaCode": "L-00000000"}),
    ("NoSuchResourceException", "get_service_quota", {"ServiceCode": "vpc", "QuotaCode": "L-0263D0A3"}),
    ("NoSuchResourceException", "get_aws_default_service_quota", {"ServiceCode": "moon", "QuotaCode": "L-0263D0A3"}),
    ("InvalidPaginationTokenException", "list_services", {"NextToken": "%%%"}),
    ("IllegalArgumentException", "list_services", {"MaxResults": 101}),
    ("UnsupportedOperation", "request_service_quota_increase", {"ServiceCode": "ec2", "QuotaCode": "L-0263D0A3", "DesiredValue": 9.0}),
], ids=str)
def test_errors(quotas, code, call, parameters):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(quotas, call)(**parameters)
    assert caught.value.response["Error"]["Code"] == code and caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
