#!/usr/bin/env python3
# Copyright 2026 The Brume Authors
# SPDX-License-Identifier: Apache-2.0
"""Turns botocore's protocol cases into C++ types (by the generator of the real models) and tests of the other side of the wire.

Usage: make_cases.py CASES_FOLDER OUT_FOLDER

input: what a client sends must parse to the arguments. output: the result must serialize to a document that says what the
case's body says. One test source for each protocol and direction; it includes its types' sources, to compile in one go.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "models"))

from emit_types import ServiceTypes  # noqa: E402
from generate import write_if_changed  # noqa: E402
from strip_model import strip  # noqa: E402
from wire_model import Model, snake_case  # noqa: E402

AUTO_TOKEN = "00000000-0000-4000-8000-000000000000"


def quoted(text):
    """A C++ string literal; every byte out of the ordinary as octal, which cannot run into what follows."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode()) + '"'


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


def input_test(types, case, suite):
    sent, given = case["serialized"], dict(case.get("params") or {})
    lines = [f"TEST({suite}, {case['id']}) {{"]
    if "body" not in sent:
        return lines + ['  GTEST_SKIP() << "not applicable: the case is about the client\'s Content-Encoding and holds no body";', "}\n"]
    action, shape = case["given"]["name"], case["given"].get("input", {}).get("shape")
    token = types.model.operations[action].get("token")
    if token and token not in given:
        given[token] = AUTO_TOKEN  # what the client of the case fills in
    lines += [f"  const QueryTree tree({quoted('')}, {chunked(sent['body'])});",
              f"  EXPECT_EQ(tree.find(\"Action\"), {quoted(action)});",
              f"  {types.model.service}::{action}Request in;", "  read(tree.root(), in);"]
    if shape:
        lines += expectations(types, {"shape": shape}, given, "in")
    return lines + ["  tree.require_all_read();", "}\n"]


def envelope(types, case):
    ec2 = types.model.ec2
    return (f"  const Envelope envelope{{schema::Protocol::{'ec2' if ec2 else 'query'}, {quoted(case['given']['name'])}, "
            f"\"2020-01-08\", \"https://example.com/\", \"{'foo-id' if 'error' in case else 'requestid'}\", true}};")


def output_test(types, case, suite):
    body, output = case["response"].get("body", ""), case["given"].get("output", {}).get("shape")
    lines = [f"TEST({suite}, {case['id']}) {{"]
    if "error" in case:
        return lines + error_statements(types, case, body) + ["}\n"]
    action = case["given"]["name"]
    if not body:  # read back it is nothing; EC2 and Query answers always have their envelope
        body = f"<{action}Response></{action}Response>"
    lines += [envelope(types, case), f"  {types.model.service}::{action}Response out;"]
    if output:
        lines += assignments(types, {"shape": output}, case["result"], "out")
    maps = any(shape["type"] == "map" for shape in types.model.shapes.values())
    return lines + ["  const std::string document = answer_document(envelope, [&](XmlWriter& xml) { write(xml, out); });",
                    f"  const std::string expected = canonical({chunked(body)}, {str(maps).lower()});",
                    f"  EXPECT_EQ(canonical_beside(expected, document, {str(maps).lower()}), expected);",
                    "  EXPECT_EQ(text_at(document, " + ('"*/requestId"' if types.model.ec2 else '"*/ResponseMetadata/RequestId"')
                    + '), "requestid");', "}\n"]


def error_statements(types, case, body):
    shape = case["given"]["errors"][0]["shape"]
    details = {name: value for name, value in case["error"].items() if name != "Message"}
    lines = [envelope(types, case), f"  const std::string expected = {chunked(body)};",
             f"  {types.model.service}::{types.name(shape)} details;"]
    lines += assignments(types, {"shape": shape}, details, "details")
    lines += ["  XmlWriter xml;", "  write(xml, details);",
              f"  const ApiError error({case['response']['status_code']}, {quoted(case['errorCode'])}, text_at(expected, \"//Message\"));",
              "  const std::string document = error_document(envelope, error, xml.take());"]
    return lines + ["  const std::string wanted = canonical(expected, false);",
                    "  EXPECT_EQ(canonical_beside(wanted, document, false), wanted);"]


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


def main():
    cases, out = sys.argv[1:]
    for protocol in ("ec2", "query"):
        for direction, make in (("input", input_test), ("output", output_test)):
            with open(os.path.join(cases, direction, protocol + ".json"), encoding="utf-8") as file:
                groups = json.load(file)
            includes, tests = [], []
            for number, group in enumerate(groups):
                types = build_types(protocol, direction, number, group)
                for path, content in types.files().items():
                    write_if_changed(os.path.join(out, path), content)
                    includes += [f'#include "{path}"'] if path.endswith(".cpp") else []
                for case in group["cases"]:
                    tests += make(types, case, f"{protocol.capitalize()}{direction.capitalize()}")
            text = "\n".join(["// Generated by tests/protocol/make_cases.py. Do not edit.", '#include "compare.hpp"'] + includes
                             + ["", "namespace brume::wire {", "namespace {", ""] + tests + ["}  // namespace", "}  // namespace brume::wire", ""])
            write_if_changed(os.path.join(out, f"cases_{protocol}_{direction}.cpp"), text)


if __name__ == "__main__":
    main()
