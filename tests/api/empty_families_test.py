"""Describing, changing and removing what nobody can have here (models/empty.json): every row of the table: empty lists, and the usual errors."""
import json
import re

import botocore.exceptions
import pytest

import service_model
from conftest import NEW, OLD
from service_model import ROOT, own

TABLE = json.loads((ROOT / "models/empty.json").read_text())
ACTIONS, KINDS = TABLE["ec2"], TABLE["kinds"]
# Of what is built: an id that nobody has, and what is said of it and of one that is none.
BUILT_KINDS = {
    "address": ("eipalloc-0123456789abcdef0", "InvalidAllocationID.NotFound", "InvalidAllocationID.Malformed"),
    "image": ("ami-0123456789abcdef0", "InvalidAMIID.NotFound", "InvalidAMIID.Malformed"),
    "instance": ("i-0123456789abcdef0", "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"),
    "route-table": ("rtb-0123456789abcdef0", "InvalidRouteTableID.NotFound", "InvalidRouteTableID.Malformed"),
    "subnet": ("subnet-0123456789abcdef0", "InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed"),
    "vpc": ("vpc-0123456789abcdef0", "InvalidVpcID.NotFound", "InvalidVpcID.Malformed"),
}
TAILS = {"hex": "0123456789abcdef0", "uuid": "73fbd2ce-aa30-494c-8788-1cee4EXAMPLE".replace("EXAMPLE", "abcdef0"), "prefix": "0123abcd", "any": "x-1"}


def shapes():
    return own("ec2").shapes


def members(action):
    return shapes()[own("ec2").operations[action]["input"]]["members"]


def wire_name(action, member):
    return own("ec2").parameter_name(member, members(action)[member])


def required(action):
    return shapes()[own("ec2").operations[action]["input"]].get("required", [])


def an_id(kind):
    """(one that nobody has, its code, the code of one that cannot be)"""
    if kind in BUILT_KINDS:
        return BUILT_KINDS[kind]
    row = KINDS[kind]
    return (row["prefix"] + "-" if row["prefix"] else "") + TAILS[row["form"]], row["not_found"], row["malformed"]


def sample(action, member):
    if member == "Filters":
        name = wire_name(action, member)
        return {f"{name}.1.Name": "state", f"{name}.1.Value.1": "active"}
    kind = ACTIONS[action].get("ids", {}).get(member)
    shape = shapes()[members(action)[member]["shape"]]
    name = wire_name(action, member)
    return {name + (".1" if shape["type"] == "list" else ""): an_id(kind)[0]} if kind else values(name, shape)


def values(name, shape):
    """Parameters below this name that are of the shape, with what it requires."""
    if shape["type"] == "list":
        return values(name + ".1", shapes()[shape["member"]["shape"]])
    if shape["type"] == "structure":
        out = {}
        for member in shape.get("required", []) or list(shape["members"])[:1]:
            ref = shape["members"][member]
            out.update(values(f"{name}.{own('ec2').parameter_name(member, ref)}", shapes()[ref["shape"]]))
        return out
    value = {"timestamp": "2026-01-01T00:00:00Z", "integer": shape.get("min", 5), "long": shape.get("min", 5), "boolean": "true"}.get(shape["type"], "x")
    return {name: shape.get("enum", [value])[0]}


def needed(action, ec2=None):
    """The parameters without which the action is not asked; a subnet that is there, when `ec2` can find one."""
    out = {}
    for member in required(action):
        out.update(sample(action, member))
        if ec2 and ACTIONS[action].get("ids", {}).get(member) == "subnet":
            out[wire_name(action, member)] = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    return out


def always_unknown(action):
    """The code of what must be named and is never there, or that says that there is none."""
    row = ACTIONS[action]
    codes = [an_id(kind)[1] for member, kind in row.get("ids", {}).items() if member in required(action) and kind in KINDS]
    return codes[0] if codes else row.get("error", [None])[0]


LISTING = [action for action in ACTIONS if not always_unknown(action)]
NAMING = [action for action in ACTIONS if always_unknown(action)]
ALL = sorted(ACTIONS)


def test_the_table_is_worth_it():
    assert len(LISTING) > 100 and len(NAMING) > 200
    assert {kind for row in ACTIONS.values() for kind in row.get("ids", {}).values()} <= set(KINDS) | set(BUILT_KINDS)


@pytest.mark.parametrize("action", LISTING)
def test_an_empty_list(query, ec2, action):
    answer = query(action, NEW, needed(action, ec2))
    assert answer.status == 200, answer.body
    assert service_model.deviations("ec2", action, answer.body) == []
    output = shapes()[own("ec2").operations[action]["output"]]["members"]
    lists = {own("ec2").element_name(name, ref) for name, ref in output.items() if shapes()[ref["shape"]]["type"] == "list"}
    assert lists and {child.tag for child in answer.tree} == lists | {"requestId"}
    assert not [child.tag for child in answer.tree if len(child)]


@pytest.mark.parametrize("action", [action for action in ALL if service_model.was_there(action)])
def test_in_the_api_of_the_guide(query, action):
    answer = query(action, OLD, needed(action))
    if always_unknown(action):
        assert answer.code == always_unknown(action), answer.body
    else:
        assert answer.status == 200 and service_model.old_deviations(action, answer.body) == []


def test_what_came_later_is_no_action_of_the_guide(query):
    for action in ALL:
        if not service_model.was_there(action):
            assert query(action, OLD, needed(action)).code == "InvalidAction", action


@pytest.mark.parametrize("action", NAMING)
def test_what_must_be_named_is_never_there(query, action):
    answer = query(action, NEW, needed(action))
    assert (answer.status, answer.code) == (400, always_unknown(action)), answer.body
    for member in required(action):
        given = needed(action)
        for name in sample(action, member):
            del given[name]
        assert query(action, NEW, given).code == "MissingParameter", member


@pytest.mark.parametrize("action", [action for action in ALL if ACTIONS[action].get("ids")])
def test_ids(query, ec2, action):
    for member, kind in ACTIONS[action]["ids"].items():
        known, not_found, malformed = an_id(kind)
        is_list = shapes()[members(action)[member]["shape"]]["type"] == "list"
        name = wire_name(action, member) + (".1" if is_list else "")
        # What else has to be named is unknown as well, and may be said first.
        codes = {not_found, always_unknown(action)}
        assert query(action, NEW, {**needed(action, ec2), name: known}).code in codes, member
        if KINDS.get(kind, {}).get("form") != "any":
            assert query(action, NEW, {**needed(action, ec2), name: "nonsense"}).code in {malformed, always_unknown(action)}, member
        if is_list and kind in KINDS and not always_unknown(action):
            answer = query(action, NEW, {**needed(action, ec2), name: known, wire_name(action, member) + ".2": known[:-1] + "1"})
            assert answer.code == not_found and known in answer.texts(".//Error/Message")[0] and " IDs " in answer.texts(".//Error/Message")[0]


def test_the_parameters_of_every_action(query, ec2):
    for action in ALL:
        given = needed(action, ec2)
        assert query(action, NEW, {**given, "Colour": "red"}).code == "UnknownParameter", action
        if "DryRun" in members(action):
            expected = "DryRunOperation" if action in LISTING or "error" in ACTIONS[action] else always_unknown(action)
            assert query(action, NEW, {**given, "DryRun": "true"}).code == expected, action
            assert query(action, NEW, {**given, "DryRun": "perhaps"}).code == "InvalidParameterValue", action


def test_pages_of_every_action(query, ec2):
    for action in ALL:
        given = needed(action, ec2)
        if "MaxResults" not in members(action):
            continue
        shape = shapes()[members(action)["MaxResults"]["shape"]]
        least, most = ACTIONS[action].get("max_results") or (shape.get("min", 5), shape.get("max"))
        fits = query(action, NEW, {**given, "MaxResults": least})
        assert fits.status == 200 or fits.code == always_unknown(action), (action, fits.body)
        for wrong in [least - 1, "many", *([most + 1] if most and most < 2**31 - 1 else [])]:
            assert query(action, NEW, {**given, "MaxResults": wrong}).code == "InvalidParameterValue", (action, wrong)
        if "NextToken" in members(action):
            assert query(action, NEW, {**given, "NextToken": "nobody gave it"}).code == "InvalidNextToken", action


def test_filters_of_every_action(query, ec2):
    for action, row in ACTIONS.items():
        member = next((name for name in ("Filters", "Filter") if name in members(action)), None)
        if member is None:
            continue
        name, unknown = wire_name(action, member), always_unknown(action)
        given = {key: value for key, value in needed(action, ec2).items() if not key.startswith(name + ".")}

        def ask(filter_name, *values):
            return query(action, NEW, {**given, f"{name}.1.Name": filter_name, **{f"{name}.1.Value.{at}": value for at, value in enumerate(values, 1)}})

        for known in [*row.get("filters", [])[:2], "tag:Name", "tag-key"]:
            answer = ask(known, "x")
            assert answer.status == 200 or answer.code == unknown, (action, known, answer.body)
        without = ask("tag-key")  # matches nothing, and is no error
        assert without.status == 200 or without.code == unknown, (action, without.body)
        assert query(action, NEW, {**given, f"{name}.1.Value.1": "x"}).code == "MissingParameter", action
        if row.get("filters"):
            assert ask("colour", "red").code == "InvalidParameterValue", action


def test_values_of_every_choice(query, ec2):
    seen = 0
    for action in ALL:
        for member, ref in members(action).items():
            shape = shapes()[ref["shape"]]
            if "enum" in shape:
                seen += 1
                answer = query(action, NEW, {**needed(action, ec2), wire_name(action, member): "nonsense"})
                assert answer.code == "InvalidParameterValue" and "nonsense" in answer.texts(".//Error/Message")[0], (action, member)
    assert seen >= 4


def test_ids_of_what_is_built(query, ec2, ami):
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    for action, name, there in [("DescribeFastLaunchImages", "ImageId.1", ami), ("DescribeStoreImageTasks", "ImageId.1", ami),
                                ("DescribeAddressTransfers", "AllocationId.1", address), ("DescribeVpcEncryptionControls", "VpcId.1", ec2.describe_vpcs()["Vpcs"][0]["VpcId"])]:
        assert query(action, NEW, {name: there}).status == 200, action


def boto_name(action):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", action).lower()


def test_stock_clients_and_their_paginators(daemon, ec2):
    """What boto3 knows of the table: every call without parameters, and every page of it."""
    client, calls, pages = daemon.client(), 0, 0
    methods = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
    for action in LISTING:
        if action not in methods or required(action):
            continue
        answer = getattr(client, methods[action])()
        assert not [name for name, value in answer.items() if name != "ResponseMetadata" and value], action
        calls += 1
        if client.can_paginate(methods[action]):
            found = list(client.get_paginator(methods[action]).paginate())
            assert len(found) == 1, action
            pages += 1
    assert calls > 60 and pages > 50
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client.describe_spot_datafeed_subscription()
    assert caught.value.response["Error"]["Code"] == "InvalidSpotDatafeed.NotFound"


@pytest.mark.parametrize("action, parameters", [
    ("RequestSpotInstances", {"InstanceCount": "1"}), ("PurchaseReservedInstancesOffering", {"InstanceCount": "1"}), ("AllocateHosts", {"Quantity": "1"}),
    ("CreateTransitGateway", {}), ("CreateCarrierGateway", {"VpcId": "vpc-0123456789abcdef0"}), ("CreateTrafficMirrorFilter", {}), ("CreateIpam", {}),
    ("CreateFleet", {}), ("ImportImage", {}), ("BundleInstance", {"InstanceId": "i-1"}),
])
def test_what_would_make_one_is_not_built(query, action, parameters):
    assert query(action, NEW, parameters).code == "UnsupportedOperation"


def test_what_everybody_sees_is_not_empty(query):
    for action in TABLE["not_empty"]:
        assert query(action, NEW).code == "UnsupportedOperation", action
    page = (ROOT / "docs/coverage.md").read_text()
    assert "| DescribeTransitGateways | empty |" in page and "- DescribeReservedInstancesOfferings: a price list" in page
