"""Whether ids are long: they are."""
import pytest

ROOT = "arn:aws:iam::123456789012:root"


def test_every_kind_has_long_ids(ec2):
    statuses = ec2.describe_id_format()["Statuses"]
    assert len(statuses) == 31 and {one["UseLongIds"] for one in statuses} == {True}
    assert ec2.describe_id_format(Resource="instance")["Statuses"] == [{"Resource": "instance", "UseLongIds": True}]
    assert ec2.describe_identity_id_format(PrincipalArn=ROOT, Resource="volume")["Statuses"] == [{"Resource": "volume", "UseLongIds": True}]
    whole = ec2.describe_aggregate_id_format()
    assert whole["UseLongIdsAggregated"] is True and whole["Statuses"] == statuses
    (principal,) = ec2.describe_principal_id_format(Resources=["vpc", "subnet"])["Principals"]
    assert principal["Arn"] == ROOT and [one["Resource"] for one in principal["Statuses"]] == ["subnet", "vpc"]


def test_they_cannot_be_made_short(ec2, refused):
    ec2.modify_id_format(Resource="instance", UseLongIds=True)
    ec2.modify_identity_id_format(Resource="all-current", UseLongIds=True, PrincipalArn="all")
    for change in (
        lambda: ec2.modify_id_format(Resource="instance", UseLongIds=False),
        lambda: ec2.modify_identity_id_format(Resource="instance", UseLongIds=False, PrincipalArn=ROOT),
    ):
        with refused("OperationNotPermitted"):
            change()


@pytest.mark.parametrize("ask", [
    lambda ec2: ec2.describe_id_format(Resource="kitchen"),
    lambda ec2: ec2.describe_identity_id_format(PrincipalArn="arn:aws:iam::999988887777:root"),
    lambda ec2: ec2.modify_id_format(Resource="kitchen", UseLongIds=True),
    lambda ec2: ec2.describe_principal_id_format(Resources=["kitchen"]),
])
def test_what_there_is_not(ec2, refused, ask):
    with refused("InvalidParameterValue"):
        ask(ec2)


def test_account_attributes(ec2, refused):
    shown = {one["AttributeName"]: [value["AttributeValue"] for value in one["AttributeValues"]] for one in ec2.describe_account_attributes()["AccountAttributes"]}
    assert set(shown) == {"supported-platforms", "default-vpc", "max-instances", "vpc-max-security-groups-per-interface", "max-elastic-ips", "vpc-max-elastic-ips"}
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    assert shown["default-vpc"] == [vpc["VpcId"]] and shown["supported-platforms"] == ["VPC"]
    (one,) = ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"]
    assert one["AttributeName"] == "default-vpc"
    with refused("InvalidParameterValue"):
        ec2.describe_account_attributes(AttributeNames=["favourite-colour"])
