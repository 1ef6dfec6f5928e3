#!/usr/bin/env python3
# Copyright 2026 The Brume Authors
# SPDX-License-Identifier: Apache-2.0
"""Turns botocore's protocol cases into C++ types (by the generator of the real models) and tests of the other side of the wire.

Usage: make_cases.py CASES_FOLDER OUT_FOLDER

input: what a client sends must be recognised and decode to the arguments. output: the result must be encoded to a body that says what
the case's body says. One test source for each protocol and direction; it includes its types' sources, to compile in one go.
"""

import gzip
import json
import os
import sys
import urllib.parse

from case_code import AUTO_TOKEN, assignments, build_types, chunked, expectations, quoted
import value_cases

import emit_schema
from generate import write_if_changed

# The files of cases, and what makes tests of them.
FORMS = ("ec2", "query")
VALUES = ("json", "json_1_0", "json_1_0-query-compatible", "smithy-rpc-v2-cbor", "smithy-rpc-v2-cbor-query-compatible",
          "smithy-rpc-v2-cbor-non-query-compatible")


def input_test(types, case, suite, service):
    sent, given = case["serialized"], dict(case.get("params") or {})
    lines = [f"TEST({suite}, {case['id']}) {{"]
    action, shape = case["given"]["name"], case["given"].get("input", {}).get("shape")
    encoding, body = "", chunked(sent.get("body", ""))
    if "body" not in sent:  # the case is about the client's Content-Encoding, and leaves the body to it
        members = types.model.shapes[shape]["members"]
        form = {"Action": action, "Version": types.model.metadata["apiVersion"]}
        form.update({types.model.parameter_name(name, members[name]): value for name, value in given.items()})
        packed = gzip.compress(urllib.parse.urlencode(form).encode(), mtime=0)
        encoding, body = ', {"content-encoding", "gzip"}', f"std::string({quoted(packed)}, {len(packed)})"
    token = types.model.operations[action].get("token")
    if token and token not in given:
        given[token] = AUTO_TOKEN  # what the client of the case fills in
    lines += [f"  const SentCase sent({service}, {{\"POST\", \"/\", {{{{\"content-type\", \"application/x-www-form-urlencoded\"}}{encoding}}}, "
              f"{body}}});",
              f"  EXPECT_EQ(sent.protocol(), schema::Protocol::{'ec2' if types.model.ec2 else 'query'});",
              f"  EXPECT_EQ(sent.action(), {quoted(action)});",
              f"  {types.model.service}::{action}Request in;", "  read(sent.root(), in);"]
    if shape:
        lines += expectations(types, {"shape": shape}, given, "in")
    return lines + ["  sent.require_all_read();", "}\n"]


def answered(service, types, action, request_id="requestid"):
    return (f"  const AnsweredCase answered({service}, schema::Protocol::{'ec2' if types.model.ec2 else 'query'}, {quoted(action)}, "
            f'"2020-01-08", "{request_id}");')


def output_test(types, case, suite, service):
    body, output = case["response"].get("body", ""), case["given"].get("output", {}).get("shape")
    lines = [f"TEST({suite}, {case['id']}) {{"]
    if "error" in case:
        return lines + error_statements(types, case, body, service) + ["}\n"]
    action = case["given"]["name"]
    if not body:  # read back it is nothing; EC2 and Query answers always have their envelope
        body = f"<{action}Response></{action}Response>"
    lines += [answered(service, types, action), f"  {types.model.service}::{action}Response out;"]
    if output:
        lines += assignments(types, {"shape": output}, case["result"], "out")
    maps = any(shape["type"] == "map" for shape in types.model.shapes.values())
    return lines + ["  const std::string document = answered.answer(out).body;",
                    f"  const std::string expected = canonical({chunked(body)}, {str(maps).lower()});",
                    f"  EXPECT_EQ(canonical_beside(expected, document, {str(maps).lower()}), expected);",
                    "  EXPECT_EQ(text_at(document, " + ('"*/requestId"' if types.model.ec2 else '"*/ResponseMetadata/RequestId"')
                    + '), "requestid");', "}\n"]


def error_statements(types, case, body, service):
    shape = case["given"]["errors"][0]["shape"]
    details = {name: value for name, value in case["error"].items() if name != "Message"}
    lines = [answered(service, types, case["given"]["name"], "foo-id"), f"  const std::string expected = {chunked(body)};",
             f"  {types.model.service}::{types.name(shape)} details;"]
    lines += assignments(types, {"shape": shape}, details, "details")
    lines += [f"  const ApiError error({case['response']['status_code']}, {quoted(case['errorCode'])}, text_at(expected, \"//Message\"));",
              "  const std::string document = answered.error(error, details).body;"]
    return lines + ["  const std::string wanted = canonical(expected, false);",
                    "  EXPECT_EQ(canonical_beside(wanted, document, false), wanted);"]


def tests_of(types, group, direction, suite):
    service = f"schema::data_{types.model.service}::service_{types.model.service}"
    forms = types.model.writers == ["XmlWriter"]
    make = {("input", True): input_test, ("output", True): output_test, ("input", False): value_cases.input_test,
            ("output", False): value_cases.output_test}[direction, forms]
    lines = []
    for case in group["cases"]:
        lines += make(types, case, suite, service)
    return lines


def main():
    cases, out = sys.argv[1:]
    for protocol in FORMS + VALUES:
        name = protocol.replace("-", "_")
        suite = "".join(word.capitalize() for word in name.split("_"))
        for direction in ("input", "output"):
            with open(os.path.join(cases, direction, protocol + ".json"), encoding="utf-8") as file:
                groups = json.load(file)
            includes, tests = [], []
            for number, group in enumerate(groups):
                types = build_types(name, direction, number, group)
                files = types.files()
                files[f"wire/schema_{types.model.service}.cpp"] = emit_schema.service_file(types.model, {}, f"data_{types.model.service}")
                for path, content in files.items():
                    write_if_changed(os.path.join(out, path), content)
                    includes += [f'#include "{path}"'] if path.endswith(".cpp") else []
                tests += tests_of(types, group, direction, suite + direction.capitalize())
            text = "\n".join(["// Generated by tests/protocol/make_cases.py. Do not edit.", '#include "compare.hpp"'] + includes
                             + ["", "namespace brume::wire {", "namespace {", ""] + tests + ["}  // namespace", "}  // namespace brume::wire", ""])
            write_if_changed(os.path.join(out, f"cases_{name}_{direction}.cpp"), text)


if __name__ == "__main__":
    main()
