# Copyright 2026 The Brume Authors
# SPDX-License-Identifier: Apache-2.0
"""The actions of models/empty.json as constant data behind src/wire/empty_actions.hpp: what they take, and that they answer nothing."""

import json

from emit_schema import BANNER, text

PAGES = (5, 1000)  # EC2's bounds of MaxResults, where neither the model nor empty.json says others
FORMS = {"any": "any", "hex": "digits", "uuid": "uuid", "prefix": "prefix"}


def load_empty(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def check(model, built, empty):
    families = built.get(model.service, {})
    both = {action for actions in families.values() for action in actions} & set(empty[model.service])
    unknown = set(empty[model.service]) | set(empty["not_empty"])
    unknown -= set(model.operations)
    if both or unknown:
        raise SystemExit(f"empty.json: built as well: {sorted(both)}; not in the model: {sorted(unknown)}")


class Rows:
    """The C++ of the actions' rows: each row's lists stand before it as arrays of their own."""

    def __init__(self, model, kinds):
        self.model, self.kinds = model, kinds
        self.arrays, self.rows = [], []

    def array(self, kind, rows):
        if not rows:
            return "{}"
        name = f"list_{len(self.arrays)}"
        self.arrays.append(f"constexpr {kind} {name}[] = {{{', '.join(rows)}}};")
        return name

    def add(self, action, row):
        members = self.model.shapes[self.model.operations[action]["input"]]["members"]
        wire_name = lambda member: self.model.parameter_name(member, members[member])
        if any("." in wire_name(member) for member in members):
            raise SystemExit(f"empty.json: {action} has a parameter whose name has a dot, which the reader does not follow")
        ids = self.array("EmptyId", [f"{{{text(wire_name(member))},{text(kind)}}}" for member, kind in row.get("ids", {}).items()])
        choices = []
        for member, ref in members.items():
            shape = self.model.shapes[ref["shape"]]
            values = (self.model.shapes[shape["member"]["shape"]] if shape["type"] == "list" else shape).get("enum")
            if values:
                choices.append(f"{{{text(wire_name(member))},{self.array('std::string_view', [text(value) for value in values])}}}")
        filters = self.array("std::string_view", [text(name) for name in row.get("filters", [])])
        filter_member = next((wire_name(member) for member in ("Filters", "Filter") if member in members), "")
        least, most = row.get("max_results") or self.bounds(members)
        error = row.get("error", ["", ""])
        self.rows.append(f"{{{text(action)},{ids},{text(filter_member)},{filters},{self.array('EmptyChoice', choices)},{least},{most},"
                         f"{text(error[0])},{text(error[1])}}}")

    def bounds(self, members):
        shape = self.model.shapes[members["MaxResults"]["shape"]] if "MaxResults" in members else {}
        return shape.get("min", PAGES[0]), shape.get("max", PAGES[1] if "min" not in shape else 2147483647)


def file(model, empty):
    rows = Rows(model, empty["kinds"])
    for action, row in sorted(empty[model.service].items()):
        rows.add(action, row)
    kinds = [f'{{{text(name)},{text(kind["prefix"])},IdForm::{FORMS[kind["form"]]},{text(kind["malformed"])},{text(kind["not_found"])},'
             f'{text(kind["noun"])}}}' for name, kind in empty["kinds"].items()]
    return (BANNER + '#include "wire/empty_actions.hpp"\n\nnamespace brume::wire {\nnamespace {\nusing namespace std::string_view_literals;\n\n'
            + "\n".join(rows.arrays) + "\n\nconstexpr EmptyKind kinds[] = {\n" + ",\n".join(kinds) + "};\n"
            + "constexpr EmptyAction actions[] = {\n" + ",\n".join(rows.rows) + "};\n}  // namespace\n\n"
            + "std::span<const EmptyKind> empty_kinds() { return kinds; }\nstd::span<const EmptyAction> empty_actions() { return actions; }\n\n"
            + "}  // namespace brume::wire\n")
