# Copyright 2026 The Brume Authors
# SPDX-License-Identifier: Apache-2.0
"""Service models in memory: loading, the overlay, names on the wire and in C++, who needs which shape."""

import json
import os
import re

SCALARS = {"string": "std::string", "character": "std::string", "boolean": "bool", "integer": "std::int64_t",
           "long": "std::int64_t", "float": "double", "double": "double", "timestamp": "Time", "blob": "std::string"}
NOT_MODELS = ("built.json", "empty.json", "authorization.json")
WRITERS = {"ec2": "XmlWriter", "query": "XmlWriter", "rest-xml": "XmlWriter", "rest-json": "JsonWriter", "json": "JsonWriter",
           "smithy-rpc-v2-cbor": "CborWriter"}
TIME_FORMATS = {"iso8601": "iso8601", "unixTimestamp": "unix_seconds", "rfc822": "http_date"}
KEYWORDS = set("""alignas and asm auto bool break case catch char class const continue default delete do double else enum
    explicit export extern false float for friend goto if inline int long mutable namespace new not operator or private
    protected public register requires return short signed sizeof static struct switch template this throw true try typedef
    typeid union unsigned using virtual void volatile while xor read write""".split())
# Spellings whose capitals do not start words.
ODD_WORDS = (("IPv", "Ipv"), ("VCpu", "Vcpu"), ("MiB", "Mib"), ("GiB", "Gib"), ("ARNs", "Arns"), ("IDs", "Ids"))


def snake_case(name):
    for odd, even in ODD_WORDS:
        name = name.replace(odd, even)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    name = re.sub(r"[^a-z0-9]+", "_", name).strip("_")
    return name + "_" if name in KEYWORDS else name


def camel_case(name):
    return name[:1].upper() + name[1:]


def version_number(text):
    return int(text.replace("-", ""))


class Model:
    """One service: its operations and shapes, with `overlay` (a dictionary as in overlay-*.json) laid over."""

    def __init__(self, service, content, overlay=None):
        self.service = service
        self.metadata = content["metadata"]
        self.operations = content["operations"]
        self.shapes = content["shapes"]
        self.protocols = self.metadata.get("protocols", [self.metadata["protocol"]])
        self.ec2 = self.metadata["protocol"] == "ec2"
        self.rest = self.metadata["protocol"].startswith("rest-")
        # The writers that its answers need, the home protocol's first.
        self.writers = list(dict.fromkeys(WRITERS[protocol] for protocol in self.protocols))
        self.omit_empty, self.present, self.optional_lists = set(), set(), set()
        self.aliases = {}
        self.order = {}
        self.defaults = {}
        if overlay:
            self._apply(overlay)

    def _apply(self, overlay):
        for shape, members in overlay.get("members", {}).items():
            self.shapes[shape]["members"].update(members)
        for path, since in overlay.get("since", {}).items():
            shape, _, member = path.partition(".")
            self._member(shape, member)["since"] = since
        for member, since in overlay.get("members_since", {}).items():
            for shape in self.shapes.values():
                if member in shape.get("members", {}):
                    shape["members"][member].setdefault("since", since)
        for name, since in overlay.get("actions_since", {}).items():
            self.operations[name]["since"] = since
        for path in overlay.get("optional", []):
            shape, _, member = path.partition(".")
            self._member(shape, member)
            self.shapes[shape]["required"].remove(member)
        for key, paths in (("omit_empty", self.omit_empty), ("present", self.present), ("optional_lists", self.optional_lists)):
            for path in overlay.get(key, []):
                shape, _, member = path.partition(".")
                self._member(shape, member)
                paths.add((shape, member))
        for path, names in overlay.get("aliases", {}).items():
            shape, _, member = path.partition(".")
            self._member(shape, member)
            self.aliases[shape, member] = names
        for shape, names in overlay.get("order", {}).items():
            known = {self.element_name(n, m) for n, m in self.shapes[shape]["members"].items()}
            if not known.issuperset(names):
                raise ValueError(f"overlay: order of {shape} names unknown elements {set(names) - known}")
            self.order[shape] = names
        self.defaults = overlay.get("defaults", {})

    def _member(self, shape, member):
        try:
            return self.shapes[shape]["members"][member]
        except KeyError:
            raise ValueError(f"overlay: no member {shape}.{member}") from None

    def type_of(self, ref):
        return self.shapes[ref["shape"]]["type"]

    def parameter_name(self, name, ref):
        """The member's name in a request."""
        if self.ec2:
            return ref.get("queryName") or camel_case(ref.get("locationName") or name)
        own = ref.get("locationName") or name
        return self.flat_name(own, ref) if self.type_of(ref) == "list" and self.flattened(ref) else own

    def element_name(self, name, ref):
        """The member's name in an answer."""
        return ref.get("locationName") or name

    def flattened(self, ref):
        return bool(ref.get("flattened") or self.shapes[ref["shape"]].get("flattened"))

    def flat_name(self, own, ref):
        """The name of a flattened list's items: where the list's own shape is flat, its items may have their own."""
        shape = self.shapes[ref["shape"]]
        return shape["member"].get("locationName", own) if shape.get("flattened") else own

    def members_in_order(self, shape_name):
        """Members as they are written: the overlay's order of elements first, then the model's."""
        members = list(self.shapes[shape_name].get("members", {}).items())
        rank = {element: i for i, element in enumerate(self.order.get(shape_name, []))}
        return sorted(members, key=lambda item: rank.get(self.element_name(*item), len(rank)))

    def references(self, shape_name):
        """Shapes that a shape refers to, as (name, holds): holds is the structure's member kind of reference."""
        shape = self.shapes[shape_name]
        for ref in shape.get("members", {}).values():
            yield ref["shape"], "member"
        for side in ("member", "value"):
            if side in shape:
                yield shape[side]["shape"], side

    def reach(self, roots):
        """Structures reachable from the roots."""
        seen, stack = set(), list(roots)
        while stack:
            name = stack.pop()
            if name not in seen:
                seen.add(name)
                stack.extend(target for target, _ in self.references(name))
        return {name for name in seen if self.shapes[name]["type"] == "structure"}

    def held(self, shape_name):
        """Structures that a structure holds: (name, by value)."""
        for ref in self.shapes[shape_name].get("members", {}).values():
            target, direct = ref["shape"], True
            while self.shapes[target]["type"] in ("list", "map"):
                target = self.shapes[target].get("member", self.shapes[target].get("value"))["shape"]
                direct = False
            if self.shapes[target]["type"] == "structure":
                yield target, direct


def load_models(folder, services=None):
    models = {}
    for file in sorted(os.listdir(folder)):
        service, extension = os.path.splitext(file)
        if file in NOT_MODELS or extension != ".json" or not re.fullmatch(r"[a-z0-9]+", service):
            continue
        if services is not None and service not in services:
            continue
        with open(os.path.join(folder, file), encoding="utf-8") as content:
            parsed = json.load(content)
        overlay = None
        if service == "ec2":
            with open(os.path.join(folder, "overlay-2011-12-01.json"), encoding="utf-8") as content:
                overlay = json.load(content)
        models[service] = Model(service, parsed, overlay)
    return models


def load_built(path):
    with open(path, encoding="utf-8") as content:
        return json.load(content)
