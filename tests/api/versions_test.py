"""What came after the version that a client speaks is not there for it: actions and parameters, by the model and its overlay."""
import pytest

import model_scenarios
import service_model
from conftest import NEW, OLD
from model_errors_test import members_below, names_in, nearest, with_value
from service_model import OLD_NUMBER, built, own, since

EC2 = [name for name, service in built().items() if service == "ec2"]
LATER = [name for name in EC2 if not service_model.was_there(name)]
# What a value has to look like for the parameter to be read at all.
VALUES = {"boolean": True, "integer": 1, "long": 1, "float": 1, "double": 1, "timestamp": "2030-01-01T00:00:00Z", "blob": b"x"}


@pytest.fixture
def world(daemon):
    return model_scenarios.World(daemon, daemon.create_account("versions"))


def test_there_is_something_to_look_at():
    assert {"DescribeInstanceTypes", "CopySnapshot", "ReportInstanceStatus", "ModifyVolume"} < set(LATER)
    assert {"RunInstances", "DescribeImages", "CreateTags"}.isdisjoint(LATER)
    assert {("DryRun",), ("TagSpecifications", "Tags", "Key"), ("IamInstanceProfile", "Name")} < {names for names, _ in later_parameters("RunInstances")}


@pytest.mark.parametrize("action", LATER)
def test_later_actions(daemon, action):
    assert daemon.query(action, OLD).code == "InvalidAction"
    assert daemon.query(action, NEW).code != "InvalidAction"


def later_parameters(operation):
    """(names, (path, kind)) of each parameter that came after 2011-12-01."""
    model = own("ec2")
    root = model.operations[operation]["input"]
    for path, kind in members_below(model, root):
        shape_name = root
        for key in path:
            shape = model.shapes[shape_name]
            ref = shape["members"][key] if shape["type"] == "structure" else shape["member"]
            if since(ref) > OLD_NUMBER:
                yield names_in(path), (path, kind)
                break
            shape_name = ref["shape"]


@pytest.mark.parametrize("operation", sorted(set(EC2) - set(LATER)))
def test_later_parameters(world, operation):
    model, cases = own("ec2"), [case(world) for case in model_scenarios.cases_of(operation)]
    then = [service_model.as_of_2011(model, model.operations[operation]["input"], case) for case in cases]
    for names, (path, kind) in later_parameters(operation):
        base = nearest(then, path)
        answer = world.send(operation, with_value(base, path, VALUES.get(kind, "x")), OLD)
        missing = answer.code == "MissingParameter"  # what it is about may have come later too
        assert answer.status == 400 and (answer.code == "UnknownParameter" or missing), f"{names}: {answer.body.decode()[:300]}"
        now = {**with_value(nearest(cases, path), path, VALUES.get(kind, "x")), "DryRun": True}  # nothing of it is left in the way of the next
        assert world.send(operation, now).code != "UnknownParameter", names


def test_versions_in_between(daemon, ec2):
    """An older client of boto 2 speaks 2014-10-01."""
    assert daemon.query("DescribeSnapshots", "2014-09-01", MaxResults="5").code == "UnknownParameter"
    assert daemon.query("DescribeSnapshots", "2014-10-01", MaxResults="5").status == 200
    assert daemon.query("DescribeIdFormat", "2014-10-01").code == "InvalidAction"
    assert daemon.query("DescribeIdFormat", "2015-10-01").status == 200
    assert daemon.query("CopySnapshot", "2014-10-01").code == "MissingParameter"
