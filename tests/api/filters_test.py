"""Filters of every Describe action: names without values, unknown names, no name."""
import functools
import re

import botocore.session
import pytest

from service_model import built, own

QUERY = "2016-11-15"


@functools.lru_cache(None)
def documented():
    """{action: names of filters} as botocore's text has them, and a tag's."""
    model = botocore.session.get_session().get_service_model("ec2")
    found = {}
    for name, service in built().items():
        if service != "ec2" or name not in model.operation_names or model.operation_model(name).input_shape is None:
            continue
        shape = own("ec2").shapes[own("ec2").operations[name]["input"]]
        for member in ("Filters", "Filter"):
            if name.startswith("Describe") and member in shape["members"] and not shape.get("required"):
                text = model.operation_model(name).input_shape.members[member].documentation if member in model.operation_model(name).input_shape.members else ""
                found[name] = ["tag:a", "tag-key", *dict.fromkeys(re.findall(r"<p>\s*<code>([a-z][a-zA-Z0-9.-]+)</code>", text))]
    return found


def test_there_are_actions_with_filters():
    assert len(documented()) > 25 and "vpc-id" in documented()["DescribeSubnets"] and "name" in documented()["DescribeImages"]


@pytest.mark.parametrize("action", documented())
def test_a_filter_without_values_matches_nothing(query, action):
    key = {"LaunchTemplateVersion.1": "$Latest"} if action == "DescribeLaunchTemplateVersions" else {}
    taken = 0
    for name in documented()[action][:5]:
        with_value = query(action, QUERY, {**key, "Filter.1.Name": name, "Filter.1.Value.1": "nothing-is-called-so"})
        if with_value.code == "InvalidParameterValue":
            continue  # not a filter of this action
        taken += 1
        answer = query(action, QUERY, {**key, "Filter.1.Name": name})
        assert answer.status == 200, (name, answer.body)
        assert answer.tree.findall("./*/item") == [], (name, answer.body)
    assert taken


def test_unknown_names_and_none(query):
    for parameters, code in (({"Filter.1.Name": "no-such-filter"}, "InvalidParameterValue"), ({"Filter.1.Value.1": "x"}, "MissingParameter"),
                             ({"Filter.1.Name": "", "Filter.1.Value.1": "x"}, "MissingParameter")):
        for action in ("DescribeSubnets", "DescribeInstances", "DescribeImages", "DescribeTags", "DescribeVolumes"):
            assert query(action, QUERY, parameters).code == code, (action, parameters)


def test_beside_others(ec2, launch):
    """One filter that nothing can match is enough, whatever the others say."""
    one = launch()["InstanceId"]
    there = {"Name": "instance-id", "Values": [one]}
    assert ec2.describe_instances(Filters=[there])["Reservations"]
    for name in ("instance-id", "tag:a", "tag-key", "vpc-id"):
        assert ec2.describe_instances(Filters=[there, {"Name": name, "Values": []}])["Reservations"] == []
