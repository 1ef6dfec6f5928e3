# Copyright 2026 The Brume Authors
# SPDX-License-Identifier: Apache-2.0
"""C++ of the cases' values and types, for make_cases.py and value_cases.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models"))

from emit_types import ServiceTypes  # noqa: E402
from strip_model import strip  # noqa: E402
from wire_model import Model, snake_case  # noqa: E402

AUTO_TOKEN = "00000000-0000-4000-8000-000000000000"


def quoted(text):
    """A C++ string literal of a text or bytes; every byte out of the ordinary as octal, which cannot run into what follows."""
    raw = text if isinstance(text, bytes) else text.encode()
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in raw) + '"'


def chunked(text):
    return "\n    ".join(quoted(text[i:i + 100]) for i in range(0, len(text), 100)) or '""'


def scalar(types, ref, value):
    kind = types.model.type_of(ref)
    if kind == "boolean":
        return str(value).lower()
    if kind in ("integer", "long"):
        return f"std::int64_t{{{value}}}"
    if kind in ("float", "double"):
        limits = "std::numeric_limits<double>::"
        return {"NaN": limits + "quiet_NaN()", "Infinity": limits + "infinity()", "-Infinity": "-" + limits + "infinity()"}.get(
            value, f"double{{{value}}}")
    if kind == "timestamp":
        return f"at_milliseconds({round(value * 1000)})"
    return f"std::string({quoted(value)})"


def expectations(types, ref, value, at):
    """Statements that check that the expression `at`, a plain value, is `value`."""
    shape = types.model.shapes[ref["shape"]]
    if shape["type"] == "structure":
        lines = []
        for name, member in shape["members"].items():
            lines += member_expectations(types, member, value.get(name), f"{at}.{snake_case(name)}")
        return lines
    if shape["type"] == "list":
        lines = [f"  ASSERT_EQ({at}.size(), {len(value)}U);"]
        for i, item in enumerate(value):
            lines += expectations(types, shape["member"], item, f"{at}[{i}]")
        return lines
    if shape["type"] == "map":
        lines = [f"  ASSERT_EQ({at}.size(), {len(value)}U);"]
        for key, item in value.items():
            lines.append(f"  ASSERT_EQ({at}.count({quoted(key)}), 1U);")
            lines += expectations(types, shape["value"], item, f"{at}.at({quoted(key)})")
        return lines
    return [f"  EXPECT_TRUE(same({at}, {scalar(types, ref, value)}));"]


def member_expectations(types, ref, value, at):
    if types.model.type_of(ref) in ("list", "map"):
        return [f"  EXPECT_TRUE({at}.empty());"] if value is None else expectations(types, ref, value, at)
    if value is None:
        return [f"  EXPECT_FALSE({at}.has_value());"]
    return [f"  ASSERT_TRUE({at}.has_value());"] + expectations(types, ref, value, f"(*{at})")


def assignments(types, ref, value, at):
    """Statements that make the expression `at`, a plain value, be `value`."""
    shape = types.model.shapes[ref["shape"]]
    if shape["type"] == "structure":
        lines = []
        for name, given in value.items():
            member = shape["members"][name]
            place = f"{at}.{snake_case(name)}"
            if types.model.type_of(member) == "structure":
                lines.append(f"  {place}.emplace();")
                place = f"(*{place})"
            lines += assignments(types, member, given, place)
        return lines
    if shape["type"] == "list":
        lines = [f"  {at}.resize({len(value)});"]
        for i, item in enumerate(value):
            lines += assignments(types, shape["member"], item, f"{at}[{i}]")
        return lines
    if shape["type"] == "map":
        return [line for key, item in value.items() for line in assignments(types, shape["value"], item, f"{at}[{quoted(key)}]")]
    return [f"  {at} = {scalar(types, ref, value)};"]


def build_types(protocol, direction, number, group):
    """The types of one group of cases. An error shape stands in for the output of its operation."""
    operations = {}
    for case in group["cases"]:
        operation = dict(case["given"])
        for error in operation.pop("errors", []):
            operation["output"] = {"shape": error["shape"]}
        operations.setdefault(operation["name"], operation)
        # Output groups reuse one result for several operations.
        operations[operation["name"]].update({k: v for k, v in operation.items() if k in ("input", "output")})
    metadata = dict(group["metadata"], endpointPrefix="", serviceId="", xmlNamespace="https://example.com/")
    stripped = strip({"metadata": metadata, "operations": operations, "shapes": group["shapes"]})
    model = Model(f"{protocol}_{direction}_{number}", stripped)
    return ServiceTypes(model, {"actions": sorted(operations)})
