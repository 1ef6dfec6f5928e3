"""Who am I? sts:GetCallerIdentity as boto3 and a plain reader see it."""
import xml.etree.ElementTree as ElementTree

VERSION = "2011-06-15"


def test_identity(daemon, other_account):
    mine = daemon.client("sts").get_caller_identity()
    assert (mine["Account"], mine["Arn"], mine["UserId"]) == ("123456789012", "arn:aws:iam::123456789012:root", "123456789012")
    theirs = daemon.client("sts", other_account).get_caller_identity()
    assert theirs["Account"] == other_account.account and theirs["Arn"] == f"arn:aws:iam::{other_account.account}:root"


def test_document(daemon):
    answer = daemon.query("GetCallerIdentity", version=VERSION)
    root = ElementTree.fromstring(answer.body)
    assert root.tag == "{https://sts.amazonaws.com/doc/2011-06-15/}GetCallerIdentityResponse"
    assert [child.tag for child in answer.tree] == ["GetCallerIdentityResult", "ResponseMetadata"]
    assert sorted(child.tag for child in answer.tree.find("GetCallerIdentityResult")) == ["Account", "Arn", "UserId"]
    assert answer.texts("ResponseMetadata/RequestId")[0]


def test_errors_are_in_its_own_words(daemon):
    unbuilt, unknown = daemon.query("AssumeRole", version=VERSION), daemon.query("Frobnicate", version=VERSION)
    for answer in (unbuilt, unknown):
        assert answer.status == 400 and answer.tree.tag == "ErrorResponse" and answer.texts("Error/Type") == ["Sender"] and answer.texts("RequestId")[0]
    assert (unbuilt.code, unknown.code) == ("UnsupportedOperation", "InvalidAction")


def test_an_ec2_action_is_not_its(daemon):
    assert daemon.query("DescribeInstances", version=VERSION).code == "InvalidAction"
    assert daemon.query("GetCallerIdentity").code == "InvalidAction"
