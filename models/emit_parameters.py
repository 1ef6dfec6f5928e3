# Copyright 2026 The Brume Authors
# SPDX-License-Identifier: Apache-2.0
"""The way back from a typed request to the parameters that a client would have sent: `void to_parameters(const X&, ParameterWriter&)`.

With it a service of ours that asks for an action says exactly what a client says (src/service/inside_calls.hpp)."""

from wire_model import snake_case


def member(model, name, ref):
    wire, field, kind = model.parameter_name(name, ref), "in." + snake_case(name), model.type_of(ref)
    shape = model.shapes[ref["shape"]]
    if kind == "list":
        item = shape["member"]
        below = "" if model.ec2 or model.flattened(ref) else "." + item.get("locationName", "member")
        if model.type_of(item) == "blob":
            raise SystemExit(f"emit_parameters.py: no code yet for the list of blobs {name}")
        return f'  out.list("{wire}{below}", {field});'
    if kind == "map":
        below = "" if model.ec2 or model.flattened(ref) else ".entry"
        key, value = shape["key"].get("locationName", "key"), shape["value"].get("locationName", "value")
        return f'  out.map("{wire}{below}", "{key}", "{value}", {field});'
    return f'  out.{"blob" if kind == "blob" else "member"}("{wire}", {field});'


def definition(model, shape, name):
    members = model.shapes[shape].get("members", {})
    if not members:
        return f"void to_parameters(const {name}&, ParameterWriter&) {{}}\n"
    lines = [f"void to_parameters(const {name}& in, ParameterWriter& out) {{"]
    return "\n".join(lines + [member(model, *each) for each in members.items()] + ["}\n"])


def signature(name):
    return f"void to_parameters(const {name}& in, ParameterWriter& out)"
