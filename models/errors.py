#!/usr/bin/env python3
"""The table of error codes (models/errors.tsv): each code that src/ throws, with its HTTP status, the files that throw it and where the code comes from.

    models/errors.py            says what the table lacks or has too much; ends with 1 then
    models/errors.py --write    brings codes, statuses and files up to date; the source of a new code has to be filled in by hand
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TABLE = ROOT / "models/errors.tsv"
HEADER = ("code", "status", "thrown in", "source", "note")
# Where a code comes from.
SOURCES = {
    "EC2": "the list of error codes in EC2's API reference",
    "EC2, unlisted": "not on that list: known from EC2's answers, or formed as EC2 forms its codes",
    "AWS": "the common errors of AWS services, as botocore's clients know them",
    "S3": "the list of error codes in S3's API reference",
    "ebs": "the exceptions of the model ebs", "ssm": "the exceptions of the model ssm", "servicequotas": "the exceptions of the model servicequotas",
    "IAM": "the words of IAM, on the operator's socket and nowhere else",
    "ours": "no code of Amazon's says it",
}
CODE = r"([A-Z][A-Za-z]+(?:\.[A-Z][A-Za-z]+)?)"
# ApiError(400, "Code", …), {400, "Code", …}, with one code of two now and then.
THROWN = re.compile(rf"[({{]\s*([45]\d\d),\s*(?:[^\";{{}}]*\?\s*)?\"{CODE}\"(?:\s*:\s*\"{CODE}\")?")
# A row of the quotas: {Quota::vpcs, "vpcs", 5, 5, false, "Code", …
QUOTA = re.compile(rf"\{{Quota::\w+, [^}}]*?(?:true|false), \"{CODE}\"")
# Functions that make a code of a noun: what stands around it, and the status.
MADE = {
    re.compile(r"\binsufficient_capacity\(\s*\"(\w+)\""): ("Insufficient{}Capacity", 500),
    re.compile(r"\bids?_not_found\(\s*\"(\w+)\""): ("Invalid{}.NotFound", 400),
    re.compile(r"\bids?_malformed\(\s*\"(\w+)\""): ("Invalid{}.Malformed", 400),
}
# Codes of ids stand in tables without a status, which is always the same.
OF_IDS = re.compile(r"\"(Invalid\w+\.(?:NotFound|Malformed)|NatGateway(?:NotFound|Malformed))\"")


def thrown():
    """{(code, status): names of the files without their folders and endings}"""
    found, loose = {}, {}
    for path in sorted((ROOT / "src").rglob("*.[ch]pp")):
        text = path.read_text()
        pairs = [(code, int(match[1])) for match in THROWN.finditer(text) for code in match.groups()[1:] if code]
        pairs += [(code, 400) for code in QUOTA.findall(text)]
        pairs += [(form.format(noun), status) for pattern, (form, status) in MADE.items() for noun in pattern.findall(text)]
        for pair in pairs:
            found.setdefault(pair, set()).add(path.stem)
        for code in OF_IDS.findall(text):
            loose.setdefault((code, 400), set()).add(path.stem)
    for pair, files in loose.items():
        found.setdefault(pair, set()).update(files)
    return found


def table():
    """{(code, status): [files, source, note]}"""
    lines = TABLE.read_text().splitlines()
    if tuple(lines[0].split("\t")) != HEADER:
        sys.exit(f"{TABLE.name}: the first line is not {HEADER}")
    rows = {}
    for line in lines[1:]:
        code, status, *rest = line.split("\t")
        if (code, int(status)) in rows or len(rest) != 3:
            sys.exit(f"{TABLE.name}: {code} {status}: a second row, or not five columns")
        rows[code, int(status)] = rest
    return rows


def problems():
    rows, found = table(), thrown()
    said = []
    for code, status in sorted(found.keys() - rows.keys()):
        said.append(f"{code} {status}: thrown in {', '.join(sorted(found[code, status]))}, not in the table")
    for (code, status), (files, source, note) in rows.items():
        if (code, status) not in found:
            if not note.startswith("unused: "):
                said.append(f"{code} {status}: in the table, thrown nowhere")
        elif files != " ".join(sorted(found[code, status])):
            said.append(f"{code} {status}: thrown in {' '.join(sorted(found[code, status]))}, the table says {files}")
        if source not in SOURCES:
            said.append(f"{code} {status}: '{source}' is no source: {', '.join(SOURCES)}")
        if not note and sum(other == code for other, _ in rows) > 1:
            said.append(f"{code} {status}: has several statuses, and no note says why")
    return said


def write():
    rows = table() if TABLE.exists() else {}
    kept = {pair: row for pair, row in rows.items() if row[2].startswith("unused: ")}
    for pair, files in thrown().items():
        kept[pair] = [" ".join(sorted(files)), *rows.get(pair, ["", "", ""])[1:]]
    lines = ["\t".join(HEADER)] + ["\t".join([code, str(status), *row]) for (code, status), row in sorted(kept.items())]
    TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    elif sys.argv[1:]:
        sys.exit(__doc__)
    if said := problems():
        sys.exit("\n".join(said))
