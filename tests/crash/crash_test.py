#!/usr/bin/env python3
"""Kills a program that writes to the state (store_crash), many times at random moments, and checks after each kill that

- every settled decision is there, whole, and in its last form;
- what was only asked for is there whole or not at all;
- nothing of an earlier round has changed;
- the state opens in less than a second.

SIGKILL leaves what the kernel already has: this shows the order of acknowledgement, log and publication and the recovery of a torn
log, not that the disk keeps its word on a power cut (that is SQLite's synchronous=FULL; the bench shows that each commit waits for it).
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time


def read_all(stream, lines):
    for line in stream:
        if line.endswith("\n"):  # the last one may be cut off by the kill
            lines.append(line.split())


def run_round(binary, folder, number, delay):
    """Starts a writer, kills it after `delay` seconds, returns the lines it said."""
    writer = subprocess.Popen([binary, "write", folder, str(number)], stdout=subprocess.PIPE, text=True)
    lines = []
    reader = threading.Thread(target=read_all, args=(writer.stdout, lines))
    reader.start()
    time.sleep(delay)
    if writer.poll() is not None:
        sys.exit(f"the writer ended by itself with {writer.returncode}: {lines[-3:]}")
    writer.kill()
    writer.wait()
    reader.join()
    return lines


def allowed_after(known, lines):
    """For each name that the lines touch: the set of forms (a token, or None: not there) that it may have now."""
    settled, asked = {}, {}
    for word, name, *token in lines:
        form = token[0] if token else None
        if word.isupper():
            settled[name] = form
            asked.pop(name, None)
        else:
            asked[name] = form
    allowed = {}
    for name in settled.keys() | asked.keys():
        allowed[name] = {settled.get(name, known.get(name))}
        if name in asked:
            allowed[name].add(asked[name])
    return allowed, len(settled)


def check(binary, folder):
    result = subprocess.run([binary, "check", folder], capture_output=True, text=True, timeout=60)
    present, opened = {}, None
    for line in result.stdout.splitlines():
        word, *rest = line.split()
        if word == "is":
            present[rest[0]] = rest[1]
        elif word == "opened":
            opened = float(rest[0])
        else:
            sys.exit(f"check: {line}")
    if result.returncode != 0 or opened is None:
        sys.exit(f"check failed with {result.returncode}: {result.stderr}")
    return present, opened


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--kills", type=int, default=55)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--longest", type=float, default=0.7, help="seconds until the latest kill")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    choice = random.Random(options.seed)
    folder = tempfile.mkdtemp(prefix="brume-crash-")
    known, lines_seen, settled_count, undecided, slowest = {}, 0, 0, 0, 0.0
    start = time.monotonic()
    for number in range(1, options.kills + 1):
        # Some kills fall into the opening of the log itself.
        delay = choice.uniform(0, 0.04) if choice.random() < 0.25 else choice.uniform(0.04, options.longest)
        lines = run_round(options.binary, folder, number, delay)
        allowed, settled = allowed_after(known, lines)
        present, opened = check(options.binary, folder)
        for name in known.keys() | allowed.keys() | present.keys():
            may_be = allowed.get(name, {known.get(name)})
            if present.get(name) not in may_be:
                sys.exit(f"kill {number}: {name} is {present.get(name)}, should be one of {may_be}; the state is kept in {folder}")
        if opened >= 1000:
            sys.exit(f"kill {number}: opening took {opened:.0f} ms; the state is kept in {folder}")
        known = present
        lines_seen += len(lines)
        settled_count += sum(1 for line in lines if line[0].isupper())
        undecided += sum(1 for forms in allowed.values() if len(forms) > 1)
        slowest = max(slowest, opened)
    if settled_count < options.kills:
        sys.exit(f"only {settled_count} decisions were settled: this showed nothing")
    print(
        f"{options.kills} kills in {time.monotonic() - start:.1f} s: {settled_count} settled decisions all there, {undecided} undecided "
        f"ones whole or absent, {len(known)} things left, slowest opening {slowest:.0f} ms"
    )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
