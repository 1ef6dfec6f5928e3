"""A service model's view of the wire: parameters written as the model names them, and answers held against it, element by element.

Models: the project's own stripped facts (always), and those of each botocore that is at hand, which nobody here wrote.
"""
import base64
import functools
import glob
import gzip
import json
import os
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

import botocore
import botocore.model
import botocore.parsers

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models"))

import wire_model  # noqa: E402

# What EC2 answers although the model does not list it: an internet gateway is "available", and clients wait for that.
BEYOND_THE_ENUMS = {("AttachmentStatus", "available"), ("State", "available")}  # of an endpoint, which EC2 writes small
TEXTS = {
    "boolean": re.compile(r"true|false"),
    "integer": re.compile(r"-?\d+"),
    "long": re.compile(r"-?\d+"),
    "float": re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?"),
    "double": re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?"),
    "timestamp": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z"),
    "blob": re.compile(r"[A-Za-z0-9+/\s]*={0,2}\s*"),
}
OLD_NUMBER = 20111201


@functools.lru_cache(None)
def built():
    """{operation: service} of all that is built and answers in XML. (A service of the JSON protocol has tests of its own: ssm_test.py.)"""
    families = wire_model.load_built(ROOT / "models/built.json")
    return {name: service for service, parts in families.items() if own(service).metadata["protocol"] not in ("json", "rest-json") for names in parts.values() for name in names}


@functools.lru_cache(None)
def own(service):
    """The project's model: with `since`, and the overlay of 2011-12-01."""
    return wire_model.load_models(str(ROOT / "models"), {service})[service]


def own_facts(service):
    """The same as a dictionary of the form that botocore's files have, without the overlay."""
    facts = json.loads((ROOT / f"models/{service}.json").read_text())
    for name, operation in facts["operations"].items():
        operation["name"] = name
        for side in ("input", "output"):
            if side in operation:
                operation[side] = {"shape": operation[side], **({"resultWrapper": name + "Result"} if facts["metadata"]["protocol"] == "query" else {})}
    return facts


def version_key(path):
    return [int(part) for part in re.findall(r"botocore/data/[^/]+/([\d-]+)", path)[0].split("-")]


def release_key(release):
    return [int(part) for part in release.split(".")]


def botocore_files():
    """{release: folder of data}: the one that is imported, and every other that pyenv keeps."""
    folders = {botocore.__version__: os.path.join(os.path.dirname(botocore.__file__), "data")}
    for file in glob.glob(os.path.expanduser("~/.pyenv/versions/*/lib/python3*/site-packages/botocore/__init__.py")):
        release = re.search(r"__version__ = '([\d.]+)'", pathlib.Path(file).read_text())
        if release:
            folders[release.group(1)] = os.path.join(os.path.dirname(file), "data")
    return folders


@functools.lru_cache(None)
def released(release, service):
    """The newest version of a service's model in a botocore, or None."""
    files = glob.glob(os.path.join(botocore_files()[release], service, "*", "service-2.json*"))
    if not files:
        return None
    newest = max(files, key=version_key)
    opened = gzip.open if newest.endswith(".gz") else open
    with opened(newest, "rt", encoding="utf-8") as content:
        return botocore.model.ServiceModel(json.load(content), service)


@functools.lru_cache(None)
def models(service):
    """[(name, botocore's ServiceModel)], the newest last; the project's own is as old as the release that it is derived from."""
    found = [(release_key(release), "botocore " + release, released(release, service)) for release in botocore_files()]
    origin = re.search(r"botocore ([\d.]+\d)", (ROOT / "models/NOTICE").read_text()).group(1)
    own_one = (release_key(origin), "", botocore.model.ServiceModel(own_facts(service), service))
    return [(name or "models", model) for _, name, model in sorted([*found, own_one], key=lambda each: each[:2]) if model is not None]


# Requests


def scalar_text(kind, value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return base64.b64encode(value).decode() if isinstance(value, bytes) and kind == "blob" else str(value)


def write_parameters(model, shape_name, value, name=""):
    """{parameter: text} for a structure, list or scalar, as the ec2 and query protocols write it."""
    shape, out = model.shapes[shape_name], {}
    if shape["type"] == "structure":
        for key, inner in value.items():
            assert key in shape["members"], f"{shape_name} has no member {key}"
            ref = shape["members"][key]
            out.update(write_parameters(model, ref["shape"], inner, (name + "." if name else "") + model.parameter_name(key, ref)))
    elif shape["type"] == "list":
        stem = name if model.ec2 else name + ".member"
        for at, inner in enumerate(value, 1):
            out.update(write_parameters(model, shape["member"]["shape"], inner, f"{stem}.{at}"))
    else:
        out[name] = scalar_text(shape["type"], value)
    return out


# Versions


def since(entry):
    return wire_model.version_number(entry.get("since", "0"))


def was_there(action, parameters=()):
    """Did 2011-12-01 have the action and these of its parameters ("Filter.1.Name")? What nobody knows was there, too: to be refused."""
    model = own("ec2")
    operation = model.operations.get(action)
    if operation is None:
        return True
    return since(operation) <= OLD_NUMBER and all(_parameter_was_there(model, operation.get("input"), name.split(".")) for name in parameters)


def _parameter_was_there(model, shape_name, segments):
    while shape_name and segments:
        shape, segment, segments = model.shapes[shape_name], segments[0], segments[1:]
        if shape["type"] == "structure":
            ref = next((ref for name, ref in shape["members"].items() if model.parameter_name(name, ref) == segment), None)
            if ref is not None and since(ref) > OLD_NUMBER:
                return False
            shape_name = ref and ref["shape"]
        else:
            shape_name = shape.get("member", {}).get("shape")
    return True


def as_of_2011(model, shape_name, value):
    """Parameters as the model names them, without those that came later."""
    shape = model.shapes[shape_name]
    if shape["type"] == "structure":
        return {name: as_of_2011(model, shape["members"][name]["shape"], inner) for name, inner in value.items() if since(shape["members"][name]) <= OLD_NUMBER}
    if shape["type"] == "list":
        return [as_of_2011(model, shape["member"]["shape"], inner) for inner in value]
    return value


# Answers


class Reading:
    """One answer read by one model. `wrong` says what the model does not know or does not like; `value` is what it says."""

    def __init__(self, operation, tree, strict, extra=()):
        self.operation, self.strict, self.extra = operation, strict, extra
        self.wrong, self.leaves = [], 0
        shape = operation.output_shape
        root = tree
        if operation.service_model.metadata["protocol"] == "query":
            known = {operation.name + "Result", "ResponseMetadata"}
            self.wrong += [f"{child.tag} in the envelope" for child in tree if child.tag not in known]
            root = tree.find(operation.name + "Result")
        self.value = {}
        if shape is None and strict:
            # EC2 answers <return>true</return> where the model has nothing to say.
            children = [child for child in (root if root is not None else []) if child.tag not in ("requestId", "return")]
            self.wrong += [f"{child.tag}: there is no output" for child in children]
        elif root is None:
            self.wrong.append("no result")
        elif shape is not None:
            self.value = self.structure(shape, root, "", {"requestId"})

    def structure(self, shape, element, path, known=frozenset()):
        names = {}
        for name, member in shape.members.items():
            own_name = member.serialization.get("name", name)
            if member.type_name == "list" and member.serialization.get("flattened"):
                own_name = member.member.serialization.get("name", own_name)
            names[own_name] = (name, member)
        out = {}
        for child in element:
            at = f"{path}/{child.tag}"
            if child.tag in known or at in self.extra:
                continue
            if child.tag not in names:
                if self.strict:
                    self.wrong.append(f"{at}: {shape.name} does not have it")
                continue
            name, member = names[child.tag]
            if member.type_name == "list" and member.serialization.get("flattened"):
                out.setdefault(name, []).append(self.any(member.member, child, at))
                continue
            if name in out:
                self.wrong.append(f"{at}: twice")
            out[name] = self.any(member, child, at)
        self.wrong += [f"{path}: {shape.name} must have {name}" for name in shape.required_members if name not in out]
        return out

    def any(self, shape, element, path):
        if element.attrib:
            self.wrong.append(f"{path}: attributes {element.attrib}")
        if shape.type_name == "structure":
            return self.structure(shape, element, path)
        if shape.type_name == "list":
            return self.list(shape, element, path)
        if shape.type_name == "map":
            return self.map(shape, element, path)
        return self.scalar(shape, element, path)

    def list(self, shape, element, path):
        item_name = shape.member.serialization.get("name", "member")
        out = []
        if (element.text or "").strip():
            self.wrong.append(f"{path}: text in a list")
        for child in element:
            if child.tag != item_name:
                self.wrong.append(f"{path}/{child.tag}: the items of {shape.name} are called {item_name}")
                continue
            item = self.any(shape.member, child, path + "/" + child.tag)
            if item == {}:
                self.wrong.append(f"{path}/{child.tag}: nothing in an item")
            out.append(item)
        return out

    def map(self, shape, element, path):
        out = {}
        for entry in element:
            texts = {child.tag: child for child in entry}
            key = texts.get(shape.key.serialization.get("name", "key"))
            value = texts.get(shape.value.serialization.get("name", "value"))
            if key is None or value is None:
                self.wrong.append(f"{path}/{entry.tag}: no key or value")
            else:
                out[key.text] = self.any(shape.value, value, path + "/value")
        return out

    def scalar(self, shape, element, path):
        text = element.text or ""
        self.leaves += 1
        if len(element):
            self.wrong.append(f"{path}: elements in a {shape.type_name}")
        pattern = TEXTS.get(shape.type_name)
        if pattern and not pattern.fullmatch(text):
            self.wrong.append(f"{path}: {text!r} is no {shape.type_name}")
        if self.strict and getattr(shape, "enum", None) and text not in shape.enum and (shape.name, text) not in BEYOND_THE_ENUMS:
            self.wrong.append(f"{path}: {text!r} is none of {shape.name}'s {shape.enum[:12]}")
        return text


def without_namespaces(body):
    tree = ElementTree.fromstring(body)
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
    return tree


def parsed(operation, body):
    """What botocore's own parser makes of it."""
    protocol = operation.service_model.metadata["protocol"]
    parser = botocore.parsers.create_parser(protocol)
    return parser.parse({"body": body, "headers": {}, "status_code": 200}, operation.output_shape)


def leaves_of(value):
    if isinstance(value, dict):
        return sum(leaves_of(inner) for inner in value.values())
    if isinstance(value, list):
        return sum(leaves_of(inner) for inner in value)
    return 1


def deviations(service, name, body, extra=()):
    """[what is wrong by whom]: the answer to a request of today's version, by every model there is."""
    tree, wrong = without_namespaces(body), []
    if tree.tag != name + "Response":
        wrong.append(f"the root is {tree.tag}")
    known_to = [(who, model) for who, model in models(service) if name in model.operation_names]
    for who, model in known_to:
        operation = model.operation_model(name)
        # An older release does not know newer members; the newest knows all.
        newest = model is known_to[-1][1] or who == "models"
        reading = Reading(operation, tree, newest, extra)
        wrong += [f"{who}: {each}" for each in reading.wrong]
        result = parsed(operation, body)
        result.pop("ResponseMetadata", None)
        if newest and not extra and leaves_of(result) != reading.leaves:
            wrong.append(f"{who}: botocore read {leaves_of(result)} values of {reading.leaves}")
    return wrong


def old_deviations(name, body):
    """The same for an answer in 2011-12-01, by the project's model and its overlay: nothing that came later, and the schema's order."""
    model, wrong = own("ec2"), []

    def walk(shape_name, element, path):
        shape = model.shapes[shape_name]
        if shape["type"] == "list":
            for child in element:
                walk(shape["member"]["shape"], child, path)
        if shape["type"] != "structure":
            return
        by_element = {model.element_name(key, ref): ref for key, ref in shape["members"].items()}
        for child in element:
            ref = by_element.get(child.tag)
            if ref is None:
                if child.tag not in ("requestId", "return"):
                    wrong.append(f"{path}/{child.tag}: {shape_name} does not have it")
                continue
            since = wire_model.version_number(ref.get("since", "0"))
            if since > OLD_NUMBER:
                wrong.append(f"{path}/{child.tag}: came with {ref['since']}")
            walk(ref["shape"], child, f"{path}/{child.tag}")
        order = model.order.get(shape_name, [])
        shown = [child.tag for child in element if child.tag in order]
        if shown != sorted(shown, key=order.index):
            wrong.append(f"{path}: {shape_name} in the order {shown}")

    tree = without_namespaces(body)
    output = model.operations[name].get("output")
    if tree.tag != name + "Response":
        wrong.append(f"the root is {tree.tag}")
    if output:
        walk(output, tree, "")
    return wrong
