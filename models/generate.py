#!/usr/bin/env python3
# Copyright 2026 The Brume Authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the C++ of the wire from the models: types of the built actions, and the whole schema as data.

Usage: generate.py --out FOLDER [--list]

A file is touched only when its content changes. --list prints what would be written, without reading the models.
"""

import argparse
import os
import sys

import emit_authorization
import emit_empty
import emit_schema
from emit_types import ServiceTypes
import wire_model
from wire_model import load_built, load_models

HERE = os.path.dirname(os.path.abspath(__file__))


def write_if_changed(path, content):
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == content:
                return
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def output_names(built, services):
    names = [f"wire/{service}/{family}{extension}" for service, families in built.items()
             for family in ["common"] + list(families) for extension in (".hpp", ".cpp")]
    names += [f"wire/schema_data_{service}.cpp" for service in services]
    return names + ["wire/schema_data.cpp", "wire/empty_actions.cpp", "wire/authorization_data.cpp"]


def service_names():
    return sorted(name[:-5] for name in os.listdir(HERE)
                  if name.endswith(".json") and name[:-5].isalnum() and name not in wire_model.NOT_MODELS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder that becomes an include folder")
    parser.add_argument("--list", action="store_true", help="print the paths, semicolons between, and stop")
    options = parser.parse_args()
    built = load_built(os.path.join(HERE, "built.json"))
    names = output_names(built, service_names())
    if options.list:
        print(";".join(os.path.join(options.out, name) for name in names), end="")
        return 0
    models = load_models(HERE)
    empty = emit_empty.load_empty(os.path.join(HERE, "empty.json"))
    authorization = emit_authorization.load(os.path.join(HERE, "authorization.json"))
    emit_authorization.check(built, empty, authorization)
    files = {"wire/authorization_data.cpp": emit_authorization.file(authorization)}
    for service, families in built.items():
        finders = emit_authorization.ResourceFinders(models[service], authorization)
        files.update(ServiceTypes(models[service], families, finders).files())
    files.update(emit_schema.files(models, built))
    emit_empty.check(models["ec2"], built, empty)
    files["wire/empty_actions.cpp"] = emit_empty.file(models["ec2"], empty)
    if set(files) != set(names):
        raise SystemExit(f"generate.py: files and list differ: {set(files) ^ set(names)}")
    for name, content in files.items():
        write_if_changed(os.path.join(options.out, name), content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
