"""What every built operation refuses, generated from the model and the cases of model_scenarios.py.

Nothing given, something left out, values of the wrong type, parameters that nobody knows, dry runs, ids that do not exist, and the ids
of another account, which must look exactly as if they did not exist.
"""
import copy
import itertools
import re

import pytest

import conftest
import model_scenarios
import service_model
from model_scenarios import ID
from scenario_parameters import filtered
from service_model import built, own

# Prefix of an id: the codes for one that does not exist, and for one that cannot.
KINDS = {
    "acl-": ("InvalidNetworkAclID.NotFound", "InvalidNetworkAclId.Malformed"),
    "aclassoc-": ("InvalidAssociationID.NotFound", "InvalidAssociationID.Malformed"),
    "ami-": ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed"),
    "cgw-": ("InvalidCustomerGatewayID.NotFound", "InvalidCustomerGatewayId.Malformed"),
    "dopt-": ("InvalidDhcpOptionID.NotFound", "InvalidDhcpOptionsId.Malformed"),
    "eigw-": ("InvalidEgressOnlyInternetGatewayId.NotFound", "InvalidEgressOnlyInternetGatewayId.Malformed"),
    "eipalloc-": ("InvalidAllocationID.NotFound", "InvalidAllocationID.Malformed"),
    "eipassoc-": ("InvalidAssociationID.NotFound", "InvalidAssociationID.Malformed"),
    "eni-": ("InvalidNetworkInterfaceID.NotFound", "InvalidNetworkInterfaceId.Malformed"),
    "eni-attach-": ("InvalidAttachmentID.NotFound", "InvalidNetworkInterfaceAttachmentId.Malformed"),
    "fl-": ("InvalidFlowLogId.NotFound", "InvalidFlowLogId.Malformed"),
    "i-": ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"),
    "igw-": ("InvalidInternetGatewayID.NotFound", "InvalidInternetGatewayId.Malformed"),
    "key-": ("InvalidKeyPair.NotFound", "InvalidKeyPairId.Malformed"),
    "lt-": ("InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.Malformed"),
    "pg-": ("InvalidPlacementGroup.Unknown", "InvalidPlacementGroupId.Malformed"),
    "replacevol-": ("InvalidReplaceRootVolumeTaskId.NotFound", "InvalidReplaceRootVolumeTaskId.Malformed"),
    "nat-": ("NatGatewayNotFound", "NatGatewayMalformed"),
    "pcx-": ("InvalidVpcPeeringConnectionID.NotFound", "InvalidVpcPeeringConnectionId.Malformed"),
    "pl-": ("InvalidPrefixListID.NotFound", "InvalidPrefixListId.Malformed"),
    "rtb-": ("InvalidRouteTableID.NotFound", "InvalidRouteTableId.Malformed"),
    "rtbassoc-": ("InvalidAssociationID.NotFound", "InvalidAssociationID.Malformed"),
    "sg-": ("InvalidGroup.NotFound", "InvalidGroupId.Malformed"),
    "sgr-": ("InvalidSecurityGroupRuleId.NotFound", "InvalidSecurityGroupRuleId.Malformed"),
    "snap-": ("InvalidSnapshot.NotFound", "InvalidSnapshotID.Malformed"),
    "subnet-cidr-assoc-": ("InvalidSubnetCidrBlockAssociationID.NotFound", "InvalidSubnetCidrBlockAssociationID.Malformed"),
    "subnet-": ("InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed"),
    "vgw-": ("InvalidVpnGatewayID.NotFound", "InvalidVpnGatewayID.Malformed"),
    "vol-": ("InvalidVolume.NotFound", "InvalidVolumeID.Malformed"),
    "vpc-cidr-assoc-": ("InvalidVpcCidrBlockAssociationID.NotFound", "InvalidVpcCidrBlockAssociationID.Malformed"),
    "vpc-": ("InvalidVpcID.NotFound", "InvalidVpcID.Malformed"),
    "vpce-": ("InvalidVpcEndpointId.NotFound", "InvalidVpcEndpointId.Malformed"),
    "vpn-": ("InvalidVpnConnectionID.NotFound", "InvalidVpnConnectionID.Malformed"),
}
# Where an operation answers otherwise, (operation, member): code.
NOT_FOUND = {("CreateRoute", "GatewayId"): "InvalidGatewayID.NotFound", ("ReplaceRoute", "GatewayId"): "InvalidGatewayID.NotFound",
             ("DeleteVpcEndpoints", "VpcEndpointIds"): "InvalidVpcEndpoint.NotFound"}
MALFORMED = {("CreateRoute", "GatewayId"): "InvalidGatewayID.Malformed", ("ReplaceRoute", "GatewayId"): "InvalidGatewayID.Malformed"}
# What may have any kind of id looks at the id by itself: it knows of no kind that a malformed one was to be.
ANY_KIND = {("CreateTags", "Resources"), ("DeleteTags", "Resources")}
# Each resource is refused by itself, inside of an answer that went well; for what.
REFUSED_WITHIN = {("ModifyInstanceCreditSpecification", "InstanceCreditSpecifications"): ("NotFound", "Malformed"),
                  ("DeleteVpcEndpoints", "VpcEndpointIds"): ("NotFound",), ("CreateFlowLogs", "ResourceIds"): ("NotFound", "Malformed")}
# Accepted at first: that it comes to nothing is told later, and it does not say why.
FAILS_LATER = {("CreateVpcPeeringConnection", "PeerVpcId"): "DescribeVpcPeeringConnections"}
# The values of its filters are ids, and read as such.
READS_FILTERS = {"DescribeSecurityGroupRules"}
# What does not exist is left out of the list without a word.
EMPTY = {("DescribeFlowLogs", "FlowLogIds")}
# What is another's is (STO-051).
LEFT_OUT = {("DescribeSnapshots", "SnapshotIds"), *EMPTY}
# Members that are called an id and may have any value, with the reason.
# A launch template keeps what it is told; what there is not is refused at the launch, as in EC2.
ANY_VALUE = {(operation, ("LaunchTemplateData", *names)): "kept, and checked at launch"
             for operation in ("CreateLaunchTemplate", "CreateLaunchTemplateVersion")
             for names in (("KernelId",), ("ImageId",), ("RamDiskId",), ("SecurityGroupIds",), ("BlockDeviceMappings", "Ebs", "KmsKeyId"),
                           ("BlockDeviceMappings", "Ebs", "SnapshotId"), ("NetworkInterfaces", "NetworkInterfaceId"), ("NetworkInterfaces", "SubnetId"),
                           ("NetworkInterfaces", "Groups"), ("Placement", "HostId"), ("Placement", "GroupId"), ("Placement", "AvailabilityZoneId"))}
TYPED = ("boolean", "integer", "long", "float", "double", "timestamp")
CASES = model_scenarios.all_cases()
WITH_IDS = [case for case in CASES if built()[case[0]] == "ec2"]


@pytest.fixture(scope="module")
def ours(daemon):
    return model_scenarios.World(daemon, daemon.create_account("ours"))


@pytest.fixture(scope="module")
def theirs(daemon):
    return model_scenarios.World(daemon, daemon.create_account("theirs"))


def strings_in(value, path=()):
    """(path, text) of each string below a case's parameters."""
    if isinstance(value, str):
        yield path, value
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from strings_in(inner, path + (key,))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def with_value(parameters, path, value):
    """A copy in which the path leads to the value; structures and lists on the way are made where there are none."""
    out = copy.deepcopy(parameters)
    inside = out
    for key, after in zip(path, path[1:]):
        if isinstance(inside, list):
            if not inside:
                inside.append({} if isinstance(after, str) else [])
            inside = inside[key]
        else:
            inside = inside.setdefault(key, {} if isinstance(after, str) else [])
    if isinstance(inside, list) and len(inside) <= path[-1]:
        inside.append(value)
    else:
        inside[path[-1]] = value
    return out


def ids_in(parameters):
    return [(path, text, ID.fullmatch(text).group(1)) for path, text in strings_in(parameters) if ID.fullmatch(text)]


def is_filter(path):
    return path[0] in ("Filters", "Filter")


def expect(answer, code, what):
    assert (answer.status, answer.code) == (400, code), f"{what}: {code} expected, {answer.status} {answer.body.decode()[:500]}"
    assert answer.texts(".//Message")[0] and (answer.texts("RequestID") + answer.texts("RequestId"))[0]


def expect_refused(answer, code, operation, path, what):
    if code.partition(".")[2] in REFUSED_WITHIN.get((operation, path[0]), ()):
        assert answer.status == 200 and answer.texts(".//item/error/code") == [code] and answer.texts(".//item/error/message")[0], answer.body
    else:
        expect(answer, code, what)


def expect_failure(world, operation, path, answer):
    """What came of it, without what is its own."""
    assert answer.status == 200, answer.body
    came_of_it = world.call(FAILS_LATER[operation, path[0]], **filtered("status-code", "failed")).tree.findall(".//status")
    assert came_of_it and {status.findtext("code") for status in came_of_it} == {"failed"}
    return {status.findtext("message") for status in came_of_it}


def code_for(table, column, operation, path, prefix):
    assert prefix in KINDS, f"what is said of {prefix}…? (KINDS in tests/api/model_errors_test.py)"
    return table.get((operation, path[0]), KINDS[prefix][column])


@pytest.mark.parametrize("operation, number", WITH_IDS)
def test_ids_that_do_not_exist(ours, operation, number):
    parameters = model_scenarios.cases_of(operation)[number](ours)
    for path, _, prefix in ids_in(parameters):
        for digits in ("0123456789abcdef0", "01234567"):  # both lengths are looked up
            answer = ours.send(operation, with_value(parameters, path, prefix + digits))
            if is_filter(path) or (operation, path[0]) in EMPTY:
                assert answer.status == 200 and ID.search(answer.body.decode()) is None
            elif (operation, path[0]) in FAILS_LATER:
                expect_failure(ours, operation, path, answer)
            else:
                expect_refused(answer, code_for(NOT_FOUND, 0, operation, path, prefix), operation, path, path)


@pytest.mark.parametrize("operation, number", WITH_IDS)
def test_ids_that_cannot_be(ours, operation, number):
    parameters = model_scenarios.cases_of(operation)[number](ours)
    for path, text, prefix in ids_in(parameters):
        for wrong in ("nonsense", prefix + "xyz", text[:-1], text + "0", text.upper(), "zz" + text):
            answer = ours.send(operation, with_value(parameters, path, wrong))
            if is_filter(path) and operation in READS_FILTERS:
                expect(answer, code_for(MALFORMED, 1, operation, path, prefix), f"{path} {wrong}")
            elif is_filter(path):
                assert answer.status == 200 and ID.search(answer.body.decode()) is None
            else:
                expect_refused(answer, "InvalidID" if (operation, path[0]) in ANY_KIND else code_for(MALFORMED, 1, operation, path, prefix), operation, path, f"{path} {wrong}")


@pytest.mark.parametrize("operation, number", WITH_IDS)
def test_ids_of_another_account(ours, theirs, operation, number):
    """The same answer as for an id that does not exist, but for the id itself."""
    case = model_scenarios.cases_of(operation)[number]
    parameters, foreign = case(ours), case(theirs)
    for path, _, prefix in ids_in(foreign):
        stranger = at(foreign, path)
        if stranger == at(parameters, path):
            continue  # shared with everybody
        mixed = ours.send(operation, with_value(parameters, path, stranger))
        if (operation, path[0]) in LEFT_OUT:
            assert mixed.status == 200 and ID.search(mixed.body.decode()) is None and stranger in everything(theirs)
            continue
        missing = ours.send(operation, with_value(parameters, path, prefix + "0123456789abcdef0"))
        assert mixed.status == missing.status, f"{path} {stranger}: {mixed.body}"
        if is_filter(path):
            assert ID.search(mixed.body.decode()) is None and stranger in everything(theirs)
            continue
        if (operation, path[0]) in FAILS_LATER:
            assert len(expect_failure(ours, operation, path, mixed)) == 1  # both with the same words
            ours.told.add(stranger)
            continue
        if (operation, path[0]) in REFUSED_WITHIN:
            assert mixed.texts(".//item/error/code") == missing.texts(".//item/error/code")
            continue
        expect(mixed, missing.code, f"{path} {stranger}")
        assert mixed.texts(".//Message")[0].replace(stranger, "") == missing.texts(".//Message")[0].replace(prefix + "0123456789abcdef0", "")
    # And all of them together.
    if [path for path, text, _ in ids_in(foreign) if not is_filter(path) and text not in shared(theirs) and (operation, path[0]) not in LEFT_OUT]:
        answer = ours.send(operation, case(theirs))
        assert answer.status == 400 or operation in {name for name, _ in REFUSED_WITHIN}, answer.body


def shared(world):
    """Ids that everybody may see: public images and their snapshots, the services of endpoints and their lists."""
    answer = world.call("DescribeImages", Filters=[{"Name": "is-public", "Values": ["true"]}])
    services = world.call("DescribeVpcEndpointServices").texts(".//serviceId") + world.call("DescribePrefixLists").texts(".//prefixListId")
    return set(services + answer.texts(".//imageId") + answer.texts(".//snapshotId") + answer.texts(".//kernelId") + answer.texts(".//ramdiskId"))


def test_nothing_of_another_account_is_listed(ours, theirs):
    """After all the cases have been run for both: no answer without parameters shows an id that only the others have."""
    for operation, number in WITH_IDS:
        for world in (ours, theirs):
            world.call(operation, **model_scenarios.cases_of(operation)[number](world))
    hidden = theirs.seen - shared(ours) - {"vol-ffffffff"}  # of every copy of a snapshot
    assert len(hidden) > 20
    for operation in listing_operations():
        answer = ours.call(operation)
        seen = {found.group() for found in ID.finditer(answer.body.decode())} - ours.told
        assert not seen & hidden, (operation, sorted(seen & hidden))


def listing_operations():
    """What can be asked without parameters and changes nothing."""
    model = own("ec2")
    return [name for name, service in built().items()
            if service == "ec2" and name.startswith("Describe") and not required_of(model, name) and name not in NEEDS_ONE]


# Nothing in the model is required, but something has to be named.
NEEDS_ONE = {"DescribeLaunchTemplateVersions"}


def required_of(model, operation):
    return model.shapes[model.operations[operation]["input"]].get("required", []) if "input" in model.operations[operation] else []


def members_below(model, shape_name, path=(), depth=0):
    """(path, kind) of every scalar that a request may have; lists with one item."""
    shape = model.shapes[shape_name]
    if shape["type"] == "structure" and depth < 5:
        for key, ref in shape["members"].items():
            yield from members_below(model, ref["shape"], path + (key,), depth + 1)
    elif shape["type"] == "list":
        yield from members_below(model, shape["member"]["shape"], path + (0,), depth)
    elif shape["type"] != "structure":
        yield path, shape["type"]


def names_in(path):
    return tuple(key for key in path if isinstance(key, str))


def nearest(cases, path):
    """Of the cases' parameters the one that goes furthest along the path."""

    def along(parameters):
        for far, key in enumerate(path):
            inside = parameters.get(key) if isinstance(parameters, dict) else parameters[key] if len(parameters) > key else None
            if not isinstance(inside, (dict, list)):
                return far
            parameters = inside
        return len(path)

    return max(cases, key=along)


@pytest.mark.parametrize("operation", [name for name, service in built().items() if service == "ec2"])
def test_no_id_is_passed_over(ours, operation):
    """Every member of the model that is an id and that no case gives: nonsense in it is not ignored."""
    model, cases = own("ec2"), [case(ours) for case in model_scenarios.cases_of(operation)]
    given = {names_in(path) for parameters in cases for path, _, _ in ids_in(parameters)}
    for path, kind in members_below(model, model.operations[operation]["input"]):
        names = names_in(path)
        if kind == "string" and re.search(r"Ids?$", names[-1]) and names not in given and (operation, names) not in ANY_VALUE:
            answer = ours.send(operation, with_value(nearest(cases, path), path, "nonsense-0123456789abcdef0"))
            assert answer.status == 400, f"{names}: {answer.body.decode()[:300]}"


@pytest.mark.parametrize("operation", built())
def test_values_of_the_wrong_type(ours, operation):
    model = own(built()[operation])
    shape = model.operations[operation].get("input")
    cases = [case(ours) for case in model_scenarios.cases_of(operation)]
    for path, kind in members_below(model, shape) if shape else ():
        if kind not in TYPED:
            continue
        for wrong in ("perhaps", "1x", "", "1e999" if kind in ("float", "double") else "99999999999999999999999"):
            answer = ours.send(operation, with_value(nearest(cases, path), path, wrong))
            # Something that is required beside it may be missing; that is as good a reason.
            code = "MissingParameter" if answer.code == "MissingParameter" and len(names_in(path)) > 1 else "InvalidParameterValue"
            expect(answer, code, f"{names_in(path)} {wrong!r}")


@pytest.mark.parametrize("operation", built())
def test_parameters_that_nobody_knows(ours, operation):
    parameters = model_scenarios.cases_of(operation)[0](ours)
    for more in ({"Colour": "red"}, {"Colour.1.Shade": "dark"}):
        expect(ours.send(operation, parameters, more=more), "UnknownParameter", more)


@pytest.mark.parametrize("operation", built())
def test_nothing_given(ours, operation):
    model = own(built()[operation])
    answer = ours.send(operation, {})
    if required_of(model, operation):
        expect(answer, "MissingParameter", operation)
    else:
        assert answer.status in (200, 400) and (answer.status == 200 or answer.code in ("MissingParameter", "InvalidParameterCombination", "InvalidRequest")), answer.body


@pytest.mark.parametrize("operation, number", CASES)
def test_something_left_out(ours, operation, number):
    model = own(built()[operation])
    parameters = model_scenarios.cases_of(operation)[number](ours)
    for name in required_of(model, operation):
        answer = ours.send(operation, {key: value for key, value in parameters.items() if key != name})
        expect(answer, "MissingParameter", name)
        ref = model.shapes[model.operations[operation]["input"]]["members"][name]
        assert model.parameter_name(name, ref) in answer.texts(".//Message")[0]


@pytest.fixture(scope="module")
def small_worlds(daemon):
    """Twenty times each a world that is an account of its own: it takes long to list all that hundreds of tests leave."""

    def make():
        while True:
            yield from itertools.repeat(model_scenarios.World(daemon, daemon.create_account("small")), 20)

    return make()


@pytest.mark.parametrize("operation, number", [case for case in CASES if built()[case[0]] == "ec2"])
def test_dry_runs(small_worlds, operation, number):
    """412, nothing changed, and the same request goes well after it."""
    world = next(small_worlds)
    model, parameters = own("ec2"), model_scenarios.cases_of(operation)[number](world)
    if "DryRun" not in model.shapes[model.operations[operation]["input"]]["members"]:
        pytest.skip("it has no DryRun")
    before = settled(world)
    answer = world.send(operation, {**parameters, "DryRun": True})
    assert (answer.status, answer.code) == (412, "DryRunOperation"), answer.body
    assert listed(world) == before
    assert world.send(operation, parameters).status == 200


def listed(world):
    """All that can be listed, as text."""
    return {name: re.sub(r"<requestId>[^<]*|<nextToken>[^<]*|<timestamp>[^<]*", "", world.call(name).body.decode()) for name in listing_operations()
            if name not in ("DescribeInstanceTypes", "DescribeRegions", "DescribeAvailabilityZones")}


def everything(world):
    """Every id that an account can list."""
    return {found.group() for body in listed(world).values() for found in ID.finditer(body)}


ON_THE_WAY = [("DescribeVolumes", state) for state in ("creating", "attaching", "detaching", "deleting")] + [
    ("DescribeVolumesModifications", "modifying"), ("DescribeVolumesModifications", "optimizing"), ("DescribeSnapshots", "pending"),
    ("DescribeImages", "pending")]


def settled(world):
    """The same, once control has nothing left to do."""
    seen = [None, None]

    def twice_the_same():
        seen[:] = seen[1], listed(world)
        return seen[0] == seen[1] and not any(f"<name>{state}<" in seen[1]["DescribeInstances"] for state in ("pending", "stopping", "shutting-down")) \
            and "initializing" not in seen[1]["DescribeInstanceStatus"] and not any(f">{state}<" in seen[1][action] for action, state in ON_THE_WAY)

    conftest.wait_until(twice_the_same)
    return seen[1]


def test_the_kinds_of_the_table_are_in_use(ours):
    """A prefix that no case gives is a line too many."""
    given = {prefix for operation, number in WITH_IDS for _, _, prefix in ids_in(model_scenarios.cases_of(operation)[number](ours))}
    assert given == set(KINDS)
    assert set(service_model.built()) >= {operation for operation, _ in (*NOT_FOUND, *MALFORMED, *ANY_VALUE)}
