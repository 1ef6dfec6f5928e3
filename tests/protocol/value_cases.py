# Copyright 2026 The Brume Authors
# SPDX-License-Identifier: Apache-2.0
"""The cases of protocols whose bodies are values (JSON, CBOR), and what those bodies say, read here by other code than the project's."""

import base64
import datetime
import gzip
import json
import re
import struct

from case_code import AUTO_TOKEN, assignments, expectations, quoted
from emit_schema import protocols_of


class Timestamp(float):
    """CBOR's tag 1."""


END = object()


def read_cbor(data, at=0):
    """A value of the cases' CBOR and where it ends; END for a break."""
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    number = low
    if 24 <= low <= 27:
        size = 1 << (low - 24)
        number = int.from_bytes(data[at:at + size], "big")
        at += size
    if major == 7:
        if 25 <= low <= 27:
            return struct.unpack({25: ">e", 26: ">f", 27: ">d"}[low], number.to_bytes(1 << (low - 24), "big"))[0], at
        return {20: False, 21: True, 22: None, 23: None, 31: END}[low], at
    if major in (2, 3) and low != 31:
        raw = data[at:at + number]
        return raw if major == 2 else raw.decode(), at + number
    if major < 2:
        return (number if major == 0 else -1 - number), at
    if major == 6:
        value, at = read_cbor(data, at)
        return Timestamp(value), at
    values = []
    while low == 31 or len(values) < number * (2 if major == 5 else 1):
        value, at = read_cbor(data, at)
        if value is END:
            break
        values.append(value)
    if major == 4:
        return values, at
    return (dict(zip(values[::2], values[1::2])) if major == 5 else (b"" if major == 2 else "").join(values)), at


def read_body(protocol, body):
    if not body:
        return {}
    return read_cbor(base64.b64decode(body))[0] if "cbor" in protocol else json.loads(body)


def spell_time(value, ref, types):
    """A time of a JSON body in the one spelling that is compared."""
    if not isinstance(value, str) or not re.match(r"\d{4}-", value):
        return value
    moment = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    text = moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{moment.microsecond // 1000:03}" if moment.microsecond else "") + "Z"


def scalar_line(path, value):
    if isinstance(value, bool):
        return f"{path} = {str(value).lower()}"
    if isinstance(value, Timestamp):
        return f"{path} = time {float(value):.15g}"
    if isinstance(value, (int, float)):
        return f"{path} = {float(value):.15g}"
    if isinstance(value, bytes):
        return f"{path} = bytes {base64.b64encode(value).decode()}"
    return f"{path} = '{value}'"


def lines_of(types, ref, value, path):
    """What a body says, as lines: members that the shape does not have and nulls are left out."""
    shape = types.model.shapes[ref["shape"]]
    if shape["type"] == "structure":
        known = {types.model.element_name(name, member): member for name, member in shape["members"].items()}
        pairs = [(key, known[key], value[key]) for key in value if key in known]
    elif shape["type"] == "list":
        pairs = [(str(i + 1), shape["member"], item) for i, item in enumerate(value)]
    elif shape["type"] == "map":
        pairs = [(key, shape["value"], item) for key, item in value.items()]
    else:
        return [scalar_line(path, spell_time(value, ref, types) if shape["type"] == "timestamp" else value)]
    out = []
    for key, member, item in pairs:
        if item is not None:
            out += lines_of(types, member, item, f"{path}/{key}")
    return out or [f"{path} is empty"]


def cpp_bytes(data):
    """A std::string of any bytes."""
    return f"std::string({quoted(data)}, {len(data)})"


def headers_of(types, action, sent):
    """What the client sends; some cases leave out what is not their point."""
    headers = {name.lower(): value for name, value in sent.get("headers", {}).items()}
    if types.model.protocols == ["json"]:
        headers.setdefault("x-amz-target", f"{types.model.metadata['targetPrefix']}.{action}")
        headers.setdefault("content-type", f"application/x-amz-json-{types.model.metadata['jsonVersion']}")
    else:
        headers.setdefault("smithy-protocol", "rpc-v2-cbor")
    return headers


DOCUMENTS = ('  GTEST_SKIP() << "not built: a document is a value of any form, and no service that is planned here has one";', "}\n")


def input_test(types, case, suite, service):
    sent, given = case["serialized"], dict(case.get("params") or {})
    action, shape = case["given"]["name"], case["given"].get("input", {}).get("shape")
    headers, body = headers_of(types, action, sent), sent.get("body") or ""
    lines = [f"TEST({suite}, {case['id']}) {{"]
    if "Document" in case["id"]:
        return lines + list(DOCUMENTS)
    token = types.model.operations[action].get("token")
    if token and token not in given:
        given[token] = AUTO_TOKEN  # what the client of the case fills in
    data = base64.b64decode(body) if "cbor" in types.model.protocols[0] else body.encode()
    if headers.get("content-encoding") == "gzip" and not body:  # the case leaves the body to the client, which sends the arguments
        data = gzip.compress(json.dumps(given).encode(), mtime=0)
    pairs = ", ".join(f"{{{quoted(name)}, {quoted(value)}}}" for name, value in headers.items())
    lines += [f"  const SentCase sent({service}, {{{quoted(sent.get('method', 'POST'))}, {quoted(sent['uri'])}, {{{pairs}}}, {cpp_bytes(data)}}});",
              f"  EXPECT_EQ(sent.protocol(), schema::{protocols_of(types.model)[0]});",
              f"  EXPECT_EQ(sent.action(), {quoted(action)});",
              f"  {types.model.service}::{action}Request in;", "  read(sent.root(), in);"]
    if shape:
        lines += expectations(types, {"shape": shape}, given, "in")
    return lines + ["  sent.require_all_read();", "}\n"]


def expected_lines(types, shape, body, without_message):
    """As a C++ text; nothing for what has no members."""
    lines = lines_of(types, {"shape": shape}, read_body(types.model.protocols[0], body), "") if shape else []
    lines = sorted(line for line in lines if line != " is empty" and not (without_message and re.match("/[Mm]essage = ", line)))
    return "\n      ".join(quoted(line + "\n") for line in lines) or '""'


def output_test(types, case, suite, service):
    lines = [f"TEST({suite}, {case['id']}) {{"]
    if "Document" in case["id"]:
        return lines + list(DOCUMENTS)
    response, action = case["response"], case["given"]["name"]
    protocol = protocols_of(types.model)[0]
    lines.append(f"  const AnsweredCase answered({service}, schema::{protocol}, {quoted(action)}, {quoted(types.model.metadata['apiVersion'])});")
    is_error = "error" in case
    shape = case["given"]["errors"][0]["shape"] if is_error else case["given"].get("output", {}).get("shape")
    values = case["error"] if is_error else case["result"] or {}
    if is_error:
        values = {name: value for name, value in values.items() if name.lower() != "message"}
    name = types.name(shape) if is_error else f"{action}Response"
    lines.append(f"  {types.model.service}::{name} out;")
    if shape:
        lines += assignments(types, {"shape": shape}, values, "out")
    if is_error:
        message = case.get("errorMessage") or case["error"].get("Message") or case["error"].get("message") or ""
        lines += [f"  const ApiError error({response['status_code']}, {quoted(case['errorCode'])}, {quoted(message)});",
                  "  const auto response = answered.error(error, out);",
                  f"  EXPECT_EQ(answered.value_at(response, \"__type\"), {quoted(shape)});",
                  f"  EXPECT_EQ(answered.value_at(response, \"message\"), {quoted(message)});"]
    else:
        lines.append("  const auto response = answered.answer(out);")
    for header, value in response.get("headers", {}).items():
        if header.lower() in ("content-type", "smithy-protocol", "x-amzn-query-error") and response.get("body") and shape:
            lines.append(f"  EXPECT_EQ(header_of(response, {quoted(header.lower())}), {quoted(value)});")
    lines += [f"  EXPECT_EQ(response.status, {response['status_code']});",
              f"  const std::string expected = {expected_lines(types, shape, response.get('body'), is_error)};",
              "  EXPECT_EQ(answered.lines_beside(expected, response), expected);", "}\n"]
    return lines
