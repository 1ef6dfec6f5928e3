#!/usr/bin/env python3
# Copyright 2026 The Brume Authors
# SPDX-License-Identifier: Apache-2.0
"""Reduces botocore's service models to the facts the wire needs.

Usage: strip_model.py [--data BOTOCORE_DATA_FOLDER]

Writes models/<service>.json: names, types, protocol and wire names, one operation or shape a line so
that a refresh reads as a diff. No sentence of documentation is kept.

EC2 comes with several dated models. Every operation, and every member of an operation that already
existed, that the oldest one lacks is marked with the first version that has it ("since"). Shapes were
renamed between versions, so the models are walked side by side from the operations down, not by shape
name; members inside a shape that is itself new need no mark, for what refers to the shape carries it.
"""

import argparse
import gzip
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SERVICES = {
    "ec2": "2016-11-15",
    "sts": "2011-06-15",
    "iam": "2010-05-08",
    "autoscaling": "2011-01-01",
    "elb": "2012-06-01",
    "elbv2": "2015-12-01",
    "cloudwatch": "2010-08-01",
    "sns": "2010-03-31",
    "s3": "2006-03-01",
    "ssm": "2014-11-06",
    "ebs": "2019-11-02",
    "service-quotas": "2019-06-24",
}
# What signatures and clients call a service, where its model is called otherwise.
SIGNED_AS = {"service-quotas": "servicequotas"}
METADATA = ("apiVersion", "endpointPrefix", "signingName", "serviceId", "xmlNamespace", "targetPrefix", "jsonVersion")
# The first of them that a service speaks is its home protocol, that of its oldest clients.
PROTOCOLS = ("ec2", "query", "rest-xml", "rest-json", "json", "smithy-rpc-v2-cbor")
SHAPE_FACTS = ("type", "required", "enum", "min", "max", "sensitive", "timestampFormat", "flattened",
               "locationName", "payload", "xmlNamespace", "error", "exception", "fault", "xmlOrder", "union")
MEMBER_FACTS = ("shape", "locationName", "queryName", "flattened", "location", "timestampFormat",
                "idempotencyToken", "xmlNamespace", "xmlAttribute", "streaming", "deprecated")
PLAIN_ANSWER = "(plain answer)"


def load(data, service, version):
    path = os.path.join(data, service, version, "service-2.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    with gzip.open(path + ".gz", "rt", encoding="utf-8") as file:
        return json.load(file)


def pick(source, keys):
    return {key: source[key] for key in keys if key in source and source[key] is not False}


def strip_operation(operation, shapes, rest):
    out = {}
    for side in ("input", "output"):
        if side in operation:
            out[side] = operation[side]["shape"]
    if "resultWrapper" in operation.get("output", {}):
        out["resultWrapper"] = operation["output"]["resultWrapper"]
    for name, member in shapes.get(out.get("input"), {}).get("members", {}).items():
        if member.get("idempotencyToken"):
            out["token"] = name
    if operation.get("errors"):
        out["errors"] = [error["shape"] for error in operation["errors"]]
    if rest:
        out["http"] = operation["http"]
        for key in ("locationName", "xmlNamespace"):
            if key in operation.get("input", {}):
                out["input" + key[0].upper() + key[1:]] = operation["input"][key]
    return out


def strip_shape(shape):
    out = pick(shape, SHAPE_FACTS)
    for side in ("member", "key", "value"):
        if side in shape:
            out[side] = pick(shape[side], MEMBER_FACTS)
    if "members" in shape:
        out["members"] = {name: pick(member, MEMBER_FACTS) for name, member in shape["members"].items()}
    return out


def strip(model):
    metadata = pick(model["metadata"], METADATA)
    protocols = model["metadata"].get("protocols", [model["metadata"]["protocol"]])
    metadata["protocols"] = [p for p in PROTOCOLS if p in protocols]
    metadata["protocol"] = metadata["protocols"][0]
    if metadata["protocols"] == [metadata["protocol"]]:
        del metadata["protocols"]
    if "json" not in protocols:
        metadata.pop("jsonVersion", None)
    if not {"json", "smithy-rpc-v2-cbor"} & set(protocols):
        metadata.pop("targetPrefix", None)
    if "awsQueryCompatible" in model["metadata"]:
        metadata["queryCompatible"] = True
    rest = metadata["protocol"].startswith("rest-")
    shapes = model["shapes"]
    return {
        "metadata": metadata,
        "operations": {n: strip_operation(o, shapes, rest) for n, o in sorted(model["operations"].items())},
        "shapes": {n: strip_shape(s) for n, s in sorted(shapes.items())},
    }


def pair_structures(new, old, new_name, old_name, pairs):
    """Collects (new structure, old structure) couples that stand at the same place of the wire."""
    if (new_name, old_name) in pairs or new_name not in new or old_name not in old:
        return
    pairs.add((new_name, old_name))
    ours, theirs = new[new_name], old[old_name]
    for side in ("member", "key", "value"):
        if side in ours and side in theirs:
            pair_structures(new, old, ours[side]["shape"], theirs[side]["shape"], pairs)
    for name, member in ours.get("members", {}).items():
        if name in theirs.get("members", {}):
            pair_structures(new, old, member["shape"], theirs["members"][name]["shape"], pairs)


def known_in(model, old):
    """What of `model` an older model has: its operations, and (structure, member) of those reached."""
    old["shapes"][PLAIN_ANSWER] = {"type": "structure", "members": {"Return": {"shape": "Boolean"}}}
    pairs = set()
    for name, operation in model["operations"].items():
        if name in old["operations"]:
            for side in ("input", "output"):
                # An answer without a shape was, and is, <return>true</return>.
                theirs = old["operations"][name].get(side, {}).get("shape", PLAIN_ANSWER if side == "output" else None)
                if side in operation and theirs:
                    pair_structures(model["shapes"], old["shapes"], operation[side], theirs, pairs)
    members, structures = set(), set()
    for new_name, old_name in pairs:
        structures.add(new_name)
        for name in model["shapes"][new_name].get("members", {}):
            if name in old["shapes"][old_name].get("members", {}):
                members.add((new_name, name))
    return set(model["operations"]) & set(old["operations"]), structures, members


def mark_since(model, older):
    """`older`: (version, model) from the oldest to the newest but one."""
    newest = model["metadata"]["apiVersion"]
    known = [(version, known_in(model, old)) for version, old in older]
    oldest = known[0][0]

    def first(test):
        return next((version for version, what in known if test(what)), newest)

    for name, operation in model["operations"].items():
        since = first(lambda what: name in what[0])
        if since != oldest:
            operation["since"] = since
    for shape_name, shape in model["shapes"].items():
        born = first(lambda what: shape_name in what[1])
        for name, member in shape.get("members", {}).items():
            since = first(lambda what: (shape_name, name) in what[2])
            if since > born:
                member["since"] = since


def dump(model, path):
    def block(entries):
        compact = lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=True)
        return "{\n" + ",\n".join(f"{compact(k)}:{compact(v)}" for k, v in entries.items()) + "\n}"

    with open(path, "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(f'"{key}":{block(value)}' for key, value in model.items()) + "\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="botocore's data folder (default: that of the importable botocore)")
    data = parser.parse_args().data
    if data is None:
        import botocore
        data = os.path.join(os.path.dirname(botocore.__file__), "data")
        print("botocore", botocore.__version__)
    for service, version in SERVICES.items():
        model = strip(load(data, service, version))
        if service == "ec2":
            dates = sorted(v for v in os.listdir(os.path.join(data, service)) if v < version)
            mark_since(model, [(date, load(data, service, date)) for date in dates])
        dump(model, os.path.join(HERE, SIGNED_AS.get(service, service) + ".json"))
        print(service, version, len(model["operations"]), "operations")
    return 0


if __name__ == "__main__":
    sys.exit(main())
